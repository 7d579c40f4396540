//! The four operations, remainder, and the choice of a quotient's scale.

use super::{
    MAX_SCALE, MAX_SMALL_SCALE, Numeric, Repr,
    digits::{POWERS_OF_TEN, WIDE_POWERS_OF_TEN, divide_rounding, power_of_ten, scale_up},
    division_by_zero,
};
use crate::Result;

/// Significant digits that quotients, roots and logarithms have at least.
pub(super) const MIN_SIGNIFICANT_DIGITS: i32 = 16;
/// The largest scale that an operation chooses by itself.
pub(super) const MAX_DISPLAY_SCALE: i32 = 1000;

impl Numeric {
    #[inline]
    pub fn add(&self, other: &Numeric) -> Result<Numeric> {
        if let (Repr::Small { scale, mantissa: left }, Repr::Small { scale: right_scale, mantissa: right }) = (&self.0, &other.0)
        {
            if scale == right_scale
                && let Some(mantissa) = left.checked_add(*right)
            {
                return Ok(Numeric(Repr::Small { scale: *scale, mantissa }));
            }
            return Ok(add_small(*left, *scale, i128::from(*right), *right_scale));
        }
        add_general(self, other, false)
    }

    #[inline]
    pub fn sub(&self, other: &Numeric) -> Result<Numeric> {
        if let (Repr::Small { scale, mantissa: left }, Repr::Small { scale: right_scale, mantissa: right }) = (&self.0, &other.0)
        {
            if scale == right_scale
                && let Some(mantissa) = left.checked_sub(*right)
            {
                return Ok(Numeric(Repr::Small { scale: *scale, mantissa }));
            }
            return Ok(add_small(*left, *scale, -i128::from(*right), *right_scale));
        }
        add_general(self, other, true)
    }

    #[inline]
    pub fn mul(&self, other: &Numeric) -> Result<Numeric> {
        if let (Repr::Small { scale, mantissa: left }, Repr::Small { scale: right_scale, mantissa: right }) = (&self.0, &other.0)
        {
            let scale = scale + right_scale;
            if u32::from(scale) <= MAX_SMALL_SCALE
                && let Some(mantissa) = left.checked_mul(*right)
            {
                return Ok(Numeric(Repr::Small { scale, mantissa }));
            }
        }
        mul_general(self, other)
    }

    /// The quotient at the scale PostgreSQL chooses: at least 16 significant digits and both inputs' scales.
    pub fn div(&self, other: &Numeric) -> Result<Numeric> {
        match (&self.0, &other.0) {
            (Repr::NaN, _) | (_, Repr::NaN) => Ok(Numeric::NAN),
            (Repr::PositiveInfinity | Repr::NegativeInfinity, _) => infinity_divided(self, other),
            (_, Repr::PositiveInfinity | Repr::NegativeInfinity) => Ok(Numeric::ZERO),
            _ if other.is_zero() => Err(division_by_zero()),
            _ => self.divide_at_scale(other, quotient_scale(self, other)),
        }
    }

    /// `div(a, b)`: the quotient cut to an integer.
    pub fn div_trunc(&self, other: &Numeric) -> Result<Numeric> {
        match (&self.0, &other.0) {
            (Repr::NaN, _) | (_, Repr::NaN) => Ok(Numeric::NAN),
            (Repr::PositiveInfinity | Repr::NegativeInfinity, _) => infinity_divided(self, other),
            (_, Repr::PositiveInfinity | Repr::NegativeInfinity) => Ok(Numeric::ZERO),
            _ if other.is_zero() => Err(division_by_zero()),
            (Repr::Small { scale: 0, mantissa: left }, Repr::Small { scale: 0, mantissa: right }) => {
                Ok(Numeric::from_i128(i128::from(*left) / i128::from(*right), 0))
            }
            _ => {
                let (left, right, _) = at_common_scale(self, other);
                Numeric::from_big(left.as_ref() / right.as_ref(), 0)
            }
        }
    }

