//! SERIALIZABLE READ ONLY DEFERRABLE: a snapshot that no serial order can contradict, waited for, so that nothing need be noted or refused
//! afterwards.
//!
//! A reader is part of a dangerous structure only as its T1, and only if some T2 that ran when the snapshot was taken commits with an edge
//! to a T3 that the snapshot already holds. So the snapshot is safe once all SERIALIZABLE writers of its time have ended without that.

use std::sync::Arc;

use storage::TxnId;
use types::Result;

use super::{IsolationLevel, Transaction};
use crate::{CommitSeq, LockMode, LockTag, LockWait, Store, lock::Tag, serializable::Reads};

/// An entry in the store's list of SERIALIZABLE transactions that may write.
#[derive(Debug)]
pub(super) struct SerializableWriter {
    store: Arc<Store>,
    id: TxnId,
}

impl SerializableWriter {
    /// To be registered before the snapshot is taken, and once the lock on the transaction's id is held, which the deferrable await.
    pub(super) fn register(store: &Arc<Store>, id: TxnId) -> SerializableWriter {
        store.serializable_writers.lock().insert(id);
        SerializableWriter { store: Arc::clone(store), id }
    }
}

impl Drop for SerializableWriter {
    fn drop(&mut self) {
        self.store.serializable_writers.lock().remove(&self.id);
    }
}

/// A READ ONLY transaction's entry in the store's list of those that read.
#[derive(Debug)]
pub(super) struct ListedReader {
    store: Arc<Store>,
    id: TxnId,
}

impl ListedReader {
    pub(super) fn register(store: &Arc<Store>, id: TxnId) -> ListedReader {
        ListedReader { store: Arc::clone(store), id }
    }

    pub(super) fn put(&self, snapshot: CommitSeq, reads: &Arc<Reads>) {
        self.store.readers_in_progress.list(self.id, snapshot, reads);
    }

    /// Before the reads change: the list has the only other handle of them.
    pub(super) fn withdraw(&self) {
        self.store.readers_in_progress.forget(self.id);
    }
}

impl Drop for ListedReader {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl Transaction {
    /// Takes the snapshot of a deferrable transaction; for others nothing happens. To be called before its first statement, and awaited,
    /// until it gives None.
    ///
    /// Errors: 40P01.
    pub fn prepare_snapshot(&mut self) -> Result<Option<LockWait>> {
        let options = self.options;
        if options.isolation != IsolationLevel::Serializable || !options.read_only || !options.deferrable {
            return Ok(None);
        }
        loop {
            if self.view.is_none() {
                self.begin_statement()?;
                self.awaited_writers = self.store.serializable_writers.lock().iter().copied().collect();
            } else if self.reads.is_none() {
                return Ok(None);
            }
            while let Some(&writer) = self.awaited_writers.last() {
                let tag = Tag::from(&LockTag::Transaction(writer));
                match self.locks.lock(tag, LockMode::ShareTable)? {
                    Ok(_) => {
                        self.locks.release(tag, LockMode::ShareTable);
                        self.awaited_writers.pop();
                    }
                    Err(wait) => return Ok(Some(wait)),
                }
            }
            let is_safe = self.store.published.read().log.since(self.view_seq).is_some_and(|mut since| {
                since.all(|entry| {
                    entry.certified.as_ref().is_none_or(|other| other.first_out.is_none_or(|third| third > self.view_seq))
                })
            });
            if is_safe {
                self.reads = None;
                self.reader = None;
                self.log_reader = None;
                return Ok(None);
            }
            self.view = None;
        }
    }
}
