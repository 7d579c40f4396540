//! Row, key, table and advisory locks with fair queues.

use storage::{IndexId, RowId, TableId};
use types::{Oid, Result};

/// What a lock is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LockTag {
    Row(TableId, RowId),
    /// A unique key's bytes.
    Key(IndexId, Box<[u8]>),
    Relation(Oid),
    /// Advisory lock: key and whether it was given as two ints.
    Advisory {
        high: u32,
        low: u32,
        two_keys: bool,
    },
    Transaction(storage::TxnId),
}

/// Row lock strengths and PostgreSQL's eight table lock modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    ShareTable,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

/// A place in a lock's queue. A future that is ready when the lock is ours, or fails: 40P01 deadlock, 55P03 time-out, 57014 cancelled.
/// Dropping it leaves the queue. Runtime-independent: works under tokio and under a blocking executor.
#[derive(Debug)]
pub struct LockWait {}

impl Future for LockWait {
    type Output = Result<()>;

    fn poll(self: std::pin::Pin<&mut Self>, _context: &mut std::task::Context<'_>) -> std::task::Poll<Result<()>> {
        unreachable!("written with the lock manager")
    }
}
