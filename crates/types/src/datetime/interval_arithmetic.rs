//! Interval arithmetic: each of the three units overflows by itself; fractions run down into smaller units, never up.

use super::arithmetic::interval_out_of_range;
use super::{Interval, US_PER_DAY, US_PER_SECOND};
use crate::{Error, Result, SqlState};

const DAYS_PER_MONTH: i32 = 30;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// Rounds seconds to microseconds, so that what should be whole is.
fn round_seconds(seconds: f64) -> f64 {
    (seconds * 1_000_000.0).round_ties_even() / 1_000_000.0
}

/// The whole part, when it fits 32 bits.
fn whole_i32(value: f64) -> Result<i32> {
    if value.is_nan() || value > f64::from(i32::MAX) || value < f64::from(i32::MIN) {
        return Err(interval_out_of_range());
    }
    Ok(value as i32)
}

impl Interval {
    pub const ZERO: Interval = Interval { microseconds: 0, days: 0, months: 0 };

    /// -interval. Errors: 22008 "interval out of range", as all of these.
    pub fn neg(&self) -> Result<Interval> {
        self.combine(|_, own| 0_i64.checked_sub(own), &Interval::ZERO, *self)
    }

    pub fn add(&self, other: &Interval) -> Result<Interval> {
        self.combine(i64::checked_add, self, *other)
    }

    pub fn sub(&self, other: &Interval) -> Result<Interval> {
        self.combine(i64::checked_sub, self, *other)
    }

    fn combine(&self, operation: impl Fn(i64, i64) -> Option<i64>, left: &Interval, right: Interval) -> Result<Interval> {
        let narrow = |left: i32, right: i32| {
            let value = operation(i64::from(left), i64::from(right));
            value.and_then(|value| i32::try_from(value).ok()).ok_or_else(interval_out_of_range)
        };
        Ok(Interval {
            months: narrow(left.months, right.months)?,
            days: narrow(left.days, right.days)?,
            microseconds: operation(left.microseconds, right.microseconds).ok_or_else(interval_out_of_range)?,
        })
    }

    pub fn mul(&self, factor: f64) -> Result<Interval> {
        self.scale(|value| value * factor)
    }

    /// Errors: 22012 for zero.
    pub fn div(&self, divisor: f64) -> Result<Interval> {
        if divisor == 0.0 {
            return Err(Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        self.scale(|value| value / divisor)
    }

    fn scale(&self, scaled: impl Fn(f64) -> f64) -> Result<Interval> {
        let (exact_months, exact_days) = (scaled(f64::from(self.months)), scaled(f64::from(self.days)));
        let (months, mut days) = (whole_i32(exact_months)?, whole_i32(exact_days)?);
        let days_of_months = round_seconds((exact_months - f64::from(months)) * f64::from(DAYS_PER_MONTH));
        let fraction_of_day = exact_days - f64::from(days) + days_of_months - f64::from(days_of_months as i32);
        let mut seconds = round_seconds(fraction_of_day * SECONDS_PER_DAY);
        if seconds.abs() >= SECONDS_PER_DAY {
            let whole_days = (seconds / SECONDS_PER_DAY) as i32;
            days = days.checked_add(whole_days).ok_or_else(interval_out_of_range)?;
            seconds -= f64::from(whole_days) * SECONDS_PER_DAY;
        }
        days = days.checked_add(days_of_months as i32).ok_or_else(interval_out_of_range)?;
        let microseconds = (scaled(self.microseconds as f64) + seconds * US_PER_SECOND as f64).round_ties_even();
        // 2^63 itself does not fit.
        if !(i64::MIN as f64..i64::MAX as f64).contains(&microseconds) {
            return Err(interval_out_of_range());
        }
        Ok(Interval { microseconds: microseconds as i64, days, months })
    }

    /// Turns 24 hours into days; days and hours get one sign.
    pub fn justify_hours(&self) -> Result<Interval> {
        let whole_days = (self.microseconds / US_PER_DAY) as i32;
        let mut justified = Interval {
            microseconds: self.microseconds % US_PER_DAY,
            days: self.days.checked_add(whole_days).ok_or_else(interval_out_of_range)?,
            months: self.months,
        };
        justified.align_hours();
        Ok(justified)
    }

    /// Turns 30 days into months; months and days get one sign.
    pub fn justify_days(&self) -> Result<Interval> {
        let mut justified = *self;
        justified.carry_days_into_months()?;
        if justified.months > 0 && justified.days < 0 {
            justified.borrow_month(1);
        } else if justified.months < 0 && justified.days > 0 {
            justified.borrow_month(-1);
        }
        Ok(justified)
    }

    /// Both, and all signs the same.
    pub fn justify_interval(&self) -> Result<Interval> {
        let mut justified = *self;
        if (justified.days > 0 && justified.microseconds > 0) || (justified.days < 0 && justified.microseconds < 0) {
            justified.carry_days_into_months()?;
        }
        // Of one sign the days are below 30 by now; of different signs the sum cannot overflow.
        justified.days += (justified.microseconds / US_PER_DAY) as i32;
        justified.microseconds %= US_PER_DAY;
        justified.carry_days_into_months()?;
        let below = |value: &Interval| value.days < 0 || (value.days == 0 && value.microseconds < 0);
        let above = |value: &Interval| value.days > 0 || (value.days == 0 && value.microseconds > 0);
        if justified.months > 0 && below(&justified) {
            justified.borrow_month(1);
        } else if justified.months < 0 && above(&justified) {
            justified.borrow_month(-1);
        }
        justified.align_hours();
        Ok(justified)
    }

    fn carry_days_into_months(&mut self) -> Result<()> {
        self.months = self.months.checked_add(self.days / DAYS_PER_MONTH).ok_or_else(interval_out_of_range)?;
        self.days %= DAYS_PER_MONTH;
        Ok(())
    }

    /// Turns one month (of the sign of `direction`) into days; months and days are of different signs.
    fn borrow_month(&mut self, direction: i32) {
        self.months -= direction;
        self.days += direction * DAYS_PER_MONTH;
    }

    fn align_hours(&mut self) {
        if self.days > 0 && self.microseconds < 0 {
            self.microseconds += US_PER_DAY;
            self.days -= 1;
        } else if self.days < 0 && self.microseconds > 0 {
            self.microseconds -= US_PER_DAY;
            self.days += 1;
        }
    }
}
