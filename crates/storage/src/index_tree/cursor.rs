//! Walking a range of the index tree: positions, and the iterator that owns a clone of the tree.

use super::{
    entries::{Entries, Place},
    node::Node,
};
use crate::{RowId, Shared};

/// Deeper than any tree that fits into memory: a level is added only when a root of 32 children splits.
const MAX_DEPTH: usize = 12;

/// A position between entries: the child taken at each branch, then an index into the leaf. Ordered as the entries are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    path: [u8; MAX_DEPTH],
    index: usize,
}

impl Position {
    /// The position of a place in a tree.
    pub(super) fn of(root: &Node, place: Place<'_>) -> Position {
        let mut position = Position::default();
        let mut node = root;
        let mut depth = 0;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    position.index = leaf.count_before(place);
                    return position;
                }
                Node::Branch(branch) => {
                    let child = branch.child_for(place);
                    position.path[depth] = child as u8;
                    depth += 1;
                    node = &branch.children[child].node;
                }
            }
        }
    }

    /// The position after all entries.
    pub(super) fn end(root: &Node) -> Position {
        let mut position = Position::default();
        position.descend_last(root, 0);
        position
    }

    fn descend_last(&mut self, mut node: &Node, mut depth: usize) {
        while let Node::Branch(branch) = node {
            self.path[depth] = (branch.children.len() - 1) as u8;
            depth += 1;
            node = &branch.children.last().expect("a branch has children").node;
        }
        if let Node::Leaf(leaf) = node {
            self.index = leaf.len();
        }
    }

    /// How many entries come before.
    pub(super) fn rank(&self, root: &Node) -> usize {
        let (mut before, mut node, mut depth) = (0, root, 0);
        while let Node::Branch(branch) = node {
            let child = usize::from(self.path[depth]);
            before += branch.children[..child].iter().map(|child| child.entries).sum::<usize>();
            node = &branch.children[child].node;
            depth += 1;
        }
        before + self.index
    }

    fn leaf<'a>(&self, root: &'a Node) -> &'a Shared<Entries> {
        let mut node = root;
        let mut depth = 0;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf,
                Node::Branch(branch) => {
                    node = &branch.children[usize::from(self.path[depth])].node;
                    depth += 1;
                }
            }
        }
    }

    /// Moves to the beginning of the next leaf; false when there is none.
    fn next_leaf(&mut self, root: &Node) -> bool {
        let mut turn = None;
        let (mut node, mut depth) = (root, 0);
        while let Node::Branch(branch) = node {
            let child = usize::from(self.path[depth]);
            if child + 1 < branch.children.len() {
                turn = Some(depth);
            }
            node = &branch.children[child].node;
            depth += 1;
        }
        let Some(turn) = turn else { return false };
        self.path[turn] += 1;
        self.path[turn + 1..].fill(0);
        self.index = 0;
        true
    }

    /// Moves to the end of the leaf before; false when there is none.
    fn previous_leaf(&mut self, root: &Node) -> bool {
        let Some(turn) = self.path.iter().rposition(|&child| child > 0) else { return false };
        self.path[turn] -= 1;
        self.path[turn + 1..].fill(0);
        let mut node = root;
        for depth in 0..=turn {
            let Node::Branch(branch) = node else { unreachable!("a path turns at branches") };
            node = &branch.children[usize::from(self.path[depth])].node;
        }
        self.descend_last(node, turn + 1);
        true
    }
}

/// The row ids between two positions. Owns a clone of the tree, so it reads the tree as it was.
pub(super) struct Rows {
    root: Node,
    /// The leaf of `front`, or of `back` when walking backwards.
    leaf: Shared<Entries>,
    front: Position,
    back: Position,
    reverse: bool,
}

impl Rows {
    pub(super) fn new(root: &Node, front: Position, back: Position, reverse: bool) -> Rows {
        let leaf = Shared::clone(if reverse { back.leaf(root) } else { front.leaf(root) });
        Rows { root: root.clone(), leaf, front, back, reverse }
    }

    fn forward(&mut self) -> Option<RowId> {
        while self.front < self.back {
            if self.front.index < self.leaf.len() {
                self.front.index += 1;
                return Some(self.leaf.row(self.front.index - 1));
            }
            if !self.front.next_leaf(&self.root) {
                return None;
            }
            self.leaf = Shared::clone(self.front.leaf(&self.root));
        }
        None
    }

    fn backward(&mut self) -> Option<RowId> {
        while self.front < self.back {
            if self.back.index > 0 {
                self.back.index -= 1;
                return Some(self.leaf.row(self.back.index));
            }
            if !self.back.previous_leaf(&self.root) {
                return None;
            }
            self.leaf = Shared::clone(self.back.leaf(&self.root));
        }
        None
    }
}

impl Iterator for Rows {
    type Item = RowId;

    fn next(&mut self) -> Option<RowId> {
        if self.reverse { self.backward() } else { self.forward() }
    }
}
