//! jsonb as trees, their keys by number (form 105): read without a lexer, and equal keys share their text.
//!
//! ```text
//! keys     count u32 | each: length u32, bytes
//! value    0 null, 1 false, 2 true
//!          3 number: scale u8 | mantissa i64
//!          4 number: length u32, its text
//!          5 string: length u32, bytes
//!          6 array: count u32 | values
//!          7 object: count u32 | each: number of its key u32, value
//! ```

use std::{collections::HashMap, sync::Arc};

use storage::{Column, column::ColumnData};
use types::{Datum, Jsonb, Numeric, Result, SqlType};

use super::{Bytes, bad, text};

/// Documents nested deeper are written as text.
const MAX_DEPTH: u32 = 64;

/// The keys, then the values that are not NULL; false, and nothing written, when it cannot be done.
pub(super) fn encode(column: &Column, rows: usize, out: &mut Vec<u8>) -> bool {
    let ColumnData::Any(values) = column.data() else { return false };
    let mut writer = Writer { numbers: HashMap::new(), keys: Vec::new(), body: Vec::new() };
    for (row, value) in values[..rows].iter().enumerate() {
        if column.is_null(row) {
            continue;
        }
        let Datum::Jsonb(document) = value else { return false };
        if !writer.value(document, 0) {
            return false;
        }
    }
    out.extend_from_slice(&(writer.keys.len() as u32).to_le_bytes());
    for key in &writer.keys {
        put(key.as_bytes(), out);
    }
    out.extend_from_slice(&writer.body);
    true
}

fn put(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

struct Writer<'a> {
    numbers: HashMap<&'a str, u32>,
    keys: Vec<&'a str>,
    body: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn value(&mut self, value: &'a Jsonb, depth: u32) -> bool {
        match value {
            Jsonb::Null => self.body.push(0),
            Jsonb::Bool(value) => self.body.push(1 + u8::from(*value)),
            Jsonb::Number(number) => self.number(number),
            Jsonb::String(string) => {
                self.body.push(5);
                put(string.as_bytes(), &mut self.body);
            }
            Jsonb::Array(_) | Jsonb::Object(_) if depth == MAX_DEPTH => return false,
            Jsonb::Array(items) => {
                self.count(6, items.len());
                return items.iter().all(|item| self.value(item, depth + 1));
            }
            Jsonb::Object(members) => {
                self.count(7, members.len());
                return members.iter().all(|(key, value)| {
                    let next = self.keys.len() as u32;
                    let number = *self.numbers.entry(key).or_insert(next);
                    if number == next {
                        self.keys.push(key);
                    }
                    self.body.extend_from_slice(&number.to_le_bytes());
                    self.value(value, depth + 1)
                });
            }
        }
        true
    }

    fn count(&mut self, tag: u8, count: usize) {
        self.body.push(tag);
        self.body.extend_from_slice(&(count as u32).to_le_bytes());
    }

    fn number(&mut self, number: &Numeric) {
        match number.small_parts().and_then(|(mantissa, scale)| Some((mantissa, u8::try_from(scale).ok()?))) {
            Some((mantissa, scale)) => {
                self.body.extend_from_slice(&[3, scale]);
                self.body.extend_from_slice(&mantissa.to_le_bytes());
            }
            None => {
                let mut printed = String::new();
                number.print(&mut printed);
                self.body.push(4);
                put(printed.as_bytes(), &mut self.body);
            }
        }
    }
}

pub(super) fn decode(bytes: &mut Bytes, is_null: &dyn Fn(usize) -> bool, rows: usize, ty: SqlType) -> Result<Column> {
    let count = bytes.u32()?;
    let mut keys: Vec<Arc<str>> = Vec::new();
    for _ in 0..count {
        keys.push(string(bytes)?);
    }
    let mut column = Column::with_capacity(ty.physical, rows);
    for row in 0..rows {
        if is_null(row) {
            column.push(&Datum::Null);
        } else {
            column.push(&Datum::Jsonb(Arc::new(value(bytes, &keys, 0)?)));
        }
    }
    Ok(column)
}

fn string(bytes: &mut Bytes) -> Result<Arc<str>> {
    let length = bytes.u32()? as usize;
    Ok(text(bytes.take(length)?)?.into())
}

fn value(bytes: &mut Bytes, keys: &[Arc<str>], depth: u32) -> Result<Jsonb> {
    let tag = bytes.take(1)?[0];
    if tag >= 6 && depth == MAX_DEPTH {
        return Err(bad("a document nests too deep"));
    }
    Ok(match tag {
        0 => Jsonb::Null,
        1 | 2 => Jsonb::Bool(tag == 2),
        3 => {
            let scale = u16::from(bytes.take(1)?[0]);
            let mantissa = i64::from_le_bytes(bytes.take(8)?.try_into().map_err(|_| bad("it is cut short"))?);
            let number = Numeric::from_parts(mantissa, scale);
            if number.small_parts() != Some((mantissa, scale)) {
                return Err(bad("a number has a scale that is too large"));
            }
            Jsonb::Number(number)
        }
        4 => {
            let number = Numeric::parse(&string(bytes)?)?;
            if !number.is_finite() {
                return Err(bad("a number is not finite"));
            }
            Jsonb::Number(number)
        }
        5 => Jsonb::String(string(bytes)?),
        6 => {
            let count = bytes.u32()?;
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(value(bytes, keys, depth + 1)?);
            }
            Jsonb::Array(items.into())
        }
        7 => {
            let count = bytes.u32()?;
            let mut members = Vec::new();
            for _ in 0..count {
                let key = keys.get(bytes.u32()? as usize).ok_or_else(|| bad("a key has no text"))?;
                members.push((key.clone(), value(bytes, keys, depth + 1)?));
            }
            Jsonb::object(members)
        }
        _ => return Err(bad("a document has a value of an unknown kind")),
    })
}
