//! Values out of Arrow arrays, whoever wrote them.

use arrow_array::{Array, cast::AsArray, types as arrow};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use types::{
    Date, Datum, Error, Interval, Numeric, Oid, Result, SqlState, SqlType, Time, Timestamp, TimestampTz,
    text_format::push_quoted_element,
};

use crate::record_batch::{DAYS_FROM_1970_TO_2000, MICROSECONDS_FROM_1970_TO_2000};

/// The text forms of types, which the caller knows.
pub trait TextForms {
    fn to_text(&self, value: &Datum, ty: SqlType) -> String;

    /// Errors: what the type's input function raises.
    fn parse(&self, text: &str, ty: SqlType) -> Result<Datum>;
}

/// The value at a row as one of the wanted type.
///
/// Errors: 0A000 for an array of a type that has no counterpart, and what the wanted type's input function raises.
pub fn value(array: &dyn Array, row: usize, wanted: SqlType, forms: &dyn TextForms) -> Result<Datum> {
    if array.is_null(row) {
        return Ok(Datum::Null);
    }
    if wanted.oid == Oid::UUID
        && let DataType::FixedSizeBinary(16) = array.data_type()
    {
        let bytes = array.as_fixed_size_binary().value(row);
        return Ok(bytes.try_into().map_or(Datum::Null, Datum::Uuid));
    }
    if wanted.oid == Oid::OID
        && let DataType::UInt32 = array.data_type()
    {
        return Ok(Datum::Oid(Oid(array.as_primitive::<arrow::UInt32Type>().value(row))));
    }
    let (value, ty) = natural(array, row, forms)?;
    // Without a modifier a value of the type may stand as it is.
    if ty.oid == wanted.oid && wanted.typmod == -1 {
        return match &value {
            Datum::Text(text) if text.contains('\0') => Err(zero_byte()),
            _ => Ok(value),
        };
    }
    let text = forms.to_text(&value, ty);
    if text.contains('\0') { Err(zero_byte()) } else { forms.parse(&text, wanted) }
}

fn zero_byte() -> Error {
    Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": 0x00")
}

/// The value as one of the type that is nearest to the array's.
fn natural(array: &dyn Array, row: usize, forms: &dyn TextForms) -> Result<(Datum, SqlType)> {
    Ok(match array.data_type() {
        DataType::Boolean => (Datum::Bool(array.as_boolean().value(row)), SqlType::BOOL),
        DataType::Int8 => (Datum::Int2(array.as_primitive::<arrow::Int8Type>().value(row).into()), SqlType::INT2),
        DataType::Int16 => (Datum::Int2(array.as_primitive::<arrow::Int16Type>().value(row)), SqlType::INT2),
        DataType::Int32 => (Datum::Int4(array.as_primitive::<arrow::Int32Type>().value(row)), SqlType::INT4),
        DataType::Int64 => (Datum::Int8(array.as_primitive::<arrow::Int64Type>().value(row)), SqlType::INT8),
        DataType::UInt8 => (Datum::Int2(array.as_primitive::<arrow::UInt8Type>().value(row).into()), SqlType::INT2),
        DataType::UInt16 => (Datum::Int4(array.as_primitive::<arrow::UInt16Type>().value(row).into()), SqlType::INT4),
        DataType::UInt32 => (Datum::Int8(array.as_primitive::<arrow::UInt32Type>().value(row).into()), SqlType::INT8),
        DataType::UInt64 => {
            (Datum::Numeric(Numeric::from(array.as_primitive::<arrow::UInt64Type>().value(row))), SqlType::NUMERIC)
        }
        DataType::Float32 => (Datum::Float4(array.as_primitive::<arrow::Float32Type>().value(row)), SqlType::FLOAT4),
        DataType::Float64 => (Datum::Float8(array.as_primitive::<arrow::Float64Type>().value(row)), SqlType::FLOAT8),
        DataType::Decimal128(..) => decimal(&array.as_primitive::<arrow::Decimal128Type>().value_as_string(row))?,
        DataType::Decimal256(..) => decimal(&array.as_primitive::<arrow::Decimal256Type>().value_as_string(row))?,
        DataType::Utf8 => text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => text(array.as_string_view().value(row)),
        DataType::Binary => bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => bytes(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => bytes(array.as_fixed_size_binary().value(row)),
        DataType::Date32 => (Datum::Date(date(array.as_primitive::<arrow::Date32Type>().value(row))), SqlType::DATE),
        DataType::Time32(_) | DataType::Time64(_) => (Datum::Time(time_of_day(array, row)?), SqlType::TIME),
        DataType::Timestamp(unit, zone) => timestamp(array, row, unit, zone.is_some())?,
        DataType::Interval(unit) => (Datum::Interval(interval(array, row, unit)), SqlType::INTERVAL),
        DataType::List(_) => (list(array.as_list::<i32>().value(row).as_ref(), forms)?, SqlType::TEXT),
        DataType::LargeList(_) => (list(array.as_list::<i64>().value(row).as_ref(), forms)?, SqlType::TEXT),
        other => return Err(Error::unsupported(format!("reading columns of the Arrow type {other}"))),
    })
}

fn text(text: &str) -> (Datum, SqlType) {
    (Datum::text(text), SqlType::TEXT)
}

fn bytes(bytes: &[u8]) -> (Datum, SqlType) {
    (Datum::Bytes(bytes.into()), SqlType::BYTEA)
}

fn decimal(text: &str) -> Result<(Datum, SqlType)> {
    Numeric::parse(text).map(|value| (Datum::Numeric(value), SqlType::NUMERIC))
}

fn out_of_range(what: &str) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
}

