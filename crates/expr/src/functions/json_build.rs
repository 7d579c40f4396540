//! SQL values as JSON: to_json, row_to_json, the builders, and what json_agg and its kin share with them.

use std::sync::Arc;

use types::{
    Array, Datum, Error, FormatSettings, Jsonb, Numeric, Oid, Record, Result, SqlState, SqlType, format_settings::DateStyle,
    json::quote_json_string, text_format::datum_to_text,
};

use super::{
    Arguments, Function,
    lift::{rows, strict},
};
use crate::EvalContext;

pub fn functions() -> Vec<Function> {
    let mut functions = conversions();
    functions.extend(builders());
    functions.extend(from_arrays());
    functions
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// A value's text as JSON shows it inside a string: dates and times as XML Schema has them, whatever DateStyle says.
fn plain_text(datum: &Datum, ty: SqlType, context: &EvalContext) -> String {
    let mut out = String::new();
    match datum {
        Datum::Date(_) | Datum::Timestamp(_) | Datum::TimestampTz(_) => {
            let iso = FormatSettings { date_style: DateStyle::Iso, ..(*context.format).clone() };
            datum_to_text(datum, ty, &iso, &*context.resolver, &mut out);
            if !matches!(datum, Datum::Date(_)) && out.starts_with(|first: char| first.is_ascii_digit()) {
                out = out.replacen(' ', "T", 1);
                if matches!(datum, Datum::TimestampTz(_)) {
                    complete_offset(&mut out);
                }
            }
        }
        _ => datum_to_text(datum, ty, &context.format, &*context.resolver, &mut out),
    }
    out
}

/// Writes a zone's offset with its minutes: `+00` becomes `+00:00`.
fn complete_offset(text: &mut String) {
    let end = text.find(" BC").unwrap_or(text.len());
    if let Some(sign) = text[..end].rfind(['+', '-'])
        && end - sign == 3
    {
        text.insert_str(end, ":00");
    }
}

/// Whether the text of a number is one in JSON too (NaN and infinities are not).
fn is_json_number(text: &str) -> bool {
    text.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit())
}

/// Appends a value as JSON text. `line_feeds` breaks the outermost array or object into lines.
pub fn append_json(datum: &Datum, ty: SqlType, context: &EvalContext, line_feeds: bool, out: &mut String) {
    match datum {
        Datum::Null => out.push_str("null"),
        Datum::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Datum::Int2(_) | Datum::Int4(_) | Datum::Int8(_) | Datum::Float4(_) | Datum::Float8(_) | Datum::Numeric(_)
            if !matches!(ty.oid, Oid::MONEY | Oid::PG_LSN | Oid::XID8) =>
        {
            let text = plain_text(datum, ty, context);
            if is_json_number(&text) { out.push_str(&text) } else { quote_json_string(&text, out) }
        }
        Datum::Text(text) if ty.oid == Oid::JSON => out.push_str(text),
        Datum::Text(text) => quote_json_string(text, out),
        Datum::Jsonb(json) => json.print(out),
        Datum::Array(array) => append_array(array, context, line_feeds, out),
        Datum::Record(record) => append_record(record, context, line_feeds, out),
        _ => quote_json_string(&plain_text(datum, ty, context), out),
    }
}

fn append_array(array: &Array, context: &EvalContext, line_feeds: bool, out: &mut String) {
    if array.dimensions.is_empty() {
        out.push_str("[]");
        return;
    }
    let mut elements = array.elements.iter();
    append_dimension(array, 0, &mut elements, context, line_feeds, out);
}

fn append_dimension<'a>(
    array: &Array,
    depth: usize,
    elements: &mut impl Iterator<Item = &'a Datum>,
    context: &EvalContext,
    line_feeds: bool,
    out: &mut String,
) {
    out.push('[');
    for at in 0..array.dimensions[depth].length {
        if at > 0 {
            out.push_str(if line_feeds { ",\n " } else { "," });
        }
        if depth + 1 < array.dimensions.len() {
            append_dimension(array, depth + 1, elements, context, false, out);
        } else if let Some(element) = elements.next() {
            append_json(element, array.element_type, context, false, out);
        }
    }
    out.push(']');
}

fn append_record(record: &Record, context: &EvalContext, line_feeds: bool, out: &mut String) {
    out.push('{');
    for (at, field) in record.fields.iter().enumerate() {
        if at > 0 {
            out.push_str(if line_feeds { ",\n " } else { "," });
        }
        quote_json_string(&field_name(record, at), out);
        out.push(':');
        append_json(field, field_type(record, at), context, false, out);
    }
    out.push('}');
}

