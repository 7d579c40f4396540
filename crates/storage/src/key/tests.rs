//! Encoded keys sort as their values do.

use std::sync::Arc;

use proptest::prelude::*;
use types::{Array, Datum, EnumLabel, Interval, Numeric, Oid, SqlType, TimeTz, datum_order::compare_datums};

use super::{random_datums::columns_of_one_type, *};

fn encoded(datum: &Datum, order: KeyOrder) -> Vec<u8> {
    let mut key = Vec::new();
    encode_key_part(datum, order, &mut key).unwrap();
    key
}

/// Encodes values that are given in strictly ascending order and checks that their bytes are, too, in every order of keys.
fn assert_ascending(datums: &[Datum]) {
    for descending in [false, true] {
        for nulls_first in [false, true] {
            let order = KeyOrder { descending, nulls_first };
            let null = encoded(&Datum::Null, order);
            for (i, left) in datums.iter().enumerate() {
                for (j, right) in datums.iter().enumerate() {
                    let expected = if descending { j.cmp(&i) } else { i.cmp(&j) };
                    // What follows a part must not disturb its order.
                    let (mut left_key, mut right_key) = (encoded(left, order), encoded(right, order));
                    left_key.push(if i < j { 0xFF } else { 0 });
                    right_key.push(if i < j { 0 } else { 0xFF });
                    if i != j {
                        assert_eq!(left_key.cmp(&right_key), expected, "{left:?} and {right:?}, {order:?}");
                    }
                }
                assert_eq!(null < encoded(left, order), nulls_first);
            }
        }
    }
}

#[test]
fn integers_and_booleans() {
    assert_ascending(&[i16::MIN, -2, -1, 0, 1, 256, i16::MAX].map(Datum::Int2));
    assert_ascending(&[i32::MIN, -65536, -1, 0, 1, 65536, i32::MAX].map(Datum::Int4));
    assert_ascending(&[i64::MIN, -1 << 40, -1, 0, 1, 1 << 40, i64::MAX].map(Datum::Int8));
    assert_ascending(&[0, 1, 1 << 31, u32::MAX].map(|oid| Datum::Oid(Oid(oid))));
    assert_ascending(&[false, true].map(Datum::Bool));
}

#[test]
fn floats_with_nan_greatest_and_one_zero() {
    assert_ascending(&[f64::NEG_INFINITY, -1e300, -1.5, -1e-310, 0.0, 1e-310, 1.5, f64::INFINITY, f64::NAN].map(Datum::Float8));
    assert_ascending(&[f32::NEG_INFINITY, -1.5, 0.0, 1e-40, 1.5, f32::INFINITY, f32::NAN].map(Datum::Float4));
    let order = KeyOrder::ASCENDING;
    assert_eq!(encoded(&Datum::Float8(-0.0), order), encoded(&Datum::Float8(0.0), order));
    assert_eq!(encoded(&Datum::Float4(-f32::NAN), order), encoded(&Datum::Float4(f32::NAN), order));
}

#[test]
fn numerics_of_any_precision() {
    let parse = |text: &&str| Datum::Numeric(Numeric::parse(text).unwrap());
    let ascending = [
        "-Infinity",
        "-1e40",
        "-100000000000000000000.5",
        "-100",
        "-99.99",
        "-1.01",
        "-1",
        "-0.5",
        "-1e-30",
        "0",
        "1e-30",
        "0.00999",
        "0.01",
        "0.5",
        "1",
        "1.000000000000000000000000000001",
        "1.01",
        "9",
        "10",
        "99.99",
        "100",
        "101",
        "9223372036854775807",
        "9223372036854775808",
        "1e40",
        "1e1000",
        "Infinity",
        "NaN",
    ];
    assert_ascending(&ascending.iter().map(parse).collect::<Vec<_>>());
    for (left, right) in [("1", "1.000"), ("0", "0.00"), ("1e19", "10000000000000000000.00"), ("-12.30", "-12.3")] {
        assert_eq!(encoded(&parse(&left), KeyOrder::ASCENDING), encoded(&parse(&right), KeyOrder::ASCENDING), "{left} {right}");
    }
}