    /// `a % b`, with the sign of the dividend.
    pub fn rem(&self, other: &Numeric) -> Result<Numeric> {
        match (&self.0, &other.0) {
            (Repr::NaN, _) | (_, Repr::NaN) => Ok(Numeric::NAN),
            _ if other.is_zero() => Err(division_by_zero()),
            (Repr::PositiveInfinity | Repr::NegativeInfinity, _) => Ok(Numeric::NAN),
            (_, Repr::PositiveInfinity | Repr::NegativeInfinity) => Ok(self.clone()),
            (Repr::Small { scale, mantissa: left }, Repr::Small { scale: right_scale, mantissa: right })
                if scale == right_scale =>
            {
                Ok(Numeric::from_i128(i128::from(*left) % i128::from(*right), u32::from(*scale)))
            }
            _ => {
                let (left, right, scale) = at_common_scale(self, other);
                Numeric::from_big(left.as_ref() % right.as_ref(), scale)
            }
        }
    }

    #[must_use]
    pub fn neg(&self) -> Numeric {
        match &self.0 {
            Repr::Small { scale, mantissa } => Numeric::from_i128(-i128::from(*mantissa), u32::from(*scale)),
            Repr::Big(big) => Numeric::from_big_unchecked(-&big.mantissa, big.scale),
            Repr::NaN => Numeric::NAN,
            Repr::PositiveInfinity => Numeric::NEGATIVE_INFINITY,
            Repr::NegativeInfinity => Numeric::INFINITY,
        }
    }

    #[must_use]
    pub fn abs(&self) -> Numeric {
        if self.signum() < 0 { self.neg() } else { self.clone() }
    }

    /// `sign(a)`: -1, 0 or 1 at scale 0; NaN for NaN.
    #[must_use]
    pub fn sign(&self) -> Numeric {
        if self.is_nan() { Numeric::NAN } else { Numeric::from(self.signum()) }
    }

    /// The quotient rounded half away from zero at `scale`. Both are finite and the divisor is not zero.
    pub(super) fn divide_at_scale(&self, other: &Numeric, scale: u32) -> Result<Numeric> {
        let shift = i64::from(scale) + i64::from(other.display_scale()) - i64::from(self.display_scale());
        if let (Repr::Small { mantissa: left, .. }, Repr::Small { mantissa: right, .. }) = (&self.0, &other.0)
            && let Some(power) = usize::try_from(shift).ok().and_then(|shift| WIDE_POWERS_OF_TEN.get(shift))
            && let Some(dividend) = u128::from(left.unsigned_abs()).checked_mul(*power)
        {
            let magnitude = divide_rounding_small(dividend, right.unsigned_abs());
            // A quotient past 127 bits takes the general path.
            if let Ok(magnitude) = i128::try_from(magnitude) {
                let quotient = if (*left < 0) != (*right < 0) { -magnitude } else { magnitude };
                return Ok(Numeric::from_i128(quotient, scale));
            }
        }
        let (left, _) = self.big_parts().expect("the caller handled special values");
        let (right, _) = other.big_parts().expect("the caller handled special values");
        let (mut dividend, mut divisor) = (left.into_owned(), right.into_owned());
        if shift >= 0 {
            dividend *= power_of_ten(shift as u32);
        } else {
            divisor *= power_of_ten((-shift) as u32);
        }
        if divisor.sign() == num_bigint::Sign::Minus {
            (dividend, divisor) = (-dividend, -divisor);
        }
        Numeric::from_big(divide_rounding(&dividend, &divisor), scale)
    }
}

/// Quotient rounded half up. The divisor is not zero.
fn divide_rounding_small(dividend: u128, divisor: u64) -> u128 {
    // Division of 64-bit words is several times as fast.
    let (quotient, remainder) = match u64::try_from(dividend) {
        Ok(dividend) => (u128::from(dividend / divisor), dividend % divisor),
        Err(_) => {
            let quotient = dividend / u128::from(divisor);
            (quotient, (dividend - quotient * u128::from(divisor)) as u64)
        }
    };
    quotient + u128::from(remainder >= divisor - remainder)
}

fn infinity_divided(infinity: &Numeric, divisor: &Numeric) -> Result<Numeric> {
    if divisor.is_infinite() {
        return Ok(Numeric::NAN);
    }
    match divisor.signum() {
        0 => Err(division_by_zero()),
        sign if sign == infinity.signum() => Ok(Numeric::INFINITY),
        _ => Ok(Numeric::NEGATIVE_INFINITY),
    }
}

