//! The shape of a statement: its text with the literals that only stand for values taken out.
//!
//! Clients that put values into the text send the same statement again and again with other numbers in it. Statements of one shape share
//! one parse tree and one plan, as if the client had prepared them. The rule: a literal is taken out only where a parameter of its type
//! means the same, which is after a comparison, an arithmetic operator, BETWEEN or AND, and in the rows of INSERT ... VALUES. All others
//! (LIMIT 5, ORDER BY 1, numeric(10,2), interval '1 day', LIKE 'a%') stay in the text, and a text that would need a real scanner has no shape.

use std::borrow::Cow;

/// A statement's text with `$1`, `$2`, ... in place of literals, and these.
#[derive(Debug, PartialEq)]
pub(crate) struct StatementShape<'a> {
    /// Which statements share a plan: the text, then a letter for each literal's kind.
    pub key: String,
    text_length: usize,
    pub literals: Vec<Lifted<'a>>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Lifted<'a> {
    pub literal: Literal<'a>,
    /// Where it ends in the shape's text and in the statement's: what an error's position is moved by.
    end_in_shape: usize,
    end_in_statement: usize,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Literal<'a> {
    Int4(i32),
    /// A quoted literal, whose type the statement around it decides.
    Unknown(Cow<'a, str>),
}

/// Texts longer than this are rarely sent twice.
const LONGEST_SHAPED: usize = 4096;
const MOST_LITERALS: usize = 64;

impl StatementShape<'_> {
    pub(crate) fn text(&self) -> &str {
        &self.key[..self.text_length]
    }

    /// The place in the statement's text of a place in the shape's; both are bytes + 1.
    pub(crate) fn position_in_statement(&self, position: usize) -> usize {
        match self.literals.iter().rfind(|lifted| lifted.end_in_shape < position) {
            Some(before) => position - before.end_in_shape + before.end_in_statement,
            None => position,
        }
    }
}

/// What a literal would follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Comparison,
    /// An arithmetic operator: numbers only, since quoted literals choose among operators.
    Arithmetic,
    /// BETWEEN or AND.
    Bound,
    /// The beginning of a value in a row of INSERT ... VALUES.
    RowValue,
    /// VALUES, or the comma between its rows.
    RowsExpected,
    RowEnd,
    /// Something a minus sign would be subtracted from.
    Operand,
    Quoted,
    Other,
}

impl Before {
    fn admits_number(self) -> bool {
        matches!(self, Before::Comparison | Before::Arithmetic | Before::Bound | Before::RowValue)
    }

    fn admits_quoted(self) -> bool {
        matches!(self, Before::Comparison | Before::Bound | Before::RowValue)
    }
}

/// The statement's shape; None when its text is not of the plain kind that has one, several statements included.
pub(crate) fn shape_of(sql: &str) -> Option<StatementShape<'_>> {
    let sql_bytes = sql.as_bytes();
    if sql.len() > LONGEST_SHAPED || sql_bytes.iter().any(|byte| matches!(byte, b'$' | b'\\' | 0)) {
        return None;
    }
    let first = sql.trim_start();
    let first = &first[..first.bytes().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(first.len())];
    let is = |words: &[&str]| words.iter().any(|word| first.eq_ignore_ascii_case(word));
    let is_data = is(&["select", "insert", "update", "delete", "with"]);
    if !is_data && !is(&["begin", "start", "commit", "end", "rollback", "savepoint", "release"]) {
        return None;
    }
    let mut scan = Scan {
        sql,
        at: 0,
        copied: 0,
        before: Before::Other,
        rows: Vec::new(),
        is_data,
        is_insert: is(&["insert"]),
        shape: StatementShape { key: String::with_capacity(sql.len() + 16), text_length: 0, literals: Vec::new() },
    };
    scan.run()?;
    let mut shape = scan.shape;
    shape.key.push_str(&sql[scan.copied..scan.at]);
    shape.text_length = shape.key.len();
    shape.key.push('\0');
    shape.key.extend(shape.literals.iter().map(|lifted| if matches!(lifted.literal, Literal::Int4(_)) { 'i' } else { 'u' }));
    Some(shape)
}

