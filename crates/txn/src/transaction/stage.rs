//! Staging: from what a statement computed to changes that the transaction owns.
//!
//! For each row in turn: its lock, whether it is still what the statement saw, the locks of its old and new unique keys, and whether the
//! new keys are free. Nothing is recorded before all rows have passed, so that a statement that must wait leaves only its locks behind.
//!
//! ```text
//! UPDATE t SET id = 2 WHERE id = 1        row 7: id 1 -> 2
//!   lock row 7 (Update: a key changes)    taken by another: Wait, then the statement runs again
//!   row 7 as the view had it?             no: Stale (READ COMMITTED) or 40001
//!   lock key 1 and key 2                  so that an insert of 1 waits for the end of this transaction
//!   is key 2 free?                        in the newest value, and among the own changes; no: 23505
//! ```

use std::sync::Arc;

use hashbrown::HashSet;
use storage::{Batch, IndexShape, InsertedRun, Row, RowChange, RowId, TableChanges, TableData, TableId};
use types::Result;

use super::{
    IsolationLevel, Transaction,
    claimed_keys::check_run_keys,
    private::{ChangedTable, PrivateTable, WholeTable, concurrent_change},
    statement_keys::StatementKeys,
    unique::{check_keys, is_constrained, keeps_key},
};
use crate::{
    LockMode, Staged, StatementWrites, TableWrites,
    lock::{Asked, Tag},
    state::TableVersion,
    write::Halt,
};

/// Fewer inserted rows are recorded one by one: searching many short runs would be slow.
const SHORTEST_RUN: usize = 64;

/// What one table's writes become.
struct StagedTable {
    table: TableId,
    changes: TableChanges,
    /// The private content with the changes, when staging made it.
    content: Option<TableData>,
}

impl Transaction {
    /// Asks for the locks of the writes, checks uniqueness against the newest value, and applies them to the private view. A statement
    /// that must wait lets its view go, so that it shares nothing with the published trees meanwhile, and will run again on a fresh one.
    pub fn stage(&mut self, writes: &StatementWrites) -> Staged {
        let staged = self.stage_resumable(writes);
        if !matches!(staged, Staged::Done) {
            self.end_statement();
        }
        staged
    }

    /// The same for a statement that keeps its view over the wait and then goes on with [`Transaction::resume_statement`].
    pub fn stage_resumable(&mut self, writes: &StatementWrites) -> Staged {
        let halt = match self.try_stage(writes) {
            Ok(()) => return Staged::Done,
            Err(halt) => halt,
        };
        if self.options.isolation.refreshes() {
            self.note_targets(writes);
        }
        match halt {
            Halt::Wait(wait) => Staged::Wait(wait),
            Halt::Stale => Staged::Stale,
            Halt::Failed(error) => Staged::Failed(error),
        }
    }

    fn try_stage(&mut self, writes: &StatementWrites) -> Result<(), Halt> {
        let mut shared_rows = Vec::new();
        for (tag, mode) in &writes.locks {
            let tag = Tag::from(tag);
            let asked = self.win(tag, *mode)?;
            if let Some((table, row)) = tag.as_row() {
                // A row that was locked when the view was taken is as the view has it.
                if asked == Asked::New || self.locks.was_won_after(self.locks_at_view, tag) {
                    self.check_current(table, row, None, *mode)?;
                }
                if matches!(mode, LockMode::KeyShare | LockMode::Share) {
                    shared_rows.push((table, row));
                }
            }
        }
        let mut staged = Vec::with_capacity(writes.tables.len());
        for table in &writes.tables {
            self.win(Tag::relation(table.relation), LockMode::RowExclusive)?;
            staged.push(self.stage_table(table)?);
        }
        for table in staged {
            self.record(table)?;
        }
        for table in &writes.tables {
            self.count_changes(table);
        }
        self.shared_rows.append(&mut shared_rows);
        Ok(self.check_dependencies()?)
    }

