//! A persistent radix tree from block numbers to chunks.

use super::Chunk;
use crate::Shared;

const BITS: u32 = 4;
const FANOUT: usize = 1 << BITS;

/// Children of a branch. Few, since copying a branch counts every child's reference.
type Children = [Node; FANOUT];

#[derive(Clone, Debug, Default)]
enum Node {
    #[default]
    Empty,
    Branch(Shared<Children>),
    Leaf(Shared<Chunk>),
}

/// Chunks by block number. Cloning is O(1).
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    root: Node,
    /// Levels of branches above the leaves: block numbers are below `FANOUT^height`.
    height: u32,
}

fn child_at(block: u64, level: u32) -> usize {
    (block >> (BITS * level)) as usize % FANOUT
}

impl Blocks {
    fn covers(&self, block: u64) -> bool {
        block.checked_shr(BITS * self.height).unwrap_or(0) == 0
    }

    pub(super) fn get(&self, block: u64) -> Option<&Shared<Chunk>> {
        if !self.covers(block) {
            return None;
        }
        let mut node = &self.root;
        let mut level = self.height;
        loop {
            match node {
                Node::Empty => return None,
                Node::Leaf(chunk) => return Some(chunk),
                Node::Branch(children) => {
                    level -= 1;
                    node = &children[child_at(block, level)];
                }
            }
        }
    }

    /// The path to the chunk is unshared; whether the chunk is, is the caller's to see to.
    pub(super) fn get_mut(&mut self, block: u64) -> Option<&mut Shared<Chunk>> {
        if !self.covers(block) {
            return None;
        }
        let mut node = &mut self.root;
        let mut level = self.height;
        loop {
            match node {
                Node::Empty => return None,
                Node::Leaf(chunk) => return Some(chunk),
                Node::Branch(children) => {
                    level -= 1;
                    node = &mut Shared::make_mut(children)[child_at(block, level)];
                }
            }
        }
    }

    pub(super) fn get_or_insert(&mut self, block: u64, new: impl FnOnce() -> Shared<Chunk>) -> &mut Shared<Chunk> {
        while !self.covers(block) {
            let below = std::mem::take(&mut self.root);
            if !matches!(below, Node::Empty) {
                let mut children = Children::default();
                children[0] = below;
                self.root = Node::Branch(Shared::new(children));
            }
            self.height += 1;
        }
        let mut node = &mut self.root;
        for level in (0..self.height).rev() {
            if matches!(node, Node::Empty) {
                *node = Node::Branch(Shared::default());
            }
            match node {
                Node::Branch(children) => node = &mut Shared::make_mut(children)[child_at(block, level)],
                Node::Empty | Node::Leaf(_) => unreachable!("above the leaves there are branches"),
            }
        }
        if matches!(node, Node::Empty) {
            *node = Node::Leaf(new());
        }
        match node {
            Node::Leaf(chunk) => chunk,
            Node::Empty | Node::Branch(_) => unreachable!("the lowest level holds leaves"),
        }
    }

    pub(super) fn insert(&mut self, block: u64, chunk: Shared<Chunk>) {
        let placed = Shared::clone(&chunk);
        *self.get_or_insert(block, || placed) = chunk;
    }

    pub(super) fn remove(&mut self, block: u64) {
        if self.covers(block) {
            remove_below(&mut self.root, block, self.height);
            if matches!(self.root, Node::Empty) {
                self.height = 0;
            }
        }
    }

    /// The first chunk whose block number is not below `block`.
    pub(super) fn at_or_after(&self, block: u64) -> Option<(u64, &Shared<Chunk>)> {
        if !self.covers(block) { None } else { first_below(&self.root, block, self.height) }
    }

    pub(super) fn last(&self) -> Option<&Chunk> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Empty => return None,
                Node::Leaf(chunk) => return Some(chunk),
                Node::Branch(children) => {
                    node = children
                        .iter()
                        .rev()
                        .find(|child| !matches!(child, Node::Empty))
                        .expect("a branch that loses its last child is removed");
                }
            }
        }
    }
}

/// `level` is the number of levels below `node`; the found number has the bits of `block` above them.
fn first_below(node: &Node, block: u64, level: u32) -> Option<(u64, &Shared<Chunk>)> {
    match node {
        Node::Empty => None,
        Node::Leaf(chunk) => Some((block, chunk)),
        Node::Branch(children) => {
            let level = level - 1;
            let from = child_at(block, level);
            (from..FANOUT).find_map(|child| {
                // Children after the first are searched from their beginning.
                let unit = BITS * level;
                let start = if child == from { block } else { ((block >> unit) + (child - from) as u64) << unit };
                first_below(&children[child], start, level)
            })
        }
    }
}

fn remove_below(node: &mut Node, block: u64, level: u32) {
    match node {
        Node::Empty => {}
        Node::Leaf(_) => *node = Node::Empty,
        Node::Branch(children) => {
            let children = Shared::make_mut(children);
            remove_below(&mut children[child_at(block, level - 1)], block, level - 1);
            if children.iter().all(|child| matches!(child, Node::Empty)) {
                *node = Node::Empty;
            }
        }
    }
}
