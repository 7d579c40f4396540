//! The views of `information_schema`: the same definitions in the words of the SQL standard.

use catalog::builtin::SystemRelation;
use types::{Datum, Error, Oid, Result, SqlType, text_format::TypeResolver};

use super::{
    SystemContext,
    row::{NULL, Row, Sink, text},
};

mod constraints;
pub(super) mod functions;
mod privileges;
mod relations;
mod routines;
mod type_limits;
mod user_types;

/// A row of mostly NULLs, filled in by column name.
struct NamedRow {
    relation: &'static SystemRelation,
    row: Row,
}

impl NamedRow {
    fn new(relation: &'static SystemRelation) -> NamedRow {
        NamedRow { relation, row: vec![NULL; relation.columns.len()] }
    }

    /// Sets a column that the relation has.
    fn set(&mut self, column: &str, value: Datum) -> &mut NamedRow {
        let place = self.relation.columns.iter().position(|known| known.name == column);
        debug_assert!(place.is_some(), "{} has no column {column}", self.relation.name);
        if let Some(place) = place {
            self.row[place] = value;
        }
        self
    }

    fn text(&mut self, column: &str, value: impl AsRef<str>) -> &mut NamedRow {
        self.set(column, text(value))
    }

    fn yes_or_no(&mut self, column: &str, value: bool) -> &mut NamedRow {
        self.text(column, if value { "YES" } else { "NO" })
    }

    fn number(&mut self, column: &str, value: i32) -> &mut NamedRow {
        self.set(column, Datum::Int4(value))
    }

    /// `<prefix>_catalog`, `<prefix>_schema` and `<prefix>_name` (or `specific_name` and the like).
    fn object(&mut self, prefix: &str, context: &SystemContext, schema: &str, name: &str) -> &mut NamedRow {
        self.set(&format!("{prefix}_catalog"), Datum::Text(context.current_database.clone()));
        self.text(&format!("{prefix}_schema"), schema).text(&format!("{prefix}_name"), name)
    }
}

/// What a provider makes rows with.
struct View<'v> {
    relation: &'static SystemRelation,
    context: &'v SystemContext<'v>,
    sink: &'v mut Sink,
}

impl View<'_> {
    fn row(&self) -> NamedRow {
        NamedRow::new(self.relation)
    }

    fn push(&mut self, row: NamedRow) {
        self.sink.push(row.row);
    }

    fn schema_name(&self, schema: Oid) -> String {
        self.context.names.schema_name(schema).map(|name| name.to_string()).unwrap_or_default()
    }

    fn role_name(&self, role: Oid) -> String {
        self.context.names.role_name(role).map_or_else(|| format!("unknown (OID={role})"), |name| name.to_string())
    }
}

/// Rows of one view. Errors: 0A000 for a view without provider.
pub(super) fn provide(relation: &'static SystemRelation, context: &SystemContext, sink: &mut Sink) -> Result<()> {
    let mut view = View { relation, context, sink };
    match relation.name {
        "information_schema_catalog_name" => {
            let mut row = view.row();
            row.text("catalog_name", &context.current_database);
            view.push(row);
        }
        "schemata" => relations::schemata(&mut view),
        "tables" => relations::tables(&mut view),
        "columns" => relations::columns(&mut view),
        "views" => relations::views(&mut view),
        "view_table_usage" => relations::view_table_usage(&mut view),
        "view_column_usage" => relations::view_column_usage(&mut view),
        "sequences" => relations::sequences(&mut view),
        "element_types" => user_types::element_types(&mut view),
        "domains" => user_types::domains(&mut view),
        "domain_constraints" => user_types::domain_constraints(&mut view),
        "domain_udt_usage" => user_types::domain_udt_usage(&mut view),
        "column_domain_usage" => user_types::column_domain_usage(&mut view),
        "column_udt_usage" => user_types::column_udt_usage(&mut view),
        "attributes" => user_types::attributes(&mut view),
        "user_defined_types" => user_types::user_defined_types(&mut view),
        "data_type_privileges" => user_types::data_type_privileges(&mut view),
        "table_constraints" => constraints::table_constraints(&mut view),
        "key_column_usage" => constraints::key_column_usage(&mut view),
        "constraint_column_usage" => constraints::constraint_column_usage(&mut view),
        "constraint_table_usage" => constraints::constraint_table_usage(&mut view),
        "referential_constraints" => constraints::referential_constraints(&mut view),
        "check_constraints" => constraints::check_constraints(&mut view),
        "routines" => routines::routines(&mut view),
        "parameters" => routines::parameters(&mut view),
        "table_privileges" | "role_table_grants" => privileges::table_privileges(&mut view),
        "column_privileges" | "role_column_grants" => privileges::column_privileges(&mut view),
        "udt_privileges" | "role_udt_grants" => privileges::udt_privileges(&mut view),
        "usage_privileges" | "role_usage_grants" => privileges::usage_privileges(&mut view),
        "routine_privileges" | "role_routine_grants" => privileges::routine_privileges(&mut view),
        "enabled_roles" => privileges::enabled_roles(&mut view),
        "applicable_roles" | "administrable_role_authorizations" => privileges::applicable_roles(&mut view),
        "character_sets" => character_sets(&mut view),
        "collations" => collations(&mut view),
        "collation_character_set_applicability" => collation_character_sets(&mut view),
        "column_column_usage" => constraints::column_column_usage(&mut view),
        name if is_rightly_empty(name) => {}
        name => return Err(Error::unsupported(format_args!("relation information_schema.{name}"))),
    }
    Ok(())
}

