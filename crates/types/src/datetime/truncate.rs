//! date_trunc and date_bin.

use jiff::tz::TimeZone;

use super::arithmetic::{interval_out_of_range, timestamp_out_of_range};
use super::calendar::{Civil, IntervalFields, iso_week_one_monday, iso_year_and_week};
use super::keywords::{Keyword, Unit, interval_keyword};
use super::zone::NamedZone;
use super::{Interval, Timestamp, TimestampTz, US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND, zone};
use crate::{Error, Result, SqlState};

pub(crate) fn unit_not_supported(word: &str, type_name: &str) -> Error {
    let message = format!("unit \"{}\" not supported for type {type_name}", word.to_ascii_lowercase());
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
}

pub(crate) fn unit_not_recognized(word: &str, type_name: &str) -> Error {
    let message = format!("unit \"{}\" not recognized for type {type_name}", word.to_ascii_lowercase());
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn trunc_unit(word: &str, type_name: &str) -> Result<Unit> {
    match interval_keyword(&word.to_ascii_lowercase()) {
        Some(Keyword::Unit(unit)) => Ok(unit),
        _ => Err(unit_not_recognized(word, type_name)),
    }
}

/// The first year of the group of `size` years; centuries and millennia begin with year 1.
fn first_of_years(year: i32, size: i32) -> i32 {
    (year - 1).div_euclid(size) * size + 1
}

impl Civil {
    /// Truncates; false when the unit cannot be truncated to.
    fn truncate(&mut self, unit: Unit) -> bool {
        match unit {
            Unit::Microsecond => {}
            Unit::Millisecond => self.microsecond -= self.microsecond % 1_000,
            Unit::Second => self.microsecond = 0,
            Unit::Minute => (self.second, self.microsecond) = (0, 0),
            Unit::Hour => (self.minute, self.second, self.microsecond) = (0, 0, 0),
            Unit::Week => {
                let (year, week) = iso_year_and_week(self.julian_day());
                self.set_date(iso_week_one_monday(year) + i64::from(week - 1) * 7);
                self.clear_clock();
            }
            Unit::Day | Unit::Month | Unit::Quarter | Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium => {
                self.clear_clock();
                if unit == Unit::Day {
                    return true;
                }
                self.day = 1;
                match unit {
                    Unit::Month => return true,
                    Unit::Quarter => {
                        self.month = (self.month - 1) / 3 * 3 + 1;
                        return true;
                    }
                    Unit::Decade => self.year = self.year.div_euclid(10) * 10,
                    Unit::Century => self.year = first_of_years(self.year, 100),
                    Unit::Millennium => self.year = first_of_years(self.year, 1_000),
                    _ => {}
                }
                self.month = 1;
            }
            _ => return false,
        }
        true
    }
}

impl Timestamp {
    /// date_trunc(text, timestamp). Errors: 0A000 and 22023 for the unit, 22008.
    pub fn truncate(self, unit_name: &str) -> Result<Timestamp> {
        const TYPE: &str = "timestamp without time zone";
        if !self.is_finite() {
            return Ok(self);
        }
        let mut civil = Civil::from_local_us(self.0);
        if !civil.truncate(trunc_unit(unit_name, TYPE)?) {
            return Err(unit_not_supported(unit_name, TYPE));
        }
        civil.to_timestamp().ok_or_else(timestamp_out_of_range)
    }

    /// date_bin(stride, timestamp, origin). Errors: 0A000, 22008.
    pub fn bin(self, stride: &Interval, origin: Timestamp) -> Result<Timestamp> {
        bin(stride, self.0, origin.0).map(Timestamp)
    }
}

impl TimestampTz {
    /// date_trunc(text, timestamptz) by the clocks of a zone. Errors: 0A000 and 22023 for the unit, 22008.
    pub fn truncate(self, unit_name: &str, time_zone: &TimeZone) -> Result<TimestampTz> {
        let offsets = (|utc| zone::offset_at(time_zone, utc), |local| zone::offset_of_local(time_zone, local));
        self.truncate_by(unit_name, offsets.0, offsets.1)
    }

    /// date_trunc(text, timestamptz, text). Errors: those of [`TimestampTz::truncate`], and 22023 for the zone.
    pub fn truncate_in_zone(self, unit_name: &str, zone_name: &str) -> Result<TimestampTz> {
        if !self.is_finite() {
            return Ok(self);
        }
        match NamedZone::parse(zone_name)? {
            NamedZone::Offset(seconds_east) => self.truncate_by(unit_name, |_| seconds_east, |_| seconds_east),
            NamedZone::Zone(zone) | NamedZone::Abbreviation(_, zone) => self.truncate(unit_name, &zone),
        }
    }

    fn truncate_by(
        self,
        unit_name: &str,
        offset_at: impl Fn(i64) -> i32,
        offset_of_local: impl Fn(i64) -> i32,
    ) -> Result<TimestampTz> {
        const TYPE: &str = "timestamp with time zone";
        if !self.is_finite() {
            return Ok(self);
        }
        let unit = trunc_unit(unit_name, TYPE)?;
        let mut seconds_east = offset_at(self.0);
        let mut civil = Civil::from_local_us(self.0 + i64::from(seconds_east) * US_PER_SECOND);
        if !civil.truncate(unit) {
            return Err(unit_not_supported(unit_name, TYPE));
        }
        let local = civil.local_us().ok_or_else(timestamp_out_of_range)?;
        // Truncating to an hour or less keeps the offset, so that a repeated hour stays itself.
        if !matches!(unit, Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond | Unit::Microsecond) {
            seconds_east = offset_of_local(local);
        }
        let instant = local.checked_sub(i64::from(seconds_east) * US_PER_SECOND);
        instant.and_then(TimestampTz::from_microseconds).ok_or_else(timestamp_out_of_range)
    }

    /// date_bin(stride, timestamptz, origin). Errors: 0A000, 22008.
    pub fn bin(self, stride: &Interval, origin: TimestampTz) -> Result<TimestampTz> {
        bin(stride, self.0, origin.0).map(TimestampTz)
    }
}

fn bin(stride: &Interval, value: i64, origin: i64) -> Result<i64> {
    let is_infinite = |value| value == i64::MAX || value == i64::MIN;
    let out_of_range = |message| Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, message);
    if is_infinite(value) {
        return Ok(value);
    }
    if is_infinite(origin) {
        return Err(out_of_range("origin out of range"));
    }
    if stride.months != 0 {
        let message = "timestamps cannot be binned into intervals containing months or years";
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let days = i64::from(stride.days).checked_mul(US_PER_DAY);
    let width = days.and_then(|days| days.checked_add(stride.microseconds)).ok_or_else(interval_out_of_range)?;
    if width <= 0 {
        return Err(out_of_range("stride must be greater than zero"));
    }
    let since_origin = value.checked_sub(origin).ok_or_else(interval_out_of_range)?;
    let start = i128::from(origin) + i128::from(since_origin.div_euclid(width)) * i128::from(width);
    let start = i64::try_from(start).ok().and_then(Timestamp::from_microseconds);
    start.map(|start| start.0).ok_or_else(timestamp_out_of_range)
}

impl Interval {
    /// date_trunc(text, interval). Errors: 0A000 and 22023 for the unit.
    pub fn truncate(&self, unit_name: &str) -> Result<Interval> {
        const TYPE: &str = "interval";
        let unit = trunc_unit(unit_name, TYPE)?;
        let time = self.microseconds;
        let clock_only = |size: i64| Interval { microseconds: time - time % size, ..*self };
        let months_only = |size: i32| Interval { microseconds: 0, days: 0, months: self.months - self.months % size };
        Ok(match unit {
            Unit::Microsecond => *self,
            Unit::Millisecond => clock_only(1_000),
            Unit::Second => clock_only(US_PER_SECOND),
            Unit::Minute => clock_only(US_PER_MINUTE),
            Unit::Hour => clock_only(US_PER_HOUR),
            Unit::Day => Interval { microseconds: 0, ..*self },
            Unit::Month => months_only(1),
            Unit::Quarter => {
                let fields = IntervalFields::of(self);
                Interval { microseconds: 0, days: 0, months: fields.years * 12 + fields.months / 3 * 3 }
            }
            Unit::Year => months_only(12),
            Unit::Decade => months_only(120),
            Unit::Century => months_only(1_200),
            Unit::Millennium => months_only(12_000),
            Unit::Week => return Err(unit_not_supported(unit_name, TYPE).detail("Months usually have fractional weeks.")),
            _ => return Err(unit_not_supported(unit_name, TYPE)),
        })
    }
}
