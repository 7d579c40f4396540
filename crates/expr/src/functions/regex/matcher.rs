//! Matching a tree: an automaton finds a span, and dissecting the span finds the groups.
//!
//! A match is the leftmost; of those that begin there, the longest or the shortest, as the whole expression prefers. Within the span, each
//! part of a sequence takes the longest (or shortest) piece that lets the rest match, an earlier branch goes before a later, and a group
//! in a repetition is as its last round left it.

use std::cell::OnceCell;

use regex_automata::{Input, meta, nfa::thompson::WhichCaptures};
use types::{Error, Result, SqlState};

use super::{
    Match,
    automaton::{Automaton, SIZE_LIMIT, syntax, too_complex},
    next_character,
    tree::{Kind, Look, Node, Part, Traits},
};

/// How many bytes automata may read for one match: back references make some expressions take exponential time.
const WORK_LIMIT: usize = 1 << 30;
/// Stack that one level of dissecting may need, and how much more it gets when there is less.
const RED_ZONE: usize = 64 << 10;
const STACK_CHUNK: usize = 1 << 20;

/// A compiled tree.
pub(super) struct Matcher {
    tree: Node,
    ignore_case: bool,
    group_count: usize,
    /// Finds where matches begin.
    search: meta::Regex,
}

impl Matcher {
    /// Error: 2201B for an expression that is too large.
    pub(super) fn new(tree: Node, ignore_case: bool, group_count: usize) -> Result<Matcher> {
        let config = meta::Config::new().nfa_size_limit(Some(SIZE_LIMIT)).which_captures(WhichCaptures::Implicit);
        let search = meta::Regex::builder().configure(config).syntax(syntax(ignore_case)).build(&tree.pattern);
        Ok(Matcher { tree, ignore_case, group_count, search: search.map_err(|_| too_complex())? })
    }

    pub(super) fn is_match(&self, text: &str) -> Result<bool> {
        if self.tree.traits.has(Traits::INEXACT) {
            Ok(self.find_from(text, 0)?.is_some())
        } else {
            Ok(self.search.is_match(text))
        }
    }

    /// The first match that begins at this byte or after.
    pub(super) fn find_from(&self, text: &str, start: usize) -> Result<Option<Match>> {
        let mut attempt = Attempt { matcher: self, text, groups: vec![None; self.group_count + 1], work_left: WORK_LIMIT };
        let mut from = start;
        while from <= text.len() {
            let Some(found) = self.search.find(Input::new(text).range(from..)) else { return Ok(None) };
            let begin = found.start();
            if let Some(end) = attempt.match_at(&self.tree, begin)? {
                attempt.groups[0] = Some(begin..end);
                return Ok(Some(attempt.groups));
            }
            from = next_character(text, begin);
        }
        Ok(None)
    }
}

/// One search for a match in a text.
struct Attempt<'a> {
    matcher: &'a Matcher,
    text: &'a str,
    /// What the groups hold so far; the whole match first.
    groups: Match,
    work_left: usize,
}

impl<'a> Attempt<'a> {
    /// Where the match of a node that begins here ends, its groups set.
    fn match_at(&mut self, node: &'a Node, begin: usize) -> Result<Option<usize>> {
        let shortest = node.traits.has(Traits::SHORTEST);
        if !node.traits.is_structured() {
            return if shortest { self.shortest(node, begin, begin) } else { self.longest(node, begin, self.text.len()) };
        }
        let mut next = if shortest { self.shortest(node, begin, begin)? } else { self.longest(node, begin, self.text.len())? };
        while let Some(end) = next {
            if self.dissect(node, begin, end)? {
                return Ok(Some(end));
            }
            next = self.next_end(node, begin, end, self.text.len())?;
        }
        Ok(None)
    }

    /// The next place to try after this one, as the node prefers.
    fn next_end(&mut self, node: &'a Node, begin: usize, tried: usize, limit: usize) -> Result<Option<usize>> {
        if node.traits.has(Traits::SHORTEST) {
            let next = next_character(self.text, tried);
            return if next > limit { Ok(None) } else { Ok(self.shortest(node, begin, next)?.filter(|end| *end <= limit)) };
        }
        if tried == begin { Ok(None) } else { self.longest(node, begin, self.previous(tried)) }
    }

