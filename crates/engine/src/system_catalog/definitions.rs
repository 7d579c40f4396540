//! Objects as SQL in PostgreSQL's canonical style: indexes, constraints, defaults, views.
//!
//! What is kept as text is analysed by the binder and printed from that (`plan::deparse`), under the names that the catalog has now.

use std::sync::Arc;

use binder::Environment;
use catalog::{
    Constraint, ConstraintKind, IndexColumn, IndexDefinition, IndexKey, Relation,
    type_names::{quote_identifier, quote_qualified},
};
use expr::ColumnId;
use plan::{
    deparse::{self, Vocabulary},
    logical::Given,
};
use types::{FormatSettings, Oid, SqlType};

use super::{SystemContext, relation_rows, type_rows};

pub use plan::deparse::Style;

/// When a relation's name is printed with its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualify {
    Always,
    WhenHidden,
}

/// A relation's name as it must be written.
pub fn relation_name(context: &SystemContext, relation: Oid, qualify: Qualify) -> String {
    let Some(relation) = context.names.relation(relation) else { return String::new() };
    let hidden = qualify == Qualify::Always || !context.names.relation_is_visible(&relation);
    let schema = if hidden { context.names.schema_name(relation.schema()) } else { None };
    quote_qualified(schema.as_deref(), relation.name())
}

/// What an expression is over.
#[derive(Clone, Copy)]
enum Subject<'s> {
    Nothing,
    Row(&'s Relation),
    /// The value that a domain's check is about.
    Value(SqlType),
}

/// An expression as pg_get_expr prints it; `relation` is the one whose columns it mentions. Text that does not bind prints as it is.
pub fn expression(context: &SystemContext, sql: &str, relation: Option<&Relation>, style: Style) -> String {
    let subject = relation.map_or(Subject::Nothing, Subject::Row);
    bound_text(context, sql, subject, None, style).unwrap_or_else(|| sql.to_string())
}

/// An expression of pg_attrdef, pg_constraint or pg_index as pg_get_expr prints it. The catalog shows a default as it prints, and not as it
/// is kept, because it is converted to its column's type.
pub fn stored_expression(context: &SystemContext, sql: &str, relation: Option<&Relation>, style: Style) -> String {
    let of_default = relation.and_then(|relation| {
        let shown = |position| default_text(context, relation, position, context.style());
        let position = (0..relation.attributes.len()).find(|position| shown(*position).as_deref() == Some(sql))?;
        default_text(context, relation, position, style)
    });
    of_default.unwrap_or_else(|| expression(context, sql, relation, style))
}

fn default_text(context: &SystemContext, relation: &Relation, position: usize, style: Style) -> Option<String> {
    let default = relation.attributes.get(position)?.default.as_deref()?;
    Some(default_value(context, default, relation, position, style))
}

/// A column's default as pg_get_expr prints it: converted to the column's type.
pub fn default_value(context: &SystemContext, sql: &str, relation: &Relation, position: usize, style: Style) -> String {
    let target = relation.attributes.get(position).map(|attribute| (&*attribute.name, attribute.ty));
    bound_text(context, sql, Subject::Row(relation), target, style).unwrap_or_else(|| sql.to_string())
}

/// A domain's default, converted to its base type.
pub fn domain_default(context: &SystemContext, sql: &str, base: SqlType, style: Style) -> String {
    bound_text(context, sql, Subject::Nothing, Some(("value", base)), style).unwrap_or_else(|| sql.to_string())
}

/// Binds stored text and prints it in PostgreSQL's style; None when it does not bind or has parts that only a query's printer knows.
fn bound_text(
    context: &SystemContext,
    sql: &str,
    subject: Subject,
    target: Option<(&str, SqlType)>,
    style: Style,
) -> Option<String> {
    let relation = match subject {
        Subject::Row(relation) => Some(relation),
        Subject::Nothing | Subject::Value(_) => None,
    };
    let columns: Vec<(Arc<str>, Given)> = relation
        .into_iter()
        .flat_map(Relation::live_attributes)
        .map(|(position, attribute)| (attribute.name.clone(), Given { id: ColumnId(position as u32), ty: attribute.ty }))
        .collect();
    let named: Vec<(&str, Given)> = columns.iter().map(|(name, given)| (&**name, *given)).collect();
    let format = Arc::new(FormatSettings::default());
    let environment = Environment::new(Arc::new(context.names.clone()), format.clone());
    let value = match subject {
        Subject::Value(ty) => Some(ty),
        Subject::Row(_) | Subject::Nothing => None,
    };
    let analysed = binder::analyse_expression(sql, &named, target, value, &environment).ok()?;
    let name_of = |id: ColumnId| {
        let known = columns.iter().find(|(_, given)| given.id == id);
        known.map(|(name, _)| quote_identifier(name).into_owned()).unwrap_or_default()
    };
    let vocabulary = Vocabulary { column: &name_of, subquery: &|_| String::new(), meanings: Some(&analysed.columns) };
    Some(deparse::expression(&analysed.expression, &context.names, &format, style, &vocabulary))
}

