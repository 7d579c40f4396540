//! Rows as Arrow record batches.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, builder as arrow};
use arrow_buffer::IntervalMonthDayNano;
use arrow_schema::{DataType, Field, IntervalUnit, Schema, TimeUnit};
use types::{Datum, Error, Numeric, Oid, Result, SqlState, SqlType};

/// Arrow counts days and microseconds from 1970, PostgreSQL from 2000.
pub(crate) const DAYS_FROM_1970_TO_2000: i32 = 10_957;
pub(crate) const MICROSECONDS_FROM_1970_TO_2000: i64 = 946_684_800_000_000;

/// What the arrays are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Programs that speak Arrow.
    Arrow,
    /// A Parquet file, which has no intervals: they go as text.
    Parquet,
}

/// Rows gathered into arrays.
pub struct BatchBuilder {
    fields: Vec<Field>,
    types: Vec<SqlType>,
    purpose: Purpose,
    arrays: Vec<ArrayBuilder>,
    rows: usize,
}

/// An array in the making. The timestamps' flag says whether they are in UTC.
enum ArrayBuilder {
    Bool(arrow::BooleanBuilder),
    Int2(arrow::Int16Builder),
    Int4(arrow::Int32Builder),
    Int8(arrow::Int64Builder),
    Float4(arrow::Float32Builder),
    Float8(arrow::Float64Builder),
    Oid(arrow::UInt32Builder),
    Decimal(arrow::Decimal128Builder),
    Bytes(arrow::BinaryBuilder),
    Date(arrow::Date32Builder),
    Time(arrow::Time64MicrosecondBuilder),
    Timestamp(arrow::TimestampMicrosecondBuilder),
    Interval(arrow::IntervalMonthDayNanoBuilder),
    Uuid(arrow::FixedSizeBinaryBuilder),
    Text(arrow::StringBuilder),
}

impl BatchBuilder {
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, SqlType)>, purpose: Purpose) -> BatchBuilder {
        let mut builder = BatchBuilder { fields: Vec::new(), types: Vec::new(), purpose, arrays: Vec::new(), rows: 0 };
        for (name, ty) in columns {
            let array = ArrayBuilder::of(ty, purpose);
            let metadata = HashMap::from([("postgresql.type".to_owned(), ty.oid.to_string())]);
            builder.fields.push(Field::new(name, array.data_type(), true).with_metadata(metadata));
            builder.types.push(ty);
            builder.arrays.push(array);
        }
        builder
    }

    pub fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema::new(self.fields.clone()))
    }

    /// Adds a row. `text` gives the text form of a value of the column at a position, for types that Arrow has none of.
    ///
    /// Errors: 22003 and 22015 for a value that Arrow's type cannot hold.
    pub fn add<'a>(
        &mut self,
        values: impl IntoIterator<Item = &'a Datum>,
        text: &mut dyn FnMut(usize, &Datum) -> String,
    ) -> Result<()> {
        self.rows += 1;
        for (at, (array, value)) in self.arrays.iter_mut().zip(values).enumerate() {
            if !array.push(value)? {
                let ArrayBuilder::Text(texts) = array else {
                    return Err(Error::internal("a value that is not of its column's type"));
                };
                texts.append_value(text(at, value));
            }
        }
        Ok(())
    }

    /// The rows so far; the builder is empty then.
    pub fn take(&mut self) -> Result<RecordBatch> {
        let empty = self.types.iter().map(|ty| ArrayBuilder::of(*ty, self.purpose)).collect();
        let arrays = std::mem::replace(&mut self.arrays, empty).into_iter().map(ArrayBuilder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(self.schema(), arrays, &options)
            .map_err(|error| Error::internal(format!("a result does not make a record batch: {error}")))
    }
}