    fn stage_table(&mut self, writes: &TableWrites) -> Result<StagedTable, Halt> {
        let is_own = matches!(self.private.get(&writes.table), Some(PrivateTable::Whole(_)));
        if !is_own && self.reshaped_since(writes.table) {
            return Err(self.conflict("update"));
        }
        if is_own || self.options.isolation == IsolationLevel::Serializable {
            return self.stage_unlocked(writes);
        }
        let version = self.indexed_version(writes.table)?;
        let mut changes = TableChanges::default();
        let mut keys = StatementKeys::default();
        for (row, before, after) in &writes.updates {
            let mode = if changes_key(&version.data, before, after)? { LockMode::Update } else { LockMode::NoKeyUpdate };
            self.win(Tag::row(writes.table, *row), mode)?;
            self.check_current(writes.table, *row, Some(before), mode)?;
            check_keys(&version.data, after)?;
            self.claim_keys(&version, writes.table, *row, Some(before), Some(after), &changes, &mut keys)?;
            changes.record(*row, RowChange { before: Some(Arc::clone(before)), after: Some(Arc::clone(after)) });
        }
        for (row, before) in &writes.deletes {
            self.win(Tag::row(writes.table, *row), LockMode::Update)?;
            self.check_current(writes.table, *row, Some(before), LockMode::Update)?;
            self.claim_keys(&version, writes.table, *row, Some(before), None, &changes, &mut keys)?;
            changes.record(*row, RowChange { before: Some(Arc::clone(before)), after: None });
        }
        let claimed = self.claim_inserted(&version, writes)?;
        for rows in &writes.inserts {
            let count = rows.len;
            let first = version.allocate_rows(count);
            let run = (count >= SHORTEST_RUN).then(|| InsertedRun { first, rows: rows.clone() });
            if claimed && let Some(run) = run {
                check_run_keys(&version.data, rows)?;
                changes.inserted.push(run);
                continue;
            }
            keys.begin_run(run);
            for position in 0..count {
                let (row, values) = (RowId(first.0 + position as u64), row_of(rows, position));
                check_keys(&version.data, &values)?;
                if !claimed {
                    self.claim_keys(&version, writes.table, row, None, Some(&values), &changes, &mut keys)?;
                }
                if count < SHORTEST_RUN {
                    changes.rows.insert(row, RowChange { before: None, after: Some(values) });
                }
            }
            changes.inserted.extend(keys.end_run());
        }
        Ok(StagedTable { table: writes.table, changes, content: None })
    }

    /// Adds a statement's changes to its table's counters.
    fn count_changes(&self, writes: &TableWrites) {
        let count = |data: &TableData| {
            data.activity.inserted.add(writes.inserts.iter().map(|rows| rows.len).sum());
            data.activity.updated.add(writes.updates.len());
            data.activity.deleted.add(writes.deletes.len());
        };
        match (self.private.get(&writes.table), self.view.as_ref().and_then(|view| view.tables.get(&writes.table))) {
            (Some(PrivateTable::Whole(whole)), _) => count(&whole.version),
            (Some(PrivateTable::Changed(changed)), _) => count(&changed.version),
            (_, Some(seen)) => count(seen),
            _ => {
                if let Some(newest) = self.store.published.read().state.tables.get(&writes.table) {
                    count(newest);
                }
            }
        }
    }

    /// Adds what a statement changed to what the transaction changed.
    fn record(&mut self, staged: StagedTable) -> Result<()> {
        let StagedTable { table, changes, content } = staged;
        match (self.private.get_mut(&table), content) {
            (Some(PrivateTable::Whole(WholeTable { version, .. })), Some(data)) => {
                // Published as a whole: its single changes need not be known.
                Arc::make_mut(version).data = data;
                return Ok(());
            }
            (Some(PrivateTable::Changed(ChangedTable { version, .. })), Some(data)) => Arc::make_mut(version).data = data,
            (Some(PrivateTable::Changed(ChangedTable { version, .. })), None) => {
                Arc::make_mut(version).data.apply(&changes, self.id)?;
            }
            (_, Some(data)) => {
                let base = &self.view()?.tables[&table];
                let version = Arc::new(TableVersion { data, ..TableVersion::clone(base) });
                let changed = ChangedTable { version, base_changed: base.changed, base_seq: self.view_seq };
                self.private.insert(table, PrivateTable::Changed(changed));
            }
            (_, None) => {}
        }
        self.top_layer().table_mut(table).merge(changes);
        Ok(())
    }

    /// Wins a lock or stops.
    fn win(&mut self, tag: Tag, mode: LockMode) -> Result<Asked, Halt> {
        self.locks.lock(tag, mode)?.map_err(Halt::Wait)
    }

    /// What a change of a row by others since the view means at this level.
    pub(super) fn conflict(&self, what: &str) -> Halt {
        if self.options.isolation.refreshes() { Halt::Stale } else { Halt::Failed(concurrent_change(what)) }
    }

