//! One transaction: a snapshot, its own changes, its locks and savepoints.

mod claimed_keys;
mod commit;
mod deferrable_keys;
mod private;
mod recheck;
mod safe_snapshot;
mod savepoint;
mod schema_change;
mod sequences;
mod stage;
mod statement_keys;
#[cfg(test)]
mod tests;
mod unique;

use std::sync::Arc;

use catalog::Catalog;
use storage::{ChangeSet, RowId, TableData, TableId, TxnId};
use types::{Error, Result};

use self::{
    deferrable_keys::DeferrableKeys,
    private::PrivateTables,
    safe_snapshot::{ListedReader, SerializableWriter},
    savepoint::SavedState,
    schema_change::SchemaDelta,
    sequences::PrivateSequences,
};
pub use self::{savepoint::Savepoint, schema_change::SchemaChange, unique::KeyText};
use crate::{
    ChangeCount, CommitSeq, DatabaseState, LockMode, LockTag, LockWait, Store,
    commit_log::LogReader,
    lock::{Asked, HeldLocks, Tag},
    planted_faults::PlantedFault,
    serializable::{Certified, ReadPredicate, Reads, certify},
    store::Published,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsolationLevel {
    ReadUncommitted,
    #[default]
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl IsolationLevel {
    /// Whether each statement sees what was committed before it, as opposed to one view for the whole transaction.
    pub fn refreshes(self) -> bool {
        matches!(self, IsolationLevel::ReadUncommitted | IsolationLevel::ReadCommitted)
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct TransactionOptions {
    pub isolation: IsolationLevel,
    pub read_only: bool,
    pub deferrable: bool,
}

/// One transaction. Dropping it without [`Transaction::commit`] rolls it back and frees its locks.
#[derive(Debug)]
pub struct Transaction {
    store: Arc<Store>,
    id: TxnId,
    options: TransactionOptions,
    locks: HeldLocks,
    /// The catalog as the current statement sees it, or the last one saw it.
    catalog: Arc<Catalog>,
    /// The value that statements read: taken for each at READ COMMITTED, kept at the levels above.
    view: Option<DatabaseState>,
    /// The number of the last view.
    view_seq: CommitSeq,
    /// How many locks were held when it was taken.
    locks_at_view: usize,
    /// Row changes, a layer for each savepoint after which something was written; later layers go on top.
    layers: Vec<ChangeSet>,
    /// Tables as this transaction sees them where that differs from the view; made when first read after a change.
    private: PrivateTables,
    schema: Option<SchemaDelta>,
    sequences: PrivateSequences,
    savepoints: Vec<SavedState>,
    /// Keeps the commits since the oldest private table, or since a SERIALIZABLE snapshot, in the log.
    log_reader: Option<LogReader>,
    reads: Option<Arc<Reads>>,
    /// Listed among the store's SERIALIZABLE transactions that may write, until its end.
    writer: Option<SerializableWriter>,
    /// Its reads are listed between statements, when it is READ ONLY.
    reader: Option<ListedReader>,
    /// Those that ran when a deferrable transaction took its snapshot, as far as it has not awaited their ends.
    awaited_writers: Vec<TxnId>,
    /// The rows that the current statement wants to change or lock, for [`Transaction::resume_statement`].
    targets: Vec<(TableId, RowId)>,
    /// Tables of the view into which rows newer than it were put.
    patched: Vec<TableId>,
    /// Rows locked to keep a foreign key's parent there.
    shared_rows: Vec<(TableId, RowId)>,
    /// Keys of deferrable unique constraints that more than one row may have now.
    deferrable_keys: DeferrableKeys,
    key_text: Option<Arc<dyn KeyText>>,
    /// A restore began when so much had changed; what this transaction changes is in a file.
    restored_from: Option<ChangeCount>,
}

impl Transaction {
    pub(crate) fn new(store: Arc<Store>, id: TxnId, options: TransactionOptions, locks: HeldLocks) -> Transaction {
        let catalog = store.catalog();
        Transaction {
            store,
            id,
            options,
            locks,
            catalog,
            view: None,
            view_seq: CommitSeq::default(),
            locks_at_view: 0,
            layers: Vec::new(),
            private: PrivateTables::default(),
            schema: None,
            sequences: PrivateSequences::default(),
            savepoints: Vec::new(),
            log_reader: None,
            reads: None,
            writer: None,
            reader: None,
            awaited_writers: Vec::new(),
            targets: Vec::new(),
            patched: Vec::new(),
            shared_rows: Vec::new(),
            deferrable_keys: DeferrableKeys::default(),
            key_text: None,
            restored_from: None,
        }
    }

    pub fn id(&self) -> TxnId {
        self.id
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Whether it has changed a row or a definition (txid_current_if_assigned).
    pub fn has_writes(&self) -> bool {
        self.schema.is_some()
            || !self.private.is_empty()
            || !self.sequences.is_empty()
            || self.layers.iter().any(|layer| !layer.is_empty())
    }

    pub fn options(&self) -> TransactionOptions {
        self.options
    }

    /// SET TRANSACTION. The isolation level may change only before the first statement.
    pub fn set_options(&mut self, options: TransactionOptions) {
        debug_assert!(options.isolation == self.options.isolation || self.layers.is_empty());
        if options.isolation != self.options.isolation {
            // A view that planning took is not the new level's.
            self.view = None;
            self.reads = None;
        }
        self.options = options;
    }

    /// How values of keys are printed in errors: as the session prints them.
    pub fn set_key_text(&mut self, key_text: Arc<dyn KeyText>) {
        self.key_text = Some(key_text);
    }

    /// Takes the view for the next statement: the newest value at READ COMMITTED, the transaction's own otherwise; its own changes on top.
    /// To be called before each statement, and again before a statement is run anew after a wait.
    ///
    /// Errors: those of merging others' changes of definitions with this transaction's.
    pub fn begin_statement(&mut self) -> Result<()> {
        let locks = self.locks.mark();
        if self.view.is_some() && !self.options.isolation.refreshes() {
            return Ok(());
        }
        self.locks_at_view = locks;
        self.forget_patches();
        // The old view goes first, so that its end does not fall into the lock.
        self.view = None;
        if self.options.isolation == IsolationLevel::Serializable {
            self.log_reader = Some(self.store.log_readers.register(self.store.seq()));
            self.reads = Some(Arc::default());
            if !self.options.read_only {
                self.locks.try_lock(Tag::from(&LockTag::Transaction(self.id)), LockMode::Exclusive);
                self.writer = Some(SerializableWriter::register(&self.store, self.id));
            } else {
                self.reader = Some(ListedReader::register(&self.store, self.id));
            }
        }
        let view = self.store.snapshot();
        self.catalog = match &mut self.schema {
            Some(delta) => delta.refresh(&view.catalog)?,
            None => Arc::clone(&view.catalog),
        };
        self.view_seq = view.seq;
        self.view = Some(view);
        Ok(())
    }

    /// Drops what `begin_statement` holds, so that the next write to the value is in place. Views given out stay valid. Best called after
    /// the statement's writes are staged: staging then tells changed rows by their writers and not by their values.
    pub fn end_statement(&mut self) {
        if self.options.isolation.refreshes() {
            self.view = None;
            self.forget_patches();
        }
    }

    /// Lets the running statement see the newest definitions, for a function that has waited for the lock on one.
    pub fn refresh_catalog(&mut self) {
        if self.schema.is_none() {
            self.catalog = self.store.catalog();
        }
    }

    /// Tables whose content this transaction makes, replaces or removes as a whole.
    pub fn replaced_tables(&self) -> Vec<TableId> {
        let is_whole = |table: &private::PrivateTable| !matches!(table, private::PrivateTable::Changed(_));
        self.private.iter().filter(|(_, private)| is_whole(private)).map(|(&table, _)| table).collect()
    }

    /// The catalog as this statement sees it.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The number of the last commit that this statement sees.
    pub fn view_seq(&self) -> CommitSeq {
        self.view_seq
    }

    /// A table's content as this statement sees it: an O(1) clone. At SERIALIZABLE it counts as read in whole; see
    /// [`Transaction::table_for`].
    pub fn table(&mut self, table: TableId) -> Result<TableData> {
        self.note_read(table, ReadPredicate::Table);
        self.visible(table)
    }

    /// The same for a statement whose plan reads only part of the table: certification then knows no more than that was read.
    pub fn table_for(&mut self, table: TableId, predicates: impl IntoIterator<Item = ReadPredicate>) -> Result<TableData> {
        predicates.into_iter().for_each(|predicate| self.note_read(table, predicate));
        self.visible(table)
    }

    /// Whether what is read must be noted: at SERIALIZABLE.
    pub fn notes_reads(&self) -> bool {
        self.reads.is_some()
    }

    /// Notes what a statement is about to read of a table that [`Transaction::table_for`] gave it.
    pub fn note_read(&mut self, table: TableId, predicate: ReadPredicate) {
        if let Some(reads) = &mut self.reads {
            if let Some(reader) = self.reader.as_ref().filter(|_| Arc::strong_count(reads) > 1) {
                reader.withdraw();
            }
            Arc::make_mut(reads).add(table, predicate);
        }
    }

    /// Refuses a SERIALIZABLE transaction whose commit would be refused already, so that it need not go on for nothing. To be called when
    /// a statement is done.
    ///
    /// Errors: 40001.
    pub fn check_dependencies(&self) -> Result<()> {
        let Some(reads) = &self.reads else { return Ok(()) };
        if let Some(reader) = &self.reader {
            reader.put(self.view_seq, reads);
        }
        let published = self.store.published.read();
        if published.state.seq == self.view_seq && published.readers.is_empty() {
            return Ok(());
        }
        let changes: Vec<&ChangeSet> = self.layers.iter().collect();
        self.certify(&published, reads, &changes).map(|_| ())
    }

    fn certify(&self, published: &Published, reads: &Arc<Reads>, changes: &[&ChangeSet]) -> Result<Certified> {
        if self.store.has_fault(PlantedFault::SkippedCertification) {
            return Ok(Certified::unread(self.view_seq));
        }
        certify(published, self.view_seq, reads, changes)
    }

    /// The newest committed content with the own changes on top, whatever the level: what foreign keys must be checked against.
    pub fn newest_table(&mut self, table: TableId) -> Result<TableData> {
        if let Some(private::PrivateTable::Whole(whole)) = self.private.get(&table) {
            return Ok(whole.version.data.clone());
        }
        let newest = self.store.published.read().state.tables.get(&table).cloned();
        let mut data = newest.ok_or_else(|| private::no_such_table(table))?.data.clone();
        for changes in self.changes_of(table) {
            data.apply(changes, self.id)?;
        }
        Ok(data)
    }

    /// How much had changed as of what this statement sees.
    pub fn change_count(&self) -> ChangeCount {
        self.view.as_ref().map_or_else(|| self.store.published.read().state.changes, |view| view.changes)
    }

    /// What this transaction changes comes from a dump, which it began to read at that count: once committed it is not dirty.
    pub fn note_restored(&mut self, from: ChangeCount) {
        self.restored_from = Some(from);
    }

    fn view(&self) -> Result<&DatabaseState> {
        self.view.as_ref().ok_or_else(|| Error::internal("a table is read outside a statement"))
    }

    /// Takes a lock for the rest of the transaction: Ok(None) when won at once. After a wait the lock is there.
    ///
    /// Errors: 40P01 when waiting for it would never end.
    pub fn lock(&mut self, tag: LockTag, mode: LockMode) -> Result<Option<LockWait>> {
        Ok(self.locks.lock(Tag::from(&tag), mode)?.err())
    }

    /// Takes a lock if it is free (NOWAIT, SKIP LOCKED, pg_try_advisory_xact_lock).
    pub fn try_lock(&mut self, tag: &LockTag, mode: LockMode) -> bool {
        self.locks.try_lock(Tag::from(tag), mode) != Asked::Conflict
    }

    /// Rolls the transaction back: dropping it does the same.
    pub fn rollback(self) {}

    /// Gives up everything - changes, locks, what was read - for a transaction of which only the end is still to come. Without
    /// savepoints a statement's error does this at once; with some it returns to the last one.
    pub fn fail(&mut self) {
        if let Some(last) = self.savepoints.len().checked_sub(1) {
            return self.rollback_to(Savepoint(last));
        }
        self.layers.clear();
        self.private = PrivateTables::default();
        self.schema = None;
        self.sequences = PrivateSequences::default();
        self.shared_rows.clear();
        self.deferrable_keys = DeferrableKeys::default();
        self.view = None;
        self.reads = None;
        self.log_reader = None;
        self.writer = None;
        self.reader = None;
        self.locks.release_to(0);
    }
}
