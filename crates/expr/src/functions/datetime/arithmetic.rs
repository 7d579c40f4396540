//! `+ - * /` of the date and time types, ages and justification.

use types::{Date, FormatSettings, Interval, Oid, Result, Time, TimeTz, Timestamp, TimestampTz};

use super::{Function, by_first_type};
use crate::functions::lift::strict;

/// Midnight of the current day by the session's clocks.
fn midnight(settings: &FormatSettings) -> Result<Timestamp> {
    settings.now.to_date(&settings.time_zone).to_timestamp()
}

pub(super) fn register(functions: &mut Vec<Function>) {
    dates_and_times(functions);
    timestamps(functions);
    intervals(functions);
}

fn dates_and_times(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("date_pli", |date: Date, days: i32| date.add_days(days)),
        strict!("integer_pl_date", |days: i32, date: Date| date.add_days(days)),
        strict!("date_mii", |date: Date, days: i32| date.sub_days(days)),
        strict!("date_mi", |a: Date, b: Date| a.days_since(b)),
        strict!("date_pl_interval", |date: Date, span: Interval| date.add_interval(&span)),
        strict!("interval_pl_date", |span: Interval, date: Date| date.add_interval(&span)),
        strict!("date_mi_interval", |date: Date, span: Interval| date.sub_interval(&span)),
        strict!("datetime_timestamp", |date: Date, time: Time| date.at_time(time)),
        strict!("timedate_pl", |time: Time, date: Date| date.at_time(time)),
        strict!("datetimetz_timestamptz", |date: Date, time: TimeTz| date.at_timetz(time)),
        strict!("timetzdate_pl", |time: TimeTz, date: Date| date.at_timetz(time)),
        strict!("time_pl_interval", |time: Time, span: Interval| time.add_interval(&span)),
        strict!("interval_pl_time", |span: Interval, time: Time| time.add_interval(&span)),
        strict!("time_mi_interval", |time: Time, span: Interval| time.sub_interval(&span)),
        strict!("time_mi_time", |a: Time, b: Time| a.since(b)),
        strict!("timetz_pl_interval", |time: TimeTz, span: Interval| time.add_interval(&span)),
        strict!("interval_pl_timetz", |span: Interval, time: TimeTz| time.add_interval(&span)),
        strict!("timetz_mi_interval", |time: TimeTz, span: Interval| time.sub_interval(&span)),
        strict!("daterange_subdiff", |a: Date, b: Date| f64::from(a.0) - f64::from(b.0)),
        strict!("tsrange_subdiff", |a: Timestamp, b: Timestamp| (a.0 as f64 - b.0 as f64) / 1_000_000.0),
        strict!("tstzrange_subdiff", |a: TimestampTz, b: TimestampTz| (a.0 as f64 - b.0 as f64) / 1_000_000.0),
    ]);
}

fn timestamps(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("timestamp_pl_interval", |at: Timestamp, span: Interval| at.add_interval(&span)),
        strict!("interval_pl_timestamp", |span: Interval, at: Timestamp| at.add_interval(&span)),
        strict!("timestamp_mi_interval", |at: Timestamp, span: Interval| at.sub_interval(&span)),
        strict!("timestamptz_pl_interval", cx, |at: TimestampTz, span: Interval| {
            at.add_interval(&span, &cx.context.format.time_zone)
        }),
        strict!("interval_pl_timestamptz", cx, |span: Interval, at: TimestampTz| {
            at.add_interval(&span, &cx.context.format.time_zone)
        }),
        strict!("timestamptz_mi_interval", cx, |at: TimestampTz, span: Interval| {
            at.sub_interval(&span, &cx.context.format.time_zone)
        }),
        by_first_type(
            Oid::TIMESTAMPTZ,
            strict!("timestamp_mi", |a: Timestamp, b: Timestamp| a.since(b)),
            strict!("timestamp_mi", |a: TimestampTz, b: TimestampTz| a.since(b)),
        ),
        strict!("timestamp_age", |a: Timestamp, b: Timestamp| a.age(b)),
        strict!("timestamptz_age", cx, |a: TimestampTz, b: TimestampTz| a.age(b, &cx.context.format.time_zone)),
        by_first_type(
            Oid::TIMESTAMPTZ,
            strict!("age", cx, |earlier: Timestamp| -> Result<Interval> { midnight(&cx.context.format)?.age(earlier) }),
            strict!("age", cx, |earlier: TimestampTz| -> Result<Interval> {
                let settings = &cx.context.format;
                midnight(settings)?.to_timestamptz(&settings.time_zone)?.age(earlier, &settings.time_zone)
            }),
        ),
        strict!("timestamp_bin", |stride: Interval, at: Timestamp, origin: Timestamp| at.bin(&stride, origin)),
        strict!("timestamptz_bin", |stride: Interval, at: TimestampTz, origin: TimestampTz| at.bin(&stride, origin)),
    ]);
}

fn intervals(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("interval_um", |span: Interval| span.neg()),
        strict!("interval_pl", |a: Interval, b: Interval| a.add(&b)),
        strict!("interval_mi", |a: Interval, b: Interval| a.sub(&b)),
        strict!("interval_mul", |span: Interval, factor: f64| span.mul(factor)),
        strict!("mul_d_interval", |factor: f64, span: Interval| span.mul(factor)),
        strict!("interval_div", |span: Interval, divisor: f64| span.div(divisor)),
        strict!("interval_justify_hours", |span: Interval| span.justify_hours()),
        strict!("interval_justify_days", |span: Interval| span.justify_days()),
        strict!("interval_justify_interval", |span: Interval| span.justify_interval()),
    ]);
}
