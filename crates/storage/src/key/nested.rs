//! Arrays, records and jsonb as memcomparable bytes.

use types::{Array, Datum, Error, Jsonb, Record, Result};

use super::{END, NULL_LAST, VALUE, encode_value, number};

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

pub(super) fn jsonb(_value: &Jsonb, _key: &mut Vec<u8>) -> Result<()> {
    Err(Error::unsupported("an index on jsonb"))
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
