//! EXTRACT (numeric) and date_part (double precision) of every type.
//!
//! Both read the same [`Part`]; the two printed forms round where PostgreSQL rounds them, not where one would follow from the other.

use jiff::tz::TimeZone;

use super::calendar::{Civil, IntervalFields, day_of_week, iso_year_and_week};
use super::keywords::{Keyword, Special, Unit, date_keyword, interval_keyword};
use super::truncate::{unit_not_recognized, unit_not_supported};
use super::{
    Date, EPOCH_UNIX_SECONDS, Interval, Time, TimeTz, Timestamp, TimestampTz, UNIX_EPOCH_DATE, US_PER_DAY, US_PER_SECOND,
};
use crate::{Numeric, Result};

/// A field of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A field that runs in circles, of an infinite value.
    Null,
    Infinity,
    NegativeInfinity,
    Integer(i64),
    /// Seconds with six decimals.
    Seconds {
        seconds: i64,
        microseconds: i64,
    },
    /// Milliseconds with three decimals.
    Milliseconds {
        seconds: i64,
        microseconds: i64,
    },
    /// Seconds since some epoch in microseconds, and the same as date_part computes it.
    Epoch {
        microseconds: i128,
        float: f64,
    },
    /// A Julian day and the microseconds since its midnight.
    Julian {
        day: i64,
        microseconds: i64,
    },
}

impl Part {
    /// EXTRACT's value; None is NULL. Errors: those of numeric arithmetic, which do not occur in range.
    pub fn to_numeric(&self) -> Result<Option<Numeric>> {
        Ok(Some(match *self {
            Part::Null => return Ok(None),
            Part::Infinity => Numeric::INFINITY,
            Part::NegativeInfinity => Numeric::NEGATIVE_INFINITY,
            Part::Integer(value) => Numeric::from(value),
            Part::Seconds { seconds, microseconds } => Numeric::from_parts(seconds * US_PER_SECOND + microseconds, 6),
            Part::Milliseconds { seconds, microseconds } => Numeric::from_parts(seconds * US_PER_SECOND + microseconds, 3),
            Part::Epoch { microseconds, .. } => match i64::try_from(microseconds) {
                Ok(microseconds) => Numeric::from_parts(microseconds, 6),
                Err(_) => Numeric::from(microseconds).div(&Numeric::from(US_PER_SECOND))?.round(6)?,
            },
            Part::Julian { day, microseconds } => {
                Numeric::from(day).add(&Numeric::from(microseconds).div(&Numeric::from(US_PER_DAY))?)?
            }
        }))
    }

    /// date_part's value; None is NULL.
    pub fn to_f64(&self) -> Option<f64> {
        Some(match *self {
            Part::Null => return None,
            Part::Infinity => f64::INFINITY,
            Part::NegativeInfinity => f64::NEG_INFINITY,
            Part::Integer(value) => value as f64,
            Part::Seconds { seconds, microseconds } => seconds as f64 + microseconds as f64 / 1_000_000.0,
            Part::Milliseconds { seconds, microseconds } => seconds as f64 * 1_000.0 + microseconds as f64 / 1_000.0,
            Part::Epoch { float, .. } => float,
            Part::Julian { day, microseconds } => {
                let seconds = (microseconds / US_PER_SECOND) as f64 + (microseconds % US_PER_SECOND) as f64 / 1_000_000.0;
                day as f64 + seconds / 86_400.0
            }
        })
    }

    fn of_unix_epoch(microseconds_since_2000: i64) -> Part {
        let epoch = EPOCH_UNIX_SECONDS * US_PER_SECOND;
        let float = match microseconds_since_2000.checked_add(epoch) {
            Some(microseconds) => microseconds as f64 / 1_000_000.0,
            None => (microseconds_since_2000 as f64 + epoch as f64) / 1_000_000.0,
        };
        Part::Epoch { microseconds: i128::from(microseconds_since_2000) + i128::from(epoch), float }
    }

    fn of_infinity(unit: Unit, is_positive: bool) -> Option<Part> {
        Some(match unit {
            Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium | Unit::Julian | Unit::IsoYear | Unit::Epoch => {
                if is_positive {
                    Part::Infinity
                } else {
                    Part::NegativeInfinity
                }
            }
            Unit::Time => return None,
            _ => Part::Null,
        })
    }
}

