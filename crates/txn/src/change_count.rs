//! How much has changed: rows and bytes, counted when a commit is published, as a part of the value.
//!
//! A snapshot therefore knows how much had changed when it was taken. A dump that has succeeded says so with its snapshot's count
//! ([`crate::Store::mark_saved`]), and what is dirty is the newest count less that one: changes made during the dump stay dirty.
//!
//! Rows of temporary tables do not count, nor do their definitions. A transaction's changes of definitions count as one row. How far
//! sequences have counted is outside the value, and roles are outside the database: neither counts.

use std::fmt;

use catalog::{Catalog, Persistence};
use smallvec::SmallVec;
use storage::{ChangeSet, TableId};

/// What a change of definitions counts as, in bytes.
const DEFINITION_BYTES: u64 = 256;

/// Changes since the database began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeCount {
    /// Rows inserted, updated and deleted, by committed transactions.
    pub rows: u64,
    /// The memory that their values before and after took.
    pub bytes: u64,
}

impl ChangeCount {
    pub(crate) fn add(&mut self, more: ChangeCount) {
        self.rows = self.rows.saturating_add(more.rows);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }

    pub(crate) fn add_definition(&mut self) {
        self.add(ChangeCount { rows: 1, bytes: DEFINITION_BYTES });
    }

    /// What has changed since an earlier count.
    pub(crate) fn since(self, earlier: ChangeCount) -> ChangeCount {
        ChangeCount { rows: self.rows.saturating_sub(earlier.rows), bytes: self.bytes.saturating_sub(earlier.bytes) }
    }

    /// Reads what Display writes.
    pub fn read(text: &str) -> Option<ChangeCount> {
        let (rows, bytes) = text.split_once('/')?;
        Some(ChangeCount { rows: rows.parse().ok()?, bytes: bytes.parse().ok()? })
    }

    /// The later of two counts of one database.
    pub(crate) fn later(self, other: ChangeCount) -> ChangeCount {
        ChangeCount { rows: self.rows.max(other.rows), bytes: self.bytes.max(other.bytes) }
    }
}

impl fmt::Display for ChangeCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.rows, self.bytes)
    }
}

/// The changes of a transaction by table, counted before the critical section: bytes take a look at every row.
pub(crate) struct CountedTables(SmallVec<[(TableId, ChangeCount); 2]>);

impl CountedTables {
    pub(crate) fn of(changes: &ChangeSet) -> CountedTables {
        let count =
            |changes: &storage::TableChanges| ChangeCount { rows: changes.len() as u64, bytes: changes.heap_size() as u64 };
        CountedTables(changes.tables.iter().map(|(&table, changes)| (table, count(changes))).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TableId, ChangeCount)> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|(_, count)| count.bytes as usize).sum()
    }
}

/// Whether a table's storage is a temporary relation's. Looks at all relations, but only where a session has temporary ones.
pub(crate) fn is_temporary(catalog: &Catalog, table: TableId) -> bool {
    catalog.schemas().any(|schema| catalog.is_temporary_schema(schema.oid))
        && catalog.relations().any(|relation| relation.persistence == Persistence::Temporary && relation.storage() == Some(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_as_it_is_written() {
        let count = ChangeCount { rows: 12, bytes: 3456 };
        assert_eq!(ChangeCount::read(&count.to_string()), Some(count));
        assert_eq!(ChangeCount::read("12"), None);
        assert_eq!(count.since(ChangeCount { rows: 2, bytes: 4000 }), ChangeCount { rows: 10, bytes: 0 });
    }
}
