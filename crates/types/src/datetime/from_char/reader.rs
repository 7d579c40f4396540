//! The input of to_timestamp and to_date as it is read: numbers of fixed or free width, names, blanks.

use super::format_error;
use crate::datetime::template::Pattern;
use crate::{Error, Result, SqlState};

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) rest: &'a str,
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

pub(super) fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

impl<'a> Reader<'a> {
    pub(super) fn skip_spaces(&mut self) -> i32 {
        let before = self.rest.len();
        self.rest = self.rest.trim_start_matches(is_space);
        (before - self.rest.len()) as i32
    }

    pub(super) fn skip_char(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    pub(super) fn last_skipped(&self) -> Option<char> {
        self.text[..self.text.len() - self.rest.len()].chars().next_back()
    }

    /// A number of a pattern: of exactly `width` characters when digits follow in the template, else as long as it is.
    /// The value, and how many bytes it took.
    pub(super) fn number(&mut self, pattern: &Pattern, width: usize, is_free: bool) -> Result<(i32, usize)> {
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

    pub(super) fn invalid_value(&self, value: &str, pattern: &Pattern) -> Error {
        format_error(format!("invalid value \"{value}\" for \"{}\"", pattern.name))
    }

    /// The place in `names` of the first name that the text starts with, in any case.
    pub(super) fn name(&mut self, names: &[&str], pattern: &Pattern) -> Result<i32> {
        let starts_with = |name: &&str| self.rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        match names.iter().position(starts_with) {
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

    pub(super) fn year_with_comma(&mut self) -> Result<i32> {
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
