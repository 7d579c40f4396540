//! What evaluating an expression over a batch gives.

use std::sync::Arc;

use storage::Column;
use types::{Datum, Physical};

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
