//! The total order, equality and hash of numerics.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
};

use super::{
    Numeric, Repr,
    digits::{POWERS_OF_TEN, decimal_digits, scale_up, strip_trailing_zeros, strip_trailing_zeros_small},
};

impl Ord for Numeric {
    /// -Infinity, the numbers by value whatever their scale, Infinity, NaN.
    #[inline]
    fn cmp(&self, other: &Numeric) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Small { scale: left_scale, mantissa: left }, Repr::Small { scale: right_scale, mantissa: right }) => {
                if left_scale == right_scale {
                    left.cmp(right)
                } else {
                    compare_small(*left, *left_scale, *right, *right_scale)
                }
            }
            _ => compare_general(self, other),
        }
    }
}

#[inline]
fn compare_small(left: i64, left_scale: u16, right: i64, right_scale: u16) -> Ordering {
    // Mantissas of 63 bits times at most 10^18 fit 128 bits.
    let (left, right) = (i128::from(left), i128::from(right));
    match left_scale.checked_sub(right_scale) {
        Some(more) => left.cmp(&(right * i128::from(POWERS_OF_TEN[usize::from(more)]))),
        None => (left * i128::from(POWERS_OF_TEN[usize::from(right_scale - left_scale)])).cmp(&right),
    }
}

fn rank(value: &Numeric) -> u8 {
    match value.0 {
        Repr::NegativeInfinity => 0,
        Repr::Small { .. } | Repr::Big(_) => 1,
        Repr::PositiveInfinity => 2,
        Repr::NaN => 3,
    }
}

fn compare_general(left: &Numeric, right: &Numeric) -> Ordering {
    let (Some((left_mantissa, left_scale)), Some((right_mantissa, right_scale))) = (left.big_parts(), right.big_parts()) else {
        return rank(left).cmp(&rank(right));
    };
    let by_sign = left.signum().cmp(&right.signum());
    if by_sign.is_ne() {
        return by_sign;
    }
    // Values of very different size must not be brought to one scale just to see that.
    let left_size = decimal_digits(left_mantissa.magnitude()) as i64 - i64::from(left_scale);
    let right_size = decimal_digits(right_mantissa.magnitude()) as i64 - i64::from(right_scale);
    if left_size != right_size && left.signum() != 0 {
        let by_size = left_size.cmp(&right_size);
        return if left.signum() < 0 { by_size.reverse() } else { by_size };
    }
    let scale = left_scale.max(right_scale);
    scale_up(left_mantissa, left_scale, scale).cmp(&scale_up(right_mantissa, right_scale, scale))
}

impl PartialOrd for Numeric {
    #[inline]
    fn partial_cmp(&self, other: &Numeric) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    #[inline]
    fn eq(&self, other: &Numeric) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Numeric {}

impl Hash for Numeric {
    /// Equal values hash alike whatever their scale.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::Small { scale, mantissa } => strip_trailing_zeros_small(*mantissa, *scale).hash(state),
            Repr::Big(big) => {
                let (mantissa, scale) = strip_trailing_zeros(&big.mantissa, big.scale);
                match i64::try_from(mantissa.as_ref()) {
                    Ok(mantissa) => (mantissa, scale as u16).hash(state),
                    Err(_) => (mantissa.as_ref(), scale).hash(state),
                }
            }
            Repr::NaN | Repr::PositiveInfinity | Repr::NegativeInfinity => (rank(self), u8::MAX).hash(state),
        }
    }
}
