//! Sets made of JSON documents: elements, members, keys, and rows filled from objects.

use std::sync::Arc;

use types::{
    Datum, Error, Jsonb, Record, Result, SqlState, SqlType,
    json::{JsonKind, text},
};

use super::{Call, Rows, none, single};
use crate::{
    EvalContext,
    functions::{
        json::document,
        json_record::{self, Shape, Source},
    },
};

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// json_array_elements(_text) and jsonb_array_elements(_text).
pub(super) fn elements(call: &Call<'_>, as_text: bool, name: &str) -> Result<Rows> {
    match call.datum(0) {
        Datum::Text(json) => {
            match text::kind(json) {
                JsonKind::Array => {}
                JsonKind::Object => return Err(invalid(format!("cannot call {name} on a non-array"))),
                _ => return Err(invalid(format!("cannot call {name} on a scalar"))),
            }
            let values = text::elements(json).map(|element| json_value(element, as_text)).collect::<Result<Vec<_>>>()?;
            Ok(single(values.into_iter()))
        }
        Datum::Jsonb(json) => match &**json {
            Jsonb::Array(elements) => {
                let elements = elements.clone();
                Ok(single((0..elements.len()).map(move |at| jsonb_value(&elements[at], as_text))))
            }
            Jsonb::Object(_) => Err(invalid("cannot extract elements from an object")),
            _ => Err(invalid("cannot extract elements from a scalar")),
        },
        _ => Ok(none()),
    }
}

fn json_value(json: &str, as_text: bool) -> Result<Datum> {
    if !as_text {
        return Ok(Datum::text(json));
    }
    Ok(text::as_text(json)?.map_or(Datum::Null, |text| Datum::text(&text)))
}

fn jsonb_value(json: &Jsonb, as_text: bool) -> Datum {
    if as_text { json.to_text().map_or(Datum::Null, Datum::Text) } else { Datum::Jsonb(Arc::new(json.clone())) }
}

/// json_each(_text) and jsonb_each(_text): rows of key and value.
pub(super) fn members(call: &Call<'_>, as_text: bool, name: &str) -> Result<Rows> {
    match call.datum(0) {
        Datum::Text(json) => {
            match text::kind(json) {
                JsonKind::Object => {}
                JsonKind::Array => return Err(invalid("cannot deconstruct an array as an object")),
                _ => return Err(invalid("cannot deconstruct a scalar")),
            }
            let rows = text::members(json)
                .map(|member| {
                    let (key, value) = member?;
                    Ok(vec![Datum::text(&key), json_value(value, as_text)?])
                })
                .collect::<Result<Vec<_>>>()?;
            Ok(Box::new(rows.into_iter().map(Ok)))
        }
        Datum::Jsonb(json) => match &**json {
            Jsonb::Object(members) => {
                let members = members.clone();
                Ok(Box::new((0..members.len()).map(move |at| {
                    let (key, value) = &members[at];
                    Ok(vec![Datum::Text(Arc::clone(key)), jsonb_value(value, as_text)])
                })))
            }
            _ => Err(invalid(format!("cannot call {name} on a non-object"))),
        },
        _ => Ok(none()),
    }
}

pub(super) fn keys(call: &Call<'_>, name: &str) -> Result<Rows> {
    let wrong = |kind: JsonKind| {
        let what = if kind == JsonKind::Array { "an array" } else { "a scalar" };
        Err(invalid(format!("cannot call {name} on {what}")))
    };
    match call.datum(0) {
        Datum::Text(json) => match text::kind(json) {
            JsonKind::Object => {
                let keys = text::members(json).map(|member| Ok(Datum::text(&member?.0))).collect::<Result<Vec<_>>>()?;
                Ok(single(keys.into_iter()))
            }
            kind => wrong(kind),
        },
        Datum::Jsonb(json) => match &**json {
            Jsonb::Object(members) => {
                let members = members.clone();
                Ok(single((0..members.len()).map(move |at| Datum::Text(Arc::clone(&members[at].0)))))
            }
            other => wrong(other.kind()),
        },
        _ => Ok(none()),
    }
}

/// json(b)_to_record(set) and json(b)_populate_record(set): rows from an object, or from an array of objects.
pub(super) fn records(call: &Call<'_>, name: &str) -> Result<Rows> {
    let populate = name.contains("populate");
    let (base, json) = if populate { (call.datum(0), call.datum(1)) } else { (&Datum::Null, call.datum(0)) };
    let base: Option<&Record> = match base {
        Datum::Record(record) => Some(record),
        _ => None,
    };
    if let (Some(base), Some(columns)) = (base, call.columns) {
        refuse_other_row(base, columns, call.context)?;
    }
    let Some(document) = document(json)? else { return Ok(none()) };
    let source = Source::new(&document, json);
    // A row that is given has its own field names, also beside a column definition list.
    let shape = match call.columns.filter(|_| base.is_none()) {
        Some(columns) => Shape {
            type_oid: call.result_type.oid,
            names: columns.iter().map(|(name, _)| Arc::clone(name)).collect(),
            types: columns.iter().map(|(_, ty)| *ty).collect(),
        },
        None => json_record::shape_of(base, call.result_type, call.context)?,
    };
    let objects: Vec<Source<'_>> = match &*document {
        Jsonb::Array(_) if name.ends_with("set") => source.elements().collect(),
        _ if !name.ends_with("set") => vec![source],
        Jsonb::Object(_) => return Err(invalid(format!("cannot call {name} on an object"))),
        _ => return Err(invalid(format!("cannot call {name} on a scalar"))),
    };
    let mut rows = Vec::with_capacity(objects.len());
    for object in objects {
        if name.ends_with("set") && !matches!(object.value, Jsonb::Object(_)) {
            return Err(invalid(format!("argument of {name} must be an array of objects")));
        }
        rows.push(json_record::fill(object, base, &shape, call.context, "populate_composite")?.fields);
    }
    Ok(Box::new(rows.into_iter().map(Ok)))
}

/// 42804 when the row given is not of the types of the column definition list.
fn refuse_other_row(base: &Record, columns: &[(Arc<str>, SqlType)], context: &EvalContext) -> Result<()> {
    let mismatch = |detail: String| {
        let message = "function return row and query-specified return row do not match";
        Err(Error::new(SqlState::DATATYPE_MISMATCH, message).detail(detail))
    };
    if base.field_types.len() != columns.len() {
        let word = if base.field_types.len() == 1 { "attribute" } else { "attributes" };
        return mismatch(format!(
            "Returned row contains {} {word}, but query expects {}.",
            base.field_types.len(),
            columns.len()
        ));
    }
    for (at, (own, (_, expected))) in base.field_types.iter().zip(columns).enumerate() {
        if own.oid != expected.oid {
            let (own, expected) = (context.resolver.type_name(*own), context.resolver.type_name(*expected));
            return mismatch(format!("Returned type {own} at ordinal position {}, but query expects {expected}.", at + 1));
        }
    }
    Ok(())
}