/// The greatest and the least value are the infinities, as they are written.
fn date(days: i32) -> Date {
    match days {
        i32::MAX | i32::MIN => Date(days),
        days => Date(days.saturating_sub(DAYS_FROM_1970_TO_2000)),
    }
}

fn time_of_day(array: &dyn Array, row: usize) -> Result<Time> {
    let microseconds = match array.data_type() {
        DataType::Time32(TimeUnit::Second) => {
            i64::from(array.as_primitive::<arrow::Time32SecondType>().value(row)).checked_mul(1_000_000)
        }
        DataType::Time32(_) => i64::from(array.as_primitive::<arrow::Time32MillisecondType>().value(row)).checked_mul(1000),
        DataType::Time64(TimeUnit::Nanosecond) => {
            Some(array.as_primitive::<arrow::Time64NanosecondType>().value(row).div_euclid(1000))
        }
        _ => Some(array.as_primitive::<arrow::Time64MicrosecondType>().value(row)),
    };
    let microseconds = microseconds.filter(|time| (0..=86_400_000_000).contains(time));
    microseconds.map(Time).ok_or_else(|| out_of_range("time"))
}

fn timestamp(array: &dyn Array, row: usize, unit: &TimeUnit, zoned: bool) -> Result<(Datum, SqlType)> {
    let since_1970 = match unit {
        TimeUnit::Second => array.as_primitive::<arrow::TimestampSecondType>().value(row).checked_mul(1_000_000),
        TimeUnit::Millisecond => array.as_primitive::<arrow::TimestampMillisecondType>().value(row).checked_mul(1000),
        TimeUnit::Microsecond => Some(array.as_primitive::<arrow::TimestampMicrosecondType>().value(row)),
        TimeUnit::Nanosecond => Some(array.as_primitive::<arrow::TimestampNanosecondType>().value(row).div_euclid(1000)),
    };
    let value = match since_1970.ok_or_else(|| out_of_range("timestamp"))? {
        infinite @ (i64::MAX | i64::MIN) => infinite,
        finite => finite.checked_sub(MICROSECONDS_FROM_1970_TO_2000).ok_or_else(|| out_of_range("timestamp"))?,
    };
    Ok(match zoned {
        true => (Datum::TimestampTz(TimestampTz(value)), SqlType::TIMESTAMPTZ),
        false => (Datum::Timestamp(Timestamp(value)), SqlType::TIMESTAMP),
    })
}

fn interval(array: &dyn Array, row: usize, unit: &IntervalUnit) -> Interval {
    match unit {
        IntervalUnit::YearMonth => {
            let months = array.as_primitive::<arrow::IntervalYearMonthType>().value(row);
            Interval { months, ..Interval::default() }
        }
        IntervalUnit::DayTime => {
            let value = array.as_primitive::<arrow::IntervalDayTimeType>().value(row);
            Interval { days: value.days, microseconds: i64::from(value.milliseconds) * 1000, months: 0 }
        }
        IntervalUnit::MonthDayNano => {
            let value = array.as_primitive::<arrow::IntervalMonthDayNanoType>().value(row);
            Interval { months: value.months, days: value.days, microseconds: value.nanoseconds.div_euclid(1000) }
        }
    }
}

/// A list as the text of a PostgreSQL array.
fn list(elements: &dyn Array, forms: &dyn TextForms) -> Result<Datum> {
    let is_nested = matches!(elements.data_type(), DataType::List(_) | DataType::LargeList(_));
    let mut out = String::from("{");
    for row in 0..elements.len() {
        if row > 0 {
            out.push(',');
        }
        if elements.is_null(row) {
            out.push_str("NULL");
            continue;
        }
        let (value, ty) = natural(elements, row, forms)?;
        let text = forms.to_text(&value, ty);
        if is_nested {
            out.push_str(&text);
        } else {
            push_quoted_element(&text, &mut out);
        }
    }
    out.push('}');
    Ok(Datum::text(&out))
}
