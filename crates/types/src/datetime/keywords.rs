//! The words of dates, times and intervals, in lower case. As in PostgreSQL only a word's first ten characters count.

/// What a date or interval word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Month(i32),
    /// 0 is Sunday.
    DayOfWeek,
    Special(Special),
    Am,
    Pm,
    AnnoDomini,
    BeforeChrist,
    /// A word that says what the next number is.
    Unit(Unit),
    /// "t" before a time.
    IsoTime,
    /// "dst" after a zone abbreviation.
    DaylightModifier,
    /// "at", "on", "@"
    Ignored,
    Ago,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    Infinity,
    NegativeInfinity,
    Epoch,
    Now,
    Today,
    Tomorrow,
    Yesterday,
    Allballs,
}

/// Fields of dates and intervals, as input, EXTRACT and date_trunc name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    DayOfWeek,
    DayOfYear,
    IsoDayOfWeek,
    IsoYear,
    Julian,
    Epoch,
    TimeZone,
    TimeZoneHour,
    TimeZoneMinute,
    /// "t": what follows is a time.
    Time,
}

/// The part of a word that is compared.
pub(crate) fn significant_prefix(word: &str) -> &str {
    match word.char_indices().nth(10) {
        Some((end, _)) => &word[..end],
        None => word,
    }
}

/// A word of a date or time.
pub(crate) fn date_keyword(lower_word: &str) -> Option<Keyword> {
    use Keyword::*;
    Some(match significant_prefix(lower_word) {
        "-infinity" => Special(self::Special::NegativeInfinity),
        "infinity" => Special(self::Special::Infinity),
        "epoch" => Special(self::Special::Epoch),
        "now" => Special(self::Special::Now),
        "today" => Special(self::Special::Today),
        "tomorrow" => Special(self::Special::Tomorrow),
        "yesterday" => Special(self::Special::Yesterday),
        "allballs" => Special(self::Special::Allballs),
        "ad" => AnnoDomini,
        "bc" => BeforeChrist,
        "am" => Am,
        "pm" => Pm,
        "at" | "on" => Ignored,
        "dst" => DaylightModifier,
        "t" => IsoTime,
        "jan" | "january" => Month(1),
        "feb" | "february" => Month(2),
        "mar" | "march" => Month(3),
        "apr" | "april" => Month(4),
        "may" => Month(5),
        "jun" | "june" => Month(6),
        "jul" | "july" => Month(7),
        "aug" | "august" => Month(8),
        "sep" | "sept" | "september" => Month(9),
        "oct" | "october" => Month(10),
        "nov" | "november" => Month(11),
        "dec" | "december" => Month(12),
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "wednesday" | "weds" | "thu" | "thur"
        | "thurs" | "thursday" | "fri" | "friday" | "sat" | "saturday" => DayOfWeek,
        "d" => Unit(self::Unit::Day),
        "h" => Unit(self::Unit::Hour),
        "m" => Unit(self::Unit::Month),
        "mm" => Unit(self::Unit::Minute),
        "s" => Unit(self::Unit::Second),
        "y" => Unit(self::Unit::Year),
        "j" | "jd" | "julian" => Unit(self::Unit::Julian),
        "dow" => Unit(self::Unit::DayOfWeek),
        "doy" => Unit(self::Unit::DayOfYear),
        "isodow" => Unit(self::Unit::IsoDayOfWeek),
        "isoyear" => Unit(self::Unit::IsoYear),
        _ => return None,
    })
}

/// A word of an interval: a unit, "ago" or "@".
pub(crate) fn interval_keyword(lower_word: &str) -> Option<Keyword> {
    use Unit::*;
    Some(Keyword::Unit(match significant_prefix(lower_word) {
        "@" => return Some(Keyword::Ignored),
        "ago" => return Some(Keyword::Ago),
        "microsecon" | "us" | "usec" | "usecond" | "useconds" | "usecs" => Microsecond,
        "millisecon" | "ms" | "msec" | "msecond" | "mseconds" | "msecs" => Millisecond,
        "s" | "sec" | "second" | "seconds" | "secs" => Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Minute,
        "h" | "hour" | "hours" | "hr" | "hrs" => Hour,
        "d" | "day" | "days" => Day,
        "w" | "week" | "weeks" => Week,
        "mon" | "mons" | "month" | "months" => Month,
        "qtr" | "quarter" => Quarter,
        "y" | "year" | "years" | "yr" | "yrs" => Year,
        "dec" | "decade" | "decades" | "decs" => Decade,
        "c" | "cent" | "centuries" | "century" => Century,
        "mil" | "millennia" | "millennium" | "mils" => Millennium,
        "timezone" => TimeZone,
        "timezone_h" => TimeZoneHour,
        "timezone_m" => TimeZoneMinute,
        _ => return None,
    }))
}