fn field_name(record: &Record, at: usize) -> Arc<str> {
    record.field_names.get(at).cloned().unwrap_or_else(|| format!("f{}", at + 1).into())
}

fn field_type(record: &Record, at: usize) -> SqlType {
    record.field_types.get(at).copied().unwrap_or(SqlType::TEXT)
}

/// A value as jsonb.
pub fn to_jsonb(datum: &Datum, ty: SqlType, context: &EvalContext) -> Result<Jsonb> {
    Ok(match datum {
        Datum::Null => Jsonb::Null,
        Datum::Bool(value) => Jsonb::Bool(*value),
        Datum::Int2(value) => Jsonb::Number(Numeric::from(*value as i64)),
        Datum::Int4(value) => Jsonb::Number(Numeric::from(*value as i64)),
        Datum::Int8(value) if ty.oid == Oid::INT8 => Jsonb::Number(Numeric::from(*value)),
        Datum::Numeric(value) if value.is_finite() => Jsonb::Number(value.clone()),
        Datum::Float4(_) | Datum::Float8(_) => {
            let text = plain_text(datum, ty, context);
            if is_json_number(&text) { Jsonb::Number(Numeric::parse(&text)?) } else { Jsonb::string(&text) }
        }
        Datum::Text(text) if ty.oid == Oid::JSON => Jsonb::parse(text)?,
        Datum::Text(text) => Jsonb::String(Arc::clone(text)),
        Datum::Jsonb(json) => (**json).clone(),
        Datum::Array(array) => array_to_jsonb(array, context)?,
        Datum::Record(record) => {
            let mut members = Vec::with_capacity(record.fields.len());
            for (at, field) in record.fields.iter().enumerate() {
                members.push((field_name(record, at), to_jsonb(field, field_type(record, at), context)?));
            }
            Jsonb::object(members)
        }
        _ => Jsonb::string(&plain_text(datum, ty, context)),
    })
}

fn array_to_jsonb(array: &Array, context: &EvalContext) -> Result<Jsonb> {
    let mut level = Vec::with_capacity(array.elements.len());
    for element in &array.elements {
        level.push(to_jsonb(element, array.element_type, context)?);
    }
    for dimension in array.dimensions.iter().skip(1).rev() {
        level = level.chunks(dimension.length.max(1) as usize).map(|chunk| Jsonb::array(chunk.to_vec())).collect();
    }
    Ok(Jsonb::array(level))
}

/// A key of an object: the text of a scalar.
pub fn key_text(datum: &Datum, ty: SqlType, context: &EvalContext) -> Result<String> {
    if matches!(datum, Datum::Array(_) | Datum::Record(_) | Datum::Jsonb(_)) || ty.oid == Oid::JSON {
        return Err(invalid("key value must be scalar, not array, composite, or json"));
    }
    if let Datum::Text(text) = datum {
        return Ok(text.as_ref().to_owned());
    }
    Ok(plain_text(datum, ty, context))
}

fn json_of(cx: &Arguments<'_>, row: usize, line_feeds: bool) -> String {
    let mut out = String::new();
    append_json(&cx.datum(0, row), argument_type(cx, 0), cx.context, line_feeds, &mut out);
    out
}

fn argument_type(cx: &Arguments<'_>, argument: usize) -> SqlType {
    cx.site.argument_types.get(argument).copied().unwrap_or(SqlType::TEXT)
}

fn conversions() -> Vec<Function> {
    vec![
        rows("to_json", |cx, row| json_of(cx, row, false)),
        rows("to_jsonb", |cx, row| to_jsonb(&cx.datum(0, row), argument_type(cx, 0), cx.context)),
        rows("row_to_json", |cx, row| json_of(cx, row, false)),
        rows("row_to_json_pretty", |cx, row| json_of(cx, row, cx.get::<bool>(1, row))),
        rows("array_to_json", |cx, row| json_of(cx, row, false)),
        rows("array_to_json_pretty", |cx, row| json_of(cx, row, cx.get::<bool>(1, row))),
    ]
}

