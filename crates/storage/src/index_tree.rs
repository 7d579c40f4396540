//! A persistent B+tree from memcomparable key bytes to row ids, duplicates allowed, entries ordered by (key, row id).

use std::ops::Bound;

use imbl::OrdSet;

use crate::RowId;

type Entry = (Box<[u8]>, RowId);

/// A persistent B+tree of `(key, row id)` entries. Cloning is O(1).
#[derive(Clone, Debug, Default)]
pub struct IndexTree {
    entries: OrdSet<Entry>,
}

impl IndexTree {
    pub fn insert(&mut self, key: &[u8], row: RowId) {
        self.entries.insert((key.into(), row));
    }

    /// Removes one entry; false when it was not there.
    pub fn remove(&mut self, key: &[u8], row: RowId) -> bool {
        self.entries.remove(&(Box::from(key), row)).is_some()
    }

    /// The first row with exactly this key.
    pub fn get(&self, key: &[u8]) -> Option<RowId> {
        let first: Entry = (key.into(), RowId(0));
        self.entries.range(first..).next().filter(|entry| &*entry.0 == key).map(|entry| entry.1)
    }

    /// Rows whose key lies within the bounds, in key order (or the reverse). The iterator owns a clone: it sees the tree as it is now.
    pub fn range(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>, reverse: bool) -> impl Iterator<Item = RowId> + Send + use<> {
        let lower: Bound<Entry> = match lower {
            Bound::Included(key) => Bound::Included((key.into(), RowId(0))),
            Bound::Excluded(key) => Bound::Excluded((key.into(), RowId(u64::MAX))),
            Bound::Unbounded => Bound::Unbounded,
        };
        let upper: Bound<Entry> = match upper {
            Bound::Included(key) => Bound::Included((key.into(), RowId(u64::MAX))),
            Bound::Excluded(key) => Bound::Excluded((key.into(), RowId(0))),
            Bound::Unbounded => Bound::Unbounded,
        };
        let empty = matches!((&lower, &upper), (Bound::Included(l) | Bound::Excluded(l), Bound::Included(u) | Bound::Excluded(u)) if l > u);
        let mut rows: Vec<RowId> =
            if empty { Vec::new() } else { self.entries.range((lower, upper)).map(|entry| entry.1).collect() };
        if reverse {
            rows.reverse();
        }
        rows.into_iter()
    }

    /// Rows whose key begins with these bytes.
    pub fn prefix(&self, prefix: &[u8], reverse: bool) -> impl Iterator<Item = RowId> + Send + use<> {
        let successor = crate::key::prefix_successor(prefix);
        let upper = successor.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.range(Bound::Included(prefix), upper, reverse)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn heap_size(&self) -> usize {
        self.entries.iter().map(|entry| entry.0.len() + 32).sum()
    }
}
