//! The transaction's handle: shared by the session, which drives it, and by the functions that a running statement calls
//! (nextval, SKIP LOCKED's attempts). Locked for the length of one call, never while a statement computes.

use std::sync::Arc;

use catalog::Catalog;
use parking_lot::Mutex;
use storage::{IndexId, TableData, TableId};
use txn::{
    ChangeCount, CommitSeq, LockMode, LockTag, LockWait, ReadPredicate, Savepoint, SchemaChange, SequenceValue, SessionSequences,
    Staged, StatementWrites, Transaction, TransactionOptions,
};
use types::{Error, Oid, Result, SqlState};

use super::transaction_control::isolation_named;

/// The session's transaction, if one is open.
#[derive(Clone, Default)]
pub(crate) struct SharedTransaction(Arc<Mutex<Option<Transaction>>>);

impl SharedTransaction {
    pub(crate) fn put(&self, transaction: Transaction) {
        *self.0.lock() = Some(transaction);
    }

    /// Takes the transaction out, to commit it or to drop it.
    pub(crate) fn take(&self) -> Option<Transaction> {
        self.0.lock().take()
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Transaction) -> T) -> T {
        use_it(self.0.lock().as_mut().expect("the session calls this only while a transaction is open"))
    }

    /// Like the others, for callers that may outlive the transaction.
    fn try_with<T>(&self, use_it: impl FnOnce(&mut Transaction) -> Result<T>) -> Result<T> {
        match self.0.lock().as_mut() {
            Some(transaction) => use_it(transaction),
            None => Err(Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, "the transaction of this statement has ended")),
        }
    }

    pub(crate) fn options(&self) -> TransactionOptions {
        self.with(|transaction| transaction.options())
    }

    pub(crate) fn set_options(&self, options: TransactionOptions) {
        self.with(|transaction| transaction.set_options(options));
    }

    pub(crate) fn refresh_catalog(&self) {
        self.with(Transaction::refresh_catalog);
    }

    /// set_config() of a transaction's characteristics, which comes within a query and so too late for most.
    ///
    /// Errors: 25001.
    pub(crate) fn set_within_query(&self, name: &str, value: &str) -> Result<()> {
        let late = |message: &str| Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
        let options = self.options();
        match name.to_ascii_lowercase().as_str() {
            "transaction_isolation" if isolation_named(value).is_some_and(|level| level != options.isolation) => {
                late("SET TRANSACTION ISOLATION LEVEL must be called before any query")
            }
            "transaction_read_only" => match crate::settings::parse_bool(value) {
                Some(false) if options.read_only => late("transaction read-write mode must be set before any query"),
                Some(true) => {
                    self.set_options(TransactionOptions { read_only: true, ..options });
                    Ok(())
                }
                _ => Ok(()),
            },
            "transaction_deferrable" => late("SET TRANSACTION [NOT] DEFERRABLE must be called before any query"),
            _ => Ok(()),
        }
    }

    pub(crate) fn begin_statement(&self) -> Result<()> {
        self.with(Transaction::begin_statement)
    }

    pub(crate) fn end_statement(&self) {
        self.with(Transaction::end_statement);
    }

    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.with(|transaction| transaction.catalog().clone())
    }

    /// The same for callers that may outlive the transaction.
    pub(crate) fn try_catalog(&self) -> Option<Arc<Catalog>> {
        self.0.lock().as_ref().map(|transaction| transaction.catalog().clone())
    }

    pub(crate) fn change_count(&self) -> ChangeCount {
        self.0.lock().as_ref().map_or_else(ChangeCount::default, Transaction::change_count)
    }

    pub(crate) fn note_restored(&self, from: ChangeCount) {
        if let Some(transaction) = self.0.lock().as_mut() {
            transaction.note_restored(from);
        }
    }

    pub(crate) fn table(&self, table: TableId) -> Result<TableData> {
        self.with(|transaction| transaction.table(table))
    }

    /// A table whose reading is noted as it is read.
    pub(crate) fn table_to_note(&self, table: TableId) -> Result<TableData> {
        self.with(|transaction| transaction.table_for(table, []))
    }

    pub(crate) fn notes_reads(&self) -> bool {
        self.0.lock().as_ref().is_some_and(Transaction::notes_reads)
    }

    pub(crate) fn note_read(&self, table: TableId, predicate: ReadPredicate) {
        if let Some(transaction) = self.0.lock().as_mut() {
            transaction.note_read(table, predicate);
        }
    }

    pub(crate) fn check_dependencies(&self) -> Result<()> {
        self.0.lock().as_ref().map_or(Ok(()), Transaction::check_dependencies)
    }

    pub(crate) fn prepare_snapshot(&self) -> Result<Option<LockWait>> {
        self.with(Transaction::prepare_snapshot)
    }

    pub(crate) fn resume_statement(&self) -> Result<()> {
        self.with(Transaction::resume_statement)
    }

    pub(crate) fn stage_resumable(&self, writes: &StatementWrites) -> Staged {
        self.with(|transaction| transaction.stage_resumable(writes))
    }

    pub(crate) fn newest_table(&self, table: TableId) -> Result<TableData> {
        self.with(|transaction| transaction.newest_table(table))
    }

    pub(crate) fn stage(&self, writes: &StatementWrites) -> Staged {
        self.with(|transaction| transaction.stage(writes))
    }

    pub(crate) fn has_statement_keys(&self) -> bool {
        self.with(|transaction| transaction.has_statement_keys())
    }

    pub(crate) fn has_deferred_keys(&self) -> bool {
        self.with(|transaction| transaction.has_deferred_keys())
    }

    pub(crate) fn check_statement_keys(&self, is_deferred: impl Fn(IndexId) -> bool) -> Result<()> {
        self.with(|transaction| transaction.check_statement_keys(is_deferred))
    }

    pub(crate) fn check_deferred_keys(&self, is_deferred: impl Fn(IndexId) -> bool) -> Result<()> {
        self.with(|transaction| transaction.check_deferred_keys(is_deferred))
    }

    pub(crate) fn lock(&self, tag: LockTag, mode: LockMode) -> Result<Option<LockWait>> {
        self.with(|transaction| transaction.lock(tag, mode))
    }

    /// Like [`SharedTransaction::lock`], for functions.
    pub(crate) fn try_to_lock(&self, tag: LockTag, mode: LockMode) -> Result<Option<LockWait>> {
        self.try_with(|transaction| transaction.lock(tag, mode))
    }

    pub(crate) fn try_lock(&self, tag: &LockTag, mode: LockMode) -> Result<bool> {
        self.try_with(|transaction| Ok(transaction.try_lock(tag, mode)))
    }

    /// See `txn::Transaction::change_schema`. The closure must not evaluate expressions that could come back here.
    pub(crate) fn change_schema<T>(&self, change: impl FnOnce(&mut SchemaChange<'_>) -> Result<T>) -> Result<T> {
        self.with(|transaction| transaction.change_schema(change))
    }

    pub(crate) fn savepoint(&self) -> Savepoint {
        self.with(Transaction::savepoint)
    }

    pub(crate) fn rollback_to(&self, savepoint: Savepoint) {
        self.with(|transaction| transaction.rollback_to(savepoint));
    }

    /// After an error: see `txn::Transaction::fail`.
    pub(crate) fn fail(&self) {
        self.with(Transaction::fail);
    }

    pub(crate) fn release(&self, savepoint: Savepoint) {
        self.with(|transaction| transaction.release(savepoint));
    }

    pub(crate) fn prepare_commit(&self) -> Result<Option<LockWait>> {
        self.with(Transaction::prepare_commit)
    }

    pub(crate) fn replaced_tables(&self) -> Vec<TableId> {
        self.with(|transaction| transaction.replaced_tables())
    }

    /// Publishes, and leaves no transaction behind either way.
    pub(crate) fn commit(&self) -> Result<CommitSeq> {
        let transaction = self.take().expect("only an open transaction is committed");
        transaction.commit()
    }

    pub(crate) fn next_value(&self, session: &mut SessionSequences, sequence: Oid) -> Result<i64> {
        self.try_with(|transaction| transaction.nextval(session, sequence))
    }

    pub(crate) fn set_value(&self, session: &mut SessionSequences, sequence: Oid, value: i64, is_called: bool) -> Result<i64> {
        self.try_with(|transaction| transaction.setval(session, sequence, value, is_called))
    }

    pub(crate) fn sequence_value(&self, sequence: Oid) -> Result<SequenceValue> {
        self.try_with(|transaction| transaction.sequence_value(sequence))
    }

    pub(crate) fn restart_sequence(&self, sequence: Oid, value: SequenceValue) {
        self.with(|transaction| transaction.restart_sequence(sequence, value));
    }

    /// The transaction's id and whether it has written; None outside of one.
    pub(crate) fn identity(&self) -> Option<(u64, bool)> {
        self.0.lock().as_ref().map(|transaction| (transaction.id().0, transaction.has_writes()))
    }
}
