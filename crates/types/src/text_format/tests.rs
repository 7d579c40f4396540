//! Expected values are PostgreSQL 15's.

use proptest::prelude::*;

use super::*;
use crate::Array;

const COMPOSITE: Oid = Oid(90_001);

/// Knows a few array types, one composite type and one enum.
pub(crate) struct TestResolver;

impl TypeResolver for TestResolver {
    fn array_element(&self, oid: Oid) -> Option<SqlType> {
        match oid {
            Oid::INT4_ARRAY => Some(SqlType::INT4),
            Oid::TEXT_ARRAY => Some(SqlType::TEXT),
            _ => None,
        }
    }

    fn enum_label(&self, oid: Oid, label: &str) -> Option<Result<Arc<EnumLabel>>> {
        let labels = ["sad", "happy"];
        (oid == Oid(90_002)).then(|| match labels.iter().position(|known| *known == label) {
            Some(at) => Ok(Arc::new(EnumLabel {
                type_oid: oid,
                label_oid: Oid(90_010 + at as u32),
                sort_order: at as f32,
                label: label.into(),
            })),
            None => {
                let message = format!("invalid input value for enum mood: \"{label}\"");
                Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message))
            }
        })
    }

    fn composite_fields(&self, oid: Oid) -> Option<CompositeFields> {
        let names: Arc<[Arc<str>]> = ["a".into(), "b".into(), "c".into()].into();
        let types: Arc<[SqlType]> = [SqlType::INT4, SqlType::TEXT, SqlType::TEXT_ARRAY].into();
        (oid == COMPOSITE).then_some((names, types))
    }

    fn reg_object(&self, _reg_type: Oid, name: &str) -> Result<Oid> {
        match name {
            "pg_class" => Ok(Oid(1259)),
            _ => Err(Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))),
        }
    }

    fn reg_name(&self, _reg_type: Oid, oid: Oid) -> Option<String> {
        (oid == Oid(1259)).then(|| "pg_class".to_owned())
    }

    fn type_name(&self, ty: SqlType) -> String {
        ty.oid.to_string()
    }
}

fn print(datum: &Datum, ty: SqlType) -> String {
    let mut out = String::new();
    datum_to_text(datum, ty, &FormatSettings::default(), &TestResolver, &mut out);
    out
}

/// What `SELECT 'text'::type` shows: the value as it prints, or the error.
fn echo(text: &str, ty: SqlType) -> String {
    match datum_from_text(text, ty, &FormatSettings::default(), &TestResolver) {
        Ok(datum) => print(&datum, ty),
        Err(error) => {
            let detail = error.fields().detail.as_deref().map(|detail| format!(" / {detail}")).unwrap_or_default();
            format!("{:?} {}{detail}", error.sqlstate(), error.message())
        }
    }
}

