//! A statement's text with parameters in place of its literals: what pg_stat_statements knows it by. Comments and spaces stay.

use std::{
    fmt::Write,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use crate::statistics::class_of;

/// What a statement is known by: its text without literals, and a number for it that is the same in every process.
#[derive(Clone, Debug)]
pub(crate) struct StatementName {
    pub id: i64,
    pub text: Arc<str>,
    /// Its place in [`crate::statistics::CLASSES`].
    pub class: usize,
}

impl StatementName {
    /// See [`without_literals`].
    pub(crate) fn new(sql: &str, renumber: bool) -> StatementName {
        let text = without_literals(sql.trim().trim_end_matches(';').trim_end(), renumber);
        let id = BuildHasherDefault::<DefaultHasher>::default().hash_one(&text).cast_signed();
        StatementName { id, class: class_of(&text), text: text.into() }
    }
}

/// The text with `$n` for every literal. Parameters that are there keep their numbers, and literals get those after them, unless
/// `renumber`: then all are numbered as they come.
fn without_literals(sql: &str, renumber: bool) -> String {
    let mut scan = Scan { bytes: sql.as_bytes(), at: 0 };
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let mut highest = 0;
    while let Some(token) = scan.token() {
        match token {
            Token::Literal(start) => parts.push((start, scan.at)),
            Token::Parameter(start) if renumber => parts.push((start, scan.at)),
            Token::Parameter(start) => highest = highest.max(sql[start + 1..scan.at].parse::<u32>().unwrap_or(0)),
            Token::Other => {}
        }
    }
    let mut text = String::with_capacity(sql.len());
    let mut copied = 0;
    for ((start, end), number) in parts.into_iter().zip(highest.saturating_add(1)..) {
        text.push_str(&sql[copied..start]);
        // Writing to a String cannot fail.
        let _ = write!(text, "${number}");
        copied = end;
    }
    text.push_str(&sql[copied..]);
    text
}

enum Token {
    /// From here on.
    Literal(usize),
    Parameter(usize),
    Other,
}

/// Cuts a text into tokens at the boundaries of ASCII characters.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_while(&mut self, is: impl Fn(u8) -> bool) {
        while self.bytes.get(self.at).is_some_and(|byte| is(*byte)) {
            self.at += 1;
        }
    }

    fn token(&mut self) -> Option<Token> {
        let start = self.at;
        let first = *self.bytes.get(start)?;
        match first {
            b'\'' => {
                self.quoted(b'\'', false);
                return Some(Token::Literal(start));
            }
            b'"' => self.quoted(b'"', false),
            b'-' if self.peek(1) == b'-' => self.skip_while(|byte| byte != b'\n'),
            b'/' if self.peek(1) == b'*' => self.comment(),
            b'$' if self.peek(1).is_ascii_digit() => {
                self.at += 1;
                self.skip_while(|byte| byte.is_ascii_digit());
                return Some(Token::Parameter(start));
            }
            b'$' => return Some(if self.dollar_quoted() { Token::Literal(start) } else { Token::Other }),
            b'0'..=b'9' => {
                self.number();
                return Some(Token::Literal(start));
            }
            b'.' if self.peek(1).is_ascii_digit() => {
                self.number();
                return Some(Token::Literal(start));
            }
            b'e' | b'E' | b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if self.peek(1) == b'\'' => {
                self.at += 1;
                self.quoted(b'\'', first.eq_ignore_ascii_case(&b'e'));
                return Some(Token::Literal(start));
            }
            byte if is_word(byte) => self.skip_while(|byte| is_word(byte) || byte.is_ascii_digit() || byte == b'$'),
            _ => self.at += 1,
        }
        Some(Token::Other)
    }

    fn quoted(&mut self, quote: u8, escapes: bool) {
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' if escapes => self.at = (self.at + 1).min(self.bytes.len()),
                byte if byte == quote && self.peek(0) == quote => self.at += 1,
                byte if byte == quote => return,
                _ => {}
            }
        }
    }

    /// Comments nest.
    fn comment(&mut self) {
        let mut depth = 0;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
        self.at = self.bytes.len();
    }

    /// `$tag$ ... $tag$`; otherwise a dollar sign is passed.
    fn dollar_quoted(&mut self) -> bool {
        let rest = &self.bytes[self.at + 1..];
        let tag = rest.iter().take_while(|byte| is_word(**byte) || byte.is_ascii_digit()).count();
        if rest.get(tag) != Some(&b'$') {
            self.at += 1;
            return false;
        }
        let mark = &self.bytes[self.at..self.at + tag + 2];
        let body = &self.bytes[self.at + mark.len()..];
        let end = body.windows(mark.len()).position(|window| window == mark);
        self.at = end.map_or(self.bytes.len(), |end| self.at + end + 2 * mark.len());
        true
    }

    fn number(&mut self) {
        self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let exponent = |byte: u8| byte.eq_ignore_ascii_case(&b'e');
        if self.peek(0) == b'.' && self.peek(1) != b'.' {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        }
        if self.at > 0 && exponent(self.bytes[self.at - 1]) && matches!(self.peek(0), b'+' | b'-') {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_become_parameters() {
        for (sql, text) in [
            ("SELECT 1 + 2.5e-3, 'it''s', E'a\\'b', x1 FROM t1", "SELECT $1 + $2, $3, $4, x1 FROM t1"),
            ("SELECT $2, 7 -- 8\n, 9 /* 10 /* */ 11 */", "SELECT $2, $3 -- 8\n, $4 /* 10 /* */ 11 */"),
            ("SELECT \"1\", $$ 2 $$, $a$ $$ $a$, B'01'", "SELECT \"1\", $1, $2, $3"),
            ("SELECT a[1:2], é1, .5, 'open", "SELECT a[$1:$2], é1, $3, $4"),
            ("", ""),
        ] {
            assert_eq!(without_literals(sql, false), text, "{sql}");
        }
        assert_eq!(without_literals("SELECT 1 WHERE a = $1 AND b = 2", true), "SELECT $1 WHERE a = $2 AND b = $3");
    }
}
