//! Rounding and cutting to a scale, and the limits of `numeric(precision, scale)`.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Signed, Zero};

use super::{
    Numeric, Repr,
    digits::{POWERS_OF_TEN, decimal_digits, divide_rounding, power_of_ten, strip_trailing_zeros, strip_trailing_zeros_small},
};
use crate::{Error, Result, SqlState};

/// Scales that round() and trunc() are asked for are brought into this range first.
const MAX_RESULT_SCALE: i32 = 2000;
/// The length word that PostgreSQL adds to every numeric modifier.
const MODIFIER_OFFSET: i32 = 4;

impl Numeric {
    /// `round(a, scale)`: half away from zero; a negative scale rounds before the decimal point.
    pub fn round(&self, scale: i32) -> Result<Numeric> {
        self.round_to(scale.clamp(-MAX_RESULT_SCALE, MAX_RESULT_SCALE))
    }

    fn round_to(&self, scale: i32) -> Result<Numeric> {
        if let Repr::Small { scale: current, mantissa } = &self.0
            && (0..=18).contains(&scale)
            && scale <= i32::from(*current)
        {
            let power = POWERS_OF_TEN[(i32::from(*current) - scale) as usize];
            let (quotient, remainder) = (mantissa / power, mantissa % power);
            let away = if remainder.unsigned_abs() * 2 >= power.unsigned_abs() && power > 1 { mantissa.signum() } else { 0 };
            return Ok(Numeric(Repr::Small { scale: scale as u16, mantissa: quotient + away }));
        }
        self.cut(scale, divide_rounding)
    }

    /// `trunc(a, scale)`: digits past the scale are dropped.
    pub fn trunc(&self, scale: i32) -> Result<Numeric> {
        self.cut(scale.clamp(-MAX_RESULT_SCALE, MAX_RESULT_SCALE), |dividend, divisor| dividend / divisor)
    }

    /// The value at `scale` digits after the point; `divide` decides what becomes of the digits that are cut.
    fn cut(&self, scale: i32, divide: impl Fn(&BigInt, &BigInt) -> BigInt) -> Result<Numeric> {
        let Some((mantissa, current)) = self.big_parts() else { return Ok(self.clone()) };
        let cut = i64::from(current) - i64::from(scale);
        if cut <= 0 {
            return Numeric::from_big(mantissa.as_ref() * power_of_ten((-cut) as u32), scale as u32);
        }
        let mut result = divide(mantissa.as_ref(), &power_of_ten(cut as u32));
        if scale < 0 {
            result *= power_of_ten(scale.unsigned_abs());
        }
        Numeric::from_big(result, scale.max(0) as u32)
    }

    /// The smallest integer that is not less.
    pub fn ceil(&self) -> Result<Numeric> {
        self.cut(0, Integer::div_ceil)
    }

    /// The largest integer that is not greater.
    pub fn floor(&self) -> Result<Numeric> {
        self.cut(0, Integer::div_floor)
    }

    /// The smallest scale that holds the value exactly; None for NaN and infinities.
    pub fn min_scale(&self) -> Option<u32> {
        match &self.0 {
            Repr::Small { scale, mantissa } => Some(u32::from(strip_trailing_zeros_small(*mantissa, *scale).1)),
            Repr::Big(big) => Some(strip_trailing_zeros(&big.mantissa, big.scale).1),
            _ => None,
        }
    }

    /// The same value at its smallest scale.
    #[must_use]
    pub fn trim_scale(&self) -> Numeric {
        match &self.0 {
            Repr::Small { scale, mantissa } => {
                let (mantissa, scale) = strip_trailing_zeros_small(*mantissa, *scale);
                Numeric(Repr::Small { scale, mantissa })
            }
            Repr::Big(big) => {
                let (mantissa, scale) = strip_trailing_zeros(&big.mantissa, big.scale);
                Numeric::from_big_unchecked(mantissa.into_owned(), scale)
            }
            _ => self.clone(),
        }
    }

    /// The modifier of `numeric(precision, scale)`.
    pub const fn typmod(precision: i32, scale: i32) -> i32 {
        ((precision << 16) | (scale & 0x7ff)) + MODIFIER_OFFSET
    }

    /// Precision and scale of a modifier; None for -1.
    pub const fn typmod_parts(typmod: i32) -> Option<(i32, i32)> {
        if typmod < MODIFIER_OFFSET {
            return None;
        }
        let typmod = typmod - MODIFIER_OFFSET;
        Some(((typmod >> 16) & 0xffff, ((typmod & 0x7ff) ^ 1024) - 1024))
    }

    /// Rounds to `scale` and checks that the value fits `precision` digits. Error: 22003 "numeric field overflow".
    pub fn apply_typmod(&self, precision: i32, scale: i32) -> Result<Numeric> {
        match &self.0 {
            Repr::NaN => return Ok(Numeric::NAN),
            Repr::PositiveInfinity | Repr::NegativeInfinity => {
                let detail = format!("A field with precision {precision}, scale {scale} cannot hold an infinite value.");
                return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").detail(detail));
            }
            Repr::Small { scale: current, mantissa }
                if i32::from(*current) == scale
                    && precision <= 18
                    && mantissa.unsigned_abs() < POWERS_OF_TEN[precision.max(0) as usize].unsigned_abs() =>
            {
                return Ok(self.clone());
            }
            _ => {}
        }
        let rounded = self.round_to(scale)?;
        let integral_digits = precision - scale;
        if rounded.integral_exponent() > i64::from(integral_digits) {
            let (prefix, limit) = if integral_digits == 0 { ("", 1) } else { ("10^", integral_digits) };
            let detail = format!(
                "A field with precision {precision}, scale {scale} must round to an absolute value less than {prefix}{limit}."
            );
            return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").detail(detail));
        }
        Ok(rounded)
    }

    /// The smallest `n` with `|value| < 10^n`; the least there is for zero.
    fn integral_exponent(&self) -> i64 {
        match self.big_parts() {
            Some((mantissa, scale)) if !mantissa.is_zero() => {
                decimal_digits(mantissa.abs().magnitude()) as i64 - i64::from(scale)
            }
            _ => i64::MIN,
        }
    }
}
