//! to_char of timestamps and intervals. Names are those of the C locale, with TM too.

use jiff::tz::TimeZone;

use super::calendar::{Civil, IntervalFields, day_of_week, iso_week_one_monday, iso_year_and_week};
use super::output::{DAYS, MONTHS};
use super::template::{Kind, Node, Ordinal, Pattern, ordinal_ending, parse_template};
use super::{Interval, Timestamp, TimestampTz, US_PER_SECOND, zone};
use crate::{Error, Result, SqlState};

/// December first, as PostgreSQL counts negative months.
pub(super) const ROMAN_MONTHS: [&str; 12] = ["XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I"];

/// What patterns print: a timestamp's fields or an interval's.
struct Fields {
    is_interval: bool,
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    microsecond: i64,
    day_of_year: i64,
    /// Seconds east and abbreviation of a timestamptz's zone.
    zone: Option<(i32, String)>,
}

impl Fields {
    fn of_civil(civil: &Civil, zone: Option<(i32, String)>) -> Fields {
        Fields {
            is_interval: false,
            year: civil.year.into(),
            month: civil.month.into(),
            day: civil.day.into(),
            hour: civil.hour.into(),
            minute: civil.minute.into(),
            second: civil.second.into(),
            microsecond: civil.microsecond.into(),
            day_of_year: civil.day_of_year().into(),
            zone,
        }
    }

    fn of_interval(interval: &Interval) -> Fields {
        let fields = IntervalFields::of(interval);
        let (year, month, day) = (i64::from(fields.years), i64::from(fields.months), i64::from(fields.days));
        Fields {
            is_interval: true,
            year,
            month,
            day,
            hour: fields.hours,
            minute: fields.minutes.into(),
            second: fields.seconds.into(),
            microsecond: fields.microseconds.into(),
            day_of_year: (year * 12 + month) * 30 + day,
            zone: None,
        }
    }

    /// A year as it prints: before Christ without its sign, unless of an interval.
    fn printed_year(&self, year: i64) -> i64 {
        if self.is_interval || year > 0 { year } else { 1 - year }
    }

    fn julian_day(&self) -> i64 {
        super::calendar::julian_day(self.year as i32, self.month as i32, self.day as i32)
    }

    fn day_of_week(&self) -> usize {
        day_of_week(self.julian_day()) as usize
    }

    fn seconds_east(&self) -> i32 {
        self.zone.as_ref().map_or(0, |(seconds_east, _)| *seconds_east)
    }

    fn century(&self) -> i64 {
        match self.year {
            year if self.is_interval => year / 100,
            year @ 1.. => (year - 1) / 100 + 1,
            year => year / 100 - 1,
        }
    }
}

/// A number padded with zeros to a width, one more for a minus sign.
fn padded(value: i64, width: usize, fill_mode: bool) -> String {
    match (fill_mode, value < 0) {
        (true, _) => value.to_string(),
        (false, false) => format!("{value:0width$}"),
        (false, true) => format!("{value:0width$}", width = width + 1),
    }
}

/// A name in the case its pattern is written in.
fn cased(name: &str, pattern: &str) -> String {
    let mut letters = pattern.chars();
    match (letters.next(), letters.next()) {
        (Some('a'..='z'), _) => name.to_ascii_lowercase(),
        (_, Some('a'..='z')) => name.to_owned(),
        _ => name.to_ascii_uppercase(),
    }
}

fn padded_name(name: &str, pattern: &str, width: usize, unpadded: bool) -> String {
    let width = if unpadded { 0 } else { width };
    format!("{:width$}", cased(name, pattern))
}

/// One pattern's text; `fill_mode` is FM, `unpadded` FM or TM.
fn pattern_text(fields: &Fields, pattern: &Pattern, fill_mode: bool, unpadded: bool) -> Result<String> {
    if fields.is_interval && names_a_day(pattern.kind) {
        let message = "invalid format specification for an interval value";
        let hint = "Intervals are not tied to specific calendar dates.";
        return Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, message).hint(hint));
    }
    Ok(match pattern.kind {
        kind if takes_ordinal(kind) => number_text(fields, kind, fill_mode),
        _ => name_text(fields, pattern, fill_mode, unpadded),
    })
}

