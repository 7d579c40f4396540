//! One run of a prepared plan.

use std::sync::Arc;

use expr::Batch;
use txn::StatementWrites;
use types::Result;

use crate::{
    Instrumentation, Reservation, cte,
    node::{Node, Operator, pick},
    run::{Run, modifies},
};

/// One run of a prepared plan. Independent of the session that opened it: a portal may keep it.
pub struct Execution {
    run: Run,
    operator: Box<dyn Operator>,
    done: bool,
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution").field("done", &self.done).finish_non_exhaustive()
    }
}

impl Execution {
    pub(crate) fn new(run: Run, root: Arc<dyn Node>) -> Result<Execution> {
        let operator = root.open(&run)?;
        Ok(Execution { run, operator, done: false })
    }

    /// The next rows, columns in the order of the query's output; None when there are no more. For a data-modifying statement without
    /// RETURNING there are no rows, and the first call computes everything.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        if self.done {
            return Ok(None);
        }
        self.run.context.check_cancelled()?;
        let shared = &self.run.shared;
        match self.operator.next(&self.run)? {
            Some(batch) => {
                if !modifies(shared.prepared.query.command) {
                    shared.count_rows(batch.len);
                }
                Ok(Some(match &shared.prepared.output {
                    None => batch,
                    Some(positions) => pick(&batch, positions),
                }))
            }
            None => {
                cte::finish_modifying(&self.run)?;
                self.done = true;
                Ok(None)
            }
        }
    }

    /// All changes the statement makes; complete once the rows are exhausted, and given once.
    pub fn writes(&mut self) -> StatementWrites {
        debug_assert!(self.done, "a statement's writes are complete only when its rows are exhausted");
        std::mem::take(&mut self.run.shared.writes.lock())
    }

    /// What the changes hold, and will hold once they are staged: for whoever takes them.
    pub fn take_write_memory(&mut self) -> Reservation {
        std::mem::replace(&mut self.run.shared.write_memory.lock(), self.run.reservation())
    }

    /// Rows returned by a query, or changed by a data-modifying statement: the number of its command tag.
    pub fn row_count(&self) -> u64 {
        self.run.shared.row_count()
    }

    /// What the operators did, when prepared with [`crate::Prepared::instrumented`].
    pub fn instrumentation(&self) -> Option<Arc<Instrumentation>> {
        self.run.shared.instrumentation.clone()
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        cte::drop_states(&self.run);
    }
}
