//! Recursion without a limit of its own: the stack grows by pieces until a bound, past which the statement is refused.

use pg_query::protobuf::{Node, SelectStmt, node::Node as Ast};
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

/// Stack of the thread that parses deep text: bytes. It decides how deep a statement may nest (some 1,300 operators), because the C
/// parser refuses what its thread cannot hold, less half a megabyte.
const PARSER_STACK: usize = 1536 * 1024;
/// Stack for recursion that cannot grow by pieces (decoders, derived clones) over what the parser has accepted: bytes of address space.
const ROOMY_STACK: usize = 256 * 1024 * 1024;
/// Nesting that any stack can take.
pub(crate) const HARMLESS_NESTING: usize = 250;

/// Runs the parser and decoder. The C parser measures the stack of its thread, so that text which may nest deeply needs a thread of its
/// own (some 30 microseconds), not a grown stack.
pub(crate) fn on_parser_stack<T: Send>(sql: &str, run: impl FnOnce() -> T + Send) -> Result<T> {
    if !may_be_deep(sql) {
        return Ok(run());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(PARSER_STACK).spawn_scoped(scope, run);
        let thread = thread.map_err(|_| Error::new(SqlState::INSUFFICIENT_RESOURCES, "could not start a thread for parsing"))?;
        thread.join().map_err(|_| Error::internal("the parser's thread failed"))
    })
}

/// Whether a text may nest so deeply that it needs more stack than any thread has.
pub(crate) fn may_be_deep(sql: &str) -> bool {
    sql.len() >= HARMLESS_NESTING && largest_nesting(sql) >= HARMLESS_NESTING
}

fn set_tree_deeper_than(limit: usize, select: &SelectStmt) -> bool {
    limit == 0 || [&select.larg, &select.rarg].into_iter().flatten().any(|side| set_tree_deeper_than(limit - 1, side))
}

/// Whether a tree nests deeply along its first operands, as chains of operators and of set operations do, or along nested calls.
pub(crate) fn is_deep(node: &Node) -> bool {
    fn deeper_than(limit: usize, node: &Node) -> bool {
        if limit == 0 {
            return true;
        }
        let child = |child: &Option<Box<Node>>| child.as_deref().is_some_and(|child| deeper_than(limit - 1, child));
        let any = |nodes: &[Node]| nodes.iter().any(|node| deeper_than(limit - 1, node));
        let select = |select: &SelectStmt| {
            let side = |side: &Option<Box<SelectStmt>>| side.as_deref().is_some_and(|side| set_tree_deeper_than(limit - 1, side));
            any(&select.target_list)
                || any(&select.from_clause)
                || child(&select.where_clause)
                || side(&select.larg)
                || side(&select.rarg)
                || child(&select.having_clause)
        };
        match &node.node {
            Some(Ast::SelectStmt(inner)) => select(inner),
            Some(Ast::ResTarget(target)) => child(&target.val),
            Some(Ast::AExpr(expression)) => child(&expression.lexpr) || child(&expression.rexpr),
            Some(Ast::BoolExpr(expression)) => any(&expression.args),
            Some(Ast::FuncCall(call)) => any(&call.args),
            Some(Ast::TypeCast(cast)) => child(&cast.arg),
            Some(Ast::SubLink(link)) => child(&link.subselect),
            Some(Ast::RangeSubselect(range)) => child(&range.subquery),
            Some(Ast::JoinExpr(join)) => child(&join.larg) || child(&join.rarg),
            Some(Ast::CaseExpr(case)) => child(&case.defresult) || any(&case.args),
            Some(Ast::CaseWhen(when)) => child(&when.expr) || child(&when.result),
            Some(Ast::AIndirection(indirection)) => child(&indirection.arg),
            Some(Ast::AArrayExpr(array)) => any(&array.elements),
            Some(Ast::RowExpr(row)) => any(&row.args),
            Some(Ast::CoalesceExpr(coalesce)) => any(&coalesce.args),
            Some(Ast::NullTest(test)) => child(&test.arg),
            Some(Ast::UpdateStmt(update)) => any(&update.target_list) || child(&update.where_clause),
            Some(Ast::DeleteStmt(delete)) => child(&delete.where_clause),
            Some(Ast::InsertStmt(insert)) => child(&insert.select_stmt),
            _ => false,
        }
    }
    deeper_than(HARMLESS_NESTING, node)
}

/// Runs recursion of a depth that the parser has bounded, on a stack that holds it.
pub(crate) fn roomy<T>(deep: bool, run: impl FnOnce() -> T) -> T {
    if deep { stacker::grow(ROOMY_STACK, run) } else { run() }
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
            b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'|' | b'<' | b'>' | b'=' | b'~' | b'!' | b'@' | b'#' | b'&' | b':'
            | b'.' => {
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
