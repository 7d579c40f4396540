//! One transaction: a snapshot, its own changes, its locks and savepoints.

use std::sync::Arc;

use catalog::Catalog;
use storage::{TableData, TableId, TxnId};
use types::Result;

use crate::{LockMode, LockTag, LockWait, Staged, StatementWrites};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsolationLevel {
    ReadUncommitted,
    #[default]
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct TransactionOptions {
    pub isolation: IsolationLevel,
    pub read_only: bool,
    pub deferrable: bool,
}

/// One transaction. Dropping it without [`Transaction::commit`] rolls it back and frees its locks.
#[derive(Debug)]
pub struct Transaction {}

impl Transaction {
    pub fn id(&self) -> TxnId {
        unreachable!("written with the transaction layer")
    }

    /// Whether an id has been used for a write or shown (txid_current_if_assigned).
    pub fn has_writes(&self) -> bool {
        unreachable!("written with the transaction layer")
    }

    pub fn options(&self) -> TransactionOptions {
        unreachable!("written with the transaction layer")
    }

    /// Takes the view for the next statement: the newest value at READ COMMITTED, the transaction's own otherwise; its own changes on top.
    /// To be called before each statement, and again before a statement is run anew after a wait.
    pub fn begin_statement(&mut self) -> Result<()> {
        unreachable!("written with the transaction layer")
    }

    /// Drops what `begin_statement` holds, so that the next write to the value is in place. Views given out stay valid.
    pub fn end_statement(&mut self) {
        unreachable!("written with the transaction layer")
    }

    /// The catalog as this statement sees it.
    pub fn catalog(&self) -> &Arc<Catalog> {
        unreachable!("written with the transaction layer")
    }

    /// A table's content as this statement sees it: an O(1) clone.
    pub fn table(&mut self, _table: TableId) -> Result<TableData> {
        unreachable!("written with the transaction layer")
    }

    /// Asks for the locks of the writes, checks uniqueness against the newest value, and applies them to the private view.
    pub fn stage(&mut self, _writes: &StatementWrites) -> Staged {
        unreachable!("written with the transaction layer")
    }

    /// Takes a lock for the rest of the transaction: Ok(None) when won at once.
    pub fn lock(&mut self, _tag: LockTag, _mode: LockMode) -> Result<Option<LockWait>> {
        unreachable!("written with the transaction layer")
    }

    /// Changes definitions. The closure edits a private catalog and the private tables (new tables, indexes, rewritten rows).
    pub fn change_schema<T>(&mut self, _change: impl FnOnce(&mut SchemaChange<'_>) -> Result<T>) -> Result<T> {
        unreachable!("written with the transaction layer")
    }

    /// Starts a savepoint; O(1).
    pub fn savepoint(&mut self) -> Savepoint {
        unreachable!("written with the transaction layer")
    }

    /// Undoes everything since the savepoint, which stays.
    pub fn rollback_to(&mut self, _savepoint: Savepoint) {
        unreachable!("written with the transaction layer")
    }

    /// Forgets the savepoint and those after it; their changes stay.
    pub fn release(&mut self, _savepoint: Savepoint) {
        unreachable!("written with the transaction layer")
    }

    /// Certifies and publishes. Errors: 40001, 23505 found only now; the transaction is then rolled back.
    pub fn commit(self) -> Result<crate::CommitSeq> {
        unreachable!("written with the transaction layer")
    }
}

/// The private definitions and tables a schema change edits.
pub struct SchemaChange<'a> {
    pub catalog: &'a mut Catalog,
    transaction: std::marker::PhantomData<&'a mut ()>,
}

impl SchemaChange<'_> {
    /// A new table id, unique in the store.
    pub fn allocate_table(&mut self) -> TableId {
        unreachable!("written with the transaction layer")
    }

    /// Puts a table's content: a new table, or an altered one in place of the old.
    pub fn put_table(&mut self, _id: TableId, _data: TableData) {
        unreachable!("written with the transaction layer")
    }

    /// The table's content with this transaction's changes.
    pub fn table(&mut self, _id: TableId) -> Result<TableData> {
        unreachable!("written with the transaction layer")
    }

    pub fn remove_table(&mut self, _id: TableId) {
        unreachable!("written with the transaction layer")
    }
}

/// Names a savepoint of a transaction by its depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Savepoint(pub usize);
