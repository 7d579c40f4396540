//! Text of arrays: `{1,2}`, `[0:1]={{a,"b c"},{NULL,""}}`; and of int2vector and oidvector.

use std::fmt::Write as _;

use super::{TypeResolver, datum_from_text, datum_to_text, integer, is_space};
use crate::{
    Array, Datum, Error, FormatSettings, Oid, Result, SqlState, SqlType,
    array::{Dimension, MAX_DIMENSIONS, check_bounds, check_size, too_many_dimensions},
};

/// The longest int2vector or oidvector that input takes.
const MAX_VECTOR_LENGTH: usize = 100;

/// The byte between elements: a semicolon for boxes, whose own text has commas.
fn delimiter(element_type: SqlType) -> u8 {
    if element_type.oid == Oid::BOX { b';' } else { b',' }
}

pub(super) fn print_array(array: &Array, settings: &FormatSettings, resolver: &dyn TypeResolver, out: &mut String) {
    if array.elements.is_empty() {
        return out.push_str("{}");
    }
    if array.dimensions.iter().any(|dimension| dimension.lower_bound != 1) {
        for dimension in &array.dimensions {
            let upper = i64::from(dimension.lower_bound) + i64::from(dimension.length) - 1;
            write!(out, "[{}:{upper}]", dimension.lower_bound).expect("a String takes everything");
        }
        out.push('=');
    }
    let delimiter = delimiter(array.element_type);
    // How many elements lie under one item of each dimension: a brace opens or closes at their multiples.
    let mut spans: Vec<usize> = array.dimensions.iter().map(|dimension| dimension.length.max(1) as usize).collect();
    for at in (1..spans.len()).rev() {
        spans[at - 1] = spans[at - 1].saturating_mul(spans[at]);
    }
    for (index, element) in array.elements.iter().enumerate() {
        if index > 0 {
            out.push(char::from(delimiter));
        }
        out.extend(spans.iter().filter(|span| index.is_multiple_of(**span)).map(|_| '{'));
        match element {
            Datum::Null => out.push_str("NULL"),
            element => {
                let start = out.len();
                datum_to_text(element, array.element_type, settings, resolver, out);
                quote_element(start, delimiter, out);
            }
        }
        out.extend(spans.iter().filter(|span| (index + 1).is_multiple_of(**span)).map(|_| '}'));
    }
}

/// Puts quotes around the element that begins at `start` of the text, when it could be misread without.
fn quote_element(start: usize, delimiter: u8, out: &mut String) {
    let text = &out[start..];
    let special = |byte: u8| matches!(byte, b'"' | b'\\' | b'{' | b'}') || byte == delimiter || is_space(byte);
    if !text.is_empty() && !text.eq_ignore_ascii_case("null") && !text.bytes().any(special) {
        return;
    }
    let text = text.to_owned();
    out.truncate(start);
    push_quoted(&text, out);
}

/// An element of an array's text in quotes.
pub fn push_quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

pub(super) fn parse_array(
    text: &str,
    element_type: SqlType,
    settings: &FormatSettings,
    resolver: &dyn TypeResolver,
) -> Result<Datum> {
    let scan = scan_array(text, delimiter(element_type))?;
    let mut elements = Vec::with_capacity(scan.items.len());
    for item in &scan.items {
        elements.push(match item {
            Some(item) => datum_from_text(item, element_type, settings, resolver)?,
            None => Datum::Null,
        });
    }
    Ok(Datum::Array(Array { element_type, dimensions: scan.dimensions, elements }.into()))
}

fn malformed(text: &str, detail: impl Into<String>) -> Error {
    let message = format!("malformed array literal: \"{text}\"");
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message).detail(detail)
}

struct Scan {
    dimensions: Vec<Dimension>,
    /// The elements' texts without quotes; None for NULL.
    items: Vec<Option<String>>,
}

fn scan_array(text: &str, delimiter: u8) -> Result<Scan> {
    let (explicit, at) = scan_dimensions(text)?;
    let mut contents = Contents::new(text, at, delimiter);
    contents.scan()?;
    let counted = contents.dimensions();
    let dimensions = match explicit.is_empty() {
        true => counted.into_iter().map(|length| Dimension { length, lower_bound: 1 }).collect(),
        false => {
            if explicit.len() != counted.len() || explicit.iter().zip(&counted).any(|(given, counted)| given.length != *counted) {
                return Err(malformed(text, "Specified array dimensions do not match array contents."));
            }
            explicit
        }
    };
    check_size(dimensions.iter().map(|dimension| dimension.length))?;
    check_bounds(&dimensions)?;
    Ok(Scan { dimensions, items: contents.items })
}

