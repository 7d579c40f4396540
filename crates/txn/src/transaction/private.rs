//! Tables as one transaction sees them where its own changes are on top of the view.
//!
//! A private table is made when a statement first reads a table that its transaction has changed; an autocommitted statement never makes
//! one. At READ COMMITTED it is brought up to date by whichever is less work: the others' changes since it was made, applied to it, or
//! the transaction's own, applied to the newest content.

use std::sync::Arc;

use storage::{RowId, TableChanges, TableData, TableId, TxnId};
use types::{Error, Result, SqlState};

use super::Transaction;
use crate::{CommitSeq, DatabaseState, commit_log::LogEntry, planted_faults::PlantedFault, state::TableVersion};

/// Cloned by savepoints in O(1).
pub(super) type PrivateTables =
    imbl::GenericHashMap<TableId, PrivateTable, foldhash::fast::FixedState, imbl::shared_ptr::DefaultSharedPtr>;

#[derive(Clone, Debug)]
pub(super) enum PrivateTable {
    /// The view's table with this transaction's row changes.
    Changed(ChangedTable),
    /// Content that this transaction's DDL made: commit publishes it as a whole.
    Whole(WholeTable),
    /// Dropped by this transaction.
    Removed,
}

#[derive(Clone, Debug)]
pub(super) struct ChangedTable {
    pub(super) version: Arc<TableVersion>,
    /// When the content beneath the own changes was last changed, ...
    pub(super) base_changed: CommitSeq,
    /// ... and the view it was taken from.
    pub(super) base_seq: CommitSeq,
}

#[derive(Clone, Debug)]
pub(super) struct WholeTable {
    pub(super) version: Arc<TableVersion>,
    /// When the content that it replaces was last changed; None for a table that is new.
    pub(super) replaces: Option<CommitSeq>,
}

impl Transaction {
    /// A table as the statement sees it.
    pub(super) fn visible(&mut self, table: TableId) -> Result<TableData> {
        self.visible_version(table).map(|version| version.data.clone())
    }

    /// The same with its counters.
    pub(super) fn visible_version(&mut self, table: TableId) -> Result<Arc<TableVersion>> {
        match self.private.get(&table) {
            Some(PrivateTable::Whole(whole)) => return Ok(Arc::clone(&whole.version)),
            Some(PrivateTable::Removed) => return Err(no_such_table(table)),
            Some(PrivateTable::Changed(changed)) => {
                let view = self.view()?;
                let newest = view.tables.get(&table).ok_or_else(|| concurrent_change("update"))?;
                if newest.changed == changed.base_changed {
                    return Ok(Arc::clone(&changed.version));
                }
            }
            None if self.changes_of(table).next().is_none() => {
                let version = self.view()?.tables.get(&table);
                return version.cloned().ok_or_else(|| no_such_table(table));
            }
            None => {}
        }
        self.make_private(table)
    }

    /// This transaction's changes of a table, layer by layer.
    pub(super) fn changes_of(&self, table: TableId) -> impl Iterator<Item = &TableChanges> {
        self.layers.iter().filter_map(move |layer| layer.tables.get(&table)).filter(|changes| !changes.is_empty())
    }

    /// Whether this transaction has changed a row of a table that it shares with others.
    pub(super) fn has_changed(&self, table: TableId, row: RowId) -> bool {
        self.changes_of(table).any(|changes| changes.rows.contains_key(&row) || changes.in_run(row))
    }

    /// A private table whose own rows are as this transaction made them; those of others may be old.
    pub(super) fn own_version(&mut self, table: TableId) -> Result<Arc<TableVersion>> {
        match (self.private.get(&table), &self.view) {
            (Some(PrivateTable::Changed(changed)), _) => Ok(Arc::clone(&changed.version)),
            (_, Some(_)) => self.visible_version(table),
            (_, None) => {
                let newest = self.store.snapshot();
                self.put_own_changes_on(&newest, table)
            }
        }
    }

