//! Recursion without a limit of its own: the stack grows by pieces until a bound, past which the statement is refused.

use types::{Error, Result, SqlState};

/// What PostgreSQL says beside 54001.
pub(crate) const STACK_HINT: &str = "Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the \
                                     platform's stack depth limit is adequate.";

/// How deep expressions and queries may nest. The parser refuses a little above 2000.
const DEPTH_LIMIT: usize = 10_000;

/// Room that must be left before a recursive step: bytes.
const RED_ZONE: usize = 192 * 1024;
/// Size of each further piece of stack: bytes.
const PIECE: usize = 4 * 1024 * 1024;

/// Runs a recursive step, on a new piece of stack when little is left.
pub(crate) fn step<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, PIECE, run)
}

/// Runs work whose recursion is bounded by the length of a text and which cannot grow its stack itself.
pub(crate) fn on_large_stack<T>(text_length: usize, run: impl FnOnce() -> T) -> T {
    // A short text cannot nest deeply enough to use up an ordinary stack.
    if text_length < 400 { run() } else { stacker::maybe_grow(64 * 1024 * 1024, 128 * 1024 * 1024, run) }
}

/// 54001 past the depth that is allowed.
pub(crate) fn check(depth: usize) -> Result<()> {
    if depth > DEPTH_LIMIT {
        return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint(STACK_HINT));
    }
    Ok(())
}
