//! Random values of one type for property tests, with many that are equal or nearly so.

use std::sync::Arc;

use proptest::prelude::*;
use types::{
    Array, BitString, Date, Datum, EnumLabel, Interval, Jsonb, Numeric, Oid, Physical, Record, SqlType, Time, TimeTz, Timestamp,
    TimestampTz,
};

/// Small numbers, so that equal ones are frequent, and any.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -3..4i64, 2 => -300..300i64, 1 => any::<i64>()]
}

fn numeric() -> impl Strategy<Value = Numeric> {
    let parsed = |text: String| Numeric::parse(&text).expect("it is a number");
    prop_oneof![
        4 => (number(), 0..4u16).prop_map(|(mantissa, scale)| Numeric::from_parts(mantissa, scale)),
        2 => "-?[0-9]{1,40}(\\.[0-9]{0,30})?".prop_map(parsed),
        1 => "-?[1-9]e-?[0-9]{1,2}".prop_map(parsed),
        1 => prop_oneof![Just(Numeric::NAN), Just(Numeric::INFINITY), Just(Numeric::NEGATIVE_INFINITY)],
    ]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        number().prop_map(|number| number as f64 / 2.0),
        prop_oneof![
            Just(-0.0),
            Just(f64::NAN),
            Just(-f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(f64::MIN_POSITIVE)
        ],
        any::<f64>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ab\u{1}\u{2}]{0,4}", "[a-cé\u{7f}]{0,3}", any::<String>()].prop_map(|text| text.replace('\0', ""))
}

fn interval() -> impl Strategy<Value = Interval> {
    let small = (-1..2i32, -30..31i32, -1..2i64).prop_map(|(months, days, day)| Interval {
        months,
        days,
        microseconds: day * 86_400_000_000,
    });
    let any = any::<(i32, i32, i64)>().prop_map(|(months, days, microseconds)| Interval { months, days, microseconds });
    prop_oneof![small, any]
}

fn time_tz() -> impl Strategy<Value = TimeTz> {
    (0..24i64, -3..4i32).prop_map(|(hour, zone)| TimeTz { time_us: hour * 3_600_000_000, zone_seconds_west: zone * 3600 })
}

fn jsonb() -> impl Strategy<Value = Jsonb> {
    let scalar = prop_oneof![
        Just(Jsonb::Null),
        any::<bool>().prop_map(Jsonb::Bool),
        numeric().prop_filter("finite", Numeric::is_finite).prop_map(Jsonb::Number),
        text().prop_map(|text| Jsonb::string(&text)),
    ];
    scalar.prop_recursive(3, 12, 3, |nested| {
        prop_oneof![
            prop::collection::vec(nested.clone(), 0..3).prop_map(Jsonb::array),
            prop::collection::vec(("[ab]{1,2}".prop_map(|key: String| Arc::from(&*key)), nested), 0..3).prop_map(Jsonb::object),
        ]
    })
}

fn int4() -> impl Strategy<Value = Datum> {
    number().prop_map(|number| Datum::Int4(number as i32))
}

fn or_null(value: impl Strategy<Value = Datum>) -> impl Strategy<Value = Datum> {
    prop_oneof![4 => value, 1 => Just(Datum::Null)]
}

fn array() -> impl Strategy<Value = Datum> {
    (prop::collection::vec(or_null(int4()), 0..4), 1..3i32).prop_map(|(elements, lower_bound)| {
        let mut array = Array::one_dimensional(SqlType::INT4, elements);
        array.dimensions.iter_mut().for_each(|dimension| dimension.lower_bound = lower_bound);
        Datum::Array(Arc::new(array))
    })
}

fn record() -> impl Strategy<Value = Datum> {
    (or_null(int4()), or_null(text().prop_map(|text| Datum::text(&text)))).prop_map(|(number, text)| {
        Datum::Record(Arc::new(Record {
            type_oid: Oid::RECORD,
            fields: vec![number, text],
            field_types: [SqlType::INT4, SqlType::TEXT].into(),
            field_names: ["f1".into(), "f2".into()].into(),
        }))
    })
}

fn enum_label(sort_order: u32) -> Datum {
    let label = ["c", "b", "a"][sort_order as usize].into();
    Datum::Enum(Arc::new(EnumLabel {
        type_oid: Oid(20000),
        label_oid: Oid(20001 + sort_order),
        sort_order: sort_order as f32,
        label,
    }))
}

fn bits() -> impl Strategy<Value = Datum> {
    prop::collection::vec(any::<bool>(), 0..12).prop_map(|bits| Datum::Bit(Arc::new(BitString::from_bits(bits.into_iter()))))
}

fn values_of(kind: usize) -> (Physical, BoxedStrategy<Datum>) {
    let bytes = || prop_oneof![prop::collection::vec(0..3u8, 0..4), prop::collection::vec(any::<u8>(), 0..9)];
    match kind {
        0 => (Physical::Bool, any::<bool>().prop_map(Datum::Bool).boxed()),
        1 => (Physical::Int2, number().prop_map(|number| Datum::Int2(number as i16)).boxed()),
        2 => (Physical::Int4, int4().boxed()),
        3 => (Physical::Int8, number().prop_map(Datum::Int8).boxed()),
        4 => (Physical::Float4, float().prop_map(|number| Datum::Float4(number as f32)).boxed()),
        5 => (Physical::Float8, float().prop_map(Datum::Float8).boxed()),
        6 => (Physical::Oid, number().prop_map(|number| Datum::Oid(Oid(number as u32))).boxed()),
        7 => (Physical::Numeric, numeric().prop_map(Datum::Numeric).boxed()),
        8 => (Physical::Text, text().prop_map(|text| Datum::text(&text)).boxed()),
        9 => (Physical::Bytes, bytes().prop_map(|bytes| Datum::bytes(&bytes)).boxed()),
        10 => (Physical::Date, number().prop_map(|number| Datum::Date(Date(number as i32))).boxed()),
        11 => (Physical::Time, (0..5i64).prop_map(|time| Datum::Time(Time(time))).boxed()),
        12 => (Physical::TimeTz, time_tz().prop_map(Datum::TimeTz).boxed()),
        13 => (Physical::Timestamp, number().prop_map(|time| Datum::Timestamp(Timestamp(time))).boxed()),
        14 => (Physical::TimestampTz, number().prop_map(|time| Datum::TimestampTz(TimestampTz(time))).boxed()),
        15 => (Physical::Interval, interval().prop_map(Datum::Interval).boxed()),
        16 => (Physical::Uuid, any::<[bool; 16]>().prop_map(|bits| Datum::Uuid(bits.map(u8::from))).boxed()),
        17 => (Physical::Any, jsonb().prop_map(|json| Datum::Jsonb(Arc::new(json))).boxed()),
        18 => (Physical::Any, array().boxed()),
        19 => (Physical::Any, record().boxed()),
        20 => (Physical::Any, (0..3u32).prop_map(enum_label).boxed()),
        _ => (Physical::Any, bits().boxed()),
    }
}

/// Up to a dozen values of one type, NULLs among them.
pub(crate) fn columns_of_one_type() -> impl Strategy<Value = (Physical, Vec<Datum>)> {
    (0..22usize).prop_flat_map(|kind| {
        let (physical, value) = values_of(kind);
        (Just(physical), prop::collection::vec(or_null(value), 1..12))
    })
}
