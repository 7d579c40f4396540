//! Bytes are what PostgreSQL 15 sends.

use proptest::prelude::*;

use super::*;
use crate::{
    BitString, Date, Interval, Jsonb, Physical, Time, TimeTz, Timestamp, array::Dimension, compare_datums,
    text_format::tests::TestResolver,
};

fn hex(datum: &Datum, ty: SqlType) -> String {
    let mut out = Vec::new();
    datum_to_binary(datum, ty, &mut out);
    out.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn failure(hex: &str, ty: SqlType) -> String {
    let error = datum_from_binary(&bytes(hex), ty, &TestResolver).expect_err(hex);
    format!("{:?} {}", error.sqlstate(), error.message())
}

fn numeric(text: &str) -> Datum {
    Datum::Numeric(Numeric::parse(text).expect(text))
}

#[test]
fn what_postgresql_sends() {
    let interval = Datum::Interval(Interval { microseconds: 3_600_000_000, days: 2, months: 14 });
    let array = Array::one_dimensional(SqlType::INT4, vec![Datum::Int4(1), Datum::Null]);
    for (datum, ty, sent) in [
        (numeric("12345.678"), SqlType::NUMERIC, "0003000100000003000109291a7c"),
        (numeric("-0.00010"), SqlType::NUMERIC, "0001ffff400000050001"),
        (numeric("0.00"), SqlType::NUMERIC, "0000000000000002"),
        (numeric("10000"), SqlType::NUMERIC, "00010001000000000001"),
        (numeric("NaN"), SqlType::NUMERIC, "00000000c0000000"),
        (numeric("-inf"), SqlType::NUMERIC, "00000000f0000020"),
        (interval, SqlType::INTERVAL, "00000000d693a400000000020000000e"),
        (Datum::TimeTz(TimeTz { time_us: 0, zone_seconds_west: -7200 }), SqlType::TIMETZ, "0000000000000000ffffe3e0"),
        (Datum::Date(Date(-1)), SqlType::DATE, "ffffffff"),
        (Datum::Array(array.into()), SqlType::INT4_ARRAY, "000000010000000100000017000000020000000100000004000000 01ffffffff"),
        (Datum::Bit(BitString::parse("1011").expect("bits").into()), SqlType::BIT, "00000004b0"),
        (Datum::Jsonb(Jsonb::parse("{\"a\":1}").expect("json").into()), SqlType::JSONB, "017b2261223a20317d"),
        (Datum::Bool(true), SqlType::BOOL, "01"),
        (Datum::text("(1,2)"), SqlType::TID, "000000010002"),
    ] {
        let sent = sent.replace(' ', "");
        assert_eq!(hex(&datum, ty), sent, "{datum:?}");
        let back = datum_from_binary(&bytes(&sent), ty, &TestResolver).expect("readable");
        assert!(compare_datums(&back, &datum).is_eq(), "{datum:?}");
    }
}

#[test]
fn refusals() {
    for (sent, ty, message) in [
        ("000102", SqlType::INT4, "08P01 insufficient data left in message"),
        ("0000000102", SqlType::INT4, "22P03 incorrect binary data format"),
        ("", SqlType::BOOL, "08P01 no data left in message"),
        ("00ff", SqlType::TEXT, "22021 invalid byte sequence for encoding \"UTF8\": 0x00"),
        ("61c328", SqlType::TEXT, "22021 invalid byte sequence for encoding \"UTF8\": 0xc3 0x28"),
        ("0001000000000000ffff", SqlType::NUMERIC, "22P03 invalid digit in external \"numeric\" value"),
        ("0000000012340000", SqlType::NUMERIC, "22P03 invalid sign in external \"numeric\" value"),
        ("000000000000ffff", SqlType::NUMERIC, "22P03 invalid scale in external \"numeric\" value"),
        ("ffff000000000000", SqlType::NUMERIC, "08P01 insufficient data left in message"),
        ("7ffffffe", SqlType::DATE, "22008 date out of range"),
        ("7ffffffffffffffe", SqlType::TIMESTAMP, "22008 timestamp out of range"),
        ("027b7d", SqlType::JSONB, "XX000 unsupported jsonb version number 2"),
        ("00000007", SqlType::INT4_ARRAY, "54000 number of array dimensions (7) exceeds the maximum allowed (6)"),
        ("00000001000000000000001707ffffff00000001", SqlType::INT4_ARRAY, "08P01 insufficient data left in message"),
        (
            "0000000100000000000000170fffffff00000001",
            SqlType::INT4_ARRAY,
            "54000 array size exceeds the maximum allowed (134217727)",
        ),
        (
            "000000010000000000000019",
            SqlType::INT4_ARRAY,
            "42804 binary data has array element type 25 (25) instead of expected 23 (23)",
        ),
        (
            "00000001000000000000001700000001000000010000000500000000 00",
            SqlType::INT4_ARRAY,
            "22P03 improper binary format in array element 1",
        ),
        ("ffffffff", SqlType::VARBIT, "22P03 invalid length in external bit string"),
    ] {
        assert_eq!(failure(&sent.replace(' ', ""), ty), message, "{sent}");
    }
}

fn datums() -> impl Strategy<Value = (Datum, SqlType)> {
    prop_oneof![
        any::<i64>().prop_map(|value| (Datum::Int8(value), SqlType::INT8)),
        any::<f64>().prop_map(|value| (Datum::Float8(value), SqlType::FLOAT8)),
        any::<f32>().prop_map(|value| (Datum::Float4(value), SqlType::FLOAT4)),
        (any::<i128>(), 0u32..60).prop_map(|(mantissa, scale)| (numeric(&format!("{mantissa}e-{scale}")), SqlType::NUMERIC)),
        "[a-zé ]{0,9}".prop_map(|text| (Datum::text(&text), SqlType::TEXT)),
        (0i64..=86_400_000_000).prop_map(|time| (Datum::Time(Time(time)), SqlType::TIME)),
        (-211_813_488_000_000_000i64..1 << 60).prop_map(|time| (Datum::Timestamp(Timestamp(time)), SqlType::TIMESTAMP)),
        proptest::collection::vec(any::<bool>(), 0..40)
            .prop_map(|bits| (Datum::Bit(BitString::from_bits(bits.into_iter()).into()), SqlType::VARBIT)),
        any::<[u8; 16]>().prop_map(|value| (Datum::Uuid(value), SqlType::UUID)),
        (1i32..4, 1i32..4, any::<i32>()).prop_map(|(rows, columns, value)| {
            let dimensions = [rows, columns].map(|length| Dimension { length, lower_bound: -1 }).to_vec();
            let elements = (0..rows * columns).map(|at| if at % 3 == 2 { Datum::Null } else { Datum::Int4(value) }).collect();
            (Datum::Array(Array { element_type: SqlType::INT4, dimensions, elements }.into()), SqlType::INT4_ARRAY)
        }),
        (any::<i32>(), "[a-z]{0,3}").prop_map(|(number, text)| {
            let composite = Oid(90_001);
            let (field_names, field_types) = TestResolver.composite_fields(composite).expect("known");
            let fields = vec![Datum::Int4(number), Datum::text(&text), Datum::Null];
            (Datum::Record(Record { type_oid: composite, fields, field_types, field_names }.into()), SqlType::of(composite))
        }),
    ]
}

proptest! {
    #[test]
    fn values_round_trip((datum, ty) in datums()) {
        let mut sent = Vec::new();
        datum_to_binary(&datum, ty, &mut sent);
        let back = datum_from_binary(&sent, ty, &TestResolver).expect("readable");
        prop_assert!(compare_datums(&back, &datum).is_eq());
        if let (Datum::Numeric(back), Datum::Numeric(value)) = (&back, &datum) {
            prop_assert_eq!(back.scale(), value.scale());
        }
        sent.push(0);
        if ty.physical != Physical::Text {
            prop_assert!(datum_from_binary(&sent, ty, &TestResolver).is_err());
        }
    }

    #[test]
    fn no_bytes_panic(sent in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..40), at in 0usize..12) {
        let types = [SqlType::NUMERIC, SqlType::INT4_ARRAY, SqlType::of(Oid(90_001)), SqlType::VARBIT, SqlType::JSONB, SqlType::TEXT,
            SqlType::TIMETZ, SqlType::INTERVAL, SqlType::UUID, SqlType::INT2VECTOR, SqlType::TID, SqlType::TIMESTAMPTZ];
        let _ = datum_from_binary(&sent, types[at], &TestResolver);
    }
}
