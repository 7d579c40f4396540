//! Commit: certify, then publish in place.
//!
//! In the critical section everything that can be refused is checked before anything is changed. Then each table either takes over the
//! transaction's private content, when nobody else changed the table since it was made, or has the changes applied to it in place: with
//! the transaction's views gone, nobody shares what is written, unless some other snapshot still lives.

use std::sync::Arc;

use catalog::Catalog;
use storage::{ChangeSet, IndexShape, RowId, TableChanges, TableData, TableId, TxnId};
use types::{Result, SqlState};

use super::{
    IsolationLevel, Transaction,
    private::{ChangedTable, PrivateTable, PrivateTables, concurrent_change},
    unique::{is_constrained, may_fail},
};
use crate::{
    ChangeCount, CommitSeq, LockMode, LockWait,
    change_count::{CountedTables, is_temporary},
    commit_log::LogEntry,
    lock::Tag,
    serializable::{Certified, ChangedKeys},
    state::TableVersion,
    store::Published,
};

/// From this many changed rows on, they are applied to a private copy before the critical section and not within it.
const LARGE_CHANGE: usize = 2048;

/// What is dropped only after the store's lock is free: it may be large.
#[derive(Default)]
struct Garbage {
    tables: Vec<TableData>,
    versions: Vec<Arc<TableVersion>>,
    catalogs: Vec<Arc<Catalog>>,
}

impl Transaction {
    /// What a commit may have to wait for: at SERIALIZABLE, whose writes take no locks before, those of all changed rows and keys, in an
    /// order that is the same for all. To be called, and awaited, until it gives None; a commit without it fails where it would wait.
    ///
    /// Errors: 40P01.
    pub fn prepare_commit(&mut self) -> Result<Option<LockWait>> {
        if self.options.isolation != IsolationLevel::Serializable {
            return Ok(None);
        }
        for (tag, mode) in self.commit_locks()? {
            if let Err(wait) = self.locks.lock(tag, mode)? {
                return Ok(Some(wait));
            }
        }
        Ok(None)
    }

    /// The rows and unique keys that this transaction changes, in order.
    fn commit_locks(&self) -> Result<Vec<(Tag, LockMode)>> {
        let mut locks = Vec::new();
        for layer in &self.layers {
            for (&table, changes) in &layer.tables {
                let Some(PrivateTable::Changed(private)) = self.private.get(&table) else { continue };
                let unique = || private.version.data.indexes.iter().map(|(shape, _)| shape).filter(|shape| shape.unique);
                for (row, change) in changes.iter() {
                    if change.before.is_some() {
                        locks.push((Tag::row(table, row), LockMode::Update));
                    }
                    for shape in unique() {
                        for values in [&change.before, &change.after].into_iter().flatten() {
                            if let Some((key, null)) = shape.key_of(values)?
                                && is_constrained(shape, null)
                            {
                                locks.push((Tag::key(shape.id, &key), LockMode::Update));
                            }
                        }
                    }
                }
            }
        }
        locks.sort_unstable();
        locks.dedup();
        Ok(locks)
    }

    /// Certifies and publishes. Errors: 40001, 23505 found only now; the transaction is then rolled back.
    pub fn commit(mut self) -> Result<CommitSeq> {
        self.locks.settle();
        self.savepoints.clear();
        if !self.has_writes() {
            return self.commit_reader();
        }
        if self.options.isolation == IsolationLevel::Serializable {
            for (tag, mode) in self.commit_locks()? {
                if self.locks.try_lock(tag, mode) == crate::lock::Asked::Conflict {
                    return Err(concurrent_change("update"));
                }
            }
        }
        let mut changes = std::mem::take(&mut self.layers).into_iter().reduce(|mut earlier, later| {
            earlier.merge(later);
            earlier
        });
        let mut changes = changes.take().unwrap_or_default();
        let counted = CountedTables::of(&changes);
        changes.tables.retain(|table, changes| {
            !changes.is_empty() && !matches!(self.private.get(table), Some(PrivateTable::Whole(_) | PrivateTable::Removed))
        });
        let mut garbage = Garbage::default();
        self.prepare_content(&changes, &mut garbage)?;
        let seq = self.publish(changes, &counted, &mut garbage)?;
        // The store's lock is free again; what this transaction kept goes now, its locks last.
        drop(garbage);
        Ok(seq)
    }

