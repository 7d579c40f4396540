//! One table's committed or private content: its rows and their indexes, kept in step.

use std::sync::Arc;

use types::{Datum, Physical, Result};

use crate::{
    Batch, Chunk, IndexBuilder, IndexShape, IndexTree, InsertedRun, Row, RowChange, RowId, RowTree, TableActivity, TableChanges,
    TxnId,
};

/// Names a table's storage. It is the relation's relfilenode: TRUNCATE and rewrites give a table a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u32);

/// Names an index: pg_class.oid of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexId(pub u32);

/// Fewest changes for which building indexes anew is considered.
const REBUILD_FROM: usize = 4096;

/// Rows and indexes of one table. Cloning is O(1).
///
/// **Invariant.** Each index holds exactly one entry for each row that it covers. An error from an index expression in the middle of a
/// change breaks it: the caller drops the value and goes on with the clone it had before.
#[derive(Clone, Debug)]
pub struct TableData {
    pub rows: RowTree,
    pub indexes: Vec<(Arc<IndexShape>, IndexTree)>,
    /// Shared by all versions of the table.
    pub activity: Arc<TableActivity>,
}

impl TableData {
    pub fn new(columns: &[Physical]) -> TableData {
        TableData { rows: RowTree::new(columns), indexes: Vec::new(), activity: Arc::default() }
    }

    pub fn index(&self, id: IndexId) -> Option<&IndexTree> {
        self.indexes.iter().find(|(shape, _)| shape.id == id).map(|(_, tree)| tree)
    }

    /// Adds an index and fills it from the rows.
    ///
    /// Errors: 23505 with PostgreSQL's "could not create unique index" left to the caller: the duplicate row ids are returned.
    pub fn add_index(&mut self, shape: Arc<IndexShape>) -> Result<Result<(), (RowId, RowId)>> {
        let built = self.built_index(&shape)?;
        Ok(built.map(|tree| self.indexes.push((shape, tree))))
    }

    /// An index over the rows as they are, or two of them whose keys conflict.
    fn built_index(&self, shape: &IndexShape) -> Result<Result<IndexTree, (RowId, RowId)>> {
        let mut builder = if shape.unique { IndexBuilder::unique() } else { IndexBuilder::default() };
        let mut key = Vec::new();
        for chunk in self.rows.chunks() {
            for slot in chunk.presence().ones() {
                match shape.slot_key(&chunk, slot, &mut key)? {
                    None => {}
                    // NULLs are no duplicates of each other.
                    Some(true) if shape.unique && !shape.nulls_not_distinct => builder.push_exempt(&key, chunk.row_id(slot)),
                    Some(_) => builder.push(&key, chunk.row_id(slot)),
                }
            }
        }
        Ok(builder.build())
    }

    pub fn drop_index(&mut self, id: IndexId) {
        self.indexes.retain(|(shape, _)| shape.id != id);
    }

    /// Inserts, updates or deletes one row in rows and indexes. Uniqueness is the transaction layer's to check before.
    pub fn insert(&mut self, row: RowId, writer: TxnId, values: &Row) -> Result<()> {
        let mut key = Vec::new();
        for (shape, tree) in &mut self.indexes {
            if shape.row_key(values, &mut key)?.is_some() {
                tree.insert(&key, row);
            }
        }
        self.rows.insert(row, writer, values);
        Ok(())
    }

    /// Adds rows `first, first + 1, ...`.
    pub fn insert_batch(&mut self, first: RowId, writer: TxnId, rows: &Batch) -> Result<()> {
        let mut key = Vec::new();
        for (shape, tree) in &mut self.indexes {
            for position in 0..rows.len {
                if shape.column_key(&rows.columns, position, &mut key)?.is_some() {
                    tree.insert(&key, RowId(first.0 + position as u64));
                }
            }
        }
        self.rows.insert_batch(first, writer, rows);
        Ok(())
    }

