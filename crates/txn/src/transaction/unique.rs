//! Unique keys: who has one already, and PostgreSQL's words for it.

use std::sync::Arc;

use catalog::{Catalog, IndexKey, RelationKind};
use storage::{IndexShape, Row, TableData};
use types::{Datum, Error, FormatSettings, Oid, Physical, Result, SqlState, SqlType};

use super::Transaction;

/// Prints the values of keys in error details as the session prints values.
pub trait KeyText: std::fmt::Debug + Send + Sync {
    fn key_text(&self, catalog: &Catalog, value: &Datum, ty: SqlType) -> String;

    /// Whether who runs the statement may read these attributes of a table; None stands for an expression over any of them.
    fn may_show(&self, catalog: &Catalog, table: Oid, attributes: &[Option<usize>]) -> bool;
}

impl Transaction {
    /// 23505 for a key that is there already.
    pub(super) fn duplicate_key(&self, shape: &IndexShape, row: &Row) -> Error {
        let index = self.catalog.relation(Oid(shape.id.0));
        let name = index.map_or_else(|| format!("index {}", shape.id.0), |index| index.name.to_string());
        let message = format!("duplicate key value violates unique constraint \"{name}\"");
        let mut error = Error::new(SqlState::UNIQUE_VIOLATION, message).of_constraint(name);
        let Some((index, RelationKind::Index(definition))) = index.map(|index| (index, &index.kind)) else { return error };
        let Some(table) = self.catalog.relation(definition.table) else { return error };
        if let Some(schema) = self.catalog.schema(index.schema) {
            error = error.in_table(&*schema.name, &*table.name);
        }
        let columns: Vec<String> = definition
            .columns
            .iter()
            .map(|column| match &column.key {
                IndexKey::Attribute(position) => {
                    table.attributes.get(*position).map_or_else(String::new, |found| quoted(&found.name))
                }
                IndexKey::Expression(text) => catalog::index::shown_expression(text).into_owned(),
            })
            .collect();
        let attributes: Vec<Option<usize>> = definition
            .columns
            .iter()
            .map(|column| match &column.key {
                IndexKey::Attribute(position) => Some(*position),
                IndexKey::Expression(_) => None,
            })
            .collect();
        if self.key_text.as_ref().is_some_and(|shows| !shows.may_show(&self.catalog, table.oid, &attributes)) {
            return error;
        }
        let Ok(Some(values)) = key_values(shape, row) else { return error };
        let values: Vec<String> =
            values.iter().zip(&definition.columns).map(|(value, column)| self.text_of(value, column.ty)).collect();
        error.detail(format!("Key ({})=({}) already exists.", columns.join(", "), values.join(", ")))
    }

    fn text_of(&self, value: &Datum, ty: SqlType) -> String {
        if value.is_null() {
            return "null".to_owned();
        }
        match &self.key_text {
            Some(key_text) => key_text.key_text(&self.catalog, value, ty),
            None => plain_text(value, ty),
        }
    }
}

/// The values of a row's key in an index; None when a partial index leaves the row out.
fn key_values(shape: &IndexShape, row: &Row) -> Result<Option<Vec<Datum>>> {
    match (&shape.attributes, &shape.source) {
        (Some(attributes), _) => Ok(Some(attributes.iter().map(|&attribute| row[attribute].clone()).collect())),
        (None, Some(source)) => source.key_values(row),
        (None, None) => Ok(None),
    }
}

/// Text of the types whose printing depends on no setting and no catalog; others by their default settings.
fn plain_text(value: &Datum, ty: SqlType) -> String {
    match value {
        Datum::Text(text) => text.to_string(),
        Datum::Enum(label) => label.label.to_string(),
        Datum::Int2(number) => number.to_string(),
        Datum::Int4(number) => number.to_string(),
        Datum::Int8(number) => number.to_string(),
        Datum::Oid(oid) => oid.to_string(),
        _ => {
            let mut text = String::new();
            types::text_format::datum_to_text(value, ty, &FormatSettings::default(), &NoTypes, &mut text);
            text
        }
    }
}

/// Knows no user's types.
struct NoTypes;

impl types::text_format::TypeResolver for NoTypes {
    fn array_element(&self, _oid: Oid) -> Option<SqlType> {
        None
    }

    fn enum_label(&self, _oid: Oid, _label: &str) -> Option<Result<Arc<types::EnumLabel>>> {
        None
    }

    fn composite_fields(&self, _oid: Oid) -> Option<(Arc<[Arc<str>]>, Arc<[SqlType]>)> {
        None
    }

    fn reg_object(&self, _reg_type: Oid, _name: &str) -> Result<Oid> {
        Ok(Oid::INVALID)
    }

    fn reg_name(&self, _reg_type: Oid, _oid: Oid) -> Option<String> {
        None
    }

    fn type_name(&self, ty: SqlType) -> String {
        ty.oid.to_string()
    }
}

/// A column's name as pg_get_indexdef prints it.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Whether the key counts for uniqueness: no NULL in it, unless NULLs are equal.
pub(super) fn is_constrained(shape: &IndexShape, null: bool) -> bool {
    shape.unique && (!null || shape.nulls_not_distinct)
}

/// Whether an update obviously leaves a row's key in an index as it is. Most do; the others compute both keys and compare.
pub(super) fn keeps_key(shape: &IndexShape, before: &Row, after: &Row) -> bool {
    let is_same = |&attribute: &usize| match (&before[attribute], &after[attribute]) {
        (Datum::Int4(old), Datum::Int4(new)) => old == new,
        (Datum::Int8(old), Datum::Int8(new)) => old == new,
        (Datum::Text(old), Datum::Text(new)) => old == new,
        (Datum::Uuid(old), Datum::Uuid(new)) => old == new,
        (Datum::Null, Datum::Null) => true,
        _ => false,
    };
    shape.attributes.as_ref().is_some_and(|attributes| attributes.iter().all(is_same))
}

/// Whether computing an index's keys may fail: expressions, and values that may have no order.
pub(super) fn may_fail(data: &TableData, shape: &IndexShape) -> bool {
    let physical = data.rows.attributes();
    shape.attributes.as_ref().is_none_or(|attributes| attributes.iter().any(|&attribute| physical[attribute] == Physical::Any))
}

/// Computes the keys that may fail in indexes that are not unique, so that applying the row cannot fail later.
pub(super) fn check_keys(data: &TableData, row: &Row) -> Result<()> {
    for (shape, _) in &data.indexes {
        if !shape.unique && may_fail(data, shape) {
            shape.key_of(row)?;
        }
    }
    Ok(())
}
