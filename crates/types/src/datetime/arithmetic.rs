//! Sums and differences of dates, times and timestamps with intervals and each other.
//!
//! An interval's months are added first, then its days, then its microseconds. With a zone, months and days move the local time and
//! keep its clock; microseconds move the instant.

use jiff::tz::TimeZone;

use super::calendar::{Civil, days_in_month};
use super::{Date, Interval, Time, TimeTz, Timestamp, TimestampTz, US_PER_DAY, US_PER_SECOND, zone};
use crate::{Error, Result, SqlState};

pub(crate) fn out_of_range(what: &str) -> Error {
    Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, format!("{what} out of range"))
}

pub(crate) fn timestamp_out_of_range() -> Error {
    out_of_range("timestamp")
}

pub(crate) fn interval_out_of_range() -> Error {
    out_of_range("interval")
}

pub(crate) fn date_out_of_range_for_timestamp() -> Error {
    Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, "date out of range for timestamp")
}

impl Civil {
    /// Moves by months, to the last day of a month that is too short; then by days. The clock stays.
    fn add_months_and_days(&mut self, months: i32, days: i32) -> Option<()> {
        if months != 0 {
            let month_count = i64::from(self.year) * 12 + i64::from(self.month) - 1 + i64::from(months);
            self.year = i32::try_from(month_count.div_euclid(12)).ok()?;
            self.month = month_count.rem_euclid(12) as i32 + 1;
            self.day = self.day.min(days_in_month(self.year, self.month));
        }
        // PostgreSQL checks the sum of months before it adds the days.
        self.to_timestamp()?;
        if days != 0 {
            let julian = self.julian_day() + i64::from(days);
            if julian < 0 {
                return None;
            }
            self.set_date(julian);
        }
        Some(())
    }
}

impl Date {
    /// date + integer. Errors: 22008 "date out of range".
    pub fn add_days(self, days: i32) -> Result<Date> {
        if !self.is_finite() {
            return Ok(self);
        }
        Date::from_days(i64::from(self.0) + i64::from(days)).ok_or_else(|| out_of_range("date"))
    }

    /// date - integer
    pub fn sub_days(self, days: i32) -> Result<Date> {
        if !self.is_finite() {
            return Ok(self);
        }
        Date::from_days(i64::from(self.0) - i64::from(days)).ok_or_else(|| out_of_range("date"))
    }

    /// date - date, in days. Errors: 22008 for infinite dates.
    pub fn days_since(self, earlier: Date) -> Result<i32> {
        if !self.is_finite() || !earlier.is_finite() {
            return Err(Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, "cannot subtract infinite dates"));
        }
        // Both lie within 2^31 days of each other: a date's range is that wide.
        i32::try_from(i64::from(self.0) - i64::from(earlier.0)).map_err(|_| out_of_range("date"))
    }

    pub fn add_interval(self, interval: &Interval) -> Result<Timestamp> {
        self.to_timestamp()?.add_interval(interval)
    }

    pub fn sub_interval(self, interval: &Interval) -> Result<Timestamp> {
        self.to_timestamp()?.sub_interval(interval)
    }

    /// date + time. Errors: 22008.
    pub fn at_time(self, time: Time) -> Result<Timestamp> {
        let midnight = self.to_timestamp()?;
        if !midnight.is_finite() {
            return Ok(midnight);
        }
        Timestamp::from_microseconds(midnight.0 + time.0).ok_or_else(timestamp_out_of_range)
    }

    /// date + timetz. Errors: 22008.
    pub fn at_timetz(self, time: TimeTz) -> Result<TimestampTz> {
        match self {
            Date::INFINITY => Ok(TimestampTz::INFINITY),
            Date::NEGATIVE_INFINITY => Ok(TimestampTz::NEGATIVE_INFINITY),
            _ => {
                let utc = i128::from(self.0) * i128::from(US_PER_DAY) + time.utc_us();
                let value = i64::try_from(utc).ok().and_then(TimestampTz::from_microseconds);
                value.ok_or_else(date_out_of_range_for_timestamp)
            }
        }
    }
}

impl Time {
    /// time + interval, around midnight; days and months count for nothing.
    pub fn add_interval(self, interval: &Interval) -> Time {
        Time(wrap_day(i128::from(self.0) + i128::from(interval.microseconds)))
    }

    pub fn sub_interval(self, interval: &Interval) -> Time {
        Time(wrap_day(i128::from(self.0) - i128::from(interval.microseconds)))
    }

    /// time - time
    pub fn since(self, earlier: Time) -> Interval {
        Interval { microseconds: self.0 - earlier.0, days: 0, months: 0 }
    }
}

/// Microseconds brought into one day.
pub(crate) fn wrap_day(microseconds: i128) -> i64 {
    microseconds.rem_euclid(i128::from(US_PER_DAY)) as i64
}

impl TimeTz {
    pub fn add_interval(self, interval: &Interval) -> TimeTz {
        TimeTz { time_us: Time(self.time_us).add_interval(interval).0, ..self }
    }

    pub fn sub_interval(self, interval: &Interval) -> TimeTz {
        TimeTz { time_us: Time(self.time_us).sub_interval(interval).0, ..self }
    }

