//! Arrays, records and jsonb as memcomparable bytes.

use types::{Array, Datum, Jsonb, Record, Result};

use super::{END, NULL_LAST, VALUE, encode_bytes, encode_value, number};

/// Elements in order, then the fewer of them first, then the shape, as PostgreSQL's array_cmp. A NULL element is greatest.
pub(super) fn array(value: &Array, key: &mut Vec<u8>) -> Result<()> {
    elements(&value.elements, key)?;
    key.push(value.dimensions.len() as u8);
    value.dimensions.iter().for_each(|dimension| key.extend(number::int4(dimension.length)));
    value.dimensions.iter().for_each(|dimension| key.extend(number::int4(dimension.lower_bound)));
    Ok(())
}

pub(super) fn record(value: &Record, key: &mut Vec<u8>) -> Result<()> {
    elements(&value.fields, key)
}

/// PostgreSQL's order of documents: by kind, containers by size and then by content. By its historical accident, an empty array
/// at the root comes before every scalar.
pub(super) fn jsonb(value: &Jsonb, key: &mut Vec<u8>) -> Result<()> {
    match value {
        Jsonb::Array(elements) if elements.is_empty() => key.push(0),
        _ => nested_jsonb(value, key)?,
    }
    Ok(())
}

fn nested_jsonb(value: &Jsonb, key: &mut Vec<u8>) -> Result<()> {
    match value {
        Jsonb::Null => key.push(1),
        Jsonb::String(text) => {
            key.push(2);
            encode_bytes(text.as_bytes(), key);
        }
        Jsonb::Number(number) => {
            key.push(3);
            number::numeric(number, key)?;
        }
        Jsonb::Bool(value) => key.extend([4, u8::from(*value)]),
        Jsonb::Array(elements) => {
            key.push(5);
            key.extend((elements.len() as u32).to_be_bytes());
            deep(|| elements.iter().try_for_each(|element| nested_jsonb(element, key)))?;
        }
        Jsonb::Object(members) => {
            key.push(6);
            key.extend((members.len() as u32).to_be_bytes());
            deep(|| {
                members.iter().try_for_each(|(name, value)| {
                    encode_bytes(name.as_bytes(), key);
                    nested_jsonb(value, key)
                })
            })?;
        }
    }
    Ok(())
}

/// Runs one level of a recursion over a document, which may nest thousands deep, on a stack that grows.
fn deep<R>(level: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(64 * 1024, 1024 * 1024, level)
}

fn elements(datums: &[Datum], key: &mut Vec<u8>) -> Result<()> {
    for datum in datums {
        if datum.is_null() {
            key.push(NULL_LAST);
        } else {
            key.push(VALUE);
            encode_value(datum, key)?;
        }
    }
    key.push(END);
    Ok(())
}
