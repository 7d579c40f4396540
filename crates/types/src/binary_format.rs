//! Binary input and output of every type (PostgreSQL's `typsend` and `typreceive`).
//!
//! Integers are big endian. Input believes no length: nothing is allocated for elements that the message cannot hold.

mod reader;
mod receive;
mod receive_nested;

use crate::{Array, Datum, Error, Numeric, Oid, Record, Result, SqlState, SqlType, text_format::TypeResolver};

use reader::Reader;

/// Appends the binary wire form of a value of type `ty`, without the length word. NULL is the caller's to encode.
pub fn datum_to_binary(datum: &Datum, ty: SqlType, out: &mut Vec<u8>) {
    match datum {
        Datum::Null => {}
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::Int2(value) => out.extend(value.to_be_bytes()),
        Datum::Int4(value) => out.extend(value.to_be_bytes()),
        Datum::Int8(value) if matches!(ty.oid, Oid::XID8 | Oid::PG_LSN) => {
            out.extend(crate::unsigned::of_stored(*value).to_be_bytes());
        }
        Datum::Int8(value) => out.extend(value.to_be_bytes()),
        Datum::Float4(value) => out.extend(value.to_be_bytes()),
        Datum::Float8(value) => out.extend(value.to_be_bytes()),
        Datum::Oid(value) => out.extend(value.0.to_be_bytes()),
        Datum::Numeric(value) => send_numeric(value, out),
        Datum::Text(value) => match ty.oid {
            Oid::CHAR => out.push(value.chars().next().map_or(0, |first| u8::try_from(first).unwrap_or(b'?'))),
            Oid::TID => send_tid(value, out),
            _ => out.extend_from_slice(value.as_bytes()),
        },
        Datum::Bytes(value) => out.extend_from_slice(value),
        Datum::Date(value) => out.extend(value.0.to_be_bytes()),
        Datum::Time(value) => out.extend(value.0.to_be_bytes()),
        Datum::TimeTz(value) => {
            out.extend(value.time_us.to_be_bytes());
            out.extend(value.zone_seconds_west.to_be_bytes());
        }
        Datum::Timestamp(value) => out.extend(value.0.to_be_bytes()),
        Datum::TimestampTz(value) => out.extend(value.0.to_be_bytes()),
        Datum::Interval(value) => {
            out.extend(value.microseconds.to_be_bytes());
            out.extend(value.days.to_be_bytes());
            out.extend(value.months.to_be_bytes());
        }
        Datum::Uuid(value) => out.extend(value),
        Datum::Jsonb(value) => {
            out.push(1);
            let mut text = String::new();
            value.print(&mut text);
            out.extend_from_slice(text.as_bytes());
        }
        Datum::Bit(value) => {
            out.extend((value.len() as i32).to_be_bytes());
            out.extend_from_slice(value.bytes());
        }
        Datum::Enum(value) => out.extend_from_slice(value.label.as_bytes()),
        Datum::Array(value) => send_array(value, out),
        Datum::Record(value) => send_record(value, out),
    }
}

/// Reads a value of type `ty` from its binary wire form. Errors: 22P03, 08P01, 22021, and 22P03 "incorrect binary data format"
/// when bytes are left over, which a Bind message extends by the parameter's number.
pub fn datum_from_binary(bytes: &[u8], ty: SqlType, resolver: &dyn TypeResolver) -> Result<Datum> {
    let mut reader = Reader::new(bytes);
    let datum = receive::receive(&mut reader, ty, resolver)?;
    if reader.is_empty() { Ok(datum) } else { Err(malformed("incorrect binary data format")) }
}

/// 22P03: the bytes are not of the type's form.
fn malformed(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
}

fn send_numeric(value: &Numeric, out: &mut Vec<u8>) {
    let parts = value.to_base_10000();
    out.extend((parts.digits.len() as u16).to_be_bytes());
    out.extend(parts.weight.to_be_bytes());
    out.extend(parts.sign.to_be_bytes());
    out.extend(parts.scale.to_be_bytes());
    out.extend(parts.digits.iter().flat_map(|digit| digit.to_be_bytes()));
}

/// A row identifier is held as its text, `(block,offset)`.
fn send_tid(text: &str, out: &mut Vec<u8>) {
    let inside = text.trim_start_matches('(').trim_end_matches(')');
    let (block, offset) = inside.split_once(',').unwrap_or((inside, ""));
    out.extend(block.parse::<u32>().unwrap_or(0).to_be_bytes());
    out.extend(offset.parse::<u16>().unwrap_or(0).to_be_bytes());
}

/// Appends the length word and the value, or -1 for NULL.
fn send_with_length(datum: &Datum, ty: SqlType, out: &mut Vec<u8>) {
    if datum.is_null() {
        return out.extend((-1i32).to_be_bytes());
    }
    let start = out.len();
    out.extend([0; 4]);
    datum_to_binary(datum, ty, out);
    let length = (out.len() - start - 4) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn send_array(array: &Array, out: &mut Vec<u8>) {
    out.extend((array.dimensions.len() as i32).to_be_bytes());
    let has_null = array.elements.iter().any(Datum::is_null);
    out.extend(i32::from(has_null).to_be_bytes());
    out.extend(array.element_type.oid.0.to_be_bytes());
    for dimension in &array.dimensions {
        out.extend(dimension.length.to_be_bytes());
        out.extend(dimension.lower_bound.to_be_bytes());
    }
    for element in &array.elements {
        send_with_length(element, array.element_type, out);
    }
}

fn send_record(record: &Record, out: &mut Vec<u8>) {
    out.extend((record.fields.len() as i32).to_be_bytes());
    for (at, field) in record.fields.iter().enumerate() {
        let ty = record.field_types.get(at).copied().unwrap_or(SqlType::TEXT);
        out.extend(ty.oid.0.to_be_bytes());
        send_with_length(field, ty, out);
    }
}

#[cfg(test)]
mod tests;
