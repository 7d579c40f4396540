//! Reads single fields of date and time text: dates with separators, clocks, numbers that run together, zone offsets.

use super::calendar::{self, Civil};
use super::decode::{DecodeError, Decoder, seen};
use super::keywords::{Keyword, date_keyword};
use super::{US_PER_DAY, US_PER_SECOND};
use crate::format_settings::DateOrder;

/// Hours of the widest zone offset.
const MAX_ZONE_HOURS: i32 = 15;

/// The digits that text starts with (after a sign) and what follows them; without digits, 0 and all of the text.
fn split_leading_integer(text: &str) -> (&str, &str) {
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 { ("0", text) } else { text.split_at(sign + digits) }
}

/// The integer that text starts with, 0 when there is none, and the rest.
pub(crate) fn leading_i64(text: &str) -> Result<(i64, &str), DecodeError> {
    let (digits, rest) = split_leading_integer(text);
    digits.parse().map(|value| (value, rest)).map_err(|_| DecodeError::FieldOverflow)
}

pub(crate) fn leading_i32(text: &str) -> Result<(i32, &str), DecodeError> {
    let (value, rest) = leading_i64(text)?;
    i32::try_from(value).map(|value| (value, rest)).map_err(|_| DecodeError::FieldOverflow)
}

/// A fraction of which the text is ".", ".5" and the like, and nothing more.
pub(crate) fn parse_fraction(text: &str) -> Result<f64, DecodeError> {
    let digits = text.strip_prefix('.').ok_or(DecodeError::BadFormat)?;
    if digits.is_empty() {
        return Ok(0.0);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecodeError::BadFormat);
    }
    text.parse().map_err(|_| DecodeError::BadFormat)
}

fn fraction_to_microseconds(fraction: f64) -> i32 {
    (fraction * US_PER_SECOND as f64).round_ties_even() as i32
}

/// What C's `atoi` makes of a string of digits.
fn wrapping_integer(digits: &str) -> i32 {
    digits.parse::<i64>().unwrap_or(if digits.is_empty() { 0 } else { i64::MAX }) as i32
}

/// Seconds west of Greenwich of "+05:30", "-0800", "+5:30:15".
pub(crate) fn zone_offset(text: &str) -> Result<i32, DecodeError> {
    let overflow = |_| DecodeError::ZoneDisplacementOverflow;
    let Some(unsigned) = text.strip_prefix(['+', '-']) else {
        return Err(DecodeError::BadFormat);
    };
    let (mut hours, mut rest) = leading_i32(unsigned).map_err(overflow)?;
    let (mut minutes, mut seconds) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        (minutes, rest) = leading_i32(after).map_err(overflow)?;
        if let Some(after) = rest.strip_prefix(':') {
            (seconds, rest) = leading_i32(after).map_err(overflow)?;
        }
    } else if rest.is_empty() && text.len() > 3 {
        (hours, minutes) = (hours / 100, hours % 100);
    }
    if !(0..=MAX_ZONE_HOURS).contains(&hours) || !(0..60).contains(&minutes) || !(0..60).contains(&seconds) {
        return Err(DecodeError::ZoneDisplacementOverflow);
    }
    if !rest.is_empty() {
        return Err(DecodeError::BadFormat);
    }
    let offset = (hours * 60 + minutes) * 60 + seconds;
    Ok(if text.starts_with('-') { offset } else { -offset })
}

/// A clock of "h:m", "h:m:s.f" or "m:s.f".
pub(crate) struct Clock {
    pub(crate) hours: i64,
    pub(crate) minutes: i32,
    pub(crate) seconds: i32,
    pub(crate) microseconds: i32,
}

