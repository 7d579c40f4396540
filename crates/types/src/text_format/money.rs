//! Text of money as under the C locale: `$1,234.56`. Values are cents.

use super::is_space;
use crate::{Error, Result, SqlState};

/// Reads an amount: blanks, `$`, a sign or parentheses around it, groups of digits, and cents (rounded). Errors: 22P02, 22003.
pub fn parse_money(text: &str) -> Result<i64> {
    let invalid = || super::invalid_syntax("money", text);
    let out_of_range = || {
        let message = format!("value \"{text}\" is out of range for type money");
        Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
    };
    let mut rest = trim_start(text.as_bytes());
    let mut negative = false;
    rest = rest.strip_prefix(b"$").unwrap_or(rest);
    rest = trim_start(rest);
    match rest.first() {
        Some(b'-' | b'(') => {
            negative = true;
            rest = &rest[1..];
        }
        Some(b'+') => rest = &rest[1..],
        _ => {}
    }
    rest = trim_start(rest);
    rest = trim_start(rest.strip_prefix(b"$").unwrap_or(rest));

    // Cents are collected as a negative number, whose range is the larger one.
    let (mut cents, mut decimals, mut seen_point) = (0i64, 0, false);
    while let Some(byte) = rest.first() {
        match byte {
            b'0'..=b'9' if decimals < 2 => {
                let digit = i64::from(byte - b'0');
                cents = cents.checked_mul(10).and_then(|value| value.checked_sub(digit)).ok_or_else(out_of_range)?;
                decimals += i32::from(seen_point);
            }
            b'.' if !seen_point => seen_point = true,
            b',' => {}
            _ => break,
        }
        rest = &rest[1..];
    }
    let round_up = matches!(rest.first(), Some(b'5'..=b'9'));
    for _ in decimals..2 {
        cents = cents.checked_mul(10).ok_or_else(out_of_range)?;
    }
    if round_up && decimals == 2 {
        cents = cents.checked_sub(1).ok_or_else(out_of_range)?;
    }
    while rest.first().is_some_and(u8::is_ascii_digit) {
        rest = &rest[1..];
    }
    for byte in rest {
        match byte {
            b')' | b'$' | b'+' => {}
            b'-' => negative = true,
            byte if is_space(*byte) => {}
            _ => return Err(invalid()),
        }
    }
    if negative { Ok(cents) } else { cents.checked_neg().ok_or_else(out_of_range) }
}

fn trim_start(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_space(**byte)).count();
    &text[blanks..]
}

/// Appends an amount of cents.
pub fn print_money(cents: i64, out: &mut String) {
    out.push_str(if cents < 0 { "-$" } else { "$" });
    let cents = cents.unsigned_abs();
    let mut buffer = itoa::Buffer::new();
    let whole = buffer.format(cents / 100);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push('.');
    out.push(char::from(b'0' + (cents / 10 % 10) as u8));
    out.push(char::from(b'0' + (cents % 10) as u8));
}
