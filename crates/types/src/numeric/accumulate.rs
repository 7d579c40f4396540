//! What sum(), avg(), variance() and stddev() keep while rows pass by.

use num_bigint::BigInt;

use super::{
    Numeric, Repr,
    arithmetic::quotient_scale,
    digits::{POWERS_OF_TEN, power_of_ten},
};
use crate::Result;

/// A running sum of numerics: 128 bits while they last, a big integer after that.
///
/// The sum prints at the largest scale among the values added, as PostgreSQL's does.
#[derive(Clone, Debug, Default)]
pub struct NumericSum {
    /// The sum of finite values is `small + big`, both at `scale`.
    small: i128,
    big: Option<Box<BigInt>>,
    scale: u32,
    /// How many of the values now in the sum have exactly `scale`; a window cannot shrink past the last one.
    at_scale: u64,
    count: i64,
    nan_count: u64,
    positive_infinities: u64,
    negative_infinities: u64,
}

impl NumericSum {
    pub fn new() -> NumericSum {
        NumericSum::default()
    }

    /// How many values (NaN and infinities too) are in the sum.
    pub fn count(&self) -> i64 {
        self.count
    }

    #[inline]
    pub fn add(&mut self, value: &Numeric) {
        self.count += 1;
        if let Repr::Small { scale, mantissa } = &value.0 {
            if u32::from(*scale) == self.scale
                && let Some(sum) = self.small.checked_add(i128::from(*mantissa))
            {
                self.small = sum;
                self.at_scale += 1;
                return;
            }
            return self.add_rescaled(i128::from(*mantissa), u32::from(*scale));
        }
        self.add_general(value);
    }

    /// Adds an integer, as sum(bigint) does.
    #[inline]
    pub fn add_i64(&mut self, value: i64) {
        self.count += 1;
        self.add_rescaled(i128::from(value), 0);
    }

    /// Adds everything that another partial sum has seen.
    pub fn merge(&mut self, other: &NumericSum) {
        self.grow_scale(other.scale);
        self.at_scale += if other.scale == self.scale { other.at_scale } else { 0 };
        let mantissa = other.finite_mantissa() * power_of_ten(self.scale - other.scale);
        self.add_big(mantissa);
        self.count += other.count;
        self.nan_count += other.nan_count;
        self.positive_infinities += other.positive_infinities;
        self.negative_infinities += other.negative_infinities;
    }

    /// Takes out a value that was added before (a moving window). False when the sum's scale can no longer be known, and
    /// the sum must be built anew.
    pub fn remove(&mut self, value: &Numeric) -> bool {
        match &value.0 {
            Repr::NaN => self.nan_count = self.nan_count.saturating_sub(1),
            Repr::PositiveInfinity => self.positive_infinities = self.positive_infinities.saturating_sub(1),
            Repr::NegativeInfinity => self.negative_infinities = self.negative_infinities.saturating_sub(1),
            Repr::Small { .. } | Repr::Big(_) => {
                let (mantissa, scale) = value.big_parts().expect("matched a finite value");
                if scale == self.scale {
                    if self.at_scale <= 1 && self.scale > 0 && self.count > 1 {
                        return false;
                    }
                    self.at_scale = self.at_scale.saturating_sub(1);
                }
                let negated = -(mantissa.as_ref() * power_of_ten(self.scale.saturating_sub(scale)));
                self.add_big(negated);
            }
        }
        self.count -= 1;
        if self.count == 0 {
            *self = NumericSum::default();
        }
        true
    }

    /// The sum; meaningful when at least one value was added.
    pub fn total(&self) -> Result<Numeric> {
        if self.nan_count > 0 || (self.positive_infinities > 0 && self.negative_infinities > 0) {
            return Ok(Numeric::NAN);
        }
        if self.positive_infinities > 0 {
            return Ok(Numeric::INFINITY);
        }
        if self.negative_infinities > 0 {
            return Ok(Numeric::NEGATIVE_INFINITY);
        }
        match &self.big {
            None => Ok(Numeric::from_i128(self.small, self.scale)),
            Some(_) => Numeric::from_big(self.finite_mantissa(), self.scale),
        }
    }

