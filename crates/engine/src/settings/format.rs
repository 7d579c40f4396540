//! The settings behind text forms: DateStyle, IntervalStyle, TimeZone, bytea_output, extra_float_digits.

use jiff::tz::{Offset, TimeZone};
use types::{
    FormatSettings, TimestampTz,
    format_settings::{ByteaOutput, DateOrder, DateStyle, IntervalStyle},
};

/// The settings' texts, all checked when they were set.
pub(super) fn build(
    date_style: &str,
    interval_style: &str,
    zone: &str,
    bytea_output: &str,
    float_digits: &str,
) -> FormatSettings {
    let (style, order) =
        parse_date_style(date_style, (DateStyle::Iso, DateOrder::Mdy)).unwrap_or((DateStyle::Iso, DateOrder::Mdy));
    let (time_zone, name) = time_zone(zone).unwrap_or((TimeZone::UTC, "UTC".to_owned()));
    FormatSettings {
        date_style: style,
        date_order: order,
        interval_style: parse_interval_style(interval_style).unwrap_or(IntervalStyle::Postgres),
        bytea_output: parse_bytea_output(bytea_output).unwrap_or(ByteaOutput::Hex),
        extra_float_digits: float_digits.parse().unwrap_or(1),
        time_zone,
        time_zone_name: name.into(),
        now: TimestampTz(0),
    }
}

pub(super) fn parse_date_style(text: &str, current: (DateStyle, DateOrder)) -> Option<(DateStyle, DateOrder)> {
    let (mut style, mut order) = current;
    let mut order_given = false;
    for word in text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().as_str() {
            "iso" => style = DateStyle::Iso,
            "sql" => style = DateStyle::Sql,
            "german" => {
                style = DateStyle::German;
                if !order_given {
                    order = DateOrder::Dmy;
                }
            }
            word if word.starts_with("postgres") => style = DateStyle::Postgres,
            "ymd" => (order, order_given) = (DateOrder::Ymd, true),
            "dmy" | "euro" | "european" => (order, order_given) = (DateOrder::Dmy, true),
            "mdy" | "us" | "noneuro" | "noneuropean" => (order, order_given) = (DateOrder::Mdy, true),
            "default" => (style, order) = (DateStyle::Iso, DateOrder::Mdy),
            _ => return None,
        }
    }
    Some((style, order))
}

pub(super) fn print_date_style(style: DateStyle, order: DateOrder) -> String {
    let style = match style {
        DateStyle::Iso => "ISO",
        DateStyle::Sql => "SQL",
        DateStyle::Postgres => "Postgres",
        DateStyle::German => "German",
    };
    let order = match order {
        DateOrder::Ymd => "YMD",
        DateOrder::Dmy => "DMY",
        DateOrder::Mdy => "MDY",
    };
    format!("{style}, {order}")
}

pub(super) fn parse_interval_style(text: &str) -> Option<IntervalStyle> {
    Some(match text.to_ascii_lowercase().as_str() {
        "postgres" => IntervalStyle::Postgres,
        "postgres_verbose" => IntervalStyle::PostgresVerbose,
        "sql_standard" => IntervalStyle::SqlStandard,
        "iso_8601" => IntervalStyle::Iso8601,
        _ => return None,
    })
}

pub(super) fn parse_bytea_output(text: &str) -> Option<ByteaOutput> {
    match text.to_ascii_lowercase().as_str() {
        "hex" => Some(ByteaOutput::Hex),
        "escape" => Some(ByteaOutput::Escape),
        _ => None,
    }
}

/// A time zone by name, abbreviation-free POSIX text, or hours east ("-8", "5.5"), with the name SHOW prints.
pub(super) fn time_zone(text: &str) -> Option<(TimeZone, String)> {
    let name = text.trim();
    let seconds = match name.parse::<f64>() {
        Ok(hours) => Some((hours * 3600.0) as i32),
        Err(_) => shown_offset(name),
    };
    if let Some(seconds) = seconds {
        let zone = TimeZone::fixed(Offset::from_seconds(seconds).ok()?);
        let (sign, opposite) = if seconds < 0 { ('-', '+') } else { ('+', '-') };
        let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() % 3600 / 60);
        let shown = if minutes == 0 { format!("{hours:02}") } else { format!("{hours:02}:{minutes:02}") };
        return Some((zone, format!("<{sign}{shown}>{opposite}{shown}")));
    }
    if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("default") || name.eq_ignore_ascii_case("local") {
        return Some((TimeZone::UTC, "UTC".to_owned()));
    }
    if let Ok(zone) = TimeZone::get(name) {
        let shown = zone.iana_name().unwrap_or(name).to_owned();
        return Some((zone, shown));
    }
    TimeZone::posix(name).ok().map(|zone| (zone, name.to_owned()))
}

/// Seconds east of a fixed offset in the form that SHOW prints it, such as `<+10:30>-10:30`.
fn shown_offset(name: &str) -> Option<i32> {
    let (shown, _) = name.strip_prefix('<')?.split_once('>')?;
    let (sign, digits) = shown.split_at_checked(1)?;
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let seconds = hours.parse::<i32>().ok()?.checked_mul(3600)?.checked_add(minutes.parse::<i32>().ok()?.checked_mul(60)?)?;
    match sign {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}