/// What does not print as a number.
fn name_text(fields: &Fields, pattern: &Pattern, fill_mode: bool, unpadded: bool) -> String {
    let name = pattern.name;
    let half = |dots: bool, second: bool, names: [&str; 4]| cased(names[usize::from(dots) * 2 + usize::from(second)], name);
    let is_pm = fields.hour % 24 >= 12;
    match pattern.kind {
        Kind::MeridiemDots => half(true, is_pm, ["AM", "PM", "A.M.", "P.M."]),
        Kind::Meridiem => half(false, is_pm, ["AM", "PM", "A.M.", "P.M."]),
        Kind::EraDots => half(true, fields.year <= 0, ["AD", "BC", "A.D.", "B.C."]),
        Kind::Era => half(false, fields.year <= 0, ["AD", "BC", "A.D.", "B.C."]),
        Kind::ZoneName => fields.zone.as_ref().map_or_else(String::new, |(_, abbreviation)| {
            if name == "tz" { abbreviation.to_ascii_lowercase() } else { abbreviation.clone() }
        }),
        Kind::ZoneHours | Kind::ZoneMinutes | Kind::ZoneOffset => zone_text(fields.seconds_east(), pattern.kind, fill_mode),
        Kind::MonthName => padded_name(MONTHS[(fields.month - 1) as usize], name, 9, unpadded),
        Kind::MonthNameShort => cased(&MONTHS[(fields.month - 1) as usize][..3], name),
        Kind::DayName => padded_name(DAYS[fields.day_of_week()], name, 9, unpadded),
        Kind::DayNameShort => cased(&DAYS[fields.day_of_week()][..3], name),
        Kind::RomanMonth => roman_month(fields, name, fill_mode),
        Kind::FixedWidth => String::new(),
        _ => unreachable!("{name} prints a number"),
    }
}

fn number_text(fields: &Fields, kind: Kind, fill_mode: bool) -> String {
    let number = |value: i64, width: usize| padded(value, width, fill_mode);
    let fraction = |digits: u8| {
        let value = fields.microsecond / 10_i64.pow(6 - u32::from(digits));
        format!("{value:0width$}", width = usize::from(digits))
    };
    match kind {
        Kind::Hour12 => {
            let value = if fields.hour % 12 == 0 { 12 } else { fields.hour % 12 };
            let width = if fields.hour >= 0 { 2 } else { 3 };
            if fill_mode { value.to_string() } else { format!("{value:0width$}") }
        }
        Kind::Hour24 => number(fields.hour, 2),
        Kind::Minute => number(fields.minute, 2),
        Kind::Second => number(fields.second, 2),
        Kind::Fraction(digits) => fraction(digits),
        Kind::Millisecond => fraction(3),
        Kind::Microsecond => fraction(6),
        Kind::SecondOfDay => (fields.hour * 3600 + fields.minute * 60 + fields.second).to_string(),
        Kind::Month => number(fields.month, 2),
        Kind::DayOfYear => plain_padded(fields.day_of_year, 3, fill_mode),
        Kind::IsoDayOfYear => {
            let julian = fields.julian_day();
            plain_padded(julian - iso_week_one_monday(iso_year_and_week(julian).0) + 1, 3, fill_mode)
        }
        Kind::DayOfMonth => plain_padded(fields.day, 2, fill_mode),
        Kind::DayOfWeek => (fields.day_of_week() + 1).to_string(),
        Kind::IsoDayOfWeek => (if fields.day_of_week() == 0 { 7 } else { fields.day_of_week() }).to_string(),
        Kind::WeekOfYear => plain_padded((fields.day_of_year - 1) / 7 + 1, 2, fill_mode),
        Kind::IsoWeek => plain_padded(iso_year_and_week(fields.julian_day()).1.into(), 2, fill_mode),
        Kind::Quarter if fields.month == 0 => String::new(),
        Kind::Quarter => ((fields.month - 1) / 3 + 1).to_string(),
        Kind::Century => match fields.century() {
            century @ -99..=99 => number(century, 2),
            century => century.to_string(),
        },
        Kind::YearWithComma => {
            let printed = fields.printed_year(fields.year);
            format!("{},{:03}", printed / 1000, printed % 1000)
        }
        Kind::Year(digits) => year_text(fields, fields.year, digits, fill_mode),
        Kind::IsoYear(digits) => year_text(fields, iso_year_and_week(fields.julian_day()).0.into(), digits, fill_mode),
        Kind::WeekOfMonth => ((fields.day - 1) / 7 + 1).to_string(),
        Kind::JulianDay => fields.julian_day().to_string(),
        _ => unreachable!("{kind:?} prints no number"),
    }
}

