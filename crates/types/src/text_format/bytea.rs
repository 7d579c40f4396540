//! Text of byte strings, in hex and escape form.

use std::fmt::Write as _;

use crate::{Error, Result, SqlState, format_settings::ByteaOutput};

/// Reads `\x` followed by hexadecimal pairs (blanks between pairs are skipped), or the escape form. Errors: 22023, 22P02.
pub fn parse_bytea(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => parse_hex(digits),
        None => parse_escape(text.as_bytes()),
    }
}

fn parse_hex(digits: &str) -> Result<Vec<u8>> {
    let invalid = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut characters = digits.chars();
    let value =
        |character: char| character.to_digit(16).ok_or_else(|| invalid(format!("invalid hexadecimal digit: \"{character}\"")));
    while let Some(character) = characters.next() {
        if matches!(character, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let high = value(character)?;
        let low = characters.next().ok_or_else(|| invalid("invalid hexadecimal data: odd number of digits".to_owned()))?;
        bytes.push((high * 16 + value(low)?) as u8);
    }
    Ok(bytes)
}

fn parse_escape(text: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        match rest {
            [] => return Ok(bytes),
            [b'\\', b'\\', after @ ..] => {
                bytes.push(b'\\');
                rest = after;
            }
            [b'\\', high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', after @ ..] => {
                bytes.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                rest = after;
            }
            [b'\\', ..] => {
                return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea"));
            }
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
}

/// Appends the bytes in the form that `bytea_output` asks for.
pub fn print_bytea(bytes: &[u8], form: ByteaOutput, out: &mut String) {
    match form {
        ByteaOutput::Hex => {
            out.reserve(2 + bytes.len() * 2);
            out.push_str("\\x");
            for byte in bytes {
                let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
                out.push(digit(byte >> 4));
                out.push(digit(*byte));
            }
        }
        ByteaOutput::Escape => {
            for byte in bytes {
                match byte {
                    b'\\' => out.push_str("\\\\"),
                    0x20..=0x7e => out.push(char::from(*byte)),
                    _ => write!(out, "\\{byte:03o}").expect("a String takes everything"),
                }
            }
        }
    }
}
