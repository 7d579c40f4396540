//! One table's committed or private content: its rows and their indexes, kept in step.

use std::sync::Arc;

use types::{Datum, Physical, Result};

use crate::{Column, IndexTree, Row, RowId, RowTree, TableChanges, TxnId, key::KeyOrder};

/// Names a table's storage. It is the relation's relfilenode: TRUNCATE and rewrites give a table a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u32);

/// Names an index: pg_class.oid of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexId(pub u32);

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
    pub fn key_of(&self, _row: &[Datum]) -> Result<Option<(Vec<u8>, bool)>> {
        unreachable!("written with the table data")
    }
}

/// Rows and indexes of one table. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct TableData {
    pub rows: RowTree,
    pub indexes: Vec<(Arc<IndexShape>, IndexTree)>,
}

impl TableData {
    pub fn new(columns: &[Physical]) -> TableData {
        TableData { rows: RowTree::new(columns), indexes: Vec::new() }
    }

    pub fn index(&self, id: IndexId) -> Option<&IndexTree> {
        self.indexes.iter().find(|(shape, _)| shape.id == id).map(|(_, tree)| tree)
    }

    /// Adds an index and fills it from the rows.
    ///
    /// Errors: 23505 with PostgreSQL's "could not create unique index" left to the caller: the duplicate row ids are returned.
    pub fn add_index(&mut self, _shape: Arc<IndexShape>) -> Result<Result<(), (RowId, RowId)>> {
        unreachable!("written with the table data")
    }

    pub fn drop_index(&mut self, id: IndexId) {
        self.indexes.retain(|(shape, _)| shape.id != id);
    }

    /// Inserts, updates or deletes one row in rows and indexes. Uniqueness is the transaction layer's to check before.
    pub fn insert(&mut self, _row: RowId, _writer: TxnId, _values: &Row) -> Result<()> {
        unreachable!("written with the table data")
    }

    pub fn insert_columns(&mut self, _first: RowId, _writer: TxnId, _columns: &[Arc<Column>]) -> Result<()> {
        unreachable!("written with the table data")
    }

    pub fn update(&mut self, _row: RowId, _writer: TxnId, _values: &Row) -> Result<()> {
        unreachable!("written with the table data")
    }

    pub fn delete(&mut self, _row: RowId) -> Result<()> {
        unreachable!("written with the table data")
    }

    /// Applies a set of changes; those of rows are idempotent in no way: each must fit the rows as they are.
    pub fn apply(&mut self, _changes: &TableChanges, _writer: TxnId) -> Result<()> {
        unreachable!("written with the table data")
    }

    pub fn heap_size(&self) -> usize {
        unreachable!("written with the table data")
    }
}
