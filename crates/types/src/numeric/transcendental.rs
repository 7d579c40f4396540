//! Square roots, exponentials, logarithms and powers, at the scales PostgreSQL chooses.
//!
//! Everything is computed in fixed point: integers counting units of `10^-digits`, with guard digits past the scale that is
//! asked for, so that rounding to that scale gives the correct last digit.

use std::f64::consts::{LN_10, LOG10_E};

use num_bigint::BigInt;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::{
    Numeric,
    arithmetic::{MAX_DISPLAY_SCALE, MIN_SIGNIFICANT_DIGITS, chosen_scale},
    digits::{decimal_digits, power_of_ten, rescale},
    division_by_zero, overflow,
};
use crate::{Error, Result, SqlState};

/// Scale limit of results; exponents past three times it overflow.
const MAX_RESULT_SCALE: i32 = 2000;
/// Digits computed past those asked for.
const GUARD_DIGITS: u32 = 16;

impl Numeric {
    pub fn sqrt(&self) -> Result<Numeric> {
        if self.is_nan() || (self.is_infinite() && self.signum() > 0) {
            return Ok(self.clone());
        }
        if self.signum() < 0 {
            return Err(Error::new(
                SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                "cannot take square root of a negative number",
            ));
        }
        let digits_before_point = self.weight() * 2 + 1;
        self.sqrt_at_scale(chosen_scale(MIN_SIGNIFICANT_DIGITS - digits_before_point, self.display_scale()))
    }

    /// The root rounded at `scale`; the value is finite and not negative.
    pub(super) fn sqrt_at_scale(&self, scale: u32) -> Result<Numeric> {
        let (mantissa, own_scale) = self.big_parts().expect("the caller handled special values");
        // One digit more than asked, so that the last one can be rounded.
        let units = scale_to(mantissa.as_ref(), own_scale, 2 * (scale + 1));
        Numeric::from_big(rescale(units.sqrt(), scale + 1, scale), scale)
    }

    pub fn exp(&self) -> Result<Numeric> {
        if !self.is_finite() {
            return Ok(if self.signum() < 0 { Numeric::ZERO } else { self.clone() });
        }
        let limit = f64::from(MAX_RESULT_SCALE);
        let weight = (self.to_f64_lossy() * LOG10_E).clamp(-limit, limit) as i32;
        exp_at_scale(self, chosen_scale(MIN_SIGNIFICANT_DIGITS - weight, self.display_scale()))
    }

    /// The natural logarithm.
    pub fn ln(&self) -> Result<Numeric> {
        if self.is_nan() || (self.is_infinite() && self.signum() > 0) {
            return Ok(self.clone());
        }
        check_logarithm_argument(self)?;
        let scale = chosen_scale(MIN_SIGNIFICANT_DIGITS - logarithm_weight(self), self.display_scale());
        Numeric::from_big(ln_at_scale(self, scale), scale)
    }

    /// `log(base, value)`.
    pub fn log(base: &Numeric, value: &Numeric) -> Result<Numeric> {
        if base.is_nan() || value.is_nan() {
            return Ok(Numeric::NAN);
        }
        check_logarithm_argument(base)?;
        check_logarithm_argument(value)?;
        match (base.is_infinite(), value.is_infinite()) {
            (true, true) => return Ok(Numeric::NAN),
            (true, false) => return Ok(Numeric::ZERO),
            (false, true) => return Ok(Numeric::INFINITY),
            (false, false) => {}
        }
        let (base_weight, value_weight) = (logarithm_weight(base), logarithm_weight(value));
        let weight = value_weight - base_weight;
        let scale = chosen_scale(MIN_SIGNIFICANT_DIGITS - weight, base.display_scale().max(value.display_scale()));
        let logarithm_scale = |own: i32| (scale as i32 + weight - own + 8).max(0) as u32;
        let (base_scale, value_scale) = (logarithm_scale(base_weight), logarithm_scale(value_weight));
        let base_logarithm = ln_at_scale(base, base_scale);
        if base_logarithm.is_zero() {
            return Err(division_by_zero());
        }
        let value_logarithm = Numeric::from_big_unchecked(ln_at_scale(value, value_scale), value_scale);
        value_logarithm.divide_at_scale(&Numeric::from_big_unchecked(base_logarithm, base_scale), scale)
    }

