//! Date, time and interval text in and out, against what PostgreSQL 15 answered for the same input.
//!
//! Each line of `datetime_text.tsv`: type, DateStyle, IntervalStyle, TimeZone, input, and PostgreSQL's text of the value - or SQLSTATE,
//! message and hint of its error (as "22007 message|hint").

use heliosdb_types::datetime::typmod::IntervalRange;
use heliosdb_types::datetime::zone::zone_of_setting;
use heliosdb_types::format_settings::{DateOrder, DateStyle, IntervalStyle};
use heliosdb_types::{Date, FormatSettings, Interval, Result, Time, TimeTz, Timestamp, TimestampTz};
use proptest::prelude::*;

fn settings(date_style: &str, interval_style: &str, zone: &str) -> FormatSettings {
    let (time_zone, time_zone_name) = zone_of_setting(zone).expect("a known zone");
    let (style, order) = date_style.split_once(", ").expect("style and order");
    FormatSettings {
        date_style: match style {
            "ISO" => DateStyle::Iso,
            "SQL" => DateStyle::Sql,
            "German" => DateStyle::German,
            _ => DateStyle::Postgres,
        },
        date_order: match order {
            "YMD" => DateOrder::Ymd,
            "DMY" => DateOrder::Dmy,
            _ => DateOrder::Mdy,
        },
        interval_style: match interval_style {
            "postgres" => IntervalStyle::Postgres,
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            _ => IntervalStyle::Iso8601,
        },
        time_zone,
        time_zone_name,
        ..FormatSettings::default()
    }
}

fn interval_typmod(qualifier: &str) -> i32 {
    if let Some(precision) = qualifier.strip_prefix('(') {
        return IntervalRange::FULL.0 << 16 | precision.trim_end_matches(')').parse::<i32>().expect("a precision");
    }
    let fields = ["year", "month", "day", "hour", "minute", "second"];
    let masks = [
        IntervalRange::YEAR,
        IntervalRange::MONTH,
        IntervalRange::DAY,
        IntervalRange::HOUR,
        IntervalRange::MINUTE,
        IntervalRange::SECOND,
    ];
    let (first, last) = qualifier.trim().split_once(" to ").unwrap_or((qualifier.trim(), qualifier.trim()));
    let place = |name| fields.iter().position(|field| *field == name).expect("a field");
    masks[place(first)..=place(last)].iter().sum::<i32>() << 16 | 0xffff
}

macro_rules! read_and_print {
    ($type:ident, $text:expr, $settings:expr) => {
        $type::parse($text, $settings).map(|value| {
            let mut out = String::new();
            value.print($settings, &mut out);
            out
        })
    };
}

fn answer(type_name: &str, text: &str, settings: &FormatSettings) -> Result<String> {
    match type_name {
        "date" => read_and_print!(Date, text, settings),
        "time" => read_and_print!(Time, text, settings),
        "timetz" => read_and_print!(TimeTz, text, settings),
        "timestamp" => read_and_print!(Timestamp, text, settings),
        "timestamptz" => read_and_print!(TimestampTz, text, settings),
        "interval" => read_and_print!(Interval, text, settings),
        _ => {
            let typmod = interval_typmod(type_name.strip_prefix("interval").expect("an interval type"));
            let mut out = String::new();
            Interval::parse_with_typmod(text, typmod, settings)?.print(settings, &mut out);
            Ok(out)
        }
    }
}

