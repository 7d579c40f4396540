//! What storage must know of an index, and how a row's key is made.

use std::sync::Arc;

use types::{Datum, Result};

use crate::{
    Chunk, Column, IndexId,
    column::ColumnData,
    key::{KeyOrder, encode_key_part, encode_text_part},
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
    /// Two rows may have one unique key for a while: it is checked when the statement or the transaction ends.
    pub deferrable: bool,
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
        key.clear();
        let Some(attributes) = &self.attributes else { return self.computed_key(row, key) };
        let mut null = false;
        for (column, &attribute) in attributes.iter().enumerate() {
            null |= row[attribute].is_null();
            self.append_part(column, &row[attribute], key)?;
        }
        Ok(Some(null))
    }

    /// The key of the row in a slot of a chunk.
    pub(crate) fn slot_key(&self, chunk: &Chunk, slot: usize, key: &mut Vec<u8>) -> Result<Option<bool>> {
        self.column_key(chunk.columns(), slot, key)
    }

    /// The key of a row held in columns.
    pub fn column_key(&self, columns: &[Arc<Column>], position: usize, key: &mut Vec<u8>) -> Result<Option<bool>> {
        key.clear();
        let Some(attributes) = &self.attributes else {
            let row: Vec<Datum> = columns.iter().map(|column| column.datum(position)).collect();
            return self.computed_key(&row, key);
        };
        let mut null = false;
        for (column, &attribute) in attributes.iter().enumerate() {
            let values = &columns[attribute];
            match values.data() {
                ColumnData::Text(_) if !values.is_null(position) => {
                    encode_text_part(self.key_text(column, values.text(position)), self.order[column], key);
                }
                _ => {
                    let value = values.datum(position);
                    null |= value.is_null();
                    self.append_part(column, &value, key)?;
                }
            }
        }
        Ok(Some(null))
    }

    /// Whether a row's new values leave its key as it is; may say no when unsure.
    pub(crate) fn is_unchanged(&self, chunk: &Chunk, slot: usize, values: &[Datum]) -> bool {
        let unchanged = |&attribute: &usize| chunk.columns()[attribute].holds(slot, &values[attribute]);
        self.attributes.as_ref().is_some_and(|attributes| attributes.iter().all(unchanged))
    }

    fn computed_key(&self, row: &[Datum], key: &mut Vec<u8>) -> Result<Option<bool>> {
        let source = self.source.as_ref().expect("an index has attributes or a source of its keys");
        let Some(values) = source.key_values(row)? else { return Ok(None) };
        values.iter().enumerate().try_for_each(|(column, value)| self.append_part(column, value, key))?;
        Ok(Some(values.iter().any(Datum::is_null)))
    }

    /// Appends the value of one key column, also for the bounds of a scan.
    pub fn append_part(&self, column: usize, value: &Datum, key: &mut Vec<u8>) -> Result<()> {
        match value {
            Datum::Text(text) => {
                encode_text_part(self.key_text(column, text), self.order[column], key);
                Ok(())
            }
            _ => encode_key_part(value, self.order[column], key),
        }
    }

    /// A text value without the padding of char(n).
    fn key_text<'a>(&self, column: usize, text: &'a str) -> &'a str {
        if self.trimmed[column] { text.trim_end_matches(' ') } else { text }
    }
}

#[cfg(test)]
mod tests {
    use types::Physical;

    use super::*;

    #[test]
    fn padding_does_not_count_and_rows_and_columns_give_the_same_key() {
        let shape = IndexShape {
            id: IndexId(1),
            unique: true,
            nulls_not_distinct: false,
            deferrable: false,
            order: [KeyOrder::ASCENDING, KeyOrder { descending: true, nulls_first: true }].into(),
            attributes: Some([1, 0].into()),
            trimmed: [true, false].into(),
            source: None,
        };
        let key = |number: Datum, text: Datum| shape.key_of(&[number, text]).unwrap().unwrap();
        assert_eq!(key(Datum::Int4(1), Datum::text("ab  ")), key(Datum::Int4(1), Datum::text("ab")));
        assert!(key(Datum::Int4(2), Datum::text("ab")).0 < key(Datum::Int4(1), Datum::text("ab ")).0);
        assert!(key(Datum::Null, Datum::text("ab")) < key(Datum::Int4(1), Datum::text("ab")));
        assert!(key(Datum::Int4(1), Datum::Null).1);
        for row in [[Datum::Int4(1), Datum::text("ab ")], [Datum::Null, Datum::text("é")], [Datum::Int4(-5), Datum::Null]] {
            let columns = [Physical::Int4, Physical::Text]
                .iter()
                .zip(&row)
                .map(|(&physical, value)| Arc::new(Column::from_datums(physical, [value])))
                .collect::<Vec<_>>();
            let mut bytes = Vec::new();
            let null = shape.column_key(&columns, 0, &mut bytes).unwrap().unwrap();
            assert_eq!(shape.key_of(&row).unwrap(), Some((bytes, null)));
        }
    }
}
