//! Text output of dates, times, timestamps and intervals in every DateStyle and IntervalStyle.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::calendar::{Civil, IntervalFields, day_of_week, from_julian_day};
use super::zone::zone_info_at;
use super::{Date, EPOCH_JULIAN_DAY, Interval, Time, TimeTz, Timestamp, TimestampTz, US_PER_SECOND};
use crate::FormatSettings;
use crate::format_settings::{DateOrder, DateStyle, IntervalStyle};

/// Names in the C locale, as all of PostgreSQL's own output has them.
pub(crate) const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
pub(crate) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Longest zone abbreviation that is printed.
const MAX_ZONE_NAME: usize = 10;

fn push_two_digits(out: &mut String, value: i32) {
    push_padded(out, i64::from(value), 2);
}

fn push_padded(out: &mut String, value: i64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    for _ in digits.len()..width {
        out.push('0');
    }
    out.push_str(digits);
}

/// The year as it is written: 1 BC is year 0.
fn push_year(out: &mut String, year: i32) {
    push_padded(out, if year > 0 { i64::from(year) } else { 1 - i64::from(year) }, 4);
}

/// Seconds with as many decimals as are needed.
fn push_seconds(out: &mut String, seconds: i32, microseconds: i32, width: usize) {
    push_padded(out, i64::from(seconds.unsigned_abs()), width);
    if microseconds != 0 {
        out.push('.');
        push_padded(out, i64::from(microseconds.unsigned_abs()), 6);
        out.truncate(out.trim_end_matches('0').len());
    }
}

fn push_clock(out: &mut String, civil: &Civil) {
    push_two_digits(out, civil.hour);
    out.push(':');
    push_two_digits(out, civil.minute);
    out.push(':');
    push_seconds(out, civil.second, civil.microsecond, 2);
}

/// "+05:30"; minutes and seconds where they are not zero.
pub(crate) fn push_zone_offset(out: &mut String, seconds_east: i32) {
    let magnitude = seconds_east.unsigned_abs();
    let (hours, minutes, seconds) = (magnitude / 3600, magnitude / 60 % 60, magnitude % 60);
    out.push(if seconds_east >= 0 { '+' } else { '-' });
    push_padded(out, i64::from(hours), 2);
    if minutes != 0 || seconds != 0 {
        out.push(':');
        push_padded(out, i64::from(minutes), 2);
    }
    if seconds != 0 {
        out.push(':');
        push_padded(out, i64::from(seconds), 2);
    }
}

/// Month and day in the order of the session, with a separator.
fn push_month_day(out: &mut String, civil: &Civil, order: DateOrder, separator: char) {
    let (first, second) = if order == DateOrder::Dmy { (civil.day, civil.month) } else { (civil.month, civil.day) };
    push_two_digits(out, first);
    out.push(separator);
    push_two_digits(out, second);
}

fn push_iso_date(out: &mut String, civil: &Civil) {
    push_year(out, civil.year);
    out.push('-');
    push_two_digits(out, civil.month);
    out.push('-');
    push_two_digits(out, civil.day);
}

/// The date in every style but that of PostgreSQL's traditional timestamps.
fn push_numeric_date(out: &mut String, civil: &Civil, settings: &FormatSettings) {
    match settings.date_style {
        DateStyle::Iso => return push_iso_date(out, civil),
        DateStyle::Sql => {
            push_month_day(out, civil, settings.date_order, '/');
            out.push('/');
        }
        DateStyle::German => {
            push_month_day(out, civil, DateOrder::Dmy, '.');
            out.push('.');
        }
        DateStyle::Postgres => {
            push_month_day(out, civil, settings.date_order, '-');
            out.push('-');
        }
    }
    push_year(out, civil.year);
}

fn push_era(out: &mut String, civil: &Civil) {
    if civil.year <= 0 {
        out.push_str(" BC");
    }
}

