//! Sizes of relations and databases, and how sizes print and read.

use types::{Datum, Error, Numeric, Oid, Result, SqlState};

use super::Arguments;
use crate::system_catalog::{
    SystemContext,
    row::{NULL, text},
};

pub(super) fn call(source: &str, given: Arguments, context: &SystemContext) -> Option<Result<Datum>> {
    let undefined = |message: String| Err(Error::new(SqlState::UNDEFINED_DATABASE, message));
    Some(match source {
        "pg_relation_size" if given.len() > 1 && !matches!(given.text(1), "main" | "fsm" | "vm" | "init") => {
            let message = "invalid fork name";
            let hint = "Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\".";
            Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).hint(hint))
        }
        "pg_relation_size" if given.len() > 1 && given.text(1) != "main" => Ok(Datum::Int8(0)),
        "pg_relation_size" | "pg_table_size" => Ok(relation_size(context, given.oid(0), false, true)),
        "pg_indexes_size" => Ok(relation_size(context, given.oid(0), true, false)),
        "pg_total_relation_size" => Ok(relation_size(context, given.oid(0), true, true)),
        "pg_database_size_name" => match context.databases.iter().find(|database| &*database.name == given.text(0)) {
            Some(database) => Ok(Datum::Int8(context.state.database_size(database.oid))),
            None => undefined(format!("database \"{}\" does not exist", given.text(0))),
        },
        "pg_database_size_oid" => match context.databases.iter().find(|database| database.oid == given.oid(0)) {
            Some(database) => Ok(Datum::Int8(context.state.database_size(database.oid))),
            None => Ok(NULL),
        },
        "pg_tablespace_size_name" if !matches!(given.text(0), "pg_default" | "pg_global") => {
            let message = format!("tablespace \"{}\" does not exist", given.text(0));
            Err(Error::new(SqlState::UNDEFINED_OBJECT, message))
        }
        "pg_tablespace_size_name" | "pg_tablespace_size_oid" => {
            let sizes = context.databases.iter().map(|database| context.state.database_size(database.oid));
            Ok(Datum::Int8(sizes.fold(0, i64::saturating_add)))
        }
        "pg_relation_filenode" => Ok(match context.names.catalog.relation(given.oid(0)) {
            Some(relation) if matches!(relation.relkind(), 'r' | 'i' | 'm' | 'S') => Datum::Oid(relation.oid),
            _ => NULL,
        }),
        // Nothing lies in files.
        "pg_relation_filepath" => Ok(NULL),
        "pg_size_pretty" => Ok(text(pretty(i128::from(given.int(0))))),
        "pg_size_pretty_numeric" => pretty_numeric(given),
        "pg_size_bytes" => bytes(given.text(0)).map(Datum::Int8),
        _ => return None,
    })
}

fn relation_size(context: &SystemContext, relation: Oid, indexes: bool, own: bool) -> Datum {
    let Some(found) = context.names.catalog.relation(relation) else {
        return if context.names.relation(relation).is_some() { Datum::Int8(0) } else { NULL };
    };
    let mut size = if own { context.state.relation_size(relation) } else { 0 };
    if indexes {
        size = found.indexes.iter().map(|index| context.state.relation_size(*index)).fold(size, i64::saturating_add);
    }
    Datum::Int8(size)
}

const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
const MOST_BYTES: i128 = 10 * 1024;
const MOST_OF_A_UNIT: i128 = 20 * 1024 - 1;

/// A size in the largest unit of which there are more than ten, rounded to a whole number.
fn pretty(size: i128) -> String {
    if size.abs() < MOST_BYTES {
        return format!("{size} bytes");
    }
    // Kept in half units, so that the last step can round.
    let mut halves = size / 512;
    let mut units = UNITS.iter();
    let mut unit = units.next().unwrap_or(&"kB");
    while halves.abs() >= MOST_OF_A_UNIT
        && let Some(larger) = units.next()
    {
        halves /= 1024;
        unit = larger;
    }
    format!("{} {unit}", (halves + halves.signum()) / 2)
}

fn pretty_numeric(given: Arguments) -> Result<Datum> {
    let Some(Datum::Numeric(size)) = given.0.first() else { return Ok(NULL) };
    let printed = size.to_string();
    let whole = printed.split('.').next().unwrap_or_default();
    match whole.parse::<i128>() {
        Ok(whole) if whole.abs() < MOST_BYTES => Ok(text(format!("{printed} bytes"))),
        Ok(whole) => Ok(text(pretty(whole))),
        Err(_) => Err(Error::unsupported("pg_size_pretty of a number beyond 38 digits")),
    }
}

/// Reads `1.5 GB`: a number as numeric reads it, then a unit.
fn bytes(size: &str) -> Result<i64> {
    let invalid = || Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid size: \"{size}\""));
    let trimmed = size.trim_matches(|c: char| c.is_ascii_whitespace());
    let end = number_length(trimmed).ok_or_else(invalid)?;
    let (number, unit) = trimmed.split_at(end);
    let unit = unit.trim_start();
    let power = match unit.to_ascii_lowercase().as_str() {
        "" | "bytes" | "b" => 0,
        lower => match UNITS.iter().position(|known| known.eq_ignore_ascii_case(lower)) {
            Some(at) => at + 1,
            None => {
                let hint = "Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".";
                return Err(invalid().detail(format!("Invalid size unit: \"{unit}\".")).hint(hint));
            }
        },
    };
    let multiplier = Numeric::from(1_i64 << (10 * power));
    Numeric::parse(number)?.mul(&multiplier)?.to_i64()
}

/// Bytes of the number that a text begins with: `[+-]digits[.digits][e[+-]digits]`. None when it begins with none.
fn number_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let sign = |at: usize| usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
    let mut end = sign(0);
    let whole = digits(end);
    end += whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let exponent = end + 1 + sign(end + 1);
        let length = digits(exponent);
        // Without digits the letter begins the unit.
        if length > 0 {
            end = exponent + length;
        }
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_print_as_in_postgresql() {
        for (size, printed) in [
            (0, "0 bytes"),
            (10239, "10239 bytes"),
            (10240, "10 kB"),
            (1234567890, "1177 MB"),
            (-12345678, "-12 MB"),
            (i128::from(i64::MAX), "8192 PB"),
            (12345678901234567890, "10965 PB"),
        ] {
            assert_eq!(pretty(size), printed);
        }
    }

    #[test]
    fn sizes_read_as_in_postgresql() {
        assert_eq!(bytes("10 kB").expect("valid"), 10240);
        assert_eq!(bytes("1.5GB").expect("valid"), 1610612736);
        assert_eq!(bytes(" -3 mb ").expect("valid"), -3145728);
        assert_eq!(bytes("1.5e3 kb").expect("valid"), 1536000);
        assert_eq!(bytes("9e18 kB").expect_err("too large").message(), "bigint out of range");
        assert_eq!(bytes("++1").expect_err("two signs").message(), "invalid size: \"++1\"");
        assert_eq!(bytes("1 xb").expect_err("unit").fields().detail.as_deref(), Some("Invalid size unit: \"xb\"."));
        assert_eq!(bytes("abc").expect_err("no number").message(), "invalid size: \"abc\"");
    }
}
