//! One SQL value.

use std::sync::Arc;

use crate::{Array, BitString, Date, Interval, Jsonb, Numeric, Oid, SqlType, Time, TimeTz, Timestamp, TimestampTz};

/// One SQL value, self-describing. 24 bytes; cloning never copies more than a reference count.
///
/// Comparison and hashing follow PostgreSQL's operators and live in [`crate::datum_order`].
#[derive(Clone, Debug, Default)]
pub enum Datum {
    #[default]
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Float4(f32),
    Float8(f64),
    Oid(Oid),
    Numeric(Numeric),
    /// text, varchar, char(n) (padded with blanks to its length), name, "char", json, xml, unknown literals
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    Date(Date),
    Time(Time),
    TimeTz(TimeTz),
    Timestamp(Timestamp),
    TimestampTz(TimestampTz),
    Interval(Interval),
    Uuid([u8; 16]),
    Jsonb(Arc<Jsonb>),
    Array(Arc<Array>),
    /// bit(n) and bit varying(n)
    Bit(Arc<BitString>),
    Enum(Arc<EnumLabel>),
    Record(Arc<Record>),
}

/// A value of an enum type: its label and its place in the order of the type's labels.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumLabel {
    pub type_oid: Oid,
    /// pg_enum.oid
    pub label_oid: Oid,
    /// pg_enum.enumsortorder
    pub sort_order: f32,
    pub label: Arc<str>,
}

/// A row value; `type_oid` is [`Oid::RECORD`] for an anonymous one.
#[derive(Clone, Debug)]
pub struct Record {
    pub type_oid: Oid,
    pub fields: Vec<Datum>,
    pub field_types: Arc<[SqlType]>,
    /// Names of the fields, shared by all records of one shape; used by row_to_json and field selection.
    pub field_names: Arc<[Arc<str>]>,
}

const _: () = assert!(size_of::<Datum>() == 24);

impl Datum {
    pub fn is_null(&self) -> bool {
        matches!(self, Datum::Null)
    }

    pub fn text(value: &str) -> Datum {
        Datum::Text(Arc::from(value))
    }

    pub fn bytes(value: &[u8]) -> Datum {
        Datum::Bytes(Arc::from(value))
    }

    /// Bytes this value occupies beyond the 24 of the datum itself, for memory accounting.
    pub fn heap_size(&self) -> usize {
        match self {
            Datum::Text(text) => text.len() + 16,
            Datum::Bytes(bytes) => bytes.len() + 16,
            Datum::Numeric(number) => number.heap_size(),
            Datum::Jsonb(json) => json.heap_size(),
            Datum::Array(array) => array.heap_size(),
            Datum::Record(record) => record.fields.iter().map(|field| 24 + field.heap_size()).sum::<usize>() + 64,
            Datum::Enum(_) => 48,
            Datum::Bit(bits) => bits.bytes().len() + 40,
            _ => 0,
        }
    }
}