#[test]
fn scalars() {
    for (text, ty, shown) in [
        (" tru ", SqlType::BOOL, "t"),
        ("o", SqlType::BOOL, "22P02 invalid input syntax for type boolean: \"o\""),
        (" -12 ", SqlType::INT4, "-12"),
        ("x", SqlType::INT4, "22P02 invalid input syntax for type integer: \"x\""),
        ("99999999999", SqlType::INT4, "22003 value \"99999999999\" is out of range for type integer"),
        ("-1", SqlType::OID, "4294967295"),
        ("-", SqlType::REGCLASS, "-"),
        ("1259", SqlType::REGCLASS, "pg_class"),
        ("nope", SqlType::REGCLASS, "42P01 relation \"nope\" does not exist"),
        ("0x10", SqlType::XID, "16"),
        ("16/B374D848", SqlType::PG_LSN, "16/B374D848"),
        ("( 1 ,2)", SqlType::TID, "22P02 invalid input syntax for type tid: \"( 1 ,2)\""),
        ("(1,2)", SqlType::TID, "(1,2)"),
        ("{A0EEBC999C0B4EF8-BB6D6BB9BD380A11}", SqlType::UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("a0-eebc", SqlType::UUID, "22P02 invalid input syntax for type uuid: \"a0-eebc\""),
        ("(1,234.565)", SqlType::MONEY, "-$1,234.57"),
        ("x1F", SqlType::VARBIT, "00011111"),
        ("102", SqlType::BIT, "22P02 \"2\" is not a valid binary digit"),
        ("\\xDEAD be", SqlType::BYTEA, "\\xdeadbe"),
        ("a\\\\\\001", SqlType::BYTEA, "\\x615c01"),
        ("\\xf", SqlType::BYTEA, "22023 invalid hexadecimal data: odd number of digits"),
        ("{\"a\" :  1}", SqlType::JSON, "{\"a\" :  1}"),
        ("1 2  3", SqlType::INT2VECTOR, "1 2 3"),
        ("<a>", SqlType::XML, "0A000 type xml is not supported yet"),
        ("(1,2)", SqlType::RECORD, "0A000 input of anonymous composite types is not implemented"),
        ("glad", SqlType::of(Oid(90_002)), "22P02 invalid input value for enum mood: \"glad\""),
        ("happy", SqlType::of(Oid(90_002)), "happy"),
    ] {
        assert_eq!(echo(text, ty), shown, "{text}");
    }
    assert_eq!(echo(&"é".repeat(40), SqlType::NAME), "é".repeat(31));
}

#[test]
fn floats() {
    for (text, shown) in [
        ("1e15", "1e+15"),
        ("123456789012345", "123456789012345"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("1e23", "9.999999999999999e+22"),
        ("5e-324", "5e-324"),
        ("-0", "-0"),
        ("inf", "Infinity"),
        ("0x1p3", "8"),
        ("1e400", "22003 \"1e400\" is out of range for type double precision"),
        ("1e-400", "22003 \"1e-400\" is out of range for type double precision"),
        ("infinit", "22P02 invalid input syntax for type double precision: \"infinit\""),
    ] {
        assert_eq!(echo(text, SqlType::FLOAT8), shown, "{text}");
    }
    for (text, shown) in [("1e6", "1e+06"), ("999999", "999999"), ("16777216", "1.6777216e+07"), ("48398928", "4.8398928e+07")] {
        assert_eq!(echo(text, SqlType::FLOAT4), shown, "{text}");
    }
    let mut out = String::new();
    print_f64(0.1 + 0.2, 0, &mut out);
    assert_eq!(out, "0.3");
}

#[test]
fn arrays() {
    let malformed = |text: &str, detail: &str| format!("22P02 malformed array literal: \"{text}\" / {detail}");
    for (text, shown) in [
        (" [0:1] =   { 1 , NULL }  ", "[0:1]={1,NULL}".to_owned()),
        ("{{1,2},{3,4}}", "{{1,2},{3,4}}".to_owned()),
        ("{}", "{}".to_owned()),
        ("{1,2}x", malformed("{1,2}x", "Junk after closing right brace.")),
        ("{{1,2},{3}}", malformed("{{1,2},{3}}", "Multidimensional arrays must have sub-arrays with matching dimensions.")),
        ("{{1,2},3}", malformed("{{1,2},3}", "Unexpected array element.")),
        ("{1,}", malformed("{1,}", "Unexpected \"}\" character.")),
        ("[1:2]={1}", malformed("[1:2]={1}", "Specified array dimensions do not match array contents.")),
        ("[2:1]={1}", "2202E upper bound cannot be less than lower bound".to_owned()),
        ("{{{{{{{1}}}}}}}", "54000 number of array dimensions (7) exceeds the maximum allowed (6)".to_owned()),
        ("{x}", "22P02 invalid input syntax for type integer: \"x\"".to_owned()),
    ] {
        assert_eq!(echo(text, SqlType::INT4_ARRAY), shown, "{text}");
    }
    assert_eq!(
        echo("{a b , \" c \", null, \"null\", \"x\\\"y\", a\\,b, \"\"}", SqlType::TEXT_ARRAY),
        "{\"a b\",\" c \",NULL,\"null\",\"x\\\"y\",\"a,b\",\"\"}"
    );
}

#[test]
fn records() {
    let composite = SqlType::of(COMPOSITE);
    for (text, shown) in [
        (" (1,a\"b c\"d,\"{x,y}\") ", "(1,\"ab cd\",\"{x,y}\")"),
        ("(,,)", "(,,)"),
        ("(1,\"\",)", "(1,\"\",)"),
        ("(1,\"a\"\"b\\\\\",)", "(1,\"a\"\"b\\\\\",)"),
        ("(1,a)", "22P02 malformed record literal: \"(1,a)\" / Too few columns."),
        ("(1,a,,)", "22P02 malformed record literal: \"(1,a,,)\" / Too many columns."),
        ("(1,a,", "22P02 malformed record literal: \"(1,a,\" / Unexpected end of input."),
        ("1,a", "22P02 malformed record literal: \"1,a\" / Missing left parenthesis."),
        ("(1,a,)x", "22P02 malformed record literal: \"(1,a,)x\" / Junk after right parenthesis."),
    ] {
        assert_eq!(echo(text, composite), shown, "{text}");
    }
}

fn tricky_text() -> impl Strategy<Value = Datum> {
    prop_oneof![Just(Datum::Null), "[a{}(),\"\\\\ \nNULé]{0,6}".prop_map(|text| Datum::text(&text)), Just(Datum::text("null"))]
}

fn text_array() -> impl Strategy<Value = Array> {
    (1usize..4, 1usize..4, -3i32..3, proptest::collection::vec(tricky_text(), 16)).prop_map(
        |(rows, columns, lower_bound, texts)| {
            let dimension = |length: usize| crate::array::Dimension { length: length as i32, lower_bound };
            let elements = texts[..rows * columns].to_vec();
            Array { element_type: SqlType::TEXT, dimensions: vec![dimension(rows), dimension(columns)], elements }
        },
    )
}

proptest! {
    #[test]
    fn array_text_round_trips(array in text_array()) {
        let datum = Datum::Array(array.into());
        let text = print(&datum, SqlType::TEXT_ARRAY);
        let back = datum_from_text(&text, SqlType::TEXT_ARRAY, &FormatSettings::default(), &TestResolver).expect("readable");
        prop_assert!(crate::compare_datums(&back, &datum).is_eq());
        prop_assert_eq!(print(&back, SqlType::TEXT_ARRAY), text);
    }

    #[test]
    fn record_text_round_trips(number in any::<i32>(), text in tricky_text(), array in text_array()) {
        let (field_names, field_types) = TestResolver.composite_fields(COMPOSITE).expect("known");
        let fields = vec![Datum::Int4(number), text, Datum::Array(array.into())];
        let record = crate::Record { type_oid: COMPOSITE, fields, field_types, field_names };
        let datum = Datum::Record(record.into());
        let text = print(&datum, SqlType::of(COMPOSITE));
        let back = datum_from_text(&text, SqlType::of(COMPOSITE), &FormatSettings::default(), &TestResolver).expect("readable");
        prop_assert!(crate::compare_datums(&back, &datum).is_eq());
    }

    #[test]
    fn float_text_reads_back_exactly(bits in any::<u64>(), single in any::<u32>()) {
        let (double, single) = (f64::from_bits(bits), f32::from_bits(single));
        let mut text = String::new();
        print_f64(double, 1, &mut text);
        prop_assert!(double.is_nan() || parse_f64(&text).expect("readable").to_bits() == bits);
        text.clear();
        print_f32(single, 1, &mut text);
        prop_assert!(single.is_nan() || parse_f32(&text).expect("readable").to_bits() == single.to_bits());
    }

    #[test]
    fn no_text_panics(text in "[-+$(){}\\[\\],:=\"\\\\0-9a-fxé. \n]{0,16}", at in 0usize..12) {
        let types = [SqlType::INT4_ARRAY, SqlType::TEXT_ARRAY, SqlType::MONEY, SqlType::UUID, SqlType::BYTEA, SqlType::FLOAT8,
            SqlType::FLOAT4, SqlType::OID, SqlType::TID, SqlType::PG_LSN, SqlType::VARBIT, SqlType::of(COMPOSITE)];
        echo(&text, types[at]);
    }
}
