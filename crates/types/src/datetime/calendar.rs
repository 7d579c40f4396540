//! The proleptic Gregorian calendar in integers: Julian days to years, months and days and back, weeks, and a day's clock.
//!
//! Years are astronomical: 0 is 1 BC, -1 is 2 BC. Nothing here checks PostgreSQL's ranges; i64 has room for all of it.

use super::{EPOCH_JULIAN_DAY, Interval, Timestamp, US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND};

/// A date and a clock reading, broken down. Seconds may be 60 and hours 24 where input allows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i32,
    pub(crate) month: i32,
    pub(crate) day: i32,
    pub(crate) hour: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
    pub(crate) microsecond: i32,
}

/// An interval, broken down; every field has its own sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IntervalFields {
    pub(crate) years: i32,
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) hours: i64,
    pub(crate) minutes: i32,
    pub(crate) seconds: i32,
    pub(crate) microseconds: i32,
}

const DAYS_PER_400_YEARS: i64 = 146_097;
/// Julian day of 0000-03-01, where counting years from March starts.
const MARCH_OF_YEAR_ZERO: i64 = 1_721_120;

/// The Julian day of a date; months and days outside their range run on into the neighbouring ones.
pub(crate) fn julian_day(year: i32, month: i32, day: i32) -> i64 {
    let months = i64::from(year) * 12 + i64::from(month) - 3;
    let (march_year, march_month) = (months.div_euclid(12), months.rem_euclid(12));
    let (era, year_of_era) = (march_year.div_euclid(400), march_year.rem_euclid(400));
    let day_of_year = (153 * march_month + 2) / 5 + i64::from(day) - 1;
    era * DAYS_PER_400_YEARS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year + MARCH_OF_YEAR_ZERO
}

/// Year, month and day of a Julian day.
pub(crate) fn from_julian_day(julian: i64) -> (i32, i32, i32) {
    let days = julian - MARCH_OF_YEAR_ZERO;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_400_YEARS), days.rem_euclid(DAYS_PER_400_YEARS));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year as i32, month as i32, day as i32)
}

/// 0 is Sunday.
pub(crate) fn day_of_week(julian: i64) -> i32 {
    (julian + 1).rem_euclid(7) as i32
}

pub(crate) fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// `month` is 1..=12.
pub(crate) fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Whether the date lies where Julian days are counted: from 4713-11-24 BC (by month) to the middle of 5874898.
pub(crate) fn is_valid_julian(year: i32, month: i32) -> bool {
    (year > -4713 || (year == -4713 && month >= 11)) && (year < 5_874_898 || (year == 5_874_898 && month < 6))
}

/// Julian day of the Monday of the year's first ISO week.
pub(crate) fn iso_week_one_monday(year: i32) -> i64 {
    let fourth = julian_day(year, 1, 4);
    fourth - i64::from((day_of_week(fourth) + 6) % 7)
}

/// The ISO year and week that a Julian day belongs to.
pub(crate) fn iso_year_and_week(julian: i64) -> (i32, i32) {
    let (year, _, _) = from_julian_day(julian);
    let iso_year = if julian < iso_week_one_monday(year) {
        year - 1
    } else if julian >= iso_week_one_monday(year.saturating_add(1)) {
        year + 1
    } else {
        year
    };
    (iso_year, ((julian - iso_week_one_monday(iso_year)) / 7 + 1) as i32)
}

impl Civil {
    pub(crate) fn julian_day(&self) -> i64 {
        julian_day(self.year, self.month, self.day)
    }

    pub(crate) fn set_date(&mut self, julian: i64) {
        (self.year, self.month, self.day) = from_julian_day(julian);
    }

    /// Sets the clock; `microseconds` is within a day.
    pub(crate) fn set_clock(&mut self, microseconds: i64) {
        self.hour = (microseconds / US_PER_HOUR) as i32;
        self.minute = (microseconds / US_PER_MINUTE % 60) as i32;
        self.second = (microseconds / US_PER_SECOND % 60) as i32;
        self.microsecond = (microseconds % US_PER_SECOND) as i32;
    }

    pub(crate) fn clear_clock(&mut self) {
        self.set_clock(0);
    }

    /// Microseconds since midnight.
    pub(crate) fn clock_us(&self) -> i64 {
        (i64::from(self.hour) * 60 + i64::from(self.minute)) * US_PER_MINUTE
            + i64::from(self.second) * US_PER_SECOND
            + i64::from(self.microsecond)
    }

    /// A finite local time, in microseconds since 2000-01-01.
    pub(crate) fn from_local_us(microseconds: i64) -> Civil {
        let mut civil = Civil::default();
        civil.set_date(microseconds.div_euclid(US_PER_DAY) + EPOCH_JULIAN_DAY);
        civil.set_clock(microseconds.rem_euclid(US_PER_DAY));
        civil
    }

    /// Local microseconds since 2000-01-01; None outside the Julian calendar or past 64 bits, which is wider than a timestamp's range.
    pub(crate) fn local_us(&self) -> Option<i64> {
        // A clock of more seconds than 32 bits hold ("h 999999999") is out of range, as in PostgreSQL.
        let clock = self.clock_us();
        if !is_valid_julian(self.year, self.month) || i32::try_from(clock / US_PER_SECOND).is_err() {
            return None;
        }
        (self.julian_day() - EPOCH_JULIAN_DAY).checked_mul(US_PER_DAY)?.checked_add(clock)
    }

    pub(crate) fn to_timestamp(self) -> Option<Timestamp> {
        self.local_us().and_then(Timestamp::from_microseconds)
    }

    pub(crate) fn day_of_year(&self) -> i32 {
        (self.julian_day() - julian_day(self.year, 1, 1) + 1) as i32
    }
}

impl IntervalFields {
    pub(crate) fn of(interval: &Interval) -> IntervalFields {
        let time = interval.microseconds;
        IntervalFields {
            years: interval.months / 12,
            months: interval.months % 12,
            days: interval.days,
            hours: time / US_PER_HOUR,
            minutes: (time % US_PER_HOUR / US_PER_MINUTE) as i32,
            seconds: (time % US_PER_MINUTE / US_PER_SECOND) as i32,
            microseconds: (time % US_PER_SECOND) as i32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn julian_days_run_without_gaps_through_the_whole_range() {
        for start in [-40_000, 1_721_000, 2_400_000, 2_147_400_000] {
            let mut previous = from_julian_day(start);
            for julian in start + 1..start + 3_000 {
                let (year, month, day) = from_julian_day(julian);
                assert_eq!(julian_day(year, month, day), julian);
                assert!((year, month, day) > previous && day <= days_in_month(year, month));
                previous = (year, month, day);
            }
        }
    }

    #[test]
    fn known_days() {
        assert_eq!(julian_day(2000, 1, 1), EPOCH_JULIAN_DAY);
        assert_eq!(julian_day(-4713, 11, 24), 0);
        assert_eq!(from_julian_day(2_147_483_493), (5_874_897, 12, 31));
        assert_eq!(day_of_week(EPOCH_JULIAN_DAY), 6);
        assert_eq!(iso_year_and_week(julian_day(2005, 1, 1)), (2004, 53));
        assert_eq!(iso_year_and_week(julian_day(2018, 12, 31)), (2019, 1));
    }
}
