//! Text input of dates, times, timestamps and intervals (PostgreSQL's `date_in` and its kin, before the type modifier).

use super::calendar::is_valid_julian;
use super::decode::{DecodeError, Decoded, decode_date_time, decode_time_of_day};
use super::decode_interval::decode_interval;
use super::decode_iso_interval::decode_iso_interval;
use super::typmod::IntervalRange;
use super::{
    Date, EPOCH_JULIAN_DAY, EPOCH_UNIX_SECONDS, Interval, Time, TimeTz, Timestamp, TimestampTz, UNIX_EPOCH_DATE, US_PER_SECOND,
};
use crate::{Error, FormatSettings, Result, SqlState};

fn out_of_range(what: &str, text: &str) -> Error {
    Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, format!("{what} out of range: \"{text}\""))
}

impl Date {
    /// Reads a date; a time and a zone in the text are checked and dropped. Errors: 22007, 22008, 22009, 22023.
    pub fn parse(text: &str, settings: &FormatSettings) -> Result<Date> {
        match decode_date_time(text, settings).map_err(|error| error.into_error(text, "date"))? {
            Decoded::Civil { civil, .. } => {
                let date = Date::from_days(civil.julian_day() - EPOCH_JULIAN_DAY);
                date.filter(|_| is_valid_julian(civil.year, civil.month)).ok_or_else(|| out_of_range("date", text))
            }
            Decoded::Epoch => Ok(Date(UNIX_EPOCH_DATE)),
            Decoded::Infinity => Ok(Date::INFINITY),
            Decoded::NegativeInfinity => Ok(Date::NEGATIVE_INFINITY),
        }
    }
}

impl Time {
    /// Reads a time of day; a zone and a date in the text are checked and dropped. Errors: 22007, 22008, 22009, 22023.
    pub fn parse(text: &str, settings: &FormatSettings) -> Result<Time> {
        let (civil, _) = decode_time_of_day(text, settings).map_err(|error| error.into_error(text, "time"))?;
        Ok(Time(civil.clock_us()))
    }
}

impl TimeTz {
    /// Reads a time of day with a zone, the session's where there is none. Errors: 22007, 22008, 22009, 22023.
    pub fn parse(text: &str, settings: &FormatSettings) -> Result<TimeTz> {
        let (civil, zone_seconds_west) =
            decode_time_of_day(text, settings).map_err(|error| error.into_error(text, "time with time zone"))?;
        Ok(TimeTz { time_us: civil.clock_us(), zone_seconds_west })
    }
}

impl Timestamp {
    /// Reads a timestamp; a zone in the text is checked and dropped. Errors: 22007, 22008, 22009, 22023.
    pub fn parse(text: &str, settings: &FormatSettings) -> Result<Timestamp> {
        match decode_date_time(text, settings).map_err(|error| error.into_error(text, "timestamp"))? {
            Decoded::Civil { civil, .. } => civil.to_timestamp().ok_or_else(|| out_of_range("timestamp", text)),
            Decoded::Epoch => Ok(Timestamp(-EPOCH_UNIX_SECONDS * US_PER_SECOND)),
            Decoded::Infinity => Ok(Timestamp::INFINITY),
            Decoded::NegativeInfinity => Ok(Timestamp::NEGATIVE_INFINITY),
        }
    }
}

impl TimestampTz {
    /// Reads a timestamp with a zone, the session's where there is none. Errors: 22007, 22008, 22009, 22023.
    pub fn parse(text: &str, settings: &FormatSettings) -> Result<TimestampTz> {
        let decoded = decode_date_time(text, settings).map_err(|error| error.into_error(text, "timestamp with time zone"))?;
        match decoded {
            Decoded::Civil { civil, zone_seconds_west } => civil
                .local_us()
                .and_then(|local| local.checked_add(i64::from(zone_seconds_west) * US_PER_SECOND))
                .and_then(TimestampTz::from_microseconds)
                .ok_or_else(|| out_of_range("timestamp", text)),
            Decoded::Epoch => Ok(TimestampTz(-EPOCH_UNIX_SECONDS * US_PER_SECOND)),
            Decoded::Infinity => Ok(TimestampTz::INFINITY),
            Decoded::NegativeInfinity => Ok(TimestampTz::NEGATIVE_INFINITY),
        }
    }
}

impl Interval {
    /// Reads an interval in any style. Errors: 22007, 22008, 22015.
    pub fn parse(text: &str, settings: &FormatSettings) -> Result<Interval> {
        Interval::parse_with_typmod(text, -1, settings)
    }

    /// Reads an interval as a type with this modifier does: its fields decide what a bare last number is, and what is kept.
    pub fn parse_with_typmod(text: &str, typmod: i32, settings: &FormatSettings) -> Result<Interval> {
        let range = IntervalRange::of_typmod(typmod);
        let span = match decode_interval(text, range, settings.interval_style) {
            Err(DecodeError::BadFormat) => decode_iso_interval(text),
            decoded => decoded,
        };
        let span = span.map_err(|error| match error {
            DecodeError::FieldOverflow => DecodeError::IntervalOverflow.into_error(text, "interval"),
            other => other.into_error(text, "interval"),
        })?;
        let interval = span.to_interval();
        let interval = interval.ok_or_else(|| Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, "interval out of range"))?;
        interval.apply_typmod(typmod)
    }
}
