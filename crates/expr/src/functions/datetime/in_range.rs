//! Window frames `RANGE BETWEEN offset PRECEDING ...` over dates and times: whether a value lies within `offset` of a base.

use types::datum_order::{compare_timetz, interval_span_us};
use types::{Date, Error, Interval, Result, SqlState, Time, TimeTz, Timestamp, TimestampTz};

use super::Function;
use crate::functions::lift::strict;

fn refuse_negative(offset: &Interval) -> Result<()> {
    if interval_span_us(offset) < 0 {
        let message = "invalid preceding or following size in window function";
        return Err(Error::new(SqlState::INVALID_PRECEDING_OR_FOLLOWING_SIZE, message));
    }
    Ok(())
}

/// Whether `value` is on the asked side of `bound`.
fn is_within<T: Ord>(value: T, bound: T, less: bool) -> bool {
    if less { value <= bound } else { value >= bound }
}

fn timestamp_in_range(value: Timestamp, base: Timestamp, offset: &Interval, subtract: bool, less: bool) -> Result<bool> {
    refuse_negative(offset)?;
    let bound = if subtract { base.sub_interval(offset)? } else { base.add_interval(offset)? };
    Ok(is_within(value, bound, less))
}

/// The end of a time's range, which does not go around midnight.
fn time_bound(base_us: i64, offset: &Interval, subtract: bool) -> i128 {
    let offset_us = i128::from(offset.microseconds);
    i128::from(base_us) + if subtract { -offset_us } else { offset_us }
}

/// A time's range counts an interval's hours only.
fn refuse_negative_time(offset: &Interval) -> Result<()> {
    refuse_negative(&Interval { microseconds: offset.microseconds, days: 0, months: 0 })
}

pub(super) fn register(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("in_range_timestamp_interval", |value: Timestamp, base: Timestamp, offset: Interval, sub: bool, less: bool| {
            timestamp_in_range(value, base, &offset, sub, less)
        }),
        strict!("in_range_date_interval", |value: Date, base: Date, offset: Interval, sub: bool, less: bool| -> Result<bool> {
            timestamp_in_range(value.to_timestamp()?, base.to_timestamp()?, &offset, sub, less)
        }),
        strict!("in_range_timestamptz_interval", cx, |value: TimestampTz,
                                                      base: TimestampTz,
                                                      offset: Interval,
                                                      sub: bool,
                                                      less: bool|
         -> Result<bool> {
            refuse_negative(&offset)?;
            let zone = &cx.context.format.time_zone;
            let bound = if sub { base.sub_interval(&offset, zone)? } else { base.add_interval(&offset, zone)? };
            Ok(is_within(value, bound, less))
        }),
        strict!("in_range_interval_interval", |value: Interval,
                                               base: Interval,
                                               offset: Interval,
                                               sub: bool,
                                               less: bool|
         -> Result<bool> {
            refuse_negative(&offset)?;
            let bound = if sub { base.sub(&offset)? } else { base.add(&offset)? };
            Ok(is_within(interval_span_us(&value), interval_span_us(&bound), less))
        }),
        strict!("in_range_time_interval", |value: Time, base: Time, offset: Interval, sub: bool, less: bool| -> Result<bool> {
            refuse_negative_time(&offset)?;
            Ok(is_within(i128::from(value.0), time_bound(base.0, &offset, sub), less))
        }),
        strict!("in_range_timetz_interval", |value: TimeTz,
                                             base: TimeTz,
                                             offset: Interval,
                                             sub: bool,
                                             less: bool|
         -> Result<bool> {
            refuse_negative_time(&offset)?;
            let bound = time_bound(base.time_us, &offset, sub);
            let order = match i64::try_from(bound) {
                Ok(time_us) => compare_timetz(&value, &TimeTz { time_us, ..base }),
                Err(_) => i128::from(value.time_us).cmp(&bound),
            };
            Ok(if less { order.is_le() } else { order.is_ge() })
        }),
    ]);
}