/// A timestamp; `zone` is its offset in seconds east and its abbreviation.
fn push_timestamp(out: &mut String, civil: &Civil, zone: Option<(i32, &str)>, settings: &FormatSettings) {
    if settings.date_style == DateStyle::Postgres {
        out.push_str(&DAYS[day_of_week(civil.julian_day()) as usize][..3]);
        out.push(' ');
        let month = &MONTHS[(civil.month - 1) as usize][..3];
        if settings.date_order == DateOrder::Dmy {
            push_two_digits(out, civil.day);
            out.push(' ');
            out.push_str(month);
        } else {
            out.push_str(month);
            out.push(' ');
            push_two_digits(out, civil.day);
        }
        out.push(' ');
        push_clock(out, civil);
        out.push(' ');
        push_year(out, civil.year);
    } else {
        push_numeric_date(out, civil, settings);
        out.push(' ');
        push_clock(out, civil);
    }
    match zone {
        Some((seconds_east, _)) if settings.date_style == DateStyle::Iso => push_zone_offset(out, seconds_east),
        Some((_, abbreviation)) if !abbreviation.is_empty() => {
            out.push(' ');
            out.extend(abbreviation.chars().take(MAX_ZONE_NAME));
        }
        Some((seconds_east, _)) => {
            if settings.date_style == DateStyle::Postgres {
                out.push(' ');
            }
            push_zone_offset(out, seconds_east);
        }
        None => {}
    }
    push_era(out, civil);
}

fn push_infinity(out: &mut String, is_positive: bool) {
    out.push_str(if is_positive { "infinity" } else { "-infinity" });
}

impl Date {
    pub fn print(&self, settings: &FormatSettings, out: &mut String) {
        if !self.is_finite() {
            return push_infinity(out, *self == Date::INFINITY);
        }
        let civil = self.to_civil();
        push_numeric_date(out, &civil, settings);
        push_era(out, &civil);
    }

    /// The fields of a finite date.
    pub(crate) fn to_civil(self) -> Civil {
        let (year, month, day) = from_julian_day(i64::from(self.0) + EPOCH_JULIAN_DAY);
        Civil { year, month, day, ..Civil::default() }
    }
}

impl Time {
    pub fn print(&self, _settings: &FormatSettings, out: &mut String) {
        push_clock(out, &self.to_civil());
    }

    pub(crate) fn to_civil(self) -> Civil {
        let mut civil = Civil::default();
        civil.set_clock(self.0);
        civil
    }
}

impl TimeTz {
    pub fn print(&self, settings: &FormatSettings, out: &mut String) {
        Time(self.time_us).print(settings, out);
        push_zone_offset(out, -self.zone_seconds_west);
    }
}

impl Timestamp {
    pub fn print(&self, settings: &FormatSettings, out: &mut String) {
        if !self.is_finite() {
            return push_infinity(out, *self == Timestamp::INFINITY);
        }
        push_timestamp(out, &Civil::from_local_us(self.0), None, settings);
    }
}

impl TimestampTz {
    pub fn print(&self, settings: &FormatSettings, out: &mut String) {
        if !self.is_finite() {
            return push_infinity(out, *self == TimestampTz::INFINITY);
        }
        if settings.date_style == DateStyle::Iso {
            let (civil, seconds_east) = self.to_civil(&settings.time_zone);
            return push_timestamp(out, &civil, Some((seconds_east, "")), settings);
        }
        let info = zone_info_at(&settings.time_zone, self.0);
        let civil = Civil::from_local_us(self.0 + i64::from(info.seconds_east) * US_PER_SECOND);
        push_timestamp(out, &civil, Some((info.seconds_east, &info.abbreviation)), settings);
    }

    /// The local fields of a finite value in a zone, and the zone's seconds east of Greenwich then.
    pub(crate) fn to_civil(self, zone: &TimeZone) -> (Civil, i32) {
        let seconds_east = super::zone::offset_at(zone, self.0);
        (Civil::from_local_us(self.0 + i64::from(seconds_east) * US_PER_SECOND), seconds_east)
    }
}

impl Interval {
    pub fn print(&self, settings: &FormatSettings, out: &mut String) {
        let fields = IntervalFields::of(self);
        match settings.interval_style {
            IntervalStyle::Postgres => push_interval_postgres(out, &fields),
            IntervalStyle::PostgresVerbose => push_interval_verbose(out, &fields),
            IntervalStyle::SqlStandard => push_interval_sql(out, &fields),
            IntervalStyle::Iso8601 => push_interval_iso(out, &fields),
        }
    }
}

/// Writing to a String cannot fail.
macro_rules! push {
    ($out:expr, $($format:tt)*) => { write!($out, $($format)*).expect("writing to a String cannot fail") };
}

impl IntervalFields {
    fn all(&self) -> [i64; 7] {
        [
            self.years.into(),
            self.months.into(),
            self.days.into(),
            self.hours,
            self.minutes.into(),
            self.seconds.into(),
            self.microseconds.into(),
        ]
    }

    fn has_negative_clock(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.microseconds < 0
    }

    fn has_clock(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.seconds != 0 || self.microseconds != 0
    }
}

