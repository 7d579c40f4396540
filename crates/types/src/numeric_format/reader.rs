//! Reads a number by a template: digits where the template has digits, other characters skipped loosely.

use super::template::{Node, Pattern, SignPlace, Template};

struct Reader<'a> {
    template: &'a Template,
    text: &'a [u8],
    at: usize,
    sign: Option<u8>,
    digits: String,
    has_point: bool,
    digits_before: usize,
    digits_after: usize,
}

/// The number as text for numeric input, and how many decimals were read.
pub(super) fn read(template: &Template, text: &str) -> (String, usize) {
    let mut reader = Reader {
        template,
        text: text.as_bytes(),
        at: 0,
        sign: None,
        digits: String::new(),
        has_point: false,
        digits_before: 0,
        digits_after: 0,
    };
    for node in &template.nodes {
        if reader.peek().is_none() {
            break;
        }
        match node {
            Node::Char(_) => reader.skip_character(),
            Node::Pattern(pattern) => reader.pattern(*pattern),
        }
    }
    let digits = reader.digits.strip_suffix('.').unwrap_or(&reader.digits);
    (format!("{}{digits}", char::from(reader.sign.unwrap_or(b' '))), reader.digits_after)
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// A digit pattern takes one byte, whatever it is.
    fn skip(&mut self) {
        self.at += 1;
    }

    fn skip_character(&mut self) {
        self.at += match self.peek() {
            Some(0xc0..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..) => 4,
            _ => 1,
        };
    }

    /// Skips characters that cannot be part of a number.
    fn skip_other_text(&mut self, count: usize) {
        for _ in 0..count {
            if self.peek().is_some_and(|c| !matches!(c, b'0'..=b'9' | b'.' | b',' | b'+' | b'-')) {
                self.skip_character();
            }
        }
    }

    fn pattern(&mut self, pattern: Pattern) {
        match pattern {
            Pattern::Nine | Pattern::Zero | Pattern::Point => {
                self.digit_pattern(pattern);
                self.skip();
            }
            Pattern::Comma | Pattern::Group if !self.template.fill_mode && self.peek() == Some(b',') => {
                self.skip();
            }
            Pattern::Currency => self.skip_other_text(1),
            Pattern::Ordinal | Pattern::OrdinalLower => {
                let has_ordinal = self.sign != Some(b'-') && !self.template.has_point;
                self.skip_other_text(if has_ordinal { 2 } else { 0 });
            }
            Pattern::Minus => self.sign_pattern(b"-"),
            Pattern::Plus => self.sign_pattern(b"+"),
            Pattern::SignOrPlus => self.sign_pattern(b"-+"),
            _ => {}
        }
    }

    fn sign_pattern(&mut self, signs: &[u8]) {
        match self.peek() {
            Some(c) if signs.contains(&c) => {
                self.sign = Some(c);
                self.skip();
            }
            _ => self.skip_other_text(1),
        }
    }

    fn take_sign(&mut self) -> bool {
        let sign = self.peek().filter(|c| matches!(c, b'+' | b'-'));
        if sign.is_some() {
            self.sign = sign;
        }
        sign.is_some()
    }

    /// Reads a digit or the point at hand, without passing it, and signs around it.
    fn digit_pattern(&mut self, pattern: Pattern) {
        let template = self.template;
        if self.peek() == Some(b' ') {
            self.skip();
        }
        let is_first = self.digits_before + self.digits_after == 0;
        if self.sign.is_none() && pattern != Pattern::Point && is_first {
            if template.has_sign && template.sign_place == SignPlace::Before {
                if self.take_sign() {
                    self.skip();
                }
            } else if template.has_brackets && self.peek() == Some(b'<') {
                self.sign = Some(b'-');
                self.skip();
            } else if self.take_sign() {
                self.skip();
            }
        }
        let Some(c) = self.peek() else { return };
        let mut was_read = false;
        if c.is_ascii_digit() {
            if self.has_point && self.digits_after == template.after_point {
                return;
            }
            self.digits.push(char::from(c));
            *(if self.has_point { &mut self.digits_after } else { &mut self.digits_before }) += 1;
            was_read = true;
        } else if template.has_point && !self.has_point && c == b'.' {
            self.digits.push('.');
            self.has_point = true;
            was_read = true;
        }
        if self.sign.is_none() && self.digits_before + self.digits_after > 0 {
            self.sign_behind(was_read);
        }
    }

    /// A sign behind the last digit: of S where it is due, of MI, PL and SG anywhere.
    fn sign_behind(&mut self, was_read: bool) {
        let template = self.template;
        let next = self.text.get(self.at + 1);
        if template.has_sign && was_read && next.is_some_and(|c| !c.is_ascii_digit()) {
            let before = self.at;
            self.skip();
            if !self.take_sign() {
                self.at = before;
            }
        } else if !was_read && !template.has_sign && (template.has_plus || template.has_minus) {
            self.take_sign();
        }
    }
}
