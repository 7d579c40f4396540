//! The settings behind text forms: DateStyle, IntervalStyle, TimeZone, bytea_output, extra_float_digits.

use jiff::tz::TimeZone;
use types::{
    FormatSettings, TimestampTz,
    datetime::zone::zone_of_setting,
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

/// A time zone by name, POSIX specification or hours east ("-8", "5.5"), with the name SHOW prints.
pub(super) fn time_zone(text: &str) -> Option<(TimeZone, String)> {
    zone_of_setting(text).map(|(zone, name)| (zone, name.to_string()))
}
