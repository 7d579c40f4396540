//! What one statement wants to change, computed from an immutable view and not yet applied.

use std::sync::Arc;

use storage::{Batch, Row, RowId, TableId};
use types::Error;

use crate::lock::{LockMode, LockTag, LockWait};

/// The row changes of one statement, by table, in the order computed.
#[derive(Clone, Debug, Default)]
pub struct StatementWrites {
    pub tables: Vec<TableWrites>,
    /// Row locks without a change: FOR UPDATE and its kin, foreign-key parents.
    pub locks: Vec<(LockTag, LockMode)>,
}

#[derive(Clone, Debug)]
pub struct TableWrites {
    pub table: TableId,
    /// For messages and for naming the lock: pg_class.oid and name.
    pub relation: types::Oid,
    pub relation_name: Arc<str>,
    /// New rows, by column, all attributes of the table; row ids are given out when staged.
    pub inserts: Vec<Batch>,
    /// (row, its values as the statement saw them, its new values)
    pub updates: Vec<(RowId, Row, Row)>,
    /// (row, its values as the statement saw them)
    pub deletes: Vec<(RowId, Row)>,
}

/// What came of staging a statement's writes.
#[derive(Debug)]
pub enum Staged {
    /// Applied to the transaction's private view.
    Done,
    /// A lock is taken: nothing was applied, locks already won are kept. Await it, then run the statement again on a fresh view.
    Wait(LockWait),
    /// The rows changed since the view was taken (READ COMMITTED): run the statement again on a fresh view.
    Stale,
    /// 23505, 40001, 55P03, ...
    Failed(Error),
}

/// Why staging stopped, within this crate.
#[derive(Debug)]
pub(crate) enum Halt {
    Wait(LockWait),
    Stale,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Failed(error)
    }
}