    /// Microseconds since midnight in Greenwich; may lie outside one day.
    pub fn utc_us(&self) -> i128 {
        i128::from(self.time_us) + i128::from(self.zone_seconds_west) * i128::from(US_PER_SECOND)
    }
}

/// The difference of two instants, in days and the rest.
fn difference(later: i64, earlier: i64) -> Result<Interval> {
    let is_infinite = |value| value == i64::MAX || value == i64::MIN;
    if is_infinite(later) || is_infinite(earlier) {
        return Err(Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, "cannot subtract infinite timestamps"));
    }
    let microseconds = later.checked_sub(earlier).ok_or_else(interval_out_of_range)?;
    Interval { microseconds, days: 0, months: 0 }.justify_hours()
}

/// The symbolic difference of two local times: years, months, days and a clock.
fn age(left: (i64, Civil), right: (i64, Civil)) -> Interval {
    let is_negative = left.0 < right.0;
    let (later, earlier) = if is_negative { (right.1, left.1) } else { (left.1, right.1) };
    let mut months = i64::from(later.year - earlier.year) * 12 + i64::from(later.month - earlier.month);
    let mut days = i64::from(later.day - earlier.day);
    let mut clock = later.clock_us() - earlier.clock_us();
    if clock < 0 {
        clock += US_PER_DAY;
        days -= 1;
    }
    // A borrowed month is as long as the one that the earlier time lies in.
    while days < 0 {
        days += i64::from(days_in_month(earlier.year, earlier.month));
        months -= 1;
    }
    // Within two timestamps' range all of this is small.
    let sign = if is_negative { -1 } else { 1 };
    Interval { microseconds: sign * clock, days: (sign * days) as i32, months: (sign * months) as i32 }
}

impl Timestamp {
    /// timestamp + interval. Errors: 22008.
    pub fn add_interval(self, interval: &Interval) -> Result<Timestamp> {
        if !self.is_finite() {
            return Ok(self);
        }
        let mut local = self;
        if interval.months != 0 || interval.days != 0 {
            let mut civil = Civil::from_local_us(self.0);
            let moved = civil.add_months_and_days(interval.months, interval.days);
            local = moved.and_then(|()| civil.to_timestamp()).ok_or_else(timestamp_out_of_range)?;
        }
        let sum = local.0.checked_add(interval.microseconds).and_then(Timestamp::from_microseconds);
        sum.ok_or_else(timestamp_out_of_range)
    }

    pub fn sub_interval(self, interval: &Interval) -> Result<Timestamp> {
        if self.is_finite() { self.add_interval(&interval.neg()?) } else { Ok(self) }
    }

    /// timestamp - timestamp. Errors: 22008.
    pub fn since(self, earlier: Timestamp) -> Result<Interval> {
        difference(self.0, earlier.0)
    }

    /// age(timestamp, timestamp). Errors: 22008 for infinite ones.
    pub fn age(self, earlier: Timestamp) -> Result<Interval> {
        if !self.is_finite() || !earlier.is_finite() {
            return Err(timestamp_out_of_range());
        }
        Ok(age((self.0, Civil::from_local_us(self.0)), (earlier.0, Civil::from_local_us(earlier.0))))
    }
}

impl TimestampTz {
    /// timestamptz + interval in a zone. Errors: 22008.
    pub fn add_interval(self, interval: &Interval, time_zone: &TimeZone) -> Result<TimestampTz> {
        if !self.is_finite() {
            return Ok(self);
        }
        let mut instant = self;
        for (months, days) in [(interval.months, 0), (0, interval.days)] {
            if months != 0 || days != 0 {
                let (mut civil, _) = instant.to_civil(time_zone);
                let moved = civil.add_months_and_days(months, days);
                instant = moved.and_then(|()| TimestampTz::of_civil(&civil, time_zone)).ok_or_else(timestamp_out_of_range)?;
            }
        }
        let sum = instant.0.checked_add(interval.microseconds).and_then(TimestampTz::from_microseconds);
        sum.ok_or_else(timestamp_out_of_range)
    }

    pub fn sub_interval(self, interval: &Interval, time_zone: &TimeZone) -> Result<TimestampTz> {
        if self.is_finite() { self.add_interval(&interval.neg()?, time_zone) } else { Ok(self) }
    }

    /// timestamptz - timestamptz. Errors: 22008.
    pub fn since(self, earlier: TimestampTz) -> Result<Interval> {
        difference(self.0, earlier.0)
    }

    /// age(timestamptz, timestamptz) by the clocks of a zone. Errors: 22008 for infinite ones.
    pub fn age(self, earlier: TimestampTz, time_zone: &TimeZone) -> Result<Interval> {
        if !self.is_finite() || !earlier.is_finite() {
            return Err(timestamp_out_of_range());
        }
        Ok(age((self.0, self.to_civil(time_zone).0), (earlier.0, earlier.to_civil(time_zone).0)))
    }

    /// The instant of a local time in a zone; None when it is out of range.
    pub(crate) fn of_civil(civil: &Civil, time_zone: &TimeZone) -> Option<TimestampTz> {
        let local = civil.local_us()?;
        let seconds_east = zone::offset_of_local(time_zone, local);
        local.checked_sub(i64::from(seconds_east) * US_PER_SECOND).and_then(TimestampTz::from_microseconds)
    }
}
