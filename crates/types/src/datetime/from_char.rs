//! to_timestamp(text, text) and to_date(text, text): reading by a template.
//!
//! Outside of FX mode spaces are skipped freely and separators match loosely; `extra_skip` counts what was skipped beyond the template.

use super::calendar::{self, Civil, days_in_month, is_leap_year, is_valid_julian, iso_week_one_monday};
use super::decode::DecodeError;
use super::output::{DAYS, MONTHS};
use super::template::{Calendar, Kind, Node, Ordinal, Pattern, is_separator, parse_template};
use super::to_char::ROMAN_MONTHS;
use super::{Date, EPOCH_JULIAN_DAY, TimestampTz, US_PER_SECOND, zone};
use crate::{Error, FormatSettings, Result, SqlState};

/// What the patterns read; zero is not given, as in PostgreSQL.
#[derive(Default)]
struct Parsed {
    calendar: Option<Calendar>,
    hour: i32,
    pm: i32,
    minute: i32,
    second: i32,
    second_of_day: i32,
    /// 1 is Sunday.
    day_of_week: i32,
    day: i32,
    day_of_year: i32,
    month: i32,
    millisecond: i32,
    year: i32,
    bc: i32,
    week: i32,
    week_of_month: i32,
    century: i32,
    julian: i32,
    microsecond: i32,
    year_digits: u8,
    is_12_hour: bool,
    zone_sign: i32,
    zone_hours: i32,
    zone_minutes: i32,
    precision: Option<u8>,
}

fn format_error(message: String) -> Error {
    Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
}

/// Sets a field that may have been set to the same value only.
fn set(field: &mut i32, value: i32, pattern: &Pattern) -> Result<()> {
    if *field != 0 && *field != value {
        let message = format!("conflicting values for \"{}\" field in formatting string", pattern.name);
        return Err(format_error(message).detail("This value contradicts a previous setting for the same field type."));
    }
    *field = value;
    Ok(())
}

/// A year of fewer than four digits is the one nearest to 2020.
fn year_near_2020(year: i32) -> i32 {
    match year {
        ..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

/// The number at the start of text as C's `strtol` reads it (saturated), and its length with blanks and sign; length 0 for none.
fn leading_number(text: &str) -> (i64, usize) {
    let blanks = text.len() - text.trim_start_matches(is_space).len();
    let body = &text[blanks..];
    let sign = usize::from(body.starts_with(['+', '-']));
    let digits = body[sign..].bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return (0, 0);
    }
    let number = &body[..sign + digits];
    let value = number.parse().unwrap_or(if number.starts_with('-') { i64::MIN } else { i64::MAX });
    (value, blanks + sign + digits)
}

fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) -> i32 {
        let before = self.rest.len();
        self.rest = self.rest.trim_start_matches(is_space);
        (before - self.rest.len()) as i32
    }

    fn skip_char(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    fn last_skipped(&self) -> Option<char> {
        self.text[..self.text.len() - self.rest.len()].chars().next_back()
    }

    /// A number of a pattern: of exactly `width` characters when digits follow in the template, else as long as it is.
    /// The value, and how many bytes it took.
    fn number(&mut self, pattern: &Pattern, width: usize, is_free: bool) -> Result<(i32, usize)> {
        const HINT: &str = "If your source string is not fixed-width, try using the \"FM\" modifier.";
        let start = self.rest;
        let trimmed = start.trim_start_matches(is_space);
        let copy_end = trimmed.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= width).last();
        let copy = &trimmed[..copy_end.unwrap_or(0)];
        let value = if is_free {
            let (value, length) = leading_number(start);
            self.rest = &start[length..];
            if length == 0 {
                self.rest = start;
            }
            value
        } else {
            if trimmed.len() < width {
                let message = format!("source string too short for \"{}\" formatting field", pattern.name);
                let detail = format!("Field requires {width} characters, but only {} remain.", trimmed.len());
                return Err(format_error(message).detail(detail).hint(HINT));
            }
            let (value, used) = leading_number(copy);
            if used > 0 && used < width {
                let detail = format!("Field requires {width} characters, but only {used} could be parsed.");
                return Err(self.invalid_value(copy, pattern).detail(detail).hint(HINT));
            }
            self.rest = &trimmed[used..];
            value
        };
        if self.rest.len() == start.len() {
            return Err(self.invalid_value(copy, pattern).detail("Value must be an integer."));
        }
        let narrow = i32::try_from(value).map_err(|_| {
            let message = format!("value for \"{}\" in source string is out of range", pattern.name);
            let detail = format!("Value must be in the range {} to {}.", i32::MIN, i32::MAX);
            Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, message).detail(detail)
        })?;
        Ok((narrow, start.len() - self.rest.len()))
    }

    fn invalid_value(&self, value: &str, pattern: &Pattern) -> Error {
        format_error(format!("invalid value \"{value}\" for \"{}\"", pattern.name))
    }

    /// The place in `names` of the first name that the text starts with, in any case.
    fn name(&mut self, names: &[&str], pattern: &Pattern) -> Result<i32> {
        let starts_with = |name: &&str| self.rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        match names.iter().position(|name| starts_with(&name)) {
            Some(place) => {
                self.rest = &self.rest[names[place].len()..];
                Ok(place as i32)
            }
            None => {
                let word = self.rest.split(is_space).next().unwrap_or("");
                let detail = "The given value did not match any of the allowed values for this field.";
                Err(self.invalid_value(word, pattern).detail(detail))
            }
        }
    }

    fn year_with_comma(&mut self) -> Result<i32> {
        let invalid = || format_error("invalid input string for \"Y,YYY\"".to_owned());
        let (millennia, length) = leading_number(self.rest);
        let rest = self.rest[length..].strip_prefix(',').filter(|_| length > 0).ok_or_else(invalid)?;
        let trimmed = rest.trim_start_matches(is_space);
        let width = trimmed.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-')).take(3).count();
        let (years, used) = leading_number(&trimmed[..width]);
        if used == 0 {
            return Err(invalid());
        }
        self.rest = &trimmed[used..];
        let year = millennia.checked_mul(1_000).and_then(|thousands| thousands.checked_add(years));
        year.and_then(|year| i32::try_from(year).ok()).ok_or_else(|| {
            Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, "value for \"Y,YYY\" in source string is out of range")
        })
    }
}

