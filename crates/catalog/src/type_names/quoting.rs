//! Identifiers as SQL text: PostgreSQL's quote_identifier and its inverse, the splitting of dotted names.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use types::{Error, Result, SqlState};

/// A word of PostgreSQL's grammar (pg_get_keywords).
#[derive(Debug)]
pub struct Keyword {
    pub word: &'static str,
    /// U (unreserved), C (column name), T (type or function name), R (reserved)
    pub category: char,
    /// Whether it can be a column label without AS.
    pub bare_label: bool,
    pub category_description: &'static str,
    pub bare_description: &'static str,
}

/// PostgreSQL's words in alphabetical order.
pub fn keywords() -> &'static [Keyword] {
    static KEYWORDS: LazyLock<Vec<Keyword>> = LazyLock::new(|| {
        include_str!("../../data/pg_keywords.tsv")
            .lines()
            .filter_map(|line| {
                let mut fields = line.split('\t');
                Some(Keyword {
                    word: fields.next()?,
                    category: fields.next()?.chars().next()?,
                    bare_label: fields.next()? == "t",
                    category_description: fields.next()?,
                    bare_description: fields.next()?,
                })
            })
            .collect()
    });
    &KEYWORDS
}

/// Whether a bare word would be read as something other than an identifier somewhere in the grammar.
fn is_reserved(word: &str) -> bool {
    static RESERVED: LazyLock<HashMap<&str, char>> =
        LazyLock::new(|| keywords().iter().map(|keyword| (keyword.word, keyword.category)).collect());
    RESERVED.get(word).is_some_and(|&category| category != 'U')
}

/// The identifier as it must be written in SQL: bare when that is safe, else in double quotes.
pub fn quote_identifier(name: &str) -> Cow<'_, str> {
    let mut characters = name.bytes();
    let safe = characters.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && characters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !is_reserved(name);
    if safe { Cow::Borrowed(name) } else { Cow::Owned(format!("\"{}\"", name.replace('"', "\"\""))) }
}

/// `schema.name`, each quoted where needed; only the name when there is no schema to print.
pub fn quote_qualified(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{}.{}", quote_identifier(schema), quote_identifier(name)),
        None => quote_identifier(name).into_owned(),
    }
}

/// A string as an SQL literal (quote_literal): backslashes make it an `E''` string.
pub fn quote_literal(text: &str) -> String {
    let escaped = text.replace('\'', "''").replace('\\', "\\\\");
    if text.contains('\\') { format!("E'{escaped}'") } else { format!("'{escaped}'") }
}

/// Cuts `a."B c".d` into its identifiers, folding bare ones to lower case.
///
/// Errors: 42602 invalid name syntax.
pub fn split_qualified_name(text: &str) -> Result<Vec<String>> {
    let malformed = || Error::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut names = Vec::new();
    let mut rest = text.trim_matches(is_space);
    loop {
        let (name, after) = split_identifier(rest).ok_or_else(malformed)?;
        names.push(name);
        let after = after.trim_start_matches(is_space);
        match after.strip_prefix('.') {
            Some(next) => rest = next.trim_start_matches(is_space),
            None if after.is_empty() => return Ok(names),
            None => return Err(malformed()),
        }
    }
}

/// The identifier that the text begins with, bare or quoted, and what follows it.
fn split_identifier(text: &str) -> Option<(String, &str)> {
    if let Some(mut rest) = text.strip_prefix('"') {
        let mut name = String::new();
        loop {
            let end = rest.find('"')?;
            name.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(next) => {
                    name.push('"');
                    rest = next;
                }
                None if name.is_empty() => return None,
                None => return Some((truncate_identifier(name), rest)),
            }
        }
    }
    let end = text.find(|c: char| c == '.' || is_space(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.is_empty()).then(|| (truncate_identifier(fold_case(name)), rest))
}

/// A bare identifier in the case PostgreSQL keeps: ASCII letters go lower.
pub fn fold_case(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// At most 63 bytes, never cutting a character.
pub fn truncate_identifier(mut name: String) -> String {
    const LONGEST: usize = 63;
    if name.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
        name.truncate(end);
    }
    name
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted_where_postgresql_does() {
        for (name, quoted) in [
            ("a", "a"),
            ("_a1", "_a1"),
            ("A", "\"A\""),
            ("1a", "\"1a\""),
            ("a b", "\"a b\""),
            ("a\"b", "\"a\"\"b\""),
            ("select", "\"select\""),
            ("int", "\"int\""),
            ("left", "\"left\""),
            ("name", "name"),
            ("a$", "\"a$\""),
            ("é", "\"é\""),
        ] {
            assert_eq!(quote_identifier(name), quoted);
        }
    }

    #[test]
    fn dotted_names_are_cut() {
        assert_eq!(split_qualified_name("A . \"B.c\"\"\"").expect("well formed"), ["a", "B.c\""]);
        for malformed in ["", "a.", "a b", "\"Foo", ".a", "\"\""] {
            assert_eq!(split_qualified_name(malformed).expect_err("malformed").message(), "invalid name syntax");
        }
    }
}
