//! Operators and functions of json (text, read in place) and jsonb.

use std::sync::Arc;

use types::{
    Array, Datum, Error, Jsonb, Numeric, Result, SqlState,
    json::{InsertPosition, JsonKind, text},
};

use super::{
    Function,
    lift::{rows, strict},
};

pub fn functions() -> Vec<Function> {
    let mut functions = json_access();
    functions.extend(jsonb_access());
    functions.extend(comparisons());
    functions.extend(tests());
    functions.extend(changes());
    functions.extend(casts());
    functions
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// A path's elements; None when one is NULL, which leads nowhere.
fn path_of(path: &Array) -> Option<Vec<&str>> {
    path.elements
        .iter()
        .map(|element| match element {
            Datum::Text(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect()
}

fn optional_path(path: &Array) -> Vec<Option<&str>> {
    path.elements
        .iter()
        .map(|element| match element {
            Datum::Text(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect()
}

fn owned_text(found: Option<&str>) -> Result<Option<String>> {
    match found {
        Some(found) => Ok(text::as_text(found)?.map(|text| text.into_owned())),
        None => Ok(None),
    }
}

/// The wrong kind of document for a function of arrays or objects, as json and jsonb word it.
fn length_of_wrong_kind(kind: JsonKind) -> Error {
    match kind {
        JsonKind::Object => invalid("cannot get array length of a non-array"),
        _ => invalid("cannot get array length of a scalar"),
    }
}

fn json_access() -> Vec<Function> {
    vec![
        strict!("json_object_field", |json: &str, key: &str| text::field(json, key).map(|found| found.map(str::to_owned))),
        strict!("json_object_field_text", |json: &str, key: &str| owned_text(text::field(json, key)?)),
        strict!("json_array_element", |json: &str, index: i32| text::element(json, index).map(str::to_owned)),
        strict!("json_array_element_text", |json: &str, index: i32| owned_text(text::element(json, index))),
        strict!("json_extract_path", |json: &str, path: &Array| -> Result<Option<String>> {
            let Some(path) = path_of(path) else { return Ok(None) };
            Ok(text::path(json, path)?.map(str::to_owned))
        }),
        strict!("json_extract_path_text", |json: &str, path: &Array| -> Result<Option<String>> {
            let Some(path) = path_of(path) else { return Ok(None) };
            owned_text(text::path(json, path)?)
        }),
        strict!("json_typeof", |json: &str| text::kind(json).name()),
        strict!("json_array_length", |json: &str| -> Result<i32> {
            match text::kind(json) {
                JsonKind::Array => Ok(text::elements(json).count() as i32),
                kind => Err(length_of_wrong_kind(kind)),
            }
        }),
        strict!("json_strip_nulls", |json: &str| text::strip_nulls(json)),
    ]
}

fn shared(found: Option<&Jsonb>) -> Option<Jsonb> {
    found.cloned()
}

fn jsonb_access() -> Vec<Function> {
    vec![
        strict!("jsonb_object_field", |json: &Jsonb, key: &str| shared(json.field(key))),
        strict!("jsonb_object_field_text", |json: &Jsonb, key: &str| json.field(key).and_then(Jsonb::to_text)),
        strict!("jsonb_array_element", |json: &Jsonb, index: i32| shared(json.element(index))),
        strict!("jsonb_array_element_text", |json: &Jsonb, index: i32| json.element(index).and_then(Jsonb::to_text)),
        strict!("jsonb_extract_path", |json: &Jsonb, path: &Array| shared(path_of(path).and_then(|path| json.path(path)))),
        strict!("jsonb_extract_path_text", |json: &Jsonb, path: &Array| path_of(path)
            .and_then(|path| json.path(path))
            .and_then(Jsonb::to_text)),
        strict!("jsonb_typeof", |json: &Jsonb| json.kind().name()),
        strict!("jsonb_array_length", |json: &Jsonb| match &**json {
            Jsonb::Array(elements) => Ok(elements.len() as i32),
            other => Err(length_of_wrong_kind(other.kind())),
        }),
        strict!("jsonb_pretty", |json: &Jsonb| {
            let mut out = String::new();
            json.print_pretty(&mut out);
            out
        }),
    ]
}

fn comparisons() -> Vec<Function> {
    vec![
        strict!("jsonb_eq", |a: &Jsonb, b: &Jsonb| a == b),
        strict!("jsonb_ne", |a: &Jsonb, b: &Jsonb| a != b),
        strict!("jsonb_lt", |a: &Jsonb, b: &Jsonb| a < b),
        strict!("jsonb_le", |a: &Jsonb, b: &Jsonb| a <= b),
        strict!("jsonb_gt", |a: &Jsonb, b: &Jsonb| a > b),
        strict!("jsonb_ge", |a: &Jsonb, b: &Jsonb| a >= b),
        strict!("jsonb_cmp", |a: &Jsonb, b: &Jsonb| a.cmp(b) as i32),
    ]
}

fn tests() -> Vec<Function> {
    vec![
        strict!("jsonb_contains", |a: &Jsonb, b: &Jsonb| a.contains(b)),
        strict!("jsonb_contained", |a: &Jsonb, b: &Jsonb| b.contains(a)),
        strict!("jsonb_exists", |json: &Jsonb, key: &str| json.exists(key)),
        strict!("jsonb_exists_any", |json: &Jsonb, keys: &Array| optional_path(keys)
            .into_iter()
            .flatten()
            .any(|key| json.exists(key))),
        strict!("jsonb_exists_all", |json: &Jsonb, keys: &Array| optional_path(keys)
            .into_iter()
            .flatten()
            .all(|key| json.exists(key))),
    ]
}

fn one_dimensional(path: &Array) -> Result<()> {
    if path.dimensions.len() > 1 {
        return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
    }
    Ok(())
}

fn changes() -> Vec<Function> {
    vec![
        strict!("jsonb_concat", |a: &Jsonb, b: &Jsonb| a.concat(b)),
        strict!("jsonb_delete", |json: &Jsonb, key: &str| json.delete_keys([key])),
        strict!("jsonb_delete_array", |json: &Jsonb, keys: &Array| -> Result<Jsonb> {
            one_dimensional(keys)?;
            let keys: Vec<&str> = optional_path(keys).into_iter().flatten().collect();
            json.delete_keys(keys)
        }),
        strict!("jsonb_delete_idx", |json: &Jsonb, index: i32| json.delete_element(index)),
        strict!("jsonb_delete_path", |json: &Jsonb, path: &Array| -> Result<Jsonb> {
            one_dimensional(path)?;
            json.delete_path(&optional_path(path))
        }),
        strict!("jsonb_set", |json: &Jsonb, path: &Array, value: &Jsonb, create: bool| -> Result<Jsonb> {
            one_dimensional(path)?;
            json.set_path(&optional_path(path), value, create)
        }),
        rows("jsonb_set_lax", set_lax),
        strict!("jsonb_insert", |json: &Jsonb, path: &Array, value: &Jsonb, after: bool| -> Result<Jsonb> {
            one_dimensional(path)?;
            let position = if after { InsertPosition::After } else { InsertPosition::Before };
            json.insert_path(&optional_path(path), value, position)
        }),
        strict!("jsonb_strip_nulls", |json: &Jsonb| json.strip_nulls()),
    ]
}

fn set_lax(cx: &super::Arguments<'_>, row: usize) -> Result<Option<Jsonb>> {
    let (Some(json), Some(path), Some(create)) =
        (cx.get::<Option<&Jsonb>>(0, row), cx.get::<Option<&Array>>(1, row), cx.get::<Option<bool>>(3, row))
    else {
        return Ok(None);
    };
    let treatment = "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"";
    let Some(null) = cx.get::<Option<&str>>(4, row) else { return Err(invalid(treatment)) };
    if let Some(value) = cx.get::<Option<&Jsonb>>(2, row) {
        return json.set_path(&optional_path(path), value, create).map(Some);
    }
    match null {
        "raise_exception" => Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "JSON value must not be null")
            .detail("Exception was raised because null_value_treatment is \"raise_exception\".")
            .hint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")),
        "use_json_null" => json.set_path(&optional_path(path), &Jsonb::Null, create).map(Some),
        "delete_key" => json.delete_path(&optional_path(path)).map(Some),
        "return_target" => Ok(Some((**json).clone())),
        _ => Err(invalid(treatment)),
    }
}

fn cannot_cast(json: &Jsonb, target: &str) -> Error {
    // Casts speak of SQL's types: a number is numeric.
    let kind = if matches!(json, Jsonb::Number(_)) { "numeric" } else { json.kind().name() };
    invalid(format!("cannot cast jsonb {kind} to type {target}"))
}

/// The number inside, for a cast to a numeric type.
fn number<'a>(json: &'a Jsonb, target: &str) -> Result<&'a Numeric> {
    match json {
        Jsonb::Number(number) => Ok(number),
        other => Err(cannot_cast(other, target)),
    }
}

fn casts() -> Vec<Function> {
    vec![
        strict!("jsonb_bool", |json: &Jsonb| match &**json {
            Jsonb::Bool(value) => Ok(*value),
            other => Err(cannot_cast(other, "boolean")),
        }),
        strict!("jsonb_numeric", |json: &Jsonb| number(json, "numeric").cloned()),
        strict!("jsonb_int2", |json: &Jsonb| number(json, "smallint")?.to_i16()),
        strict!("jsonb_int4", |json: &Jsonb| number(json, "integer")?.to_i32()),
        strict!("jsonb_int8", |json: &Jsonb| number(json, "bigint")?.to_i64()),
        strict!("jsonb_float4", |json: &Jsonb| number(json, "real")?.to_f32()),
        strict!("jsonb_float8", |json: &Jsonb| number(json, "double precision")?.to_f64()),
        rows("json_to_record", super::json_record::to_record),
        rows("jsonb_to_record", super::json_record::to_record),
        rows("json_populate_record", super::json_record::populate_record),
        rows("jsonb_populate_record", super::json_record::populate_record),
    ]
}

/// Any JSON argument as a document: json is parsed.
pub fn document(datum: &Datum) -> Result<Option<Arc<Jsonb>>> {
    match datum {
        Datum::Jsonb(json) => Ok(Some(Arc::clone(json))),
        Datum::Text(json) => Jsonb::parse(json).map(|json| Some(Arc::new(json))),
        _ => Ok(None),
    }
}
