//! A persistent tree from row ids to chunks of rows held by column.

use std::sync::Arc;

use types::{Datum, Physical};

use crate::{Bitmap, Column, Row, RowId, TxnId};

/// Up to about a thousand neighbouring rows, by column.
#[derive(Clone, Debug)]
pub struct Chunk {}

impl Chunk {
    /// The columns, over all slots; a slot whose presence bit is clear holds no row.
    pub fn columns(&self) -> &[Arc<Column>] {
        unreachable!("written with the row tree")
    }

    pub fn presence(&self) -> &Bitmap {
        unreachable!("written with the row tree")
    }

    /// The row id of a slot.
    pub fn row_id(&self, _slot: usize) -> RowId {
        unreachable!("written with the row tree")
    }

    /// The writer of the row version in a slot.
    pub fn writer(&self, _slot: usize) -> TxnId {
        unreachable!("written with the row tree")
    }
}

/// A persistent tree of rows. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct RowTree {}

impl RowTree {
    pub fn new(_columns: &[Physical]) -> RowTree {
        RowTree {}
    }

    pub fn len(&self) -> usize {
        unreachable!("written with the row tree")
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, _row: RowId) -> bool {
        unreachable!("written with the row tree")
    }

    /// The chunk and the slot that hold a row.
    pub fn locate(&self, _row: RowId) -> Option<(&Chunk, usize)> {
        unreachable!("written with the row tree")
    }

    pub fn get(&self, _row: RowId) -> Option<Row> {
        unreachable!("written with the row tree")
    }

    /// Adds a row whose id is not there yet. Ids usually ascend, but need not.
    pub fn insert(&mut self, _row: RowId, _writer: TxnId, _values: &[Datum]) {
        unreachable!("written with the row tree")
    }

    /// Adds rows `first, first + 1, ...` from columns of equal length.
    pub fn insert_columns(&mut self, _first: RowId, _writer: TxnId, _columns: &[Arc<Column>]) {
        unreachable!("written with the row tree")
    }

    /// Replaces the values that differ; false when the row is not there.
    pub fn update(&mut self, _row: RowId, _writer: TxnId, _values: &[Datum]) -> bool {
        unreachable!("written with the row tree")
    }

    pub fn delete(&mut self, _row: RowId) -> bool {
        unreachable!("written with the row tree")
    }

    /// All chunks in row id order. The iterator owns a clone of the tree.
    pub fn chunks(&self) -> impl Iterator<Item = Arc<Chunk>> + Send + 'static {
        std::iter::empty()
    }

    /// Adds an attribute with one value for every row (ALTER TABLE ADD COLUMN).
    pub fn add_column(&mut self, _physical: Physical, _value: &Datum) {
        unreachable!("written with the row tree")
    }

    pub fn heap_size(&self) -> usize {
        unreachable!("written with the row tree")
    }
}
