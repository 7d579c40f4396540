//! `COPY ... (FORMAT json)`. Before JSON the grammar takes FORMAT for a word of the SQL/JSON clauses, which is no option's name.
//!
//! The parser stops right there; the text is then given to it once more with another word in json's place, as long, so that all positions
//! stay, and the tree gets the right one.

use pg_query::protobuf::{ParseResult, node::Node};
use types::{Error, SqlState};

/// Stands for `json`: as long, and no name that anybody gives.
const STAND_IN: &str = "_jsn";

/// So often one text is parsed anew.
pub(super) const MOST: usize = 100;

/// The text with the next `json` replaced, when that is what the parser stopped at.
pub(super) fn replaced(sql: &str, error: &Error) -> Option<String> {
    let at = error.fields().position.filter(|_| error.sqlstate() == SqlState::SYNTAX_ERROR)?.checked_sub(1)?;
    let (before, rest) = (sql.get(..at)?, sql.get(at..)?);
    let after = rest.get("format".len()..).filter(|_| starts_with_word(rest, "format"))?;
    let json = after.trim_start();
    let end = json.get("json".len()..).filter(|_| after.len() > json.len() && starts_with_word(json, "json"))?;
    Some(format!("{before}{}{STAND_IN}{end}", &rest[..rest.len() - json.len()]))
}

/// Whether a text starts with this word, in either case, and the word ends there.
fn starts_with_word(text: &str, word: &str) -> bool {
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 128;
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        && !text.as_bytes().get(word.len()).is_some_and(goes_on)
}

/// Puts `json` back. False when the replaced word is not COPY's format: then the parser was right to refuse.
pub(super) fn restore(tree: &mut ParseResult, replacements: usize) -> bool {
    let mut restored = 0;
    for raw in &mut tree.stmts {
        let Some(Node::CopyStmt(copy)) = raw.stmt.as_mut().and_then(|node| node.node.as_mut()) else { continue };
        for option in &mut copy.options {
            let Some(Node::DefElem(option)) = &mut option.node else { continue };
            if let Some(Node::String(value)) = option.arg.as_mut().and_then(|argument| argument.node.as_mut())
                && option.defname == "format"
                && value.sval == STAND_IN
            {
                value.sval = "json".to_owned();
                restored += 1;
            }
        }
    }
    restored == replacements
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn json_is_a_format_of_copy() {
        for sql in [
            "COPY t TO STDOUT (FORMAT json)",
            "COPY (SELECT 'FORMAT json') TO STDOUT WITH (HEADER false, format  JSON)",
            "COPY t FROM STDIN (FORMAT json); SELECT 1; COPY t TO STDOUT (FORMAT json)",
        ] {
            let statements = parse(sql).unwrap();
            assert!(format!("{statements:?}").contains("\"json\""), "{sql}");
            assert!(!format!("{statements:?}").contains("_jsn"), "{sql}");
        }
        assert!(format!("{:?}", parse("COPY (SELECT 'FORMAT json') TO STDOUT (FORMAT json)").unwrap()).contains("FORMAT json"));
        for sql in [
            "SELECT 1 FORMAT json",
            "EXPLAIN (FORMAT json, ) SELECT 1",
            "COPY t TO STDOUT (FORMAT json",
            "COPY t TO STDOUT (FORMAT jsonb x)",
        ] {
            assert!(parse(sql).is_err(), "{sql}");
        }
    }
}
