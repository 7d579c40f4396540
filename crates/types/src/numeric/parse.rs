//! Text input of numerics.

use num_bigint::{BigInt, BigUint};

use super::{MAX_SCALE, MAX_SMALL_SCALE, Numeric, Repr, overflow};
use crate::{Error, Result, SqlState, numeric::digits};

/// PostgreSQL limits exponents so that its own scale arithmetic cannot overflow.
const EXPONENT_LIMIT: i64 = (i32::MAX / 2) as i64;

impl Numeric {
    /// Reads what PostgreSQL's `numeric` input reads: blanks around it, a sign, digits with a point, an exponent,
    /// `nan`, `inf`, `infinity`. Errors: 22P02, and 22003 when the format cannot hold the value.
    pub fn parse(text: &str) -> Result<Numeric> {
        let trimmed = text.trim_matches(is_space).as_bytes();
        if let Some(small) = parse_small(trimmed) {
            return Ok(small);
        }
        match parse_general(trimmed) {
            Ok(number) => Ok(number),
            Err(Failure::Syntax) => Err(Error::new(
                SqlState::INVALID_TEXT_REPRESENTATION,
                format!("invalid input syntax for type numeric: \"{text}\""),
            )),
            Err(Failure::Overflow) => Err(overflow()),
        }
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

enum Failure {
    Syntax,
    Overflow,
}

/// Up to 18 digits without exponent: nearly every number there is.
fn parse_small(text: &[u8]) -> Option<Numeric> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut mantissa = 0i64;
    let mut point = None;
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?,
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let scale = match point {
        Some(_) if digits.len() == 1 => return None,
        Some(at) => digits.len() - at - 1,
        None => 0,
    };
    let mantissa = if negative { -mantissa } else { mantissa };
    (scale <= MAX_SMALL_SCALE as usize).then_some(Numeric(Repr::Small { scale: scale as u16, mantissa }))
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn parse_general(text: &[u8]) -> Result<Numeric, Failure> {
    if text.eq_ignore_ascii_case(b"nan") {
        return Ok(Numeric::NAN);
    }
    let (negative, unsigned) = split_sign(text);
    if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
        return Ok(if negative { Numeric::NEGATIVE_INFINITY } else { Numeric::INFINITY });
    }
    let mut digits = Vec::with_capacity(unsigned.len());
    let mut fraction_digits = 0i64;
    let mut seen_point = false;
    let mut at = 0;
    while let Some(byte) = unsigned.get(at) {
        match byte {
            b'0'..=b'9' => {
                digits.push(byte - b'0');
                fraction_digits += i64::from(seen_point);
            }
            b'.' if !seen_point => seen_point = true,
            _ => break,
        }
        at += 1;
    }
    if digits.is_empty() {
        return Err(Failure::Syntax);
    }
    let exponent = parse_exponent(&unsigned[at..])?;
    assemble(negative, digits, fraction_digits, exponent)
}

/// `e` and what C's `strtol` takes after it, up to the end of the text.
fn parse_exponent(text: &[u8]) -> Result<i64, Failure> {
    let digits = match text.first() {
        None => return Ok(0),
        Some(b'e' | b'E') => text[1..].trim_ascii_start(),
        Some(_) => return Err(Failure::Syntax),
    };
    let (negative, digits) = split_sign(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Failure::Syntax);
    }
    let magnitude = digits.iter().fold(0i64, |value, byte| value.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
    if magnitude >= EXPONENT_LIMIT {
        return Err(Failure::Overflow);
    }
    Ok(if negative { -magnitude } else { magnitude })
}

fn assemble(negative: bool, digits: Vec<u8>, fraction_digits: i64, exponent: i64) -> Result<Numeric, Failure> {
    let scale = fraction_digits - exponent;
    if scale > i64::from(MAX_SCALE) {
        return Err(Failure::Overflow);
    }
    let significant = match digits.iter().position(|digit| *digit != 0) {
        Some(first) => &digits[first..],
        None => return Ok(Numeric::from_i128(0, scale.max(0) as u32)),
    };
    if significant.len() as i64 - scale > super::MAX_INTEGRAL_DIGITS as i64 {
        return Err(Failure::Overflow);
    }
    let magnitude = BigUint::from_radix_be(significant, 10).expect("only decimal digits were collected");
    let mut mantissa = BigInt::from(magnitude);
    if scale < 0 {
        mantissa *= digits::power_of_ten(scale.unsigned_abs() as u32);
    }
    if negative {
        mantissa = -mantissa;
    }
    Ok(Numeric::from_big_unchecked(mantissa, scale.max(0) as u32))
}
