//! Building an index tree from many entries at once: sort them, then pack them into full nodes from left to right.

use super::{
    IndexTree,
    entries::EntryList,
    node::{Branch, CHILDREN, Child, LEAF_BYTES, LEAF_ENTRIES, Node, separator},
};
use crate::{RowId, Shared};

/// Collects entries in any order and builds a tree of them.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    entries: EntryList,
    /// Whether each entry was not less than the one before.
    unsorted: bool,
}

/// A level of the tree under construction: nodes, each with its lower separator.
#[derive(Default)]
struct Level {
    separators: EntryList,
    nodes: Vec<Node>,
}

impl IndexBuilder {
    /// Adds an entry. No entry may be added twice.
    pub fn push(&mut self, key: &[u8], row: RowId) {
        if let Some(last) = self.entries.len().checked_sub(1) {
            self.unsorted |= (self.entries.key(last), self.entries.row(last)) > (key, row);
        }
        self.entries.push(key, row);
    }

    /// Sorts the entries, and finds two neighbours with equal keys.
    pub fn duplicate(&mut self, counts: impl Fn(RowId) -> bool) -> Option<(RowId, RowId)> {
        self.sort();
        let entries = &self.entries;
        let same = |&index: &usize| entries.key(index - 1) == entries.key(index) && counts(entries.row(index));
        (1..entries.len()).find(same).map(|index| (entries.row(index - 1), entries.row(index)))
    }

    fn sort(&mut self) {
        if !std::mem::take(&mut self.unsorted) {
            return;
        }
        let entries = &self.entries;
        let mut order: Vec<u32> = (0..entries.len() as u32).collect();
        order.sort_unstable_by_key(|&index| (entries.key(index as usize), entries.row(index as usize)));
        let mut sorted = EntryList::default();
        order.iter().for_each(|&index| sorted.push(entries.key(index as usize), entries.row(index as usize)));
        self.entries = sorted;
    }

    pub fn build(mut self) -> IndexTree {
        self.sort();
        let len = self.entries.len();
        let mut level = leaves(&self.entries);
        while level.nodes.len() > 1 {
            level = branches(&level);
        }
        IndexTree { root: level.nodes.pop().unwrap_or_default(), len }
    }
}

fn leaves(entries: &EntryList) -> Level {
    let mut level = Level::default();
    let mut start = 0;
    while start < entries.len() {
        let (mut end, mut bytes) = (start, 0);
        while end < entries.len() && end - start < LEAF_ENTRIES && (end == start || bytes < LEAF_BYTES) {
            bytes += entries.key(end).len() + 8;
            end += 1;
        }
        let mut key = entries.key(start).to_vec();
        let row = match start {
            0 => entries.row(0),
            _ => separator(entries.key(start - 1), &mut key, entries.row(start)),
        };
        level.separators.push(&key, row);
        level.nodes.push(Node::Leaf(Shared::new(entries.pack(start..end))));
        start = end;
    }
    level
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
