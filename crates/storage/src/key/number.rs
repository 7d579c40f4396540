//! Numbers as memcomparable bytes.

use types::{Numeric, Result};

use super::invert;

pub(super) fn int4(value: i32) -> [u8; 4] {
    (value as u32 ^ 1 << 31).to_be_bytes()
}

pub(super) fn int8(value: i64) -> [u8; 8] {
    (value as u64 ^ 1 << 63).to_be_bytes()
}

/// NaN (any) is greatest, -0 equals 0.
pub(super) fn float4(value: f32) -> [u8; 4] {
    let value = if value.is_nan() { f32::NAN.abs() } else { value + 0.0 };
    let bits = value.to_bits();
    (if value.is_sign_negative() { !bits } else { bits ^ 1 << 31 }).to_be_bytes()
}

pub(super) fn float8(value: f64) -> [u8; 8] {
    let value = if value.is_nan() { f64::NAN.abs() } else { value + 0.0 };
    let bits = value.to_bits();
    (if value.is_sign_negative() { !bits } else { bits ^ 1 << 63 }).to_be_bytes()
}

/// Classes of numerics, in order.
const NEGATIVE_INFINITY: u8 = 1;
const NEGATIVE: u8 = 2;
const ZERO: u8 = 3;
const POSITIVE: u8 = 4;
const POSITIVE_INFINITY: u8 = 5;
const NAN: u8 = 6;

pub(super) fn numeric(value: &Numeric, key: &mut Vec<u8>) -> Result<()> {
    let finite = value.with_decimal_digits(|negative, digits, scale| decimal(negative, digits, scale, key));
    if finite.is_none() {
        key.push(match value.signum() {
            _ if value.is_nan() => NAN,
            -1 => NEGATIVE_INFINITY,
            _ => POSITIVE_INFINITY,
        });
    }
    Ok(())
}

/// `digits / 10^scale` with its sign, digits in ASCII: a class byte, the decimal exponent, then the digits in pairs from the decimal
/// point's side of the first one, each plus one so that 0 ends them. Leading and trailing zeros do not count.
fn decimal(negative: bool, digits: &[u8], scale: u32, key: &mut Vec<u8>) {
    let leading = digits.iter().take_while(|&&digit| digit == b'0').count();
    let significant = &digits[leading..];
    let trailing = significant.iter().rev().take_while(|&&digit| digit == b'0').count();
    let exponent = significant.len() as i32 - scale as i32;
    let significant = &significant[..significant.len() - trailing];
    if significant.is_empty() {
        key.push(ZERO);
        return;
    }
    key.push(if negative { NEGATIVE } else { POSITIVE });
    let start = key.len();
    key.extend(int4(exponent));
    for pair in significant.chunks(2) {
        let tens = pair[0] - b'0';
        let units = pair.get(1).map_or(0, |digit| digit - b'0');
        key.push(tens * 10 + units + 1);
    }
    key.push(0);
    if negative {
        invert(&mut key[start..]);
    }
}