    /// Puts the own changes on top of the view's table.
    fn make_private(&mut self, table: TableId) -> Result<Arc<TableVersion>> {
        let view = self.view()?.clone();
        self.put_own_changes_on(&view, table)
    }

    fn put_own_changes_on(&mut self, view: &DatabaseState, table: TableId) -> Result<Arc<TableVersion>> {
        let seq = view.seq;
        let newest = Arc::clone(view.tables.get(&table).ok_or_else(|| concurrent_change("update"))?);
        if self.log_reader.is_none() && self.options.isolation.refreshes() {
            self.log_reader = Some(self.store.log_readers.register(seq));
        }
        let old = match self.private.remove(&table) {
            Some(PrivateTable::Changed(changed)) if newest.reshaped <= changed.base_seq => Some(changed),
            Some(PrivateTable::Changed(_)) => return Err(concurrent_change("update")),
            _ => None,
        };
        let caught_up = match old {
            Some(old) => self.catch_up(table, old, seq)?,
            None => None,
        };
        let version = match caught_up {
            Some(version) => version,
            None => {
                let mut version = TableVersion::clone(&newest);
                let is_lost = self.store.has_fault(PlantedFault::LostReapplication);
                for changes in self.changes_of(table).filter(|_| !is_lost) {
                    version.data.apply(changes, self.id)?;
                }
                Arc::new(version)
            }
        };
        let changed = ChangedTable { version: Arc::clone(&version), base_changed: newest.changed, base_seq: seq };
        self.private.insert(table, PrivateTable::Changed(changed));
        self.advance_log_reader();
        Ok(version)
    }

    /// Applies the others' changes up to `seq` to a private table, when that is less work than the own changes, and possible.
    fn catch_up(&self, table: TableId, mut old: ChangedTable, seq: CommitSeq) -> Result<Option<Arc<TableVersion>>> {
        let own: usize = self.changes_of(table).map(TableChanges::len).sum();
        let Some(entries) = self.others_changes(table, old.base_seq, seq, own) else { return Ok(None) };
        let version = Arc::make_mut(&mut old.version);
        for (writer, entry) in entries {
            version.data.apply(&entry.changes.tables[&table], writer)?;
        }
        Ok(Some(old.version))
    }

    /// The commits after `from` and up to `to` that changed rows of a table; None when they are forgotten or more than `limit` rows.
    fn others_changes(
        &self,
        table: TableId,
        from: CommitSeq,
        to: CommitSeq,
        limit: usize,
    ) -> Option<Vec<(TxnId, Arc<LogEntry>)>> {
        let published = self.store.published.read();
        let mut rows = 0;
        let mut entries = Vec::new();
        for entry in published.log.since(from)?.take_while(|entry| entry.seq <= to) {
            if entry.reshaped.contains(&table) {
                return None;
            }
            let Some(changes) = entry.changes.tables.get(&table) else { continue };
            rows += changes.len();
            if rows > limit {
                return None;
            }
            entries.push((entry.transaction, Arc::clone(entry)));
        }
        Some(entries)
    }

    /// Lets the log forget what no private table needs any more. A SERIALIZABLE transaction needs all since its snapshot.
    fn advance_log_reader(&mut self) {
        if !self.options.isolation.refreshes() {
            return;
        }
        let oldest = self.private.values().filter_map(|private| match private {
            PrivateTable::Changed(changed) => Some(changed.base_seq),
            _ => None,
        });
        if let (Some(reader), Some(oldest)) = (&mut self.log_reader, oldest.min()) {
            reader.advance(oldest);
        }
    }
}

/// 40001 for a row or table that somebody else changed since the snapshot.
pub(super) fn concurrent_change(what: &str) -> Error {
    Error::new(SqlState::T_R_SERIALIZATION_FAILURE, format!("could not serialize access due to concurrent {what}"))
}

pub(super) fn no_such_table(table: TableId) -> Error {
    Error::internal(format!("there is no storage {} in this view", table.0))
}
