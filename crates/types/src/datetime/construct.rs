//! make_date and its kin, to_timestamp(double precision), and comparisons between types.

use std::cmp::Ordering;

use jiff::tz::TimeZone;

use super::arithmetic::{interval_out_of_range, timestamp_out_of_range};
use super::calendar::{Civil, days_in_month, is_valid_julian};
use super::decode::DecodeError;
use super::decode_fields::zone_offset;
use super::zone::{NamedZone, unknown_zone};
use super::{
    Date, EPOCH_JULIAN_DAY, EPOCH_UNIX_SECONDS, Interval, TIMESTAMP_END, TIMESTAMP_MIN, Time, Timestamp, TimestampTz, US_PER_DAY,
    US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND, zone,
};
use crate::{Error, Result, SqlState};

fn field_overflow(message: String) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

/// A number as C prints it with `%g`, padded with zeros to a width.
fn general_format(value: f64, width: usize) -> String {
    let text = if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        let scientific = format!("{value:.5e}");
        let (digits, exponent) = scientific.split_once('e').expect("{:e} writes an exponent");
        let exponent: i32 = exponent.parse().expect("{:e} writes an integer exponent");
        let trim = |digits: &str| {
            let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
            digits.to_owned()
        };
        if (-4..6).contains(&exponent) {
            trim(&format!("{value:.*}", (5 - exponent) as usize))
        } else {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", trim(digits), exponent.abs())
        }
    };
    if value.is_finite() && text.len() < width { format!("{}{text}", "0".repeat(width - text.len())) } else { text }
}

/// Checks a date's fields; years before Christ are negative.
fn civil_date(year: i32, month: i32, day: i32) -> Result<Civil> {
    let overflow = |year: i32| field_overflow(format!("date field value out of range: {year}-{month:02}-{day:02}"));
    let counted = match year {
        i32::MIN | 0 => return Err(overflow(year)),
        ..0 => year + 1,
        _ => year,
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(counted, month) {
        return Err(overflow(year));
    }
    if !is_valid_julian(counted, month) {
        let message = format!("date out of range: {counted}-{month:02}-{day:02}");
        return Err(Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, message));
    }
    Ok(Civil { year: counted, month, day, ..Civil::default() })
}

impl Date {
    /// make_date. Errors: 22008.
    pub fn from_fields(year: i32, month: i32, day: i32) -> Result<Date> {
        let civil = civil_date(year, month, day)?;
        Date::from_days(civil.julian_day() - EPOCH_JULIAN_DAY).ok_or_else(|| {
            let message = format!("date out of range: {}-{month:02}-{day:02}", civil.year);
            Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, message)
        })
    }

    /// Orders a date and a timestamp, a date being its midnight.
    pub fn compare_timestamp(self, timestamp: Timestamp) -> Ordering {
        self.compare_instant(timestamp.0, 0)
    }

    /// Orders a date and a timestamptz, a date being its midnight in a zone.
    pub fn compare_timestamptz(self, timestamp: TimestampTz, time_zone: &TimeZone) -> Ordering {
        let local = i64::from(self.0).saturating_mul(US_PER_DAY);
        self.compare_instant(timestamp.0, zone::offset_of_local(time_zone, local))
    }

    fn compare_instant(self, instant: i64, seconds_east: i32) -> Ordering {
        let own = match self {
            Date::INFINITY => i128::MAX,
            Date::NEGATIVE_INFINITY => i128::MIN,
            _ => i128::from(self.0) * i128::from(US_PER_DAY) - i128::from(seconds_east) * i128::from(US_PER_SECOND),
        };
        let other = match instant {
            i64::MAX => i128::MAX,
            i64::MIN => i128::MIN,
            _ => i128::from(instant),
        };
        own.cmp(&other)
    }
}

impl Timestamp {
    /// Orders a timestamp and a timestamptz by a zone's clocks.
    pub fn compare_timestamptz(self, other: TimestampTz, time_zone: &TimeZone) -> Ordering {
        if !self.is_finite() || !other.is_finite() {
            return self.0.cmp(&other.0);
        }
        let seconds_east = zone::offset_of_local(time_zone, self.0);
        (i128::from(self.0) - i128::from(seconds_east) * i128::from(US_PER_SECOND)).cmp(&i128::from(other.0))
    }

    /// make_timestamp. Errors: 22008.
    pub fn from_fields(year: i32, month: i32, day: i32, hour: i32, minute: i32, second: f64) -> Result<Timestamp> {
        let mut civil = civil_date(year, month, day)?;
        let clock = clock_us(hour, minute, second)?;
        civil.clear_clock();
        let sum = civil.local_us().and_then(|date| date.checked_add(clock)).and_then(Timestamp::from_microseconds);
        sum.ok_or_else(|| {
            let second = general_format(second, 2);
            let message = format!("timestamp out of range: {year}-{month:02}-{day:02} {hour}:{minute:02}:{second}");
            Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, message)
        })
    }
}

