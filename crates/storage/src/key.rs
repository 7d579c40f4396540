//! Memcomparable keys: values encoded so that comparing bytes compares values.
//!
//! A key is the concatenation of its columns' parts. Each part tells its own end, so no part is a proper prefix of another and a
//! prefix of columns is a prefix of bytes. A part is one marker byte (value, or NULL before or after all values) and the value:
//!
//! ```text
//! integers, dates, times   big endian, sign bit flipped            -1 < 0 < 1
//! floats                   bits, flipped as a whole when negative  -Infinity < -1 < 0 = -0 < Infinity < NaN
//! numeric                  class, exponent, base-100 digits, end   1.0 = 1.00
//! text, bytea              bytes, 0 and 1 escaped by 1, end byte 0 "a" < "a\x01" < "ab"
//! interval                 its span with months of 30 days         1 month = 30 days
//! arrays, records          elements' parts, end, shape             {1} < {1,2} < {1,NULL}
//! ```
//!
//! A descending column has the value's bytes inverted; the marker is not, since NULLS FIRST is independent of the direction.

mod nested;
mod number;

use types::{Datum, Interval, Result, TimeTz};

/// How one column of an index is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyOrder {
    pub descending: bool,
    pub nulls_first: bool,
}

impl KeyOrder {
    /// PostgreSQL's default: ascending, NULLs last.
    pub const ASCENDING: KeyOrder = KeyOrder { descending: false, nulls_first: false };
}

/// Ends a value of variable length. Smaller than every marker and every escaped byte.
const END: u8 = 0x00;
const NULL_FIRST: u8 = 0x01;
const VALUE: u8 = 0x02;
const NULL_LAST: u8 = 0x03;
/// Escapes the bytes 0 and 1 inside text and bytea.
const ESCAPE: u8 = 0x01;

/// Appends one value's encoding. A key is the concatenation of its columns', so a prefix of columns is a prefix of bytes.
/// All values of one index column must be of the same physical type; char(n) values must come with their padding trimmed.
///
/// Errors: 0A000 for values with no order.
pub fn encode_key_part(datum: &Datum, order: KeyOrder, key: &mut Vec<u8>) -> Result<()> {
    if datum.is_null() {
        key.push(if order.nulls_first { NULL_FIRST } else { NULL_LAST });
        return Ok(());
    }
    key.push(VALUE);
    let start = key.len();
    encode_value(datum, key)?;
    if order.descending {
        invert(&mut key[start..]);
    }
    Ok(())
}

/// Appends the encoding of a text value.
pub fn encode_text_part(text: &str, order: KeyOrder, key: &mut Vec<u8>) {
    key.push(VALUE);
    let start = key.len();
    encode_bytes(text.as_bytes(), key);
    if order.descending {
        invert(&mut key[start..]);
    }
}

/// The smallest key greater than every key that begins with `prefix`; None when there is no such key.
pub fn prefix_successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut successor = prefix[..=last].to_vec();
    successor[last] += 1;
    Some(successor)
}

fn invert(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
}

/// Appends a value that is not NULL, ascending, without a marker.
fn encode_value(datum: &Datum, key: &mut Vec<u8>) -> Result<()> {
    match datum {
        Datum::Null => unreachable!("a NULL is its marker"),
        Datum::Bool(value) => key.push(u8::from(*value)),
        Datum::Int2(value) => key.extend((*value as u16 ^ 1 << 15).to_be_bytes()),
        Datum::Int4(value) => key.extend(number::int4(*value)),
        Datum::Int8(value) => key.extend(number::int8(*value)),
        Datum::Float4(value) => key.extend(number::float4(*value)),
        Datum::Float8(value) => key.extend(number::float8(*value)),
        Datum::Oid(value) => key.extend(value.0.to_be_bytes()),
        Datum::Numeric(value) => number::numeric(value, key)?,
        Datum::Text(value) => encode_bytes(value.as_bytes(), key),
        Datum::Bytes(value) => encode_bytes(value, key),
        Datum::Date(value) => key.extend(number::int4(value.0)),
        Datum::Time(value) => key.extend(number::int8(value.0)),
        Datum::TimeTz(value) => key.extend(time_tz(*value)),
        Datum::Timestamp(value) => key.extend(number::int8(value.0)),
        Datum::TimestampTz(value) => key.extend(number::int8(value.0)),
        Datum::Interval(value) => key.extend(interval(*value)),
        Datum::Uuid(value) => key.extend(value),
        Datum::Bit(value) => {
            encode_bytes(value.bytes(), key);
            key.extend((value.len() as u32).to_be_bytes());
        }
        Datum::Enum(value) => key.extend(number::float4(value.sort_order)),
        Datum::Jsonb(value) => nested::jsonb(value, key)?,
        Datum::Array(value) => nested::array(value, key)?,
        Datum::Record(value) => nested::record(value, key)?,
    }
    Ok(())
}

/// Bytes, escaped and ended so that a shorter value sorts before its extensions.
fn encode_bytes(bytes: &[u8], key: &mut Vec<u8>) {
    key.reserve(bytes.len() + 1);
    let mut rest = bytes;
    while let Some(position) = rest.iter().position(|&byte| byte <= ESCAPE) {
        key.extend_from_slice(&rest[..position]);
        key.extend([ESCAPE, rest[position] + 1]);
        rest = &rest[position + 1..];
    }
    key.extend_from_slice(rest);
    key.push(END);
}

/// By the moment, then by the zone, as PostgreSQL's timetz_cmp.
fn time_tz(value: TimeTz) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&number::int8(value.time_us + i64::from(value.zone_seconds_west) * 1_000_000));
    bytes[8..].copy_from_slice(&number::int4(value.zone_seconds_west));
    bytes
}

/// The span with days of 24 hours and months of 30 days, as PostgreSQL compares intervals. It needs 82 bits.
fn interval(value: Interval) -> [u8; 12] {
    const DAY_US: i128 = 86_400_000_000;
    let days = i128::from(value.months) * 30 + i128::from(value.days);
    let span = days * DAY_US + i128::from(value.microseconds);
    let shifted = (span + (1 << 95)) as u128;
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&shifted.to_be_bytes()[4..]);
    bytes
}

#[cfg(test)]
pub(crate) mod random_datums;
#[cfg(test)]
mod tests;
