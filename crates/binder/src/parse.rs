//! SQL text to PostgreSQL's raw syntax tree, one node a statement; syntax errors as PostgreSQL words and places them.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use pg_query::protobuf::{self, Node};
use types::{Error, Result, SqlState};

mod copy_format;
mod library;

/// One statement of a query string.
#[derive(Clone, Debug)]
pub struct ParsedStatement {
    pub node: Node,
    /// Where its text begins: bytes into the query string.
    pub location: usize,
    /// How many bytes of text it has, the semicolon left out.
    pub length: usize,
}

/// The statements of a query string; empty ones are dropped.
///
/// Errors: 42601 and the few others of PostgreSQL's scanner and grammar; 54001 for text nested too deeply. Positions are byte offset + 1.
pub fn parse(sql: &str) -> Result<Vec<ParsedStatement>> {
    if let Some(at) = memchr_nul(sql) {
        return Err(Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": 0x00")
            .at(Some(at + 1)));
    }
    let tree = tree_of(sql)?;
    let statements = tree.stmts.into_iter().filter_map(|raw| {
        let location = usize::try_from(raw.stmt_location).unwrap_or(0).min(sql.len());
        let length = match usize::try_from(raw.stmt_len) {
            Ok(0) | Err(_) => sql.len() - location,
            Ok(length) => length,
        };
        raw.stmt.map(|node| ParsedStatement { node: *node, location, length })
    });
    Ok(statements.collect())
}

/// Whether a text may nest so deeply that reading it takes many megabytes of stack.
pub fn may_be_deep(sql: &str) -> bool {
    crate::deep::may_be_deep(sql)
}

fn tree_of(sql: &str) -> Result<protobuf::ParseResult> {
    let read = |sql: &str| crate::deep::on_parser_stack(sql, || library::parse(sql))?;
    let refused = match read(sql) {
        Ok(tree) => return Ok(tree),
        Err(error) => error,
    };
    let mut text = copy_format::replaced(sql, &refused);
    for replacements in 1..=copy_format::MOST {
        let Some(again) = text else { break };
        match read(&again) {
            Ok(mut tree) => {
                if copy_format::restore(&mut tree, replacements) {
                    return Ok(tree);
                }
                break;
            }
            Err(error) => text = copy_format::replaced(&again, &error),
        }
    }
    Err(refused)
}

/// Parses the text of one expression: a stored default, a constraint, an index expression.
pub fn parse_expression(text: &str) -> Result<Node> {
    const PREFIX: &str = "SELECT ";
    let mut statements = parse(&format!("{PREFIX}{text}"))?;
    let select = match (statements.pop().and_then(|statement| statement.node.node), statements.is_empty()) {
        (Some(protobuf::node::Node::SelectStmt(select)), true) => *select,
        _ => return Err(not_one_expression(text)),
    };
    let mut targets = select.target_list;
    match (targets.pop().and_then(|target| target.node), targets.is_empty(), select.from_clause.is_empty()) {
        (Some(protobuf::node::Node::ResTarget(target)), true, true) => {
            target.val.map(|node| *node).ok_or_else(|| not_one_expression(text))
        }
        _ => Err(not_one_expression(text)),
    }
}

thread_local! {
    /// Trees of stored texts: defaults, checks and views are bound again by every statement that touches their table.
    static STORED: RefCell<HashMap<Arc<str>, Arc<Node>>> = RefCell::default();
}

/// How many stored texts a thread remembers before it starts afresh.
const REMEMBERED: usize = 512;

fn remembered(text: &Arc<str>, read: impl FnOnce() -> Result<Node>) -> Result<Arc<Node>> {
    if let Some(node) = STORED.with_borrow(|stored| stored.get(text).cloned()) {
        return Ok(node);
    }
    let node = Arc::new(read()?);
    STORED.with_borrow_mut(|stored| {
        if stored.len() >= REMEMBERED {
            stored.clear();
        }
        stored.insert(text.clone(), node.clone());
    });
    Ok(node)
}

/// The tree of a stored expression.
pub(crate) fn stored_expression(text: &Arc<str>) -> Result<Arc<Node>> {
    remembered(text, || parse_expression(text))
}

/// The tree of a stored query.
pub(crate) fn stored_query(text: &Arc<str>) -> Result<Arc<Node>> {
    remembered(text, || match parse(text)?.into_iter().next() {
        Some(statement) => Ok(statement.node),
        None => Err(Error::internal("a stored query is empty")),
    })
}

