//! One automaton of regex-automata: where can a match that begins here end?

use std::cell::RefCell;

use regex_automata::{
    Anchored, Input, MatchKind,
    hybrid::dfa::{Cache, DFA},
    nfa::thompson::{self, WhichCaptures},
    util::syntax,
};
use types::{Error, Result, SqlState};

/// How large an expression may become, in bytes; about what PostgreSQL's limit of states allows.
pub(super) const SIZE_LIMIT: usize = 32 << 20;

pub(super) struct Automaton {
    states: DFA,
    cache: RefCell<Cache>,
}

impl Automaton {
    /// Error: 2201B for an expression that is too large.
    pub(super) fn new(pattern: &str, ignore_case: bool) -> Result<Automaton> {
        let states = DFA::builder()
            .configure(DFA::config().match_kind(MatchKind::All).skip_cache_capacity_check(true))
            .syntax(syntax(ignore_case))
            .thompson(thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(Some(SIZE_LIMIT)))
            .build(pattern)
            .map_err(|_| too_complex())?;
        let cache = RefCell::new(states.create_cache());
        Ok(Automaton { states, cache })
    }

    /// Calls `visit` with each end up to `limit` of a match that begins at `begin`, in ascending order, until it says false.
    pub(super) fn ends(&self, text: &str, begin: usize, limit: usize, mut visit: impl FnMut(usize) -> bool) -> Result<()> {
        let cache = &mut *self.cache.borrow_mut();
        let input = Input::new(text).span(begin..limit).anchored(Anchored::Yes);
        let bytes = text.as_bytes();
        let mut state = self.states.start_state_forward(cache, &input).map_err(|_| too_complex())?;
        // A match is seen one byte after its end, which tells what follows it.
        for (offset, byte) in bytes[begin..limit].iter().enumerate() {
            state = self.states.next_state(cache, state, *byte).map_err(|_| too_complex())?;
            if state.is_match() && !visit(begin + offset) {
                return Ok(());
            }
            if state.is_dead() {
                return Ok(());
            }
        }
        state = match bytes.get(limit) {
            Some(byte) => self.states.next_state(cache, state, *byte),
            None => self.states.next_eoi_state(cache, state),
        }
        .map_err(|_| too_complex())?;
        if state.is_match() {
            visit(limit);
        }
        Ok(())
    }
}

/// How every pattern is read.
pub(super) fn syntax(ignore_case: bool) -> syntax::Config {
    syntax::Config::new().case_insensitive(ignore_case).nest_limit(4 * super::parser::DEEPEST)
}

pub(super) fn too_complex() -> Error {
    Error::new(SqlState::INVALID_REGULAR_EXPRESSION, "invalid regular expression: regular expression is too complex")
}
