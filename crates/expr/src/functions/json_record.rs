//! JSON objects as SQL values: json_populate_record and its kin.
//!
//! A document is read as a tree first. Values become SQL values through their text form, except that arrays fill arrays and objects
//! fill row values.

use std::sync::Arc;

use types::{
    Array, Datum, Error, Jsonb, Oid, Record, Result, SqlState, SqlType, array::Dimension, json::text,
    text_format::datum_from_text,
};

use super::{Arguments, json::document};
use crate::{EvalContext, compile::coerce_length};

/// The fields of a row to be filled.
pub struct Shape {
    pub type_oid: Oid,
    pub names: Arc<[Arc<str>]>,
    pub types: Arc<[SqlType]>,
}

/// A JSON value. What is to stay `json` is taken from the text, where there is one, as it is written.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub value: &'a Jsonb,
    pub text: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// The document that an argument holds, read as `value` before.
    pub fn new(value: &'a Jsonb, argument: &'a Datum) -> Source<'a> {
        let text = match argument {
            Datum::Text(text) => Some(&**text),
            _ => None,
        };
        Source { value, text }
    }

    fn field(self, name: &str, ty: SqlType, context: &EvalContext) -> Option<Source<'a>> {
        let keeps_text = ty.oid == Oid::JSON
            || context.resolver.array_element(ty.oid).is_some()
            || context.resolver.composite_fields(ty.oid).is_some();
        let text = || text::field(self.text?, name).ok().flatten();
        Some(Source { value: self.value.field(name)?, text: if keeps_text { text() } else { None } })
    }

    /// The elements of an array; none of anything else.
    pub fn elements(self) -> impl Iterator<Item = Source<'a>> {
        let values: &[Jsonb] = if let Jsonb::Array(values) = self.value { values } else { &[] };
        let mut texts = self.text.map(text::elements);
        values.iter().map(move |value| Source { value, text: texts.as_mut().and_then(Iterator::next) })
    }
}

/// json_populate_record(base, json): the base row with the fields that the object has.
pub(super) fn populate_record(cx: &Arguments<'_>, row: usize) -> Result<Option<Record>> {
    let base = match cx.datum(0, row) {
        Datum::Record(record) => Some(record),
        _ => None,
    };
    refuse_scalar_base(cx.site.argument_types.first(), cx.context, cx.site.function.name)?;
    let shape = shape_of(base.as_deref(), cx.site.ty, cx.context)?;
    let argument = cx.datum(1, row);
    match document(&argument)? {
        Some(json) => fill(Source::new(&json, &argument), base.as_deref(), &shape, cx.context, "populate_composite").map(Some),
        None => Ok(base.map(|base| (*base).clone())),
    }
}

/// 42804 when the base of json_populate_record is no row, whatever its value.
pub fn refuse_scalar_base(ty: Option<&SqlType>, context: &EvalContext, function: &str) -> Result<()> {
    let Some(ty) = ty else { return Ok(()) };
    let resolver = &context.resolver;
    let base = resolver.domain_base(ty.oid).unwrap_or(*ty);
    if base.oid == Oid::RECORD || resolver.composite_fields(base.oid).is_some() {
        return Ok(());
    }
    let message = format!("first argument of {function} must be a row type");
    Err(Error::new(SqlState::DATATYPE_MISMATCH, message))
}

/// json_to_record as a scalar: only where the call's type is a named one; a column definition list makes it a set.
pub(super) fn to_record(cx: &Arguments<'_>, row: usize) -> Result<Option<Record>> {
    let shape = shape_of(None, cx.site.ty, cx.context)?;
    let argument = cx.datum(0, row);
    match document(&argument)? {
        Some(json) => fill(Source::new(&json, &argument), None, &shape, cx.context, "populate_composite").map(Some),
        None => Ok(None),
    }
}

