//! Orderings: keys compiled, evaluated, and compared as bytes or, when there is one plain integer key, as integers.

use std::sync::Arc;

use expr::{Batch, ColumnId, EvalContext, SortKey};
use storage::{
    Column,
    column::ColumnData,
    key::{KeyOrder, encode_key_part},
};
use types::{Datum, Oid, Result};

use crate::{
    node::Typed,
    quicksort::quicksort,
    row_key::{integers, is_integer},
};

pub(crate) struct SortKeys {
    keys: Vec<Key>,
}

struct Key {
    expression: Typed,
    order: KeyOrder,
    trimmed: bool,
}

impl SortKeys {
    pub(crate) fn compile(keys: &[SortKey], layout: &[ColumnId]) -> Result<SortKeys> {
        let keys = keys
            .iter()
            .map(|key| {
                Ok(Key {
                    expression: Typed::new(&key.expression, layout)?,
                    order: KeyOrder { descending: key.descending, nulls_first: key.nulls_first },
                    trimmed: key.expression.ty().oid == Oid::BPCHAR,
                })
            })
            .collect::<Result<_>>()?;
        Ok(SortKeys { keys })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vec<Arc<Column>>> {
        self.keys.iter().map(|key| key.expression.column(batch, context)).collect()
    }

    pub(crate) fn physical(&self) -> Vec<types::Physical> {
        self.keys.iter().map(|key| key.expression.physical).collect()
    }

    /// Appends a row's keys such that comparing bytes compares rows.
    pub(crate) fn append(&self, columns: &[Arc<Column>], row: usize, bytes: &mut Vec<u8>) -> Result<()> {
        self.keys.iter().zip(columns).try_for_each(|(key, column)| append_ordered(column, row, key.order, key.trimmed, bytes))
    }

    /// Bytes that ordering rows with these keys takes, the keys themselves included.
    pub(crate) fn working_memory(&self, columns: &[Arc<Column>], rows: usize) -> usize {
        let keys: usize = columns.iter().map(|column| column.heap_size()).sum();
        match &self.keys[..] {
            [key] if is_integer(key.expression.physical) => keys + rows * 32,
            // Encoded, a value is hardly ever an eighth larger than it was, and ten bytes for its ends.
            _ => 2 * keys + keys / 8 + rows * (40 + 10 * columns.len()),
        }
    }

    /// The rows in order. Equal ones come as PostgreSQL sorts them, and of many rows as they were.
    pub(crate) fn order(&self, columns: &[Arc<Column>], rows: usize, context: &EvalContext) -> Result<Vec<u32>> {
        if let [key] = &self.keys[..]
            && is_integer(key.expression.physical)
            && rows > LIKE_POSTGRESQL
        {
            return Ok(order_integers(&columns[0], key.order));
        }
        let (mut heap, mut entries) = (Vec::new(), Vec::with_capacity(rows));
        for row in 0..rows {
            if row % 65536 == 65535 {
                context.check_cancelled()?;
            }
            let start = heap.len();
            self.append(columns, row, &mut heap)?;
            entries.push((prefix(&heap[start..]), start, row as u32));
        }
        let end = |start: usize, row: u32, starts: &[usize]| {
            debug_assert_eq!(starts[row as usize], start);
            starts[row as usize + 1]
        };
        let mut starts: Vec<usize> = entries.iter().map(|(_, start, _)| *start).collect();
        starts.push(heap.len());
        let compare = |left: &(u64, usize, u32), right: &(u64, usize, u32)| {
            left.0
                .cmp(&right.0)
                .then_with(|| heap[left.1..end(left.1, left.2, &starts)].cmp(&heap[right.1..end(right.1, right.2, &starts)]))
        };
        if rows <= LIKE_POSTGRESQL {
            quicksort(&mut entries, &compare);
        } else {
            entries.sort_unstable_by(|left, right| compare(left, right).then(left.2.cmp(&right.2)));
        }
        Ok(entries.into_iter().map(|(_, _, row)| row).collect())
    }
}

/// Rows up to which equal ones are brought into PostgreSQL's order.
const LIKE_POSTGRESQL: usize = 4096;

/// The first eight bytes as a number that compares as they do.
fn prefix(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    let count = bytes.len().min(8);
    first[..count].copy_from_slice(&bytes[..count]);
    u64::from_be_bytes(first)
}

fn order_integers(column: &Column, order: KeyOrder) -> Vec<u32> {
    let values = integers(column).expect("the caller has looked at the key's type");
    let (mut rows, mut nulls) = (Vec::with_capacity(values.len()), Vec::new());
    for (row, value) in values.into_iter().enumerate() {
        if column.is_null(row) {
            nulls.push(row as u32);
        } else {
            rows.push((if order.descending { !value } else { value }, row as u32));
        }
    }
    rows.sort_unstable();
    let rows = rows.into_iter().map(|(_, row)| row);
    if order.nulls_first { nulls.into_iter().chain(rows).collect() } else { rows.chain(nulls).collect() }
}

/// Appends one value such that bytes compare as values do in this order.
pub(crate) fn append_ordered(column: &Column, row: usize, order: KeyOrder, trimmed: bool, bytes: &mut Vec<u8>) -> Result<()> {
    if column.is_null(row) {
        return encode_key_part(&Datum::Null, order, bytes);
    }
    match column.data() {
        ColumnData::Text(_) => {
            let text = column.text(row);
            let text = if trimmed { text.trim_end_matches(' ') } else { text };
            encode_key_part(&Datum::Text(text.into()), order, bytes)
        }
        _ => encode_key_part(&column.datum(row), order, bytes),
    }
}