impl ArrayBuilder {
    fn of(ty: SqlType, purpose: Purpose) -> ArrayBuilder {
        match ty.oid {
            Oid::BOOL => ArrayBuilder::Bool(Default::default()),
            Oid::INT2 => ArrayBuilder::Int2(Default::default()),
            Oid::INT4 => ArrayBuilder::Int4(Default::default()),
            Oid::INT8 => ArrayBuilder::Int8(Default::default()),
            Oid::FLOAT4 => ArrayBuilder::Float4(Default::default()),
            Oid::FLOAT8 => ArrayBuilder::Float8(Default::default()),
            Oid::OID => ArrayBuilder::Oid(Default::default()),
            Oid::BYTEA => ArrayBuilder::Bytes(Default::default()),
            Oid::DATE => ArrayBuilder::Date(Default::default()),
            Oid::TIME => ArrayBuilder::Time(Default::default()),
            Oid::TIMESTAMP => ArrayBuilder::Timestamp(Default::default()),
            Oid::TIMESTAMPTZ => ArrayBuilder::Timestamp(arrow::TimestampMicrosecondBuilder::default().with_timezone("UTC")),
            Oid::INTERVAL if purpose == Purpose::Arrow => ArrayBuilder::Interval(Default::default()),
            Oid::UUID => ArrayBuilder::Uuid(arrow::FixedSizeBinaryBuilder::new(16)),
            Oid::NUMERIC => match decimal_shape(ty.typmod) {
                Some((precision, scale)) => {
                    let shape = DataType::Decimal128(precision, scale);
                    ArrayBuilder::Decimal(arrow::Decimal128Builder::default().with_data_type(shape))
                }
                None => ArrayBuilder::Text(Default::default()),
            },
            _ => ArrayBuilder::Text(Default::default()),
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            ArrayBuilder::Bool(_) => DataType::Boolean,
            ArrayBuilder::Int2(_) => DataType::Int16,
            ArrayBuilder::Int4(_) => DataType::Int32,
            ArrayBuilder::Int8(_) => DataType::Int64,
            ArrayBuilder::Float4(_) => DataType::Float32,
            ArrayBuilder::Float8(_) => DataType::Float64,
            ArrayBuilder::Oid(_) => DataType::UInt32,
            ArrayBuilder::Decimal(array) => array.finish_cloned().data_type().clone(),
            ArrayBuilder::Bytes(_) => DataType::Binary,
            ArrayBuilder::Date(_) => DataType::Date32,
            ArrayBuilder::Time(_) => DataType::Time64(TimeUnit::Microsecond),
            ArrayBuilder::Timestamp(array) => array.finish_cloned().data_type().clone(),
            ArrayBuilder::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
            ArrayBuilder::Uuid(_) => DataType::FixedSizeBinary(16),
            ArrayBuilder::Text(_) => DataType::Utf8,
        }
    }

