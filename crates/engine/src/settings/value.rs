//! Reading and printing of single setting values: Booleans, numbers with units, enums.

use types::{Error, FormatSettings, Result, SqlState};

use super::{SettingFact, parse_date_style, split_identifiers};

/// Checks a value and brings it to the form it is kept in: base units, "on"/"off", an enum's own spelling.
///
/// What a DateStyle leaves open stays as it is `now`.
pub(super) fn canonical_value(fact: &SettingFact, value: &str, now: &FormatSettings) -> Result<String> {
    match fact.kind {
        "bool" => match parse_bool(value) {
            Some(flag) => Ok(if flag { "on" } else { "off" }.to_owned()),
            None => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("parameter \"{}\" requires a Boolean value", fact.name),
            )),
        },
        "integer" => canonical_integer(fact, value),
        "real" => canonical_real(fact, value),
        "enum" => canonical_enum(fact, value),
        _ => canonical_string(fact, value, now),
    }
}

/// PostgreSQL's spellings of a Boolean: unique prefixes of true, false, yes, no, on, off, and 1, 0.
pub(crate) fn parse_bool(value: &str) -> Option<bool> {
    let value = value.trim().to_ascii_lowercase();
    let prefix_of = |word: &str, minimum: usize| value.len() >= minimum && word.starts_with(&value);
    if prefix_of("true", 1) || prefix_of("yes", 1) || prefix_of("on", 2) || value == "1" {
        Some(true)
    } else if prefix_of("false", 1) || prefix_of("no", 1) || prefix_of("off", 2) || value == "0" {
        Some(false)
    } else {
        None
    }
}

fn invalid(fact: &SettingFact, value: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{}\": \"{value}\"", fact.name))
}

