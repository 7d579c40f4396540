//! Batches of rows by column: what operators pass to each other and what is inserted in bulk.

use std::sync::Arc;

use types::Datum;

use crate::{CHUNK_ROWS, Column};

/// Rows by column, usually up to about a thousand. The length stands by itself: a table, or `SELECT FROM t`, may have no columns.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub columns: Vec<Arc<Column>>,
    pub len: usize,
}

impl Batch {
    pub fn new(columns: Vec<Arc<Column>>, len: usize) -> Batch {
        debug_assert!(columns.iter().all(|column| column.len() == len));
        Batch { columns, len }
    }

    /// One row of no columns: the input of a query without FROM.
    pub fn unit() -> Batch {
        Batch { columns: Vec::new(), len: 1 }
    }

    pub fn datum(&self, column: usize, row: usize) -> Datum {
        self.columns[column].datum(row)
    }

    pub fn row(&self, row: usize) -> Vec<Datum> {
        self.columns.iter().map(|column| column.datum(row)).collect()
    }

    /// Gives back the room to grow of columns that nobody else holds, so that a table can keep them as they are. Short ones are copied
    /// into a table's chunks in any case.
    pub fn shrink(&mut self) {
        if self.len < CHUNK_ROWS / 2 {
            return;
        }
        for column in self.columns.iter_mut().filter_map(Arc::get_mut) {
            if !column.is_compact() {
                column.shrink();
            }
        }
    }

    pub fn take(&self, rows: &[u32]) -> Batch {
        Batch { columns: self.columns.iter().map(|column| Arc::new(column.take(rows))).collect(), len: rows.len() }
    }
}
