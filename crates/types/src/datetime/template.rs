//! The format templates of to_char, to_date and to_timestamp: patterns with their modifiers, and the text between them.

/// What a pattern stands for; its spelling (`name`) says which case names are printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    EraDots,
    MeridiemDots,
    Era,
    Meridiem,
    Century,
    DayName,
    DayOfYear,
    DayOfMonth,
    DayNameShort,
    DayOfWeek,
    Fraction(u8),
    FixedWidth,
    Hour24,
    Hour12,
    IsoDayOfYear,
    IsoDayOfWeek,
    IsoWeek,
    /// That many last digits of the ISO year.
    IsoYear(u8),
    JulianDay,
    Minute,
    Month,
    MonthName,
    MonthNameShort,
    Millisecond,
    ZoneOffset,
    Quarter,
    RomanMonth,
    SecondOfDay,
    Second,
    ZoneHours,
    ZoneMinutes,
    ZoneName,
    Microsecond,
    WeekOfYear,
    WeekOfMonth,
    YearWithComma,
    /// That many last digits of the year.
    Year(u8),
}

/// Which calendar a pattern belongs to; the two cannot be mixed on input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calendar {
    Any,
    Gregorian,
    IsoWeek,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it reads digits only, so that a number before it must keep to its width.
    pub(crate) is_digit: bool,
    pub(crate) calendar: Calendar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ordinal {
    None,
    Upper,
    Lower,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    Pattern { pattern: Pattern, fill_mode: bool, translated: bool, ordinal: Ordinal },
    Separator(char),
    Space(char),
    Char(char),
}

const fn pattern(name: &'static str, kind: Kind, is_digit: bool, calendar: Calendar) -> Pattern {
    Pattern { name, kind, is_digit, calendar }
}

use Calendar::{Any as A, Gregorian as G, IsoWeek as I};
use Kind::*;

/// In PostgreSQL's order: of patterns with the same first letter the first that fits is taken.
#[rustfmt::skip]
static PATTERNS: &[Pattern] = &[
    pattern("A.D.", EraDots, false, A), pattern("A.M.", MeridiemDots, false, A), pattern("AD", Era, false, A),
    pattern("AM", Meridiem, false, A), pattern("B.C.", EraDots, false, A), pattern("BC", Era, false, A),
    pattern("CC", Century, true, A), pattern("DAY", DayName, false, A), pattern("DDD", DayOfYear, true, G),
    pattern("DD", DayOfMonth, true, G), pattern("DY", DayNameShort, false, A), pattern("Day", DayName, false, A),
    pattern("Dy", DayNameShort, false, A), pattern("D", DayOfWeek, true, G), pattern("FF1", Fraction(1), true, A),
    pattern("FF2", Fraction(2), true, A), pattern("FF3", Fraction(3), true, A), pattern("FF4", Fraction(4), true, A),
    pattern("FF5", Fraction(5), true, A), pattern("FF6", Fraction(6), true, A), pattern("FX", FixedWidth, false, A),
    pattern("HH24", Hour24, true, A), pattern("HH12", Hour12, true, A), pattern("HH", Hour12, true, A),
    pattern("IDDD", IsoDayOfYear, true, I), pattern("ID", IsoDayOfWeek, true, I), pattern("IW", IsoWeek, true, I),
    pattern("IYYY", IsoYear(4), true, I), pattern("IYY", IsoYear(3), true, I), pattern("IY", IsoYear(2), true, I),
    pattern("I", IsoYear(1), true, I), pattern("J", JulianDay, true, A), pattern("MI", Minute, true, A),
    pattern("MM", Month, true, G), pattern("MONTH", MonthName, false, G), pattern("MON", MonthNameShort, false, G),
    pattern("MS", Millisecond, true, A), pattern("Month", MonthName, false, G), pattern("Mon", MonthNameShort, false, G),
    pattern("OF", ZoneOffset, false, A), pattern("P.M.", MeridiemDots, false, A), pattern("PM", Meridiem, false, A),
    pattern("Q", Quarter, true, A), pattern("RM", RomanMonth, false, G), pattern("SSSSS", SecondOfDay, true, A),
    pattern("SSSS", SecondOfDay, true, A), pattern("SS", Second, true, A), pattern("TZH", ZoneHours, false, A),
    pattern("TZM", ZoneMinutes, true, A), pattern("TZ", ZoneName, false, A), pattern("US", Microsecond, true, A),
    pattern("WW", WeekOfYear, true, G), pattern("W", WeekOfMonth, true, G), pattern("Y,YYY", YearWithComma, true, G),
    pattern("YYYY", Year(4), true, G), pattern("YYY", Year(3), true, G), pattern("YY", Year(2), true, G),
    pattern("Y", Year(1), true, G),
    pattern("a.d.", EraDots, false, A), pattern("a.m.", MeridiemDots, false, A), pattern("ad", Era, false, A),
    pattern("am", Meridiem, false, A), pattern("b.c.", EraDots, false, A), pattern("bc", Era, false, A),
    pattern("cc", Century, true, A), pattern("day", DayName, false, A), pattern("ddd", DayOfYear, true, G),
    pattern("dd", DayOfMonth, true, G), pattern("dy", DayNameShort, false, A), pattern("d", DayOfWeek, true, G),
    pattern("ff1", Fraction(1), true, A), pattern("ff2", Fraction(2), true, A), pattern("ff3", Fraction(3), true, A),
    pattern("ff4", Fraction(4), true, A), pattern("ff5", Fraction(5), true, A), pattern("ff6", Fraction(6), true, A),
    pattern("fx", FixedWidth, false, A), pattern("hh24", Hour24, true, A), pattern("hh12", Hour12, true, A),
    pattern("hh", Hour12, true, A), pattern("iddd", IsoDayOfYear, true, I), pattern("id", IsoDayOfWeek, true, I),
    pattern("iw", IsoWeek, true, I), pattern("iyyy", IsoYear(4), true, I), pattern("iyy", IsoYear(3), true, I),
    pattern("iy", IsoYear(2), true, I), pattern("i", IsoYear(1), true, I), pattern("j", JulianDay, true, A),
    pattern("mi", Minute, true, A), pattern("mm", Month, true, G), pattern("month", MonthName, false, G),
    pattern("mon", MonthNameShort, false, G), pattern("ms", Millisecond, true, A), pattern("of", ZoneOffset, false, A),
    pattern("p.m.", MeridiemDots, false, A), pattern("pm", Meridiem, false, A), pattern("q", Quarter, true, A),
    pattern("rm", RomanMonth, false, G), pattern("sssss", SecondOfDay, true, A), pattern("ssss", SecondOfDay, true, A),
    pattern("ss", Second, true, A), pattern("tzh", ZoneHours, false, A), pattern("tzm", ZoneMinutes, true, A),
    pattern("tz", ZoneName, false, A), pattern("us", Microsecond, true, A), pattern("ww", WeekOfYear, true, G),
    pattern("w", WeekOfMonth, true, G), pattern("y,yyy", YearWithComma, true, G), pattern("yyyy", Year(4), true, G),
    pattern("yyy", Year(3), true, G), pattern("yy", Year(2), true, G), pattern("y", Year(1), true, G),
];