    /// The average; None of no values.
    pub fn average(&self) -> Option<Result<Numeric>> {
        if self.count == 0 {
            return None;
        }
        Some(self.total().and_then(|total| total.div(&Numeric::from(self.count))))
    }

    fn finite_mantissa(&self) -> BigInt {
        match &self.big {
            None => BigInt::from(self.small),
            Some(big) => big.as_ref() + self.small,
        }
    }

    /// Brings the sum to a larger scale.
    fn grow_scale(&mut self, scale: u32) {
        if scale <= self.scale {
            return;
        }
        let more = (scale - self.scale) as usize;
        self.scale = scale;
        self.at_scale = 0;
        match POWERS_OF_TEN.get(more).and_then(|power| self.small.checked_mul(i128::from(*power))) {
            Some(small) if self.big.is_none() => self.small = small,
            _ => {
                self.big = Some(Box::new(self.finite_mantissa() * power_of_ten(more as u32)));
                self.small = 0;
            }
        }
    }

    fn add_rescaled(&mut self, mantissa: i128, scale: u32) {
        self.grow_scale(scale);
        self.at_scale += u64::from(scale == self.scale);
        let power = POWERS_OF_TEN.get((self.scale - scale) as usize).map(|power| i128::from(*power));
        match power.and_then(|power| mantissa.checked_mul(power)).and_then(|value| self.small.checked_add(value)) {
            Some(sum) => self.small = sum,
            None => self.add_big(BigInt::from(mantissa) * power_of_ten(self.scale - scale)),
        }
    }

    fn add_big(&mut self, mantissa: BigInt) {
        if let Ok(mantissa) = i128::try_from(&mantissa)
            && let Some(sum) = self.small.checked_add(mantissa)
        {
            self.small = sum;
            return;
        }
        match &mut self.big {
            Some(big) => **big += mantissa,
            None => self.big = Some(Box::new(mantissa)),
        }
    }

    fn add_general(&mut self, value: &Numeric) {
        match &value.0 {
            Repr::NaN => self.nan_count += 1,
            Repr::PositiveInfinity => self.positive_infinities += 1,
            Repr::NegativeInfinity => self.negative_infinities += 1,
            Repr::Small { .. } | Repr::Big(_) => {
                let (mantissa, scale) = value.big_parts().expect("matched a finite value");
                self.grow_scale(scale);
                self.at_scale += u64::from(scale == self.scale);
                let mantissa = mantissa.as_ref() * power_of_ten(self.scale - scale);
                self.add_big(mantissa);
            }
        }
    }
}

/// Variance, or its square root, from the sums that an aggregate keeps: of the values and of their squares.
///
/// None when there are too few values: none for the population, one for a sample.
pub fn variance(
    sum: &NumericSum,
    sum_of_squares: &NumericSum,
    sample: bool,
    standard_deviation: bool,
) -> Option<Result<Numeric>> {
    if sum.count == 0 || (sample && sum.count <= 1) {
        return None;
    }
    Some(variance_of_enough(sum, sum_of_squares, sample, standard_deviation))
}

fn variance_of_enough(sum: &NumericSum, squares: &NumericSum, sample: bool, root: bool) -> Result<Numeric> {
    let total = sum.total()?;
    if !total.is_finite() {
        return Ok(Numeric::NAN);
    }
    let count = Numeric::from(sum.count);
    let numerator = count.mul(&squares.total()?)?.sub(&total.mul(&total)?)?;
    if numerator.signum() <= 0 {
        return Ok(Numeric::ZERO);
    }
    let divisor = count.mul(&Numeric::from(if sample { sum.count - 1 } else { sum.count }))?;
    let scale = quotient_scale(&numerator, &divisor);
    let variance = numerator.divide_at_scale(&divisor, scale)?;
    if root { variance.sqrt_at_scale(scale) } else { Ok(variance) }
}
