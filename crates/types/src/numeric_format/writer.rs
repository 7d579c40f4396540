//! Lays the digits of a number into a template.

use super::template::{Node, Pattern, SignPlace, Template};
use crate::datetime::template::{Ordinal, ordinal_ending};
use crate::{Error, Result, SqlState};

/// A number written out: digits and a point, without its sign.
pub(super) struct Digits<'a> {
    pub(super) text: &'a str,
    /// Digit patterns before the point that have no digit.
    pub(super) leading_blanks: usize,
    pub(super) is_negative: bool,
}

struct Writer<'a> {
    template: &'a Template,
    digits: &'a [u8],
    leading_blanks: usize,
    is_negative: bool,
    has_brackets: bool,
    sign_place: SignPlace,
    /// Index of the first digit pattern from which zeros are printed.
    zero_start: usize,
    sign_written: bool,
    /// Number of digit patterns less one, and one for a sign still to come.
    digit_count: i64,
    /// In fill mode, the last digit that is printed.
    last_relevant: Option<usize>,
    /// The digit at hand, and the digit pattern at hand.
    at: usize,
    pattern_index: usize,
    /// Whether a digit has been printed, so that separators are too.
    in_number: bool,
    out: String,
    /// Where the output ends because a pattern asked for a digit past the last.
    cut: Option<usize>,
}

/// The place of the last digit after the point that is not zero, or of the point.
fn last_relevant_digit(digits: &[u8]) -> Option<usize> {
    let point = digits.iter().position(|byte| *byte == b'.')?;
    Some(digits.iter().rposition(|byte| *byte != b'0').map_or(point, |last| last.max(point)))
}

/// Errors: 22P02 for the ordinal of NaN or infinity.
pub(super) fn write(template: &Template, number: &Digits<'_>) -> Result<String> {
    let digits = number.text.as_bytes();
    let mut writer = Writer {
        template,
        digits,
        leading_blanks: number.leading_blanks,
        is_negative: number.is_negative,
        has_brackets: template.has_brackets,
        sign_place: template.sign_place,
        zero_start: template.zero_start.saturating_sub(1),
        sign_written: true,
        digit_count: (template.before_point + template.after_point) as i64 - 1,
        last_relevant: None,
        at: 0,
        pattern_index: 0,
        in_number: false,
        out: String::with_capacity(template.nodes.len() + 8),
        cut: None,
    };
    if template.has_plus || template.has_minus {
        // MI and SG print the sign themselves; PL alone leaves a minus to be printed.
        writer.sign_written = template.has_minus;
    } else {
        if !number.is_negative && template.fill_mode {
            writer.has_brackets = false;
        }
        writer.sign_written = !number.is_negative && template.fill_mode && !template.has_sign;
        if writer.sign_place == SignPlace::Before && template.before_point == template.digits_before_sign {
            writer.sign_place = SignPlace::After;
        }
    }
    if template.fill_mode && template.has_point {
        writer.last_relevant = last_relevant_digit(digits).map(|last| {
            if template.zero_end <= number.leading_blanks {
                return last;
            }
            last.max((template.zero_end - number.leading_blanks).min(digits.len().saturating_sub(1)))
        });
    }
    if !writer.sign_written && number.leading_blanks == 0 {
        writer.digit_count += 1;
    }
    for node in &template.nodes {
        match node {
            Node::Char(c) => writer.out.push(*c),
            Node::Pattern(pattern) => writer.pattern(*pattern)?,
        }
    }
    writer.out.truncate(writer.cut.unwrap_or(writer.out.len()));
    Ok(writer.out)
}

/// A Roman numeral in a template: beside it only literal text counts.
pub(super) fn write_roman(template: &Template, numeral: &str) -> String {
    let mut out = String::new();
    for node in &template.nodes {
        match node {
            Node::Char(c) => out.push(*c),
            Node::Pattern(pattern @ (Pattern::Roman | Pattern::RomanLower)) => {
                let numeral = if *pattern == Pattern::Roman { numeral.to_owned() } else { numeral.to_ascii_lowercase() };
                out.push_str(&if template.fill_mode { numeral } else { format!("{numeral:>15}") });
            }
            Node::Pattern(Pattern::Comma | Pattern::Group | Pattern::Minus | Pattern::Plus) if !template.fill_mode => {
                out.push(' ');
            }
            Node::Pattern(Pattern::Currency) => out.push(' '),
            Node::Pattern(_) => {}
        }
    }
    out
}

