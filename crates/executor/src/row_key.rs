//! Keys of rows as bytes, equal exactly when SQL's equality says so: what grouping, hashing, sets and memos look up.
//!
//! The bytes have no order; sorting has its own ([`crate::sort_key`]).

use expr::Batch;
use storage::{
    Column,
    column::ColumnData,
    key::{KeyOrder, encode_key_part},
};
use types::{Datum, Oid, Result, SqlType};

/// How values of a key column are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyType {
    /// char(n): trailing blanks do not count.
    pub(crate) trimmed: bool,
}

impl KeyType {
    pub(crate) fn of(ty: SqlType) -> KeyType {
        KeyType { trimmed: ty.oid == Oid::BPCHAR }
    }
}

pub(crate) fn key_types(types: impl IntoIterator<Item = SqlType>) -> Vec<KeyType> {
    types.into_iter().map(KeyType::of).collect()
}

const NULL: u8 = 0;
const VALUE: u8 = 1;

/// Appends one value's encoding, which tells its own end.
pub(crate) fn append_cell(column: &Column, row: usize, ty: KeyType, key: &mut Vec<u8>) -> Result<()> {
    if column.is_null(row) {
        key.push(NULL);
        return Ok(());
    }
    key.push(VALUE);
    match column.data() {
        ColumnData::Bool(values) => key.push(u8::from(values[row])),
        ColumnData::Int2(values) => key.extend(i64::from(values[row]).to_ne_bytes()),
        ColumnData::Int4(values) => key.extend(i64::from(values[row]).to_ne_bytes()),
        ColumnData::Int8(values) => key.extend(values[row].to_ne_bytes()),
        ColumnData::Oid(values) => key.extend(i64::from(values[row].0).to_ne_bytes()),
        ColumnData::Date(values) => key.extend(values[row].0.to_ne_bytes()),
        ColumnData::Timestamp(values) => key.extend(values[row].0.to_ne_bytes()),
        ColumnData::TimestampTz(values) => key.extend(values[row].0.to_ne_bytes()),
        ColumnData::Uuid(values) => key.extend(values[row]),
        ColumnData::Text(_) => append_text(column.text(row), ty, key),
        ColumnData::Bytes(values) => append_bytes(values.get(row), key),
        _ => return encode_key_part(&column.datum(row), KeyOrder::ASCENDING, key),
    }
    Ok(())
}

fn append_text(text: &str, ty: KeyType, key: &mut Vec<u8>) {
    append_bytes(if ty.trimmed { text.trim_end_matches(' ') } else { text }.as_bytes(), key);
}

fn append_bytes(bytes: &[u8], key: &mut Vec<u8>) {
    key.extend((bytes.len() as u32).to_ne_bytes());
    key.extend(bytes);
}

/// Appends the key of one row.
pub(crate) fn append_row(columns: &[std::sync::Arc<Column>], types: &[KeyType], row: usize, key: &mut Vec<u8>) -> Result<()> {
    columns.iter().zip(types).try_for_each(|(column, ty)| append_cell(column, row, *ty, key))
}

/// The key of values outside any column; comparable only with keys made the same way.
pub(crate) fn datums_key<'a>(datums: impl IntoIterator<Item = &'a Datum>) -> Result<Vec<u8>> {
    let mut key = Vec::new();
    datums.into_iter().try_for_each(|datum| encode_key_part(datum, KeyOrder::ASCENDING, &mut key))?;
    Ok(key)
}

/// A column's values as integers when it is of a type that one integer tells apart; NULLs are arbitrary.
pub(crate) fn integers(column: &Column) -> Option<Vec<i64>> {
    Some(match column.data() {
        ColumnData::Bool(values) => values.iter().map(|&value| i64::from(value)).collect(),
        ColumnData::Int2(values) => values.iter().map(|&value| i64::from(value)).collect(),
        ColumnData::Int4(values) => values.iter().map(|&value| i64::from(value)).collect(),
        ColumnData::Int8(values) => values.clone(),
        ColumnData::Oid(values) => values.iter().map(|value| i64::from(value.0)).collect(),
        ColumnData::Date(values) => values.iter().map(|value| i64::from(value.0)).collect(),
        ColumnData::Timestamp(values) => values.iter().map(|value| value.0).collect(),
        ColumnData::TimestampTz(values) => values.iter().map(|value| value.0).collect(),
        ColumnData::Time(values) => values.iter().map(|value| value.0).collect(),
        _ => return None,
    })
}

/// Whether [`integers`] serves columns of this type.
pub(crate) fn is_integer(physical: types::Physical) -> bool {
    use types::Physical::{Bool, Date, Int2, Int4, Int8, Oid, Time, Timestamp, TimestampTz};
    matches!(physical, Bool | Int2 | Int4 | Int8 | Oid | Date | Timestamp | TimestampTz | Time)
}

/// Whether any key column is NULL in this row.
pub(crate) fn any_null(columns: &[std::sync::Arc<Column>], row: usize) -> bool {
    columns.iter().any(|column| column.is_null(row))
}

/// Concatenates batches into one; `width` columns.
pub(crate) fn concatenate(batches: Vec<Batch>, physical: &[types::Physical]) -> Batch {
    match <[Batch; 1]>::try_from(batches) {
        Ok([batch]) => batch,
        Err(batches) => {
            let len = batches.iter().map(|batch| batch.len).sum();
            let columns = physical
                .iter()
                .enumerate()
                .map(|(at, physical)| {
                    let mut column = Column::with_capacity(*physical, len);
                    batches.iter().for_each(|batch| column.append(&batch.columns[at]));
                    std::sync::Arc::new(column)
                })
                .collect();
            Batch { columns, len }
        }
    }
}
