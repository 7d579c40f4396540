//! generate_series over timestamps, and the lists of time zones and their abbreviations.

use types::datetime::zone::{zone_abbreviations, zone_by_name, zone_info_at, zone_names};
use types::datum_order::interval_span_us;
use types::{Datum, Interval, Result, Timestamp, TimestampTz};

use super::{Call, Rows, series::zero_step};

/// From the first to the last by steps that are added one after the other, so that month ends stay as they fall.
fn steps<T>(
    first: T,
    last: T,
    step: Interval,
    add: impl Fn(T, &Interval) -> Result<T> + Send + 'static,
    datum: fn(T) -> Datum,
) -> Result<Rows>
where
    T: Copy + Ord + Send + 'static,
{
    let direction = interval_span_us(&step).signum();
    if direction == 0 {
        return Err(zero_step());
    }
    let mut next = Some(Ok(first));
    Ok(Box::new(std::iter::from_fn(move || {
        let value = match next.take()? {
            Ok(value) => value,
            Err(error) => return Some(Err(error)),
        };
        if if direction > 0 { value > last } else { value < last } {
            return None;
        }
        next = Some(add(value, &step));
        Some(Ok(vec![datum(value)]))
    })))
}

pub(super) fn timestamps(call: &Call<'_>) -> Result<Rows> {
    match (call.datum(0), call.datum(1), call.datum(2)) {
        (Datum::Timestamp(first), Datum::Timestamp(last), Datum::Interval(step)) => {
            steps(*first, *last, *step, |at: Timestamp, step| at.add_interval(step), Datum::Timestamp)
        }
        (Datum::TimestampTz(first), Datum::TimestampTz(last), Datum::Interval(step)) => {
            let zone = call.context.format.time_zone.clone();
            steps(*first, *last, *step, move |at: TimestampTz, step| at.add_interval(step, &zone), Datum::TimestampTz)
        }
        other => unreachable!("{other:?} passed where the catalog promises timestamps and an interval"),
    }
}

fn offset(seconds_east: i32) -> Datum {
    Datum::Interval(Interval { microseconds: i64::from(seconds_east) * 1_000_000, days: 0, months: 0 })
}

/// pg_timezone_names(): name, abbreviation, offset and daylight saving as of now.
pub(super) fn names(call: &Call<'_>) -> Rows {
    let now = call.context.format.now;
    Box::new(zone_names().into_iter().filter_map(move |name| {
        let info = zone_info_at(&zone_by_name(&name).ok()?, now.0);
        Some(Ok(vec![
            Datum::text(&name),
            Datum::text(&info.abbreviation),
            offset(info.seconds_east),
            Datum::Bool(info.is_daylight),
        ]))
    }))
}

/// pg_timezone_abbrevs(): abbreviation, offset and daylight saving as of now.
pub(super) fn abbreviations(call: &Call<'_>) -> Rows {
    let abbreviations = zone_abbreviations(call.context.format.now);
    Box::new(
        abbreviations.into_iter().map(|(name, seconds_east, is_daylight)| {
            Ok(vec![Datum::text(&name), offset(seconds_east), Datum::Bool(is_daylight)])
        }),
    )
}

#[cfg(test)]
mod tests {
    use catalog::builtin::builtins;
    use types::{FormatSettings, Oid, SqlType};

    use super::*;
    use crate::compile::folding;
    use crate::set_returning::call;

    fn series(first: &str, last: &str, step: &str) -> Result<Vec<String>> {
        let settings = FormatSettings::default();
        let mut functions = builtins().functions.iter();
        let function = functions.find(|function| function.source == "generate_series_timestamp").expect("it is built in");
        let ty = SqlType::of(Oid::TIMESTAMP);
        let arguments = [
            (Datum::Timestamp(Timestamp::parse(first, &settings)?), ty),
            (Datum::Timestamp(Timestamp::parse(last, &settings)?), ty),
            (Datum::Interval(Interval::parse(step, &settings)?), SqlType::of(Oid::INTERVAL)),
        ];
        let print = |row: Result<Vec<Datum>>| match row?.as_slice() {
            [Datum::Timestamp(value)] => {
                let mut text = String::new();
                value.print(&settings, &mut text);
                Ok(text)
            }
            other => panic!("{other:?}"),
        };
        call(function, &arguments, ty, None, &folding::context())?.map(print).collect()
    }

    #[test]
    fn steps_keep_the_day_that_a_month_end_left() {
        let months = series("2000-01-31", "2000-05-01", "1 month").expect("a series");
        assert_eq!(months, ["2000-01-31 00:00:00", "2000-02-29 00:00:00", "2000-03-29 00:00:00", "2000-04-29 00:00:00"]);
        let down = series("2000-01-02", "2000-01-01", "-12 hours").expect("a series");
        assert_eq!(down, ["2000-01-02 00:00:00", "2000-01-01 12:00:00", "2000-01-01 00:00:00"]);
        assert!(series("2000-01-02", "2000-01-01", "1 day").expect("a series").is_empty());
        let error = series("2000-01-01", "2000-01-02", "0").expect_err("no step");
        assert_eq!((error.sqlstate().code(), error.message()), ("22023", "step size cannot equal zero"));
    }

    #[test]
    fn every_abbreviation_has_an_offset() {
        let abbreviations = zone_abbreviations(TimestampTz(0));
        assert_eq!(abbreviations.len(), 195);
        assert!(abbreviations.contains(&("PDT".to_owned(), -25_200, true)));
    }
}
