//! The nodes of the index tree, and how they grow, split, shrink and merge.
//!
//! **Invariant.** A branch's separator `i` is greater than every entry below child `i - 1` and not greater than any below child `i`.
//! Separator 0 bounds nothing: what is smaller than separator 1 belongs to child 0.

use super::entries::{Entries, EntryList, Place, Rank, common_prefix};
use crate::{RowId, Shared};

/// Most entries of a leaf: enough to keep the tree shallow, few enough to copy a shared leaf in a fraction of a microsecond.
pub(super) const LEAF_ENTRIES: usize = 256;
/// Leaves of long keys split earlier.
pub(super) const LEAF_BYTES: usize = 8192;
/// Most children of a branch. Copying a shared branch counts each child's reference, so they are few.
pub(super) const CHILDREN: usize = 32;

/// Keys of at most this many bytes are whole as separators: keys of one width are searched faster than they are shortened.
const SHORT_KEY: usize = 20;

/// A subtree. All leaves are at the same depth.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(Shared<Entries>),
    Branch(Shared<Branch>),
}

#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) separators: Entries,
    pub(super) children: Vec<Child>,
}

#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) node: Node,
    /// Entries below the node.
    pub(super) entries: usize,
}

impl From<Node> for Child {
    fn from(node: Node) -> Child {
        Child { entries: node.entries(), node }
    }
}

/// The right half of a node that was split, with the separator before it.
struct Split {
    key: Vec<u8>,
    row: RowId,
    right: Node,
}

impl Branch {
    /// The child below which a place lies.
    pub(super) fn child_for(&self, place: Place<'_>) -> usize {
        let place = match place.rank {
            Rank::Before(row) => Place { rank: Rank::After(row), ..place },
            _ => place,
        };
        self.separators.count_before(place).saturating_sub(1)
    }
}

impl Default for Node {
    fn default() -> Node {
        Node::Leaf(Shared::default())
    }
}

impl Node {
    /// Adds an entry at the root; false when it is there already.
    pub(super) fn insert_at_root(&mut self, key: &[u8], row: RowId) -> bool {
        let (added, split) = self.insert(key, row);
        if let Some(split) = split {
            let mut separators = EntryList::default();
            // The first bounds nothing, but of the same width it keeps searching quick.
            separators.push(&split.key, split.row);
            separators.push(&split.key, split.row);
            let children = vec![std::mem::take(self).into(), split.right.into()];
            *self = Node::Branch(Shared::new(Branch { separators: separators.pack(0..2), children }));
        }
        added
    }

    /// Removes an entry at the root; false when it is not there.
    pub(super) fn remove_at_root(&mut self, key: &[u8], row: RowId) -> bool {
        let removed = self.remove(key, row);
        while let Node::Branch(branch) = self
            && branch.children.len() <= 1
        {
            *self = branch.children.first().map(|child| child.node.clone()).unwrap_or_default();
        }
        removed
    }

    fn insert(&mut self, key: &[u8], row: RowId) -> (bool, Option<Split>) {
        match self {
            Node::Leaf(leaf) => {
                let index = leaf.count_before(Place { key, rank: Rank::Before(row) });
                if index < leaf.len() && leaf.row(index) == row && leaf.has_key(index, key) {
                    return (false, None);
                }
                let leaf = Shared::make_mut(leaf);
                leaf.insert(index, key, row);
                let full = leaf.len() > LEAF_ENTRIES || (leaf.packed_size() > LEAF_BYTES && leaf.len() > 1);
                (true, full.then(|| split_leaf(leaf, index)))
            }
            Node::Branch(branch) => {
                let child = branch.child_for(Place { key, rank: Rank::After(row) });
                let branch = Shared::make_mut(branch);
                let (added, split) = branch.children[child].node.insert(key, row);
                branch.children[child].entries += usize::from(added);
                let Some(split) = split else { return (added, None) };
                branch.add_separator(child + 1, &split.key, split.row);
                let right = Child::from(split.right);
                branch.children[child].entries -= right.entries;
                branch.children.insert(child + 1, right);
                let full = branch.children.len() > CHILDREN;
                (added, full.then(|| split_branch(branch, child + 1)))
            }
        }
    }

    fn remove(&mut self, key: &[u8], row: RowId) -> bool {
        match self {
            Node::Leaf(leaf) => {
                let index = leaf.count_before(Place { key, rank: Rank::Before(row) });
                let found = index < leaf.len() && leaf.row(index) == row && leaf.has_key(index, key);
                if found {
                    Shared::make_mut(leaf).remove(index);
                }
                found
            }
            Node::Branch(branch) => {
                let child = branch.child_for(Place { key, rank: Rank::After(row) });
                let branch = Shared::make_mut(branch);
                let removed = branch.children[child].node.remove(key, row);
                branch.children[child].entries -= usize::from(removed);
                if removed && branch.children[child].node.is_small() {
                    branch.mend(child);
                }
                removed
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Branch(branch) => branch.children.len(),
        }
    }

    /// Entries in the subtree.
    pub(super) fn entries(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Branch(branch) => branch.children.iter().map(|child| child.entries).sum(),
        }
    }