impl Writer<'_> {
    fn digit(&self) -> Option<u8> {
        self.digits.get(self.at).copied()
    }

    fn last_relevant_is_point(&self) -> bool {
        self.last_relevant.is_some_and(|last| self.digits.get(last) == Some(&b'.'))
    }

    /// Whether the digit at hand is the lone zero before a point, which prints as a blank.
    fn is_blank_zero(&self) -> bool {
        !self.template.has_zero && self.at == 0 && self.digits.first() == Some(&b'0') && self.template.after_point != 0
    }

    fn pattern(&mut self, pattern: Pattern) -> Result<()> {
        let fill_mode = self.template.fill_mode;
        match pattern {
            Pattern::Nine | Pattern::Zero | Pattern::Point => self.digit_pattern(pattern),
            Pattern::Comma | Pattern::Group => {
                if self.in_number {
                    self.out.push(',');
                } else if !fill_mode {
                    self.out.push(' ');
                }
            }
            Pattern::Currency => self.out.push(' '),
            Pattern::Ordinal | Pattern::OrdinalLower
                if self.digits.first() != Some(&b'#') && !self.is_negative && !self.template.has_point =>
            {
                let ordinal = if pattern == Pattern::Ordinal { Ordinal::Upper } else { Ordinal::Lower };
                let text = String::from_utf8_lossy(self.digits);
                if !text.ends_with(|digit: char| digit.is_ascii_digit()) {
                    let message = format!("\"{text}\" is not a number");
                    return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
                }
                self.out.push_str(ordinal_ending(&text, ordinal));
            }
            Pattern::Minus if self.is_negative => self.out.push('-'),
            Pattern::Plus if !self.is_negative => self.out.push('+'),
            Pattern::Minus | Pattern::Plus if !fill_mode => self.out.push(' '),
            Pattern::SignOrPlus => self.out.push(if self.is_negative { '-' } else { '+' }),
            _ => {}
        }
        Ok(())
    }

    fn write_sign(&mut self) {
        let zeros_begin = self.template.has_zero && self.zero_start == self.pattern_index;
        let is_due = self.pattern_index >= self.leading_blanks || zeros_begin;
        if self.sign_written || !is_due || (self.is_blank_zero() && !self.last_relevant_is_point()) {
            return;
        }
        if self.template.has_sign {
            if self.sign_place == SignPlace::Before {
                self.out.push(if self.is_negative { '-' } else { '+' });
                self.sign_written = true;
            }
            return;
        }
        if self.has_brackets {
            self.out.push(if self.is_negative { '<' } else { ' ' });
        } else if self.is_negative {
            self.out.push('-');
        } else if !self.template.fill_mode {
            self.out.push(' ');
        }
        self.sign_written = true;
    }

    fn digit_pattern(&mut self, pattern: Pattern) {
        let template = self.template;
        self.in_number = false;
        self.write_sign();
        if self.pattern_index < self.leading_blanks {
            if template.has_zero && self.zero_start <= self.pattern_index {
                self.out.push('0');
                self.in_number = true;
            } else if !template.fill_mode {
                self.out.push(' ');
            }
        } else {
            self.write_digit(pattern);
            if self.at < self.digits.len() {
                self.at += 1;
            }
        }
        let mut end = self.digit_count + i64::from(self.leading_blanks > 0) + i64::from(template.has_point);
        if self.last_relevant == Some(self.at) {
            end = self.pattern_index as i64;
        }
        if self.pattern_index as i64 + 1 == end {
            if self.sign_written && self.has_brackets {
                self.out.push(if self.is_negative { '>' } else { ' ' });
            } else if template.has_sign && self.sign_place == SignPlace::After {
                self.out.push(if self.is_negative { '-' } else { '+' });
            }
        }
        self.pattern_index += 1;
    }

    fn write_digit(&mut self, pattern: Pattern) {
        let fill_mode = self.template.fill_mode;
        match self.digit() {
            Some(b'.') => {
                if !self.last_relevant_is_point() || fill_mode {
                    self.out.push('.');
                }
            }
            _ if self.last_relevant.is_some_and(|last| self.at > last) && pattern != Pattern::Zero => {}
            _ if self.is_blank_zero() => {
                if !fill_mode {
                    self.out.push(' ');
                } else if self.last_relevant_is_point() {
                    self.out.push('0');
                }
            }
            Some(digit) => {
                self.out.push(char::from(digit));
                self.in_number = true;
            }
            None => self.cut = self.cut.or(Some(self.out.len())),
        }
    }
}
