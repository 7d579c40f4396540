//! Text of booleans, uuids, names, row identifiers and log positions.

use std::fmt::Write as _;

use super::{invalid_syntax, is_space, trim_spaces};
use crate::Result;

/// Bytes of a name that are kept.
const MAX_NAME_BYTES: usize = 63;

/// Reads true, yes, on, 1, or their opposites, in any case and cut short as long as it is clear. Error: 22P02.
pub fn parse_bool(text: &str) -> Result<bool> {
    let word = trim_spaces(text).as_bytes();
    let begins = |full: &[u8], least: usize| {
        word.len() >= least && full.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    if begins(b"true", 1) || begins(b"yes", 1) || begins(b"on", 2) || word == b"1" {
        Ok(true)
    } else if begins(b"false", 1) || begins(b"no", 1) || begins(b"off", 2) || word == b"0" {
        Ok(false)
    } else {
        Err(invalid_syntax("boolean", text))
    }
}

/// The first 63 bytes of a name, without breaking a character.
pub fn truncate_name(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_NAME_BYTES)]
}

/// Reads 32 hexadecimal digits, in braces or not, with a hyphen after any group of four. Error: 22P02.
pub fn parse_uuid(text: &str) -> Result<[u8; 16]> {
    read_uuid(text.as_bytes()).ok_or_else(|| invalid_syntax("uuid", text))
}

fn read_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut rest = match text {
        [b'{', inside @ .., b'}'] => inside,
        [b'{', ..] => return None,
        bare => bare,
    };
    let mut uuid = [0u8; 16];
    for (at, byte) in uuid.iter_mut().enumerate() {
        let [high, low, after @ ..] = rest else { return None };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        *byte = (digit(high)? * 16 + digit(low)?) as u8;
        rest = after;
        if at % 2 == 1 && at < 15 {
            rest = rest.strip_prefix(b"-").unwrap_or(rest);
        }
    }
    rest.is_empty().then_some(uuid)
}

/// Appends a uuid in its standard form.
pub fn print_uuid(value: &[u8; 16], out: &mut String) {
    let mut buffer = uuid::Uuid::encode_buffer();
    out.push_str(uuid::Uuid::from_bytes(*value).hyphenated().encode_lower(&mut buffer));
}

/// Reads a "char": one byte, held as the character of that number. `\\ooo` gives it in octal; of anything else, the first byte counts.
pub fn parse_char(text: &str) -> String {
    let octal = |digit: &u8| (b'0'..=b'7').contains(digit).then(|| u32::from(digit - b'0'));
    let byte = match text.as_bytes() {
        [b'\\', high @ b'0'..=b'3', middle, low] => {
            octal(high).zip(octal(middle)).zip(octal(low)).map(|((a, b), c)| a * 64 + b * 8 + c)
        }
        _ => None,
    };
    let byte = byte.or_else(|| text.bytes().next().map(u32::from)).unwrap_or(0);
    char::from_u32(byte).filter(|character| *character != '\0').map_or_else(String::new, String::from)
}

/// Appends the text of a "char": bytes outside ASCII in octal.
pub fn print_char(value: &str, out: &mut String) {
    match value.chars().next() {
        Some(byte) if !byte.is_ascii() => write!(out, "\\{:03o}", u32::from(byte)).expect("a String takes everything"),
        Some(byte) => out.push(byte),
        None => {}
    }
}

/// Reads `(block,offset)` and spells it without blanks. Error: 22P02.
pub(super) fn parse_tid(text: &str) -> Result<String> {
    let parse = || {
        let (_, inside) = text.split_once('(')?;
        let (block, rest) = inside.split_once(',')?;
        let (offset, _) = rest.split_once(')')?;
        // As C's strtoul: blanks before, and for the block, negative numbers that wrap.
        let block: i64 = block.trim_start_matches(|character: char| is_space(character as u8)).parse().ok()?;
        let offset: u16 = offset.trim_start_matches(|character: char| is_space(character as u8)).parse().ok()?;
        let block = u32::try_from(block).or_else(|_| i32::try_from(block).map(|negative| negative as u32)).ok()?;
        Some(format!("({block},{offset})"))
    };
    parse().ok_or_else(|| invalid_syntax("tid", text))
}

/// Reads `XXXXXXXX/XXXXXXXX`. Error: 22P02.
pub(super) fn parse_lsn(text: &str) -> Result<u64> {
    let half = |digits: &str| {
        let valid = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if valid { u32::from_str_radix(digits, 16).ok() } else { None }
    };
    text.split_once('/')
        .and_then(|(high, low)| Some(u64::from(half(high)?) << 32 | u64::from(half(low)?)))
        .ok_or_else(|| invalid_syntax("pg_lsn", text))
}

pub(super) fn print_lsn(value: u64, out: &mut String) {
    write!(out, "{:X}/{:X}", value >> 32, value as u32).expect("a String takes everything");
}
