//! What has happened to a table since it was made: counters beside its content, shared by all its versions.
//!
//! Statements add to them once a batch or once a statement, relaxed: nobody decides anything by them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::RwLock;

use crate::IndexId;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, more: usize) {
        if more > 0 {
            self.0.fetch_add(more as u64, Ordering::Relaxed);
        }
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one table (pg_stat_all_tables).
#[derive(Debug, Default)]
pub struct TableActivity {
    pub sequential_scans: Counter,
    pub sequential_rows: Counter,
    /// Rows of transactions that are rolled back count too, as in PostgreSQL.
    pub inserted: Counter,
    pub updated: Counter,
    pub deleted: Counter,
    indexes: RwLock<Vec<(IndexId, Arc<IndexActivity>)>>,
}

/// Counters of one index (pg_stat_all_indexes).
#[derive(Debug, Default)]
pub struct IndexActivity {
    pub scans: Counter,
    pub rows: Counter,
}

impl TableActivity {
    /// The counters of an index, made when first asked for.
    pub fn index(&self, id: IndexId) -> Arc<IndexActivity> {
        if let Some((_, found)) = self.indexes.read().iter().find(|(known, _)| *known == id) {
            return Arc::clone(found);
        }
        let mut indexes = self.indexes.write();
        match indexes.iter().find(|(known, _)| *known == id) {
            Some((_, found)) => Arc::clone(found),
            None => {
                let made = Arc::<IndexActivity>::default();
                indexes.push((id, Arc::clone(&made)));
                made
            }
        }
    }

    /// Scans of all indexes and the rows they gave.
    pub fn of_indexes(&self) -> (u64, u64) {
        self.indexes.read().iter().fold((0, 0), |(scans, rows), (_, index)| (scans + index.scans.get(), rows + index.rows.get()))
    }
}