/// `[m:n]...=` before the contents; where the contents begin.
fn scan_dimensions(text: &str) -> Result<(Vec<Dimension>, usize)> {
    let bytes = text.as_bytes();
    let skip_spaces = |mut at: usize| {
        while bytes.get(at).copied().is_some_and(is_space) {
            at += 1;
        }
        at
    };
    let number_end = |mut at: usize| {
        while let Some(b'0'..=b'9' | b'-' | b'+') = bytes.get(at) {
            at += 1;
        }
        at
    };
    let mut dimensions = Vec::new();
    let mut at = skip_spaces(0);
    while bytes.get(at) == Some(&b'[') {
        if dimensions.len() >= MAX_DIMENSIONS {
            return Err(too_many_dimensions(dimensions.len() + 1));
        }
        let (mut start, mut end) = (at + 1, number_end(at + 1));
        if start == end {
            return Err(malformed(text, "\"[\" must introduce explicitly-specified array dimensions."));
        }
        let mut lower_bound = 1;
        if bytes.get(end) == Some(&b':') {
            lower_bound = c_integer(&text[start..end]);
            (start, end) = (end + 1, number_end(end + 1));
            if start == end {
                return Err(malformed(text, "Missing array dimension value."));
            }
        }
        if bytes.get(end) != Some(&b']') {
            return Err(malformed(text, "Missing \"]\" after array dimensions."));
        }
        let upper_bound = c_integer(&text[start..end]);
        if upper_bound < lower_bound {
            let message = "upper bound cannot be less than lower bound";
            return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
        }
        let length = i64::from(upper_bound) - i64::from(lower_bound) + 1;
        let length = i32::try_from(length).map_err(|_| crate::array::size_exceeded())?;
        dimensions.push(Dimension { length, lower_bound });
        at = skip_spaces(end + 1);
    }
    if dimensions.is_empty() {
        if bytes.get(at) != Some(&b'{') {
            return Err(malformed(text, "Array value must start with \"{\" or dimension information."));
        }
        return Ok((dimensions, at));
    }
    if bytes.get(at) != Some(&b'=') {
        return Err(malformed(text, "Missing \"=\" after array dimensions."));
    }
    at = skip_spaces(at + 1);
    if bytes.get(at) != Some(&b'{') {
        return Err(malformed(text, "Array contents must start with \"{\"."));
    }
    Ok((dimensions, at))
}

/// C's `atoi`: a sign and digits up to the first other byte, cut to 32 bits.
fn c_integer(text: &str) -> i32 {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit).map(|byte| i64::from(byte - b'0'));
    let value = digits.fold(0i64, |value, digit| value.saturating_mul(10).saturating_add(digit));
    (if negative { -value } else { value }) as i32
}

/// Where the scan stands relative to elements and levels.
#[derive(Clone, Copy, PartialEq)]
enum State {
    NoLevel,
    LevelStarted,
    ElementStarted,
    QuotedStarted,
    QuotedCompleted,
    ElementDelimited,
    LevelCompleted,
    LevelDelimited,
}

/// The scan of braces and elements, which counts the dimensions as it goes.
struct Contents<'a> {
    text: &'a str,
    start: usize,
    at: usize,
    delimiter: u8,
    state: State,
    level: usize,
    deepest: usize,
    /// Items seen so far in the open brace of each level.
    counts: [i32; MAX_DIMENSIONS],
    /// Items of the last closed brace of each level; 0 when none was closed.
    closed_counts: [i32; MAX_DIMENSIONS],
    items: Vec<Option<String>>,
    item: String,
    /// Length of `item` up to its last character that is not an unquoted blank.
    item_end: usize,
    /// The item has quotes or escapes: it is not the word NULL.
    literal: bool,
    /// Level at which elements were found; all must be there.
    element_level: Option<usize>,
}

