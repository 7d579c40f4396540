//! Casts among the date and time types, their input and output functions, type modifiers, and AT TIME ZONE.

use types::{Date, Interval, Oid, Result, Time, TimeTz, Timestamp, TimestampTz};

use super::Function;
use crate::functions::lift::strict;

pub(super) fn register(functions: &mut Vec<Function>) {
    casts(functions);
    zones(functions);
    modifiers(functions);
    text(functions);
}

fn casts(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("date_timestamp", |date: Date| date.to_timestamp()),
        strict!("date_timestamptz", cx, |date: Date| date.to_timestamptz(&cx.context.format.time_zone)),
        strict!("timestamp_date", |at: Timestamp| at.to_date()),
        strict!("timestamp_time", |at: Timestamp| at.to_time()),
        strict!("timestamp_timestamptz", cx, |at: Timestamp| at.to_timestamptz(&cx.context.format.time_zone)),
        strict!("timestamptz_date", cx, |at: TimestampTz| at.to_date(&cx.context.format.time_zone)),
        strict!("timestamptz_time", cx, |at: TimestampTz| at.to_time(&cx.context.format.time_zone)),
        strict!("timestamptz_timetz", cx, |at: TimestampTz| at.to_timetz(&cx.context.format.time_zone)),
        strict!("timestamptz_timestamp", cx, |at: TimestampTz| at.to_timestamp(&cx.context.format.time_zone)),
        strict!("timestamptz", cx, |date: Date, time: Time| -> Result<TimestampTz> {
            date.at_time(time)?.to_timestamptz(&cx.context.format.time_zone)
        }),
        strict!("time_interval", |time: Time| time.to_interval()),
        strict!("time_timetz", cx, |time: Time| time.to_timetz(&cx.context.format)),
        strict!("timetz_time", |time: TimeTz| time.to_time()),
        strict!("interval_time", |span: Interval| span.to_time()),
        strict!("float8_timestamptz", |seconds: f64| TimestampTz::from_unix_seconds(seconds)),
    ]);
}

fn zones(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("timestamp_zone", |zone: &str, at: Timestamp| at.at_zone(zone)),
        strict!("timestamp_izone", |zone: Interval, at: Timestamp| at.at_interval_zone(&zone)),
        strict!("timestamptz_zone", |zone: &str, at: TimestampTz| at.at_zone(zone)),
        strict!("timestamptz_izone", |zone: Interval, at: TimestampTz| at.at_interval_zone(&zone)),
        strict!("timetz_zone", cx, |zone: &str, time: TimeTz| time.at_zone(zone, cx.context.format.now)),
        strict!("timetz_izone", |zone: Interval, time: TimeTz| time.at_interval_zone(&zone)),
    ]);
}

fn modifiers(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("time_scale", |time: Time, typmod: i32| time.apply_typmod(typmod)),
        strict!("timetz_scale", |time: TimeTz, typmod: i32| time.apply_typmod(typmod)),
        strict!("timestamp_scale", |at: Timestamp, typmod: i32| at.apply_typmod(typmod)),
        strict!("timestamptz_scale", |at: TimestampTz, typmod: i32| at.apply_typmod(typmod)),
        strict!("interval_scale", |span: Interval, typmod: i32| span.apply_typmod(typmod)),
    ]);
}

/// Input and output functions as SQL can call them; `_type` is the element type that PostgreSQL passes to every input function.
fn text(functions: &mut Vec<Function>) {
    macro_rules! output {
        ($source:literal, $ty:ty) => {
            strict!($source, cx, |value: $ty| {
                let mut out = String::new();
                value.print(&cx.context.format, &mut out);
                out
            })
        };
    }
    functions.extend([
        strict!("timestamp_to_char", |at: Timestamp, template: &str| at.to_char(template)),
        strict!("timestamptz_to_char", cx, |at: TimestampTz, template: &str| {
            at.to_char(template, &cx.context.format.time_zone)
        }),
        strict!("interval_to_char", |span: Interval, template: &str| span.to_char(template)),
        strict!("to_timestamp", cx, |text: &str, template: &str| {
            TimestampTz::parse_with_template(text, template, &cx.context.format)
        }),
        strict!("to_date", |text: &str, template: &str| Date::parse_with_template(text, template)),
        output!("date_out", Date),
        output!("time_out", Time),
        output!("timetz_out", TimeTz),
        output!("timestamp_out", Timestamp),
        output!("timestamptz_out", TimestampTz),
        output!("interval_out", Interval),
        strict!("date_in", cx, |text: &str| Date::parse(text, &cx.context.format)),
        strict!("time_in", cx, |text: &str, _type: Oid, typmod: i32| -> Result<Time> {
            Ok(Time::parse(text, &cx.context.format)?.apply_typmod(typmod))
        }),
        strict!("timetz_in", cx, |text: &str, _type: Oid, typmod: i32| -> Result<TimeTz> {
            Ok(TimeTz::parse(text, &cx.context.format)?.apply_typmod(typmod))
        }),
        strict!("timestamp_in", cx, |text: &str, _type: Oid, typmod: i32| -> Result<Timestamp> {
            Timestamp::parse(text, &cx.context.format)?.apply_typmod(typmod)
        }),
        strict!("timestamptz_in", cx, |text: &str, _type: Oid, typmod: i32| -> Result<TimestampTz> {
            TimestampTz::parse(text, &cx.context.format)?.apply_typmod(typmod)
        }),
        strict!("interval_in", cx, |text: &str, _type: Oid, typmod: i32| {
            Interval::parse_with_typmod(text, typmod, &cx.context.format)
        }),
    ]);
}
