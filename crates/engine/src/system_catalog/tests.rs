//! Every relation's rows have the shape PostgreSQL's have. Expected values are PostgreSQL 15's.

use catalog::{
    Attribute, Catalog, Constraint, ConstraintKind, IndexColumn, IndexDefinition, IndexKey, Persistence, Relation, RelationKind,
    UserType, UserTypeKind, builtin::builtins, type_names::ClusterNames,
};
use storage::key::KeyOrder;
use types::{Oid, Physical, SqlType, TimestampTz};

use super::*;

/// A server in which nothing has happened.
struct Quiet;

impl SystemState for Quiet {
    fn sessions(&self) -> Vec<SessionActivity> {
        vec![SessionActivity { pid: 101, state: "active", ..SessionActivity::default() }]
    }
    fn locks(&self) -> Vec<LockActivity> {
        vec![LockActivity { kind: "relation", relation: Some(Oid(1)), mode: "AccessShareLock", ..LockActivity::default() }]
    }
    fn settings(&self) -> Vec<SettingFacts> {
        vec![SettingFacts { name: "work_mem".into(), setting: "4096".into(), unit: Some("kB".into()), ..SettingFacts::default() }]
    }
    fn prepared_statements(&self) -> Vec<PreparedFacts> {
        Vec::new()
    }
    fn cursors(&self) -> Vec<CursorFacts> {
        Vec::new()
    }
    fn sequence(&self, _: Oid) -> Option<SequenceState> {
        None
    }
    fn table_activity(&self, _: Oid) -> TableActivity {
        TableActivity::default()
    }
    fn index_activity(&self, _: Oid) -> IndexActivity {
        IndexActivity::default()
    }

    fn column_statistics(
        &self,
        _table: Oid,
        wanted: &[WantedColumn],
    ) -> Vec<Option<optimizer::column_statistics::ColumnStatistics>> {
        wanted.iter().map(|_| None).collect()
    }
    fn statements(&self) -> Vec<StatementFacts> {
        Vec::new()
    }

    fn forget_statements(&self) -> Result<()> {
        Ok(())
    }

    fn server_memory(&self) -> (i64, i64) {
        (0, 0)
    }

    fn database_activity(&self, _: Oid) -> DatabaseActivity {
        DatabaseActivity::default()
    }
    fn relation_size(&self, _: Oid) -> i64 {
        8192
    }
    fn database_size(&self, _: Oid) -> i64 {
        8192
    }
    fn server_start(&self) -> TimestampTz {
        TimestampTz(0)
    }
    fn settings_loaded(&self) -> TimestampTz {
        TimestampTz(0)
    }
    fn now(&self) -> TimestampTz {
        TimestampTz(0)
    }
    fn transaction_id(&self) -> Result<u64> {
        Ok(7)
    }
    fn transaction_id_if_assigned(&self) -> Option<u64> {
        None
    }
    fn backend_pid(&self) -> i32 {
        101
    }
    fn blocking_pids(&self, _: i32) -> Vec<i32> {
        Vec::new()
    }
    fn cancel_backend(&self, _: i32) -> Result<bool> {
        Ok(false)
    }
    fn ask_process(&self, _: crate::process::Request) -> Result<bool> {
        Ok(false)
    }

    fn terminate_backend(&self, _: i32) -> Result<bool> {
        Ok(false)
    }
    fn temporary_schema(&self) -> Oid {
        Oid::INVALID
    }
    fn session_memory(&self, _: i32) -> Option<i64> {
        None
    }
    fn dirty(&self) -> txn::ChangeCount {
        txn::ChangeCount { rows: 3, bytes: 100 }
    }
    fn change_count(&self) -> txn::ChangeCount {
        txn::ChangeCount { rows: 5, bytes: 200 }
    }
    fn note_saved(&self, _: txn::ChangeCount, _: bool) -> Result<()> {
        Ok(())
    }
}

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

