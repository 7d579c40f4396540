//! A persistent B+tree from memcomparable key bytes to row ids, duplicates allowed, entries ordered by (key, row id).
//!
//! Leaves and separators are packed runs of bytes ([`entries`]), so copying one that a clone shares is a memcpy, and a million
//! entries of a bigint key take about six bytes each.

mod bulk;
mod cursor;
mod entries;
mod node;
#[cfg(test)]
mod tests;

use std::ops::Bound;

pub use self::bulk::IndexBuilder;
use self::{
    cursor::{Position, Rows},
    entries::{Place, Rank},
    node::Node,
};
use crate::RowId;

/// A persistent B+tree of `(key, row id)` entries. Cloning is O(1).
#[derive(Clone, Debug, Default)]
pub struct IndexTree {
    root: Node,
    len: usize,
}

impl IndexTree {
    /// Adds an entry; one that is there already is left alone.
    pub fn insert(&mut self, key: &[u8], row: RowId) {
        self.len += usize::from(self.root.insert_at_root(key, row));
    }

    /// Removes one entry; false when it was not there.
    pub fn remove(&mut self, key: &[u8], row: RowId) -> bool {
        let removed = self.root.remove_at_root(key, row);
        self.len -= usize::from(removed);
        removed
    }

    /// The first row with exactly this key.
    pub fn get(&self, key: &[u8]) -> Option<RowId> {
        let place = Place { key, rank: Rank::Before(RowId(0)) };
        let mut node = &self.root;
        // The subtree right of the path, should the key's entries begin there.
        let mut next: Option<&Node> = None;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let index = leaf.count_before(place);
                    if index < leaf.len() {
                        return leaf.has_key(index, key).then(|| leaf.row(index));
                    }
                    let mut first = next?;
                    while let Node::Branch(branch) = first {
                        first = &branch.children[0].node;
                    }
                    let Node::Leaf(leaf) = first else { unreachable!("the loop ends at a leaf") };
                    return leaf.has_key(0, key).then(|| leaf.row(0));
                }
                Node::Branch(branch) => {
                    let child = branch.child_for(place);
                    next = branch.children.get(child + 1).map(|child| &child.node).or(next);
                    node = &branch.children[child].node;
                }
            }
        }
    }

    /// Rows whose key lies within the bounds, in key order (or the reverse). The iterator owns a clone: it sees the tree as it is now.
    pub fn range(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>, reverse: bool) -> impl Iterator<Item = RowId> + Send + use<> {
        let (front, back) = self.positions(lower, upper);
        Rows::new(&self.root, front, back, reverse)
    }

    /// Rows whose key begins with these bytes.
    pub fn prefix(&self, prefix: &[u8], reverse: bool) -> impl Iterator<Item = RowId> + Send + use<> {
        let (front, back) = self.prefix_positions(prefix);
        Rows::new(&self.root, front, back, reverse)
    }

    /// How many entries lie within the bounds: two descents, however many they are.
    pub fn count(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> usize {
        let (front, back) = self.positions(lower, upper);
        back.rank(&self.root).saturating_sub(front.rank(&self.root))
    }

    /// How many keys begin with these bytes, as quickly.
    pub fn count_prefix(&self, prefix: &[u8]) -> usize {
        let (front, back) = self.prefix_positions(prefix);
        back.rank(&self.root) - front.rank(&self.root)
    }

    fn prefix_positions(&self, prefix: &[u8]) -> (Position, Position) {
        let front = Position::of(&self.root, Place { key: prefix, rank: Rank::Before(RowId(0)) });
        let back = Position::of(&self.root, Place { key: prefix, rank: Rank::AfterPrefix });
        (front, back)
    }

    fn positions(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> (Position, Position) {
        let first = |key| Position::of(&self.root, Place { key, rank: Rank::Before(RowId(0)) });
        let after = |key| Position::of(&self.root, Place { key, rank: Rank::AfterKey });
        let front = match lower {
            Bound::Included(key) => first(key),
            Bound::Excluded(key) => after(key),
            Bound::Unbounded => Position::default(),
        };
        let back = match upper {
            Bound::Included(key) => after(key),
            Bound::Excluded(key) => first(key),
            Bound::Unbounded => Position::end(&self.root),
        };
        (front, back)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held, whether or not a clone shares them. Visits every node.
    pub fn heap_size(&self) -> usize {
        self.root.heap_size()
    }
}