/// Whether a number before the node's successor may be of any length.
fn is_number_free(nodes: &[Node], at: usize) -> bool {
    match nodes[at] {
        Node::Pattern { fill_mode: true, .. } => return true,
        Node::Pattern { ordinal, .. } if ordinal != Ordinal::None => return true,
        _ => {}
    }
    match nodes.get(at + 1) {
        None => true,
        Some(Node::Pattern { pattern, .. }) => !pattern.is_digit,
        Some(Node::Separator(c) | Node::Space(c) | Node::Char(c)) => !c.is_ascii_digit(),
    }
}

fn read(text: &str, template: &str) -> Result<Parsed> {
    let nodes = parse_template(template);
    let mut reader = Reader { text, rest: text };
    let mut parsed = Parsed::default();
    let (mut extra_skip, mut is_fixed) = (0, false);
    for (at, node) in nodes.iter().enumerate() {
        if reader.rest.is_empty() {
            break;
        }
        let is_fx = matches!(node, Node::Pattern { pattern: Pattern { kind: Kind::FixedWidth, .. }, .. });
        if !is_fixed && !is_fx && (matches!(node, Node::Pattern { .. }) || at == 0) {
            extra_skip += reader.skip_spaces();
        }
        match node {
            Node::Separator(_) | Node::Space(_) if is_fixed => reader.skip_char(),
            Node::Separator(_) | Node::Space(_) => {
                extra_skip -= 1;
                if reader.rest.starts_with(|c| is_space(c) || is_separator(c)) {
                    reader.skip_char();
                    extra_skip += 1;
                }
            }
            Node::Char(_) if !is_fixed && extra_skip > 0 => extra_skip -= 1,
            Node::Char(_) => reader.skip_char(),
            Node::Pattern { pattern, ordinal, .. } => {
                set_calendar(&mut parsed, pattern.calendar)?;
                if is_fx {
                    is_fixed = true;
                } else {
                    read_pattern(&mut reader, &mut parsed, pattern, is_number_free(&nodes, at), extra_skip)?;
                    if *ordinal != Ordinal::None && takes_number(pattern.kind) {
                        reader.skip_char();
                        reader.skip_char();
                    }
                }
                if !is_fixed {
                    extra_skip = reader.skip_spaces();
                }
            }
        }
    }
    Ok(parsed)
}

fn takes_number(kind: Kind) -> bool {
    use Kind::*;
    let is_name = matches!(
        kind,
        EraDots
            | Era
            | MeridiemDots
            | Meridiem
            | MonthName
            | MonthNameShort
            | DayName
            | DayNameShort
            | RomanMonth
            | ZoneHours
            | ZoneMinutes
    );
    !is_name
}

fn set_calendar(parsed: &mut Parsed, calendar: Calendar) -> Result<()> {
    if calendar == Calendar::Any {
        return Ok(());
    }
    if parsed.calendar.is_some_and(|earlier| earlier != calendar) {
        let hint = "Do not mix Gregorian and ISO week date conventions in a formatting template.";
        return Err(format_error("invalid combination of date conventions".to_owned()).hint(hint));
    }
    parsed.calendar = Some(calendar);
    Ok(())
}

