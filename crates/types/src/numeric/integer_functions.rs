//! gcd, lcm, factorial and width_bucket.

use num_bigint::{BigInt, BigUint};
use num_integer::Integer;
use num_traits::{Signed, Zero};

use super::{Numeric, arithmetic::at_common_scale, overflow};
use crate::{Error, Result, SqlState};

/// The largest number whose factorial the format holds.
const MAX_FACTORIAL: i64 = 32177;

impl Numeric {
    /// The greatest common divisor, at the larger of both scales; NaN when either is not finite.
    pub fn gcd(&self, other: &Numeric) -> Result<Numeric> {
        if !self.is_finite() || !other.is_finite() {
            return Ok(Numeric::NAN);
        }
        let (left, right, scale) = at_common_scale(self, other);
        Numeric::from_big(left.gcd(&right), scale)
    }

    /// The least common multiple, at the larger of both scales; NaN when either is not finite.
    pub fn lcm(&self, other: &Numeric) -> Result<Numeric> {
        if !self.is_finite() || !other.is_finite() {
            return Ok(Numeric::NAN);
        }
        let (left, right, scale) = at_common_scale(self, other);
        if left.is_zero() || right.is_zero() {
            return Ok(Numeric::from_i128(0, scale));
        }
        let multiple = (left.as_ref() / left.gcd(&right) * right.as_ref()).abs();
        Numeric::from_big(multiple, scale)
    }

    /// `factorial(n)`.
    pub fn factorial(number: i64) -> Result<Numeric> {
        if number < 0 {
            return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "factorial of a negative number is undefined"));
        }
        if number > MAX_FACTORIAL {
            return Err(overflow());
        }
        Ok(Numeric::from_big_unchecked(BigInt::from(product(1, number as u64)), 0))
    }

    /// `width_bucket(operand, low, high, count)`: which of `count` equal buckets holds the operand; 0 and `count + 1`
    /// are below and above.
    pub fn width_bucket(operand: &Numeric, low: &Numeric, high: &Numeric, count: i32) -> Result<i32> {
        let invalid = |message| Error::new(SqlState::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message);
        if count <= 0 {
            return Err(invalid("count must be greater than zero"));
        }
        if operand.is_nan() || low.is_nan() || high.is_nan() {
            return Err(invalid("operand, lower bound, and upper bound cannot be NaN"));
        }
        if low.is_infinite() || high.is_infinite() {
            return Err(invalid("lower and upper bounds must be finite"));
        }
        let ascending = match low.cmp(high) {
            std::cmp::Ordering::Equal => return Err(invalid("lower bound cannot equal upper bound")),
            order => order.is_lt(),
        };
        let (below, above) = if ascending { (operand < low, operand >= high) } else { (operand > low, operand <= high) };
        if below {
            return Ok(0);
        }
        if above {
            let too_large = || Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
            return count.checked_add(1).ok_or_else(too_large);
        }
        let (offset, width) = (operand.sub(low)?.abs(), high.sub(low)?.abs());
        let bucket = offset.mul(&Numeric::from(count))?.div_trunc(&width)?;
        Ok(bucket.to_i32()?.saturating_add(1))
    }
}

/// `low * ... * high`, halved so that factors of like size meet.
fn product(low: u64, high: u64) -> BigUint {
    if low > high {
        return BigUint::from(1u8);
    }
    if high - low < 8 {
        return (low..=high).map(BigUint::from).product();
    }
    let middle = low + (high - low) / 2;
    product(low, middle) * product(middle + 1, high)
}