/// Sum of small values that are not at one scale, or whose sum leaves 64 bits. `right` is a negated or plain mantissa.
fn add_small(left: i64, left_scale: u16, right: i128, right_scale: u16) -> Numeric {
    let left = i128::from(left);
    // 64-bit mantissas times at most 10^18 leave room for the sum in 128 bits.
    match left_scale.checked_sub(right_scale) {
        Some(more) => Numeric::from_i128(left + right * i128::from(POWERS_OF_TEN[usize::from(more)]), u32::from(left_scale)),
        None => {
            let more = usize::from(right_scale - left_scale);
            Numeric::from_i128(left * i128::from(POWERS_OF_TEN[more]) + right, u32::from(right_scale))
        }
    }
}

fn add_general(left: &Numeric, right: &Numeric, subtract: bool) -> Result<Numeric> {
    if left.is_nan() || right.is_nan() {
        return Ok(Numeric::NAN);
    }
    match (left.is_infinite(), right.is_infinite()) {
        (true, true) if (left.signum() == right.signum()) == subtract => Ok(Numeric::NAN),
        (true, _) => Ok(left.clone()),
        (false, true) => Ok(if subtract { right.neg() } else { right.clone() }),
        (false, false) => {
            let (left, right, scale) = at_common_scale(left, right);
            let sum = if subtract { left.as_ref() - right.as_ref() } else { left.as_ref() + right.as_ref() };
            Numeric::from_big(sum, scale)
        }
    }
}

#[cold]
fn mul_general(left: &Numeric, right: &Numeric) -> Result<Numeric> {
    if let (Some((left, left_scale)), Some((right, right_scale))) = (left.small_parts(), right.small_parts()) {
        let scale = u32::from(left_scale) + u32::from(right_scale);
        return Ok(Numeric::from_i128(i128::from(left) * i128::from(right), scale));
    }
    if left.is_nan() || right.is_nan() {
        return Ok(Numeric::NAN);
    }
    match (left.big_parts(), right.big_parts()) {
        (Some((left, left_scale)), Some((right, right_scale))) => {
            Numeric::from_big(left.as_ref() * right.as_ref(), left_scale + right_scale)
        }
        _ => Ok(match left.signum() * right.signum() {
            0 => Numeric::NAN,
            1 => Numeric::INFINITY,
            _ => Numeric::NEGATIVE_INFINITY,
        }),
    }
}

type Mantissa<'a> = std::borrow::Cow<'a, num_bigint::BigInt>;

/// Both finite values' mantissas at the larger of their scales, and that scale.
pub(super) fn at_common_scale<'a>(left: &'a Numeric, right: &'a Numeric) -> (Mantissa<'a>, Mantissa<'a>, u32) {
    let (left, left_scale) = left.big_parts().expect("the caller handled special values");
    let (right, right_scale) = right.big_parts().expect("the caller handled special values");
    let scale = left_scale.max(right_scale);
    (scale_up(left, left_scale, scale), scale_up(right, right_scale, scale), scale)
}

/// PostgreSQL's `select_div_scale`: enough digits for 16 significant ones, judged by the first base-10000 digits.
pub(super) fn quotient_scale(dividend: &Numeric, divisor: &Numeric) -> u32 {
    let (left, right) = (dividend.leading_digits(1), divisor.leading_digits(1));
    let mut weight = left.weight - right.weight;
    if left.digits <= right.digits {
        weight -= 1;
    }
    chosen_scale(MIN_SIGNIFICANT_DIGITS - weight * 4, dividend.display_scale().max(divisor.display_scale()))
}

/// A wanted scale, at least the inputs' and at most what operations choose by themselves.
pub(super) fn chosen_scale(wanted: i32, inputs: u32) -> u32 {
    wanted.max(inputs as i32).clamp(0, MAX_DISPLAY_SCALE) as u32
}

const _: () = assert!(MAX_SMALL_SCALE * 2 <= MAX_SCALE, "a product of small values never has to be rounded");