/// Reads a clock. With `two_fields_are_minutes` (interval MINUTE TO SECOND) "1:2" is a minute and two seconds.
pub(crate) fn parse_clock(text: &str, two_fields_are_minutes: bool) -> Result<Clock, DecodeError> {
    let (first, rest) = leading_i64(text)?;
    let rest = rest.strip_prefix(':').ok_or(DecodeError::BadFormat)?;
    let (second, rest) = leading_i32(rest)?;
    let mut microseconds = 0;
    let (hours, minutes, seconds) = if rest.starts_with('.') || (rest.is_empty() && two_fields_are_minutes) {
        if !rest.is_empty() {
            microseconds = fraction_to_microseconds(parse_fraction(rest)?);
        }
        (0, i32::try_from(first).map_err(|_| DecodeError::FieldOverflow)?, second)
    } else if rest.is_empty() {
        (first, second, 0)
    } else {
        let rest = rest.strip_prefix(':').ok_or(DecodeError::BadFormat)?;
        let (third, rest) = leading_i32(rest)?;
        if rest.starts_with('.') {
            microseconds = fraction_to_microseconds(parse_fraction(rest)?);
        } else if !rest.is_empty() {
            return Err(DecodeError::BadFormat);
        }
        (first, second, third)
    };
    if hours < 0 || !(0..=59).contains(&minutes) || !(0..=60).contains(&seconds) {
        return Err(DecodeError::FieldOverflow);
    }
    Ok(Clock { hours, minutes, seconds, microseconds })
}

/// Whether a clock goes past 24:00:00 or has a field out of range.
pub(crate) fn time_overflows(civil: &Civil) -> bool {
    !(0..=24).contains(&civil.hour)
        || !(0..60).contains(&civil.minute)
        || !(0..=60).contains(&civil.second)
        || !(0..=1_000_000).contains(&civil.microsecond)
        || civil.clock_us() > US_PER_DAY
}

