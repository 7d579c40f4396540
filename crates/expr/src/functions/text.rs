//! Functions of character strings. Positions count characters from 1.

use types::{Error, Oid, Result, SqlState};

use super::{
    Function,
    lift::{TextBytes, rows, strict},
};

pub fn functions() -> Vec<Function> {
    let mut functions = lengths();
    functions.extend(parts());
    functions.extend(trimming());
    functions.extend(padding());
    functions.extend(letters());
    functions.extend(changes());
    functions
}

/// The longest value in bytes.
const MAX_BYTES: usize = 0x3FFF_FFFF;

pub(crate) fn too_large() -> Error {
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

pub(crate) fn negative_length() -> Error {
    Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed")
}

pub(crate) fn char_count(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// Where the character at this index (from 0) starts; the end of the text when it has fewer.
fn byte_at(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

/// `length` characters (all the rest when None) from position `start`, which may lie before the text.
pub(crate) fn substring(text: &str, start: i32, length: Option<i32>) -> Result<&str> {
    let first = (start as i64 - 1).max(0) as usize;
    let begin = byte_at(text, first);
    let Some(length) = length else { return Ok(&text[begin..]) };
    if length < 0 {
        return Err(negative_length());
    }
    let past = start as i64 - 1 + length as i64;
    let taken = (past - first as i64).max(0) as usize;
    let rest = &text[begin..];
    Ok(&rest[..byte_at(rest, taken)])
}

/// The position of `wanted`, 0 when it is not there.
fn position(text: &str, wanted: &str) -> i32 {
    match text.find(wanted) {
        Some(at) => char_count(&text[..at]) as i32 + 1,
        None => 0,
    }
}

fn overlay(text: &str, new: &str, start: i32, length: i32) -> Result<String> {
    if start <= 0 {
        return Err(negative_length());
    }
    let after = start.checked_add(length).ok_or_else(super::integer::integer_out_of_range)?;
    Ok(format!("{}{new}{}", substring(text, 1, Some(start - 1))?, substring(text, after, None)?))
}

fn lengths() -> Vec<Function> {
    vec![
        strict!("textlen", |a: &str| char_count(a) as i32),
        strict!("bpcharlen", |a: &str| char_count(super::cast::trimmed_blanks(a)) as i32),
        strict!("textoctetlen", |a: TextBytes| a.len() as i32),
        strict!("bpcharoctetlen", |a: TextBytes| a.len() as i32),
        rows("bit_length", |cx, row| match &cx.datum(0, row) {
            types::Datum::Text(text) => text.len() as i32 * 8,
            types::Datum::Bytes(bytes) => bytes.len() as i32 * 8,
            types::Datum::Bit(bits) => bits.len() as i32,
            _ => 0,
        }),
        strict!("ascii", |a: &str| a.chars().next().map_or(0, |first| first as i32)),
        strict!("chr", |code: i32| -> Result<String> {
            if code < 0 {
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "character number must be positive"));
            }
            if code == 0 {
                return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "null character not permitted"));
            }
            match char::from_u32(code as u32) {
                Some(character) => Ok(character.to_string()),
                None if code > 0x10FFFF => {
                    let message = format!("requested character too large for encoding: {code}");
                    Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
                }
                None => {
                    let message = format!("requested character not valid for encoding: {code}");
                    Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
                }
            }
        }),
    ]
}

fn parts() -> Vec<Function> {
    vec![
        strict!("text_substr", |a: &str, start: i32, length: i32| substring(a, start, Some(length)).map(str::to_owned)),
        strict!("text_substr_no_len", |a: &str, start: i32| substring(a, start, None).map(str::to_owned)),
        strict!("textpos", |a: &str, wanted: &str| position(a, wanted)),
        strict!("text_starts_with", |a: &str, prefix: &str| a.starts_with(prefix)),
        strict!("textoverlay", |a: &str, new: &str, start: i32, length: i32| overlay(a, new, start, length)),
        strict!("textoverlay_no_len", |a: &str, new: &str, start: i32| overlay(a, new, start, char_count(new) as i32)),
        strict!("text_left", |a: &str, count: i32| {
            let taken = if count >= 0 { count as usize } else { char_count(a).saturating_sub(count.unsigned_abs() as usize) };
            a[..byte_at(a, taken)].to_owned()
        }),
        strict!("text_right", |a: &str, count: i32| {
            let skipped = if count >= 0 { char_count(a).saturating_sub(count as usize) } else { count.unsigned_abs() as usize };
            a[byte_at(a, skipped)..].to_owned()
        }),
        strict!("split_part", |a: &str, separator: &str, field: i32| split_part(a, separator, field).map(str::to_owned)),
        strict!("textcat", |a: &str, b: &str| [a, b].concat()),
        strict!("nameconcatoid", |a: &str, oid: Oid| {
            let suffix = format!("_{oid}");
            let room = 63_usize.saturating_sub(suffix.len());
            let end = (0..=room.min(a.len())).rev().find(|&end| a.is_char_boundary(end)).unwrap_or(0);
            format!("{}{suffix}", &a[..end])
        }),
    ]
}

