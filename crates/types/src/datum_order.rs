//! The order, equality and hash that PostgreSQL's default operator classes give to values.
//!
//! Text compares by its bytes (the C collation). `char(n)` values compare without their trailing blanks: trimming them first
//! is the caller's part, because a [`Datum`] does not know that it is one; the same holds inside arrays and records.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
};

use crate::{Array, Datum, Interval, Record, TimeTz};

const MICROSECONDS_PER_DAY: i128 = 86_400_000_000;

/// Orders two values of one physical type. Integers of different widths also compare, and NULL comes after everything, as in
/// the default order of ORDER BY.
pub fn compare_datums(left: &Datum, right: &Datum) -> Ordering {
    match (left, right) {
        (Datum::Int4(left), Datum::Int4(right)) => left.cmp(right),
        (Datum::Int8(left), Datum::Int8(right)) => left.cmp(right),
        (Datum::Text(left), Datum::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Datum::Numeric(left), Datum::Numeric(right)) => left.cmp(right),
        (Datum::Bool(left), Datum::Bool(right)) => left.cmp(right),
        (Datum::Oid(left), Datum::Oid(right)) => left.cmp(right),
        (Datum::Bytes(left), Datum::Bytes(right)) => left.cmp(right),
        (Datum::Date(left), Datum::Date(right)) => left.cmp(right),
        (Datum::Time(left), Datum::Time(right)) => left.cmp(right),
        (Datum::TimeTz(left), Datum::TimeTz(right)) => compare_timetz(left, right),
        (Datum::Timestamp(left), Datum::Timestamp(right)) => left.cmp(right),
        (Datum::TimestampTz(left), Datum::TimestampTz(right)) => left.cmp(right),
        (Datum::Interval(left), Datum::Interval(right)) => interval_span_us(left).cmp(&interval_span_us(right)),
        (Datum::Uuid(left), Datum::Uuid(right)) => left.cmp(right),
        (Datum::Jsonb(left), Datum::Jsonb(right)) => left.cmp(right),
        (Datum::Bit(left), Datum::Bit(right)) => left.cmp(right),
        (Datum::Array(left), Datum::Array(right)) => compare_arrays(left, right, compare_datums),
        (Datum::Record(left), Datum::Record(right)) => compare_records(left, right),
        (Datum::Enum(left), Datum::Enum(right)) => match left.label_oid == right.label_oid {
            true => Ordering::Equal,
            false => left.sort_order.total_cmp(&right.sort_order),
        },
        _ => compare_unlike(left, right),
    }
}

/// Feeds a hasher so that values which compare equal hash alike, whatever their scale, sign of zero or unit.
pub fn hash_datum<H: Hasher>(datum: &Datum, state: &mut H) {
    match datum {
        Datum::Null => state.write_u8(0),
        Datum::Bool(value) => value.hash(state),
        Datum::Int2(value) => i64::from(*value).hash(state),
        Datum::Int4(value) => i64::from(*value).hash(state),
        Datum::Int8(value) => value.hash(state),
        Datum::Float4(value) => normal_bits(f64::from(*value)).hash(state),
        Datum::Float8(value) => normal_bits(*value).hash(state),
        Datum::Oid(value) => value.hash(state),
        Datum::Numeric(value) => value.hash(state),
        Datum::Text(value) => value.hash(state),
        Datum::Bytes(value) => value.hash(state),
        Datum::Date(value) => value.hash(state),
        Datum::Time(value) => value.hash(state),
        Datum::TimeTz(value) => (value.time_us, value.zone_seconds_west).hash(state),
        Datum::Timestamp(value) => value.hash(state),
        Datum::TimestampTz(value) => value.hash(state),
        Datum::Interval(value) => interval_span_us(value).hash(state),
        Datum::Uuid(value) => value.hash(state),
        Datum::Jsonb(value) => value.hash(state),
        Datum::Bit(value) => value.hash(state),
        Datum::Enum(value) => value.label_oid.hash(state),
        Datum::Array(array) => {
            array.dimensions.hash(state);
            array.elements.iter().for_each(|element| hash_datum(element, state));
        }
        Datum::Record(record) => record.fields.iter().for_each(|field| hash_datum(field, state)),
    }
}