    /// The start of the character before this place.
    fn previous(&self, at: usize) -> usize {
        at - self.text[..at].chars().next_back().map_or(1, char::len_utf8)
    }

    fn spend(&mut self, bytes: usize) -> Result<()> {
        let left = self.work_left.checked_sub(bytes + 1);
        let message = "regular expression failed: the work it takes exceeds what one match may take";
        self.work_left = left.ok_or_else(|| Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))?;
        Ok(())
    }

    /// The last place up to `limit` where a match that begins at `begin` can end.
    fn longest(&mut self, node: &'a Node, begin: usize, limit: usize) -> Result<Option<usize>> {
        self.longest_by(compiled(&node.automaton, || node.pattern.clone(), self.matcher.ignore_case)?, begin, limit)
    }

    fn longest_by(&mut self, automaton: &Automaton, begin: usize, limit: usize) -> Result<Option<usize>> {
        self.spend(limit - begin)?;
        let mut last = None;
        automaton.ends(self.text, begin, limit, |end| {
            last = Some(end);
            true
        })?;
        Ok(last)
    }

    /// The first place from `least` on where a match that begins at `begin` can end.
    fn shortest(&mut self, node: &'a Node, begin: usize, least: usize) -> Result<Option<usize>> {
        let automaton = compiled(&node.automaton, || node.pattern.clone(), self.matcher.ignore_case)?;
        let mut first = None;
        automaton.ends(self.text, begin, self.text.len(), |end| {
            first = (end >= least).then_some(end);
            first.is_none()
        })?;
        self.spend(first.unwrap_or(self.text.len()) - begin)?;
        Ok(first)
    }

    /// Whether a node matches exactly this span, its groups set if so and unset if not.
    fn dissect(&mut self, node: &'a Node, begin: usize, end: usize) -> Result<bool> {
        stacker::maybe_grow(RED_ZONE, STACK_CHUNK, || {
            let matches = match &node.kind {
                Kind::Plain => true,
                Kind::Sequence(parts) => self.dissect_sequence(parts, begin, end)?,
                Kind::Branches(branches) => self.dissect_branches(branches, begin, end)?,
                Kind::Repeat { node, min, max } => self.dissect_rounds(node, *min, *max, begin, end)?,
                Kind::BackReference { group, min, max } => self.repeats_group(*group, *min, *max, begin, end),
                Kind::Look(look) => begin == end && self.look(look, begin)?,
            };
            if matches {
                for group in &node.captures {
                    self.groups[*group] = Some(begin..end);
                }
            } else {
                self.forget(node);
            }
            Ok(matches)
        })
    }

    fn forget(&mut self, node: &Node) {
        for group in node.all_captures() {
            self.groups[group] = None;
        }
    }

    fn dissect_sequence(&mut self, parts: &'a [Part], begin: usize, end: usize) -> Result<bool> {
        let [first, rest @ ..] = parts else { return Ok(begin == end) };
        let Some(second) = rest.first() else { return self.dissect(&first.node, begin, end) };
        let shortest = first.node.traits.has(Traits::SHORTEST);
        let mut next = if shortest {
            self.shortest(&first.node, begin, begin)?.filter(|middle| *middle <= end)
        } else {
            self.longest(&first.node, begin, end)?
        };
        let pattern = || rest.iter().map(|part| part.node.pattern.as_str()).collect();
        let automaton = compiled(&second.rest, pattern, self.matcher.ignore_case)?;
        while let Some(middle) = next {
            if self.longest_by(automaton, middle, end)? == Some(end)
                && self.dissect(&first.node, begin, middle)?
                && stacker::maybe_grow(RED_ZONE, STACK_CHUNK, || self.dissect_sequence(rest, middle, end))?
            {
                return Ok(true);
            }
            self.forget(&first.node);
            next = self.next_end(&first.node, begin, middle, end)?;
        }
        Ok(false)
    }

    fn dissect_branches(&mut self, branches: &'a [Node], begin: usize, end: usize) -> Result<bool> {
        for branch in branches {
            if self.longest(branch, begin, end)? == Some(end) && self.dissect(branch, begin, end)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Divides a span into rounds of a node. An empty round is taken only where `min` asks for it.
    fn dissect_rounds(&mut self, node: &'a Node, min: u32, max: Option<u32>, begin: usize, end: usize) -> Result<bool> {
        if min == 0 && begin == end {
            // One empty round, if there can be one, sets the groups; none at all also matches.
            if self.longest(node, begin, end)?.is_some() {
                self.dissect(node, begin, end)?;
            } else {
                self.forget(node);
            }
            return Ok(true);
        }
        let least = min.max(1) as usize;
        let most = (end - begin).min(max.map_or(usize::MAX, |max| max as usize)).max(least);
        let shortest = node.traits.has(Traits::SHORTEST);
        // Where each round ends.
        let mut ends = Vec::new();
        let start = |ends: &[usize]| ends.last().copied().unwrap_or(begin);
        let mut next = self.first_round_end(node, begin, end)?;
        loop {
            let from = start(&ends);
            let left = least.saturating_sub(ends.len());
            // Rounds still asked for can be empty only when there is too little text for them.
            let acceptable = next.filter(|next| *next > from || left > end - from);
            let Some(to) = acceptable else {
                if let Some(empty) = next
                    && shortest
                {
                    next = self.next_end(node, from, empty, end)?;
                    continue;
                }
                let Some(last) = ends.pop() else { return Ok(false) };
                next = self.next_end(node, start(&ends), last, end)?;
                continue;
            };
            ends.push(to);
            if to == end && ends.len() >= least && self.verify_rounds(node, begin, &ends)? {
                return Ok(true);
            }
            if ends.len() < most && (to < end || ends.len() < least) {
                next = self.first_round_end(node, to, end)?;
            } else {
                ends.pop();
                next = self.next_end(node, from, to, end)?;
            }
        }
    }

    fn first_round_end(&mut self, node: &'a Node, begin: usize, limit: usize) -> Result<Option<usize>> {
        if node.traits.has(Traits::SHORTEST) {
            Ok(self.shortest(node, begin, begin)?.filter(|end| *end <= limit))
        } else {
            self.longest(node, begin, limit)
        }
    }

    fn verify_rounds(&mut self, node: &'a Node, begin: usize, ends: &[usize]) -> Result<bool> {
        let mut from = begin;
        for to in ends {
            self.forget(node);
            if !self.dissect(node, from, *to)? {
                return Ok(false);
            }
            from = *to;
        }
        Ok(true)
    }

    /// Whether a span is what a group holds, so many times.
    fn repeats_group(&self, group: usize, min: u32, max: Option<u32>, begin: usize, end: usize) -> bool {
        let Some(held) = self.groups[group].clone() else { return false };
        let (held, span) = (&self.text[held], &self.text[begin..end]);
        if held.is_empty() || span.is_empty() {
            return span.is_empty() && (held.is_empty() || min == 0);
        }
        let same = |part: &str| part == held || (self.matcher.ignore_case && part.to_lowercase() == held.to_lowercase());
        let length = held.chars().count();
        let characters: Vec<char> = span.chars().collect();
        let times = characters.len() / length;
        characters.len().is_multiple_of(length)
            && times >= min as usize
            && max.is_none_or(|max| times <= max as usize)
            && characters.chunks(length).all(|part| same(&part.iter().collect::<String>()))
    }

    fn look(&mut self, look: &'a Look, at: usize) -> Result<bool> {
        let found = if look.behind {
            if look.node.traits.has(Traits::INEXACT) {
                self.look_behind_from_each(&look.node, at)?
            } else {
                let pattern = || format!("(?s:.)*(?:{})", look.node.pattern);
                let automaton = compiled(&look.node.automaton, pattern, self.matcher.ignore_case)?;
                self.longest_by(automaton, 0, at)? == Some(at)
            }
        } else {
            self.match_at(&look.node, at)?.is_some()
        };
        Ok(found != look.negative)
    }

    fn look_behind_from_each(&mut self, node: &'a Node, at: usize) -> Result<bool> {
        for begin in self.text[..at].char_indices().map(|(begin, _)| begin).chain([at]) {
            if self.longest(node, begin, at)? == Some(at) && self.dissect(node, begin, at)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The automaton in a cell, made when it is not there yet.
fn compiled(cell: &OnceCell<Automaton>, pattern: impl FnOnce() -> String, ignore_case: bool) -> Result<&Automaton> {
    if let Some(automaton) = cell.get() {
        return Ok(automaton);
    }
    let automaton = Automaton::new(&pattern(), ignore_case)?;
    Ok(cell.get_or_init(|| automaton))
}
