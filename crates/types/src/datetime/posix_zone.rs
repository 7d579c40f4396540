//! POSIX time zone specifications ("EST5EDT", "<+02>-02", "AAA3BBB,M3.2.0,M11.1.0/3"), read as leniently as PostgreSQL reads them.

use jiff::tz::{Offset, TimeZone};

/// Daylight-saving rules of a specification that names none.
const DEFAULT_RULES: &str = ",M3.2.0,M11.1.0";
const MAX_HOURS: u32 = 24 * 7 - 1;

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !accept(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A quoted or bare abbreviation, possibly empty.
    fn abbreviation(&mut self) -> Option<&'a str> {
        if self.skip(b'<') {
            let name = self.take_while(|c| c != '>');
            return self.skip(b'>').then_some(name);
        }
        Some(self.take_while(|c| !c.is_ascii_digit() && !matches!(c, ',' | '-' | '+')))
    }

    fn number(&mut self, min: u32, max: u32) -> Option<u32> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        let value = digits.parse().ok()?;
        (min..=max).contains(&value).then_some(value)
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    fn offset(&mut self) -> Option<i32> {
        let negative = self.skip(b'-');
        if !negative {
            self.skip(b'+');
        }
        let mut seconds = self.number(0, MAX_HOURS)? * 3600;
        if self.skip(b':') {
            seconds += self.number(0, 59)? * 60;
            if self.skip(b':') {
                seconds += self.number(0, 60)?;
            }
        }
        Some(if negative { -(seconds as i32) } else { seconds as i32 })
    }

    /// `Jn`, `n` or `Mm.w.d`, with an optional `/time`.
    fn rule(&mut self) -> Option<()> {
        if self.skip(b'J') {
            self.number(1, 365)?;
        } else if self.skip(b'M') {
            self.number(1, 12)?;
            self.skip(b'.').then_some(())?;
            self.number(1, 5)?;
            self.skip(b'.').then_some(())?;
            self.number(0, 6)?;
        } else {
            self.number(0, 365)?;
        }
        if self.skip(b'/') {
            self.offset()?;
        }
        Some(())
    }
}

fn offset_text(seconds: i32) -> String {
    let magnitude = seconds.unsigned_abs();
    let sign = if seconds < 0 { "-" } else { "+" };
    format!("{sign}{}:{:02}:{:02}", magnitude / 3600, magnitude / 60 % 60, magnitude % 60)
}

/// An abbreviation as the time zone library takes it: 3 to 30 letters, digits and signs. PostgreSQL takes any; one that is not so
/// is made so, and only it prints differently.
fn library_name(name: &str) -> String {
    let accepted = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '+' | '-') { c } else { '-' };
    let name: String = name.chars().map(accepted).take(30).collect();
    format!("{name:-<3}")
}

/// The zone that a specification describes; None when it is none.
pub(crate) fn posix_zone(specification: &str) -> Option<TimeZone> {
    let upper = specification.to_ascii_uppercase();
    let mut reader = Reader { rest: &upper };
    let standard_name = reader.abbreviation()?;
    if reader.rest.is_empty() {
        return None;
    }
    let standard_offset = reader.offset()?;
    if reader.rest.is_empty() {
        // A constant offset that the library names itself is called "+05:30", which is what such names usually are.
        let named = format!("<{standard_name}>{}", offset_text(standard_offset));
        return TimeZone::posix(&named).ok().or_else(|| Some(TimeZone::fixed(Offset::from_seconds(-standard_offset).ok()?)));
    }
    let daylight_name = reader.abbreviation()?;
    if daylight_name.is_empty() {
        return None;
    }
    let daylight_offset = match reader.peek() {
        None | Some(b',' | b';') => standard_offset - 3600,
        Some(_) => reader.offset()?,
    };
    let rules = if reader.rest.is_empty() {
        DEFAULT_RULES.to_owned()
    } else {
        let rules = reader.rest.replacen(';', ",", 1);
        (reader.skip(b',') || reader.skip(b';')).then_some(())?;
        reader.rule()?;
        reader.skip(b',').then_some(())?;
        reader.rule()?;
        if !reader.rest.is_empty() {
            return None;
        }
        rules
    };
    let standard = offset_text(standard_offset);
    let daylight = offset_text(daylight_offset);
    let (standard_name, daylight_name) = (library_name(standard_name), library_name(daylight_name));
    TimeZone::posix(&format!("<{standard_name}>{standard}<{daylight_name}>{daylight}{rules}")).ok()
}
