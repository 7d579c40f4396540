//! A persistent B+tree from memcomparable key bytes to row ids, duplicates allowed, entries ordered by (key, row id).

use std::ops::Bound;

use crate::RowId;

/// A persistent B+tree of `(key, row id)` entries. Cloning is O(1).
#[derive(Clone, Debug, Default)]
pub struct IndexTree {}

impl IndexTree {
    pub fn insert(&mut self, _key: &[u8], _row: RowId) {
        unreachable!("written with the index tree")
    }

    /// Removes one entry; false when it was not there.
    pub fn remove(&mut self, _key: &[u8], _row: RowId) -> bool {
        unreachable!("written with the index tree")
    }

    /// The first row with exactly this key.
    pub fn get(&self, _key: &[u8]) -> Option<RowId> {
        unreachable!("written with the index tree")
    }

    /// Rows whose key lies within the bounds, in key order (or the reverse). The iterator owns a clone: it sees the tree as it is now.
    pub fn range(
        &self,
        _lower: Bound<&[u8]>,
        _upper: Bound<&[u8]>,
        _reverse: bool,
    ) -> impl Iterator<Item = RowId> + Send + 'static {
        std::iter::empty()
    }

    /// Rows whose key begins with these bytes.
    pub fn prefix(&self, _prefix: &[u8], _reverse: bool) -> impl Iterator<Item = RowId> + Send + 'static {
        std::iter::empty()
    }

    pub fn len(&self) -> usize {
        0
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn heap_size(&self) -> usize {
        0
    }
}