/// What a field's name asks for. `Err` of the name when it is none; a reserved word that is no field is the caller's not supported.
fn part_unit(word: &str, type_name: &str) -> Result<Unit> {
    let lower = word.to_ascii_lowercase();
    match interval_keyword(&lower).or_else(|| date_keyword(&lower)) {
        Some(Keyword::Unit(unit)) => Ok(unit),
        Some(Keyword::Special(Special::Epoch)) => Ok(Unit::Epoch),
        Some(Keyword::Special(_)) => Err(unit_not_supported(word, type_name)),
        _ => Err(unit_not_recognized(word, type_name)),
    }
}

/// The year as people count: there is none between 1 BC and 1 AD.
fn counted_year(year: i32) -> i64 {
    i64::from(if year > 0 { year } else { year - 1 })
}

/// The ordinal of the group of `size` years, which begins with year 1; before Christ it is negative and never 0.
fn ordinal_of_years(year: i32, size: i64) -> i64 {
    let year = i64::from(year);
    if year > 0 { (year + size - 1) / size } else { -((size - 1 - (year - 1)) / size) }
}

impl Civil {
    /// A field of the date.
    fn date_part(&self, unit: Unit) -> Option<Part> {
        Some(Part::Integer(match unit {
            Unit::Day => i64::from(self.day),
            Unit::Month => i64::from(self.month),
            Unit::Quarter => i64::from((self.month - 1) / 3 + 1),
            Unit::Week => i64::from(iso_year_and_week(self.julian_day()).1),
            Unit::Year => counted_year(self.year),
            Unit::Decade => i64::from(self.year.div_euclid(10)),
            Unit::Century => ordinal_of_years(self.year, 100),
            Unit::Millennium => ordinal_of_years(self.year, 1_000),
            Unit::IsoYear => counted_year(iso_year_and_week(self.julian_day()).0),
            Unit::DayOfWeek => i64::from(day_of_week(self.julian_day())),
            Unit::IsoDayOfWeek => match day_of_week(self.julian_day()) {
                0 => 7,
                day => i64::from(day),
            },
            Unit::DayOfYear => i64::from(self.day_of_year()),
            _ => return None,
        }))
    }

    /// A field of the clock.
    fn clock_part(&self, unit: Unit) -> Option<Part> {
        let (seconds, microseconds) = (i64::from(self.second), i64::from(self.microsecond));
        Some(match unit {
            Unit::Microsecond => Part::Integer(seconds * US_PER_SECOND + microseconds),
            Unit::Millisecond => Part::Milliseconds { seconds, microseconds },
            Unit::Second => Part::Seconds { seconds, microseconds },
            Unit::Minute => Part::Integer(i64::from(self.minute)),
            Unit::Hour => Part::Integer(i64::from(self.hour)),
            _ => return None,
        })
    }

    fn part(&self, unit: Unit) -> Option<Part> {
        match unit {
            Unit::Julian => Some(Part::Julian { day: self.julian_day(), microseconds: self.clock_us() }),
            _ => self.date_part(unit).or_else(|| self.clock_part(unit)),
        }
    }
}

fn zone_part(seconds_east: i32, unit: Unit) -> Option<Part> {
    Some(Part::Integer(i64::from(match unit {
        Unit::TimeZone => seconds_east,
        Unit::TimeZoneHour => seconds_east / 3600,
        Unit::TimeZoneMinute => seconds_east / 60 % 60,
        _ => return None,
    })))
}

impl Date {
    /// EXTRACT. Errors: 0A000 and 22023 for the field, as all of these.
    pub fn part(self, field: &str) -> Result<Part> {
        const TYPE: &str = "date";
        let unit = part_unit(field, TYPE)?;
        let part = match unit {
            Unit::Epoch | Unit::Julian if !self.is_finite() => Part::of_infinity(unit, self == Date::INFINITY),
            Unit::Epoch => Some(Part::Integer((i64::from(self.0) - i64::from(UNIX_EPOCH_DATE)) * 86_400)),
            Unit::Julian => Some(Part::Integer(self.to_civil().julian_day())),
            _ if self.is_finite() => self.to_civil().date_part(unit),
            _ => Date(0).to_civil().date_part(unit).and_then(|_| Part::of_infinity(unit, self == Date::INFINITY)),
        };
        part.ok_or_else(|| unit_not_supported(field, TYPE))
    }
}

impl Time {
    pub fn part(self, field: &str) -> Result<Part> {
        const TYPE: &str = "time without time zone";
        time_part(self, field, TYPE, 0, |_| None)
    }
}

impl TimeTz {
    pub fn part(self, field: &str) -> Result<Part> {
        const TYPE: &str = "time with time zone";
        time_part(Time(self.time_us), field, TYPE, self.zone_seconds_west, |unit| zone_part(-self.zone_seconds_west, unit))
    }
}

