//! Certification of SERIALIZABLE transactions: serializable snapshot isolation, decided at commit.
//!
//! Each SERIALIZABLE transaction notes what it read. When it commits it looks for read-write dependencies with those that ran at the same
//! time and committed before it: *out*, when it did not see what one of them wrote; *in*, when one of them did not see what it writes.
//! An execution that no serial order explains always holds a *dangerous structure* `T1 --rw--> T2 --rw--> T3` of transactions that ran at
//! the same time, where T3 committed first of the three (T1 and T3 may be one). Whoever of T1 and T2 commits last sees both edges and is
//! refused; a T1 that only reads matters only if T3 committed before T1's snapshot (Ports and Grittner, VLDB 2012).
//!
//! ```text
//! doctors on call: x and y, one must stay             T1 reads x, y; clears x        T2 reads x, y; clears y
//!   T1 commits first                                  no edges yet: fine
//!   T2 commits: it did not see T1's write of x        out: T2 --rw--> T1
//!               T1 did not see its write of y         in:  T1 --rw--> T2             T1 is T3 too: T2 is refused with 40001
//! ```

mod changed_keys;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    ops::Bound,
    sync::Arc,
};

use hashbrown::{HashMap, HashSet};
use storage::{ChangeSet, IndexId, Row, RowId, TableChanges, TableData, TableId, TxnId};
use types::{Error, Result, SqlState};

use crate::{CommitSeq, commit_log::LogEntry, state::Tables, store::Published, sync::Mutex};

pub(crate) use changed_keys::ChangedKeys;
use changed_keys::{TableKeys, is_within};

/// What a statement reads of a table, as narrowly as its plan knows.
#[derive(Clone, Debug)]
pub enum ReadPredicate {
    Table,
    Row(RowId),
    /// The keys of an index within bounds.
    Keys {
        index: IndexId,
        lower: Bound<Box<[u8]>>,
        upper: Bound<Box<[u8]>>,
    },
    /// The rows that a filter accepts, those that are not there yet among them.
    Matching(Arc<dyn RowFilter>),
}

/// A condition over single rows, the same whenever and by whomever it is asked: certification asks it of rows that others change.
pub trait RowFilter: fmt::Debug + Send + Sync {
    /// Whether a row, all attributes of its table, satisfies it. An error counts as yes.
    fn accepts(&self, row: &Row) -> Result<bool>;
}

/// A key's bytes.
type Key = Box<[u8]>;

/// All that one transaction has read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads {
    tables: HashMap<TableId, TableReads>,
}

#[derive(Clone, Debug, Default)]
struct TableReads {
    whole: bool,
    rows: HashSet<RowId>,
    keys: Vec<(IndexId, Bound<Key>, Bound<Key>)>,
    filters: Vec<Arc<dyn RowFilter>>,
}

/// More ranges, or filters, than this of one table are taken for the whole table.
const MAX_RANGES: usize = 1000;
const MAX_FILTERS: usize = 32;

impl Reads {
    pub(crate) fn add_table(&mut self, table: TableId) {
        *self.tables.entry(table).or_default() = TableReads { whole: true, ..TableReads::default() };
    }

    pub(crate) fn add(&mut self, table: TableId, predicate: ReadPredicate) {
        let reads = self.tables.entry(table).or_default();
        match predicate {
            _ if reads.whole => {}
            ReadPredicate::Table => self.add_table(table),
            ReadPredicate::Row(row) => {
                reads.rows.insert(row);
            }
            ReadPredicate::Keys { .. } if reads.keys.len() >= MAX_RANGES => self.add_table(table),
            ReadPredicate::Keys { index, lower, upper } => reads.keys.push((index, lower, upper)),
            ReadPredicate::Matching(_) if reads.filters.len() >= MAX_FILTERS => self.add_table(table),
            ReadPredicate::Matching(filter) => reads.filters.push(filter),
        }
    }

    /// Whether anything of a commit falls into what was read.
    fn miss_entry(&self, entry: &LogEntry, tables: &Tables) -> Result<bool> {
        let is_reshaped = entry.reshaped.iter().any(|table| self.tables.contains_key(table));
        Ok(is_reshaped || self.miss(&entry.changes, &entry.keys, tables)?)
    }

