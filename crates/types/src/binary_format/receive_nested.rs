//! Binary input of arrays, vectors and records.

use std::sync::Arc;

use super::{
    malformed,
    reader::{Reader, insufficient_data},
    receive::receive,
};
use crate::{
    Array, Datum, Error, Oid, Record, Result, SqlState, SqlType, apply_typmod,
    array::{Dimension, MAX_DIMENSIONS, check_bounds, check_size, too_many_dimensions},
    text_format::TypeResolver,
};

/// A length word and a value that must fill it exactly; `improper` tells where it did not.
fn receive_with_length(
    reader: &mut Reader,
    ty: SqlType,
    resolver: &dyn TypeResolver,
    improper: impl Fn() -> String,
) -> Result<Datum> {
    let length = match reader.i32()? {
        -1 => return Ok(Datum::Null),
        length => usize::try_from(length).map_err(|_| insufficient_data())?,
    };
    let mut inner = Reader::new(reader.take(length)?);
    let datum = receive(&mut inner, ty, resolver)?;
    if inner.is_empty() { Ok(datum) } else { Err(malformed(improper())) }
}

fn mismatched_type(what: &str, found: Oid, expected: SqlType, place: &str, resolver: &dyn TypeResolver) -> Error {
    let found_name = resolver.type_name(SqlType::of(found));
    let expected_name = resolver.type_name(expected.with_typmod(-1));
    let message =
        format!("binary data has {what} {found} ({found_name}) instead of expected {} ({expected_name}){place}", expected.oid);
    Error::new(SqlState::DATATYPE_MISMATCH, message)
}

pub(super) fn receive_array(reader: &mut Reader, element_type: SqlType, resolver: &dyn TypeResolver) -> Result<Datum> {
    let count = reader.i32()?;
    let count = usize::try_from(count).map_err(|_| malformed(format!("invalid number of dimensions: {count}")))?;
    if count > MAX_DIMENSIONS {
        return Err(too_many_dimensions(count));
    }
    if !matches!(reader.i32()?, 0 | 1) {
        return Err(malformed("invalid array flags"));
    }
    let sent_type = Oid(reader.u32()?);
    if sent_type != element_type.oid {
        return Err(mismatched_type("array element type", sent_type, element_type, "", resolver));
    }
    let mut dimensions = Vec::with_capacity(count);
    for _ in 0..count {
        dimensions.push(Dimension { length: reader.i32()?, lower_bound: reader.i32()? });
    }
    let size = check_size(dimensions.iter().map(|dimension| dimension.length))?;
    check_bounds(&dimensions)?;
    if size == 0 {
        return Ok(Datum::Array(Array::empty(element_type).into()));
    }
    // Each element has a length word at least: a message too short for them is refused before room is made.
    if size > reader.remaining() / 4 {
        return Err(insufficient_data());
    }
    let mut elements = Vec::with_capacity(size);
    for at in 1..=size {
        let improper = || format!("improper binary format in array element {at}");
        elements.push(receive_with_length(reader, element_type, resolver, improper)?);
    }
    Ok(Datum::Array(Array { element_type, dimensions, elements }.into()))
}

/// int2vector and oidvector: one dimension from 0 without NULLs.
pub(super) fn receive_vector(
    reader: &mut Reader,
    element_type: SqlType,
    name: &str,
    resolver: &dyn TypeResolver,
) -> Result<Datum> {
    let datum = receive_array(reader, element_type, resolver)?;
    let Datum::Array(array) = &datum else { return Ok(datum) };
    let from_zero = matches!(array.dimensions[..], [Dimension { lower_bound: 0, .. }]);
    if array.elements.is_empty() {
        return Ok(Datum::Array(Array::vector(element_type, Vec::new()).into()));
    }
    if !from_zero || array.elements.iter().any(Datum::is_null) {
        return Err(malformed(format!("invalid {name} data")));
    }
    Ok(datum)
}

pub(super) fn receive_record(
    reader: &mut Reader,
    type_oid: Oid,
    field_names: Arc<[Arc<str>]>,
    field_types: Arc<[SqlType]>,
    resolver: &dyn TypeResolver,
) -> Result<Datum> {
    let count = reader.i32()?;
    if usize::try_from(count) != Ok(field_types.len()) {
        let message = format!("wrong number of columns: {count}, expected {}", field_types.len());
        return Err(Error::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let mut fields = Vec::with_capacity(field_types.len());
    for (at, ty) in field_types.iter().enumerate() {
        let sent_type = Oid(reader.u32()?);
        if sent_type != ty.oid {
            return Err(mismatched_type("type", sent_type, *ty, &format!(" in record column {}", at + 1), resolver));
        }
        let improper = || format!("improper binary format in record column {}", at + 1);
        fields.push(apply_typmod(receive_with_length(reader, *ty, resolver, improper)?, *ty, false)?);
    }
    Ok(Datum::Record(Record { type_oid, fields, field_types, field_names }.into()))
}