    /// `power(base, exponent)`.
    pub fn power(&self, exponent: &Numeric) -> Result<Numeric> {
        if !self.is_finite() || !exponent.is_finite() {
            return power_of_special(self, exponent);
        }
        if self.is_zero() && exponent.signum() < 0 {
            return Err(invalid_power("zero raised to a negative power is undefined"));
        }
        if let Some(whole) = exponent.exact_i64()
            && let Ok(whole) = i32::try_from(whole)
        {
            return power_of_integer(self, whole, (MIN_SIGNIFICANT_DIGITS as u32).max(self.display_scale()).min(1000));
        }
        if self.is_zero() {
            return Ok(Numeric::from_i128(0, MIN_SIGNIFICANT_DIGITS as u32));
        }
        let mut negate = false;
        if self.signum() < 0 {
            if exponent.min_scale() != Some(0) {
                return Err(invalid_power("a negative number raised to a non-integer power yields a complex result"));
            }
            negate = is_odd(exponent);
        }
        let result = power_of_fraction(&self.abs(), exponent)?;
        Ok(if negate { result.neg() } else { result })
    }
}

fn invalid_power(message: &str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

fn check_logarithm_argument(value: &Numeric) -> Result<()> {
    match value.signum() {
        0 => Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of zero")),
        -1 => Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of a negative number")),
        _ => Ok(()),
    }
}

fn is_odd(integer: &Numeric) -> bool {
    let two = Numeric::from(2);
    integer.rem(&two).is_ok_and(|remainder| !remainder.is_zero())
}

/// The mantissa in units of `10^-digits`, cut downwards.
fn scale_to(mantissa: &BigInt, scale: u32, digits: u32) -> BigInt {
    if digits >= scale { mantissa * power_of_ten(digits - scale) } else { mantissa / power_of_ten(scale - digits) }
}

/// PostgreSQL's estimate of the decimal weight of `ln(value)`.
fn logarithm_weight(value: &Numeric) -> i32 {
    let (low, high) = (Numeric::from_parts(9, 1), Numeric::from_parts(11, 1));
    if *value >= low && *value <= high {
        return match value.sub(&Numeric::ONE) {
            Ok(difference) if !difference.is_zero() => {
                let leading = difference.leading_digits(1);
                leading.weight * 4 + leading.digits.ilog10() as i32
            }
            _ => 0,
        };
    }
    let leading = value.leading_digits(2);
    if leading.digits == 0 {
        return 0;
    }
    let logarithm = (leading.digits as f64).ln() + f64::from(leading.weight * 4 - 4) * LN_10;
    logarithm.abs().log10() as i32
}

/// `e^value` rounded at `scale`.
fn exp_at_scale(value: &Numeric, scale: u32) -> Result<Numeric> {
    let estimate = value.to_f64_lossy();
    if estimate.abs() >= f64::from(MAX_RESULT_SCALE * 3) {
        return if estimate > 0.0 { Err(overflow()) } else { Ok(Numeric::from_i128(0, scale)) };
    }
    let integral_digits = (estimate * LOG10_E).max(0.0) as u32 + 1;
    let digits = scale + integral_digits + GUARD_DIGITS;
    let (mantissa, own_scale) = value.big_parts().expect("the caller handled special values");
    let one = power_of_ten(digits);
    // e^x = (e^(x/2^halvings))^(2^halvings), with the inner exponent below 2^-8, where the series is short.
    let halvings = 8 + (estimate.abs().max(1.0).log2().ceil() as u32);
    let reduced = scale_to(mantissa.as_ref(), own_scale, digits) >> halvings;
    let mut sum = &one + &reduced;
    let mut term = reduced.clone();
    for divisor in 2u32.. {
        term = term * &reduced / &one / divisor;
        if term.is_zero() {
            break;
        }
        sum += &term;
    }
    for _ in 0..halvings {
        sum = &sum * &sum / &one;
    }
    Numeric::from_big(rescale(sum, digits, scale), scale)
}

/// The natural logarithm of a positive number, in units of `10^-scale`.
fn ln_at_scale(value: &Numeric, scale: u32) -> BigInt {
    let digits = scale + GUARD_DIGITS;
    let one = power_of_ten(digits);
    let (mantissa, own_scale) = value.big_parts().expect("the caller handled special values");
    // value = reduced * 10^exponent, with reduced between 0.5 and 5.
    let digit_count = decimal_digits(mantissa.magnitude()) as i64;
    let mut exponent = digit_count - 1 - i64::from(own_scale);
    let first_digit_at = |exponent: i64| {
        let shift = i64::from(digits) - i64::from(own_scale) - exponent;
        match shift >= 0 {
            true => mantissa.as_ref() * power_of_ten(shift as u32),
            false => mantissa.as_ref() / power_of_ten((-shift) as u32),
        }
    };
    let mut reduced = first_digit_at(exponent);
    if reduced >= &one * 5 {
        exponent += 1;
        reduced = first_digit_at(exponent);
    }
    // ln x = 2 ln sqrt x, until the series converges fast.
    let mut doublings = 1u32;
    while (&reduced - &one).abs() * 16 > one {
        reduced = (&reduced * &one).sqrt();
        doublings += 1;
    }
    let ratio = (&reduced - &one) * &one / (&reduced + &one);
    let mut logarithm = inverse_hyperbolic_tangent(&ratio, &one) << doublings;
    if exponent != 0 {
        logarithm += ln_ten(&one) * exponent;
    }
    rescale(logarithm, digits, scale)
}

/// `atanh(x) = x + x^3/3 + x^5/5 + ...`
fn inverse_hyperbolic_tangent(ratio: &BigInt, one: &BigInt) -> BigInt {
    let square = ratio * ratio / one;
    let (mut sum, mut power) = (ratio.clone(), ratio.clone());
    for divisor in (3u32..).step_by(2) {
        power = power * &square / one;
        if power.is_zero() {
            break;
        }
        sum += &power / divisor;
    }
    sum
}

/// `ln 10 = 3 ln 2 + ln 1.25 = 6 atanh(1/3) + 2 atanh(1/9)`
fn ln_ten(one: &BigInt) -> BigInt {
    inverse_hyperbolic_tangent(&(one / 3), one) * 6 + inverse_hyperbolic_tangent(&(one / 9), one) * 2
}

/// POSIX pow()'s rules for NaN and infinities.
fn power_of_special(base: &Numeric, exponent: &Numeric) -> Result<Numeric> {
    if base.is_nan() {
        return Ok(if exponent.is_zero() { Numeric::ONE } else { Numeric::NAN });
    }
    if exponent.is_nan() {
        return Ok(if *base == Numeric::ONE { Numeric::ONE } else { Numeric::NAN });
    }
    if base.is_zero() && exponent.signum() < 0 {
        return Err(invalid_power("zero raised to a negative power is undefined"));
    }
    if base.signum() < 0 && exponent.is_finite() && exponent.min_scale() != Some(0) {
        return Err(invalid_power("a negative number raised to a non-integer power yields a complex result"));
    }
    if *base == Numeric::ONE || exponent.is_zero() {
        return Ok(Numeric::ONE);
    }
    if base.is_zero() {
        return Ok(Numeric::ZERO);
    }
    if exponent.is_infinite() {
        let magnitude = base.abs();
        return Ok(match (magnitude > Numeric::ONE, exponent.signum() > 0) {
            _ if magnitude == Numeric::ONE => Numeric::ONE,
            (true, true) | (false, false) => Numeric::INFINITY,
            _ => Numeric::ZERO,
        });
    }
    if exponent.signum() < 0 {
        return Ok(Numeric::ZERO);
    }
    Ok(if base.signum() < 0 && is_odd(exponent) { Numeric::NEGATIVE_INFINITY } else { Numeric::INFINITY })
}

/// A positive base raised to an exponent that is no machine integer: `e^(exponent ln base)`.
fn power_of_fraction(base: &Numeric, exponent: &Numeric) -> Result<Numeric> {
    let weight = logarithm_weight(base);
    let rough_scale = (8 - weight).max(0) as u32;
    let rough = Numeric::from_big(ln_at_scale(base, rough_scale), rough_scale)?.mul(exponent)?.round(rough_scale as i32)?;
    let estimate = rough.to_f64_lossy();
    if estimate.abs() > f64::from(MAX_RESULT_SCALE) * 3.01 {
        return if estimate > 0.0 { Err(overflow()) } else { Ok(Numeric::from_i128(0, MAX_DISPLAY_SCALE as u32)) };
    }
    let decimal_weight = (estimate * LOG10_E) as i32;
    let scale = chosen_scale(MIN_SIGNIFICANT_DIGITS - decimal_weight, base.display_scale().max(exponent.display_scale()));
    let exact_scale = (scale as i32 + decimal_weight - weight + 8).max(0) as u32 + GUARD_DIGITS;
    let logarithm = Numeric::from_big(ln_at_scale(base, exact_scale), exact_scale)?;
    exp_at_scale(&logarithm.mul(exponent)?, scale)
}

/// A number cut to some significant digits: `mantissa * 10^exponent`.
struct Floating {
    mantissa: BigInt,
    exponent: i64,
}

impl Floating {
    fn multiply(&self, other: &Floating, significant: u64) -> Floating {
        let mantissa = &self.mantissa * &other.mantissa;
        let exponent = self.exponent + other.exponent;
        let excess = decimal_digits(mantissa.magnitude()).saturating_sub(significant);
        if excess == 0 {
            return Floating { mantissa, exponent };
        }
        Floating { mantissa: mantissa / power_of_ten(excess as u32), exponent: exponent + excess as i64 }
    }
}

fn power_of_integer(base: &Numeric, exponent: i32, scale: u32) -> Result<Numeric> {
    match exponent {
        0 => return Ok(Numeric::from_big_unchecked(power_of_ten(scale), scale)),
        1 => return base.round(scale as i32),
        -1 => return Numeric::ONE.divide_at_scale(base, scale),
        2 => return base.mul(base)?.round(scale as i32),
        _ => {}
    }
    if base.is_zero() {
        return Ok(Numeric::from_i128(0, scale));
    }
    let leading = base.leading_digits(4);
    let magnitude = f64::from(exponent) * ((leading.digits as f64).log10() + f64::from(leading.weight * 4 - 12));
    if magnitude > f64::from(3 * i32::from(i16::MAX) * 4) {
        return Err(overflow());
    }
    if magnitude + 1.0 < -f64::from(scale) || magnitude + 1.0 < -f64::from(MAX_DISPLAY_SCALE) {
        return Ok(Numeric::from_i128(0, scale));
    }
    let significant = (1 + i64::from(scale) + magnitude as i64).max(1) as u64 + u64::from(GUARD_DIGITS) + 8;
    let (mantissa, own_scale) = base.big_parts().expect("the caller handled special values");
    let mut square = Floating { mantissa: mantissa.into_owned(), exponent: -i64::from(own_scale) };
    let mut result = Floating { mantissa: BigInt::one(), exponent: 0 };
    let mut bits = exponent.unsigned_abs();
    loop {
        if bits & 1 == 1 {
            result = result.multiply(&square, significant);
        }
        bits >>= 1;
        if bits == 0 {
            break;
        }
        square = square.multiply(&square, significant);
    }
    fixed_power(result, exponent < 0, scale, significant)
}

/// The power, or its reciprocal, rounded at `scale`.
fn fixed_power(power: Floating, invert: bool, scale: u32, significant: u64) -> Result<Numeric> {
    let power = match invert {
        false => power,
        true => {
            let digits = (decimal_digits(power.mantissa.magnitude()) + significant) as u32;
            Floating { mantissa: power_of_ten(digits) / power.mantissa, exponent: -power.exponent - i64::from(digits) }
        }
    };
    let shift = power.exponent + i64::from(scale);
    if shift >= 0 {
        let shift = shift.to_u32().filter(|shift| *shift < 200_000).ok_or_else(overflow)?;
        return Numeric::from_big(power.mantissa * power_of_ten(shift), scale);
    }
    let cut = (-shift).to_u32().ok_or_else(overflow)?;
    if u64::from(cut) > decimal_digits(power.mantissa.magnitude()) + 1 {
        return Ok(Numeric::from_i128(0, scale));
    }
    Numeric::from_big(super::digits::divide_rounding(&power.mantissa, &power_of_ten(cut)), scale)
}
