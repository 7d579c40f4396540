//! to_timestamp(text, text) and to_date(text, text): reading by a template.
//!
//! Outside of FX mode spaces are skipped freely and separators match loosely; `extra_skip` counts what was skipped beyond the template.

use super::calendar::{self, Civil, is_valid_julian};
use super::decode::DecodeError;
use super::output::{DAYS, MONTHS};
use super::template::{Calendar, Kind, Node, Ordinal, Pattern, is_separator, parse_template};
use super::to_char::ROMAN_MONTHS;
use super::{Date, EPOCH_JULIAN_DAY, TimestampTz, US_PER_SECOND, zone};
use crate::{Error, FormatSettings, Result, SqlState};

mod assemble;
mod reader;

use assemble::{Assembled, assemble};
use reader::{Reader, is_space};

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
                    let place = Place { is_free: is_number_free(&nodes, at), extra_skip };
                    read_pattern(&mut reader, &mut parsed, pattern, &place)?;
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

/// What surrounds a pattern: whether its number may be of any length, and how many characters were skipped before it.
struct Place {
    is_free: bool,
    extra_skip: i32,
}

fn read_pattern(reader: &mut Reader<'_>, parsed: &mut Parsed, pattern: &Pattern, place: &Place) -> Result<()> {
    match pattern.kind {
        Kind::FixedWidth => Ok(()),
        Kind::ZoneName | Kind::ZoneOffset => {
            let message = format!("formatting field \"{}\" is only supported in to_char", pattern.name);
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message))
        }
        Kind::ZoneHours | Kind::ZoneMinutes => read_zone(reader, parsed, pattern, place),
        kind if takes_number(kind) => read_number(reader, parsed, pattern, place.is_free),
        _ => read_name(reader, parsed, pattern),
    }
}

fn read_name(reader: &mut Reader<'_>, parsed: &mut Parsed, pattern: &Pattern) -> Result<()> {
    let short = |names: &[&'static str]| names.iter().map(|name| &name[..3]).collect::<Vec<_>>();
    match pattern.kind {
        Kind::MeridiemDots | Kind::Meridiem => {
            let names = if pattern.kind == Kind::Meridiem { ["am", "pm"] } else { ["a.m.", "p.m."] };
            set(&mut parsed.pm, reader.name(&names, pattern)?, pattern)?;
            parsed.is_12_hour = true;
        }
        Kind::EraDots => set(&mut parsed.bc, reader.name(&["a.d.", "b.c."], pattern)?, pattern)?,
        Kind::Era => set(&mut parsed.bc, reader.name(&["ad", "bc"], pattern)?, pattern)?,
        Kind::MonthName => set(&mut parsed.month, reader.name(&MONTHS, pattern)? + 1, pattern)?,
        Kind::MonthNameShort => set(&mut parsed.month, reader.name(&short(&MONTHS), pattern)? + 1, pattern)?,
        Kind::RomanMonth => set(&mut parsed.month, 12 - reader.name(&ROMAN_MONTHS, pattern)?, pattern)?,
        Kind::DayName | Kind::DayNameShort => {
            let names = if pattern.kind == Kind::DayName { DAYS.to_vec() } else { short(&DAYS) };
            set(&mut parsed.day_of_week, reader.name(&names, pattern)?, pattern)?;
            parsed.day_of_week += 1;
        }
        _ => unreachable!("{} reads a number", pattern.name),
    }
    Ok(())
}

fn read_zone(reader: &mut Reader<'_>, parsed: &mut Parsed, pattern: &Pattern, place: &Place) -> Result<()> {
    if pattern.kind == Kind::ZoneHours {
        // A minus sign may have been taken for a separator.
        parsed.zone_sign = match reader.rest.chars().next() {
            Some(sign @ ('+' | '-' | ' ')) => {
                reader.skip_char();
                if sign == '-' { -1 } else { 1 }
            }
            _ if place.extra_skip > 0 && reader.last_skipped() == Some('-') => -1,
            _ => 1,
        };
        return set(&mut parsed.zone_hours, reader.number(pattern, 2, place.is_free)?.0, pattern);
    }
    if parsed.zone_sign == 0 {
        parsed.zone_sign = 1;
    }
    set(&mut parsed.zone_minutes, reader.number(pattern, 2, place.is_free)?.0, pattern)
}

fn read_number(reader: &mut Reader<'_>, parsed: &mut Parsed, pattern: &Pattern, is_free: bool) -> Result<()> {
    let width = pattern.name.len();
    let number = |reader: &mut Reader<'_>, width: usize| reader.number(pattern, width, is_free);
    match pattern.kind {
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
        Kind::Month => set(&mut parsed.month, number(reader, width)?.0, pattern)?,
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
        _ => unreachable!("{} reads a name", pattern.name),
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
