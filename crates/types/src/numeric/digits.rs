//! Counting, scaling and cutting decimal digits of integers; the arithmetic of powers of ten.

use std::borrow::Cow;

use num_bigint::{BigInt, BigUint};
use num_integer::Integer;
use num_traits::{Signed, Zero};

use super::{Numeric, Repr};

/// `10^0 ..= 10^18`.
pub(super) const POWERS_OF_TEN: [i64; 19] = {
    let mut powers = [1i64; 19];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// `10^0 ..= 10^38`.
pub(super) const WIDE_POWERS_OF_TEN: [u128; 39] = {
    let mut powers = [1u128; 39];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

pub(super) fn power_of_ten(exponent: u32) -> BigInt {
    match POWERS_OF_TEN.get(exponent as usize) {
        Some(power) => BigInt::from(*power),
        None => BigInt::from(BigUint::from(10u8).pow(exponent)),
    }
}

/// Quotient rounded half away from zero. `divisor` is positive.
pub(super) fn divide_rounding(dividend: &BigInt, divisor: &BigInt) -> BigInt {
    let (quotient, remainder) = dividend.div_rem(divisor);
    if (remainder.abs() << 1u8) >= *divisor { if dividend.is_negative() { quotient - 1 } else { quotient + 1 } } else { quotient }
}

/// The mantissa at another scale, rounded half away from zero when digits are cut.
pub(super) fn rescale(mantissa: BigInt, from: u32, to: u32) -> BigInt {
    match from.cmp(&to) {
        std::cmp::Ordering::Equal => mantissa,
        std::cmp::Ordering::Less => mantissa * power_of_ten(to - from),
        std::cmp::Ordering::Greater => divide_rounding(&mantissa, &power_of_ten(from - to)),
    }
}

/// The mantissa at a scale no smaller than its own.
pub(super) fn scale_up(mantissa: Cow<'_, BigInt>, from: u32, to: u32) -> Cow<'_, BigInt> {
    if from >= to { mantissa } else { Cow::Owned(mantissa.as_ref() * power_of_ten(to - from)) }
}

/// Decimal digits of the number; 0 for zero.
pub(super) fn decimal_digits(number: &BigUint) -> u64 {
    if number.is_zero() {
        return 0;
    }
    if let Ok(small) = u64::try_from(number) {
        return u64::from(small.ilog10()) + 1;
    }
    // 2^(bits-1) <= number < 2^bits leaves two candidates.
    let at_least = ((number.bits() - 1) as f64 * std::f64::consts::LOG10_2) as u64;
    let power = BigUint::from(10u8).pow(at_least as u32);
    if *number < power {
        at_least
    } else if *number < power * 10u8 {
        at_least + 1
    } else {
        at_least + 2
    }
}

/// Whether `mantissa / 10^scale` has more than `limit` digits before the decimal point.
pub(super) fn exceeds_integral_digits(mantissa: &BigInt, scale: u32, limit: u64) -> bool {
    let allowed = limit + u64::from(scale);
    // A number of d digits has at least 3.3 (d-1) bits: most values are far below the limit.
    mantissa.bits() > allowed * 33 / 10 && decimal_digits(mantissa.magnitude()) > allowed
}

/// A power of ten below `10^19`, which mantissas of 64 bits are scaled by.
fn small_power(exponent: i64) -> u64 {
    POWERS_OF_TEN[exponent as usize].unsigned_abs()
}

/// The leading base-10000 digits of a value, as PostgreSQL holds it.
pub(super) struct Leading {
    /// The power of 10000 of the first digit.
    pub(super) weight: i32,
    /// The asked number of base-10000 digits as one integer, zero-filled on the right; zero only for zero.
    pub(super) digits: u64,
}

impl Numeric {
    /// The first `count` (at most 4) base-10000 digits of the absolute value.
    pub(super) fn leading_digits(&self, count: u32) -> Leading {
        let (digit_count, scale) = match &self.0 {
            Repr::Small { mantissa: 0, .. } => return Leading { weight: 0, digits: 0 },
            Repr::Small { scale, mantissa } => (i64::from(mantissa.unsigned_abs().ilog10()) + 1, i64::from(*scale)),
            Repr::Big(big) if big.mantissa.is_zero() => return Leading { weight: 0, digits: 0 },
            Repr::Big(big) => (decimal_digits(big.mantissa.magnitude()) as i64, i64::from(big.scale)),
            Repr::NaN | Repr::PositiveInfinity | Repr::NegativeInfinity => return Leading { weight: 0, digits: 0 },
        };
        let exponent = digit_count - 1 - scale;
        let weight = exponent.div_euclid(4);
        // Decimal digits wanted: those of the first base-10000 digit, and four for each further one.
        let wanted = exponent - 4 * weight + 1 + 4 * (i64::from(count) - 1);
        let shift = digit_count - wanted;
        let digits = match &self.0 {
            Repr::Small { mantissa, .. } if shift >= 0 => mantissa.unsigned_abs() / small_power(shift),
            Repr::Small { mantissa, .. } => mantissa.unsigned_abs() * small_power(-shift),
            Repr::Big(big) if shift >= 0 => {
                let head = big.mantissa.magnitude() / BigUint::from(10u8).pow(shift as u32);
                u64::try_from(&head).expect("at most 16 decimal digits are left")
            }
            Repr::Big(big) => {
                let head = u64::try_from(big.mantissa.magnitude()).expect("fewer than 16 decimal digits");
                head * small_power(-shift)
            }
            _ => unreachable!("special values returned above"),
        };
        Leading { weight: weight as i32, digits }
    }

    /// PostgreSQL's `weight` of the first base-10000 digit; 0 for zero.
    pub(super) fn weight(&self) -> i32 {
        self.leading_digits(1).weight
    }
}

/// Strips trailing zeros after the decimal point: the smallest scale that holds the same value.
pub(super) fn strip_trailing_zeros(mantissa: &BigInt, scale: u32) -> (Cow<'_, BigInt>, u32) {
    if mantissa.is_zero() {
        return (Cow::Borrowed(mantissa), 0);
    }
    let (mut stripped, mut scale) = (Cow::Borrowed(mantissa), scale);
    let mut step = scale.next_power_of_two().min(1024);
    while step > 0 && scale > 0 {
        if step <= scale {
            let (quotient, remainder) = stripped.div_rem(&power_of_ten(step));
            if remainder.is_zero() {
                stripped = Cow::Owned(quotient);
                scale -= step;
                continue;
            }
        }
        step /= 2;
    }
    (stripped, scale)
}

/// The same for a small mantissa.
pub(super) fn strip_trailing_zeros_small(mut mantissa: i64, mut scale: u16) -> (i64, u16) {
    if mantissa == 0 {
        return (0, 0);
    }
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    (mantissa, scale)
}
