//! Building an index tree from many entries at once: in order, packed into full nodes from left to right.

use std::cmp::Ordering;

use super::{
    IndexTree,
    entries::EntryList,
    node::{Branch, CHILDREN, Child, Node, separator},
};
use crate::{RowId, Shared};

/// Builds a tree of entries, each of them added once, in any order: while they come sorted, leaves are packed as they fill, so that little
/// else than the tree is held. The first that does not unpacks all, to be sorted at the end.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    unique: bool,
    leaves: Level,
    /// The last key of the newest of the leaves.
    packed_up_to: Vec<u8>,
    /// Entries that are in no leaf yet: up to a leaf of them, or all when they are unsorted.
    open: EntryList,
    unsorted: bool,
    /// Rows whose keys may be there many times in a unique index.
    exempt: Vec<RowId>,
    /// Two rows with one key, of those that came sorted.
    duplicate: Option<(RowId, RowId)>,
    len: usize,
}

/// A level of the tree under construction: nodes, each with its lower separator.
#[derive(Debug, Default)]
struct Level {
    separators: EntryList,
    nodes: Vec<Node>,
}

impl IndexBuilder {
    /// For an index in which a key is there once, save for those that are pushed as exempt.
    pub fn unique() -> IndexBuilder {
        IndexBuilder { unique: true, ..IndexBuilder::default() }
    }

    /// Adds an entry that may not be there yet.
    pub fn push(&mut self, key: &[u8], row: RowId) {
        self.len += 1;
        if let (false, Some((last_key, last_row))) = (self.unsorted, self.open.last()) {
            let keys = last_key.cmp(key);
            if keys.then(last_row.cmp(&row)) == Ordering::Greater {
                self.unpack();
            } else if keys == Ordering::Equal && self.unique && self.exempt.last() != Some(&row) {
                self.duplicate.get_or_insert((last_row, row));
            }
        }
        if !self.unsorted && self.open.fills_leaf() {
            self.close_leaf();
        }
        self.open.push(key, row);
    }

    /// Adds an entry whose key may be there many times all the same. Rows of such entries ascend.
    pub fn push_exempt(&mut self, key: &[u8], row: RowId) {
        self.exempt.push(row);
        self.push(key, row);
    }

    fn close_leaf(&mut self) {
        let mut key = self.open.key(0).to_vec();
        let row = match self.leaves.nodes.is_empty() {
            true => self.open.row(0),
            false => separator(&self.packed_up_to, &mut key, self.open.row(0)),
        };
        self.leaves.separators.push(&key, row);
        self.leaves.nodes.push(Node::Leaf(Shared::new(self.open.pack(0..self.open.len()))));
        if let Some((last, _)) = self.open.last() {
            self.packed_up_to.clear();
            self.packed_up_to.extend_from_slice(last);
        }
        self.open.clear();
    }

    fn unpack(&mut self) {
        self.unsorted = true;
        self.duplicate = None;
        let mut all = EntryList::default();
        for node in std::mem::take(&mut self.leaves).nodes {
            if let Node::Leaf(leaf) = node {
                all.append(&leaf, 0..leaf.len());
            }
        }
        (0..self.open.len()).for_each(|index| all.push(self.open.key(index), self.open.row(index)));
        self.open = all;
    }

    /// The tree, or two rows with the same key where that may not be.
    pub fn build(mut self) -> Result<IndexTree, (RowId, RowId)> {
        if self.unsorted {
            return self.sorted().build();
        }
        if let Some(duplicate) = self.duplicate {
            return Err(duplicate);
        }
        if self.open.len() > 0 {
            self.close_leaf();
        }
        let mut level = self.leaves;
        while level.nodes.len() > 1 {
            level = branches(&level);
        }
        Ok(IndexTree { root: level.nodes.pop().unwrap_or_default(), len: self.len })
    }

    fn sorted(self) -> IndexBuilder {
        let (entries, exempt) = (self.open, self.exempt);
        let mut order: Vec<u32> = (0..entries.len() as u32).collect();
        order.sort_unstable_by_key(|&index| (entries.key(index as usize), entries.row(index as usize)));
        let mut sorted = IndexBuilder { unique: self.unique, ..IndexBuilder::default() };
        for index in order {
            let (key, row) = (entries.key(index as usize), entries.row(index as usize));
            match exempt.binary_search(&row) {
                Ok(_) => sorted.push_exempt(key, row),
                Err(_) => sorted.push(key, row),
            }
        }
        sorted
    }
}

fn branches(below: &Level) -> Level {
    let mut level = Level::default();
    for start in (0..below.nodes.len()).step_by(CHILDREN) {
        let end = below.nodes.len().min(start + CHILDREN);
        level.separators.push(below.separators.key(start), below.separators.row(start));
        let branch = Branch {
            separators: below.separators.pack(start..end),
            children: below.nodes[start..end].iter().cloned().map(Child::from).collect(),
        };
        level.nodes.push(Node::Branch(Shared::new(branch)));
    }
    level
}
