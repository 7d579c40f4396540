//! scratch
use heliosdb_types::format_settings::*;
use heliosdb_types::*;
use std::io::{BufRead, Write};
fn main() {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let f: Vec<&str> = line.split('\t').collect();
        let (zone, name) = datetime::zone::zone_of_setting(f[3]).expect("zone");
        let mut s = FormatSettings::default();
        s.time_zone = zone;
        s.time_zone_name = name;
        for w in f[1].split(", ") {
            match w {
                "ISO" => s.date_style = DateStyle::Iso,
                "SQL" => s.date_style = DateStyle::Sql,
                "Postgres" => s.date_style = DateStyle::Postgres,
                "German" => s.date_style = DateStyle::German,
                "YMD" => s.date_order = DateOrder::Ymd,
                "DMY" => s.date_order = DateOrder::Dmy,
                "MDY" => s.date_order = DateOrder::Mdy,
                _ => panic!(),
            }
        }
        s.interval_style = match f[2] {
            "postgres" => IntervalStyle::Postgres,
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            _ => IntervalStyle::Iso8601,
        };
        let mut o = String::new();
        let t = f[4];
        macro_rules! go {
            ($ty:ident) => {
                $ty::parse(t, &s).map(|v| v.print(&s, &mut o))
            };
        }
        let ranges = |name: &str| {
            use datetime::typmod::IntervalRange as R;
            let m = match name {
                "year" => R::YEAR,
                "month" => R::MONTH,
                "day" => R::DAY,
                "hour" => R::HOUR,
                "minute" => R::MINUTE,
                "second" => R::SECOND,
                "year to month" => R::YEAR | R::MONTH,
                "day to hour" => R::DAY | R::HOUR,
                "day to minute" => R::DAY | R::HOUR | R::MINUTE,
                "day to second" => R::DAY | R::HOUR | R::MINUTE | R::SECOND,
                "hour to minute" => R::HOUR | R::MINUTE,
                "hour to second" => R::HOUR | R::MINUTE | R::SECOND,
                "minute to second" => R::MINUTE | R::SECOND,
                _ => panic!(),
            };
            (m << 16) | 0xffff
        };
        let r = match f[0] {
            "date" => go!(Date),
            "time" => go!(Time),
            "timetz" => go!(TimeTz),
            "timestamp" => go!(Timestamp),
            "timestamptz" => go!(TimestampTz),
            "interval" => go!(Interval),
            other => {
                let typmod = if let Some(p) = other.strip_prefix("interval(") {
                    (0x7fff << 16) | p.trim_end_matches(')').parse::<i32>().unwrap()
                } else {
                    ranges(other.strip_prefix("interval ").unwrap())
                };
                Interval::parse_with_typmod(t, typmod, &s).map(|v| v.print(&s, &mut o))
            }
        };
        if let Err(e) = r {
            o = format!("{} {}|{}", e.sqlstate().code(), e.message(), e.fields().hint.clone().unwrap_or_default());
        }
        writeln!(out, "{o}").unwrap();
    }
}
