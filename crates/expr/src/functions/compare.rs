//! The order and equality of values outside vectors, as the types' default btree operator classes have them: NaN last among numbers,
//! char(n) without trailing blanks, arrays and records element by element with NULLs last.

use std::cmp::Ordering;

use types::{Array, Datum, Interval, Oid, Record, TimeTz};

use super::{float, text_comparison::without_blanks};

/// Compares two values of one type; NULL is equal to NULL and after everything else. `ty` matters for char(n) only.
pub fn compare_datums(left: &Datum, right: &Datum, ty: Oid) -> Ordering {
    match (left, right) {
        (Datum::Null, Datum::Null) => Ordering::Equal,
        (Datum::Null, _) => Ordering::Greater,
        (_, Datum::Null) => Ordering::Less,
        (Datum::Bool(a), Datum::Bool(b)) => a.cmp(b),
        (Datum::Int2(a), Datum::Int2(b)) => a.cmp(b),
        (Datum::Int4(a), Datum::Int4(b)) => a.cmp(b),
        (Datum::Int8(a), Datum::Int8(b)) => a.cmp(b),
        (Datum::Float4(a), Datum::Float4(b)) => float::compare(*a as f64, *b as f64),
        (Datum::Float8(a), Datum::Float8(b)) => float::compare(*a, *b),
        (Datum::Oid(a), Datum::Oid(b)) => a.cmp(b),
        (Datum::Numeric(a), Datum::Numeric(b)) => a.cmp(b),
        (Datum::Text(a), Datum::Text(b)) if ty == Oid::BPCHAR => without_blanks(a.as_bytes()).cmp(without_blanks(b.as_bytes())),
        (Datum::Text(a), Datum::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Datum::Bytes(a), Datum::Bytes(b)) => a.cmp(b),
        (Datum::Date(a), Datum::Date(b)) => a.cmp(b),
        (Datum::Time(a), Datum::Time(b)) => a.cmp(b),
        (Datum::TimeTz(a), Datum::TimeTz(b)) => compare_timetz(a, b),
        (Datum::Timestamp(a), Datum::Timestamp(b)) => a.cmp(b),
        (Datum::TimestampTz(a), Datum::TimestampTz(b)) => a.cmp(b),
        (Datum::Interval(a), Datum::Interval(b)) => interval_span(a).cmp(&interval_span(b)),
        (Datum::Uuid(a), Datum::Uuid(b)) => a.cmp(b),
        (Datum::Enum(a), Datum::Enum(b)) => a.sort_order.total_cmp(&b.sort_order),
        (Datum::Array(a), Datum::Array(b)) => compare_arrays(a, b),
        (Datum::Record(a), Datum::Record(b)) => compare_records(a, b),
        _ => unreachable!("{left:?} compared with {right:?}"),
    }
}

/// By the moment in UTC, then by the zone.
pub fn compare_timetz(a: &TimeTz, b: &TimeTz) -> Ordering {
    let utc = |time: &TimeTz| time.time_us + time.zone_seconds_west as i64 * 1_000_000;
    utc(a).cmp(&utc(b)).then(a.zone_seconds_west.cmp(&b.zone_seconds_west))
}

/// An interval's length in microseconds with months of 30 days.
pub fn interval_span(interval: &Interval) -> i128 {
    let days = interval.months as i128 * 30 + interval.days as i128;
    days * 86_400_000_000 + interval.microseconds as i128
}

/// Element by element; then the shorter first, fewer dimensions first, smaller dimensions first.
pub fn compare_arrays(a: &Array, b: &Array) -> Ordering {
    let ty = a.element_type.oid;
    a.elements
        .iter()
        .zip(&b.elements)
        .map(|(left, right)| compare_datums(left, right, ty))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
        .then(a.elements.len().cmp(&b.elements.len()))
        .then(a.dimensions.len().cmp(&b.dimensions.len()))
        .then_with(|| {
            let shape = |array: &Array| array.dimensions.iter().map(|d| (d.length, d.lower_bound)).collect::<Vec<_>>();
            shape(a).cmp(&shape(b))
        })
}

pub fn compare_records(a: &Record, b: &Record) -> Ordering {
    a.fields
        .iter()
        .zip(&b.fields)
        .enumerate()
        .map(|(at, (left, right))| compare_datums(left, right, a.field_types.get(at).map_or(Oid::INVALID, |ty| ty.oid)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
        .then(a.fields.len().cmp(&b.fields.len()))
}