struct Scan<'a> {
    sql: &'a str,
    at: usize,
    /// The statement's text up to here is in the shape.
    copied: usize,
    before: Before,
    /// For each open parenthesis, whether it holds a row of INSERT ... VALUES.
    rows: Vec<bool>,
    is_data: bool,
    is_insert: bool,
    shape: StatementShape<'a>,
}

impl<'a> Scan<'a> {
    fn peek(&self, ahead: usize) -> u8 {
        self.sql.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn end_of_run(&self, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = &self.sql.as_bytes()[self.at..];
        self.at + rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len())
    }

    fn run(&mut self) -> Option<()> {
        while self.at < self.sql.len() {
            match self.peek(0) {
                byte if byte.is_ascii_whitespace() => self.at += 1,
                byte if is_word(byte) && !byte.is_ascii_digit() => self.word()?,
                byte if byte.is_ascii_digit() => self.number()?,
                b'\'' => self.quoted()?,
                b'"' => {
                    self.at = self.at + 2 + self.sql[self.at + 1..].find('"')?;
                    self.before = Before::Operand;
                }
                b';' if self.sql[self.at + 1..].trim_ascii().is_empty() => return Some(()),
                b';' => return None,
                byte if is_operator(byte) => self.operator()?,
                punctuation => self.punctuation(punctuation)?,
            }
        }
        Some(())
    }

    fn word(&mut self) -> Option<()> {
        let end = self.end_of_run(is_word);
        let word = &self.sql[self.at..end];
        self.at = end;
        if self.peek(0) == b'\'' {
            // E'...', U&'...' and their like.
            return None;
        }
        let is = |known: &str| word.eq_ignore_ascii_case(known);
        self.before = match () {
            () if is("between") || is("and") => Before::Bound,
            () if is("values") && self.is_insert => Before::RowsExpected,
            // ORDER BY -1 is no subtraction.
            () if is("by") => Before::Other,
            () => Before::Operand,
        };
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let end = self.end_of_run(|byte| byte.is_ascii_digit());
        let (start, digits) = (self.at, &self.sql[self.at..end]);
        self.at = end;
        if self.peek(0) == b'.' {
            self.at = self.end_of_run(|byte| byte.is_ascii_digit() || byte == b'.');
        }
        if is_word(self.peek(0)) {
            return None;
        }
        // Larger numbers are of other types.
        if self.at == end
            && self.before.admits_number()
            && let Ok(value) = digits.parse()
        {
            self.lift(start, Literal::Int4(value))?;
        }
        self.before = Before::Operand;
        Some(())
    }

    fn quoted(&mut self) -> Option<()> {
        if self.before == Before::Quoted {
            // Two literals in a row may be one.
            return None;
        }
        let (start, mut has_quote) = (self.at, false);
        self.at += 1;
        loop {
            self.at += self.sql.as_bytes()[self.at..].iter().position(|&byte| byte == b'\'')? + 1;
            if self.peek(0) != b'\'' {
                break;
            }
            has_quote = true;
            self.at += 1;
        }
        if self.before.admits_quoted() {
            let inner = &self.sql[start + 1..self.at - 1];
            let value = if has_quote { Cow::Owned(inner.replace("''", "'")) } else { Cow::Borrowed(inner) };
            self.lift(start, Literal::Unknown(value))?;
        }
        self.before = Before::Quoted;
        Some(())
    }

    /// Puts a parameter in the place of the literal from `start` to here.
    fn lift(&mut self, start: usize, literal: Literal<'a>) -> Option<()> {
        if !self.is_data {
            return Some(());
        }
        let shape = &mut self.shape;
        if shape.literals.len() == MOST_LITERALS {
            return None;
        }
        shape.key.push_str(&self.sql[self.copied..start]);
        shape.key.push('$');
        shape.key.push_str(&(shape.literals.len() + 1).to_string());
        shape.literals.push(Lifted { literal, end_in_shape: shape.key.len(), end_in_statement: self.at });
        self.copied = self.at;
        Some(())
    }

