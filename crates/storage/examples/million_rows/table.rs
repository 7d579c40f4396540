//! The table of the benchmarks: bigint primary key, two ints, a bigint and 72 characters of text; 96 bytes a row.

use std::sync::Arc;

use heliosdb_storage::{Batch, Column, IndexId, IndexShape, RowId, TableData, TxnId, key::KeyOrder};
use types::{Datum, Physical};

pub(crate) const ROWS: u64 = 1_000_000;
pub(crate) const PRIMARY_KEY: IndexId = IndexId(1);
const COLUMNS: [Physical; 5] = [Physical::Int8, Physical::Int4, Physical::Int4, Physical::Int8, Physical::Text];

pub(crate) fn row(id: u64) -> [Datum; 5] {
    row_with_text(id, 72)
}

fn row_with_text(id: u64, length: usize) -> [Datum; 5] {
    let text = Datum::text(&format!("{id:x>length$}"));
    [
        Datum::Int8(id as i64),
        Datum::Int4((id * 7919 % 100_000) as i32),
        Datum::Int4((id % 1000) as i32),
        Datum::Int8(id as i64 * 3),
        text,
    ]
}

/// The rows `first..first + count` by column.
pub(crate) fn columns(first: u64, count: u64, row: fn(u64) -> [Datum; 5]) -> Vec<Arc<Column>> {
    let mut columns = COLUMNS.map(Column::new);
    for id in first..first + count {
        columns.iter_mut().zip(&row(id)).for_each(|(column, value)| column.push(value));
    }
    columns.map(Arc::new).into()
}

pub(crate) fn empty() -> TableData {
    let mut table = TableData::new(&COLUMNS);
    let shape = IndexShape {
        id: PRIMARY_KEY,
        unique: true,
        nulls_not_distinct: false,
        deferrable: false,
        order: [KeyOrder::ASCENDING].into(),
        attributes: Some([0].into()),
        trimmed: [false].into(),
        source: None,
    };
    table.add_index(Arc::new(shape)).expect("a bigint has an order").expect("an empty table has no duplicates");
    table
}

/// Filled as COPY fills it, a batch at a time.
pub(crate) fn million_rows() -> TableData {
    million_of(row)
}

/// The same with texts of 40 to 104 characters, 72 on average.
pub(crate) fn million_varied_rows() -> TableData {
    million_of(|id| row_with_text(id, 40 + (id * 7919 % 65) as usize))
}

fn million_of(row: fn(u64) -> [Datum; 5]) -> TableData {
    const BATCH: u64 = 1000;
    let mut table = empty();
    for first in (1..=ROWS).step_by(BATCH as usize) {
        let rows = Batch::new(columns(first, BATCH, row), BATCH as usize);
        table.insert_batch(RowId(first), TxnId(1), &rows).expect("its key has an order");
    }
    table
}