impl Decoder<'_> {
    /// A date whose fields are separated inside one word: "1999-01-08", "8.jan.99".
    pub(crate) fn date(&mut self, text: &str) -> Result<u32, DecodeError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            let Some(first) = rest.bytes().next() else {
                return Err(DecodeError::BadFormat);
            };
            let same_class = |c: char| if first.is_ascii_digit() { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
            let end = rest.find(|c| !same_class(c)).unwrap_or(rest.len());
            parts.push(&rest[..end]);
            // One separator goes with the field, whatever it is.
            rest = rest.get(end + 1..).unwrap_or("");
        }
        let before = self.seen;
        let mut mask = self.seen;
        let mut has_text_month = false;
        for part in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())) {
            match date_keyword(part) {
                Some(Keyword::Month(month)) if mask & seen::MONTH == 0 => {
                    self.civil.month = month;
                    has_text_month = true;
                    mask |= seen::MONTH;
                }
                _ => return Err(DecodeError::BadFormat),
            }
        }
        for part in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
            let found = self.number(part, has_text_month, mask)?;
            if found & mask != 0 {
                return Err(DecodeError::BadFormat);
            }
            mask |= found;
        }
        if mask & !(seen::DAY_OF_YEAR | seen::ZONE) != seen::DATE {
            return Err(DecodeError::BadFormat);
        }
        Ok(mask & !before)
    }

    /// A clock.
    pub(crate) fn time(&mut self, text: &str) -> Result<u32, DecodeError> {
        let clock = parse_clock(text, false)?;
        self.civil.hour = i32::try_from(clock.hours).map_err(|_| DecodeError::FieldOverflow)?;
        self.civil.minute = clock.minutes;
        self.civil.second = clock.seconds;
        self.civil.microsecond = clock.microseconds;
        Ok(seen::TIME)
    }

    /// A number that is a single field of a date, decided by what `mask` says is known and by DateOrder.
    pub(crate) fn number(&mut self, text: &str, has_text_month: bool, mask: u32) -> Result<u32, DecodeError> {
        let length = text.len();
        let (value, rest) = leading_i32(text)?;
        if rest.len() == length {
            return Err(DecodeError::BadFormat);
        }
        if rest.starts_with('.') {
            if length - rest.len() > 2 {
                return self.run_together_number(text, mask | seen::DATE);
            }
            self.civil.microsecond = fraction_to_microseconds(parse_fraction(rest)?);
        } else if !rest.is_empty() {
            return Err(DecodeError::BadFormat);
        }
        if length == 3 && mask & seen::DATE == seen::YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(seen::DAY_OF_YEAR | seen::MONTH | seen::DAY);
        }
        let order = self.settings.date_order;
        let found = match mask & seen::DATE {
            0 if length >= 3 || order == DateOrder::Ymd => seen::YEAR,
            0 if order == DateOrder::Dmy => seen::DAY,
            0 | seen::YEAR | seen::DAY => seen::MONTH,
            seen::MONTH if has_text_month && (length >= 3 || order == DateOrder::Ymd) => seen::YEAR,
            seen::MONTH => seen::DAY,
            seen::YEAR_MONTH => {
                if has_text_month && length >= 3 && self.two_digit_year {
                    // "08-Jan-1999" in YMD order: the first number was the day.
                    self.civil.day = self.civil.year;
                    self.civil.year = value;
                    self.two_digit_year = false;
                    return Ok(seen::DAY);
                }
                seen::DAY
            }
            seen::MONTH_DAY => seen::YEAR,
            seen::DATE => return self.run_together_number(text, mask),
            _ => return Err(DecodeError::BadFormat),
        };
        match found {
            seen::YEAR => {
                self.civil.year = value;
                self.two_digit_year = length <= 2;
            }
            seen::MONTH => self.civil.month = value,
            _ => self.civil.day = value,
        }
        Ok(found)
    }

    /// Digits that run together: yyyymmdd, yymmdd, hhmmss, hhmm, with a fraction on the seconds.
    pub(crate) fn run_together_number(&mut self, text: &str, mask: u32) -> Result<u32, DecodeError> {
        let mut digits = text;
        if let Some(point) = text.find('.') {
            let fraction_length = text[point + 1..].bytes().take_while(u8::is_ascii_digit).count();
            self.civil.microsecond = fraction_to_microseconds(parse_fraction(&text[point..point + 1 + fraction_length])?);
            digits = &text[..point];
        } else if mask & seen::DATE != seen::DATE && text.len() >= 6 {
            let (rest, day) = text.split_at(text.len() - 2);
            let (year, month) = rest.split_at(rest.len() - 2);
            self.civil.day = wrapping_integer(day);
            self.civil.month = wrapping_integer(month);
            self.civil.year = wrapping_integer(year);
            if year.len() == 2 {
                self.two_digit_year = true;
            }
            return Ok(seen::DATE);
        }
        if mask & seen::TIME != seen::TIME && matches!(digits.len(), 4 | 6) {
            self.civil.hour = wrapping_integer(&digits[..2]);
            self.civil.minute = wrapping_integer(&digits[2..4]);
            self.civil.second = wrapping_integer(&digits[4..]);
            return Ok(seen::TIME);
        }
        Err(DecodeError::BadFormat)
    }

    /// Turns the year as written into the year as counted, and checks month and day.
    pub(crate) fn validate_date(&mut self, from_julian_day: bool, before_christ: bool) -> Result<(), DecodeError> {
        let civil = &mut self.civil;
        if self.seen & seen::YEAR != 0 && !from_julian_day {
            let year = civil.year;
            civil.year = match year {
                1.. if before_christ => 1 - year,
                0..=69 if self.two_digit_year && !before_christ => year + 2000,
                70..=99 if self.two_digit_year && !before_christ => year + 1900,
                1.. => year,
                _ => return Err(DecodeError::FieldOverflow),
            };
        }
        if self.seen & seen::DAY_OF_YEAR != 0 {
            civil.set_date(calendar::julian_day(civil.year, 1, 1) + i64::from(self.day_of_year) - 1);
        }
        let month_is_bad = self.seen & seen::MONTH != 0 && !(1..=12).contains(&civil.month);
        let day_is_bad = self.seen & seen::DAY != 0 && !(1..=31).contains(&civil.day);
        if month_is_bad || day_is_bad {
            return Err(DecodeError::MonthDayOverflow);
        }
        if self.seen & seen::DATE == seen::DATE && civil.day > calendar::days_in_month(civil.year, civil.month) {
            return Err(DecodeError::FieldOverflow);
        }
        Ok(())
    }
}