    /// Ends a transaction that changed nothing. A SERIALIZABLE one may still have read what no serial order explains.
    fn commit_reader(&mut self) -> Result<CommitSeq> {
        if let Some(from) = self.restored_from {
            self.store.mark_saved(from);
        }
        if let (Some(reads), Some(_)) = (self.reads.take(), &self.view) {
            let mut published = self.store.published.write();
            self.log_reader = None;
            let certified = self.certify(&published, &reads, &[])?;
            let (at, oldest) = (published.state.seq, self.store.log_readers.oldest());
            published.readers.push(at, certified, oldest);
        }
        Ok(self.view_seq)
    }

    /// Before the critical section: applies large changes to private content, and lets go of private content that will not be used, so
    /// that it shares nothing with the published one.
    fn prepare_content(&mut self, changes: &ChangeSet, garbage: &mut Garbage) -> Result<()> {
        if self.options.isolation != IsolationLevel::Serializable {
            self.view = None;
        }
        if changes.is_empty() {
            return Ok(());
        }
        for (&table, own) in &changes.tables {
            let private = self.private.get(&table).cloned();
            let is_large = own.len() >= LARGE_CHANGE;
            let newest = self.store.published.read().state.tables.get(&table).cloned();
            let Some(newest) = newest else { continue };
            match private {
                Some(PrivateTable::Changed(private)) if private.base_changed == newest.changed => {}
                Some(PrivateTable::Changed(private)) if !is_large => {
                    self.private.remove(&table);
                    garbage.versions.push(private.version);
                }
                Some(PrivateTable::Whole(_) | PrivateTable::Removed) => {}
                Some(PrivateTable::Changed(_)) | None if is_large => {
                    let point = self.log_reader.is_none().then(|| self.store.log_readers.register(self.store.seq()));
                    self.log_reader = self.log_reader.take().or(point);
                    let (seq, newest) = {
                        let published = self.store.published.read();
                        (published.state.seq, published.state.tables.get(&table).cloned())
                    };
                    let Some(newest) = newest else { continue };
                    let mut version = TableVersion::clone(&newest);
                    version.data.apply(own, self.id)?;
                    let (version, base_changed) = (Arc::new(version), newest.changed);
                    self.private.insert(table, PrivateTable::Changed(ChangedTable { version, base_changed, base_seq: seq }));
                }
                Some(PrivateTable::Changed(_)) | None => {}
            }
        }
        Ok(())
    }

    /// The critical section.
    fn publish(&mut self, changes: ChangeSet, counted: &CountedTables, garbage: &mut Garbage) -> Result<CommitSeq> {
        let store = Arc::clone(&self.store);
        let mut guard = store.published.write();
        let published = &mut *guard;
        check_shapes(published, &changes, &self.private, self.view_seq)?;
        let certified = self.certify_changes(published, &changes)?;
        let catalog = match &mut self.schema {
            Some(delta) => Some(delta.refresh(&published.state.catalog)?),
            None => None,
        };
        let private = std::mem::take(&mut self.private);
        let ready = apply_fallible(published, &changes, &private, self.id)?;
        let mut count = count_changes(published, counted, &private, catalog.as_deref());

        // From here on nothing fails.
        let seq = CommitSeq(published.state.seq.0 + 1);
        for (&table, own) in &changes.tables {
            let whole = ready.iter().find(|(id, _)| *id == table).map(|(_, data)| data.clone());
            publish_rows(
                published,
                table,
                own,
                whole.or_else(|| usable_content(published, &private, table, own)),
                seq,
                self.id,
                garbage,
            );
        }
        let reshaped = publish_whole(published, &private, catalog.as_deref(), seq, garbage);
        if let Some(catalog) = catalog {
            if catalog.lasting_version() != published.state.catalog.lasting_version() {
                count.add_definition();
            }
            garbage.catalogs.push(std::mem::replace(&mut published.state.catalog, catalog));
            let catalog = &published.state.catalog;
            store.sequences.retain(|sequence| catalog.relation(sequence).is_some());
        }
        for (&sequence, counter) in &self.sequences {
            store.sequences.put(sequence, Arc::clone(counter));
        }
        published.state.seq = seq;
        published.state.changes.add(count);
        if let Some(mut from) = self.restored_from {
            from.add(count);
            store.mark_saved(from);
        }
        self.log_reader = None;
        let oldest = store.log_readers.oldest();
        match oldest {
            Some(oldest) => {
                let bytes = 256 + counted.bytes();
                let shared_rows = std::mem::take(&mut self.shared_rows);
                published.log.append(LogEntry {
                    seq,
                    transaction: self.id,
                    changes,
                    reshaped,
                    shared_rows,
                    keys: ChangedKeys::default(),
                    certified,
                    bytes,
                });
                published.log.trim(oldest);
            }
            None => published.log.skip(seq),
        }
        published.readers.trim(oldest);
        drop(guard);
        // Kept alive until here, so that nothing large was freed under the lock.
        drop(private);
        Ok(seq)
    }