fn read_pattern(reader: &mut Reader<'_>, parsed: &mut Parsed, pattern: &Pattern, is_free: bool, extra_skip: i32) -> Result<()> {
    let short = |names: &[&'static str]| names.iter().map(|name| &name[..3]).collect::<Vec<_>>();
    let width = pattern.name.len();
    let number = |reader: &mut Reader<'_>, width: usize| reader.number(pattern, width, is_free);
    match pattern.kind {
        Kind::MeridiemDots | Kind::Meridiem => {
            let names = if pattern.kind == Kind::Meridiem { ["am", "pm"] } else { ["a.m.", "p.m."] };
            set(&mut parsed.pm, reader.name(&names, pattern)?, pattern)?;
            parsed.is_12_hour = true;
        }
        Kind::EraDots => set(&mut parsed.bc, reader.name(&["a.d.", "b.c."], pattern)?, pattern)?,
        Kind::Era => set(&mut parsed.bc, reader.name(&["ad", "bc"], pattern)?, pattern)?,
        Kind::Hour12 => {
            set(&mut parsed.hour, number(reader, 2)?.0, pattern)?;
            parsed.is_12_hour = true;
        }
        Kind::Hour24 => set(&mut parsed.hour, number(reader, 2)?.0, pattern)?,
        Kind::Minute => set(&mut parsed.minute, number(reader, width)?.0, pattern)?,
        Kind::Second => set(&mut parsed.second, number(reader, width)?.0, pattern)?,
        Kind::Millisecond => {
            let (value, length) = number(reader, 3)?;
            set(&mut parsed.millisecond, value, pattern)?;
            parsed.millisecond = scaled(value, length, 3)?;
        }
        Kind::Microsecond | Kind::Fraction(_) => {
            let digits = if let Kind::Fraction(digits) = pattern.kind { digits } else { 6 };
            if pattern.kind != Kind::Microsecond {
                parsed.precision = Some(digits);
            }
            let (value, length) = number(reader, usize::from(digits))?;
            set(&mut parsed.microsecond, value, pattern)?;
            parsed.microsecond = scaled(value, length, 6)?;
        }
        Kind::SecondOfDay => set(&mut parsed.second_of_day, number(reader, width)?.0, pattern)?,
        Kind::ZoneName | Kind::ZoneOffset => {
            let message = format!("formatting field \"{}\" is only supported in to_char", pattern.name);
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        Kind::ZoneHours => {
            // A minus sign may have been taken for a separator.
            parsed.zone_sign = match reader.rest.chars().next() {
                Some(sign @ ('+' | '-' | ' ')) => {
                    reader.skip_char();
                    if sign == '-' { -1 } else { 1 }
                }
                _ if extra_skip > 0 && reader.last_skipped() == Some('-') => -1,
                _ => 1,
            };
            set(&mut parsed.zone_hours, number(reader, 2)?.0, pattern)?;
        }
        Kind::ZoneMinutes => {
            if parsed.zone_sign == 0 {
                parsed.zone_sign = 1;
            }
            set(&mut parsed.zone_minutes, number(reader, 2)?.0, pattern)?;
        }
        Kind::MonthName => set(&mut parsed.month, reader.name(&MONTHS, pattern)? + 1, pattern)?,
        Kind::MonthNameShort => set(&mut parsed.month, reader.name(&short(&MONTHS), pattern)? + 1, pattern)?,
        Kind::RomanMonth => set(&mut parsed.month, 12 - reader.name(&ROMAN_MONTHS, pattern)?, pattern)?,
        Kind::Month => set(&mut parsed.month, number(reader, width)?.0, pattern)?,
        Kind::DayName | Kind::DayNameShort => {
            let names = if pattern.kind == Kind::DayName { DAYS.to_vec() } else { short(&DAYS) };
            set(&mut parsed.day_of_week, reader.name(&names, pattern)?, pattern)?;
            parsed.day_of_week += 1;
        }
        Kind::DayOfYear => set(&mut parsed.day_of_year, number(reader, width)?.0, pattern)?,
        Kind::IsoDayOfYear => set(&mut parsed.day_of_year, number(reader, 3)?.0, pattern)?,
        Kind::DayOfMonth => set(&mut parsed.day, number(reader, width)?.0, pattern)?,
        Kind::DayOfWeek => set(&mut parsed.day_of_week, number(reader, width)?.0, pattern)?,
        Kind::IsoDayOfWeek => {
            let value = number(reader, 1)?.0;
            set(&mut parsed.day_of_week, value, pattern)?;
            parsed.day_of_week = if value >= 7 { 1 } else { value + 1 };
        }
        Kind::WeekOfYear | Kind::IsoWeek => set(&mut parsed.week, number(reader, width)?.0, pattern)?,
        // It is unclear which date in the quarter would be meant; it is read and not used.
        Kind::Quarter => {
            number(reader, width)?;
        }
        Kind::Century => set(&mut parsed.century, number(reader, width)?.0, pattern)?,
        Kind::YearWithComma => {
            set(&mut parsed.year, reader.year_with_comma()?, pattern)?;
            parsed.year_digits = 4;
        }
        Kind::Year(digits) | Kind::IsoYear(digits) => {
            let (value, length) = number(reader, usize::from(digits))?;
            set(&mut parsed.year, value, pattern)?;
            if digits < 4 && length < 4 {
                parsed.year = year_near_2020(value);
            }
            parsed.year_digits = digits;
        }
        Kind::WeekOfMonth => set(&mut parsed.week_of_month, number(reader, width)?.0, pattern)?,
        Kind::JulianDay => set(&mut parsed.julian, number(reader, width)?.0, pattern)?,
        Kind::FixedWidth => {}
    }
    Ok(())
}

/// A fraction of `digits` digits of which `length` were written: 25 is .25 and 250 is .25 too.
fn scaled(value: i32, length: usize, digits: usize) -> Result<i32> {
    let missing = if length == 0 { 0 } else { digits.saturating_sub(length) };
    value
        .checked_mul(10_i32.pow(missing as u32))
        .ok_or_else(|| Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, "fractional seconds in source string are out of range"))
}

/// The civil time that was read; every step may leave the range of years, which is an overflow of a field.
struct Assembled {
    civil: Civil,
    has_date: bool,
}

fn assemble(parsed: &Parsed, text: &str) -> Result<Assembled> {
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

/// Reads and checks: the civil time, its zone when one was given (seconds west), and the precision asked for.
fn parse(text: &str, template: &str) -> Result<(Civil, Option<i32>, Option<u8>)> {
    let parsed = read(text, template)?;
    let overflow = || DecodeError::FieldOverflow.into_error(text, "timestamp");
    let Assembled { mut civil, has_date } = assemble(&parsed, text)?;
    let microsecond = i64::from(parsed.millisecond) * 1_000 + i64::from(parsed.microsecond);
    if has_date {
        let valid =
            (1..=12).contains(&civil.month) && civil.day >= 1 && civil.day <= calendar::days_in_month(civil.year, civil.month);
        if !valid {
            return Err(overflow());
        }
    }
    let clock_is_valid = (0..24).contains(&civil.hour)
        && (0..60).contains(&civil.minute)
        && (0..60).contains(&civil.second)
        && (0..US_PER_SECOND).contains(&microsecond);
    if !clock_is_valid {
        return Err(overflow());
    }
    civil.microsecond = microsecond as i32;
    let mut zone = None;
    if parsed.zone_sign != 0 {
        if !(0..=15).contains(&parsed.zone_hours) || !(0..60).contains(&parsed.zone_minutes) {
            return Err(DecodeError::ZoneDisplacementOverflow.into_error(text, "timestamp"));
        }
        zone = Some(-parsed.zone_sign * (parsed.zone_hours * 3600 + parsed.zone_minutes * 60));
    }
    Ok((civil, zone, parsed.precision))
}

impl TimestampTz {
    /// to_timestamp(text, text). Errors: 22007, 22008, 22009, 0A000.
    pub fn parse_with_template(text: &str, template: &str, settings: &FormatSettings) -> Result<TimestampTz> {
        let (civil, zone_seconds_west, precision) = parse(text, template)?;
        let instant = civil.local_us().and_then(|local| {
            let seconds_west = zone_seconds_west.unwrap_or_else(|| -zone::offset_of_local(&settings.time_zone, local));
            local.checked_add(i64::from(seconds_west) * US_PER_SECOND).and_then(TimestampTz::from_microseconds)
        });
        let instant = instant.ok_or_else(super::arithmetic::timestamp_out_of_range)?;
        precision.map_or(Ok(instant), |precision| instant.apply_typmod(i32::from(precision)))
    }
}

impl Date {
    /// to_date(text, text). Errors: 22007, 22008, 0A000.
    pub fn parse_with_template(text: &str, template: &str) -> Result<Date> {
        let (civil, _, _) = parse(text, template)?;
        let date = Date::from_days(civil.julian_day() - EPOCH_JULIAN_DAY);
        date.filter(|_| is_valid_julian(civil.year, civil.month))
            .ok_or_else(|| Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, format!("date out of range: \"{text}\"")))
    }
}