/// Triggers, foreign tables, transforms and routines of users do not exist here.
fn is_rightly_empty(name: &str) -> bool {
    const EMPTY: &[&str] = &[
        "_pg_foreign_data_wrappers",
        "_pg_foreign_servers",
        "_pg_foreign_table_columns",
        "_pg_foreign_tables",
        "_pg_user_mappings",
        "check_constraint_routine_usage",
        "column_options",
        "foreign_data_wrapper_options",
        "foreign_data_wrappers",
        "foreign_server_options",
        "foreign_servers",
        "foreign_table_options",
        "foreign_tables",
        "routine_column_usage",
        "routine_routine_usage",
        "routine_sequence_usage",
        "routine_table_usage",
        "transforms",
        "triggered_update_columns",
        "triggers",
        "user_mapping_options",
        "user_mappings",
        "view_routine_usage",
    ];
    EMPTY.contains(&name)
}

fn character_sets(view: &mut View) {
    let mut row = view.row();
    row.text("character_set_name", "UTF8").text("character_repertoire", "UCS").text("form_of_use", "UTF8");
    row.text("default_collate_catalog", &view.context.current_database);
    view.push(row);
}

const COLLATIONS: [&str; 3] = ["default", "C", "POSIX"];

fn collations(view: &mut View) {
    for collation in COLLATIONS {
        let mut row = view.row();
        row.object("collation", view.context, "pg_catalog", collation).text("pad_attribute", "NO PAD");
        view.push(row);
    }
}

fn collation_character_sets(view: &mut View) {
    for collation in COLLATIONS {
        let mut row = view.row();
        row.object("collation", view.context, "pg_catalog", collation).text("character_set_name", "UTF8");
        view.push(row);
    }
}

/// The columns that describe a type: its SQL name, limits and the name of the type behind it (`udt` or `attribute_udt`).
fn describe_type(row: &mut NamedRow, context: &SystemContext, ty: SqlType, udt: &str) {
    let base = describe_type_name(row, context, ty, udt);
    limits(row, context, base);
}

/// The same without limits; returns the type below domains.
fn describe_type_name(row: &mut NamedRow, context: &SystemContext, ty: SqlType, udt: &str) -> SqlType {
    let names = &context.names;
    let base = match names.domain_base(ty.oid) {
        Some(_) => names.base_type(ty),
        None => ty,
    };
    let (name, schema) = names.type_name_and_schema(base.oid).unwrap_or_default();
    let is_array = names.array_element(base.oid).is_some() && !matches!(base.oid, Oid::OIDVECTOR | Oid::INT2VECTOR);
    row.text(
        "data_type",
        match () {
            () if is_array => "ARRAY".to_string(),
            () if schema == Oid::PG_CATALOG_NAMESPACE => names.format_type_oid(base.oid),
            () => "USER-DEFINED".to_string(),
        },
    );
    let schema = names.schema_name(schema).map(|name| name.to_string()).unwrap_or_default();
    row.object(udt, context, &schema, &name);
    base
}

fn limits(row: &mut NamedRow, context: &SystemContext, ty: SqlType) {
    let limits = type_limits::TypeLimits::of(ty);
    let numbers = [
        ("character_maximum_length", limits.characters),
        ("character_octet_length", limits.octets),
        ("numeric_precision", limits.precision),
        ("numeric_precision_radix", limits.radix),
        ("numeric_scale", limits.scale),
        ("datetime_precision", limits.fractional_seconds),
    ];
    for (column, value) in numbers {
        if let Some(value) = value {
            row.number(column, value);
        }
    }
    if let Some(fields) = type_limits::interval_fields(&context.names, ty) {
        row.text("interval_type", fields);
    }
}

/// A collation other than the database's.
fn describe_collation(row: &mut NamedRow, context: &SystemContext, collation: Oid) {
    if !matches!(collation, Oid::INVALID | Oid::DEFAULT_COLLATION)
        && let Some(name) = context.names.reg_name(Oid::REGCOLLATION, collation)
    {
        row.object("collation", context, "pg_catalog", name.trim_matches('"'));
    }
}