    /// At SERIALIZABLE: first committer wins on rows and keys, and no dangerous structure comes into being.
    fn certify_changes(&mut self, published: &Published, changes: &ChangeSet) -> Result<Option<Certified>> {
        let (Some(reads), Some(view)) = (self.reads.take(), &self.view) else { return Ok(None) };
        for (&table, own) in &changes.tables {
            let (Some(newest), Some(seen)) = (published.state.tables.get(&table), view.tables.get(&table)) else {
                return Err(concurrent_change("update"));
            };
            if newest.changed <= self.view_seq {
                continue;
            }
            let unique: Vec<&Arc<IndexShape>> =
                newest.data.indexes.iter().map(|(shape, _)| shape).filter(|shape| shape.unique).collect();
            for (row, change) in own.iter() {
                if change.before.is_some() {
                    match newest.rows.writer(row) {
                        None => return Err(concurrent_change("delete")),
                        writer if writer != seen.rows.writer(row) => return Err(concurrent_change("update")),
                        Some(_) => {}
                    }
                }
                let Some(after) = &change.after else { continue };
                for shape in &unique {
                    let Some((key, null)) = shape.key_of(after)? else { continue };
                    let owner = newest.data.index(shape.id).and_then(|tree| tree.get(&key));
                    // A row changed by this transaction itself has left the key, or its own view would have refused.
                    let is_others = |owner: RowId| owner != row && !own.rows.contains_key(&owner);
                    if is_constrained(shape, null) && owner.is_some_and(is_others) {
                        return Err(concurrent_change("update"));
                    }
                }
            }
        }
        self.check_shared_rows(published, changes)?;
        let certified = self.certify(published, &reads, &[changes])?;
        if let Some(third) = certified.first_out {
            self.store.readers_in_progress.refuse_pivot(third, changes, &published.state.tables)?;
        }
        Ok(Some(certified))
    }

    /// Refuses to delete or re-key a row that became somebody's foreign-key parent since the snapshot.
    fn check_shared_rows(&self, published: &Published, changes: &ChangeSet) -> Result<()> {
        let Some(since) = published.log.since(self.view_seq) else { return Err(concurrent_change("update")) };
        for (table, row) in since.flat_map(|entry| &entry.shared_rows) {
            let change = changes.tables.get(table).and_then(|own| own.get(*row));
            let Some(change) = change else { continue };
            let data = published.state.table(*table);
            let keeps_key = match (&change.before, &change.after, data) {
                (Some(before), Some(after), Some(data)) => !super::stage::changes_key(data, before, after)?,
                _ => false,
            };
            if !keeps_key {
                return Err(concurrent_change("update"));
            }
        }
        Ok(())
    }
}

/// What a commit adds to the count of changes: the changes of rows, all rows of tables that come as a whole or go, but nothing of
/// temporary tables.
fn count_changes(
    published: &Published,
    counted: &CountedTables,
    private: &PrivateTables,
    catalog: Option<&Catalog>,
) -> ChangeCount {
    let mut count = ChangeCount::default();
    for (table, changes) in counted.iter() {
        // Those of tables that are new are among the rows that come as a whole.
        if published.state.tables.get(&table).is_some_and(|newest| !newest.temporary) {
            count.add(changes);
        }
    }
    for (&table, private) in private {
        let newest = published.state.tables.get(&table);
        match private {
            PrivateTable::Removed => {
                let rows = newest.filter(|newest| !newest.temporary).map_or(0, |newest| newest.rows.len());
                count.add(ChangeCount { rows: rows as u64, bytes: 0 });
            }
            PrivateTable::Whole(whole) if newest.is_none() && !catalog.is_some_and(|catalog| is_temporary(catalog, table)) => {
                let rows = &whole.version.rows;
                count.add(ChangeCount { rows: rows.len() as u64, bytes: rows.heap_size() as u64 });
            }
            _ => {}
        }
    }
    count
}

