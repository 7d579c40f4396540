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

/// Stack of the thread that parses deep text: bytes of address space. The C parser uses at most 2 MB of it, the decoder what it needs.
const PARSER_STACK: usize = 256 * 1024 * 1024;
/// Nesting that any stack can take.
const HARMLESS_NESTING: usize = 250;

/// Runs the parser and decoder. The C parser measures the stack of its thread, so that text which may nest deeply needs a thread of its
/// own (some 30 microseconds), not a grown stack.
pub(crate) fn on_parser_stack<T: Send>(sql: &str, run: impl FnOnce() -> T + Send) -> Result<T> {
    if sql.len() < HARMLESS_NESTING || largest_nesting(sql) < HARMLESS_NESTING {
        return Ok(run());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(PARSER_STACK).spawn_scoped(scope, run);
        let thread = thread.map_err(|_| Error::new(SqlState::INSUFFICIENT_RESOURCES, "could not start a thread for parsing"))?;
        thread.join().map_err(|_| Error::internal("the parser's thread failed"))
    })
}

/// A bound on how deep a text can nest: brackets that are open at once, and operators and words in one chain of them.
fn largest_nesting(sql: &str) -> usize {
    let (mut open, mut deepest, mut operators) = (0usize, 0usize, 0usize);
    for byte in sql.bytes() {
        match byte {
            b'(' | b'[' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b')' | b']' => open = open.saturating_sub(1),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'|' | b'<' | b'>' | b'=' | b'~' | b'!' | b'@' | b'#' | b'&' | b':' | b'.' => {
                operators += 1;
            }
            // Operators between commas or semicolons chain, those of different list items do not.
            b',' | b';' => {
                deepest = deepest.max(open + operators);
                operators = 0;
            }
            b' ' | b'\n' | b'\t' => operators += 1,
            _ => {}
        }
    }
    deepest.max(open + operators)
}

/// 54001 past the depth that is allowed.
pub(crate) fn check(depth: usize) -> Result<()> {
    if depth > DEPTH_LIMIT {
        return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint(STACK_HINT));
    }
    Ok(())
}
