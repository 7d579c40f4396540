//! Type modifiers of date and time types: fractional seconds of times, and the fields an interval keeps.

use super::{Interval, Time, TimeTz, Timestamp, TimestampTz, US_PER_HOUR, US_PER_MINUTE};
use crate::{Error, Result, SqlState};

const MAX_PRECISION: i32 = 6;

/// Which fields an interval type keeps, as PostgreSQL encodes them in the upper half of the modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntervalRange(pub i32);

impl IntervalRange {
    pub const MONTH: i32 = 1 << 1;
    pub const YEAR: i32 = 1 << 2;
    pub const DAY: i32 = 1 << 3;
    pub const HOUR: i32 = 1 << 10;
    pub const MINUTE: i32 = 1 << 11;
    pub const SECOND: i32 = 1 << 12;
    pub const FULL: IntervalRange = IntervalRange(0x7fff);

    /// The range of a modifier; every field when there is none.
    pub fn of_typmod(typmod: i32) -> IntervalRange {
        if typmod < 0 { IntervalRange::FULL } else { IntervalRange(typmod >> 16 & 0x7fff) }
    }

    /// The smallest field that is kept.
    fn smallest(self) -> i32 {
        match self {
            IntervalRange::FULL => IntervalRange::SECOND,
            IntervalRange(mask) => [
                IntervalRange::SECOND,
                IntervalRange::MINUTE,
                IntervalRange::HOUR,
                IntervalRange::DAY,
                IntervalRange::MONTH,
                IntervalRange::YEAR,
            ]
            .into_iter()
            .find(|field| mask & field != 0)
            .unwrap_or(IntervalRange::SECOND),
        }
    }
}

/// 10^(6 - precision) microseconds.
fn unit_of_precision(precision: i32) -> i64 {
    10_i64.pow((MAX_PRECISION - precision) as u32)
}

fn precision_error(type_name: &str, precision: i32) -> Error {
    let message = format!("{type_name}({precision}) precision must be between 0 and {MAX_PRECISION}");
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// Rounds half away from zero; None past 64 bits.
fn round_to(value: i64, unit: i64) -> Option<i64> {
    let half = if value >= 0 { unit / 2 } else { -(unit / 2) };
    let shifted = value.checked_add(half)?;
    Some(shifted - shifted % unit)
}

impl Time {
    /// time(p)
    pub fn apply_typmod(self, typmod: i32) -> Time {
        match typmod {
            0..MAX_PRECISION => Time(round_to(self.0, unit_of_precision(typmod)).unwrap_or(self.0)),
            _ => self,
        }
    }
}

impl TimeTz {
    pub fn apply_typmod(self, typmod: i32) -> TimeTz {
        TimeTz { time_us: Time(self.time_us).apply_typmod(typmod).0, ..self }
    }
}

impl Timestamp {
    /// timestamp(p). Errors: 22023 when the modifier is out of range.
    pub fn apply_typmod(self, typmod: i32) -> Result<Timestamp> {
        round_timestamp(self.0, typmod).map(Timestamp)
    }
}

impl TimestampTz {
    pub fn apply_typmod(self, typmod: i32) -> Result<TimestampTz> {
        round_timestamp(self.0, typmod).map(TimestampTz)
    }
}

fn round_timestamp(value: i64, typmod: i32) -> Result<i64> {
    match typmod {
        -1 | MAX_PRECISION => Ok(value),
        0..MAX_PRECISION if value == i64::MAX || value == i64::MIN => Ok(value),
        0..MAX_PRECISION => Ok(round_to(value, unit_of_precision(typmod)).unwrap_or(value)),
        _ => Err(precision_error("timestamp", typmod)),
    }
}

impl Interval {
    /// Drops the fields below those the type keeps, and rounds the seconds. Errors: 22008 "interval out of range".
    pub fn apply_typmod(self, typmod: i32) -> Result<Interval> {
        if typmod < 0 {
            return Ok(self);
        }
        let mut kept = self;
        match IntervalRange::of_typmod(typmod).smallest() {
            IntervalRange::YEAR => kept = Interval { months: self.months / 12 * 12, days: 0, microseconds: 0 },
            IntervalRange::MONTH => kept = Interval { months: self.months, days: 0, microseconds: 0 },
            IntervalRange::DAY => kept.microseconds = 0,
            IntervalRange::HOUR => kept.microseconds -= kept.microseconds % US_PER_HOUR,
            IntervalRange::MINUTE => kept.microseconds -= kept.microseconds % US_PER_MINUTE,
            _ => {}
        }
        match typmod & 0xffff {
            0xffff => {}
            precision @ 0..=MAX_PRECISION => {
                kept.microseconds = round_to(kept.microseconds, unit_of_precision(precision))
                    .ok_or_else(|| Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, "interval out of range"))?;
            }
            precision => return Err(precision_error("interval", precision)),
        }
        Ok(kept)
    }
}