/// Splits double-quoted text and escapes off a template: the characters quoted, and the rest after the closing quote.
pub(crate) fn quoted_text(text: &str) -> (Vec<char>, &str) {
    let mut characters = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => characters.push(chars.next().unwrap_or('\\')),
            _ => characters.push(c),
        }
    }
    (characters, chars.as_str())
}

pub(crate) fn is_separator(c: char) -> bool {
    c.is_ascii_graphic() && !c.is_ascii_alphanumeric()
}

pub(crate) fn parse_template(text: &str) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (mut fill_mode, mut translated) = (false, false);
        if let Some(after) = rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
            (fill_mode, rest) = (true, after);
        } else if let Some(after) = rest.strip_prefix("TM").or_else(|| rest.strip_prefix("tm")) {
            (translated, rest) = (true, after);
        }
        if let Some(pattern) = PATTERNS.iter().find(|pattern| rest.starts_with(pattern.name)) {
            rest = &rest[pattern.name.len()..];
            let mut ordinal = Ordinal::None;
            for (suffix, meaning) in [("TH", Ordinal::Upper), ("th", Ordinal::Lower), ("SP", Ordinal::None)] {
                if let Some(after) = rest.strip_prefix(suffix) {
                    (ordinal, rest) = (meaning, after);
                    break;
                }
            }
            nodes.push(Node::Pattern { pattern: *pattern, fill_mode, translated, ordinal });
        } else if let Some(after) = rest.strip_prefix('"') {
            let (characters, after) = quoted_text(after);
            nodes.extend(characters.into_iter().map(Node::Char));
            rest = after;
        } else {
            if rest.starts_with("\\\"") {
                rest = &rest[1..];
            }
            let mut chars = rest.chars();
            if let Some(c) = chars.next() {
                nodes.push(match c {
                    _ if is_separator(c) => Node::Separator(c),
                    _ if c.is_ascii_whitespace() => Node::Space(c),
                    _ => Node::Char(c),
                });
            }
            rest = chars.as_str();
        }
    }
    nodes
}

/// The English ordinal ending of a number written in digits.
pub(crate) fn ordinal_ending(number: &str, ordinal: Ordinal) -> &'static str {
    let digits = number.as_bytes();
    let is_teen = digits.len() > 1 && digits[digits.len() - 2] == b'1';
    let lower = match digits.last() {
        Some(b'1') if !is_teen => "st",
        Some(b'2') if !is_teen => "nd",
        Some(b'3') if !is_teen => "rd",
        _ => "th",
    };
    match (ordinal, lower) {
        (Ordinal::None, _) => "",
        (Ordinal::Lower, _) => lower,
        (Ordinal::Upper, "st") => "ST",
        (Ordinal::Upper, "nd") => "ND",
        (Ordinal::Upper, "rd") => "RD",
        (Ordinal::Upper, _) => "TH",
    }
}
