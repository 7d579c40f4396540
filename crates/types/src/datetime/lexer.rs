//! Splits date, time and interval text into fields: numbers, words, dates, times and signed zones.
//!
//! The classes are PostgreSQL's: a field's kind is decided by its first character and by the punctuation inside it.

use super::decode::DecodeError;
use super::keywords::date_keyword;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Number,
    /// A word.
    Word,
    /// A date with separators, or a zone name with punctuation.
    Date,
    /// Digits and colons.
    Time,
    /// A sign and digits: a zone offset, or a signed number.
    Zone,
    /// A sign and a word: "-infinity".
    SignedWord,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) kind: FieldKind,
    /// In lower case where it holds letters.
    pub(crate) text: String,
}

const MAX_FIELDS: usize = 25;
/// Room for the fields' characters and terminators in PostgreSQL's buffers: for dates and times, and for intervals.
pub(crate) const DATE_TEXT_LIMIT: usize = 153;
pub(crate) const INTERVAL_TEXT_LIMIT: usize = 256;

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

struct Lexer<'a> {
    text: &'a [u8],
    position: usize,
    field: String,
}

impl Lexer<'_> {
    /// The byte at hand; 0 at the end.
    fn peek(&self) -> u8 {
        self.text.get(self.position).copied().unwrap_or(0)
    }

    fn take(&mut self) {
        let byte = self.peek();
        self.field.push(char::from(byte.to_ascii_lowercase()));
        self.position += 1;
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.peek() != 0 && accept(self.peek()) {
            self.take();
        }
    }

    /// A field that starts with a digit: a time, a date or a number.
    fn number(&mut self) -> FieldKind {
        self.take_while(|byte| byte.is_ascii_digit());
        let delimiter = self.peek();
        match delimiter {
            b':' => {
                self.take_while(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.');
                FieldKind::Time
            }
            b'-' | b'/' | b'.' => {
                self.take();
                if !self.peek().is_ascii_digit() {
                    self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == delimiter);
                    return FieldKind::Date;
                }
                self.take_while(|byte| byte.is_ascii_digit());
                if self.peek() == delimiter {
                    self.take_while(|byte| byte.is_ascii_digit() || byte == delimiter);
                    return FieldKind::Date;
                }
                if delimiter == b'.' { FieldKind::Number } else { FieldKind::Date }
            }
            _ => FieldKind::Number,
        }
    }

    /// A field that starts with a letter: a word, or a date or zone name with punctuation inside.
    fn word(&mut self) -> FieldKind {
        self.take_while(|byte| byte.is_ascii_alphabetic());
        let next = self.peek();
        let has_punctuation = match next {
            b'-' | b'/' | b'.' => true,
            b'+' | b'0'..=b'9' => date_keyword(&self.field).is_none(),
            _ => false,
        };
        if !has_punctuation {
            return FieldKind::Word;
        }
        self.take();
        self.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'/' | b'_' | b'.' | b':'));
        FieldKind::Date
    }

    fn signed(&mut self) -> Result<FieldKind, DecodeError> {
        self.take();
        while is_space(self.peek()) {
            self.position += 1;
        }
        if self.peek().is_ascii_digit() {
            self.take_while(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-'));
            Ok(FieldKind::Zone)
        } else if self.peek().is_ascii_alphabetic() {
            self.take_while(|byte| byte.is_ascii_alphabetic());
            Ok(FieldKind::SignedWord)
        } else {
            Err(DecodeError::BadFormat)
        }
    }
}

/// The fields of `text`, which may hold `text_limit` characters in fields altogether.
pub(crate) fn split_fields(text: &str, text_limit: usize) -> Result<Vec<Field>, DecodeError> {
    let mut lexer = Lexer { text: text.as_bytes(), position: 0, field: String::new() };
    let mut fields = Vec::new();
    let mut used = 0;
    while lexer.position < lexer.text.len() {
        let byte = lexer.peek();
        let kind = match byte {
            _ if is_space(byte) => {
                lexer.position += 1;
                continue;
            }
            b'0'..=b'9' => lexer.number(),
            b'.' => {
                lexer.take();
                lexer.take_while(|byte| byte.is_ascii_digit());
                FieldKind::Number
            }
            _ if byte.is_ascii_alphabetic() => lexer.word(),
            b'+' | b'-' => lexer.signed()?,
            _ if byte.is_ascii_punctuation() => {
                lexer.position += 1;
                continue;
            }
            _ => return Err(DecodeError::BadFormat),
        };
        let text = std::mem::take(&mut lexer.field);
        used += text.len() + 1;
        fields.push(Field { kind, text });
        if fields.len() >= MAX_FIELDS || used > text_limit {
            return Err(DecodeError::BadFormat);
        }
    }
    Ok(fields)
}
