//! The bytes of committed tables, charged to the users who own them.
//!
//! A commit adds what its changes are estimated to have added; once as much has changed as half of the table, its nodes are counted
//! anew. Counting visits every node, and is so paid for by the changes.

use std::sync::Arc;

use catalog::Catalog;
use hashbrown::HashMap;
use parking_lot::Mutex;
use smallvec::SmallVec;
use storage::{Column, Row, TableId, column::ColumnData};
use txn::{Store, TableWrites};
use types::{Datum, Oid};

use super::{ServerMemory, UserMemory};

/// Less change is not worth counting a table anew for.
const RECOUNTED_FROM: usize = 256 * 1024;
/// What an entry of an index takes, about.
const INDEX_ENTRY: usize = 24;
/// Columns of fewer rows are mostly room to grow.
const SMALL_COLUMN: usize = 64;

/// What the open transaction has written, by table.
#[derive(Debug, Default)]
pub(crate) struct WrittenTables(SmallVec<[Written; 2]>);

#[derive(Debug)]
struct Written {
    table: TableId,
    relation: Oid,
    growth: isize,
}

impl WrittenTables {
    pub(crate) fn add(&mut self, writes: &TableWrites, indexes: usize) {
        let growth = growth(writes, indexes);
        match self.0.iter_mut().find(|known| known.table == writes.table) {
            Some(known) => known.growth = known.growth.saturating_add(growth),
            None => self.0.push(Written { table: writes.table, relation: writes.relation, growth }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every table becomes smaller.
    pub(crate) fn only_frees(&self) -> bool {
        self.0.iter().all(|written| written.growth < 0)
    }
}

/// By how much these writes make their table larger, about.
fn growth(writes: &TableWrites, indexes: usize) -> isize {
    let inserted: usize = writes
        .inserts
        .iter()
        .map(|rows| {
            let columns = &rows.columns;
            columns.iter().map(|column| column_size(column)).sum::<usize>() + rows.len * indexes * INDEX_ENTRY
        })
        .sum();
    let row_size = |row: &Row| row.iter().map(stored_size).sum::<usize>().cast_signed();
    let updated: isize = writes.updates.iter().map(|(_, before, after)| row_size(after) - row_size(before)).sum();
    let deleted: isize = writes.deletes.iter().map(|(_, row)| row_size(row) + (indexes * INDEX_ENTRY).cast_signed()).sum();
    inserted.cast_signed() + updated - deleted
}

/// What a column's values take in a table.
fn column_size(column: &Column) -> usize {
    match column.data() {
        _ if column.len() >= SMALL_COLUMN => column.heap_size(),
        ColumnData::Text(_) | ColumnData::Bytes(_) | ColumnData::Any(_) | ColumnData::Numeric(_) => {
            (0..column.len()).map(|row| stored_size(&column.datum(row))).sum()
        }
        _ => column.len() * 8,
    }
}

fn stored_size(value: &Datum) -> usize {
    match value {
        Datum::Null => 1,
        Datum::Text(text) => text.len() + 8,
        Datum::Bytes(bytes) => bytes.len() + 8,
        other => 8 + other.heap_size(),
    }
}

/// What the tables of a database hold, as charged.
#[derive(Debug, Default)]
pub(crate) struct TableMemory(Mutex<HashMap<TableId, Charged>>);

#[derive(Debug)]
struct Charged {
    relation: Oid,
    user: Arc<UserMemory>,
    owner: Oid,
    bytes: usize,
    /// Changed since the last count.
    changed: usize,
}

impl Charged {
    fn set(&mut self, bytes: usize) {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.user.add(more),
            None => self.user.give_back(self.bytes - bytes),
        }
        self.bytes = bytes;
    }
}

impl TableMemory {
    /// Takes account of a commit. `replaced` are tables whose content came or went as a whole.
    pub(crate) fn committed(&self, store: &Store, memory: &Arc<ServerMemory>, written: &WrittenTables, replaced: &[TableId]) {
        let mut to_count: SmallVec<[TableId; 4]> = replaced.into();
        let mut tables = self.0.lock();
        for written in &written.0 {
            let charged = match tables.get_mut(&written.table) {
                Some(charged) => charged,
                None => {
                    let catalog = store.catalog();
                    let Some(owner) = catalog.relation(written.relation).map(|relation| relation.owner) else { continue };
                    let user = memory.user(owner, None);
                    let charged = Charged { relation: written.relation, user, owner, bytes: 0, changed: 0 };
                    tables.entry(written.table).or_insert(charged)
                }
            };
            charged.set(charged.bytes.saturating_add_signed(written.growth));
            charged.changed = charged.changed.saturating_add(written.growth.unsigned_abs());
            if charged.changed > RECOUNTED_FROM.max(charged.bytes / 2) && !to_count.contains(&written.table) {
                charged.changed = 0;
                to_count.push(written.table);
            }
        }
        drop(tables);
        if !to_count.is_empty() {
            self.count(store, memory, &to_count);
        }
    }

    /// Counts tables anew; those that are no more are forgotten.
    fn count(&self, store: &Store, memory: &Arc<ServerMemory>, wanted: &[TableId]) {
        let state = store.snapshot();
        let sizes: Vec<Option<usize>> =
            wanted.iter().map(|table| state.tables.get(table).map(|version| version.heap_size())).collect();
        let catalog = state.catalog.clone();
        drop(state);
        let mut tables = self.0.lock();
        for (table, bytes) in wanted.iter().zip(sizes) {
            match (bytes, tables.get_mut(table)) {
                (None, _) => {
                    if let Some(mut gone) = tables.remove(table) {
                        gone.set(0);
                    }
                }
                (Some(bytes), Some(charged)) => {
                    charged.set(bytes);
                    charged.changed = 0;
                }
                (Some(bytes), None) => {
                    let Some((relation, owner)) = owner_of(&catalog, *table) else { continue };
                    let mut charged = Charged { relation, user: memory.user(owner, None), owner, bytes: 0, changed: 0 };
                    charged.set(bytes);
                    tables.insert(*table, charged);
                }
            }
        }
    }

    /// Moves the bytes of tables that have other owners now.
    pub(crate) fn owners_changed(&self, catalog: &Catalog, memory: &Arc<ServerMemory>) {
        for charged in self.0.lock().values_mut() {
            let Some(owner) = catalog.relation(charged.relation).map(|relation| relation.owner) else { continue };
            if owner != charged.owner {
                let bytes = charged.bytes;
                charged.set(0);
                (charged.user, charged.owner) = (memory.user(owner, None), owner);
                charged.set(bytes);
            }
        }
    }
}

fn owner_of(catalog: &Catalog, table: TableId) -> Option<(Oid, Oid)> {
    let found = catalog.relations().find(|relation| relation.storage() == Some(table))?;
    Some((found.oid, found.owner))
}

impl Drop for TableMemory {
    fn drop(&mut self) {
        self.0.get_mut().values_mut().for_each(|charged| charged.set(0));
    }
}
