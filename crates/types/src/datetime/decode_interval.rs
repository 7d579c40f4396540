//! Turns the fields of interval text into a span: PostgreSQL's own styles and the SQL standard's.
//!
//! Fields are read from the last to the first, so that a unit is known before its number. A fraction of a unit runs on into the
//! smaller ones: of a month into days and microseconds, of a year into months only.

use super::decode::{DecodeError, seen};
use super::decode_fields::{leading_i32, leading_i64, parse_clock, parse_fraction};
use super::keywords::{Keyword, Unit, interval_keyword};
use super::lexer::{Field, FieldKind, INTERVAL_TEXT_LIMIT, split_fields};
use super::typmod::IntervalRange;
use super::{Interval, US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND};
use crate::format_settings::IntervalStyle;

const DAYS_PER_MONTH: i32 = 30;

/// The span read so far. Every method is None on overflow.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    microseconds: i64,
    days: i32,
    months: i32,
    years: i32,
}

impl Span {
    /// Adds `fraction` (between -1 and 1) of `scale` microseconds.
    pub(crate) fn add_fraction_us(&mut self, fraction: f64, scale: i64) -> Option<()> {
        let exact = fraction * scale as f64;
        let whole = exact as i64;
        let rest = exact - whole as f64;
        let rounding = i64::from(rest > 0.5) - i64::from(rest < -0.5);
        self.microseconds = self.microseconds.checked_add(whole + rounding)?;
        Some(())
    }

    pub(crate) fn add_us(&mut self, value: i64, fraction: f64, scale: i64) -> Option<()> {
        self.microseconds = value.checked_mul(scale)?.checked_add(self.microseconds)?;
        self.add_fraction_us(fraction, scale)
    }

    pub(crate) fn add_days(&mut self, value: i64, scale: i32) -> Option<()> {
        self.days = i32::try_from(value).ok()?.checked_mul(scale)?.checked_add(self.days)?;
        Some(())
    }

    /// Adds a fraction of `scale` days.
    pub(crate) fn add_fraction_days(&mut self, fraction: f64, scale: i32) -> Option<()> {
        let exact = fraction * f64::from(scale);
        let whole = exact as i32;
        self.days = self.days.checked_add(whole)?;
        self.add_fraction_us(exact - f64::from(whole), US_PER_DAY)
    }

    pub(crate) fn add_months(&mut self, value: i64, fraction: f64) -> Option<()> {
        self.months = i32::try_from(value).ok()?.checked_add(self.months)?;
        self.add_fraction_days(fraction, DAYS_PER_MONTH)
    }

    pub(crate) fn add_years(&mut self, value: i64, fraction: f64, scale: i32) -> Option<()> {
        self.years = i32::try_from(value).ok()?.checked_mul(scale)?.checked_add(self.years)?;
        let months = (fraction * f64::from(scale) * 12.0).round_ties_even() as i32;
        self.months = self.months.checked_add(months)?;
        Some(())
    }

    fn negated(self) -> Option<Span> {
        Some(Span {
            microseconds: self.microseconds.checked_neg()?,
            days: self.days.checked_neg()?,
            months: self.months.checked_neg()?,
            years: self.years.checked_neg()?,
        })
    }

    pub(crate) fn to_interval(self) -> Option<Interval> {
        let months = i64::from(self.years) * 12 + i64::from(self.months);
        Some(Interval { microseconds: self.microseconds, days: self.days, months: i32::try_from(months).ok()? })
    }
}

/// What an interval type's fields say about its last number.
fn unit_of_range(range: IntervalRange) -> Unit {
    const YEAR: i32 = IntervalRange::YEAR;
    const MONTH: i32 = IntervalRange::MONTH;
    match range.0 {
        mask if range == IntervalRange::FULL || mask & IntervalRange::SECOND != 0 => Unit::Second,
        mask if mask & IntervalRange::MINUTE != 0 => Unit::Minute,
        mask if mask & IntervalRange::HOUR != 0 => Unit::Hour,
        mask if mask & IntervalRange::DAY != 0 => Unit::Day,
        mask if mask & MONTH != 0 => Unit::Month,
        mask if mask & YEAR != 0 => Unit::Year,
        _ => Unit::Second,
    }
}

struct IntervalDecoder {
    span: Span,
    range: IntervalRange,
    /// The SQL standard's reading of a leading minus: it holds for all fields.
    force_negative: bool,
    /// What the field after the one at hand says about it.
    unit: Option<Unit>,
    is_ago: bool,
}

/// Decodes the field styles of intervals; a bad format may still be ISO 8601.
pub(crate) fn decode_interval(text: &str, range: IntervalRange, style: IntervalStyle) -> Result<Span, DecodeError> {
    let fields = split_fields(text, INTERVAL_TEXT_LIMIT)?;
    let signed = |field: &Field| field.text.starts_with(['-', '+']);
    let force_negative = style == IntervalStyle::SqlStandard
        && fields.first().is_some_and(|field| field.text.starts_with('-'))
        && !fields[1..].iter().any(signed);
    let mut decoder = IntervalDecoder { span: Span::default(), range, force_negative, unit: None, is_ago: false };
    let mut seen = 0;
    for field in fields.iter().rev() {
        let found = match field.kind {
            FieldKind::Time => decoder.time(&field.text)?,
            FieldKind::Zone => decoder.signed(&field.text)?,
            FieldKind::Date | FieldKind::Number => decoder.number(&field.text)?,
            FieldKind::Word | FieldKind::SignedWord => {
                decoder.word(&field.text)?;
                0
            }
        };
        if found & seen != 0 {
            return Err(DecodeError::BadFormat);
        }
        seen |= found;
    }
    if seen == 0 {
        return Err(DecodeError::BadFormat);
    }
    if decoder.is_ago { decoder.span.negated().ok_or(DecodeError::FieldOverflow) } else { Ok(decoder.span) }
}

