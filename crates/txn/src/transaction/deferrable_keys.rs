//! Unique keys of deferrable constraints: two rows may have one for a while, and are counted when the statement or the transaction ends.
//!
//! Staging locks such keys like any others, so that nobody else gains or loses one meanwhile, and notes those that somebody may have
//! already. Of two rows that share a key in the end, the later one was noted when it gained it; so nothing else needs to be counted.

use std::sync::Arc;

use storage::{IndexId, IndexShape, RowId, TableData, TableId};
use types::Result;

use super::{IsolationLevel, Transaction, private::PrivateTable};
use crate::lock::Asked;

/// A key that more than one row may have.
#[derive(Clone, Debug)]
struct SharedKey {
    table: TableId,
    index: IndexId,
    key: Box<[u8]>,
}

/// The keys to be counted.
#[derive(Debug, Default)]
pub(super) struct DeferrableKeys {
    /// Noted by the current statement.
    noted: Vec<SharedKey>,
    /// To be counted at the end of the transaction. What a savepoint undoes stays: to count it harms nobody.
    deferred: Vec<SharedKey>,
}

impl DeferrableKeys {
    pub(super) fn note(&mut self, table: TableId, shape: &IndexShape, key: &[u8]) {
        self.noted.push(SharedKey { table, index: shape.id, key: key.into() });
    }
}

impl Transaction {
    /// Notes a key that a row gains, just locked, unless nobody can have it. A key that was not locked before was not touched by this
    /// transaction, so that the newest content tells.
    pub(super) fn note_deferrable_key(&mut self, table: TableId, shape: &IndexShape, row: RowId, asked: Asked, key: &[u8]) {
        let is_taken = || {
            let published = self.store.published.read();
            let owner = published.state.tables.get(&table).and_then(|newest| newest.data.index(shape.id)?.get(key));
            owner.is_some_and(|owner| owner != row)
        };
        if asked == Asked::Held || is_taken() {
            self.deferrable_keys.note(table, shape, key);
        }
    }

    /// Ends a statement's part: keys of constraints that are deferred now are put off, the others are counted.
    ///
    /// Errors: 23505.
    pub fn check_statement_keys(&mut self, is_deferred: impl Fn(IndexId) -> bool) -> Result<()> {
        for shared in std::mem::take(&mut self.deferrable_keys.noted) {
            if is_deferred(shared.index) {
                self.deferrable_keys.deferred.push(shared);
            } else {
                self.count_rows_with(&shared)?;
            }
        }
        Ok(())
    }

    /// Whether the current statement has noted any.
    pub fn has_statement_keys(&self) -> bool {
        !self.deferrable_keys.noted.is_empty()
    }

    /// Whether any are put off.
    pub fn has_deferred_keys(&self) -> bool {
        !self.deferrable_keys.deferred.is_empty()
    }

    /// Counts those put off whose constraints are not deferred any more. They stay noted, for a savepoint may bring their rows back.
    ///
    /// Errors: 23505.
    pub fn check_deferred_keys(&mut self, is_deferred: impl Fn(IndexId) -> bool) -> Result<()> {
        let due: Vec<SharedKey> =
            self.deferrable_keys.deferred.iter().filter(|shared| !is_deferred(shared.index)).cloned().collect();
        due.iter().try_for_each(|shared| self.count_rows_with(shared))
    }

    /// 23505 when more than one row has the key. A table or index that is gone asks for nothing.
    fn count_rows_with(&mut self, shared: &SharedKey) -> Result<()> {
        let table = shared.table;
        let sees_all = match self.private.get(&table) {
            Some(PrivateTable::Removed) => return Ok(()),
            Some(PrivateTable::Whole(_)) => true,
            // At SERIALIZABLE commit compares with what others did.
            _ => self.options.isolation == IsolationLevel::Serializable,
        };
        if !sees_all && !self.store.published.read().state.tables.contains_key(&table) {
            return Ok(());
        }
        let own = if sees_all { self.visible_version(table)? } else { self.own_version(table)? };
        let Some((shape, _)) = own.data.indexes.iter().find(|(shape, _)| shape.id == shared.index) else { return Ok(()) };
        let mut rows = rows_with(&own.data, shared);
        if !sees_all {
            rows.retain(|&row| self.has_changed(table, row));
            let published = self.store.published.read();
            if let Some(newest) = published.state.tables.get(&table) {
                rows.extend(rows_with(&newest.data, shared).into_iter().filter(|&row| !self.has_changed(table, row)));
            }
        }
        match rows.as_slice() {
            [] | [_] => Ok(()),
            // Of the rows with the key at least one is this transaction's own.
            rows => match rows.iter().find_map(|&row| own.data.rows.get(row)) {
                Some(values) => Err(self.duplicate_key(&Arc::clone(shape), &values)),
                None => Ok(()),
            },
        }
    }
}

fn rows_with(data: &TableData, shared: &SharedKey) -> Vec<RowId> {
    use std::ops::Bound::Included;
    let Some(tree) = data.index(shared.index) else { return Vec::new() };
    tree.range(Included(&shared.key), Included(&shared.key), false).collect()
}
