//! An expression as the tree that matching follows.
//!
//! As in Henry Spencer's library, which is PostgreSQL's: what holds no group and does not mix greedy with lazy quantifiers stays one
//! [`Kind::Plain`] node, matched by an automaton alone; only the rest has structure. A node's preference is that of the first quantified
//! atom in it, and that of several branches is the longest match.

use std::cell::OnceCell;

use super::automaton::Automaton;

/// What a node prefers and contains, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits(u8);

impl Traits {
    pub(super) const NONE: Traits = Traits(0);
    pub(super) const LONGEST: Traits = Traits(1);
    pub(super) const SHORTEST: Traits = Traits(2);
    pub(super) const CAPTURES: Traits = Traits(8);
    /// The automaton accepts more than the expression does, for back references and look-around: a match has to be dissected to be one.
    pub(super) const INEXACT: Traits = Traits(16);

    pub(super) fn has(self, other: Traits) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn with(self, other: Traits) -> Traits {
        Traits(self.0 | other.0)
    }

    pub(super) fn preference(self) -> Traits {
        Traits(self.0 & 3)
    }

    /// What it means to what is around: contents without the preference, and whether greedy and lazy quantifiers are mixed in it.
    fn contents(self) -> Traits {
        const MIXED: u8 = 4;
        let mixed = if self.0 & 3 == 3 { MIXED } else { 0 };
        Traits((self.0 & !3) | mixed)
    }

    /// Of a node with these two parts in this order.
    pub(super) fn then(self, next: Traits) -> Traits {
        let preference = if self.preference() == Traits::NONE { next.preference() } else { self.preference() };
        self.with(next).contents().with(preference)
    }

    /// As a branch among others.
    pub(super) fn as_branch(self, branch: Traits) -> Traits {
        self.with(self.with(branch).contents())
    }

    /// Whether a node of these parts needs structure.
    pub(super) fn is_structured(self) -> bool {
        self.contents().0 != 0
    }
}

pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) traits: Traits,
    /// The groups, from 1, that this node is; several when groups contain nothing but each other.
    pub(super) captures: Vec<usize>,
    /// The expression in the dialect of regex-syntax, without groups; where `INEXACT`, one that accepts at least as much.
    pub(super) pattern: String,
    /// Compiled when first needed.
    pub(super) automaton: OnceCell<Automaton>,
}

pub(super) enum Kind {
    Plain,
    /// One after the other. Each takes what it prefers of what those before have left.
    Sequence(Vec<Part>),
    Branches(Vec<Node>),
    /// `max` is None when there is no bound.
    Repeat {
        node: Box<Node>,
        min: u32,
        max: Option<u32>,
    },
    BackReference {
        group: usize,
        min: u32,
        max: Option<u32>,
    },
    Look(Look),
}

/// One of a sequence, and the automaton of it and all that follow it.
pub(super) struct Part {
    pub(super) node: Node,
    pub(super) rest: OnceCell<Automaton>,
}

/// A constraint on what is around a place.
pub(super) struct Look {
    pub(super) behind: bool,
    pub(super) negative: bool,
    /// For looking behind: an expression whose pattern begins with whatever is before it.
    pub(super) node: Box<Node>,
}

impl Node {
    pub(super) fn plain(pattern: String, traits: Traits) -> Node {
        Node { kind: Kind::Plain, traits, captures: Vec::new(), pattern, automaton: OnceCell::new() }
    }

    pub(super) fn new(kind: Kind, traits: Traits, pattern: String) -> Node {
        Node { kind, traits, captures: Vec::new(), pattern, automaton: OnceCell::new() }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.kind, Kind::Plain) && self.captures.is_empty()
    }

    /// The groups within, its own among them.
    pub(super) fn all_captures(&self) -> Vec<usize> {
        let mut captures = self.captures.clone();
        match &self.kind {
            Kind::Plain | Kind::BackReference { .. } | Kind::Look(_) => {}
            Kind::Sequence(parts) => captures.extend(parts.iter().flat_map(|part| part.node.all_captures())),
            Kind::Branches(branches) => captures.extend(branches.iter().flat_map(Node::all_captures)),
            Kind::Repeat { node, .. } => captures.extend(node.all_captures()),
        }
        captures
    }

    /// Repeated, in regex-syntax.
    pub(super) fn repeated_pattern(&self, min: u32, max: Option<u32>) -> String {
        let pattern = &self.pattern;
        match (min, max) {
            (1, Some(1)) => pattern.clone(),
            (min, Some(max)) => format!("(?:{pattern}){{{min},{max}}}"),
            (min, None) => format!("(?:{pattern}){{{min},}}"),
        }
    }
}

/// The parts of a branch, right to left, become one node: neighbours that turn out to need no structure are one automaton's.
pub(super) fn sequence(mut parts: Vec<Node>) -> Node {
    parts.retain(|part| !(part.is_plain() && part.pattern.is_empty()));
    while let [.., before, last] = &parts[..]
        && before.is_plain()
        && last.is_plain()
        && !before.traits.with(last.traits).is_structured()
    {
        let pattern = format!("{}{}", before.pattern, last.pattern);
        let traits = before.traits.then(last.traits);
        parts.truncate(parts.len() - 2);
        parts.push(Node::plain(pattern, traits));
    }
    match parts.len() {
        0 => Node::plain(String::new(), Traits::NONE),
        1 => parts.remove(0),
        _ => {
            let traits = parts.iter().rev().fold(Traits::NONE, |rest, part| part.traits.then(rest));
            let pattern = parts.iter().map(|part| part.pattern.as_str()).collect();
            let parts = parts.into_iter().map(|node| Part { node, rest: OnceCell::new() }).collect();
            Node::new(Kind::Sequence(parts), traits, pattern)
        }
    }
}