/// Units and how many of the base unit each is.
fn unit_factors(base: &str) -> &'static [(&'static str, f64)] {
    const KB: f64 = 1024.0;
    match base {
        "B" => &[("B", 1.0), ("kB", KB), ("MB", KB * KB), ("GB", KB * KB * KB), ("TB", KB * KB * KB * KB)],
        "kB" => &[("B", 1.0 / KB), ("kB", 1.0), ("MB", KB), ("GB", KB * KB), ("TB", KB * KB * KB)],
        "8kB" => &[("B", 1.0 / KB / 8.0), ("kB", 1.0 / 8.0), ("MB", KB / 8.0), ("GB", KB * KB / 8.0), ("TB", KB * KB * KB / 8.0)],
        "MB" => &[("B", 1.0 / KB / KB), ("kB", 1.0 / KB), ("MB", 1.0), ("GB", KB), ("TB", KB * KB)],
        "ms" => &[("us", 0.001), ("ms", 1.0), ("s", 1000.0), ("min", 60_000.0), ("h", 3_600_000.0), ("d", 86_400_000.0)],
        "s" => &[("us", 0.000_001), ("ms", 0.001), ("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0)],
        "min" => &[("ms", 1.0 / 60_000.0), ("s", 1.0 / 60.0), ("min", 1.0), ("h", 60.0), ("d", 1440.0)],
        _ => &[],
    }
}

/// A number with an optional unit, in base units.
fn parse_number(fact: &SettingFact, value: &str) -> Option<f64> {
    let text = value.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: f64 = match digits.strip_prefix('0') {
        Some("") if unit.starts_with(['x', 'X']) => return i64::from_str_radix(&unit[1..], 16).ok().map(|number| number as f64),
        _ => digits.parse().ok()?,
    };
    match unit.trim() {
        "" => Some(number),
        unit => unit_factors(fact.unit?).iter().find(|(name, _)| *name == unit).map(|(_, factor)| number * factor),
    }
}

/// With the units that there are, when it is the unit that is wrong.
fn invalid_number(fact: &SettingFact, value: &str) -> Error {
    let is_number = value.trim().starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    let hint = match fact.unit {
        Some("ms" | "s" | "min") if is_number => {
            "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\"."
        }
        Some(_) if is_number => "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".",
        _ => return invalid(fact, value),
    };
    invalid(fact, value).hint(hint)
}

fn canonical_integer(fact: &SettingFact, value: &str) -> Result<String> {
    let number = parse_number(fact, value).ok_or_else(|| invalid_number(fact, value))?.round_ties_even();
    check_range(fact, number, &format!("{number:.0}"))?;
    Ok(format!("{number:.0}"))
}

fn canonical_real(fact: &SettingFact, value: &str) -> Result<String> {
    let number = parse_number(fact, value).ok_or_else(|| invalid_number(fact, value))?;
    check_range(fact, number, &number.to_string())?;
    Ok(number.to_string())
}

fn check_range(fact: &SettingFact, number: f64, printed: &str) -> Result<()> {
    let (Some(minimum), Some(maximum)) = (fact.minimum, fact.maximum) else { return Ok(()) };
    if (minimum..=maximum).contains(&number) {
        return Ok(());
    }
    let unit = fact.unit.map(|unit| format!(" {unit}")).unwrap_or_default();
    Err(Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("{printed}{unit} is outside the valid range for parameter \"{}\" ({minimum} .. {maximum})", fact.name),
    ))
}

fn canonical_enum(fact: &SettingFact, value: &str) -> Result<String> {
    if let Some(choice) = fact.choices.iter().find(|choice| choice.eq_ignore_ascii_case(value)) {
        return Ok((*choice).to_owned());
    }
    // Many enums also take a Boolean: synchronous_commit, constraint_exclusion, ...
    if let Some(flag) = parse_bool(value) {
        let word = if flag { "on" } else { "off" };
        if fact.choices.contains(&word) {
            return Ok(word.to_owned());
        }
    }
    Err(invalid(fact, value).hint(format!("Available values: {}.", fact.choices.join(", "))))
}

fn canonical_string(fact: &SettingFact, value: &str, now: &FormatSettings) -> Result<String> {
    match fact.name {
        "DateStyle" => {
            let (style, order) = parse_date_style(value, (now.date_style, now.date_order))
                .ok_or_else(|| invalid(fact, value).detail("Unrecognized key word."))?;
            Ok(super::format::print_date_style(style, order))
        }
        "TimeZone" | "log_timezone" => super::format::time_zone(value).map(|(_, name)| name).ok_or_else(|| invalid(fact, value)),
        "search_path" => match split_identifiers(value) {
            Some(_) => Ok(value.to_owned()),
            None => Err(invalid(fact, value).detail("List syntax is invalid.")),
        },
        "client_encoding" => {
            let name: String = value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
            match name.as_str() {
                "UTF8" | "UNICODE" => Ok("UTF8".to_owned()),
                "SQLASCII" => Ok("SQL_ASCII".to_owned()),
                "LATIN1" | "ISO88591" | "WIN1252" | "EUCJP" | "SJIS" | "LATIN9" | "WIN1251" | "KOI8R" | "EUCKR" | "BIG5"
                | "GBK" => Err(Error::unsupported(format!("client_encoding {value}")).hint("Use UTF8.")),
                _ => Err(invalid(fact, value)),
            }
        }
        _ => Ok(value.to_owned()),
    }
}

/// The value as SHOW prints it: numbers in the largest unit that divides them.
pub(super) fn display_value(fact: &SettingFact, value: &str) -> String {
    let (Some(base), Ok(number)) = (fact.unit, value.parse::<f64>()) else { return value.to_owned() };
    if number <= 0.0 {
        return if number == 0.0 || number == -1.0 { value.to_owned() } else { format!("{value}{base}") };
    }
    let largest = unit_factors(base).iter().rev().find(|(_, factor)| {
        let amount = number / factor;
        ((amount.round() - amount) / amount).abs() <= 1e-8
    });
    match largest {
        Some((unit, factor)) => format!("{}{unit}", (number / factor).round()),
        None => format!("{value}{base}"),
    }
}