/// CREATE INDEX for an index.
pub fn index(context: &SystemContext, relation: &Relation, index: &IndexDefinition, qualify: Qualify, style: Style) -> String {
    let unique = if index.unique { "UNIQUE " } else { "" };
    let mut sql = format!(
        "CREATE {unique}INDEX {} ON {} USING {} ({})",
        quote_identifier(&relation.name),
        relation_name(context, index.table, qualify),
        quote_identifier(&index.method),
        (0..index.columns.len()).map(|position| index_key(context, index, position, true, style)).collect::<Vec<_>>().join(", "),
    );
    if !index.included.is_empty() {
        let included: Vec<_> = index.included.iter().map(|position| attribute_name(context, index.table, *position)).collect();
        sql.push_str(&format!(" INCLUDE ({})", included.join(", ")));
    }
    if index.nulls_not_distinct {
        sql.push_str(" NULLS NOT DISTINCT");
    }
    if !relation.options.is_empty() {
        sql.push_str(&format!(" WITH ({})", options(relation)));
    }
    if let Some(predicate) = &index.predicate {
        let table = context.names.catalog.relation(index.table);
        sql.push_str(&format!(" WHERE {}", expression(context, predicate, table.map(|table| &**table), style)));
    }
    sql
}

/// `name=value` pairs as WITH prints them: `fillfactor='70'`.
fn options(relation: &Relation) -> String {
    let option = |option: &str| match option.split_once('=') {
        Some((name, value)) => format!("{}='{}'", quote_identifier(name), value.replace('\'', "''")),
        None => quote_identifier(option).into_owned(),
    };
    relation.options.iter().map(|text| option(text)).collect::<Vec<_>>().join(", ")
}

fn attribute_name(context: &SystemContext, table: Oid, position: usize) -> String {
    let attribute = context.names.catalog.relation(table).and_then(|table| table.attributes.get(position));
    attribute.map(|attribute| quote_identifier(&attribute.name).into_owned()).unwrap_or_default()
}

/// One key of an index: column or expression, with operator class and ordering when asked and not the default.
pub fn index_key(context: &SystemContext, index: &IndexDefinition, position: usize, with_ordering: bool, style: Style) -> String {
    let Some(column) = index.columns.get(position) else {
        let included = index.included.get(position - index.columns.len());
        return included.map(|position| attribute_name(context, index.table, *position)).unwrap_or_default();
    };
    let table = context.names.catalog.relation(index.table);
    let mut sql = match &column.key {
        IndexKey::Attribute(position) => attribute_name(context, index.table, *position),
        IndexKey::Expression(sql) => {
            let printed = expression(context, sql, table.map(|table| &**table), style);
            catalog::index::shown_expression(&printed).into_owned()
        }
    };
    if with_ordering {
        sql.push_str(&key_options(context, index, column));
    }
    sql
}

fn key_options(context: &SystemContext, index: &IndexDefinition, column: &IndexColumn) -> String {
    let mut sql = String::new();
    let own = key_collation(context, index, column);
    if column.collation != Oid::INVALID && own != Oid::INVALID && column.collation != own {
        let named = types::text_format::TypeResolver::reg_name(&context.names, Oid::REGCOLLATION, column.collation);
        sql.push_str(&format!(" COLLATE {}", named.unwrap_or_default()));
    }
    let class = relation_rows::operator_class(context, index, column);
    if column.operator_class.is_some() && !class.is_default {
        sql.push_str(&format!(" {}", quote_identifier(class.name)));
    }
    if &*index.method == "btree" {
        match (column.order.descending, column.order.nulls_first) {
            (false, false) => {}
            (false, true) => sql.push_str(" NULLS FIRST"),
            (true, true) => sql.push_str(" DESC"),
            (true, false) => sql.push_str(" DESC NULLS LAST"),
        }
    }
    sql
}

/// The collation that the indexed column or expression has by itself.
fn key_collation(context: &SystemContext, index: &IndexDefinition, column: &IndexColumn) -> Oid {
    let default = type_rows::shape(&context.names, column.ty.oid).collation;
    match column.key {
        IndexKey::Attribute(position) => {
            let table = context.names.catalog.relation(index.table);
            let own =
                table.and_then(|table| table.attributes.get(position)).map_or(Oid::INVALID, |attribute| attribute.collation);
            if own == Oid::INVALID { default } else { own }
        }
        IndexKey::Expression(_) => default,
    }
}