fn builders() -> Vec<Function> {
    vec![
        rows("json_build_array", |cx, row| {
            let mut out = String::from("[");
            for at in 0..cx.count() {
                if at > 0 {
                    out.push_str(", ");
                }
                append_json(&cx.datum(at, row), argument_type(cx, at), cx.context, false, &mut out);
            }
            out.push(']');
            out
        }),
        rows("json_build_array_noargs", |_, _| "[]"),
        rows("json_build_object", build_object),
        rows("json_build_object_noargs", |_, _| "{}"),
        rows("jsonb_build_array", |cx, row| -> Result<Jsonb> {
            let elements = (0..cx.count()).map(|at| to_jsonb(&cx.datum(at, row), argument_type(cx, at), cx.context));
            Ok(Jsonb::array(elements.collect::<Result<_>>()?))
        }),
        rows("jsonb_build_array_noargs", |_, _| Jsonb::array(Vec::new())),
        rows("jsonb_build_object", |cx, row| -> Result<Jsonb> {
            check_pairs(cx, "jsonb_build_object")?;
            let mut members = Vec::with_capacity(cx.count() / 2);
            for at in (0..cx.count()).step_by(2) {
                if cx.is_null(at, row) {
                    return Err(invalid(format!("argument {}: key must not be null", at + 1)));
                }
                let key = key_text(&cx.datum(at, row), argument_type(cx, at), cx.context)?;
                let value = to_jsonb(&cx.datum(at + 1, row), argument_type(cx, at + 1), cx.context)?;
                members.push((Arc::from(key), value));
            }
            Ok(Jsonb::object(members))
        }),
        rows("jsonb_build_object_noargs", |_, _| Jsonb::object(Vec::new())),
    ]
}

fn check_pairs(cx: &Arguments<'_>, name: &str) -> Result<()> {
    if cx.count().is_multiple_of(2) {
        return Ok(());
    }
    Err(invalid("argument list must have even number of elements")
        .hint(format!("The arguments of {name}() must consist of alternating keys and values.")))
}

fn build_object(cx: &Arguments<'_>, row: usize) -> Result<String> {
    check_pairs(cx, "json_build_object")?;
    let mut out = String::from("{");
    for at in (0..cx.count()).step_by(2) {
        if cx.is_null(at, row) {
            let error = invalid(format!("argument {} cannot be null", at + 1));
            return Err(error.hint("Object keys should be text."));
        }
        if at > 0 {
            out.push_str(", ");
        }
        quote_json_string(&key_text(&cx.datum(at, row), argument_type(cx, at), cx.context)?, &mut out);
        out.push_str(" : ");
        append_json(&cx.datum(at + 1, row), argument_type(cx, at + 1), cx.context, false, &mut out);
    }
    out.push('}');
    Ok(out)
}

fn from_arrays() -> Vec<Function> {
    vec![
        strict!("json_object", |pairs: &Array| object_text(&pairs_of(pairs)?)),
        strict!("json_object_two_arg", |keys: &Array, values: &Array| object_text(&zipped(keys, values)?)),
        strict!("jsonb_object", |pairs: &Array| object_jsonb(&pairs_of(pairs)?)),
        strict!("jsonb_object_two_arg", |keys: &Array, values: &Array| object_jsonb(&zipped(keys, values)?)),
    ]
}

type Pair<'a> = (&'a Datum, &'a Datum);

fn wrong_shape(message: &str) -> Error {
    Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
}

fn pairs_of(array: &Array) -> Result<Vec<Pair<'_>>> {
    match array.dimensions.as_slice() {
        [] => return Ok(Vec::new()),
        [one] if one.length % 2 != 0 => return Err(wrong_shape("array must have even number of elements")),
        [_] => {}
        [_, columns] if columns.length != 2 => return Err(wrong_shape("array must have two columns")),
        [_, _] => {}
        _ => return Err(wrong_shape("wrong number of array subscripts")),
    }
    Ok(array.elements.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect())
}

fn zipped<'a>(keys: &'a Array, values: &'a Array) -> Result<Vec<Pair<'a>>> {
    if keys.dimensions.len() > 1 || keys.dimensions.len() != values.dimensions.len() {
        return Err(wrong_shape("wrong number of array subscripts"));
    }
    if keys.elements.len() != values.elements.len() {
        return Err(wrong_shape("mismatched array dimensions"));
    }
    Ok(keys.elements.iter().zip(&values.elements).collect())
}

fn text_key(key: &Datum) -> Result<&Arc<str>> {
    match key {
        Datum::Text(key) => Ok(key),
        _ => Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key")),
    }
}

fn object_text(pairs: &[Pair<'_>]) -> Result<String> {
    let mut out = String::from("{");
    for (at, (key, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        quote_json_string(text_key(key)?, &mut out);
        out.push_str(" : ");
        match value {
            Datum::Text(value) => quote_json_string(value, &mut out),
            _ => out.push_str("null"),
        }
    }
    out.push('}');
    Ok(out)
}

fn object_jsonb(pairs: &[Pair<'_>]) -> Result<Jsonb> {
    let mut members = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let value = match value {
            Datum::Text(value) => Jsonb::String(Arc::clone(value)),
            _ => Jsonb::Null,
        };
        members.push((Arc::clone(text_key(key)?), value));
    }
    Ok(Jsonb::object(members))
}
