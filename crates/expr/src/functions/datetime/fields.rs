//! EXTRACT, date_part, date_trunc and the make_ functions.

use types::datetime::construct::IntervalParts;
use types::{Date, Interval, Numeric, Result, Time, TimeTz, Timestamp, TimestampTz};

use super::Function;
use crate::functions::lift::strict;

pub(super) fn register(functions: &mut Vec<Function>) {
    parts(functions);
    truncation(functions);
    construction(functions);
}

fn parts(functions: &mut Vec<Function>) {
    macro_rules! part {
        ($extract:literal, $part:literal, $ty:ty) => {
            [
                strict!($extract, |field: &str, value: $ty| -> Result<Option<Numeric>> { value.part(field)?.to_numeric() }),
                strict!($part, |field: &str, value: $ty| -> Result<Option<f64>> { Ok(value.part(field)?.to_f64()) }),
            ]
        };
    }
    functions.extend(part!("extract_time", "time_part", Time));
    functions.extend(part!("extract_timetz", "timetz_part", TimeTz));
    functions.extend(part!("extract_timestamp", "timestamp_part", Timestamp));
    functions.extend(part!("extract_interval", "interval_part", Interval));
    functions.extend([
        strict!("extract_timestamptz", cx, |field: &str, at: TimestampTz| -> Result<Option<Numeric>> {
            at.part(field, &cx.context.format.time_zone)?.to_numeric()
        }),
        strict!("timestamptz_part", cx, |field: &str, at: TimestampTz| -> Result<Option<f64>> {
            Ok(at.part(field, &cx.context.format.time_zone)?.to_f64())
        }),
        strict!("extract_date", |field: &str, date: Date| -> Result<Option<Numeric>> { date.part(field)?.to_numeric() }),
        // date_part of a date is that of its midnight.
        strict!("date_part", |field: &str, date: Date| -> Result<Option<f64>> { Ok(date.to_timestamp()?.part(field)?.to_f64()) }),
    ]);
}

fn truncation(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("timestamp_trunc", |unit: &str, at: Timestamp| at.truncate(unit)),
        strict!("timestamptz_trunc", cx, |unit: &str, at: TimestampTz| at.truncate(unit, &cx.context.format.time_zone)),
        strict!("timestamptz_trunc_zone", |unit: &str, at: TimestampTz, zone: &str| at.truncate_in_zone(unit, zone)),
        strict!("interval_trunc", |unit: &str, span: Interval| span.truncate(unit)),
    ]);
}

fn construction(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("make_date", |year: i32, month: i32, day: i32| Date::from_fields(year, month, day)),
        strict!("make_time", |hour: i32, minute: i32, second: f64| Time::from_fields(hour, minute, second)),
        strict!("make_timestamp", |year: i32, month: i32, day: i32, hour: i32, minute: i32, second: f64| {
            Timestamp::from_fields(year, month, day, hour, minute, second)
        }),
        strict!("make_timestamptz", cx, |year: i32,
                                         month: i32,
                                         day: i32,
                                         hour: i32,
                                         minute: i32,
                                         second: f64|
         -> Result<TimestampTz> {
            Timestamp::from_fields(year, month, day, hour, minute, second)?.to_timestamptz(&cx.context.format.time_zone)
        }),
        strict!("make_timestamptz_at_timezone", |year: i32,
                                                 month: i32,
                                                 day: i32,
                                                 hour: i32,
                                                 minute: i32,
                                                 second: f64,
                                                 zone: &str|
         -> Result<TimestampTz> {
            TimestampTz::at_named_zone(Timestamp::from_fields(year, month, day, hour, minute, second)?, zone)
        }),
        strict!("make_interval", |years: i32, months: i32, weeks: i32, days: i32, hours: i32, minutes: i32, seconds: f64| {
            Interval::from_parts(&IntervalParts { years, months, weeks, days, hours, minutes, seconds })
        }),
    ]);
}
