//! What storage must know of an index, and how a row's key is made.

use std::sync::Arc;

use types::{Datum, Result};

use crate::{
    Chunk, Column, IndexId,
    key::{KeyOrder, encode_key_part},
};

/// Computes the key columns of an index from a row: plain attributes, or expressions evaluated by the layer above.
pub trait KeySource: Send + Sync {
    /// The key values of a row, or None when a partial index leaves it out. Errors come from index expressions.
    fn key_values(&self, row: &[Datum]) -> Result<Option<Vec<Datum>>>;
}

/// What storage must know of an index.
#[derive(Clone)]
pub struct IndexShape {
    pub id: IndexId,
    pub unique: bool,
    /// NULLs count as equal (UNIQUE NULLS NOT DISTINCT).
    pub nulls_not_distinct: bool,
    /// Order of each key column.
    pub order: Arc<[KeyOrder]>,
    /// Attribute positions when all key columns are plain attributes of a whole (not partial) index: the quick way.
    pub attributes: Option<Arc<[usize]>>,
    /// Key columns of types whose padding must not count: char(n).
    pub trimmed: Arc<[bool]>,
    /// Used when `attributes` is None.
    pub source: Option<Arc<dyn KeySource>>,
}

impl std::fmt::Debug for IndexShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexShape").field("id", &self.id).field("unique", &self.unique).finish_non_exhaustive()
    }
}

impl IndexShape {
    /// The key bytes of a row; None when the row has no entry in a partial index. The flag tells whether a key column is NULL, so
    /// that the key can never conflict with another (unless `nulls_not_distinct`).
    pub fn key_of(&self, row: &[Datum]) -> Result<Option<(Vec<u8>, bool)>> {
        let mut key = Vec::new();
        let null = self.row_key(row, &mut key)?;
        Ok(null.map(|null| (key, null)))
    }

    /// The same into a buffer that is cleared first.
    pub fn row_key(&self, row: &[Datum], key: &mut Vec<u8>) -> Result<Option<bool>> {
        self.key_from(|attribute| row[attribute].clone(), || row.to_vec(), key)
    }

    /// The key of the row in a slot of a chunk.
    pub(crate) fn slot_key(&self, chunk: &Chunk, slot: usize, key: &mut Vec<u8>) -> Result<Option<bool>> {
        self.column_key(chunk.columns(), slot, key)
    }

    /// The key of a row held in columns.
    pub(crate) fn column_key(&self, columns: &[Arc<Column>], position: usize, key: &mut Vec<u8>) -> Result<Option<bool>> {
        let whole_row = || columns.iter().map(|column| column.datum(position)).collect();
        self.key_from(|attribute| columns[attribute].datum(position), whole_row, key)
    }

    /// Whether a row's new values leave its key as it is; may say no when unsure.
    pub(crate) fn is_unchanged(&self, chunk: &Chunk, slot: usize, values: &[Datum]) -> bool {
        let unchanged = |&attribute: &usize| chunk.columns()[attribute].holds(slot, &values[attribute]);
        self.attributes.as_ref().is_some_and(|attributes| attributes.iter().all(unchanged))
    }

    fn key_from(
        &self,
        value: impl Fn(usize) -> Datum,
        whole_row: impl Fn() -> Vec<Datum>,
        key: &mut Vec<u8>,
    ) -> Result<Option<bool>> {
        key.clear();
        let mut null = false;
        let mut append = |column: usize, value: &Datum| {
            null |= value.is_null();
            self.append_part(column, value, key)
        };
        match (&self.attributes, &self.source) {
            (Some(attributes), _) => {
                attributes.iter().enumerate().try_for_each(|(column, &attribute)| append(column, &value(attribute)))?;
            }
            (None, Some(source)) => match source.key_values(&whole_row())? {
                Some(values) => values.iter().enumerate().try_for_each(|(column, value)| append(column, value))?,
                None => return Ok(None),
            },
            (None, None) => unreachable!("an index has attributes or a source of its keys"),
        }
        Ok(Some(null))
    }

    /// Appends the value of one key column, also for the bounds of a scan.
    pub fn append_part(&self, column: usize, value: &Datum, key: &mut Vec<u8>) -> Result<()> {
        let order = self.order[column];
        match value {
            Datum::Text(text) if self.trimmed[column] && text.ends_with(' ') => {
                encode_key_part(&Datum::text(text.trim_end_matches(' ')), order, key)
            }
            _ => encode_key_part(value, order, key),
        }
    }
}
