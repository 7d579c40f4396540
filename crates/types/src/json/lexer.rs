//! Tokens of JSON text, and PostgreSQL's account of what is wrong with a text that has none.

use std::borrow::Cow;

use crate::{Error, Result, SqlState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Comma,
    Colon,
    String,
    Number,
    True,
    False,
    Null,
    End,
}

/// Where a grammar error was met: what would have been right there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    End,
    Value,
    Key,
    ArrayNext,
    ObjectFirst,
    Colon,
    ObjectNext,
}

/// A cursor over JSON text. The current token is `text[start..end]`.
pub(super) struct Lexer<'a> {
    text: &'a str,
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
    line_number: usize,
    line_start: usize,
    /// Strings are decoded (jsonb) instead of only checked (json).
    decode: bool,
    /// The current string without escapes, when it has any and they are decoded.
    decoded: Option<String>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, decode: bool) -> Lexer<'a> {
        Lexer { text, token: Token::End, start: 0, end: 0, line_number: 1, line_start: 0, decode, decoded: None }
    }

    /// The current token as it stands in the text.
    pub(super) fn source(&self) -> &'a str {
        &self.text[self.start..self.end]
    }

    /// The current string token's value; its raw inside when strings are not decoded.
    pub(super) fn take_string(&mut self) -> Cow<'a, str> {
        match self.decoded.take() {
            Some(decoded) => Cow::Owned(decoded),
            None => Cow::Borrowed(&self.text[self.start + 1..self.end - 1]),
        }
    }

    /// Moves to the next token.
    pub(super) fn advance(&mut self) -> Result<()> {
        let bytes = self.text.as_bytes();
        let mut at = self.end;
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = bytes.get(at) {
            at += 1;
            if *byte == b'\n' {
                self.line_number += 1;
                self.line_start = at;
            }
        }
        self.start = at;
        let Some(byte) = bytes.get(at) else {
            self.end = at;
            self.token = Token::End;
            return Ok(());
        };
        let token = match byte {
            b'{' => Token::ObjectStart,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayStart,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => return self.string(),
            b'-' => return self.number(at + 1),
            b'0'..=b'9' => return self.number(at),
            _ => return self.word(),
        };
        self.end = at + 1;
        self.token = token;
        Ok(())
    }

    fn word(&mut self) -> Result<()> {
        let rest = &self.text[self.start..];
        let length = rest.bytes().position(|byte| !is_word_byte(byte)).unwrap_or(rest.len());
        // An unexpected character that starts no word is reported alone.
        self.end = self.start + length.max(1);
        self.token = match &rest[..length] {
            "true" => Token::True,
            "false" => Token::False,
            "null" => Token::Null,
            _ => return Err(self.invalid_token()),
        };
        Ok(())
    }

    fn number(&mut self, mut at: usize) -> Result<()> {
        let bytes = self.text.as_bytes();
        let digits_from = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let mut valid = true;
        match bytes.get(at) {
            Some(b'0') => at += 1,
            Some(b'1'..=b'9') => at = digits_from(at),
            _ => valid = false,
        }
        if bytes.get(at) == Some(&b'.') {
            let end = digits_from(at + 1);
            valid &= end > at + 1;
            at = end;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            at += 1;
            if let Some(b'+' | b'-') = bytes.get(at) {
                at += 1;
            }
            let end = digits_from(at);
            valid &= end > at;
            at = end;
        }
        while bytes.get(at).copied().is_some_and(is_word_byte) {
            valid = false;
            at += 1;
        }
        self.end = at;
        self.token = Token::Number;
        if valid { Ok(()) } else { Err(self.invalid_token()) }
    }

    fn string(&mut self) -> Result<()> {
        let bytes = self.text.as_bytes();
        self.decoded = None;
        let mut at = self.start + 1;
        let mut high_surrogate: Option<u32> = None;
        loop {
            let plain = at;
            while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\') && *byte >= 0x20) {
                at += 1;
            }
            if at > plain {
                if high_surrogate.is_some() {
                    return Err(self.lone_surrogate(self.character_end(plain)));
                }
                if let Some(decoded) = &mut self.decoded {
                    decoded.push_str(&self.text[plain..at]);
                }
            }
            match bytes.get(at) {
                None => return Err(self.unterminated(at)),
                Some(b'"') if high_surrogate.is_some() => return Err(self.lone_surrogate(at + 1)),
                Some(b'"') => break,
                Some(b'\\') => {
                    if self.decode && self.decoded.is_none() {
                        self.decoded = Some(self.text[self.start + 1..at].to_owned());
                    }
                    at = self.escape(at + 1, &mut high_surrogate)?;
                }
                Some(control) => {
                    let detail = format!("Character with value 0x{control:02x} must be escaped.");
                    self.end = at;
                    return Err(self.invalid_json(detail));
                }
            }
        }
        self.end = at + 1;
        self.token = Token::String;
        Ok(())
    }

    /// One escape sequence whose character after the backslash is at `at`; where the string goes on.
    fn escape(&mut self, at: usize, high_surrogate: &mut Option<u32>) -> Result<usize> {
        let Some(byte) = self.text.as_bytes().get(at) else { return Err(self.unterminated(at)) };
        if *byte == b'u' {
            return self.unicode_escape(at, high_surrogate);
        }
        if self.decode && high_surrogate.is_some() {
            return Err(self.lone_surrogate(self.character_end(at)));
        }
        let character = match byte {
            b'"' | b'\\' | b'/' => char::from(*byte),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => {
                self.start = at;
                self.end = self.character_end(at);
                let detail = format!("Escape sequence \"\\{}\" is invalid.", self.source());
                return Err(self.invalid_json(detail));
            }
        };
        if let Some(decoded) = &mut self.decoded {
            decoded.push(character);
        }
        Ok(at + 1)
    }

    fn unicode_escape(&mut self, at: usize, high_surrogate: &mut Option<u32>) -> Result<usize> {
        let mut code = 0u32;
        for digit_at in at + 1..at + 5 {
            let Some(byte) = self.text.as_bytes().get(digit_at) else { return Err(self.unterminated(digit_at)) };
            let Some(digit) = char::from(*byte).to_digit(16) else {
                self.end = self.character_end(digit_at);
                return Err(self.invalid_json("\"\\u\" must be followed by four hexadecimal digits.".to_owned()));
            };
            code = code * 16 + digit;
        }
        let end = at + 5;
        if !self.decode {
            return Ok(end);
        }
        match code {
            0xD800..=0xDBFF => {
                if high_surrogate.is_some() {
                    self.end = end;
                    return Err(self.invalid_json("Unicode high surrogate must not follow a high surrogate.".to_owned()));
                }
                *high_surrogate = Some(code);
                return Ok(end);
            }
            0xDC00..=0xDFFF => match high_surrogate.take() {
                Some(high) => code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00),
                None => return Err(self.lone_surrogate(end)),
            },
            _ if high_surrogate.is_some() => return Err(self.lone_surrogate(end)),
            0 => {
                self.end = end;
                let error = Error::new(SqlState::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence");
                return Err(error.detail("\\u0000 cannot be converted to text.").context(self.context()));
            }
            _ => {}
        }
        let character = char::from_u32(code).expect("surrogates were combined or refused above");
        if let Some(decoded) = &mut self.decoded {
            decoded.push(character);
        }
        Ok(end)
    }

    fn character_end(&self, at: usize) -> usize {
        at + self.text[at..].chars().next().map_or(0, char::len_utf8)
    }

    fn lone_surrogate(&mut self, end: usize) -> Error {
        self.end = end;
        self.invalid_json("Unicode low surrogate must follow a high surrogate.".to_owned())
    }

    fn unterminated(&mut self, end: usize) -> Error {
        self.end = end.min(self.text.len());
        self.invalid_token()
    }

    fn invalid_token(&self) -> Error {
        self.invalid_json(format!("Token \"{}\" is invalid.", self.source()))
    }

    /// The error of a token that the grammar does not allow here.
    pub(super) fn unexpected(&self, expected: Expected) -> Error {
        if self.token == Token::End {
            return self.invalid_json("The input string ended unexpectedly.".to_owned());
        }
        let expected = match expected {
            Expected::End => "end of input",
            Expected::Value => "JSON value",
            Expected::Key => "string",
            Expected::ArrayNext => "\",\" or \"]\"",
            Expected::ObjectFirst => "string or \"}\"",
            Expected::Colon => "\":\"",
            Expected::ObjectNext => "\",\" or \"}\"",
        };
        self.invalid_json(format!("Expected {expected}, but found \"{}\".", self.source()))
    }

    fn invalid_json(&self, detail: String) -> Error {
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .detail(detail)
            .context(self.context())
    }

    /// The line of the error up to it, cut to about 50 bytes.
    fn context(&self) -> String {
        let mut from = self.line_start;
        while self.end.saturating_sub(from) >= 50 {
            from = self.character_end(from);
        }
        if from - self.line_start <= 3 {
            from = self.line_start;
        }
        let prefix = if from > self.line_start { "..." } else { "" };
        let more = !matches!(self.text.as_bytes().get(self.end), None | Some(b'\n' | b'\r'));
        let suffix = if more { "..." } else { "" };
        let excerpt = &self.text[from.min(self.end)..self.end];
        format!("JSON data, line {}: {prefix}{excerpt}{suffix}", self.line_number)
    }
}

/// Bytes that make one word for error reports: letters, digits, underscores and everything outside ASCII.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
