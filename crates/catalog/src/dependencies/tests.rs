//! Messages are PostgreSQL 15's.

use std::sync::Arc;

use types::SqlType;

use super::*;
use crate::{Attribute, IndexColumn, IndexDefinition, NameRecorder, Persistence, SequenceDefinition, constraint::ForeignKey};

fn relation(oid: u32, name: &str, kind: RelationKind) -> Relation {
    Relation {
        oid: Oid(oid),
        schema: Oid::PUBLIC_NAMESPACE,
        name: name.into(),
        owner: Oid::BOOTSTRAP_ROLE,
        persistence: Persistence::Permanent,
        kind,
        attributes: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
        row_type: Oid::INVALID,
        row_array_type: Oid::INVALID,
        options: Vec::new(),
        comment: None,
        owned_by: None,
    }
}

fn attribute(name: &str, default: Option<&str>) -> Attribute {
    Attribute {
        name: name.into(),
        ty: SqlType::INT4,
        not_null: false,
        dropped: false,
        default: default.map(Into::into),
        identity: None,
        generated: None,
        collation: Oid::INVALID,
        comment: None,
        storage: None,
        is_local: true,
    }
}

fn constraint(oid: u32, name: &str, kind: ConstraintKind) -> Constraint {
    Constraint {
        oid: Oid(oid),
        name: name.into(),
        kind,
        deferrable: false,
        initially_deferred: false,
        validated: true,
        comment: None,
    }
}

/// `create table t(id serial primary key, a int); create view v as select a from t; create table u(t_id int references t)`
fn names() -> Names {
    let mut catalog = Catalog::new();
    let sequence =
        SequenceDefinition { ty: SqlType::INT4, start: 1, increment: 1, minimum: 1, maximum: 9, cache: 1, cycle: false };
    let mut owned = relation(100, "t_id_seq", RelationKind::Sequence(sequence));
    owned.owned_by = Some((Oid(101), 0, false));
    catalog.put_relation(owned);
    let mut t = relation(101, "t", RelationKind::Table { storage: storage::TableId(1) });
    t.attributes = vec![attribute("id", Some("nextval('public.t_id_seq'::regclass)")), attribute("a", None)];
    t.constraints = vec![constraint(103, "t_pkey", ConstraintKind::PrimaryKey { index: Oid(102), columns: vec![0] })];
    catalog.put_relation(t);
    let key = IndexColumn {
        key: IndexKey::Attribute(0),
        ty: SqlType::INT4,
        order: storage::key::KeyOrder::ASCENDING,
        collation: Oid::INVALID,
        operator_class: None,
    };
    let index = IndexDefinition {
        table: Oid(101),
        method: "btree".into(),
        columns: vec![key],
        included: Vec::new(),
        unique: true,
        primary: true,
        nulls_not_distinct: false,
        deferrable: false,
        predicate: None,
    };
    catalog.put_relation(relation(102, "t_pkey", RelationKind::Index(index)));
    let view = RelationKind::View { query: Arc::new(stored_query(&catalog)), check_option: None };
    catalog.put_relation(relation(104, "v", view));
    let mut u = relation(105, "u", RelationKind::Table { storage: storage::TableId(2) });
    u.attributes = vec![attribute("t_id", None)];
    let key = ForeignKey {
        columns: vec![0],
        referenced: Oid(101),
        referenced_columns: vec![0],
        referenced_index: Oid(102),
        on_update: 'a',
        on_delete: 'a',
        match_type: 's',
        delete_set_columns: Vec::new(),
    };
    u.constraints = vec![constraint(106, "u_t_id_fkey", ConstraintKind::ForeignKey(key))];
    catalog.put_relation(u);
    Names::new(Arc::new(catalog), vec![Oid::PUBLIC_NAMESPACE])
}

/// What is kept of `SELECT t.a FROM public.t`.
fn stored_query(catalog: &Catalog) -> StoredQuery {
    let recorder = Arc::new(NameRecorder::default());
    let names = Names::new(Arc::new(catalog.clone()), Vec::new()).recorded_by(recorder.clone());
    assert!(names.relation_by_name(Some("public"), "t").is_some(), "the view's table is there");
    StoredQuery {
        text: "SELECT t.a FROM public.t".into(),
        names: Arc::new(recorder.recorded()),
        columns_read: [(Oid(101), 1)].into(),
    }
}

fn refusal(target: Object) -> (String, String) {
    let error = plan_removal(&names(), &[target], false).expect_err("something depends on it");
    let fields = error.fields();
    (fields.message.clone(), fields.detail.clone().or(fields.hint.clone()).unwrap_or_default())
}

#[test]
fn a_drop_is_refused_while_others_depend() {
    let (message, detail) = refusal(Object::Relation(Oid(101)));
    assert_eq!(message, "cannot drop table t because other objects depend on it");
    assert_eq!(detail, "view v depends on table t\nconstraint u_t_id_fkey on table u depends on table t");
    let (message, detail) = refusal(Object::Relation(Oid(100)));
    assert_eq!(message, "cannot drop sequence t_id_seq because other objects depend on it");
    assert_eq!(detail, "default value for column id of table t depends on sequence t_id_seq");
    let (message, detail) = refusal(Object::Column(Oid(101), 1));
    assert_eq!(message, "cannot drop column a of table t because other objects depend on it");
    assert_eq!(detail, "view v depends on column a of table t");
    let (message, hint) = refusal(Object::Relation(Oid(102)));
    assert_eq!(message, "cannot drop index t_pkey because constraint t_pkey on table t requires it");
    assert_eq!(hint, "You can drop constraint t_pkey on table t instead.");
    let (message, detail) = refusal(Object::Constraint(Oid(101), Oid(103)));
    assert_eq!(message, "cannot drop constraint t_pkey on table t because other objects depend on it");
    assert_eq!(detail, "constraint u_t_id_fkey on table u depends on index t_pkey");
}

#[test]
fn cascade_takes_dependents_and_tells() {
    let removal = plan_removal(&names(), &[Object::Relation(Oid(101))], true).expect("cascade");
    let notice = removal.notice.expect("two objects go along");
    assert_eq!(notice.message(), "drop cascades to 2 other objects");
    assert_eq!(
        notice.fields().detail.as_deref(),
        Some("drop cascades to view v\ndrop cascades to constraint u_t_id_fkey on table u")
    );
    let relations: Vec<_> = removal.objects.iter().filter(|object| matches!(object, Object::Relation(_))).collect();
    assert_eq!(relations.last(), Some(&&Object::Relation(Oid(101))));
    for gone in [Object::Relation(Oid(100)), Object::Relation(Oid(102)), Object::Constraint(Oid(105), Oid(106))] {
        assert!(removal.objects.contains(&gone), "{gone:?}");
    }
}

#[test]
fn what_nothing_depends_on_goes_alone() {
    let removal = plan_removal(&names(), &[Object::Relation(Oid(104))], false).expect("nothing depends on the view");
    assert_eq!(removal.objects, [Object::Relation(Oid(104))]);
    assert!(removal.notice.is_none());
}