fn push_interval_postgres(out: &mut String, fields: &IntervalFields) {
    let (mut is_first, mut after_negative) = (true, false);
    for (value, unit) in [(fields.years, "year"), (fields.months, "mon"), (fields.days, "day")] {
        if value != 0 {
            let space = if is_first { "" } else { " " };
            let plus = if after_negative && value > 0 { "+" } else { "" };
            let plural = if value == 1 { "" } else { "s" };
            push!(out, "{space}{plus}{value} {unit}{plural}");
            after_negative = value < 0;
            is_first = false;
        }
    }
    if is_first || fields.has_clock() {
        let space = if is_first { "" } else { " " };
        let sign = match (fields.has_negative_clock(), after_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        push!(out, "{space}{sign}{:02}:{:02}:", fields.hours.unsigned_abs(), fields.minutes.unsigned_abs());
        push_seconds(out, fields.seconds, fields.microseconds, 2);
    }
}

fn push_interval_verbose(out: &mut String, fields: &IntervalFields) {
    out.push('@');
    let (mut is_first, mut is_ago) = (true, false);
    let parts = [
        (i64::from(fields.years), "year"),
        (i64::from(fields.months), "mon"),
        (i64::from(fields.days), "day"),
        (fields.hours, "hour"),
        (i64::from(fields.minutes), "min"),
    ];
    for (value, unit) in parts {
        if value == 0 {
            continue;
        }
        if is_first {
            is_ago = value < 0;
            is_first = false;
        }
        let value = if is_ago { -i128::from(value) } else { i128::from(value) };
        push!(out, " {value} {unit}{}", if value == 1 { "" } else { "s" });
    }
    if fields.seconds != 0 || fields.microseconds != 0 {
        out.push(' ');
        let is_negative = fields.seconds < 0 || fields.microseconds < 0;
        if is_first {
            is_ago = is_negative;
        } else if is_negative != is_ago {
            out.push('-');
        }
        push_seconds(out, fields.seconds, fields.microseconds, 1);
        let is_one = fields.seconds.unsigned_abs() == 1 && fields.microseconds == 0;
        out.push_str(if is_one { " sec" } else { " secs" });
        is_first = false;
    }
    if is_first {
        out.push_str(" 0");
    }
    if is_ago {
        out.push_str(" ago");
    }
}

fn push_interval_sql(out: &mut String, fields: &IntervalFields) {
    let has_negative = fields.all().iter().any(|value| *value < 0);
    let has_positive = fields.all().iter().any(|value| *value > 0);
    let has_year_month = fields.years != 0 || fields.months != 0;
    let has_day_time = fields.days != 0 || fields.has_clock();
    let hours = fields.hours.unsigned_abs();
    let minutes = fields.minutes.unsigned_abs();
    let [years, months, days] = [fields.years, fields.months, fields.days].map(i32::unsigned_abs);
    if !has_negative && !has_positive {
        out.push('0');
    } else if (has_negative && has_positive) || (has_year_month && has_day_time) {
        // Not a standard value: every part gets its sign.
        let sign = |is_negative: bool| if is_negative { '-' } else { '+' };
        push!(out, "{}{years}-{months} ", sign(fields.years < 0 || fields.months < 0));
        push!(out, "{}{days} ", sign(fields.days < 0));
        push!(out, "{}{hours}:{minutes:02}:", sign(fields.has_negative_clock()));
        push_seconds(out, fields.seconds, fields.microseconds, 2);
    } else {
        if has_negative {
            out.push('-');
        }
        if has_year_month {
            push!(out, "{years}-{months}");
            return;
        }
        if days != 0 {
            push!(out, "{days} ");
        }
        push!(out, "{hours}:{minutes:02}:");
        push_seconds(out, fields.seconds, fields.microseconds, 2);
    }
}

fn push_interval_iso(out: &mut String, fields: &IntervalFields) {
    if fields.all().iter().all(|value| *value == 0) {
        out.push_str("PT0S");
        return;
    }
    out.push('P');
    for (value, unit) in [(fields.years, 'Y'), (fields.months, 'M'), (fields.days, 'D')] {
        if value != 0 {
            push!(out, "{value}{unit}");
        }
    }
    if fields.has_clock() {
        out.push('T');
    }
    if fields.hours != 0 {
        push!(out, "{}H", fields.hours);
    }
    if fields.minutes != 0 {
        push!(out, "{}M", fields.minutes);
    }
    if fields.seconds != 0 || fields.microseconds != 0 {
        if fields.seconds < 0 || fields.microseconds < 0 {
            out.push('-');
        }
        push_seconds(out, fields.seconds, fields.microseconds, 1);
        out.push('S');
    }
}
