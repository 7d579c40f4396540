//! From Rust values to parameters. A value whose type is not the parameter's is read from its text form, as PostgreSQL reads a
//! literal: an integer fits a numeric parameter, and a string fits any.

use std::time::SystemTime;

use types::{
    Datum, Error, FormatSettings, Result, SqlState, SqlType, TimestampTz,
    text_format::{TypeResolver, datum_from_text, datum_to_text},
};

use crate::from_sql::SECONDS_FROM_1970_TO_2000;

/// A value that can be a parameter.
pub trait ToSql {
    /// The value and its own type.
    ///
    /// Errors: 22003 and 22008 when SQL has no such value.
    fn to_sql(&self) -> Result<(Datum, SqlType)>;
}

/// Parameters as values of the statement's types.
pub(crate) fn parameters(
    given: &[&dyn ToSql],
    wanted: &[SqlType],
    settings: &FormatSettings,
    resolver: &dyn TypeResolver,
) -> Result<Vec<Datum>> {
    if given.len() != wanted.len() {
        return Err(Error::new(
            SqlState::PROTOCOL_VIOLATION,
            format!("{} parameters are given, but the statement requires {}", given.len(), wanted.len()),
        ));
    }
    let convert = |(value, wanted): (&&dyn ToSql, &SqlType)| {
        let (datum, own) = value.to_sql()?;
        if datum.is_null() || (own.oid == wanted.oid && own.physical == wanted.physical) {
            return Ok(datum);
        }
        let mut text = String::new();
        datum_to_text(&datum, own, settings, resolver, &mut text);
        datum_from_text(&text, *wanted, settings, resolver)
    };
    given
        .iter()
        .zip(wanted)
        .enumerate()
        .map(|(at, pair)| convert(pair).map_err(|error| error.context(format!("parameter ${}", at + 1))))
        .collect()
}

macro_rules! values {
    ($($rust:ty: $own:ident, |$value:ident| $datum:expr),* $(,)?) => {$(
        impl ToSql for $rust {
            fn to_sql(&self) -> Result<(Datum, SqlType)> {
                let $value = self;
                Ok(($datum, SqlType::$own))
            }
        }
    )*};
}

values! {
    bool: BOOL, |value| Datum::Bool(*value),
    i16: INT2, |value| Datum::Int2(*value),
    i32: INT4, |value| Datum::Int4(*value),
    i64: INT8, |value| Datum::Int8(*value),
    u32: INT8, |value| Datum::Int8(i64::from(*value)),
    f32: FLOAT4, |value| Datum::Float4(*value),
    f64: FLOAT8, |value| Datum::Float8(*value),
    str: TEXT, |value| Datum::text(value),
    String: TEXT, |value| Datum::text(value),
    [u8]: BYTEA, |value| Datum::bytes(value),
    Vec<u8>: BYTEA, |value| Datum::bytes(value),
    [u8; 16]: UUID, |value| Datum::Uuid(*value),
}

impl<T: ToSql + ?Sized> ToSql for &T {
    fn to_sql(&self) -> Result<(Datum, SqlType)> {
        (**self).to_sql()
    }
}

/// None is NULL.
impl<T: ToSql> ToSql for Option<T> {
    fn to_sql(&self) -> Result<(Datum, SqlType)> {
        match self {
            Some(value) => value.to_sql(),
            None => Ok((Datum::Null, SqlType::TEXT)),
        }
    }
}

/// A value as the engine holds it, of its physical form's type.
impl ToSql for Datum {
    fn to_sql(&self) -> Result<(Datum, SqlType)> {
        let own = match self {
            Datum::Null | Datum::Text(_) => SqlType::TEXT,
            Datum::Bool(_) => SqlType::BOOL,
            Datum::Int2(_) => SqlType::INT2,
            Datum::Int4(_) => SqlType::INT4,
            Datum::Int8(_) => SqlType::INT8,
            Datum::Float4(_) => SqlType::FLOAT4,
            Datum::Float8(_) => SqlType::FLOAT8,
            Datum::Oid(_) => SqlType::OID,
            Datum::Numeric(_) => SqlType::NUMERIC,
            Datum::Bytes(_) => SqlType::BYTEA,
            Datum::Date(_) => SqlType::DATE,
            Datum::Time(_) => SqlType::TIME,
            Datum::TimeTz(_) => SqlType::TIMETZ,
            Datum::Timestamp(_) => SqlType::TIMESTAMP,
            Datum::TimestampTz(_) => SqlType::TIMESTAMPTZ,
            Datum::Interval(_) => SqlType::INTERVAL,
            Datum::Uuid(_) => SqlType::UUID,
            Datum::Jsonb(_) => SqlType::JSONB,
            Datum::Bit(_) => SqlType::VARBIT,
            Datum::Enum(label) => SqlType::of(label.type_oid),
            Datum::Record(record) => SqlType::of(record.type_oid),
            Datum::Array(_) => SqlType::ANYARRAY,
        };
        Ok((self.clone(), own))
    }
}

/// A timestamp with time zone.
impl ToSql for SystemTime {
    fn to_sql(&self) -> Result<(Datum, SqlType)> {
        let out_of_range = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range");
        let microseconds = match self.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).ok(),
            Err(before) => i64::try_from(before.duration().as_micros()).ok().map(|distance| -distance),
        };
        let microseconds = microseconds
            .and_then(|value| value.checked_sub(SECONDS_FROM_1970_TO_2000 as i64 * 1_000_000))
            .ok_or_else(out_of_range)?;
        Ok((Datum::TimestampTz(TimestampTz(microseconds)), SqlType::TIMESTAMPTZ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use types::{Datum, TimestampTz};

    use super::ToSql;

    #[test]
    fn system_times_count_from_2000() {
        let in_2000 = SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_801);
        assert!(matches!(in_2000.to_sql().unwrap().0, Datum::TimestampTz(TimestampTz(1_000_000))));
        let before_1970 = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert!(matches!(before_1970.to_sql().unwrap().0, Datum::TimestampTz(TimestampTz(-946_684_801_000_000))));
    }
}
