//! Functions of bit strings. Positions count from 1, indexes of get_bit and set_bit from 0.

use types::{BitString, Error, Result, SqlState};

use super::{Function, lift::strict, text::negative_length};

pub fn functions() -> Vec<Function> {
    let mut functions = operators();
    functions.extend(parts());
    functions.extend(conversions());
    functions
}

fn compare(a: &BitString, b: &BitString) -> std::cmp::Ordering {
    a.bits().cmp(b.bits())
}

fn bitwise(a: &BitString, b: &BitString, name: &str, combine: fn(u8, u8) -> u8) -> Result<BitString> {
    if a.len() != b.len() {
        let message = format!("cannot {name} bit strings of different sizes");
        return Err(Error::new(SqlState::STRING_DATA_LENGTH_MISMATCH, message));
    }
    let bytes: Vec<u8> = a.bytes().iter().zip(b.bytes()).map(|(a, b)| combine(*a, *b)).collect();
    Ok(BitString::new(a.len() as u32, &bytes))
}

/// Shifted left when positive; vacated places are zero and the length stays.
fn shift(a: &BitString, by: i64) -> BitString {
    let bits: Vec<bool> = a.bits().collect();
    let len = bits.len() as i64;
    BitString::from_bits(
        (0..len).map(|at| usize::try_from(at + by).ok().and_then(|from| bits.get(from).copied()).unwrap_or(false)),
    )
}

fn operators() -> Vec<Function> {
    vec![
        strict!("biteq", |a: &BitString, b: &BitString| compare(a, b).is_eq()),
        strict!("bitne", |a: &BitString, b: &BitString| compare(a, b).is_ne()),
        strict!("bitlt", |a: &BitString, b: &BitString| compare(a, b).is_lt()),
        strict!("bitle", |a: &BitString, b: &BitString| compare(a, b).is_le()),
        strict!("bitgt", |a: &BitString, b: &BitString| compare(a, b).is_gt()),
        strict!("bitge", |a: &BitString, b: &BitString| compare(a, b).is_ge()),
        strict!("bitcmp", |a: &BitString, b: &BitString| compare(a, b) as i32),
        strict!("bit_and", |a: &BitString, b: &BitString| bitwise(a, b, "AND", |a, b| a & b)),
        strict!("bit_or", |a: &BitString, b: &BitString| bitwise(a, b, "OR", |a, b| a | b)),
        strict!("bitxor", |a: &BitString, b: &BitString| bitwise(a, b, "XOR", |a, b| a ^ b)),
        strict!("bitnot", |a: &BitString| BitString::from_bits(a.bits().map(|bit| !bit))),
        strict!("bitshiftleft", |a: &BitString, by: i32| shift(a, by as i64)),
        strict!("bitshiftright", |a: &BitString, by: i32| shift(a, -(by as i64))),
        strict!("bitcat", |a: &BitString, b: &BitString| BitString::from_bits(a.bits().chain(b.bits()))),
    ]
}

fn substring(a: &BitString, start: i64, length: Option<i64>) -> Result<BitString> {
    let len = a.len() as i64;
    let past = match length {
        Some(length) if length < 0 => return Err(negative_length()),
        Some(length) => (start - 1 + length).clamp(0, len),
        None => len,
    };
    let begin = (start - 1).clamp(0, len).min(past);
    Ok(BitString::from_bits(a.bits().skip(begin as usize).take((past - begin) as usize)))
}

fn overlay(a: &BitString, new: &BitString, start: i32, length: i64) -> Result<BitString> {
    if start <= 0 {
        return Err(negative_length());
    }
    let end = i32::try_from(start as i64 + length).map_err(|_| super::integer::integer_out_of_range())?;
    let before = substring(a, 1, Some(start as i64 - 1))?;
    let after = substring(a, end as i64, None)?;
    Ok(BitString::from_bits(before.bits().chain(new.bits()).chain(after.bits())))
}

fn index_of(a: &BitString, index: i32) -> Result<usize> {
    usize::try_from(index).ok().filter(|index| *index < a.len()).ok_or_else(|| {
        let message = format!("bit index {index} out of valid range (0..{})", a.len() as i64 - 1);
        Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
    })
}