fn time_part(
    time: Time,
    field: &str,
    type_name: &str,
    zone_seconds_west: i32,
    zone_part: impl Fn(Unit) -> Option<Part>,
) -> Result<Part> {
    let lower = field.to_ascii_lowercase();
    if matches!(date_keyword(&lower), Some(Keyword::Special(special)) if special != Special::Epoch) {
        return Err(unit_not_recognized(field, type_name));
    }
    let unit = part_unit(field, type_name)?;
    let part = match unit {
        Unit::Epoch => {
            let microseconds = i128::from(time.0) + i128::from(zone_seconds_west) * i128::from(US_PER_SECOND);
            Some(Part::Epoch { microseconds, float: time.0 as f64 / 1_000_000.0 + f64::from(zone_seconds_west) })
        }
        _ => time.to_civil().clock_part(unit).or_else(|| zone_part(unit)),
    };
    part.ok_or_else(|| unit_not_supported(field, type_name))
}

impl Timestamp {
    pub fn part(self, field: &str) -> Result<Part> {
        const TYPE: &str = "timestamp without time zone";
        let unit = part_unit(field, TYPE)?;
        let part = match unit {
            _ if !self.is_finite() => Part::of_infinity(unit, self == Timestamp::INFINITY),
            Unit::Epoch => Some(Part::of_unix_epoch(self.0)),
            _ => Civil::from_local_us(self.0).part(unit),
        };
        part.ok_or_else(|| unit_not_supported(field, TYPE))
    }
}

impl TimestampTz {
    pub fn part(self, field: &str, time_zone: &TimeZone) -> Result<Part> {
        const TYPE: &str = "timestamp with time zone";
        let unit = part_unit(field, TYPE)?;
        let part = match unit {
            _ if !self.is_finite() => Part::of_infinity(unit, self == TimestampTz::INFINITY),
            Unit::Epoch => Some(Part::of_unix_epoch(self.0)),
            _ => {
                let (civil, seconds_east) = self.to_civil(time_zone);
                civil.part(unit).or_else(|| zone_part(seconds_east, unit))
            }
        };
        part.ok_or_else(|| unit_not_supported(field, TYPE))
    }
}

impl Interval {
    pub fn part(&self, field: &str) -> Result<Part> {
        const TYPE: &str = "interval";
        let lower = field.to_ascii_lowercase();
        if matches!(date_keyword(&lower), Some(Keyword::Special(special)) if special != Special::Epoch) {
            return Err(unit_not_recognized(field, TYPE));
        }
        let unit = part_unit(field, TYPE)?;
        let fields = IntervalFields::of(self);
        let (seconds, microseconds) = (i64::from(fields.seconds), i64::from(fields.microseconds));
        Ok(match unit {
            Unit::Microsecond => Part::Integer(seconds * US_PER_SECOND + microseconds),
            Unit::Millisecond => Part::Milliseconds { seconds, microseconds },
            Unit::Second => Part::Seconds { seconds, microseconds },
            Unit::Minute => Part::Integer(i64::from(fields.minutes)),
            Unit::Hour => Part::Integer(fields.hours),
            Unit::Day => Part::Integer(i64::from(fields.days)),
            Unit::Month => Part::Integer(i64::from(fields.months)),
            Unit::Quarter => Part::Integer(i64::from(fields.months / 3 + 1)),
            Unit::Year => Part::Integer(i64::from(fields.years)),
            Unit::Decade => Part::Integer(i64::from(fields.years / 10)),
            Unit::Century => Part::Integer(i64::from(fields.years / 100)),
            Unit::Millennium => Part::Integer(i64::from(fields.years / 1_000)),
            Unit::Epoch => self.epoch(&fields),
            _ => return Err(unit_not_supported(field, TYPE)),
        })
    }

    /// A year has 365.25 days here, a month 30.
    fn epoch(&self, fields: &IntervalFields) -> Part {
        let quarter_days = i128::from(fields.years) * 1_461 + i128::from(fields.months) * 120 + i128::from(fields.days) * 4;
        let microseconds = quarter_days * i128::from(US_PER_DAY / 4) + i128::from(self.microseconds);
        let mut float = self.microseconds as f64 / 1_000_000.0;
        float += 365.25 * 86_400.0 * f64::from(fields.years);
        float += 30.0 * 86_400.0 * f64::from(fields.months);
        float += 86_400.0 * f64::from(fields.days);
        Part::Epoch { microseconds, float }
    }
}