fn split_part<'a>(text: &'a str, separator: &str, field: i32) -> Result<&'a str> {
    if field == 0 {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    let index = field.unsigned_abs() as usize - 1;
    if text.is_empty() || separator.is_empty() {
        return Ok(if index == 0 { text } else { "" });
    }
    // From the end, fields are found by looking from the end, as they may overlap differently.
    let mut fields: Box<dyn Iterator<Item = &str>> =
        if field > 0 { Box::new(text.split(separator)) } else { Box::new(text.rsplit(separator)) };
    Ok(fields.nth(index).unwrap_or(""))
}

fn set(characters: &str) -> Vec<char> {
    characters.chars().collect()
}

fn trimming() -> Vec<Function> {
    vec![
        strict!("btrim1", |a: &str| a.trim_matches(' ').to_owned()),
        strict!("ltrim1", |a: &str| a.trim_start_matches(' ').to_owned()),
        strict!("btrim", |a: &str, characters: &str| a.trim_matches(set(characters).as_slice()).to_owned()),
        strict!("ltrim", |a: &str, characters: &str| a.trim_start_matches(set(characters).as_slice()).to_owned()),
        strict!("rtrim", |a: &str, characters: &str| a.trim_end_matches(set(characters).as_slice()).to_owned()),
    ]
}

fn pad(cx: &super::Arguments<'_>, text: &str, length: i32, fill: &str, left: bool) -> Result<String> {
    let length = length.max(0) as usize;
    if length.saturating_mul(4) > MAX_BYTES {
        return Err(too_large());
    }
    let have = char_count(text);
    if have >= length || fill.is_empty() {
        return Ok(text[..byte_at(text, length)].to_owned());
    }
    cx.check_memory(2 * (text.len() + (length - have).saturating_mul(fill.len().min(4))))?;
    let padding: String = fill.chars().cycle().take(length - have).collect();
    Ok(if left { padding + text } else { text.to_owned() + &padding })
}

fn padding() -> Vec<Function> {
    let fill = |cx: &super::Arguments<'_>, row: usize| -> String {
        if cx.count() > 2 { cx.get::<&str>(2, row).to_owned() } else { " ".to_owned() }
    };
    vec![
        rows("lpad", move |cx, row| pad(cx, cx.get::<&str>(0, row), cx.get::<i32>(1, row), &fill(cx, row), true)),
        rows("rpad", move |cx, row| pad(cx, cx.get::<&str>(0, row), cx.get::<i32>(1, row), &fill(cx, row), false)),
        strict!("repeat", cx, |a: &str, count: i32| -> Result<String> {
            let count = count.max(0) as usize;
            if a.len().saturating_mul(count) > MAX_BYTES {
                return Err(too_large());
            }
            cx.check_memory(a.len() * count)?;
            Ok(a.repeat(count))
        }),
        strict!("text_reverse", |a: &str| a.chars().rev().collect::<String>()),
    ]
}

/// A letter in the other case when that is one letter too, as the C library converts.
pub(crate) fn upper_char(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

pub(crate) fn lower_char(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

pub(crate) fn lower(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().map(lower_char).collect() }
}

pub(crate) fn upper(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_uppercase() } else { text.chars().map(upper_char).collect() }
}