    fn is_small(&self) -> bool {
        match self {
            Node::Leaf(leaf) => leaf.len() < LEAF_ENTRIES / 4,
            Node::Branch(branch) => branch.children.len() < CHILDREN / 4,
        }
    }

    pub(super) fn heap_size(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.heap_size() + 16,
            Node::Branch(branch) => {
                let nodes = branch.children.capacity() * size_of::<Child>() + size_of::<Branch>() + 16;
                nodes + branch.separators.heap_size() + branch.children.iter().map(|child| child.node.heap_size()).sum::<usize>()
            }
        }
    }
}

impl Branch {
    /// Puts a separator at its place. Below the first one, which bounds nothing, it takes that one's place as well: they stay sorted.
    fn add_separator(&mut self, index: usize, key: &[u8], row: RowId) {
        if index == 1 && self.separators.count_before(Place { key, rank: Rank::After(row) }) == 0 {
            self.separators.remove(0);
            self.separators.insert(0, key, row);
        }
        self.separators.insert(index, key, row);
    }

    /// Removes a child that has become empty, or merges a small one with a neighbour if both fit into one with room to grow.
    fn mend(&mut self, child: usize) {
        if self.children[child].node.len() == 0 {
            self.children.remove(child);
            self.separators.remove(child);
            return;
        }
        for left in [child.wrapping_sub(1), child] {
            if left >= self.children.len() || left + 1 >= self.children.len() {
                continue;
            }
            if let Some(merged) = self.merged(left) {
                self.children[left] = merged.into();
                self.children.remove(left + 1);
                self.separators.remove(left + 1);
                return;
            }
        }
    }

    /// The children `left` and `left + 1` as one node.
    fn merged(&self, left: usize) -> Option<Node> {
        let mut entries = EntryList::default();
        match (&self.children[left].node, &self.children[left + 1].node) {
            (Node::Leaf(left), Node::Leaf(right)) => {
                let fits = left.len() + right.len() <= LEAF_ENTRIES * 3 / 4
                    && left.packed_size() + right.packed_size() <= LEAF_BYTES * 3 / 4;
                fits.then(|| {
                    entries.append(left, 0..left.len());
                    entries.append(right, 0..right.len());
                    Node::Leaf(Shared::new(entries.pack(0..entries.len())))
                })
            }
            (Node::Branch(low), Node::Branch(high)) => {
                let fits = low.children.len() + high.children.len() <= CHILDREN * 3 / 4;
                fits.then(|| {
                    entries.append(&low.separators, 0..low.separators.len());
                    // The first separator of `high` bounds nothing; ours before it does.
                    entries.append(&self.separators, left + 1..left + 2);
                    entries.append(&high.separators, 1..high.separators.len());
                    let children = low.children.iter().chain(&high.children).cloned().collect();
                    Node::Branch(Shared::new(Branch { separators: entries.pack(0..entries.len()), children }))
                })
            }
            _ => unreachable!("all leaves are at the same depth"),
        }
    }
}

/// Where to split a node after an insert at `index`: ascending inserts leave full nodes behind, and so do descending ones.
fn split_point(len: usize, index: usize) -> usize {
    match index {
        0 => 1,
        last if last == len - 1 => last,
        _ => len / 2,
    }
}

fn split_leaf(leaf: &mut Entries, index: usize) -> Split {
    let right = leaf.split_off(split_point(leaf.len(), index));
    let (mut last, mut key) = (Vec::new(), Vec::new());
    leaf.key_into(leaf.len() - 1, &mut last);
    right.key_into(0, &mut key);
    let row = separator(&last, &mut key, right.row(0));
    Split { key, row, right: Node::Leaf(Shared::new(right)) }
}

fn split_branch(branch: &mut Branch, index: usize) -> Split {
    let at = split_point(branch.children.len(), index);
    let separators = branch.separators.split_off(at);
    let mut key = Vec::new();
    separators.key_into(0, &mut key);
    let row = separators.row(0);
    let mut children = branch.children.split_off(at);
    children.reserve_exact(CHILDREN + 1 - children.len());
    Split { key, row, right: Node::Branch(Shared::new(Branch { separators, children })) }
}

/// Shortens the first key of a right node, if it is long, to what tells it from the last key of the left one.
pub(super) fn separator(last_of_left: &[u8], first_of_right: &mut Vec<u8>, row: RowId) -> RowId {
    if last_of_left == first_of_right.as_slice() {
        return row;
    }
    if first_of_right.len() > SHORT_KEY {
        first_of_right.truncate(common_prefix(last_of_left, first_of_right) + 1);
    }
    RowId(0)
}
