//! Index definitions.

use std::{borrow::Cow, sync::Arc};

use storage::key::KeyOrder;
use types::{Oid, SqlType};

/// What an index column is computed from.
#[derive(Clone, Debug)]
pub enum IndexKey {
    /// Position of a table attribute.
    Attribute(usize),
    /// An expression over the table's row, as SQL text.
    Expression(Arc<str>),
}

#[derive(Clone, Debug)]
pub struct IndexColumn {
    pub key: IndexKey,
    pub ty: SqlType,
    pub order: KeyOrder,
    pub collation: Oid,
    /// Operator class by name when not the type's default.
    pub operator_class: Option<Arc<str>>,
}

/// An index (pg_index). Every access method that is accepted is served by the ordered tree.
#[derive(Clone, Debug)]
pub struct IndexDefinition {
    pub table: Oid,
    /// "btree", "hash", ... as shown
    pub method: Arc<str>,
    pub columns: Vec<IndexColumn>,
    /// INCLUDE columns: attribute positions.
    pub included: Vec<usize>,
    pub unique: bool,
    pub primary: bool,
    pub nulls_not_distinct: bool,
    /// Of a deferrable constraint, so that uniqueness may not be relied upon within a transaction (not pg_index.indimmediate).
    pub deferrable: bool,
    /// WHERE of a partial index, as SQL text.
    pub predicate: Option<Arc<str>>,
}

impl IndexDefinition {
    /// Positions of the key columns that are attributes of the table, and not expressions.
    pub fn attribute_positions(&self) -> Vec<usize> {
        let attribute = |column: &IndexColumn| match column.key {
            IndexKey::Attribute(position) => Some(position),
            IndexKey::Expression(_) => None,
        };
        self.columns.iter().filter_map(attribute).collect()
    }
}

/// An expression as an index key shows it: in parentheses, unless it is one call.
pub fn shown_expression(sql: &str) -> Cow<'_, str> {
    if is_function_call(sql) { sql.into() } else { format!("({sql})").into() }
}

/// Whether the text is one call such as `lower(b)`, which an index key shows without parentheses.
fn is_function_call(sql: &str) -> bool {
    let Some(open) = sql.find('(') else { return false };
    let name_is_plain = open > 0 && sql[..open].bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    name_is_plain && closing(sql, open) == Some(sql.len() - 1)
}

/// Where the parenthesis that opens at `open` closes; quotes hide parentheses.
fn closing(sql: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quote) = (0usize, None);
    for (at, byte) in sql.bytes().enumerate().skip(open) {
        match (quote, byte) {
            (Some(open), _) => quote = (byte != open).then_some(open),
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