    /// The version whose indexes tell which keys a row has; its rows may be old.
    fn indexed_version(&self, table: TableId) -> Result<Arc<TableVersion>, Halt> {
        if let Some(PrivateTable::Changed(changed)) = self.private.get(&table) {
            return Ok(Arc::clone(&changed.version));
        }
        let version = match &self.view {
            Some(view) => view.tables.get(&table).cloned(),
            None => self.store.published.read().state.tables.get(&table).cloned(),
        };
        version.ok_or_else(|| self.conflict("update"))
    }

    fn reshaped_since(&self, table: TableId) -> bool {
        let published = self.store.published.read();
        published.state.tables.get(&table).is_none_or(|newest| newest.reshaped > self.view_seq)
    }

    /// Stops unless a row, just locked, is as the statement saw it. Whoever wants only its key to stay does not mind other changes.
    fn check_current(&self, table: TableId, row: RowId, before: Option<&Row>, mode: LockMode) -> Result<(), Halt> {
        let published = self.store.published.read();
        let Some(newest) = published.state.tables.get(&table) else {
            // Not published: this transaction made it.
            return Ok(());
        };
        if newest.changed <= self.view_seq || self.has_changed(table, row) {
            return Ok(());
        }
        let Some((chunk, slot)) = newest.rows.locate(row) else { return Err(self.conflict("delete")) };
        let seen = self.view.as_ref().and_then(|view| view.tables.get(&table));
        let unchanged = match (seen, before) {
            (Some(seen), _) => match seen.rows.writer(row) {
                Some(writer) if writer == chunk.writer(slot) => true,
                Some(_) if mode == LockMode::KeyShare => match (seen.rows.get(row), newest.rows.get(row)) {
                    (Some(old), Some(new)) => !changes_key(&newest.data, &old, &new)?,
                    _ => false,
                },
                _ => false,
            },
            (None, Some(before)) => {
                before.len() == chunk.columns().len()
                    && chunk.columns().iter().zip(before.iter()).all(|(column, value)| column.holds(slot, value))
            }
            (None, None) => false,
        };
        if unchanged { Ok(()) } else { Err(self.conflict("update")) }
    }

    /// Locks the unique keys that a row loses and gains, and makes sure that those gained are free.
    #[expect(clippy::too_many_arguments, reason = "one step of one loop, with the loop's state")]
    fn claim_keys(
        &mut self,
        version: &Arc<TableVersion>,
        table: TableId,
        row: RowId,
        before: Option<&Row>,
        after: Option<&Row>,
        earlier: &TableChanges,
        keys: &mut StatementKeys,
    ) -> Result<(), Halt> {
        for (shape, _) in version.data.indexes.iter().filter(|(shape, _)| shape.unique) {
            if let (Some(before), Some(after)) = (before, after)
                && keeps_key(shape, before, after)
            {
                continue;
            }
            keys.compute(shape, before, after)?;
            if keys.has_old == keys.has_new && keys.old == keys.new {
                continue;
            }
            if keys.has_old {
                self.win(Tag::key(shape.id, &keys.old), LockMode::Update)?;
            }
            if keys.has_new {
                let asked = self.win(Tag::key(shape.id, &keys.new), LockMode::Update)?;
                if asked == Asked::Held {
                    keys.remember_before(row, earlier, version)?;
                }
                if shape.deferrable {
                    self.note_deferrable_key(table, shape, row, asked, &keys.new);
                } else if self.key_is_taken(table, shape, row, asked, keys)? {
                    let after = after.expect("a new key is a new row's");
                    return Err(Halt::Failed(self.duplicate_key(shape, after)));
                }
            }
            keys.moved(shape.id, row);
        }
        Ok(())
    }