/// `create table t(id int primary key, b varchar(10) check (b <> ''))`, an index on (id desc, lower(b)), a view and a sequence.
fn context() -> SystemContext<'static> {
    let mut catalog = Catalog::new();
    let mut table = relation(16400, "t", RelationKind::Table { storage: storage::TableId(1) });
    table.attributes = vec![attribute("id", SqlType::INT4), attribute("b", SqlType::VARCHAR.with_typmod(14))];
    table.attributes[0].not_null = true;
    table.row_type = Oid(16402);
    table.indexes = vec![Oid(16405), Oid(16406)];
    let check = ConstraintKind::Check { expression: "b <> ''".into(), columns: vec![1], no_inherit: false };
    table.constraints = vec![
        constraint(16410, "t_pkey", ConstraintKind::PrimaryKey { index: Oid(16405), columns: vec![0] }),
        constraint(16411, "t_b_check", check),
    ];
    catalog.put_relation(table);
    let column = |key, ty: SqlType, order| IndexColumn { key, ty, order, collation: Oid::INVALID, operator_class: None };
    let mut definition = IndexDefinition {
        table: Oid(16400),
        method: "btree".into(),
        columns: vec![column(IndexKey::Attribute(0), SqlType::INT4, KeyOrder::ASCENDING)],
        included: Vec::new(),
        unique: true,
        primary: true,
        nulls_not_distinct: false,
        deferrable: false,
        predicate: None,
    };
    catalog.put_relation(relation(16405, "t_pkey", RelationKind::Index(definition.clone())));
    let descending = KeyOrder { descending: true, nulls_first: true };
    definition.columns = vec![
        column(IndexKey::Attribute(0), SqlType::INT4, descending),
        column(IndexKey::Expression("lower(b)".into()), SqlType::TEXT, KeyOrder::ASCENDING),
    ];
    (definition.unique, definition.primary) = (false, false);
    catalog.put_relation(relation(16406, "t_id_lower_idx", RelationKind::Index(definition)));
    catalog.put_type(UserType {
        oid: Oid(16402),
        schema: Oid::PUBLIC_NAMESPACE,
        name: "t".into(),
        owner: Oid::BOOTSTRAP_ROLE,
        kind: UserTypeKind::Composite { relation: Oid(16400) },
        array_type: Oid::INVALID,
        comment: None,
    });
    let mut names = Names::new(Arc::new(catalog), vec![Oid::PUBLIC_NAMESPACE]);
    let roles = vec![(Oid::BOOTSTRAP_ROLE, "postgres".into())];
    names.cluster = Arc::new(ClusterNames { current_database: "postgres".into(), roles });
    let authority = crate::access::Authority::new(Arc::default(), names.catalog.clone(), Oid(5), Oid::BOOTSTRAP_ROLE);
    SystemContext {
        names,
        databases: vec![DatabaseRow { oid: Oid(5), name: "postgres".into(), facts: catalog::role::DatabaseFacts::default() }],
        authority,
        current_database: "postgres".into(),
        current_user: "postgres".into(),
        state: &Quiet,
        reparsed: false,
    }
}

fn matches(value: &Datum, physical: Physical) -> bool {
    match physical {
        Physical::Bool => matches!(value, Datum::Bool(_)),
        Physical::Int2 => matches!(value, Datum::Int2(_)),
        Physical::Int4 => matches!(value, Datum::Int4(_)),
        Physical::Int8 => matches!(value, Datum::Int8(_)),
        Physical::Float4 => matches!(value, Datum::Float4(_)),
        Physical::Float8 => matches!(value, Datum::Float8(_)),
        Physical::Oid => matches!(value, Datum::Oid(_)),
        Physical::Text => matches!(value, Datum::Text(_)),
        Physical::Numeric => matches!(value, Datum::Numeric(_)),
        Physical::TimestampTz => matches!(value, Datum::TimestampTz(_)),
        Physical::Interval => matches!(value, Datum::Interval(_)),
        Physical::Any => matches!(value, Datum::Array(_) | Datum::Text(_)),
        _ => false,
    }
}

#[test]
fn rows_have_their_relations_columns_and_types() {
    let context = context();
    for relation in &builtins().system_relations {
        let Ok(rows) = rows(relation, &context, None) else { continue };
        for row in rows {
            assert_eq!(row.len(), relation.columns.len(), "{}", relation.name);
            for (value, column) in row.iter().zip(&relation.columns) {
                let ty = context.names.sql_type(column.type_oid).expect("columns have known types");
                let place = format!("{}.{}: {value:?}", relation.name, column.name);
                assert!(value.is_null() || matches(value, ty.physical), "{place} is no {ty:?}");
                assert!(!value.is_null() || !column.not_null, "{place} is null");
            }
        }
    }
}

fn read(relation: &str, context: &SystemContext, hint: Option<Hint>) -> Vec<Vec<Datum>> {
    let relation = builtins().system_relation_named("pg_catalog", relation).expect("a system relation");
    rows(relation, context, hint).expect("provided")
}

#[test]
fn a_hint_keeps_only_the_wanted_rows() {
    let context = context();
    let wanted = Datum::Oid(Oid(16400));
    assert_eq!(read("pg_class", &context, Some(Hint { column: "oid", value: &wanted })).len(), 1);
    let of_table = read("pg_attribute", &context, Some(Hint { column: "attrelid", value: &wanted }));
    assert_eq!(of_table.len(), 2 + 6);
    let of_pg_class = Datum::Oid(Oid(1259));
    assert_eq!(read("pg_attribute", &context, Some(Hint { column: "attrelid", value: &of_pg_class })).len(), 33 + 6);
    let named = Datum::text("t_pkey");
    assert_eq!(read("pg_class", &context, Some(Hint { column: "relname", value: &named })).len(), 1);
}

#[test]
fn built_in_objects_are_all_there() {
    let context = context();
    assert_eq!(read("pg_operator", &context, None).len(), 799);
    assert_eq!(read("pg_proc", &context, None).len(), 3144 + 11 + catalog::builtin::fact_file("own_functions").lines().count());
    assert_eq!(read("pg_type", &context, None).len(), 198 + 413 + 2 + 1);
}

