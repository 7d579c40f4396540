//! Conversion between numerics and machine numbers, with PostgreSQL's rounding and overflow errors.

use std::fmt::Write as _;

use num_bigint::BigInt;

use super::{Numeric, Repr, digits::divide_rounding, digits::power_of_ten};
use crate::{Error, Result, SqlState};

macro_rules! from_integers {
    ($($integer:ty),*) => {
        $(impl From<$integer> for Numeric {
            #[inline]
            fn from(value: $integer) -> Numeric {
                Numeric(Repr::Small { scale: 0, mantissa: i64::from(value) })
            }
        })*
    };
}

from_integers!(i16, i32, i64, u32);

impl From<i128> for Numeric {
    fn from(value: i128) -> Numeric {
        Numeric::from_i128(value, 0)
    }
}

impl From<u64> for Numeric {
    fn from(value: u64) -> Numeric {
        Numeric::from_i128(i128::from(value), 0)
    }
}

impl From<BigInt> for Numeric {
    /// An integer of any size below the format's limit of 131072 digits.
    fn from(value: BigInt) -> Numeric {
        Numeric::from_big_unchecked(value, 0)
    }
}

impl Numeric {
    /// Rounds to a 16-bit integer. Errors: 22003, and 0A000 for NaN and infinities.
    pub fn to_i16(&self) -> Result<i16> {
        self.to_integer("smallint")
    }

    /// Rounds to a 32-bit integer. Errors: 22003, and 0A000 for NaN and infinities.
    pub fn to_i32(&self) -> Result<i32> {
        self.to_integer("integer")
    }

    /// Rounds to a 64-bit integer. Errors: 22003, and 0A000 for NaN and infinities.
    pub fn to_i64(&self) -> Result<i64> {
        self.to_integer("bigint")
    }

    fn to_integer<I: TryFrom<i64>>(&self, type_name: &str) -> Result<I> {
        let out_of_range = || Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range"));
        let unconvertible =
            |what: &str| Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("cannot convert {what} to {type_name}"));
        match &self.0 {
            Repr::NaN => Err(unconvertible("NaN")),
            Repr::PositiveInfinity | Repr::NegativeInfinity => Err(unconvertible("infinity")),
            _ => self.rounded_i64().and_then(|value| I::try_from(value).ok()).ok_or_else(out_of_range),
        }
    }

    /// The value rounded half away from zero when it is finite and fits.
    pub fn rounded_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small { scale: 0, mantissa } => Some(*mantissa),
            Repr::Big(big) => i64::try_from(&divide_rounding(&big.mantissa, &power_of_ten(big.scale))).ok(),
            Repr::Small { .. } => self.round(0).ok()?.small_parts().map(|(mantissa, _)| mantissa),
            _ => None,
        }
    }

    /// The value when it is an integer that fits; used where a fraction must not be rounded away.
    pub fn exact_i64(&self) -> Option<i64> {
        match self.min_scale() {
            Some(0) => self.rounded_i64(),
            _ => None,
        }
    }

    /// The nearest double. Error: 22003 when it is too large or too small for one.
    pub fn to_f64(&self) -> Result<f64> {
        self.to_float("double precision", f64::INFINITY, f64::NAN)
    }

    /// The nearest single. Error: 22003 when it is too large or too small for one.
    pub fn to_f32(&self) -> Result<f32> {
        self.to_float("real", f32::INFINITY, f32::NAN)
    }

    fn to_float<F>(&self, type_name: &str, infinity: F, nan: F) -> Result<F>
    where
        F: std::str::FromStr + PartialEq + Default + Copy + std::ops::Neg<Output = F>,
    {
        match &self.0 {
            Repr::NaN => return Ok(nan),
            Repr::PositiveInfinity => return Ok(infinity),
            Repr::NegativeInfinity => return Ok(-infinity),
            _ => {}
        }
        let text = self.to_string();
        let value: F = text.parse().map_err(|_| Error::internal("a printed numeric is not a number"))?;
        if value == infinity || value == -infinity || (value == F::default() && !self.is_zero()) {
            let message = format!("\"{text}\" is out of range for type {type_name}");
            return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
        }
        Ok(value)
    }

    /// The nearest double, infinite when it is too large: for estimates.
    pub fn to_f64_lossy(&self) -> f64 {
        match &self.0 {
            Repr::Small { scale: 0, mantissa } => *mantissa as f64,
            Repr::NaN => f64::NAN,
            Repr::PositiveInfinity => f64::INFINITY,
            Repr::NegativeInfinity => f64::NEG_INFINITY,
            _ => self.to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// The numeric of a double's first 15 significant digits, as PostgreSQL casts.
    pub fn from_f64(value: f64) -> Result<Numeric> {
        Numeric::from_float(value, 15)
    }

    /// The numeric of a single's first 6 significant digits.
    pub fn from_f32(value: f32) -> Result<Numeric> {
        Numeric::from_float(f64::from(value), 6)
    }

    fn from_float(value: f64, significant: usize) -> Result<Numeric> {
        if value.is_nan() {
            return Ok(Numeric::NAN);
        }
        if value.is_infinite() {
            return Ok(if value > 0.0 { Numeric::INFINITY } else { Numeric::NEGATIVE_INFINITY });
        }
        let mut text = String::with_capacity(32);
        write!(text, "{value:.*e}", significant - 1).expect("a String takes everything");
        // C's %g drops trailing zeros of the fraction, and so the scale they would give.
        let Some((digits, exponent)) = text.split_once('e') else { return Numeric::parse(&text) };
        let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
        Numeric::parse(&format!("{digits}e{exponent}"))
    }
}