/// Microseconds since midnight of a clock with fractional seconds.
fn clock_us(hour: i32, minute: i32, second: f64) -> Result<i64> {
    let second_us = (second * US_PER_SECOND as f64).round_ties_even();
    let in_range =
        (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0 * US_PER_SECOND as f64).contains(&second_us);
    if in_range {
        let clock = i64::from(hour) * US_PER_HOUR + i64::from(minute) * US_PER_MINUTE + second_us as i64;
        if clock <= US_PER_DAY {
            return Ok(clock);
        }
    }
    Err(field_overflow(format!("time field value out of range: {hour}:{minute:02}:{}", general_format(second, 2))))
}

impl Time {
    /// make_time. Errors: 22008.
    pub fn from_fields(hour: i32, minute: i32, second: f64) -> Result<Time> {
        clock_us(hour, minute, second).map(Time)
    }
}

impl TimestampTz {
    /// to_timestamp(double precision): seconds since 1970. Errors: 22008.
    pub fn from_unix_seconds(seconds: f64) -> Result<TimestampTz> {
        if seconds.is_nan() {
            return Err(Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, "timestamp cannot be NaN"));
        }
        if seconds.is_infinite() {
            return Ok(if seconds > 0.0 { TimestampTz::INFINITY } else { TimestampTz::NEGATIVE_INFINITY });
        }
        let epoch = EPOCH_UNIX_SECONDS as f64;
        let (first, end) = ((TIMESTAMP_MIN / US_PER_SECOND) as f64 + epoch, (TIMESTAMP_END / US_PER_SECOND) as f64 + epoch);
        let value = (first..end)
            .contains(&seconds)
            .then(|| ((seconds - epoch) * US_PER_SECOND as f64).round_ties_even() as i64)
            .and_then(TimestampTz::from_microseconds);
        value.ok_or_else(|| {
            let message = format!("timestamp out of range: \"{}\"", general_format(seconds, 0));
            Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, message)
        })
    }

    /// make_timestamptz with a zone: an offset, an abbreviation or a name. Errors: 22008, 22023.
    pub fn at_named_zone(local: Timestamp, zone_name: &str) -> Result<TimestampTz> {
        let seconds_east = sane_zone_offset(local.0, zone_name)?;
        let instant = local.0.checked_sub(i64::from(seconds_east) * US_PER_SECOND);
        instant.and_then(TimestampTz::from_microseconds).ok_or_else(timestamp_out_of_range)
    }
}

fn sane_zone_offset(local_us: i64, name: &str) -> Result<i32> {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        let message = format!("invalid input syntax for type numeric time zone: \"{name}\"");
        let hint = "Numeric time zones must have \"-\" or \"+\" as first character.";
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).hint(hint));
    }
    match zone_offset(name) {
        Ok(seconds_west) => return Ok(-seconds_west),
        Err(DecodeError::ZoneDisplacementOverflow) => {
            let message = format!("numeric time zone \"{name}\" out of range");
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        Err(DecodeError::BadFormat) => {}
        Err(_) => return Err(unknown_zone(name)),
    }
    Ok(NamedZone::parse(name)?.offset_of_local(local_us))
}

/// The arguments of make_interval.
#[derive(Clone, Copy, Debug, Default)]
pub struct IntervalParts {
    pub years: i32,
    pub months: i32,
    pub weeks: i32,
    pub days: i32,
    pub hours: i32,
    pub minutes: i32,
    pub seconds: f64,
}

impl Interval {
    /// make_interval. Errors: 22008.
    pub fn from_parts(parts: &IntervalParts) -> Result<Interval> {
        let seconds_us = (parts.seconds * US_PER_SECOND as f64).round_ties_even();
        if !(i64::MIN as f64..i64::MAX as f64).contains(&seconds_us) {
            return Err(interval_out_of_range());
        }
        let months = i64::from(parts.years) * 12 + i64::from(parts.months);
        let days = i64::from(parts.weeks) * 7 + i64::from(parts.days);
        let clock = i128::from(parts.hours) * i128::from(US_PER_HOUR)
            + i128::from(parts.minutes) * i128::from(US_PER_MINUTE)
            + i128::from(seconds_us as i64);
        Ok(Interval {
            months: i32::try_from(months).map_err(|_| interval_out_of_range())?,
            days: i32::try_from(days).map_err(|_| interval_out_of_range())?,
            microseconds: i64::try_from(clock).map_err(|_| interval_out_of_range())?,
        })
    }
}
