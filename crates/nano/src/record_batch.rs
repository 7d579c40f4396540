//! Results as Arrow record batches, for the tools that speak Arrow.

use std::sync::Arc;

use arrow_array::RecordBatch;
use interchange::Purpose;
use types::{Datum, Result, SqlType};

use crate::row::Columns;

/// Rows of a query, gathered into arrays.
pub(crate) struct BatchBuilder {
    columns: Arc<Columns>,
    builder: interchange::BatchBuilder,
}

impl BatchBuilder {
    pub(crate) fn new(columns: Arc<Columns>, types: &[SqlType]) -> Result<BatchBuilder> {
        let named = columns.columns.iter().map(|column| column.name()).zip(types.iter().copied());
        let builder = interchange::BatchBuilder::new(named, Purpose::Arrow);
        Ok(BatchBuilder { columns, builder })
    }

    pub(crate) fn add(&mut self, values: Vec<Datum>) -> Result<()> {
        let columns = &self.columns;
        self.builder.add(&values, &mut |at, value| columns.text(at, value))
    }

    pub(crate) fn finish(mut self) -> Result<RecordBatch> {
        self.builder.take()
    }
}
