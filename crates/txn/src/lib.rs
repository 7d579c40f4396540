//! Transactions over a database that is a value.
//!
//! **Does not know** SQL, expressions, sessions, sockets or disks. Time and ids are injected.

pub mod lock;
pub mod sequence;
pub mod state;
pub mod store;
pub mod transaction;
pub mod write;

pub use lock::{LockMode, LockTag, LockWait};
pub use state::{CommitSeq, DatabaseState};
pub use store::Store;
pub use transaction::{IsolationLevel, Transaction, TransactionOptions};
pub use write::{Staged, StatementWrites, TableWrites};
