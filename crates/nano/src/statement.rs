//! A prepared statement: parsed and planned once, run many times.

use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use types::Result;

use crate::{
    Column, Row, Session, ToSql,
    record_batch::BatchBuilder,
    session::{Rows, columns_of},
};

/// A statement prepared in a session, which forgets it when this is dropped. Its plan is renewed by itself after a change of schema.
pub struct Statement {
    session: Session,
    name: String,
    columns: Vec<Column>,
}

impl Statement {
    pub(crate) fn prepare(session: Session, sql: &str) -> Result<Statement> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // A name that SQL's PREPARE is unlikely to choose; taken, it would be an error and never a mix-up.
        let name = format!("heliosdb_nano.{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let columns = session.with(|inner| {
            let prepared = inner.prepare(&name, sql, &[]).and_then(|prepared| columns_of(inner, &prepared));
            let ended = pollster::block_on(inner.sync());
            prepared.and_then(|columns| ended.map(|()| columns))
        })?;
        Ok(Statement { session, name, columns })
    }

    /// The columns it returns; none for a statement without rows.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Runs it and returns how many rows it changed or returned.
    pub fn execute(&self, parameters: &[&dyn ToSql]) -> Result<u64> {
        self.session.run_named(&self.name, parameters, |_, _| Ok(()), |_, _| Ok(())).map(|((), count)| count)
    }

    /// Runs it and returns its rows.
    pub fn query(&self, parameters: &[&dyn ToSql]) -> Result<Vec<Row>> {
        self.session.run_named(&self.name, parameters, Rows::new, Rows::add).map(|(rows, _)| rows.rows)
    }

    /// Runs it and returns its rows as an Arrow record batch; see [`Session::query_arrow`].
    pub fn query_arrow(&self, parameters: &[&dyn ToSql]) -> Result<RecordBatch> {
        let (batch, _) = self.session.run_named(&self.name, parameters, BatchBuilder::new, BatchBuilder::add)?;
        batch.finish()
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        self.session.with(|inner| inner.close_statement(&self.name));
    }
}