    /// Replaces a row; one that is not there is left alone.
    pub fn update(&mut self, row: RowId, writer: TxnId, values: &Row) -> Result<()> {
        if let Some((chunk, slot)) = self.rows.locate(row) {
            update_indexes(&mut self.indexes, chunk, slot, row, values)?;
            self.rows.update(row, writer, values);
        }
        Ok(())
    }

    /// Removes a row; one that is not there is left alone.
    pub fn delete(&mut self, row: RowId) -> Result<()> {
        if let Some((chunk, slot)) = self.rows.locate(row) {
            let mut key = Vec::new();
            for (shape, tree) in &mut self.indexes {
                if shape.slot_key(chunk, slot, &mut key)?.is_some() {
                    tree.remove(&key, row);
                }
            }
            self.rows.delete(row);
        }
        Ok(())
    }

    /// Applies a set of changes; those of rows are idempotent in no way: each must fit the rows as they are.
    pub fn apply(&mut self, changes: &TableChanges, writer: TxnId) -> Result<()> {
        // When most rows come or go, building the indexes anew is quicker than changing them entry by entry. Updates do not count:
        // most leave keys as they are.
        let come_or_go = |change: &&RowChange| change.before.is_none() || change.after.is_none();
        let inserted: usize = changes.inserted.iter().map(InsertedRun::len).sum();
        let many = inserted + changes.rows.values().filter(come_or_go).count();
        if many >= REBUILD_FROM && many > self.rows.len() / 2 && !self.indexes.is_empty() {
            let mut changed = TableData { rows: self.rows.clone(), indexes: Vec::new(), activity: Arc::clone(&self.activity) };
            self.rows = RowTree::new(self.rows.attributes());
            changed.apply_each(changes, writer)?;
            for (shape, tree) in &mut self.indexes {
                // Keys that are there twice for a while are the transaction layer's matter, as in every other change.
                let any_shape = IndexShape { unique: false, ..IndexShape::clone(shape) };
                *tree = changed.built_index(&any_shape)?.expect("an index that is not unique has no duplicates");
            }
            self.rows = changed.rows;
            return Ok(());
        }
        self.apply_each(changes, writer)
    }

    fn apply_each(&mut self, changes: &TableChanges, writer: TxnId) -> Result<()> {
        for run in &changes.inserted {
            self.insert_batch(run.first, writer, &run.rows)?;
        }
        // In order, so that new rows are appended.
        let mut rows: Vec<(&RowId, &RowChange)> = changes.rows.iter().collect();
        rows.sort_unstable_by_key(|(row, _)| **row);
        for (&row, change) in rows {
            match (&change.before, &change.after) {
                (None, Some(after)) if !changes.in_run(row) => self.insert(row, writer, after)?,
                (None, None) if !changes.in_run(row) => {}
                (_, Some(after)) => self.update(row, writer, after)?,
                (_, None) => self.delete(row)?,
            }
        }
        Ok(())
    }

    /// Bytes held by rows and indexes, whether or not a clone shares them. Visits every node.
    pub fn heap_size(&self) -> usize {
        self.rows.heap_size() + self.indexes.iter().map(|(_, tree)| tree.heap_size()).sum::<usize>()
    }
}

/// Moves a row's entries to where its new values belong, in the indexes whose keys they change.
fn update_indexes(
    indexes: &mut [(Arc<IndexShape>, IndexTree)],
    chunk: &Chunk,
    slot: usize,
    row: RowId,
    values: &[Datum],
) -> Result<()> {
    let (mut old_key, mut new_key) = (Vec::new(), Vec::new());
    for (shape, tree) in indexes {
        if shape.is_unchanged(chunk, slot, values) {
            continue;
        }
        let had_entry = shape.slot_key(chunk, slot, &mut old_key)?.is_some();
        let has_entry = shape.row_key(values, &mut new_key)?.is_some();
        if had_entry && has_entry && old_key == new_key {
            continue;
        }
        if had_entry {
            tree.remove(&old_key, row);
        }
        if has_entry {
            tree.insert(&new_key, row);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