/// The fields of a row type, or of the base row when the type is anonymous.
pub fn shape_of(base: Option<&Record>, ty: SqlType, context: &EvalContext) -> Result<Shape> {
    if let Some((names, types)) = context.resolver.composite_fields(ty.oid) {
        return Ok(Shape { type_oid: ty.oid, names, types });
    }
    match base {
        Some(base) => {
            Ok(Shape { type_oid: base.type_oid, names: Arc::clone(&base.field_names), types: Arc::clone(&base.field_types) })
        }
        None => Err(Error::new(SqlState::DATATYPE_MISMATCH, "could not determine row type for result of json_populate_record")
            .hint("Provide a non-null record argument, or call the function in the FROM clause using a column definition list.")),
    }
}

/// A row from an object. Fields that the object lacks keep the base's value.
pub fn fill(json: Source<'_>, base: Option<&Record>, shape: &Shape, context: &EvalContext, function: &str) -> Result<Record> {
    if !matches!(json.value, Jsonb::Object(_)) {
        let what = if matches!(json.value, Jsonb::Array(_)) { "an array" } else { "a scalar" };
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("cannot call {function} on {what}")));
    }
    let mut fields = Vec::with_capacity(shape.types.len());
    for (at, (name, ty)) in shape.names.iter().zip(shape.types.iter()).enumerate() {
        fields.push(match json.field(name, *ty, context) {
            Some(value) => convert(value, *ty, context)?,
            None => base.and_then(|base| base.fields.get(at)).cloned().unwrap_or(Datum::Null),
        });
    }
    Ok(Record { type_oid: shape.type_oid, fields, field_types: Arc::clone(&shape.types), field_names: Arc::clone(&shape.names) })
}

/// One JSON value as a value of a SQL type.
pub fn convert(json: Source<'_>, ty: SqlType, context: &EvalContext) -> Result<Datum> {
    match (ty.oid, json.value) {
        (_, Jsonb::Null) => return Ok(Datum::Null),
        (Oid::JSONB, value) => return Ok(Datum::Jsonb(Arc::new(value.clone()))),
        (Oid::JSON, value) => return Ok(json.text.map_or_else(|| Datum::text(&value.to_string()), Datum::text)),
        _ => {}
    }
    if let Some(element) = context.resolver.array_element(ty.oid)
        && let Jsonb::Array(_) = json.value
    {
        return array(json, element.with_typmod(ty.typmod), context);
    }
    if let Some((names, types)) = context.resolver.composite_fields(ty.oid)
        && let Jsonb::Object(_) = json.value
    {
        let shape = Shape { type_oid: ty.oid, names, types };
        return Ok(Datum::Record(Arc::new(fill(json, None, &shape, context, "populate_composite")?)));
    }
    let text = json.value.to_text().unwrap_or_default();
    let value = datum_from_text(&text, ty.with_typmod(-1), &context.format, &*context.resolver)?;
    coerce_length(value, ty, context)
}

/// Nested JSON arrays as one SQL array; they must all be of one shape.
fn array(json: Source<'_>, element: SqlType, context: &EvalContext) -> Result<Datum> {
    let mut dimensions = Vec::new();
    let mut level = json.value;
    while let Jsonb::Array(elements) = level {
        dimensions.push(Dimension { length: elements.len() as i32, lower_bound: 1 });
        match elements.first() {
            Some(first) if dimensions.len() < 6 => level = first,
            _ => break,
        }
    }
    let mut elements = Vec::new();
    collect(json, &dimensions, element, context, &mut elements)?;
    if elements.is_empty() {
        dimensions.clear();
    }
    Ok(Datum::Array(Arc::new(Array { element_type: element.with_typmod(-1), dimensions, elements })))
}

fn collect(
    json: Source<'_>,
    dimensions: &[Dimension],
    element: SqlType,
    context: &EvalContext,
    out: &mut Vec<Datum>,
) -> Result<()> {
    let malformed = || Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "malformed JSON array");
    match (json.value, dimensions.split_first()) {
        (Jsonb::Array(elements), Some((dimension, rest))) => {
            if elements.len() as i32 != dimension.length {
                return Err(malformed().detail("Multidimensional arrays must have sub-arrays with matching dimensions."));
            }
            json.elements().try_for_each(|inner| collect(inner, rest, element, context, out))
        }
        (_, None) => {
            out.push(convert(json, element, context)?);
            Ok(())
        }
        (_, Some(_)) => Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "expected JSON array")),
    }
}