#[test]
fn text_is_read_and_printed_as_postgresql_does() {
    let mut wrong = Vec::new();
    for line in include_str!("datetime_text.tsv").lines() {
        let [type_name, date_style, interval_style, zone, text, expected] =
            line.split('\t').collect::<Vec<_>>().try_into().expect("six columns");
        let got = answer(type_name, text, &settings(date_style, interval_style, zone)).unwrap_or_else(|error| {
            let hint = error.fields().hint.clone().unwrap_or_default();
            format!("{} {}|{hint}", error.sqlstate().code(), error.message())
        });
        if got != expected {
            wrong.push(format!("{line}\n    got {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn current_time_words_use_the_session_clock() {
    let mut settings = settings("ISO, MDY", "postgres", "Asia/Tokyo");
    settings.now = TimestampTz::parse("2024-02-29 20:30:40.5+00", &settings).expect("a timestamp");
    for (type_name, text, expected) in [
        ("timestamptz", "now", "2024-03-01 05:30:40.5+09"),
        ("timestamp", "now", "2024-03-01 05:30:40.5"),
        ("date", "today", "2024-03-01"),
        ("date", "yesterday", "2024-02-29"),
        ("timestamp", "tomorrow 04:05", "2024-03-02 04:05:00"),
        ("time", "now", "05:30:40.5"),
        ("timetz", "now", "05:30:40.5+09"),
    ] {
        assert_eq!(answer(type_name, text, &settings).expect(text), expected, "{type_name} {text}");
    }
}

const DATE_STYLES: [&str; 7] = ["ISO, YMD", "ISO, MDY", "SQL, DMY", "SQL, MDY", "Postgres, DMY", "Postgres, MDY", "German, DMY"];

proptest! {
    #[test]
    fn timestamps_survive_printing(value in -211_813_488_000_000_000..9_223_371_331_200_000_000_i64, style in 0..DATE_STYLES.len()) {
        let settings = settings(DATE_STYLES[style], "postgres", "UTC");
        let mut text = String::new();
        Timestamp(value).print(&settings, &mut text);
        prop_assert_eq!(Timestamp::parse(&text, &settings).expect("printed text"), Timestamp(value), "{}", text);
    }

    #[test]
    fn instants_survive_printing_with_their_offset(value in -211_813_488_000_000_000 + 86_400_000_000..9_223_371_331_100_000_000_i64) {
        let settings = settings("ISO, MDY", "postgres", "America/New_York");
        let mut text = String::new();
        TimestampTz(value).print(&settings, &mut text);
        prop_assert_eq!(TimestampTz::parse(&text, &settings).expect("printed text"), TimestampTz(value), "{}", text);
    }

    #[test]
    fn intervals_survive_printing(months: i32, days: i32, microseconds: i64, style in 0..4_usize) {
        let style = ["postgres", "postgres_verbose", "sql_standard", "iso_8601"][style];
        let settings = settings("ISO, MDY", style, "UTC");
        let interval = Interval { months: months / 2, days: days / 2, microseconds: microseconds / 2 };
        let mut text = String::new();
        interval.print(&settings, &mut text);
        prop_assert_eq!(Interval::parse(&text, &settings).expect("printed text"), interval, "{}", text);
    }

    #[test]
    fn no_text_panics(text in "[-+:./, 0-9a-zPTJ@é]{0,40}") {
        let settings = settings("ISO, DMY", "sql_standard", "Europe/Paris");
        for type_name in ["date", "time", "timetz", "timestamp", "timestamptz", "interval", "interval minute to second"] {
            let _: Result<String> = answer(type_name, &text, &settings);
        }
    }
}

proptest! {
    #[test]
    fn no_template_panics(
        template in "(FM|TM|YYYY|Y,YYY|YY|IYYY|IW|ID|DDD|DD|D|Mon|RM|HH12|AM|MS|US|FF3|SSSS|TZH|TZM|CC|WW|W|J|BC|th|[-/ a\"\\\\é]){0,8}",
        text in "[-+0-9a-zé:., ]{0,30}",
        value in -211_813_488_000_000_000..9_223_371_331_200_000_000_i64,
        months: i32,
        days: i32,
    ) {
        let settings = settings("ISO, MDY", "postgres", "Europe/Paris");
        let _: Result<TimestampTz> = TimestampTz::parse_with_template(&text, &template, &settings);
        let _: Result<Date> = Date::parse_with_template(&text, &template);
        let _: Result<Option<String>> = TimestampTz(value).to_char(&template, &settings.time_zone);
        let _: Result<Option<String>> = Interval { months, days, microseconds: value }.to_char(&template);
    }

    #[test]
    fn arithmetic_never_panics(value: i64, days: i32, months: i32, span: i64, date: i32, factor: f64) {
        let zone = zone_of_setting("America/New_York").expect("a known zone").0;
        let interval = Interval { months, days, microseconds: span };
        let timestamp = Timestamp(value / 1024 * 1023);
        let _: Result<Timestamp> = timestamp.add_interval(&interval);
        let instant = TimestampTz(value.clamp(-211_813_488_000_000_000, 9_223_371_331_199_999_999));
        let _: Result<TimestampTz> = instant.sub_interval(&interval, &zone);
        let _: Result<Interval> = interval.mul(factor).and_then(|product| product.justify_interval());
        let _: Result<Interval> = interval.div(factor);
        let _: Result<Interval> = instant.since(TimestampTz(span));
        let date = Date(date.clamp(-2_451_545, 2_145_031_948));
        let _: Result<Date> = date.add_days(days);
        let _: Result<TimestampTz> = date.to_timestamptz(&zone);
        let _: std::cmp::Ordering = date.compare_timestamptz(instant, &zone);
    }
}