fn parts() -> Vec<Function> {
    vec![
        strict!("bitlength", |a: &BitString| a.len() as i32),
        strict!("bitoctetlength", |a: &BitString| a.len().div_ceil(8) as i32),
        strict!("bit_bit_count", |a: &BitString| a.bits().filter(|bit| *bit).count() as i64),
        strict!("bitsubstr", |a: &BitString, start: i32, length: i32| substring(a, start as i64, Some(length as i64))),
        strict!("bitsubstr_no_len", |a: &BitString, start: i32| substring(a, start as i64, None)),
        strict!("bitoverlay", |a: &BitString, new: &BitString, start: i32, length: i32| overlay(a, new, start, length as i64)),
        strict!("bitoverlay_no_len", |a: &BitString, new: &BitString, start: i32| overlay(a, new, start, new.len() as i64)),
        strict!("bitposition", |a: &BitString, wanted: &BitString| {
            let (bits, wanted): (Vec<bool>, Vec<bool>) = (a.bits().collect(), wanted.bits().collect());
            if wanted.is_empty() {
                return if bits.is_empty() { 0 } else { 1 };
            }
            bits.windows(wanted.len()).position(|window| window == wanted).map_or(0, |at| at as i32 + 1)
        }),
        strict!("bitgetbit", |a: &BitString, index: i32| {
            index_of(a, index).map(|index| a.bits().nth(index).is_some_and(|bit| bit) as i32)
        }),
        strict!("bitsetbit", |a: &BitString, index: i32, bit: i32| -> Result<BitString> {
            let index = index_of(a, index)?;
            if bit != 0 && bit != 1 {
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "new bit must be 0 or 1"));
            }
            Ok(BitString::from_bits(a.bits().enumerate().map(|(at, old)| if at == index { bit == 1 } else { old })))
        }),
    ]
}

/// An integer's lowest bits; a longer string repeats the sign.
fn from_integer(value: i64, width: u32, length: i32) -> BitString {
    let length = if length < 1 { 1 } else { length as u32 };
    BitString::from_bits((0..length).rev().map(|at| value >> at.min(width - 1) & 1 == 1))
}

fn to_integer(a: &BitString, width: usize, error: fn() -> Error) -> Result<i64> {
    if a.len() > width {
        return Err(error());
    }
    Ok(a.bits().fold(0, |value, bit| value << 1 | bit as i64))
}

fn conversions() -> Vec<Function> {
    vec![
        strict!("bitfromint4", |a: i32, length: i32| from_integer(a as i64, 32, length)),
        strict!("bitfromint8", |a: i64, length: i32| from_integer(a, 64, length)),
        strict!("bittoint4", |a: &BitString| {
            to_integer(a, 32, super::integer::integer_out_of_range).map(|value| value as i32)
        }),
        strict!("bittoint8", |a: &BitString| to_integer(a, 64, super::integer::bigint_out_of_range)),
        strict!("bit", |a: &BitString, length: i32, explicit: bool| -> Result<BitString> {
            let Ok(length) = usize::try_from(length) else { return Ok((**a).clone()) };
            if length == 0 || length == a.len() {
                return Ok((**a).clone());
            }
            if !explicit {
                let message = format!("bit string length {} does not match type bit({length})", a.len());
                return Err(Error::new(SqlState::STRING_DATA_LENGTH_MISMATCH, message));
            }
            Ok(BitString::from_bits(a.bits().chain(std::iter::repeat(false)).take(length)))
        }),
        strict!("varbit", |a: &BitString, length: i32, explicit: bool| -> Result<BitString> {
            let Ok(length) = usize::try_from(length) else { return Ok((**a).clone()) };
            if length == 0 || length >= a.len() {
                return Ok((**a).clone());
            }
            if !explicit {
                let message = format!("bit string too long for type bit varying({length})");
                return Err(Error::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
            }
            Ok(BitString::from_bits(a.bits().take(length)))
        }),
    ]
}