impl IntervalDecoder {
    fn clock(&mut self, text: &str) -> Result<(), DecodeError> {
        let two_fields_are_minutes = self.range.0 == IntervalRange::MINUTE | IntervalRange::SECOND;
        let clock = parse_clock(text, two_fields_are_minutes)?;
        let hours = clock.hours.checked_mul(US_PER_HOUR);
        let rest =
            i64::from(clock.minutes) * US_PER_MINUTE + i64::from(clock.seconds) * US_PER_SECOND + i64::from(clock.microseconds);
        self.span.microseconds = hours.and_then(|hours| hours.checked_add(rest)).ok_or(DecodeError::FieldOverflow)?;
        Ok(())
    }

    fn force_clock_sign(&mut self) {
        if self.force_negative && self.span.microseconds > 0 {
            self.span.microseconds = -self.span.microseconds;
        }
        self.unit = Some(Unit::Day);
    }

    fn time(&mut self, text: &str) -> Result<u32, DecodeError> {
        self.clock(text)?;
        self.force_clock_sign();
        Ok(seen::TIME)
    }

    /// A signed clock, or else a signed number.
    fn signed(&mut self, text: &str) -> Result<u32, DecodeError> {
        let unsigned = &text[1..];
        if !unsigned.contains(':') || self.clock(unsigned).is_err() {
            return self.number(text);
        }
        if text.starts_with('-') {
            self.span.microseconds = self.span.microseconds.checked_neg().ok_or(DecodeError::FieldOverflow)?;
        }
        self.force_clock_sign();
        Ok(seen::TIME)
    }

    fn number(&mut self, text: &str) -> Result<u32, DecodeError> {
        let range = self.range;
        let mut unit = *self.unit.get_or_insert_with(|| unit_of_range(range));
        let (mut value, rest) = leading_i64(text)?;
        let is_negative = text.starts_with('-');
        let mut fraction = 0.0;
        if let Some(months) = rest.strip_prefix('-') {
            // The SQL standard's "years-months".
            let (months, rest) = leading_i32(months)?;
            if !(0..12).contains(&months) {
                return Err(DecodeError::FieldOverflow);
            }
            if !rest.is_empty() {
                return Err(DecodeError::BadFormat);
            }
            unit = Unit::Month;
            self.unit = Some(unit);
            let months = i64::from(if is_negative { -months } else { months });
            value = value.checked_mul(12).and_then(|value| value.checked_add(months)).ok_or(DecodeError::FieldOverflow)?;
        } else if rest.starts_with('.') {
            fraction = parse_fraction(rest)?;
            if is_negative {
                fraction = -fraction;
            }
        } else if !rest.is_empty() {
            return Err(DecodeError::BadFormat);
        }
        if self.force_negative {
            value = if value > 0 { -value } else { value };
            fraction = -f64::abs(fraction);
        }
        self.add(unit, value, fraction)
    }

    fn add(&mut self, unit: Unit, value: i64, fraction: f64) -> Result<u32, DecodeError> {
        let span = &mut self.span;
        let (added, found) = match unit {
            Unit::Microsecond => (span.add_us(value, fraction, 1), seen::MICROSECOND),
            Unit::Millisecond => (span.add_us(value, fraction, 1_000), seen::MILLISECOND),
            Unit::Second => {
                let found = if fraction == 0.0 { seen::SECOND } else { seen::ALL_SECONDS };
                (span.add_us(value, fraction, US_PER_SECOND), found)
            }
            Unit::Minute => (span.add_us(value, fraction, US_PER_MINUTE), seen::MINUTE),
            Unit::Hour => {
                self.unit = Some(Unit::Day);
                (span.add_us(value, fraction, US_PER_HOUR), seen::HOUR)
            }
            Unit::Day => (span.add_days(value, 1).and_then(|()| span.add_fraction_us(fraction, US_PER_DAY)), seen::DAY),
            Unit::Week => (span.add_days(value, 7).and_then(|()| span.add_fraction_days(fraction, 7)), seen::WEEK),
            Unit::Month => (span.add_months(value, fraction), seen::MONTH),
            Unit::Year => (span.add_years(value, fraction, 1), seen::YEAR),
            Unit::Decade => (span.add_years(value, fraction, 10), seen::DECADE),
            Unit::Century => (span.add_years(value, fraction, 100), seen::CENTURY),
            Unit::Millennium => (span.add_years(value, fraction, 1_000), seen::MILLENNIUM),
            _ => return Err(DecodeError::BadFormat),
        };
        added.map(|()| found).ok_or(DecodeError::FieldOverflow)
    }

    fn word(&mut self, text: &str) -> Result<(), DecodeError> {
        match interval_keyword(text) {
            Some(Keyword::Unit(unit)) => self.unit = Some(unit),
            Some(Keyword::Ago) => {
                self.is_ago = true;
                // A bare number before "ago" is refused: no number has this unit.
                self.unit = Some(Unit::Time);
            }
            Some(Keyword::Ignored) => {}
            _ => return Err(DecodeError::BadFormat),
        }
        Ok(())
    }
}
