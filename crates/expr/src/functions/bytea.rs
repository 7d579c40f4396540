//! Functions of bytea. Positions of bytes count from 1, indexes of get_* and set_* from 0.

use types::{Error, Result, SqlState};

use super::{
    Function,
    lift::{rows, strict},
    text::negative_length,
};

pub fn functions() -> Vec<Function> {
    vec![
        strict!("byteaoctetlen", |a: &[u8]| a.len() as i32),
        strict!("byteacat", |a: &[u8], b: &[u8]| [a, b].concat()),
        strict!("bytea_substr", |a: &[u8], start: i32, length: i32| substring(a, start, Some(length)).map(<[u8]>::to_vec)),
        strict!("bytea_substr_no_len", |a: &[u8], start: i32| substring(a, start, None).map(<[u8]>::to_vec)),
        strict!("byteapos", |a: &[u8], wanted: &[u8]| position(a, wanted)),
        strict!("byteaoverlay", |a: &[u8], new: &[u8], start: i32, length: i32| overlay(a, new, start, length)),
        strict!("byteaoverlay_no_len", |a: &[u8], new: &[u8], start: i32| overlay(a, new, start, new.len() as i32)),
        strict!("byteaGetByte", |a: &[u8], index: i32| a
            .get(index.max(-1) as usize)
            .map(|byte| *byte as i32)
            .ok_or_else(|| out_of_range(index as i64, a.len() as i64))),
        strict!("byteaSetByte", |a: &[u8], index: i32, value: i32| -> Result<Vec<u8>> {
            let mut bytes = a.to_vec();
            *bytes.get_mut(index.max(-1) as usize).ok_or_else(|| out_of_range(index as i64, a.len() as i64))? = value as u8;
            Ok(bytes)
        }),
        strict!("byteaGetBit", |a: &[u8], index: i64| -> Result<i32> {
            let bits = a.len() as i64 * 8;
            if !(0..bits).contains(&index) {
                return Err(out_of_range(index, bits));
            }
            Ok((a[(index / 8) as usize] >> (index % 8) & 1) as i32)
        }),
        strict!("byteaSetBit", |a: &[u8], index: i64, bit: i32| -> Result<Vec<u8>> {
            let bits = a.len() as i64 * 8;
            if !(0..bits).contains(&index) {
                return Err(out_of_range(index, bits));
            }
            if bit != 0 && bit != 1 {
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "new bit must be 0 or 1"));
            }
            let mut bytes = a.to_vec();
            let mask = 1 << (index % 8);
            let byte = &mut bytes[(index / 8) as usize];
            *byte = if bit == 1 { *byte | mask } else { *byte & !mask };
            Ok(bytes)
        }),
        strict!("bytea_bit_count", |a: &[u8]| a.iter().map(|byte| byte.count_ones() as i64).sum::<i64>()),
        rows("byteatrim", |cx, row| trim(cx.get::<&[u8]>(0, row), cx.get::<&[u8]>(1, row), true, true)),
        rows("bytealtrim", |cx, row| trim(cx.get::<&[u8]>(0, row), cx.get::<&[u8]>(1, row), true, false)),
        rows("byteartrim", |cx, row| trim(cx.get::<&[u8]>(0, row), cx.get::<&[u8]>(1, row), false, true)),
    ]
}

fn out_of_range(index: i64, length: i64) -> Error {
    Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, format!("index {index} out of valid range, 0..{}", length - 1))
}

fn substring(bytes: &[u8], start: i32, length: Option<i32>) -> Result<&[u8]> {
    let len = bytes.len() as i64;
    let past = match length {
        Some(length) if length < 0 => return Err(negative_length()),
        Some(length) => (start as i64 - 1 + length as i64).clamp(0, len),
        None => len,
    };
    let begin = (start as i64 - 1).clamp(0, len).min(past);
    Ok(&bytes[begin as usize..past as usize])
}

fn position(bytes: &[u8], wanted: &[u8]) -> i32 {
    if wanted.is_empty() {
        return 1;
    }
    bytes.windows(wanted.len()).position(|window| window == wanted).map_or(0, |at| at as i32 + 1)
}

fn overlay(bytes: &[u8], new: &[u8], start: i32, length: i32) -> Result<Vec<u8>> {
    if start <= 0 {
        return Err(negative_length());
    }
    let after = start.checked_add(length).ok_or_else(super::integer::integer_out_of_range)?;
    Ok([substring(bytes, 1, Some(start - 1))?, new, substring(bytes, after, None)?].concat())
}

fn trim(bytes: &[u8], set: &[u8], start: bool, end: bool) -> Vec<u8> {
    let mut bytes = bytes;
    while let Some((first, rest)) = bytes.split_first()
        && start
        && set.contains(first)
    {
        bytes = rest;
    }
    while let Some((last, rest)) = bytes.split_last()
        && end
        && set.contains(last)
    {
        bytes = rest;
    }
    bytes.to_vec()
}
