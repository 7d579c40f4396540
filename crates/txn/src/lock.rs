//! Row, key, table and advisory locks with fair queues.
//!
//! A lock is held by an [`Owner`], a transaction or a session, in one or more modes. Who asks for a lock that is not free gets a
//! [`LockWait`], a future; no thread is held. Granting follows the order of the queue, except that an owner who holds the lock already
//! goes before those who wait for it. The keys of a statement that adds many rows are locked together ([`key_claim`]).

mod advisory;
mod deadlock;
mod held;
mod key_claim;
mod mode;
mod queue;
mod table;
mod tag;
#[cfg(test)]
mod tests;
mod wait;

use storage::TxnId;

pub use self::{
    advisory::SessionLocks,
    mode::LockMode,
    table::ListedLock,
    tag::{LockTag, LockTarget},
    wait::{LockWait, WaitHandle},
};
pub(crate) use self::{
    held::HeldLocks,
    queue::Asked,
    table::LockTable,
    tag::{KeyHash, Tag},
};

/// Who holds locks: a transaction, or a session for its advisory locks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) pid: i32,
    /// The database's oid, only to be shown.
    pub(crate) database: u32,
    /// Zero for a session.
    transaction: u64,
}

impl Owner {
    pub(crate) fn transaction_of(pid: i32, database: u32, transaction: TxnId) -> Owner {
        Owner { pid, database, transaction: transaction.0 }
    }

    pub(crate) fn session(pid: i32, database: u32) -> Owner {
        Owner { pid, database, transaction: 0 }
    }

    pub(crate) fn transaction(self) -> Option<TxnId> {
        (self.transaction != 0).then_some(TxnId(self.transaction))
    }

    /// Whether locks of these never exclude each other: a session and its own transaction share advisory locks.
    fn is_same_party(self, other: Owner, tag: Tag) -> bool {
        self == other || (tag.is_advisory() && self.pid == other.pid)
    }
}

impl PartialEq for Owner {
    fn eq(&self, other: &Owner) -> bool {
        self.transaction == other.transaction && self.pid == other.pid
    }
}