/// Refuses what no longer fits: rows for a table that others replaced, replacements of a table that others changed.
fn check_shapes(published: &Published, changes: &ChangeSet, private: &PrivateTables, view_seq: CommitSeq) -> Result<()> {
    for table in changes.tables.keys() {
        if published.state.tables.get(table).is_none_or(|newest| newest.reshaped > view_seq) {
            return Err(concurrent_change("update"));
        }
    }
    for (table, private) in private {
        if let PrivateTable::Whole(whole) = private
            && published.state.tables.get(table).map(|newest| newest.changed) != whole.replaces
        {
            return Err(types::Error::new(
                SqlState::T_R_SERIALIZATION_FAILURE,
                "could not serialize access due to concurrent update",
            ));
        }
    }
    Ok(())
}

/// Applies the changes of tables with index keys whose computation could fail to clones.
fn apply_fallible(
    published: &Published,
    changes: &ChangeSet,
    private: &PrivateTables,
    writer: TxnId,
) -> Result<Vec<(TableId, TableData)>> {
    let mut ready = Vec::new();
    for (&table, own) in &changes.tables {
        let Some(newest) = published.state.tables.get(&table) else { continue };
        let is_computed = newest.data.indexes.iter().any(|(shape, _)| may_fail(&newest.data, shape));
        if is_computed && usable_content(published, private, table, own).is_none() {
            let mut data = newest.data.clone();
            data.apply(own, writer)?;
            ready.push((table, data));
        }
    }
    Ok(ready)
}

/// The private content of a table, brought up to date, when that is less work than applying the own changes.
fn usable_content(published: &Published, private: &PrivateTables, table: TableId, own: &TableChanges) -> Option<TableData> {
    let Some(PrivateTable::Changed(private)) = private.get(&table) else { return None };
    let newest = published.state.tables.get(&table)?;
    if private.base_changed == newest.changed {
        return Some(private.version.data.clone());
    }
    let others: Vec<&Arc<LogEntry>> =
        published.log.since(private.base_seq)?.filter(|entry| entry.changes.tables.contains_key(&table)).collect();
    let rows: usize = others.iter().map(|entry| entry.changes.tables[&table].len()).sum();
    if rows >= own.len() {
        return None;
    }
    let mut data = private.version.data.clone();
    for entry in others {
        data.apply(&entry.changes.tables[&table], entry.transaction).ok()?;
    }
    Some(data)
}

/// Puts row changes into the published table: ready content as it is, or the changes in place.
fn publish_rows(
    published: &mut Published,
    table: TableId,
    own: &TableChanges,
    content: Option<TableData>,
    seq: CommitSeq,
    writer: TxnId,
    garbage: &mut Garbage,
) {
    let Some(newest) = published.state.tables.get_mut(&table) else { return };
    let newest = Arc::make_mut(newest);
    match content {
        Some(content) => garbage.tables.push(std::mem::replace(&mut newest.data, content)),
        None => newest.data.apply(own, writer).expect("keys of plain attributes were computed when the rows were staged"),
    }
    newest.changed = seq;
}

/// Publishes what the transaction's DDL made: new, replaced and dropped tables.
fn publish_whole(
    published: &mut Published,
    private: &PrivateTables,
    catalog: Option<&Catalog>,
    seq: CommitSeq,
    garbage: &mut Garbage,
) -> Vec<TableId> {
    let mut reshaped = Vec::new();
    if private.is_empty() {
        return reshaped;
    }
    for (&table, private) in private {
        match private {
            PrivateTable::Changed(_) => continue,
            PrivateTable::Removed => garbage.versions.extend(published.state.tables.remove(&table)),
            PrivateTable::Whole(whole) => {
                let temporary = whole.version.temporary
                    || catalog.is_some_and(|catalog| whole.replaces.is_none() && is_temporary(catalog, table));
                let version = TableVersion { changed: seq, reshaped: seq, temporary, ..TableVersion::clone(&whole.version) };
                garbage.versions.extend(published.state.tables.insert(table, Arc::new(version)));
            }
        }
        reshaped.push(table);
    }
    reshaped
}