fn letters() -> Vec<Function> {
    vec![
        strict!("lower", |a: &str| lower(a)),
        strict!("upper", |a: &str| upper(a)),
        strict!("initcap", |a: &str| {
            let mut within_word = false;
            a.chars()
                .map(|letter| {
                    let converted = if within_word { lower_char(letter) } else { upper_char(letter) };
                    within_word = letter.is_alphanumeric();
                    converted
                })
                .collect::<String>()
        }),
    ]
}

fn translate(text: &str, from: &str, to: &str) -> String {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    text.chars()
        .filter_map(|letter| match from.iter().position(|candidate| *candidate == letter) {
            None => Some(letter),
            Some(at) => to.get(at).copied(),
        })
        .collect()
}

fn changes() -> Vec<Function> {
    vec![
        strict!("replace_text", cx, |a: &str, old: &str, new: &str| -> Result<String> {
            if old.is_empty() {
                return Ok(a.to_owned());
            }
            let found = a.matches(old).count();
            if found.saturating_mul(new.len()) > MAX_BYTES {
                return Err(too_large());
            }
            // It doubles as it grows.
            cx.check_memory(2 * (a.len() + found * new.len()))?;
            Ok(a.replace(old, new))
        }),
        strict!("translate", cx, |a: &str, from: &str, to: &str| -> Result<String> {
            // A character may become one of four bytes.
            cx.check_memory(a.len().saturating_mul(8))?;
            Ok(translate(a, from, to))
        }),
        strict!("to_hex32", |a: i32| format!("{a:x}")),
        strict!("to_hex64", |a: i64| format!("{a:x}")),
        strict!("unistr", |a: &str| unistr(a)),
        strict!("unicode_normalize_func", |a: &str, form: &str| -> Result<String> {
            normal_form(form)?;
            if a.is_ascii() { Ok(a.to_owned()) } else { Err(Error::unsupported("normalize() of characters other than ASCII")) }
        }),
        strict!("unicode_is_normalized", |a: &str, form: &str| -> Result<bool> {
            normal_form(form)?;
            if a.is_ascii() { Ok(true) } else { Err(Error::unsupported("IS NORMALIZED of characters other than ASCII")) }
        }),
    ]
}

fn normal_form(form: &str) -> Result<()> {
    if ["NFC", "NFD", "NFKC", "NFKD"].iter().any(|known| known.eq_ignore_ascii_case(form)) {
        return Ok(());
    }
    Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid normalization form: {form}")))
}

/// Replaces Unicode escapes: `\XXXX`, `\+XXXXXX`, `\uXXXX`, `\UXXXXXXXX` and `\\`.
fn unistr(text: &str) -> Result<String> {
    let invalid = || {
        Error::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape")
            .hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
    };
    let bad_pair = || Error::new(SqlState::SYNTAX_ERROR, "invalid Unicode surrogate pair");
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    let mut high: Option<u32> = None;
    while let Some(at) = rest.find('\\') {
        if at > 0 && high.is_some() {
            return Err(bad_pair());
        }
        result.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        if let Some(after) = escape.strip_prefix('\\') {
            if high.is_some() {
                return Err(bad_pair());
            }
            result.push('\\');
            rest = after;
            continue;
        }
        let (skip, digits) = match escape.as_bytes().first() {
            Some(b'+') => (1, 6),
            Some(b'u') => (1, 4),
            Some(b'U') => (1, 8),
            _ => (0, 4),
        };
        let code = escape.get(skip..skip + digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = u32::from_str_radix(code.ok_or_else(invalid)?, 16).map_err(|_| invalid())?;
        rest = &escape[skip + digits..];
        match (high.take(), code) {
            (None, 0xD800..=0xDBFF) => high = Some(code),
            (Some(first), 0xDC00..=0xDFFF) => {
                let combined = 0x10000 + ((first - 0xD800) << 10) + (code - 0xDC00);
                result.push(char::from_u32(combined).ok_or_else(bad_pair)?);
            }
            (Some(_), _) | (None, 0xDC00..=0xDFFF) => return Err(bad_pair()),
            (None, 0) => return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "invalid Unicode code point: 0000")),
            (None, code) => match char::from_u32(code) {
                Some(character) => result.push(character),
                None => return Err(Error::new(SqlState::SYNTAX_ERROR, format!("invalid Unicode code point: {code:04X}"))),
            },
        }
    }
    if high.is_some() {
        return Err(bad_pair());
    }
    result.push_str(rest);
    Ok(result)
}