impl<'a> Contents<'a> {
    fn new(text: &'a str, at: usize, delimiter: u8) -> Contents<'a> {
        Contents {
            text,
            start: at,
            at,
            delimiter,
            state: State::NoLevel,
            level: 0,
            deepest: 0,
            counts: [0; MAX_DIMENSIONS],
            closed_counts: [0; MAX_DIMENSIONS],
            items: Vec::new(),
            item: String::new(),
            item_end: 0,
            literal: false,
            element_level: None,
        }
    }

    /// Lengths of the dimensions; none when there are no elements.
    fn dimensions(&self) -> Vec<i32> {
        if self.items.is_empty() { Vec::new() } else { self.closed_counts[..self.deepest].to_vec() }
    }

    /// PostgreSQL quotes the literal from its first brace on.
    fn malformed(&self, detail: impl Into<String>) -> Error {
        malformed(&self.text[self.start..], detail)
    }

    fn mismatched(&self) -> Error {
        self.malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
    }

    fn unexpected(&self, character: char) -> Error {
        self.malformed(format!("Unexpected \"{character}\" character."))
    }

    fn scan(&mut self) -> Result<()> {
        loop {
            let Some(character) = self.text[self.at..].chars().next() else {
                return Err(self.malformed("Unexpected end of input."));
            };
            let quoted = self.state == State::QuotedStarted;
            match character {
                '\\' => self.escape()?,
                '"' => self.quote()?,
                '{' if !quoted => self.open()?,
                '}' if !quoted => {
                    self.close()?;
                    if self.level == 0 {
                        break;
                    }
                }
                _ if !quoted && character == char::from(self.delimiter) => self.delimit()?,
                _ => self.plain(character)?,
            }
            self.at += character.len_utf8();
        }
        let rest = &self.text.as_bytes()[self.at + 1..];
        if !rest.iter().copied().all(is_space) {
            return Err(self.malformed("Junk after closing right brace."));
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<()> {
        match self.state {
            State::LevelStarted | State::ElementStarted | State::ElementDelimited => self.state = State::ElementStarted,
            State::QuotedStarted => {}
            _ => return Err(self.unexpected('\\')),
        }
        // The backslash is one byte; the caller's step then passes it, and this one the character after it.
        let Some(escaped) = self.text[self.at + 1..].chars().next() else {
            return Err(self.malformed("Unexpected end of input."));
        };
        self.at += escaped.len_utf8();
        self.item.push(escaped);
        self.item_end = self.item.len();
        self.literal = true;
        Ok(())
    }

    fn quote(&mut self) -> Result<()> {
        self.state = match self.state {
            State::LevelStarted | State::ElementDelimited => State::QuotedStarted,
            State::QuotedStarted => State::QuotedCompleted,
            _ => return Err(self.malformed("Unexpected array element.")),
        };
        self.literal = true;
        self.item_end = self.item.len();
        Ok(())
    }

    fn open(&mut self) -> Result<()> {
        if !matches!(self.state, State::NoLevel | State::LevelStarted | State::LevelDelimited) {
            return Err(self.unexpected('{'));
        }
        if self.level >= MAX_DIMENSIONS {
            return Err(too_many_dimensions(self.level + 1));
        }
        self.state = State::LevelStarted;
        self.counts[self.level] = 0;
        self.level += 1;
        self.deepest = self.deepest.max(self.level);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let empty = self.state == State::LevelStarted && self.level == 1;
        match self.state {
            State::ElementStarted | State::QuotedCompleted => self.finish_item()?,
            State::LevelCompleted => self.count_item()?,
            _ if empty => {}
            _ => return Err(self.unexpected('}')),
        }
        self.state = State::LevelCompleted;
        self.level -= 1;
        let (count, closed) = (self.counts[self.level], self.closed_counts[self.level]);
        if closed != 0 && closed != count {
            return Err(self.mismatched());
        }
        self.closed_counts[self.level] = count;
        Ok(())
    }

    fn delimit(&mut self) -> Result<()> {
        self.state = match self.state {
            State::ElementStarted | State::QuotedCompleted => {
                self.finish_item()?;
                State::ElementDelimited
            }
            State::LevelCompleted => {
                self.count_item()?;
                State::LevelDelimited
            }
            _ => return Err(self.unexpected(char::from(self.delimiter))),
        };
        Ok(())
    }

    fn plain(&mut self, character: char) -> Result<()> {
        if self.state == State::QuotedStarted {
            self.item.push(character);
            self.item_end = self.item.len();
            return Ok(());
        }
        let blank = character.is_ascii() && is_space(character as u8);
        match self.state {
            State::ElementStarted => {}
            State::LevelStarted | State::ElementDelimited if !blank => self.state = State::ElementStarted,
            _ if blank => return Ok(()),
            _ => return Err(self.malformed("Unexpected array element.")),
        }
        self.item.push(character);
        if !blank {
            self.item_end = self.item.len();
        }
        Ok(())
    }

    /// Ends the current element.
    fn finish_item(&mut self) -> Result<()> {
        if *self.element_level.get_or_insert(self.level) != self.level {
            return Err(self.mismatched());
        }
        self.item.truncate(self.item_end);
        let item = std::mem::take(&mut self.item);
        let is_null = !self.literal && item.eq_ignore_ascii_case("null");
        self.items.push((!is_null).then_some(item));
        (self.item_end, self.literal) = (0, false);
        self.count_item()
    }

    fn count_item(&mut self) -> Result<()> {
        let count = &mut self.counts[self.level - 1];
        *count = count.checked_add(1).ok_or_else(crate::array::size_exceeded)?;
        Ok(())
    }
}

/// int2vector and oidvector: numbers between blanks, subscripts from 0.
pub(super) fn parse_vector(text: &str, oid: Oid) -> Result<Datum> {
    let mut elements = Vec::new();
    for word in text.split(|character: char| character.is_ascii() && is_space(character as u8)).filter(|word| !word.is_empty()) {
        if elements.len() >= MAX_VECTOR_LENGTH {
            let name = if oid == Oid::INT2VECTOR { "int2vector" } else { "oidvector" };
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{name} has too many elements")));
        }
        elements.push(match oid {
            Oid::INT2VECTOR => Datum::Int2(integer::parse_i16(word)?),
            _ => Datum::Oid(integer::parse_oid(word)?),
        });
    }
    let element_type = if oid == Oid::INT2VECTOR { SqlType::INT2 } else { SqlType::OID };
    Ok(Datum::Array(Array::vector(element_type, elements).into()))
}

pub(super) fn print_vector(array: &Array, settings: &FormatSettings, resolver: &dyn TypeResolver, out: &mut String) {
    for (at, element) in array.elements.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        datum_to_text(element, array.element_type, settings, resolver, out);
    }
}