    fn operator(&mut self) -> Option<()> {
        let end = self.end_of_run(is_operator);
        let operator = &self.sql[self.at..end];
        if operator.contains("--") || operator.contains("/*") {
            return None;
        }
        self.at = end;
        self.before = match operator {
            "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" => Before::Comparison,
            "+" | "-" if matches!(self.before, Before::Operand | Before::RowEnd | Before::Quoted) => Before::Arithmetic,
            // A sign: what it stands before is where it is. A quoted literal after it would be typed by the operator.
            "+" | "-" if self.before.admits_number() => Before::Arithmetic,
            "*" | "/" | "%" => Before::Arithmetic,
            _ => Before::Other,
        };
        Some(())
    }

    fn punctuation(&mut self, byte: u8) -> Option<()> {
        self.at += 1;
        self.before = match byte {
            b'(' => {
                let is_row = self.before == Before::RowsExpected;
                self.rows.push(is_row);
                if is_row { Before::RowValue } else { Before::Other }
            }
            b')' => {
                if self.rows.pop()? {
                    Before::RowEnd
                } else {
                    Before::Operand
                }
            }
            b',' if self.rows.last() == Some(&true) => Before::RowValue,
            b',' if self.before == Before::RowEnd => Before::RowsExpected,
            b',' | b'.' | b':' | b'[' => Before::Other,
            b']' => Before::Operand,
            _ => return None,
        };
        Some(())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' | b'~' | b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'|' | b'?' | b'`'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifted(sql: &str) -> Option<(String, Vec<String>)> {
        let shape = shape_of(sql)?;
        let literals = shape.literals.iter().map(|lifted| match &lifted.literal {
            Literal::Int4(value) => value.to_string(),
            Literal::Unknown(text) => format!("'{text}'"),
        });
        Some((shape.text().to_owned(), literals.collect()))
    }

    #[track_caller]
    fn check(sql: &str, text: &str, literals: &[&str]) {
        let (found, values) = lifted(sql).expect("it has a shape");
        assert_eq!((found.as_str(), values), (text, literals.iter().map(|&literal| literal.to_owned()).collect()));
    }

    #[test]
    fn values_are_taken_out() {
        check("SELECT abalance FROM t WHERE aid = 15;", "SELECT abalance FROM t WHERE aid = $1", &["15"]);
        check(
            "update t set a = a + -7 where id=3 and b='it''s'",
            "update t set a = a + -$1 where id=$2 and b=$3",
            &["7", "3", "'it's'"],
        );
        check(
            "INSERT INTO t (a, b) VALUES (1, 'x', f(2, 'y'), now()), (-3, NULL)",
            "INSERT INTO t (a, b) VALUES ($1, $2, f(2, 'y'), now()), (-$3, NULL)",
            &["1", "'x'", "3"],
        );
        check(
            "select 1 from t where a between 2 and 3 limit 4",
            "select 1 from t where a between $1 and $2 limit 4",
            &["2", "3"],
        );
    }

    #[test]
    fn what_is_more_than_a_value_stays() {
        for sql in [
            "select a, b from t order by 1, -2 desc limit 10",
            "select a::numeric(10,2), interval '1 day', a[1], x.y from t where a like 'b%' or a in (1, 2)",
            "select 1.5, 3000000000, * from t where a = 2147483648 and b = 1.5",
            "select \"a = 5\" from t where d > date '2020-01-01' and d < now() - '1 day'",
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
        ] {
            check(sql, sql, &[]);
        }
    }

    #[test]
    fn some_texts_have_no_shape() {
        for sql in [
            "select 1; select 2",
            "select a = E'x' from t",
            "select a = 'x'\n'y' from t",
            "select 1 -- = 5",
            "select /* = 5 */ 1",
            "select $1",
            "select 'a\\'",
            "select a = 1e5",
            "select a = 0x1F",
            "select 'open",
            "copy t from stdin",
            "create table t (a int check (a > 5))",
            "",
        ] {
            assert_eq!(lifted(sql), None, "{sql}");
        }
    }

    #[test]
    fn kinds_are_part_of_the_key_and_positions_can_be_moved_back() {
        assert_ne!(shape_of("select a = 5").unwrap().key, shape_of("select a = '5'").unwrap().key);
        let sql = "select a = 12345, b = 'some text', c";
        let shape = shape_of(sql).unwrap();
        let place = shape.text().find(", c").unwrap() + 3;
        assert_eq!(shape.position_in_statement(place), sql.find(", c").unwrap() + 3);
        assert_eq!(shape.position_in_statement(8), 8);
    }
}
