//! Transactions over a database that is a value.
//!
//! **Does not know** SQL, expressions, sessions, sockets or disks. Time and ids are injected.

mod commit_log;
pub mod lock;
pub mod sequence;
pub mod serializable;
pub mod state;
pub mod store;
pub mod transaction;
pub mod write;

pub use lock::{ListedLock, LockMode, LockTag, LockTarget, LockWait, SessionLocks, WaitHandle};
pub use sequence::{SequenceValue, SessionSequences};
pub use serializable::ReadPredicate;
pub use state::{CommitSeq, DatabaseState, TableVersion};
pub use store::Store;
pub use transaction::{IsolationLevel, KeyText, Savepoint, SchemaChange, Transaction, TransactionOptions};
pub use write::{Staged, StatementWrites, TableWrites};