/// The last digits of a year.
fn year_text(fields: &Fields, year: i64, digits: u8, fill_mode: bool) -> String {
    let printed = fields.printed_year(year);
    let width = usize::from(digits) + usize::from(fields.printed_year(fields.year) < 0);
    let value = printed % 10_i64.pow(u32::from(digits));
    match digits {
        4 if fill_mode => printed.to_string(),
        4 => format!("{printed:0width$}"),
        1 => value.to_string(),
        _ if fill_mode => value.to_string(),
        _ => format!("{value:0width$}"),
    }
}

/// Patterns that need a calendar date or a zone.
fn names_a_day(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        ZoneName
            | ZoneHours
            | ZoneMinutes
            | ZoneOffset
            | EraDots
            | Era
            | MonthName
            | MonthNameShort
            | DayName
            | DayNameShort
            | DayOfWeek
            | IsoDayOfWeek
    )
}

/// Zero-padded to a width that counts a minus sign.
fn plain_padded(value: i64, width: usize, fill_mode: bool) -> String {
    if fill_mode { value.to_string() } else { format!("{value:0width$}") }
}

fn zone_text(seconds_east: i32, kind: Kind, fill_mode: bool) -> String {
    let sign = if seconds_east >= 0 { '+' } else { '-' };
    let magnitude = seconds_east.unsigned_abs();
    let (hours, minutes) = (magnitude / 3600, magnitude % 3600 / 60);
    match kind {
        Kind::ZoneHours => format!("{sign}{hours:02}"),
        Kind::ZoneMinutes => format!("{minutes:02}"),
        _ => {
            let hours = if fill_mode { hours.to_string() } else { format!("{hours:02}") };
            if magnitude.is_multiple_of(3600) { format!("{sign}{hours}") } else { format!("{sign}{hours}:{minutes:02}") }
        }
    }
}

fn roman_month(fields: &Fields, name: &str, fill_mode: bool) -> String {
    if fields.month == 0 && fields.year == 0 {
        return String::new();
    }
    let index = match fields.month {
        0 if fields.year >= 0 => 0,
        0 => 11,
        month @ ..0 => -(month + 1),
        month => 12 - month,
    };
    padded_name(ROMAN_MONTHS[index as usize], name, 4, fill_mode)
}

/// Whether TH and th apply: to what prints as a number.
fn takes_ordinal(kind: Kind) -> bool {
    use Kind::*;
    let is_text = matches!(
        kind,
        EraDots
            | Era
            | MeridiemDots
            | Meridiem
            | ZoneName
            | ZoneHours
            | ZoneMinutes
            | ZoneOffset
            | MonthName
            | MonthNameShort
            | DayName
            | DayNameShort
            | RomanMonth
            | FixedWidth
    );
    !is_text
}

fn print(fields: &Fields, template: &str) -> Result<String> {
    let mut out = String::new();
    for node in parse_template(template) {
        match node {
            Node::Pattern { pattern, fill_mode, translated, ordinal } => {
                let text = pattern_text(fields, &pattern, fill_mode, fill_mode || translated)?;
                out.push_str(&text);
                if ordinal != Ordinal::None && takes_ordinal(pattern.kind) && !text.is_empty() {
                    out.push_str(ordinal_ending(&text, ordinal));
                }
            }
            Node::Separator(c) | Node::Space(c) | Node::Char(c) => out.push(c),
        }
    }
    Ok(out)
}

impl Timestamp {
    /// to_char(timestamp, text); None (NULL) for an infinite value or an empty template.
    pub fn to_char(self, template: &str) -> Result<Option<String>> {
        if !self.is_finite() || template.is_empty() {
            return Ok(None);
        }
        print(&Fields::of_civil(&Civil::from_local_us(self.0), None), template).map(Some)
    }
}

impl TimestampTz {
    /// to_char(timestamptz, text) by the clocks of a zone; None (NULL) for an infinite value or an empty template.
    pub fn to_char(self, template: &str, time_zone: &TimeZone) -> Result<Option<String>> {
        if !self.is_finite() || template.is_empty() {
            return Ok(None);
        }
        let info = zone::zone_info_at(time_zone, self.0);
        let civil = Civil::from_local_us(self.0 + i64::from(info.seconds_east) * US_PER_SECOND);
        print(&Fields::of_civil(&civil, Some((info.seconds_east, info.abbreviation))), template).map(Some)
    }
}

impl Interval {
    /// to_char(interval, text); None (NULL) for an empty template. Errors: 22007 for patterns that need a calendar date.
    pub fn to_char(&self, template: &str) -> Result<Option<String>> {
        if template.is_empty() {
            return Ok(None);
        }
        print(&Fields::of_interval(self), template).map(Some)
    }
}
