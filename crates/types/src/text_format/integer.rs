//! Text input of integers and identifiers.

use super::{invalid_syntax, is_space, trim_spaces};
use crate::{Error, Oid, Result, SqlState};

fn out_of_range(type_name: &str, text: &str) -> Error {
    let message = format!("value \"{text}\" is out of range for type {type_name}");
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

macro_rules! parse_integer {
    ($name:ident, $integer:ty, $type_name:literal) => {
        /// Reads an optional sign and digits between blanks. Errors: 22P02, 22003.
        pub fn $name(text: &str) -> Result<$integer> {
            let digits = trim_spaces(text);
            match digits.parse() {
                Ok(value) => Ok(value),
                Err(error) => Err(match error.kind() {
                    std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => out_of_range($type_name, text),
                    _ => invalid_syntax($type_name, text),
                }),
            }
        }
    };
}

parse_integer!(parse_i16, i16, "smallint");
parse_integer!(parse_i32, i32, "integer");
parse_integer!(parse_i64, i64, "bigint");

/// Reads an `oid` as C's `strtoul` does: negative numbers count down from 2^32. Errors: 22P02, 22003.
pub fn parse_oid(text: &str) -> Result<Oid> {
    let digits = trim_spaces(text);
    let (negative, unsigned) = match digits.as_bytes().first() {
        Some(b'-') => (true, &digits[1..]),
        Some(b'+') => (false, &digits[1..]),
        _ => (false, digits),
    };
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid_syntax("oid", text));
    }
    let magnitude: i64 = unsigned.parse().map_err(|_| out_of_range("oid", text))?;
    match if negative { -magnitude } else { magnitude } {
        value @ 0.. => u32::try_from(value).map(Oid).map_err(|_| out_of_range("oid", text)),
        value => i32::try_from(value).map(|value| Oid(value as u32)).map_err(|_| out_of_range("oid", text)),
    }
}

/// What C's `strtoul(text, NULL, 0)` makes of a text, as the input of xid and its like: digits up to the first other byte, a
/// hexadecimal `0x` or octal `0` prefix, nothing at all read as 0.
pub(super) fn parse_c_unsigned(text: &str) -> u64 {
    let digits = text.trim_start_matches(|character: char| character.is_ascii() && is_space(character as u8));
    let (negative, digits) = match digits.as_bytes().first() {
        Some(b'-') => (true, &digits[1..]),
        Some(b'+') => (false, &digits[1..]),
        _ => (false, digits),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hexadecimal) => (16, hexadecimal),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let digits = digits.chars().map_while(|character| character.to_digit(radix)).map(u64::from);
    let value = digits.fold(0u64, |value, digit| value.saturating_mul(u64::from(radix)).saturating_add(digit));
    if negative { value.wrapping_neg() } else { value }
}
