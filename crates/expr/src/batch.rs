//! Batches of rows by column: what operators pass to each other.

use std::sync::Arc;

use storage::Column;
use types::{Datum, Physical};

/// Rows by column. Usually up to about a thousand; zero columns with a length is legal (`SELECT FROM t`).
#[derive(Clone, Debug)]
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

    pub fn take(&self, rows: &[u32]) -> Batch {
        Batch { columns: self.columns.iter().map(|column| Arc::new(column.take(rows))).collect(), len: rows.len() }
    }
}

/// The result of evaluating an expression over a batch: one value for all rows, or one each.
#[derive(Clone, Debug)]
pub enum Vector {
    Constant(Datum),
    Column(Arc<Column>),
}

impl Vector {
    pub fn datum(&self, row: usize) -> Datum {
        match self {
            Vector::Constant(datum) => datum.clone(),
            Vector::Column(column) => column.datum(row),
        }
    }

    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Vector::Constant(datum) => datum.is_null(),
            Vector::Column(column) => column.is_null(row),
        }
    }

    /// As a column of `len` rows of this physical type.
    pub fn into_column(self, physical: Physical, len: usize) -> Arc<Column> {
        match self {
            Vector::Constant(datum) => Arc::new(Column::repeat(physical, &datum, len)),
            Vector::Column(column) => column,
        }
    }
}