/// A domain's constraint.
pub fn domain_constraint(context: &SystemContext, base: SqlType, constraint: &Constraint, style: Style) -> String {
    match &constraint.kind {
        ConstraintKind::Check { expression: sql, .. } => {
            let printed = bound_text(context, sql, Subject::Value(base), None, style);
            let validity = if constraint.validated { "" } else { " NOT VALID" };
            format!("CHECK ({}){validity}", printed.unwrap_or_else(|| sql.to_string()))
        }
        _ => self::constraint(context, None, constraint, style),
    }
}

/// A constraint as ALTER TABLE ... ADD CONSTRAINT takes it.
pub fn constraint(context: &SystemContext, owner: Option<&Relation>, constraint: &Constraint, style: Style) -> String {
    let columns = |relation: Option<&Relation>, positions: &[usize]| {
        let name_of = |position: &usize| match relation.and_then(|relation| relation.attributes.get(*position)) {
            Some(attribute) => quote_identifier(&attribute.name).into_owned(),
            None => String::new(),
        };
        positions.iter().map(name_of).collect::<Vec<_>>().join(", ")
    };
    let mut sql = match &constraint.kind {
        ConstraintKind::Check { expression: sql, no_inherit, .. } => {
            let inheritance = if *no_inherit { " NO INHERIT" } else { "" };
            format!("CHECK ({}){inheritance}", expression(context, sql, owner, style))
        }
        ConstraintKind::PrimaryKey { index, columns: key } => {
            format!("PRIMARY KEY ({}){}", columns(owner, key), included(context, *index))
        }
        ConstraintKind::Unique { index, columns: key } => {
            let index_relation = context.names.catalog.relation(*index);
            let distinct = index_relation
                .and_then(|relation| relation_rows::as_index(relation))
                .is_some_and(|index| index.nulls_not_distinct);
            let nulls = if distinct { "NULLS NOT DISTINCT " } else { "" };
            format!("UNIQUE {nulls}({}){}", columns(owner, key), included(context, *index))
        }
        ConstraintKind::ForeignKey(key) => {
            let referenced = context.names.catalog.relation(key.referenced).map(|relation| &**relation);
            let mut sql = format!(
                "FOREIGN KEY ({}) REFERENCES {}({})",
                columns(owner, &key.columns),
                relation_name(context, key.referenced, Qualify::WhenHidden),
                columns(referenced, &key.referenced_columns),
            );
            if key.match_type == 'f' {
                sql.push_str(" MATCH FULL");
            }
            sql.push_str(&action(" ON UPDATE", key.on_update));
            sql.push_str(&action(" ON DELETE", key.on_delete));
            if !key.delete_set_columns.is_empty() {
                sql.push_str(&format!(" ({})", columns(owner, &key.delete_set_columns)));
            }
            sql
        }
    };
    if constraint.deferrable {
        sql.push_str(" DEFERRABLE");
    }
    if constraint.initially_deferred {
        sql.push_str(" INITIALLY DEFERRED");
    }
    if !constraint.validated {
        sql.push_str(" NOT VALID");
    }
    sql
}

fn included(context: &SystemContext, index: Oid) -> String {
    let index = context.names.catalog.relation(index).and_then(|relation| relation_rows::as_index(relation));
    match index {
        Some(index) if !index.included.is_empty() => {
            let names: Vec<_> = index.included.iter().map(|position| attribute_name(context, index.table, *position)).collect();
            format!(" INCLUDE ({})", names.join(", "))
        }
        _ => String::new(),
    }
}

fn action(event: &str, letter: char) -> String {
    let words = match letter {
        'r' => "RESTRICT",
        'c' => "CASCADE",
        'n' => "SET NULL",
        'd' => "SET DEFAULT",
        _ => return String::new(),
    };
    format!("{event} {words}")
}

/// Whether rows can be changed through a view; of one of its columns, when given: what a statement that does so would be told.
pub fn view_is_updatable(context: &SystemContext, view: &Relation, column: Option<&str>) -> bool {
    let name = relation_name(context, view.oid, Qualify::Always);
    let sql = match column {
        Some(column) => format!("UPDATE {name} SET {} = NULL", quote_identifier(column)),
        None => format!("DELETE FROM {name}"),
    };
    let environment = Environment::new(Arc::new(context.names.clone()), Arc::default());
    let statements = binder::parse(&sql).unwrap_or_default();
    statements.first().is_some_and(|statement| binder::bind(&statement.node, &environment).is_ok())
}

/// A view's query as pg_get_viewdef prints it.
pub fn view(context: &SystemContext, relation: &Relation, style: Style) -> Option<String> {
    let query = relation.query()?;
    let format = Arc::new(FormatSettings::default());
    let environment = Environment::new(Arc::new(context.names.clone()), format.clone());
    let columns: Vec<&str> = relation.live_attributes().map(|(_, attribute)| &*attribute.name).collect();
    let analysed = binder::analyse_view(query, &environment).ok()?;
    Some(format!("{};", deparse::query(&analysed, Some(&columns), &context.names, &format, style)))
}
