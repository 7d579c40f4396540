//! From SQL values to Rust's. A narrower number becomes a wider one; nothing is cut or rounded.

use std::time::{Duration, SystemTime};

use types::{Datum, Error, Result, SqlState};

use crate::Column;

/// A type that a column's value can be read as.
pub trait FromSql: Sized {
    /// `text` gives the value's text form.
    ///
    /// Errors: 22004 for NULL, 42804 when the type is another, 22003 when the value does not fit.
    fn from_sql(value: &Datum, column: &Column, text: &dyn Fn() -> String) -> Result<Self>;
}

fn mismatch(value: &Datum, column: &Column, wanted: &str) -> Error {
    match value {
        Datum::Null => Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, format!("column \"{}\" is null", column.name()))
            .hint(format!("Read it as Option<{wanted}>.")),
        _ => Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!("column \"{}\" is of type {} and cannot be read as {wanted}", column.name(), column.type_name()),
        ),
    }
}

fn out_of_range(column: &Column, wanted: &str) -> Error {
    Error::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("the value of column \"{}\" is out of range for {wanted}", column.name()),
    )
}

macro_rules! integers {
    ($($rust:ty),*) => {$(
        impl FromSql for $rust {
            fn from_sql(value: &Datum, column: &Column, _text: &dyn Fn() -> String) -> Result<$rust> {
                let number = match value {
                    Datum::Int2(value) => i64::from(*value),
                    Datum::Int4(value) => i64::from(*value),
                    Datum::Int8(value) => *value,
                    Datum::Oid(value) => i64::from(value.0),
                    other => return Err(mismatch(other, column, stringify!($rust))),
                };
                <$rust>::try_from(number).map_err(|_| out_of_range(column, stringify!($rust)))
            }
        }
    )*};
}

integers!(i16, i32, i64, u16, u32, u64, usize);

macro_rules! types {
    ($($rust:ty: $pattern:pat => $value:expr),* $(,)?) => {$(
        impl FromSql for $rust {
            fn from_sql(value: &Datum, column: &Column, _text: &dyn Fn() -> String) -> Result<$rust> {
                match value {
                    $pattern => Ok($value),
                    other => Err(mismatch(other, column, stringify!($rust))),
                }
            }
        }
    )*};
}

types! {
    bool: Datum::Bool(value) => *value,
    f32: Datum::Float4(value) => *value,
    Vec<u8>: Datum::Bytes(value) => value.to_vec(),
    [u8; 16]: Datum::Uuid(value) => *value,
}

impl FromSql for f64 {
    fn from_sql(value: &Datum, column: &Column, _text: &dyn Fn() -> String) -> Result<f64> {
        match value {
            Datum::Float8(value) => Ok(*value),
            Datum::Float4(value) => Ok(f64::from(*value)),
            other => Err(mismatch(other, column, "f64").hint("Cast it in SQL (::float8), or read it as String.")),
        }
    }
}

/// Every type has a text form.
impl FromSql for String {
    fn from_sql(value: &Datum, column: &Column, text: &dyn Fn() -> String) -> Result<String> {
        if value.is_null() { Err(mismatch(value, column, "String")) } else { Ok(text()) }
    }
}

impl FromSql for Datum {
    fn from_sql(value: &Datum, _column: &Column, _text: &dyn Fn() -> String) -> Result<Datum> {
        Ok(value.clone())
    }
}

impl<T: FromSql> FromSql for Option<T> {
    fn from_sql(value: &Datum, column: &Column, text: &dyn Fn() -> String) -> Result<Option<T>> {
        if value.is_null() { Ok(None) } else { T::from_sql(value, column, text).map(Some) }
    }
}

/// PostgreSQL counts microseconds from the year 2000.
pub(crate) const SECONDS_FROM_1970_TO_2000: u64 = 946_684_800;

/// A timestamp without time zone is taken as UTC.
impl FromSql for SystemTime {
    fn from_sql(value: &Datum, column: &Column, _text: &dyn Fn() -> String) -> Result<SystemTime> {
        let microseconds = match value {
            Datum::TimestampTz(value) if value.is_finite() => value.0,
            Datum::Timestamp(value) if value.is_finite() => value.0,
            Datum::TimestampTz(_) | Datum::Timestamp(_) => return Err(out_of_range(column, "SystemTime")),
            other => return Err(mismatch(other, column, "SystemTime")),
        };
        let epoch = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(SECONDS_FROM_1970_TO_2000));
        let distance = Duration::from_micros(microseconds.unsigned_abs());
        epoch
            .and_then(|epoch| if microseconds < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) })
            .ok_or_else(|| out_of_range(column, "SystemTime"))
    }
}
