//! Golden plans and error cases over a small hand-made catalog. Error texts, codes, positions and hints are PostgreSQL 15's.

use std::sync::Arc;

use catalog::{
    Attribute, Catalog, Constraint, ConstraintKind, IndexColumn, IndexDefinition, IndexKey, Persistence, Relation, RelationKind,
    UserType, UserTypeKind, type_names::Names,
};
use plan::deparse::{self, Style};
use storage::key::KeyOrder;
use types::{FormatSettings, Oid, Result, SqlState, SqlType};

use crate::{Environment, analyse_view, bind, parse, plan_text, store_query};

mod errors;
mod plans;

fn attribute(name: &str, ty: SqlType) -> Attribute {
    Attribute {
        name: name.into(),
        ty,
        not_null: false,
        dropped: false,
        default: None,
        identity: None,
        generated: None,
        collation: Oid::INVALID,
        comment: None,
        storage: None,
        is_local: true,
    }
}

fn relation(oid: u32, name: &str, kind: RelationKind, attributes: Vec<Attribute>) -> Relation {
    Relation {
        oid: Oid(oid),
        schema: Oid::PUBLIC_NAMESPACE,
        name: name.into(),
        owner: Oid::BOOTSTRAP_ROLE,
        persistence: Persistence::Permanent,
        kind,
        attributes,
        constraints: Vec::new(),
        indexes: Vec::new(),
        row_type: Oid(oid + 1),
        row_array_type: Oid(oid + 2),
        options: Vec::new(),
        comment: None,
        owned_by: None,
    }
}

/// `t (id int primary key, a int, b text, c numeric(8,2))`, `s (id int, t_id int, x bigint, y varchar(10))`, and views over t.
fn catalog() -> Catalog {
    let mut catalog = Catalog::new();
    let table = |oid: u32| RelationKind::Table { storage: storage::TableId(oid) };
    let mut t = relation(
        20000,
        "t",
        table(20000),
        vec![
            attribute("id", SqlType::INT4),
            attribute("a", SqlType::INT4),
            attribute("b", SqlType::TEXT),
            attribute("c", SqlType::NUMERIC.with_typmod(524_294)),
        ],
    );
    t.attributes[1].default = Some("7".into());
    t.indexes.push(Oid(20010));
    t.constraints.push(Constraint {
        oid: Oid(20011),
        name: "t_pkey".into(),
        kind: ConstraintKind::PrimaryKey { index: Oid(20010), columns: vec![0] },
        deferrable: false,
        initially_deferred: false,
        validated: true,
        comment: None,
    });
    let column = IndexColumn {
        key: IndexKey::Attribute(0),
        ty: SqlType::INT4,
        order: KeyOrder::ASCENDING,
        collation: Oid::INVALID,
        operator_class: None,
    };
    let index = IndexDefinition {
        table: Oid(20000),
        method: "btree".into(),
        columns: vec![column],
        included: Vec::new(),
        unique: true,
        primary: true,
        nulls_not_distinct: false,
        deferrable: false,
        predicate: None,
    };
    catalog.put_relation(relation(20010, "t_pkey", RelationKind::Index(index), Vec::new()));
    catalog.put_type(UserType {
        oid: Oid(20001),
        schema: Oid::PUBLIC_NAMESPACE,
        name: "t".into(),
        owner: Oid::BOOTSTRAP_ROLE,
        kind: UserTypeKind::Composite { relation: Oid(20000) },
        array_type: Oid(20002),
        comment: None,
    });
    catalog.put_relation(t);
    let columns = vec![
        attribute("id", SqlType::INT4),
        attribute("t_id", SqlType::INT4),
        attribute("x", SqlType::INT8),
        attribute("y", SqlType::VARCHAR.with_typmod(14)),
    ];
    catalog.put_relation(relation(20100, "s", table(20100), columns));
    let names = Arc::new(Names::new(Arc::new(catalog.clone()), Vec::new()));
    let environment = Environment::new(names, Arc::new(FormatSettings::default()));
    let view = |query: &str, check: Option<&str>| {
        let node = parse(query).expect("a view's query").remove(0).node;
        let query = Arc::new(store_query(&node, &environment).expect("a view's query binds"));
        RelationKind::View { query, check_option: check.map(Into::into) }
    };
    let columns = || vec![attribute("id", SqlType::INT4), attribute("double", SqlType::INT4)];
    let positive = view("SELECT t.id, t.a * 2 AS double FROM public.t WHERE t.a > 0", Some("cascaded"));
    catalog.put_relation(relation(20200, "positive", positive, columns()));
    let grouped = view("SELECT t.id, max(t.a) AS double FROM public.t GROUP BY t.id", None);
    catalog.put_relation(relation(20300, "grouped", grouped, columns()));
    catalog
}

fn environment() -> Environment {
    let names = Names::new(Arc::new(catalog()), vec![Oid::PUBLIC_NAMESPACE]);
    Environment::new(Arc::new(names), Arc::new(FormatSettings::default()))
}

fn bind_text(sql: &str) -> Result<plan::Bound> {
    let statements = parse(sql)?;
    bind(&statements[0].node, &environment())
}

/// The plan, with lines joined for one-line expectations.
fn plan_of(sql: &str) -> String {
    let bound = bind_text(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    plan_text::statement(&bound).trim_end().to_string()
}