    /// Whether another row has the key that `row` is to get, which is locked. A key that was not locked before this was not touched by
    /// this transaction either.
    fn key_is_taken(
        &mut self,
        table: TableId,
        shape: &IndexShape,
        row: RowId,
        asked: Asked,
        keys: &StatementKeys,
    ) -> Result<bool, Halt> {
        let key = &keys.new;
        if asked == Asked::Held {
            if let Some(owner) = keys.owner(shape.id, key) {
                return Ok(owner.is_some_and(|owner| owner != row));
            }
            if self.changes_of(table).next().is_some() {
                let own = self.own_version(table)?;
                let owner = own.data.index(shape.id).and_then(|tree| tree.get(key));
                if owner.is_some_and(|owner| owner != row && self.has_changed(table, owner)) {
                    return Ok(true);
                }
            }
        }
        let owner = {
            let published = self.store.published.read();
            published.state.tables.get(&table).and_then(|newest| newest.data.index(shape.id)?.get(key))
        };
        match owner {
            Some(owner) if owner == row => Ok(false),
            Some(owner) if self.has_changed(table, owner) => self.own_row_has_key(table, owner, shape, key),
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }

    /// Whether a row that this transaction has changed has a key now.
    fn own_row_has_key(&self, table: TableId, row: RowId, shape: &IndexShape, key: &[u8]) -> Result<bool, Halt> {
        let newest_change =
            self.layers.iter().rev().filter_map(|layer| layer.tables.get(&table)).find_map(|changes| changes.get(row));
        let Some(after) = newest_change.and_then(|change| change.after) else { return Ok(false) };
        Ok(shape.key_of(&after)?.is_some_and(|(own, _)| own == key))
    }

    /// Stages without locks: into a table that only this transaction sees, or at SERIALIZABLE, where commit decides.
    fn stage_unlocked(&mut self, writes: &TableWrites) -> Result<StagedTable, Halt> {
        let version = self.visible_version(writes.table)?;
        let mut content = version.data.clone();
        let mut changes = TableChanges::default();
        for (row, before, after) in &writes.updates {
            self.check_current(writes.table, *row, Some(before), LockMode::NoKeyUpdate)?;
            self.check_free(writes.table, &content, *row, after)?;
            content.update(*row, self.id, after)?;
            changes.record(*row, RowChange { before: Some(Arc::clone(before)), after: Some(Arc::clone(after)) });
        }
        for (row, before) in &writes.deletes {
            self.check_current(writes.table, *row, Some(before), LockMode::Update)?;
            content.delete(*row)?;
            changes.record(*row, RowChange { before: Some(Arc::clone(before)), after: None });
        }
        for rows in &writes.inserts {
            let count = rows.len;
            let first = version.allocate_rows(count);
            if count < SHORTEST_RUN {
                for position in 0..count {
                    let (row, values) = (RowId(first.0 + position as u64), row_of(rows, position));
                    self.check_free(writes.table, &content, row, &values)?;
                    content.insert(row, self.id, &values)?;
                    changes.rows.insert(row, RowChange { before: None, after: Some(values) });
                }
            } else {
                self.check_run_free(writes.table, &content, rows)?;
                content.insert_batch(first, self.id, rows)?;
                changes.inserted.push(InsertedRun { first, rows: rows.clone() });
            }
        }
        Ok(StagedTable { table: writes.table, changes, content: Some(content) })
    }

    /// 23505 unless the row's unique keys are free in this content, or its own.
    fn check_free(&mut self, table: TableId, content: &TableData, row: RowId, values: &Row) -> Result<()> {
        let mut key = Vec::new();
        for (shape, tree) in content.indexes.iter().filter(|(shape, _)| shape.unique) {
            let Some(null) = shape.row_key(values, &mut key)? else { continue };
            if !is_constrained(shape, null) || tree.get(&key).is_none_or(|owner| owner == row) {
                continue;
            }
            if shape.deferrable {
                self.deferrable_keys.note(table, shape, &key);
            } else {
                return Err(self.duplicate_key(shape, values));
            }
        }
        Ok(())
    }

    /// The same for many new rows, which must differ among themselves too.
    fn check_run_free(&mut self, table: TableId, content: &TableData, rows: &Batch) -> Result<()> {
        for (shape, tree) in content.indexes.iter().filter(|(shape, _)| shape.unique) {
            let mut seen: HashSet<Vec<u8>> = HashSet::with_capacity(rows.len);
            let mut key = Vec::new();
            for position in 0..rows.len {
                let Some(null) = shape.column_key(&rows.columns, position, &mut key)? else { continue };
                if !is_constrained(shape, null) || (tree.get(&key).is_none() && seen.insert(key.clone())) {
                    continue;
                }
                if shape.deferrable {
                    self.deferrable_keys.note(table, shape, &key);
                } else {
                    return Err(self.duplicate_key(shape, &row_of(rows, position)));
                }
            }
        }
        Ok(())
    }
}

fn row_of(rows: &Batch, position: usize) -> Row {
    rows.columns.iter().map(|column| column.datum(position)).collect()
}

/// Whether an update changes a unique key, for which it needs the stronger row lock.
pub(super) fn changes_key(data: &TableData, before: &Row, after: &Row) -> Result<bool> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for (shape, _) in data.indexes.iter().filter(|(shape, _)| shape.unique && !keeps_key(shape, before, after)) {
        let (has_old, has_new) = (shape.row_key(before, &mut old)?, shape.row_key(after, &mut new)?);
        if has_old != has_new || old != new {
            return Ok(true);
        }
    }
    Ok(false)
}
