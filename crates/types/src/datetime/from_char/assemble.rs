//! Turns what the patterns read into a civil time.

use super::{Parsed, format_error};
use crate::Result;
use crate::datetime::calendar::{Civil, days_in_month, is_leap_year, iso_week_one_monday};
use crate::datetime::decode::DecodeError;
use crate::datetime::template::Calendar;

/// The civil time that was read; every step may leave the range of years, which is an overflow of a field.
pub(super) struct Assembled {
    pub(super) civil: Civil,
    pub(super) has_date: bool,
}

pub(super) fn assemble(parsed: &Parsed, text: &str) -> Result<Assembled> {
    let overflow = || DecodeError::FieldOverflow.into_error(text, "timestamp");
    let mut civil = Civil { year: 0, month: 1, day: 1, ..Civil::default() };
    let mut seen_any = false;
    assemble_clock(parsed, &mut civil)?;
    let narrow = |value: i64| i32::try_from(value).map_err(|_| overflow());
    if let Some(year) = assemble_year(parsed) {
        civil.year = narrow(year)?;
        seen_any = true;
    }
    if parsed.julian != 0 {
        civil.set_date(i64::from(parsed.julian));
        seen_any = true;
    }
    let is_iso = parsed.calendar == Some(Calendar::IsoWeek);
    let mut day_of_year = i64::from(parsed.day_of_year);
    if parsed.week != 0 {
        let days = (i64::from(parsed.week) - 1) * 7;
        if is_iso {
            let day = match parsed.day_of_week {
                0 => 0,
                1 => 6,
                day => i64::from(day) - 2,
            };
            civil.set_date(iso_week_one_monday(civil.year) + days + day);
            seen_any = true;
        } else {
            day_of_year = days + 1;
        }
    }
    let mut day = i64::from(parsed.day);
    if parsed.week_of_month != 0 {
        day = (i64::from(parsed.week_of_month) - 1) * 7 + 1;
    }
    if day != 0 {
        civil.day = narrow(day)?;
        seen_any = true;
    }
    if parsed.month != 0 {
        civil.month = parsed.month;
        seen_any = true;
    }
    if day_of_year != 0 && (civil.month <= 1 || civil.day <= 1) {
        if civil.year == 0 && parsed.bc == 0 {
            return Err(format_error("cannot calculate day of year without year information".to_owned()));
        }
        if is_iso {
            civil.set_date(iso_week_one_monday(civil.year) - 1 + day_of_year);
        } else {
            set_day_of_year(&mut civil, day_of_year).ok_or_else(overflow)?;
        }
        seen_any = true;
    }
    Ok(Assembled { civil, has_date: seen_any })
}

/// Month and day of a Gregorian day of the year, each only where nothing else said it.
fn set_day_of_year(civil: &mut Civil, day_of_year: i64) -> Option<()> {
    let mut before = 0;
    let mut month = 1;
    while month <= 12 && day_of_year > before + i64::from(days_in_month(civil.year, month)) {
        before += i64::from(days_in_month(civil.year, month));
        month += 1;
    }
    debug_assert!(month <= 12 || before == 365 + i64::from(is_leap_year(civil.year)));
    if civil.month <= 1 {
        civil.month = month;
    }
    if civil.day <= 1 {
        civil.day = i32::try_from(day_of_year - before).ok()?;
    }
    Some(())
}

fn assemble_clock(parsed: &Parsed, civil: &mut Civil) -> Result<()> {
    if parsed.second_of_day != 0 {
        let seconds = parsed.second_of_day;
        (civil.hour, civil.minute, civil.second) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    }
    for (given, field) in [(parsed.second, &mut civil.second), (parsed.minute, &mut civil.minute), (parsed.hour, &mut civil.hour)]
    {
        if given != 0 {
            *field = given;
        }
    }
    if parsed.is_12_hour {
        let hour = civil.hour;
        if !(1..=12).contains(&hour) {
            let message = format!("hour \"{hour}\" is invalid for the 12-hour clock");
            return Err(format_error(message).hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        civil.hour = hour % 12 + if parsed.pm != 0 { 12 } else { 0 };
    }
    Ok(())
}

/// The year, astronomical, from year, century and era.
fn assemble_year(parsed: &Parsed) -> Option<i64> {
    let century = if parsed.bc != 0 { -i64::from(parsed.century) } else { i64::from(parsed.century) };
    if parsed.year == 0 {
        return (century != 0).then_some(if century >= 0 { (century - 1) * 100 + 1 } else { century * 100 + 1 });
    }
    if century != 0 && parsed.year_digits <= 2 {
        return Some(match i64::from(parsed.year % 100) {
            0 => century * 100 + i64::from(century < 0),
            year if century >= 0 => (century - 1) * 100 + year,
            year => (century + 1) * 100 - year + 1,
        });
    }
    let year = if parsed.bc != 0 { -i64::from(parsed.year) } else { i64::from(parsed.year) };
    Some(if year < 0 { year + 1 } else { year })
}
