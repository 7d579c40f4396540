//! Intervals in ISO 8601: with designators (P1Y2M3DT4H5M6S), and the alternative formats (P0001-02-03T04:05:06, P00010203T040506).

use super::decode::DecodeError;
use super::decode_interval::Span;
use super::{US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND};

const DAYS_PER_WEEK: i32 = 7;
const MAX_NUMBER: f64 = 1.0e15;

struct Reader<'a> {
    rest: &'a str,
    span: Span,
}

/// A number split at its point, and how many digits were before it.
struct Number {
    value: i64,
    fraction: f64,
    digits: usize,
}

type Outcome<T> = Result<T, DecodeError>;

fn fits(added: Option<()>) -> Outcome<()> {
    added.ok_or(DecodeError::FieldOverflow)
}

impl Reader<'_> {
    /// The character at hand, which is then passed; None at the end.
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn skip(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A number as C's `strtod` reads it: sign, digits, fraction, exponent.
    fn number(&mut self) -> Outcome<Number> {
        let text = self.rest;
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
            return Err(DecodeError::BadFormat);
        }
        let digits_from = |start: usize| text[start..].bytes().take_while(u8::is_ascii_digit).count();
        let sign = usize::from(text.starts_with('-'));
        let digits = digits_from(sign);
        let mut end = sign + digits;
        if text[end..].starts_with('.') && (digits > 0 || digits_from(end + 1) > 0) {
            end += 1 + digits_from(end + 1);
        }
        if end == sign {
            return Err(DecodeError::BadFormat);
        }
        if text[end..].starts_with(['e', 'E']) {
            let sign = usize::from(text[end + 1..].starts_with(['-', '+']));
            match digits_from(end + 1 + sign) {
                0 => {}
                exponent_digits => end += 1 + sign + exponent_digits,
            }
        }
        let number: f64 = text[..end].parse().map_err(|_| DecodeError::BadFormat)?;
        if !(-MAX_NUMBER..=MAX_NUMBER).contains(&number) {
            return Err(DecodeError::FieldOverflow);
        }
        self.rest = &text[end..];
        Ok(Number { value: number.trunc() as i64, fraction: number - number.trunc(), digits })
    }

    /// A date in the alternative format, its first number being read and `unit` after it. Whether a time follows.
    fn alternative_date(&mut self, first: Number, unit: Option<char>, is_first: bool) -> Outcome<bool> {
        if !is_first {
            return Err(DecodeError::BadFormat);
        }
        if unit != Some('-') && first.digits == 8 {
            let span = &mut self.span;
            fits(span.add_years(first.value / 10_000, 0.0, 1))?;
            fits(span.add_months(first.value / 100 % 100, 0.0))?;
            fits(span.add_days(first.value % 100, 1))?;
            fits(span.add_fraction_us(first.fraction, US_PER_DAY))?;
            return Ok(unit == Some('T'));
        }
        fits(self.span.add_years(first.value, first.fraction, 1))?;
        if unit != Some('-') {
            return Ok(unit == Some('T'));
        }
        let months = self.number()?;
        fits(self.span.add_months(months.value, months.fraction))?;
        if self.rest.is_empty() || self.skip('T') {
            return Ok(!self.rest.is_empty());
        }
        if !self.skip('-') {
            return Err(DecodeError::BadFormat);
        }
        let days = self.number()?;
        fits(self.span.add_days(days.value, 1))?;
        fits(self.span.add_fraction_us(days.fraction, US_PER_DAY))?;
        if self.rest.is_empty() || self.skip('T') { Ok(!self.rest.is_empty()) } else { Err(DecodeError::BadFormat) }
    }

    fn alternative_time(&mut self, first: Number, unit: Option<char>, is_first: bool) -> Outcome<()> {
        let span = &mut self.span;
        if !is_first {
            return Err(DecodeError::BadFormat);
        }
        if unit.is_none() && first.digits == 6 {
            fits(span.add_us(first.value / 10_000, 0.0, US_PER_HOUR))?;
            fits(span.add_us(first.value / 100 % 100, 0.0, US_PER_MINUTE))?;
            fits(span.add_us(first.value % 100, 0.0, US_PER_SECOND))?;
            return fits(span.add_fraction_us(first.fraction, 1));
        }
        fits(span.add_us(first.value, first.fraction, US_PER_HOUR))?;
        if unit.is_none() {
            return Ok(());
        }
        let minutes = self.number()?;
        fits(self.span.add_us(minutes.value, minutes.fraction, US_PER_MINUTE))?;
        if self.rest.is_empty() {
            return Ok(());
        }
        if !self.skip(':') {
            return Err(DecodeError::BadFormat);
        }
        let seconds = self.number()?;
        fits(self.span.add_us(seconds.value, seconds.fraction, US_PER_SECOND))?;
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::BadFormat) }
    }
}

/// Decodes "P...".
pub(crate) fn decode_iso_interval(text: &str) -> Outcome<Span> {
    let rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or(DecodeError::BadFormat)?;
    let mut reader = Reader { rest, span: Span::default() };
    let (mut in_date, mut is_first) = (true, true);
    while !reader.rest.is_empty() {
        if reader.skip('T') {
            (in_date, is_first) = (false, true);
            continue;
        }
        let number = reader.number()?;
        let (value, fraction) = (number.value, number.fraction);
        let unit = reader.next();
        let span = &mut reader.span;
        let added = match (in_date, unit) {
            (true, Some('Y')) => span.add_years(value, fraction, 1),
            (true, Some('M')) => span.add_months(value, fraction),
            (true, Some('W')) => {
                span.add_days(value, DAYS_PER_WEEK).and_then(|()| span.add_fraction_days(fraction, DAYS_PER_WEEK))
            }
            (true, Some('D')) => span.add_days(value, 1).and_then(|()| span.add_fraction_us(fraction, US_PER_DAY)),
            (true, None | Some('T' | '-')) => {
                if !reader.alternative_date(number, unit, is_first)? {
                    return Ok(reader.span);
                }
                (in_date, is_first) = (false, true);
                continue;
            }
            (false, Some('H')) => span.add_us(value, fraction, US_PER_HOUR),
            (false, Some('M')) => span.add_us(value, fraction, US_PER_MINUTE),
            (false, Some('S')) => span.add_us(value, fraction, US_PER_SECOND),
            (false, None | Some(':')) => {
                reader.alternative_time(number, unit, is_first)?;
                return Ok(reader.span);
            }
            _ => return Err(DecodeError::BadFormat),
        };
        fits(added)?;
        is_first = false;
    }
    Ok(reader.span)
}