#[test]
fn indexes_and_constraints_are_printed_as_sql() {
    let context = context();
    let catalog = &context.names.catalog;
    let index = catalog.relation(Oid(16406)).expect("the index");
    let definition = relation_rows::as_index(index).expect("an index");
    assert_eq!(
        definitions::index(&context, index, definition, definitions::Qualify::Always, definitions::Style::INDENTED),
        "CREATE INDEX t_id_lower_idx ON public.t USING btree (id DESC, lower((b)::text))"
    );
    let table = catalog.relation(Oid(16400)).expect("the table");
    assert_eq!(
        definitions::constraint(&context, Some(table), &table.constraints[0], definitions::Style::INDENTED),
        "PRIMARY KEY (id)"
    );
}

/// `(kept text, as printed, as printed in pretty style)` over `t(id int, b varchar(10))`.
#[test]
fn expressions_print_as_ruleutils_prints_them() {
    let context = context();
    let table = context.names.catalog.relation(Oid(16400)).expect("the table");
    let pretty = definitions::Style::PRETTY;
    for (sql, printed, prettily) in [
        ("id > 5", "(id > 5)", "id > 5"),
        ("b <> ''", "((b)::text <> ''::text)", "b::text <> ''::text"),
        ("lower(b)", "lower((b)::text)", "lower(b::text)"),
        ("id + 1 * 2", "(id + (1 * 2))", "id + 1 * 2"),
        ("(id + 1) * 2", "((id + 1) * 2)", "(id + 1) * 2"),
        (
            "id > 1 and (id is null or id <> 5)",
            "((id > 1) AND ((id IS NULL) OR (id <> 5)))",
            "id > 1 AND (id IS NULL OR id <> 5)",
        ),
        ("not id > 1", "(NOT (id > 1))", "NOT id > 1"),
        ("coalesce(id, -1)", "COALESCE(id, '-1'::integer)", "COALESCE(id, '-1'::integer)"),
        ("id in (1, 2)", "(id = ANY (ARRAY[1, 2]))", "id = ANY (ARRAY[1, 2])"),
        ("id between 1 and 3", "((id >= 1) AND (id <= 3))", "id >= 1 AND id <= 3"),
        ("b like 'a%'", "((b)::text ~~ 'a%'::text)", "b::text ~~ 'a%'::text"),
        ("id::text", "(id)::text", "id::text"),
        (
            "case when id > 1 then 'x' else 'y' end",
            "\nCASE\n    WHEN (id > 1) THEN 'x'::text\n    ELSE 'y'::text\nEND",
            "\nCASE\n    WHEN id > 1 THEN 'x'::text\n    ELSE 'y'::text\nEND",
        ),
        ("current_date", "CURRENT_DATE", "CURRENT_DATE"),
        ("id = 1 is true", "((id = 1) IS TRUE)", "(id = 1) IS TRUE"),
        ("- id", "(- id)", "- id"),
        ("1.5", "1.5", "1.5"),
        ("null::int", "NULL::integer", "NULL::integer"),
        ("now()", "now()", "now()"),
        (
            "b in ('x', 'y')",
            "((b)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[]))",
            "b::text = ANY (ARRAY['x'::character varying, 'y'::character varying]::text[])",
        ),
        ("b || 'x' = 'abx'", "(((b)::text || 'x'::text) = 'abx'::text)", "(b::text || 'x'::text) = 'abx'::text"),
        (
            "extract(year from now()) > 2000",
            "(EXTRACT(year FROM now()) > (2000)::numeric)",
            "EXTRACT(year FROM now()) > 2000::numeric",
        ),
        ("b::int = 4", "((b)::integer = 4)", "b::integer = 4"),
        ("array[id, 2] = '{1,2}'", "(ARRAY[id, 2] = '{1,2}'::integer[])", "ARRAY[id, 2] = '{1,2}'::integer[]"),
        ("(id, 2) < (3, 4)", "(ROW(id, 2) < ROW(3, 4))", "(ROW(id, 2) < ROW(3, 4))"),
        ("id is distinct from 3", "(id IS DISTINCT FROM 3)", "id IS DISTINCT FROM 3"),
        ("-id > 0", "((- id) > 0)", "(- id) > 0"),
    ] {
        assert_eq!(definitions::expression(&context, sql, Some(table), definitions::Style::INDENTED), printed, "{sql}");
        assert_eq!(definitions::expression(&context, sql, Some(table), pretty), prettily, "{sql}");
    }
    let default = |sql, ty| definitions::domain_default(&context, sql, ty, definitions::Style::INDENTED);
    assert_eq!(default("'x'", SqlType::TEXT), "'x'::text");
    assert_eq!(default("'x'", SqlType::VARCHAR.with_typmod(14)), "'x'::character varying");
    assert_eq!(default("1.5", SqlType::NUMERIC.with_typmod(524294)), "1.5");
    assert_eq!(default("-1", SqlType::INT4), "'-1'::integer");
    assert_eq!(default("false", SqlType::BOOL), "false");
    assert_eq!(default("'{}'", SqlType::JSONB), "'{}'::jsonb");
    assert_eq!(default("'2020-01-01'", SqlType::DATE), "'2020-01-01'::date");
}