#[test]
fn text_and_bytea() {
    assert_ascending(&["", "\u{1}", "\u{2}", "a", "a\u{1}", "a\u{1}b", "ab", "b", "é"].map(Datum::text));
    let bytes: [&[u8]; 9] = [&[], &[0], &[0, 0], &[0, 1], &[0, 255], &[1], &[1, 0], &[2], &[255]];
    assert_ascending(&bytes.map(Datum::bytes));
}

#[test]
fn times_and_intervals() {
    let at = |hours: i64, west: i32| Datum::TimeTz(TimeTz { time_us: hours * 3_600_000_000, zone_seconds_west: west * 3600 });
    // SELECT '11:00+02'::timetz < '10:00+00'; '12:00+01' < '11:00+00' by zone alone.
    assert_ascending(&[at(11, -2), at(12, -1), at(11, 0), at(10, 1), at(23, 0)]);
    let interval = |months, days, microseconds| Datum::Interval(Interval { months, days, microseconds });
    assert_ascending(&[
        interval(i32::MIN, i32::MIN, i64::MIN),
        interval(-1, 0, 0),
        interval(0, -29, 0),
        interval(0, 0, -1),
        interval(0, 0, 0),
        interval(0, 1, 0),
        interval(1, -1, 0),
        interval(1, 0, 1),
        interval(i32::MAX, i32::MAX, i64::MAX),
    ]);
    let order = KeyOrder::ASCENDING;
    assert_eq!(encoded(&interval(1, 0, 0), order), encoded(&interval(0, 29, 86_400_000_000), order));
}

#[test]
fn enums_by_sort_order_not_label() {
    let label = |sort_order: f32, label: &str| {
        Datum::Enum(Arc::new(EnumLabel { type_oid: Oid(20000), label_oid: Oid(20001), sort_order, label: label.into() }))
    };
    assert_ascending(&[label(1.0, "sad"), label(1.5, "ok"), label(2.0, "happy")]);
}

#[test]
fn arrays_elementwise_then_by_shape() {
    let array = |elements: &[Option<i32>]| {
        let elements = elements.iter().map(|element| element.map_or(Datum::Null, Datum::Int4)).collect();
        Datum::Array(Arc::new(Array::one_dimensional(SqlType::INT4, elements)))
    };
    assert_ascending(&[
        array(&[]),
        array(&[Some(-1), Some(9)]),
        array(&[Some(1)]),
        array(&[Some(1), Some(2)]),
        array(&[Some(1), Some(2), Some(0)]),
        array(&[Some(1), None]),
        array(&[Some(2)]),
        array(&[None]),
    ]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn bytes_compare_as_values_do(
        (_, datums) in columns_of_one_type(),
        descending in any::<bool>(),
        nulls_first in any::<bool>(),
    ) {
        let order = KeyOrder { descending, nulls_first };
        let keys: Vec<Vec<u8>> = datums.iter().map(|datum| encoded(datum, order)).collect();
        for (left, left_key) in datums.iter().zip(&keys) {
            for (right, right_key) in datums.iter().zip(&keys) {
                let expected = match (left.is_null(), right.is_null()) {
                    (false, false) if descending => compare_datums(right, left),
                    (false, false) => compare_datums(left, right),
                    (left_null, right_null) if nulls_first => right_null.cmp(&left_null),
                    (left_null, right_null) => left_null.cmp(&right_null),
                };
                prop_assert_eq!(left_key.cmp(right_key), expected, "{:?} {:?} {:?}", left, right, order);
                prop_assert!(left_key == right_key || !right_key.starts_with(left_key), "{:?} {:?}", left, right);
            }
        }
    }
}
