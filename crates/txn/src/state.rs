//! The whole committed content of one database as one value.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use catalog::Catalog;
use foldhash::fast::FixedState;
use storage::{CHUNK_ROWS, RowId, TableData, TableId};

use crate::ChangeCount;

/// Numbers commits of one store, ascending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitSeq(pub u64);

/// A persistent map from tables to their content.
pub type Tables = imbl::GenericHashMap<TableId, Arc<TableVersion>, FixedState, imbl::shared_ptr::DefaultSharedPtr>;

/// Catalog, rows and indexes of one database. Cloning is O(1); a clone never changes.
#[derive(Clone, Debug)]
pub struct DatabaseState {
    pub seq: CommitSeq,
    pub catalog: Arc<Catalog>,
    pub tables: Tables,
    /// What all commits up to this value have changed.
    pub changes: ChangeCount,
}

impl DatabaseState {
    pub fn new(catalog: Catalog) -> DatabaseState {
        let changes = ChangeCount::default();
        DatabaseState { seq: CommitSeq(0), catalog: Arc::new(catalog), tables: Tables::default(), changes }
    }

    pub fn table(&self, table: TableId) -> Option<&TableData> {
        self.tables.get(&table).map(|version| &version.data)
    }
}

/// A table's content and when it last changed. Reads as its [`TableData`].
#[derive(Clone, Debug)]
pub struct TableVersion {
    pub data: TableData,
    /// The commit that last changed a row.
    pub changed: CommitSeq,
    /// The commit that last replaced the content as a whole: columns, indexes, rewrites.
    pub reshaped: CommitSeq,
    /// A session's own table, which no dump holds.
    pub(crate) temporary: bool,
    /// The next row id, shared by all versions: ids are never given twice.
    pub(crate) next_row: Arc<AtomicU64>,
}

impl Deref for TableVersion {
    type Target = TableData;

    fn deref(&self) -> &TableData {
        &self.data
    }
}

impl TableVersion {
    /// A version whose row ids go on after those of its rows.
    pub(crate) fn new(data: TableData, at: CommitSeq) -> TableVersion {
        let next_row = Arc::new(AtomicU64::new(end_of_rows(&data)));
        TableVersion { data, changed: at, reshaped: at, temporary: false, next_row }
    }

    /// Other content for the same table.
    pub(crate) fn reshape(&self, mut data: TableData, at: CommitSeq) -> TableVersion {
        data.activity = Arc::clone(&self.data.activity);
        self.next_row.fetch_max(end_of_rows(&data), Ordering::Relaxed);
        TableVersion { data, changed: at, reshaped: at, temporary: self.temporary, next_row: Arc::clone(&self.next_row) }
    }

    /// The same content in another database, with a counter of its own.
    pub(crate) fn fork(&self) -> TableVersion {
        let next_row = Arc::new(AtomicU64::new(self.next_row.load(Ordering::Relaxed)));
        let mut version = TableVersion { next_row, ..self.clone() };
        version.data.activity = Arc::default();
        version
    }

    /// The first of `count` new row ids. A run that fills a chunk begins one, so that the tree can take over its columns.
    pub(crate) fn allocate_rows(&self, count: usize) -> RowId {
        if count < CHUNK_ROWS {
            return RowId(self.next_row.fetch_add(count as u64, Ordering::Relaxed));
        }
        let mut next = self.next_row.load(Ordering::Relaxed);
        loop {
            let first = next.next_multiple_of(CHUNK_ROWS as u64);
            match self.next_row.compare_exchange_weak(next, first + count as u64, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return RowId(first),
                Err(newer) => next = newer,
            }
        }
    }
}

/// One more than the greatest row id.
fn end_of_rows(data: &TableData) -> u64 {
    let last = data.rows.chunks().filter(|chunk| chunk.slots() > 0).last();
    last.map_or(1, |chunk| chunk.row_id(chunk.slots() - 1).0 + 1)
}
