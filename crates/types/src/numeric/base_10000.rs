//! Numerics as PostgreSQL keeps and sends them: digits of base 10000, the power of the first one, sign and display scale.

use num_bigint::{BigInt, BigUint};

use super::{MAX_SCALE, Numeric, Repr, digits::power_of_ten};
use crate::Result;

/// The sign word of the wire format.
const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const POSITIVE_INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// What PostgreSQL sends as the scale of an infinity: a bit of its header that means nothing.
const INFINITY_SCALE: u16 = 0x20;

/// A numeric in PostgreSQL's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base10000 {
    /// Power of 10000 of the first digit.
    pub weight: i16,
    /// One of five words: positive, negative, NaN, infinity, -infinity.
    pub sign: u16,
    /// Display scale; at most 16383.
    pub scale: u16,
    /// Each below 10000, without zeros at either end.
    pub digits: Vec<u16>,
}

impl Base10000 {
    pub fn is_sign(sign: u16) -> bool {
        matches!(sign, POSITIVE | NEGATIVE | NAN | POSITIVE_INFINITY | NEGATIVE_INFINITY)
    }
}

impl Numeric {
    pub fn to_base_10000(&self) -> Base10000 {
        let special = |sign, scale| Base10000 { weight: 0, sign, scale, digits: Vec::new() };
        match &self.0 {
            Repr::NaN => special(NAN, 0),
            Repr::PositiveInfinity => special(POSITIVE_INFINITY, INFINITY_SCALE),
            Repr::NegativeInfinity => special(NEGATIVE_INFINITY, INFINITY_SCALE),
            Repr::Small { .. } | Repr::Big(_) => {
                self.with_decimal_digits(group_digits).expect("special values are handled above")
            }
        }
    }

    /// The value of the parts, cut to their display scale; the sign is a valid one. Error: 22003.
    pub fn from_base_10000(parts: &Base10000) -> Result<Numeric> {
        match parts.sign {
            NAN => return Ok(Numeric::NAN),
            POSITIVE_INFINITY => return Ok(Numeric::INFINITY),
            NEGATIVE_INFINITY => return Ok(Numeric::NEGATIVE_INFINITY),
            _ => {}
        }
        let scale = u32::from(parts.scale).min(MAX_SCALE);
        // The mantissa counts units of 10^exponent.
        let exponent = (i64::from(parts.weight) - parts.digits.len() as i64 + 1) * 4;
        let decimal: Vec<u8> = parts
            .digits
            .iter()
            .flat_map(|digit| [digit / 1000, digit / 100 % 10, digit / 10 % 10, digit % 10])
            .map(|digit| digit as u8)
            .collect();
        let mantissa = BigInt::from(BigUint::from_radix_be(&decimal, 10).unwrap_or_default());
        let shift = exponent + i64::from(scale);
        let mantissa = match shift {
            0.. => mantissa * power_of_ten(shift as u32),
            // Everything is past the scale.
            _ if shift.unsigned_abs() > decimal.len() as u64 => BigInt::ZERO,
            _ => mantissa / power_of_ten(shift.unsigned_abs() as u32),
        };
        Numeric::from_big(if parts.sign == NEGATIVE { -mantissa } else { mantissa }, scale)
    }
}

fn group_digits(negative: bool, decimal: &[u8], scale: u32) -> Base10000 {
    // Bring the decimal point to a border between groups of four.
    let integral = decimal.len() as i64 - i64::from(scale);
    let padding = (4 - integral.rem_euclid(4)) % 4;
    let mut weight = (integral + padding) / 4 - 1;
    let padded: Vec<u8> = std::iter::repeat_n(b'0', padding as usize).chain(decimal.iter().copied()).collect();
    let group = |chunk: &[u8]| (0..4).fold(0, |value, at| value * 10 + chunk.get(at).map_or(0, |byte| u16::from(byte - b'0')));
    let mut digits: Vec<u16> = padded.chunks(4).map(group).collect();
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..leading);
    weight -= leading as i64;
    while digits.last() == Some(&0) {
        digits.pop();
    }
    if digits.is_empty() {
        return Base10000 { weight: 0, sign: POSITIVE, scale: scale as u16, digits };
    }
    let sign = if negative { NEGATIVE } else { POSITIVE };
    Base10000 { weight: weight as i16, sign, scale: scale as u16, digits }
}
