//! Reading `json` values, which stay text: sub-values are slices of the document and keep its spelling.
//!
//! Every function takes text that `json` input has accepted, and skips what it is not asked for without decoding it.

use std::borrow::Cow;

use super::{Event, JsonKind, Reader, access::element_at, access::parse_path_index, lexer::Lexer, quote_json_string};
use crate::Result;

/// What the document is.
pub fn kind(json: &str) -> JsonKind {
    match json.trim_ascii_start().as_bytes().first() {
        Some(b'{') => JsonKind::Object,
        Some(b'[') => JsonKind::Array,
        Some(b'"') => JsonKind::String,
        Some(b't' | b'f') => JsonKind::Boolean,
        Some(b'n') => JsonKind::Null,
        _ => JsonKind::Number,
    }
}

/// The values of an array, each as it is spelled; nothing for anything but an array.
pub fn elements(json: &str) -> Elements<'_> {
    Elements(Scanner::inside(json, b'['))
}

/// The members of an object in the order of the text, duplicates included; nothing for anything but an object.
pub fn members(json: &str) -> Members<'_> {
    Members(Scanner::inside(json, b'{'))
}

/// `-> key`: of equal keys, the last. Error: 22P05 for a key that no text can hold.
pub fn field<'a>(json: &'a str, key: &str) -> Result<Option<&'a str>> {
    let mut found = None;
    for member in members(json) {
        let (name, value) = member?;
        if name == key {
            found = Some(value);
        }
    }
    Ok(found)
}

/// `-> index`, from the end when negative.
pub fn element(json: &str, index: i32) -> Option<&str> {
    if index >= 0 {
        return elements(json).nth(index as usize);
    }
    element_at(&elements(json).collect::<Vec<_>>(), index).copied()
}

/// `#>`: what a path of keys and indexes leads to.
pub fn path<'a, 'p>(json: &'a str, path: impl IntoIterator<Item = &'p str>) -> Result<Option<&'a str>> {
    let mut value = json;
    for step in path {
        let next = match kind(value) {
            JsonKind::Object => field(value, step)?,
            JsonKind::Array => parse_path_index(step).and_then(|index| element(value, index)),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// What `->>` makes of a sub-value: a string without quotes and escapes, NULL of null, anything else as it is spelled.
pub fn as_text(json: &str) -> Result<Option<Cow<'_, str>>> {
    match kind(json) {
        JsonKind::Null => Ok(None),
        JsonKind::String => unquote(json).map(Some),
        _ => Ok(Some(Cow::Borrowed(json))),
    }
}

/// A string document without quotes and escapes. Error: 22P05 for `\u0000`, 22P02 for a surrogate without its other half.
pub fn unquote(json: &str) -> Result<Cow<'_, str>> {
    let mut lexer = Lexer::new(json, true);
    lexer.advance()?;
    Ok(lexer.take_string())
}

/// `json_strip_nulls`: the document without blanks, and without the members whose value is null at every depth.
pub fn strip_nulls(json: &str) -> Result<String> {
    let mut reader = Reader::new(json, true)?;
    let mut out = String::with_capacity(json.len());
    let mut key: Option<Cow<str>> = None;
    while let Some(event) = reader.next_event()? {
        if let Event::Key(name) = event {
            key = Some(name);
            continue;
        }
        if let (Event::Null, Some(_)) = (&event, &key) {
            key = None;
            continue;
        }
        if !matches!(event, Event::ObjectEnd | Event::ArrayEnd) {
            if !(out.is_empty() || out.ends_with(['{', '['])) {
                out.push(',');
            }
            if let Some(name) = key.take() {
                quote_json_string(&name, &mut out);
                out.push(':');
            }
        }
        match event {
            Event::ObjectStart => out.push('{'),
            Event::ArrayStart => out.push('['),
            Event::ObjectEnd => out.push('}'),
            Event::ArrayEnd => out.push(']'),
            Event::String(text) => quote_json_string(&text, &mut out),
            Event::Number(text) => out.push_str(text),
            Event::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Event::Null => out.push_str("null"),
            Event::Key(_) => unreachable!("taken above"),
        }
    }
    Ok(out)
}

/// A cursor inside a container of valid JSON text.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Just behind the opening bracket; at the end when the document is something else.
    fn inside(json: &'a str, open: u8) -> Scanner<'a> {
        let text = json.trim_ascii();
        let at = if text.as_bytes().first() == Some(&open) { 1 } else { text.len() };
        Scanner { text, at }
    }

    /// Skips blanks, commas and colons; the byte after them.
    fn skip_separators(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b':') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// The next value's text; None at the closing bracket.
    fn value(&mut self) -> Option<&'a str> {
        if let None | Some(b']' | b'}') = self.skip_separators() {
            self.at = self.text.len();
            return None;
        }
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut depth = 0usize;
        loop {
            match bytes.get(self.at)? {
                b'"' => self.skip_string(),
                b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                _ if depth > 0 => self.at += 1,
                _ => self.skip_word(),
            }
            if depth == 0 {
                return self.text.get(start..self.at);
            }
        }
    }

    fn skip_string(&mut self) {
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }

    fn skip_word(&mut self) {
        let bytes = self.text.as_bytes();
        while !matches!(bytes.get(self.at), None | Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}')) {
            self.at += 1;
        }
    }
}

/// The values of an array.
pub struct Elements<'a>(Scanner<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0.value()
    }
}

/// The members of an object: the key without escapes, and the value's text.
pub struct Members<'a>(Scanner<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = Result<(Cow<'a, str>, &'a str)>;

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.0.value()?;
        let value = self.0.value()?;
        Some(unquote(key).map(|key| (key, value)))
    }
}