    /// Whether any of these changes falls into what was read. `tables` tells the keys of changed rows.
    fn miss(&self, all: &ChangeSet, keys: &ChangedKeys, tables: &Tables) -> Result<bool> {
        for (&table, reads) in &self.tables {
            let Some(changes) = all.tables.get(&table).filter(|changes| !changes.is_empty()) else { continue };
            let keys = || keys.of_table(all, tables, table);
            let data = tables.get(&table).map(|version| &version.data);
            if reads.whole || data.is_none_or(|data| reads.are_hit(changes, keys, data).unwrap_or(true)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl TableReads {
    fn are_hit<'a>(
        &self,
        changes: &TableChanges,
        changed_keys: impl FnOnce() -> Option<&'a TableKeys>,
        data: &TableData,
    ) -> Result<bool> {
        if self.rows.iter().any(|row| changes.rows.contains_key(row)) {
            return Ok(true);
        }
        for (_, change) in changes.iter() {
            for row in [&change.before, &change.after].into_iter().flatten() {
                if self.filters.iter().any(|filter| filter.accepts(row).unwrap_or(true)) {
                    return Ok(true);
                }
            }
        }
        let changed_keys = if self.keys.is_empty() { None } else { changed_keys() };
        for (index, lower, upper) in &self.keys {
            match changed_keys.and_then(|keys| keys.any_within(*index, lower, upper)) {
                Some(true) => return Ok(true),
                Some(false) => continue,
                None => {}
            }
            let Some((shape, _)) = data.indexes.iter().find(|(shape, _)| shape.id == *index) else { return Ok(true) };
            let is_hit = |row: &Option<Row>| -> Result<bool> {
                let Some(row) = row else { return Ok(false) };
                Ok(shape.key_of(row)?.is_some_and(|(key, _)| is_within(&key, lower, upper)))
            };
            for (_, change) in changes.iter() {
                if is_hit(&change.before)? || is_hit(&change.after)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// What is kept of a committed SERIALIZABLE transaction beside its changes.
#[derive(Clone, Debug)]
pub(crate) struct Certified {
    snapshot: CommitSeq,
    reads: Arc<Reads>,
    /// The first commit to which it has an out edge.
    pub(crate) first_out: Option<CommitSeq>,
}

impl Certified {
    /// As if the transaction had read nothing.
    pub(crate) fn unread(snapshot: CommitSeq) -> Certified {
        Certified { snapshot, reads: Arc::default(), first_out: None }
    }
}

/// Committed SERIALIZABLE transactions that wrote nothing, for as long as somebody who ran beside them still runs.
#[derive(Debug, Default)]
pub(crate) struct CommittedReaders {
    /// With the newest commit when it ended.
    entries: VecDeque<(CommitSeq, Certified)>,
}

/// What READ ONLY transactions have read that are still to end. Whoever commits as the pivot between one of them and a commit that it saw
/// gives way to it: the reader can be tried again only as a whole.
#[derive(Debug, Default)]
pub(crate) struct ReadersInProgress(Mutex<BTreeMap<TxnId, (CommitSeq, Arc<Reads>)>>);

impl ReadersInProgress {
    pub(crate) fn list(&self, id: TxnId, snapshot: CommitSeq, reads: &Arc<Reads>) {
        self.0.lock().insert(id, (snapshot, Arc::clone(reads)));
    }

    pub(crate) fn forget(&self, id: TxnId) {
        self.0.lock().remove(&id);
    }

    /// Refuses a transaction as T2 of a dangerous structure, one of these being T1 and its first out edge's end T3.
    pub(crate) fn refuse_pivot(&self, third: CommitSeq, changes: &ChangeSet, tables: &Tables) -> Result<()> {
        let keys = ChangedKeys::default();
        for (snapshot, reads) in self.0.lock().values() {
            if third <= *snapshot && reads.miss(changes, &keys, tables)? {
                return Err(refused("Canceled on identification as a pivot, during commit attempt."));
            }
        }
        Ok(())
    }
}

/// A quiet database must not collect readers; beyond these, the oldest are merged into one that read everything they read.
const MAX_READERS: usize = 10_000;

impl CommittedReaders {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn push(&mut self, at: CommitSeq, certified: Certified, oldest_wanted: Option<CommitSeq>) {
        self.trim(oldest_wanted);
        if oldest_wanted.is_some() {
            self.entries.push_back((at, certified));
        }
        if self.entries.len() > MAX_READERS {
            self.merge_older_half();
        }
    }

    pub(crate) fn trim(&mut self, oldest_wanted: Option<CommitSeq>) {
        match oldest_wanted {
            Some(oldest) => {
                while self.entries.front().is_some_and(|(at, _)| *at < oldest) {
                    self.entries.pop_front();
                }
            }
            None => self.entries.clear(),
        }
    }

    /// Stands for several readers by one with the latest snapshot and end: it may refuse more, never less.
    fn merge_older_half(&mut self) {
        let mut merged: Option<(CommitSeq, Certified)> = None;
        for (at, certified) in self.entries.drain(..MAX_READERS / 2) {
            match &mut merged {
                None => merged = Some((at, certified)),
                Some((latest, all)) => {
                    *latest = at;
                    all.snapshot = all.snapshot.max(certified.snapshot);
                    let reads = Arc::make_mut(&mut all.reads);
                    for (&table, theirs) in &certified.reads.tables {
                        let ours = reads.tables.entry(table).or_default();
                        ours.whole |= theirs.whole;
                        ours.rows.extend(&theirs.rows);
                        ours.keys.extend(theirs.keys.iter().cloned());
                        ours.filters.extend(theirs.filters.iter().cloned());
                    }
                }
            }
        }
        self.entries.extend(merged);
        self.entries.rotate_right(1);
    }
}

/// Decides whether a transaction may commit next, given what committed since its snapshot.
///
/// Errors: 40001.
///
/// `changes` are its own, layer by layer. A transaction that is refused before its end would be refused at its end too: what it has read
/// and written, and what others have committed, only becomes more.
pub(crate) fn certify(
    published: &Published,
    snapshot: CommitSeq,
    reads: &Arc<Reads>,
    changes: &[&ChangeSet],
) -> Result<Certified> {
    let is_reader = changes.iter().all(|changes| changes.is_empty());
    let own: Vec<(&ChangeSet, ChangedKeys)> = changes.iter().map(|&changes| (changes, ChangedKeys::default())).collect();
    let Some(since) = published.log.since(snapshot) else {
        return Err(refused("Canceled on commit: the transaction is older than what is remembered of others' commits."));
    };
    let tables = &published.state.tables;
    let mut first_out: Option<CommitSeq> = None;
    // The latest T1 that has an edge to this transaction: (its end, the time before which T3 must have committed).
    let mut latest_in: Option<CommitSeq> = None;
    for entry in since {
        let Some(other) = &entry.certified else { continue };
        if reads.miss_entry(entry, tables)? {
            first_out.get_or_insert(entry.seq);
            // This one as T1, the other as T2: its own out edges went to those who committed before it.
            if other.first_out.is_some_and(|third| !is_reader || third <= snapshot) {
                return Err(refused("Canceled on identification as a pivot, during commit attempt."));
            }
        }
        if !is_reader && misses_any(&other.reads, &own, tables)? {
            latest_in = latest_in.max(Some(entry.seq));
        }
    }
    let reads = Arc::clone(reads);
    if is_reader {
        return Ok(Certified { snapshot, reads, first_out });
    }
    for (at, other) in &published.readers.entries {
        if *at >= snapshot && latest_in.is_none_or(|latest| other.snapshot > latest) && misses_any(&other.reads, &own, tables)? {
            latest_in = Some(other.snapshot);
        }
    }
    // This one as T2: T3 is the first that it did not see, and it came before T1's end (or before a reader's snapshot).
    if let (Some(third), Some(first)) = (first_out, latest_in)
        && third <= first
    {
        return Err(refused("Canceled on identification as a pivot, during commit attempt."));
    }
    Ok(Certified { snapshot, reads, first_out })
}

fn misses_any(reads: &Reads, changes: &[(&ChangeSet, ChangedKeys)], tables: &Tables) -> Result<bool> {
    for (changes, keys) in changes {
        if reads.miss(changes, keys, tables)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn refused(reason: &str) -> Error {
    Error::new(
        SqlState::T_R_SERIALIZATION_FAILURE,
        "could not serialize access due to read/write dependencies among transactions",
    )
    .detail(format!("Reason code: {reason}"))
    .hint("The transaction might succeed if retried.")
}
