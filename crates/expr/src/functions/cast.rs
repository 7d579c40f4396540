//! Casts between numbers, and between strings of different kinds: pg_cast's functions.

use types::{
    Error, Numeric, Oid, Result, SqlState,
    text_format::{parse_char, print_char},
};

use super::{
    Function,
    integer::{bigint_out_of_range, integer_out_of_range, smallint_out_of_range},
    kernel::{checked1, kernel1},
    lift::strict,
    text_comparison::without_blanks,
};

pub fn functions() -> Vec<Function> {
    let mut functions = integers();
    functions.extend(floats());
    functions.extend(numerics());
    functions.extend(strings());
    functions
}

fn integers() -> Vec<Function> {
    vec![
        kernel1("i2toi4", |a: i16| a as i32),
        checked1("i4toi2", |a: i32| (a as i16, a as i16 as i32 != a), smallint_out_of_range),
        kernel1("int28", |a: i16| a as i64),
        checked1("int82", |a: i64| (a as i16, a as i16 as i64 != a), smallint_out_of_range),
        kernel1("int48", |a: i32| a as i64),
        checked1("int84", |a: i64| (a as i32, a as i32 as i64 != a), integer_out_of_range),
        kernel1("oidtoi8", |a: Oid| a.0 as i64),
        checked1("i8tooid", |a: i64| (Oid(a as u32), a as u32 as i64 != a), oid_out_of_range),
    ]
}

fn oid_out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "OID out of range")
}

/// A float rounded half to even, when the integer type holds it; the upper limit is exclusive because the type's greatest value is
/// not a float.
fn rounded(value: f64, low: f64, past: f64) -> (f64, bool) {
    let rounded = value.round_ties_even();
    (rounded, !(rounded >= low && rounded < past))
}

fn floats() -> Vec<Function> {
    let int2 = |a: f64| {
        let (value, failed) = rounded(a, -32768.0, 32768.0);
        (value as i16, failed)
    };
    let int4 = |a: f64| {
        let (value, failed) = rounded(a, -2147483648.0, 2147483648.0);
        (value as i32, failed)
    };
    let int8 = |a: f64| {
        let (value, failed) = rounded(a, -9223372036854775808.0, 9223372036854775808.0);
        (value as i64, failed)
    };
    vec![
        kernel1("i2tod", |a: i16| a as f64),
        kernel1("i2tof", |a: i16| a as f32),
        kernel1("i4tod", |a: i32| a as f64),
        kernel1("i4tof", |a: i32| a as f32),
        kernel1("i8tod", |a: i64| a as f64),
        kernel1("i8tof", |a: i64| a as f32),
        kernel1("ftod", |a: f32| a as f64),
        strict!("dtof", |a: f64| -> Result<f32> {
            let narrow = a as f32;
            if narrow.is_infinite() && !a.is_infinite() {
                return Err(super::float::overflow());
            }
            if narrow == 0.0 && a != 0.0 { Err(super::float::underflow()) } else { Ok(narrow) }
        }),
        checked1("dtoi2", int2, smallint_out_of_range),
        checked1("dtoi4", int4, integer_out_of_range),
        checked1("dtoi8", int8, bigint_out_of_range),
        checked1("ftoi2", move |a: f32| int2(a as f64), smallint_out_of_range),
        checked1("ftoi4", move |a: f32| int4(a as f64), integer_out_of_range),
        checked1("ftoi8", move |a: f32| int8(a as f64), bigint_out_of_range),
    ]
}

fn numerics() -> Vec<Function> {
    vec![
        strict!("int2_numeric", |a: i16| Numeric::from(a as i64)),
        strict!("int4_numeric", |a: i32| Numeric::from(a as i64)),
        strict!("int8_numeric", |a: i64| Numeric::from(a)),
        strict!("float4_numeric", |a: f32| Numeric::from_f32(a)),
        strict!("float8_numeric", |a: f64| Numeric::from_f64(a)),
        strict!("numeric_int2", |a: Numeric| a.to_i16()),
        strict!("numeric_int4", |a: Numeric| a.to_i32()),
        strict!("numeric_int8", |a: Numeric| a.to_i64()),
        strict!("numeric_float4", |a: Numeric| a.to_f32()),
        strict!("numeric_float8", |a: Numeric| a.to_f64()),
    ]
}

/// The longest name in bytes.
const MAX_NAME_BYTES: usize = 63;

/// Cut to the bytes a name holds, at a character boundary.
pub(crate) fn as_name(text: &str) -> &str {
    if text.len() <= MAX_NAME_BYTES {
        return text;
    }
    let end = (0..=MAX_NAME_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    &text[..end]
}

pub(crate) fn trimmed_blanks(text: &str) -> &str {
    &text[..without_blanks(text.as_bytes()).len()]
}

fn strings() -> Vec<Function> {
    vec![
        strict!("booltext", |a: bool| if a { "true" } else { "false" }.to_owned()),
        strict!("rtrim1", |a: &str| a.trim_end_matches(' ').to_owned()),
        strict!("text_name", |a: &str| as_name(a).to_owned()),
        strict!("name_text", |a: &str| a.to_owned()),
        strict!("name_bpchar", |a: &str| a.to_owned()),
        strict!("bpchar_name", |a: &str| as_name(trimmed_blanks(a)).to_owned()),
        strict!("char_text", |a: &str| char_text(a)),
        strict!("char_bpchar", |a: &str| char_text(a)),
        strict!("text_char", |a: &str| parse_char(a)),
        // "char" is signed here, though it orders as if it were not.
        strict!("chartoi4", |a: &str| a.chars().next().map_or(0, |byte| i32::from(byte as u32 as i8))),
        strict!("i4tochar", |a: i32| -> Result<String> {
            match i8::try_from(a) {
                Ok(0) => Ok(String::new()),
                Ok(value) => Ok(char::from(value as u8).to_string()),
                Err(_) => Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range")),
            }
        }),
        strict!("varchar", |a: &str, typmod: i32, explicit: bool| -> Result<String> {
            let limit = typmod - 4;
            if limit < 0 || a.len() <= limit as usize {
                return Ok(a.to_owned());
            }
            cut_to_length(a, limit as usize, explicit, "character varying").map(str::to_owned)
        }),
        strict!("bpchar", |a: &str, typmod: i32, explicit: bool| -> Result<String> {
            let limit = typmod - 4;
            if limit < 0 {
                return Ok(a.to_owned());
            }
            let mut value = cut_to_length(a, limit as usize, explicit, "character")?.to_owned();
            let length = value.chars().count();
            value.extend(std::iter::repeat_n(' ', (limit as usize).saturating_sub(length)));
            Ok(value)
        }),
    ]
}

/// A "char" as the text that it prints as.
fn char_text(value: &str) -> String {
    let mut out = String::new();
    print_char(value, &mut out);
    out
}

/// The first `limit` characters. What is cut off must be blanks, unless the cast is explicit.
fn cut_to_length<'a>(text: &'a str, limit: usize, explicit: bool, type_name: &str) -> Result<&'a str> {
    let Some((end, _)) = text.char_indices().nth(limit) else { return Ok(text) };
    if !explicit && text[end..].bytes().any(|byte| byte != b' ') {
        let message = format!("value too long for type {type_name}({limit})");
        return Err(Error::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
    }
    Ok(&text[..end])
}
