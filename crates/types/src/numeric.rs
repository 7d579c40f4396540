//! Exact decimal numbers of any precision: PostgreSQL's `numeric`, digit for digit.
//!
//! A value is `mantissa / 10^scale`, where `scale` is also its display scale: no digit is ever held beyond it. Values whose
//! mantissa fits an `i64` (and whose scale is at most 18) are always held inline; everything else is a shared big integer.
//! So the common case - money, prices, sums of a few rows - never allocates.
//!
//! **Invariant.** The form is canonical: a value that fits the small form is never held in the big one.

mod accumulate;
mod arithmetic;
mod base_10000;
mod compare;
mod convert;
mod digits;
mod integer_functions;
mod parse;
mod print;
mod rounding;
mod transcendental;

#[cfg(test)]
mod tests;

pub use accumulate::{NumericSum, variance};
pub use base_10000::Base10000;

use std::{borrow::Cow, sync::Arc};

use num_bigint::BigInt;

use crate::{Error, Result, SqlState};

/// Most digits before the decimal point.
const MAX_INTEGRAL_DIGITS: u64 = 131_072;
/// Most digits after the decimal point.
const MAX_SCALE: u32 = 16_383;
/// The largest scale at which a mantissa is held inline, so that `10^scale` is itself an `i64`.
const MAX_SMALL_SCALE: u32 = 18;

/// An exact decimal number with its display scale, or NaN or an infinity. 16 bytes.
///
/// Equality, order and hash are PostgreSQL's: 1.0 equals 1.00, NaN equals itself and is greater than everything else.
#[derive(Clone, Debug)]
pub struct Numeric(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Small { scale: u16, mantissa: i64 },
    Big(Arc<BigDecimal>),
    NaN,
    PositiveInfinity,
    NegativeInfinity,
}

#[derive(Debug)]
struct BigDecimal {
    mantissa: BigInt,
    scale: u32,
}

const _: () = assert!(size_of::<Numeric>() == 16);

impl Numeric {
    pub const ZERO: Numeric = Numeric(Repr::Small { scale: 0, mantissa: 0 });
    pub const ONE: Numeric = Numeric(Repr::Small { scale: 0, mantissa: 1 });
    pub const NAN: Numeric = Numeric(Repr::NaN);
    pub const INFINITY: Numeric = Numeric(Repr::PositiveInfinity);
    pub const NEGATIVE_INFINITY: Numeric = Numeric(Repr::NegativeInfinity);

    /// `mantissa / 10^scale`.
    pub fn from_parts(mantissa: i64, scale: u16) -> Numeric {
        if u32::from(scale) <= MAX_SMALL_SCALE {
            Numeric(Repr::Small { scale, mantissa })
        } else {
            Numeric::from_big_unchecked(BigInt::from(mantissa), u32::from(scale).min(MAX_SCALE))
        }
    }

    /// Mantissa and scale when the value is held inline; what storage keeps in a fixed-width column.
    #[inline]
    pub fn small_parts(&self) -> Option<(i64, u16)> {
        match self.0 {
            Repr::Small { scale, mantissa } => Some((mantissa, scale)),
            _ => None,
        }
    }

    /// `mantissa / 10^scale`, held inline when it fits. `scale` is at most [`MAX_SCALE`] and a mantissa of 128 bits never overflows.
    #[inline]
    fn from_i128(mantissa: i128, scale: u32) -> Numeric {
        match i64::try_from(mantissa) {
            Ok(mantissa) if scale <= MAX_SMALL_SCALE => Numeric(Repr::Small { scale: scale as u16, mantissa }),
            _ => Numeric(Repr::Big(Arc::new(BigDecimal { mantissa: BigInt::from(mantissa), scale }))),
        }
    }

    /// The same for a big integer, without checking the limits of the format.
    fn from_big_unchecked(mantissa: BigInt, scale: u32) -> Numeric {
        debug_assert!(scale <= MAX_SCALE);
        if scale <= MAX_SMALL_SCALE
            && let Ok(mantissa) = i64::try_from(&mantissa)
        {
            return Numeric(Repr::Small { scale: scale as u16, mantissa });
        }
        Numeric(Repr::Big(Arc::new(BigDecimal { mantissa, scale })))
    }

    /// The value, or 22003 when it has more digits before the decimal point than the format holds. Digits past
    /// [`MAX_SCALE`] are rounded away.
    fn from_big(mantissa: BigInt, scale: u32) -> Result<Numeric> {
        let (mantissa, scale) = match scale > MAX_SCALE {
            true => (digits::rescale(mantissa, scale, MAX_SCALE), MAX_SCALE),
            false => (mantissa, scale),
        };
        if digits::exceeds_integral_digits(&mantissa, scale, MAX_INTEGRAL_DIGITS) {
            return Err(overflow());
        }
        Ok(Numeric::from_big_unchecked(mantissa, scale))
    }

    pub fn is_nan(&self) -> bool {
        matches!(self.0, Repr::NaN)
    }

    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::PositiveInfinity | Repr::NegativeInfinity)
    }

    pub fn is_finite(&self) -> bool {
        matches!(self.0, Repr::Small { .. } | Repr::Big(_))
    }

    /// The number of digits after the decimal point that the value prints with; None for NaN and infinities.
    pub fn scale(&self) -> Option<u32> {
        match &self.0 {
            Repr::Small { scale, .. } => Some(u32::from(*scale)),
            Repr::Big(big) => Some(big.scale),
            Repr::NaN | Repr::PositiveInfinity | Repr::NegativeInfinity => None,
        }
    }

    /// Display scale as arithmetic uses it: 0 for NaN and infinities.
    fn display_scale(&self) -> u32 {
        self.scale().unwrap_or(0)
    }

    /// -1, 0 or 1; NaN counts as positive.
    pub fn signum(&self) -> i32 {
        match &self.0 {
            Repr::Small { mantissa, .. } => mantissa.signum() as i32,
            Repr::Big(big) => match big.mantissa.sign() {
                num_bigint::Sign::Minus => -1,
                num_bigint::Sign::NoSign => 0,
                num_bigint::Sign::Plus => 1,
            },
            Repr::NaN | Repr::PositiveInfinity => 1,
            Repr::NegativeInfinity => -1,
        }
    }

    pub fn is_zero(&self) -> bool {
        self.signum() == 0
    }

    /// Mantissa and scale of a finite value as big integers; the general path of every operation.
    fn big_parts(&self) -> Option<(Cow<'_, BigInt>, u32)> {
        match &self.0 {
            Repr::Small { scale, mantissa } => Some((Cow::Owned(BigInt::from(*mantissa)), u32::from(*scale))),
            Repr::Big(big) => Some((Cow::Borrowed(&big.mantissa), big.scale)),
            Repr::NaN | Repr::PositiveInfinity | Repr::NegativeInfinity => None,
        }
    }

    /// Bytes held outside the 16 of the value.
    pub fn heap_size(&self) -> usize {
        match &self.0 {
            Repr::Big(big) => 48 + (big.mantissa.bits() as usize).div_ceil(64) * 8,
            _ => 0,
        }
    }
}

impl Default for Numeric {
    fn default() -> Numeric {
        Numeric::ZERO
    }
}

fn overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

fn division_by_zero() -> Error {
    Error::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}