/// Parses comma-separated expressions: a function's stored defaults.
pub(crate) fn parse_expressions(text: &str) -> Result<Vec<Node>> {
    let mut statements = parse(&format!("SELECT {text}"))?;
    match statements.pop().and_then(|statement| statement.node.node) {
        Some(protobuf::node::Node::SelectStmt(select)) => select
            .target_list
            .into_iter()
            .map(|target| match target.node {
                Some(protobuf::node::Node::ResTarget(target)) => {
                    target.val.map(|node| *node).ok_or_else(|| not_one_expression(text))
                }
                _ => Err(not_one_expression(text)),
            })
            .collect(),
        _ => Err(not_one_expression(text)),
    }
}

fn not_one_expression(text: &str) -> Error {
    Error::new(SqlState::SYNTAX_ERROR, format!("not a single expression: {text}"))
}

fn memchr_nul(sql: &str) -> Option<usize> {
    sql.bytes().position(|byte| byte == 0)
}

/// The error for a refusal of the parser: its message decides the SQLSTATE. `position` counts characters from 1; 0 is unknown.
fn syntax_error(sql: &str, message: &str, position: usize) -> Error {
    let sqlstate = match message {
        "stack depth limit exceeded" => SqlState::STATEMENT_TOO_COMPLEX,
        _ if message.starts_with("memory exhausted") || message.starts_with("parse tree is nested too deeply") => {
            SqlState::STATEMENT_TOO_COMPLEX
        }
        _ if message.ends_with("is not supported")
            || message.ends_with("not supported")
            || message.contains("not yet implemented")
            || message.contains("are not implemented") =>
        {
            SqlState::FEATURE_NOT_SUPPORTED
        }
        _ if message.starts_with("frame start") || message.starts_with("frame end") => SqlState::WINDOWING_ERROR,
        _ => SqlState::SYNTAX_ERROR,
    };
    let message = if sqlstate == SqlState::STATEMENT_TOO_COMPLEX { "stack depth limit exceeded" } else { message };
    let mut error = Error::new(sqlstate, message);
    if sqlstate == SqlState::STATEMENT_TOO_COMPLEX {
        return error.hint(crate::deep::STACK_HINT);
    }
    if let Some(ordinal) = position.checked_sub(1) {
        let offset = sql.char_indices().nth(ordinal).map_or(sql.len(), |(at, _)| at);
        error = error.at(Some(offset + 1));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(sql: &str) -> (String, Option<usize>) {
        let error = parse(sql).expect_err(sql);
        (error.message().to_string(), error.fields().position)
    }

    #[test]
    fn syntax_errors_are_postgresqls() {
        assert_eq!(error("SELECT 1 FROM WHERE"), ("syntax error at or near \"WHERE\"".into(), Some(15)));
        assert_eq!(error("SELECT (1"), ("syntax error at end of input".into(), Some(10)));
        assert_eq!(error("SELECT 'abc"), ("unterminated quoted string at or near \"'abc\"".into(), Some(8)));
        assert_eq!(error("SELECT 'é', FROM )"), ("syntax error at or near \"FROM\"".into(), Some(14)));
    }

    #[test]
    fn statements_know_their_text() {
        let statements = parse("SELECT 1;; SELECT 'x' ; ").expect("valid");
        assert_eq!(statements.len(), 2);
        let texts: Vec<_> = statements.iter().map(|s| &"SELECT 1;; SELECT 'x' ; "[s.location..s.location + s.length]).collect();
        assert_eq!(texts[0], "SELECT 1");
        assert_eq!(texts[1].trim(), "SELECT 'x'");
    }

    #[test]
    fn deep_nesting_is_refused_not_fatal() {
        for depth in [1_000, 20_000, 200_000] {
            let sql = format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth));
            let _ = parse(&sql);
            let sql = format!("SELECT {}1", "1 + ".repeat(depth));
            if let Err(error) = parse(&sql) {
                assert_eq!(error.sqlstate(), SqlState::STATEMENT_TOO_COMPLEX);
            }
            let sql = format!("SELECT {}1", "- ".repeat(depth));
            if let Err(error) = parse(&sql) {
                assert_eq!(error.sqlstate(), SqlState::STATEMENT_TOO_COMPLEX);
            }
        }
    }
}
