//! `(s1, e1) OVERLAPS (s2, e2)`, each end a moment or a length. NULLs count as unknown, not as NULL arguments.

use types::{Datum, Error, Interval, Oid, Result};

use super::Function;
use crate::EvalContext;
use crate::functions::lift::{Arguments, rows};

/// A moment that OVERLAPS compares: a time of day with its zone keeps both.
type Moment = (i128, i32);

fn moment(value: &Datum) -> Result<Option<Moment>> {
    Ok(Some(match value {
        Datum::Null => return Ok(None),
        Datum::Time(time) => (i128::from(time.0), 0),
        Datum::TimeTz(time) => (time.utc_us(), time.zone_seconds_west),
        Datum::Timestamp(at) => (i128::from(at.0), 0),
        Datum::TimestampTz(at) => (i128::from(at.0), 0),
        other => return Err(Error::internal(format!("OVERLAPS of {other:?}"))),
    }))
}

fn add_interval(start: &Datum, length: &Interval, context: &EvalContext) -> Result<Datum> {
    Ok(match start {
        Datum::Null => Datum::Null,
        Datum::Time(time) => Datum::Time(time.add_interval(length)),
        Datum::Timestamp(at) => Datum::Timestamp(at.add_interval(length)?),
        Datum::TimestampTz(at) => Datum::TimestampTz(at.add_interval(length, &context.format.time_zone)?),
        other => return Err(Error::internal(format!("OVERLAPS of {other:?}"))),
    })
}

/// The ends of a period in order; the first is None when both are unknown.
fn period(start: Option<Moment>, end: Option<Moment>) -> (Option<Moment>, Option<Moment>) {
    match (start, end) {
        (None, _) => (end, None),
        (Some(start), Some(end)) if end < start => (Some(end), Some(start)),
        _ => (start, end),
    }
}

fn overlaps(first: (Option<Moment>, Option<Moment>), second: (Option<Moment>, Option<Moment>)) -> Option<bool> {
    let (first_start, first_end) = period(first.0, first.1);
    let (second_start, second_end) = period(second.0, second.1);
    let (first_start, second_start) = (first_start?, second_start?);
    let begins_within = |start: Moment, other_end: Option<Moment>, own_end: Option<Moment>| {
        if start < other_end? { Some(true) } else { own_end.map(|_| false) }
    };
    if first_start > second_start {
        begins_within(first_start, second_end, first_end)
    } else if first_start < second_start {
        begins_within(second_start, first_end, second_end)
    } else {
        first_end.and(second_end).map(|_| true)
    }
}

/// One row; an end whose declared type is interval is a length.
fn overlaps_row(cx: &Arguments<'_>, row: usize) -> Result<Option<bool>> {
    let end = |start: &Datum, argument: usize| -> Result<Datum> {
        let end = cx.datum(argument, row);
        if cx.site.function.argument_types.get(argument) != Some(&Oid::INTERVAL) {
            return Ok(end);
        }
        match end {
            Datum::Interval(length) => add_interval(start, &length, cx.context),
            _ => Ok(Datum::Null),
        }
    };
    let (first, second) = (cx.datum(0, row), cx.datum(2, row));
    let (first_end, second_end) = (end(&first, 1)?, end(&second, 3)?);
    Ok(overlaps((moment(&first)?, moment(&first_end)?), (moment(&second)?, moment(&second_end)?)))
}

pub(super) fn register(functions: &mut Vec<Function>) {
    for source in ["overlaps_time", "overlaps_timetz", "overlaps_timestamp", "overlaps"] {
        functions.push(rows(source, overlaps_row));
    }
}
