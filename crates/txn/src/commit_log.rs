//! What recent commits changed, kept only for those who will ask.
//!
//! A transaction that will want to know what others committed after some point registers that point; entries from the oldest registered
//! point on are kept, within a bound of memory. While nobody is registered, which is the rule when transactions are single statements, a
//! commit leaves nothing here.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use storage::{ChangeSet, RowId, TableId, TxnId};

use crate::{
    CommitSeq,
    serializable::{Certified, ChangedKeys},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Row changes kept are bounded to this many bytes; past it the oldest entries go.
const MAX_BYTES: usize = 64 << 20;

/// One commit.
#[derive(Debug)]
pub(crate) struct LogEntry {
    pub(crate) seq: CommitSeq,
    pub(crate) transaction: TxnId,
    pub(crate) changes: ChangeSet,
    /// Tables whose content was replaced as a whole, of which `changes` says nothing.
    pub(crate) reshaped: Vec<TableId>,
    /// Rows that the transaction kept others from deleting: foreign-key parents.
    pub(crate) shared_rows: Vec<(TableId, RowId)>,
    /// Of `changes`, for certification.
    pub(crate) keys: ChangedKeys,
    /// What certification must know of a SERIALIZABLE transaction.
    pub(crate) certified: Option<Certified>,
    pub(crate) bytes: usize,
}

/// The log itself; guarded by the store's lock.
#[derive(Debug, Default)]
pub(crate) struct CommitLog {
    entries: VecDeque<Arc<LogEntry>>,
    bytes: usize,
    /// Every commit after this one is in the log.
    complete_from: CommitSeq,
}

impl CommitLog {
    /// A log that knows nothing of what came up to `seq`.
    pub(crate) fn starting_at(seq: CommitSeq) -> CommitLog {
        CommitLog { complete_from: seq, ..CommitLog::default() }
    }

    pub(crate) fn append(&mut self, entry: LogEntry) {
        self.bytes += entry.bytes;
        self.entries.push_back(Arc::new(entry));
        while self.bytes > MAX_BYTES && self.drop_oldest() {}
    }

    /// Forgets entries that nobody will ask for.
    pub(crate) fn trim(&mut self, oldest_wanted: CommitSeq) {
        while self.entries.front().is_some_and(|entry| entry.seq <= oldest_wanted) {
            self.drop_oldest();
        }
    }

    /// A commit happened that is not logged: nobody can ask for it.
    pub(crate) fn skip(&mut self, seq: CommitSeq) {
        self.entries.clear();
        self.bytes = 0;
        self.complete_from = seq;
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(entry) = self.entries.pop_front() else { return false };
        self.bytes -= entry.bytes;
        self.complete_from = entry.seq;
        true
    }

    /// The commits after `from`, or None when some of them are forgotten.
    pub(crate) fn since(&self, from: CommitSeq) -> Option<impl DoubleEndedIterator<Item = &Arc<LogEntry>>> {
        (from >= self.complete_from).then(|| {
            let start = self.entries.partition_point(|entry| entry.seq <= from);
            self.entries.range(start..)
        })
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// The points from which transactions want commits to be kept.
#[derive(Debug, Default)]
pub(crate) struct LogReaders {
    /// Registered, so that a commit that finds zero need not look further.
    count: AtomicUsize,
    points: Mutex<BTreeMap<CommitSeq, usize>>,
}

impl LogReaders {
    /// The oldest point wanted; None when there is no reader.
    pub(crate) fn oldest(&self) -> Option<CommitSeq> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.points.lock().keys().next().copied()
    }

    /// Registers a point. To have every commit after a snapshot, register the snapshot's point or an older one before taking it.
    pub(crate) fn register(self: &Arc<LogReaders>, point: CommitSeq) -> LogReader {
        self.count.fetch_add(1, Ordering::AcqRel);
        *self.points.lock().entry(point).or_default() += 1;
        LogReader { readers: Arc::clone(self), point }
    }
}

/// Keeps the commits after a point in the log until dropped.
#[derive(Debug)]
pub(crate) struct LogReader {
    readers: Arc<LogReaders>,
    point: CommitSeq,
}

impl LogReader {
    /// Moves on to a later point.
    pub(crate) fn advance(&mut self, point: CommitSeq) {
        if point > self.point {
            let mut points = self.readers.points.lock();
            remove_point(&mut points, self.point);
            *points.entry(point).or_default() += 1;
            self.point = point;
        }
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        remove_point(&mut self.readers.points.lock(), self.point);
        self.readers.count.fetch_sub(1, Ordering::AcqRel);
    }
}

fn remove_point(points: &mut BTreeMap<CommitSeq, usize>, point: CommitSeq) {
    if let Some(count) = points.get_mut(&point) {
        *count -= 1;
        if *count == 0 {
            points.remove(&point);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, bytes: usize) -> LogEntry {
        LogEntry {
            seq: CommitSeq(seq),
            transaction: TxnId(seq),
            changes: ChangeSet::default(),
            reshaped: Vec::new(),
            shared_rows: Vec::new(),
            keys: ChangedKeys::default(),
            certified: None,
            bytes,
        }
    }

    #[test]
    fn a_log_that_forgot_says_so() {
        let mut log = CommitLog::starting_at(CommitSeq(4));
        (5..10).for_each(|seq| log.append(entry(seq, 1)));
        assert_eq!(log.since(CommitSeq(4)).map(Iterator::count), Some(5));
        assert_eq!(log.since(CommitSeq(7)).map(Iterator::count), Some(2));
        assert!(log.since(CommitSeq(3)).is_none());
        log.trim(CommitSeq(7));
        assert!(log.since(CommitSeq(6)).is_none());
        assert_eq!(log.len(), 2);
        log.append(entry(10, MAX_BYTES));
        assert!(log.since(CommitSeq(8)).is_none(), "past the bound the oldest go");
        log.skip(CommitSeq(11));
        assert_eq!(log.since(CommitSeq(11)).map(Iterator::count), Some(0));
    }

    #[test]
    fn the_oldest_reader_rules() {
        let readers = Arc::new(LogReaders::default());
        assert_eq!(readers.oldest(), None);
        let mut old = readers.register(CommitSeq(3));
        let new = readers.register(CommitSeq(7));
        assert_eq!(readers.oldest(), Some(CommitSeq(3)));
        old.advance(CommitSeq(9));
        assert_eq!(readers.oldest(), Some(CommitSeq(7)));
        drop(new);
        assert_eq!(readers.oldest(), Some(CommitSeq(9)));
        drop(old);
        assert_eq!(readers.oldest(), None);
    }
}