    /// Appends a value; false when it is for the caller to append as text.
    fn push(&mut self, value: &Datum) -> Result<bool> {
        match (self, value) {
            (array, Datum::Null) => array.push_null(),
            (ArrayBuilder::Bool(array), Datum::Bool(value)) => array.append_value(*value),
            (ArrayBuilder::Int2(array), Datum::Int2(value)) => array.append_value(*value),
            (ArrayBuilder::Int4(array), Datum::Int4(value)) => array.append_value(*value),
            (ArrayBuilder::Int8(array), Datum::Int8(value)) => array.append_value(*value),
            (ArrayBuilder::Float4(array), Datum::Float4(value)) => array.append_value(*value),
            (ArrayBuilder::Float8(array), Datum::Float8(value)) => array.append_value(*value),
            (ArrayBuilder::Oid(array), Datum::Oid(value)) => array.append_value(value.0),
            (ArrayBuilder::Decimal(array), Datum::Numeric(value)) => array.append_value(unscaled(value)?),
            (ArrayBuilder::Bytes(array), Datum::Bytes(value)) => array.append_value(value),
            // Infinities stay the largest and the smallest value, as they are in PostgreSQL.
            (ArrayBuilder::Date(array), Datum::Date(value)) => {
                array.append_value(if value.is_finite() { value.0.saturating_add(DAYS_FROM_1970_TO_2000) } else { value.0 });
            }
            (ArrayBuilder::Time(array), Datum::Time(value)) => array.append_value(value.0),
            (ArrayBuilder::Timestamp(array), Datum::Timestamp(value)) => {
                array.append_value(since_1970(value.0, value.is_finite()))
            }
            (ArrayBuilder::Timestamp(array), Datum::TimestampTz(value)) => {
                array.append_value(since_1970(value.0, value.is_finite()))
            }
            (ArrayBuilder::Interval(array), Datum::Interval(value)) => {
                let nanoseconds = value.microseconds.checked_mul(1000).ok_or_else(|| {
                    Error::new(SqlState::INTERVAL_FIELD_OVERFLOW, "interval out of range for Arrow, which counts nanoseconds")
                })?;
                array.append_value(IntervalMonthDayNano::new(value.months, value.days, nanoseconds));
            }
            (ArrayBuilder::Uuid(array), Datum::Uuid(value)) => {
                array.append_value(value).map_err(|error| Error::internal(error.to_string()))?;
            }
            (ArrayBuilder::Text(array), Datum::Text(value)) => array.append_value(value),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn push_null(&mut self) {
        match self {
            ArrayBuilder::Bool(array) => array.append_null(),
            ArrayBuilder::Int2(array) => array.append_null(),
            ArrayBuilder::Int4(array) => array.append_null(),
            ArrayBuilder::Int8(array) => array.append_null(),
            ArrayBuilder::Float4(array) => array.append_null(),
            ArrayBuilder::Float8(array) => array.append_null(),
            ArrayBuilder::Oid(array) => array.append_null(),
            ArrayBuilder::Decimal(array) => array.append_null(),
            ArrayBuilder::Bytes(array) => array.append_null(),
            ArrayBuilder::Date(array) => array.append_null(),
            ArrayBuilder::Time(array) => array.append_null(),
            ArrayBuilder::Timestamp(array) => array.append_null(),
            ArrayBuilder::Interval(array) => array.append_null(),
            ArrayBuilder::Uuid(array) => array.append_null(),
            ArrayBuilder::Text(array) => array.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            ArrayBuilder::Bool(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Int2(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Int4(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Int8(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Float4(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Float8(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Oid(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Decimal(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Bytes(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Date(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Time(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Timestamp(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Interval(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Uuid(mut array) => Arc::new(array.finish()),
            ArrayBuilder::Text(mut array) => Arc::new(array.finish()),
        }
    }
}

fn since_1970(microseconds: i64, is_finite: bool) -> i64 {
    if is_finite { microseconds.saturating_add(MICROSECONDS_FROM_1970_TO_2000) } else { microseconds }
}

/// Precision and scale of a numeric's modifier, when Decimal128 can hold them.
fn decimal_shape(typmod: i32) -> Option<(u8, i8)> {
    let packed = typmod.checked_sub(4).filter(|packed| *packed >= 0)?;
    let (precision, scale) = ((packed >> 16) & 0xffff, packed & 0x7ff);
    // Scales are signed 11-bit numbers; a negative one rounds before the point.
    (precision <= 38 && scale <= precision).then_some((precision as u8, scale as i8))
}

/// The digits of a numeric(p,s) without its point: it always prints exactly s digits after it.
fn unscaled(value: &Numeric) -> Result<i128> {
    value.to_string().replace('.', "").parse().map_err(|_| {
        Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("numeric {value} has no decimal form in Arrow"))
            .hint("Cast it to text or to double precision.")
    })
}

#[cfg(test)]
mod tests {
    use types::Numeric;

    use super::{decimal_shape, unscaled};

    #[test]
    fn modifiers_of_numeric() {
        let typmod = |precision: i32, scale: i32| ((precision << 16) | (scale & 0x7ff)) + 4;
        assert_eq!(decimal_shape(typmod(8, 2)), Some((8, 2)));
        assert_eq!(decimal_shape(typmod(38, 0)), Some((38, 0)));
        assert_eq!(decimal_shape(typmod(39, 0)), None);
        assert_eq!(decimal_shape(typmod(5, -2)), None);
        assert_eq!(decimal_shape(-1), None);
    }

    #[test]
    fn digits_without_the_point() {
        assert_eq!(unscaled(&Numeric::parse("-12.50").unwrap()).unwrap(), -1250);
        assert!(unscaled(&Numeric::parse("NaN").unwrap()).is_err());
    }
}