/// Orders doubles: NaN equals itself and comes last, -0 equals 0.
#[inline]
pub fn compare_f64(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// Orders singles: NaN equals itself and comes last, -0 equals 0.
#[inline]
pub fn compare_f32(left: f32, right: f32) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// The bits of a double after -0 became 0 and every NaN the same one.
fn normal_bits(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

/// The length that intervals compare by: a month is 30 days, a day 24 hours.
pub fn interval_span_us(interval: &Interval) -> i128 {
    let days = i128::from(interval.months) * 30 + i128::from(interval.days);
    days * MICROSECONDS_PER_DAY + i128::from(interval.microseconds)
}

/// By the instant in UTC, then by zone.
pub fn compare_timetz(left: &TimeTz, right: &TimeTz) -> Ordering {
    let utc_us = |value: &TimeTz| i128::from(value.time_us) + i128::from(value.zone_seconds_west) * 1_000_000;
    utc_us(left).cmp(&utc_us(right)).then(left.zone_seconds_west.cmp(&right.zone_seconds_west))
}

/// Element by element (NULL last), then by number of elements and shape. `compare` orders two elements that are not NULL.
pub fn compare_arrays(left: &Array, right: &Array, compare: impl Fn(&Datum, &Datum) -> Ordering) -> Ordering {
    for (left, right) in left.elements.iter().zip(&right.elements) {
        let order = match (left.is_null(), right.is_null()) {
            (false, false) => compare(left, right),
            (left_null, right_null) => left_null.cmp(&right_null),
        };
        if order.is_ne() {
            return order;
        }
    }
    let by_size = left.elements.len().cmp(&right.elements.len());
    let by_size = by_size.then(left.dimensions.len().cmp(&right.dimensions.len()));
    let lengths = |array: &Array| array.dimensions.iter().map(|dimension| dimension.length).collect::<Vec<_>>();
    let bounds = |array: &Array| array.dimensions.iter().map(|dimension| dimension.lower_bound).collect::<Vec<_>>();
    by_size.then_with(|| lengths(left).cmp(&lengths(right))).then_with(|| bounds(left).cmp(&bounds(right)))
}

/// Field by field (NULL last). Whether the records have like columns is for the caller to check.
fn compare_records(left: &Record, right: &Record) -> Ordering {
    for (left, right) in left.fields.iter().zip(&right.fields) {
        let order = compare_datums(left, right);
        if order.is_ne() {
            return order;
        }
    }
    left.fields.len().cmp(&right.fields.len())
}

fn as_i64(datum: &Datum) -> Option<i64> {
    match datum {
        Datum::Int2(value) => Some(i64::from(*value)),
        Datum::Int4(value) => Some(i64::from(*value)),
        Datum::Int8(value) => Some(*value),
        _ => None,
    }
}

fn as_f64(datum: &Datum) -> Option<f64> {
    match datum {
        Datum::Float4(value) => Some(f64::from(*value)),
        Datum::Float8(value) => Some(*value),
        _ => None,
    }
}

/// Integers and floats of any widths, NULLs, and an arbitrary but total order of kinds for anything else.
fn compare_unlike(left: &Datum, right: &Datum) -> Ordering {
    if left.is_null() || right.is_null() {
        return left.is_null().cmp(&right.is_null());
    }
    if let (Some(left), Some(right)) = (as_i64(left), as_i64(right)) {
        return left.cmp(&right);
    }
    if let (Some(left), Some(right)) = (as_f64(left), as_f64(right)) {
        return compare_f64(left, right);
    }
    let kind = |datum: &Datum| match datum {
        Datum::Bool(_) => 0,
        Datum::Int2(_) | Datum::Int4(_) | Datum::Int8(_) => 1,
        Datum::Float4(_) | Datum::Float8(_) => 2,
        Datum::Oid(_) => 3,
        Datum::Numeric(_) => 4,
        Datum::Text(_) => 5,
        Datum::Bytes(_) => 6,
        Datum::Date(_) => 7,
        Datum::Time(_) => 8,
        Datum::TimeTz(_) => 9,
        Datum::Timestamp(_) => 10,
        Datum::TimestampTz(_) => 11,
        Datum::Interval(_) => 12,
        Datum::Uuid(_) => 13,
        Datum::Jsonb(_) => 14,
        Datum::Bit(_) => 15,
        Datum::Array(_) => 16,
        Datum::Enum(_) => 17,
        Datum::Record(_) => 18,
        Datum::Null => 19,
    };
    kind(left).cmp(&kind(right))
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use super::*;
    use crate::{Numeric, SqlType};

    fn hash(datum: &Datum) -> u64 {
        struct Hashed<'a>(&'a Datum);
        impl Hash for Hashed<'_> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                hash_datum(self.0, state);
            }
        }
        BuildHasherDefault::<DefaultHasher>::default().hash_one(Hashed(datum))
    }

    fn int_array(elements: Vec<Datum>) -> Datum {
        Datum::Array(Array::one_dimensional(SqlType::INT4, elements).into())
    }

    #[test]
    fn equal_values_of_different_form() {
        let numeric = |text| Datum::Numeric(Numeric::parse(text).expect("a number"));
        let interval = |months, days| Datum::Interval(Interval { months, days, microseconds: 0 });
        for (left, right) in [
            (numeric("1.0"), numeric("1.000")),
            (Datum::Float8(0.0), Datum::Float8(-0.0)),
            (Datum::Float8(f64::NAN), Datum::Float8(-f64::NAN)),
            (interval(1, 0), interval(0, 30)),
            (Datum::Int2(7), Datum::Int8(7)),
        ] {
            assert_eq!(compare_datums(&left, &right), Ordering::Equal, "{left:?} {right:?}");
            assert_eq!(hash(&left), hash(&right), "{left:?} {right:?}");
        }
    }

    #[test]
    fn order_of_unequal_values() {
        let timetz = |time_us, zone_seconds_west| Datum::TimeTz(TimeTz { time_us, zone_seconds_west });
        for (less, greater) in [
            (Datum::Float8(f64::INFINITY), Datum::Float8(f64::NAN)),
            (Datum::text("B"), Datum::text("a")),
            (Datum::text("a"), Datum::text("é")),
            (timetz(3_600_000_000, 0), timetz(0, 7200)),
            (timetz(3_600_000_000, -3600), timetz(0, 0)),
            (int_array(vec![Datum::Int4(1), Datum::Int4(2)]), int_array(vec![Datum::Int4(1), Datum::Null])),
            (int_array(vec![Datum::Int4(1)]), int_array(vec![Datum::Int4(1), Datum::Int4(0)])),
            (int_array(vec![Datum::Int4(9), Datum::Int4(9)]), Datum::Null),
        ] {
            assert_eq!(compare_datums(&less, &greater), Ordering::Less, "{less:?} {greater:?}");
            assert_eq!(compare_datums(&greater, &less), Ordering::Greater, "{less:?} {greater:?}");
        }
    }
}
