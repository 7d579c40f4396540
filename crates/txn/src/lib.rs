//! Transactions over a database that is a value.
//!
//! All that a database has committed - definitions, rows, indexes - is one [`DatabaseState`]. It is made of persistent trees, so a
//! snapshot is a clone: O(1), and it never changes. A [`Transaction`] is a snapshot and a list of the rows it changed; commit applies the
//! list to the newest state. No reader looks at row versions, waits for a writer, or leaves anything for a vacuum.
//!
//! ```text
//!                 time --->
//! published       S1 ------------- S2 ------------------ S3
//!                  |                | \                   ^
//! T1 UPDATE row 7  +-- view S1      |  \                  |
//!                  |   stage: lock  |   \                 |
//!                  +-- commit ------^    \                |
//! T2 UPDATE row 7      view S1, stage: row 7 is locked    |
//!                      ... waits, holding no thread ...   |
//!                      view S2, stage again, commit ------+
//! ```
//!
//! **A statement** computes its writes from an immutable view ([`Transaction::begin_statement`], [`Transaction::table`]) and hands them
//! over as [`StatementWrites`]. [`Transaction::stage`] asks for the locks, checks that the rows are still as the view had them, and that
//! unique keys are free. Nothing blocks within: if a lock is taken the answer is [`Staged::Wait`], and the session awaits it and runs the
//! statement again on a fresh view, keeping the locks it has won. The loop is the caller's:
//!
//! ```text
//! loop {
//!     transaction.begin_statement()?;
//!     let writes = execute(transaction.table(t)?);       // drops its views of the table
//!     match transaction.stage(&writes) {
//!         Staged::Done => break,
//!         Staged::Wait(wait) => wait.await?,             // deadlock, time-out or cancel end it with an error
//!         Staged::Stale => {}                            // READ COMMITTED: the row has changed, look again
//!         Staged::Failed(error) => return Err(error),
//!     }
//! }
//! transaction.end_statement();
//! ```
//!
//! **Levels.** READ COMMITTED takes a new view for each statement and puts its own changes on top of the tables that the statement reads.
//! REPEATABLE READ keeps its first view, and a row that somebody else changed since is 40001. SERIALIZABLE does too, takes no row or key
//! locks before its commit ([`Transaction::prepare_commit`]), and notes what it reads, for [`serializable`] to certify.
//!
//! **Keys.** Each unique key that a row gains or loses is locked until the end of the transaction, so that an insert waits for an
//! uncommitted delete of its key, and two inserts of one key wait for each other.
//!
//! **Publishing in place.** The state lives behind a lock that is held only to clone it or to apply a commit. An autocommitted write has
//! dropped its view before it is applied, and never makes a private copy of the table, so that the published trees are changed where they
//! are. Only what another snapshot shares at that moment is copied, a leaf at a time. A large change is applied to a private copy before
//! the lock is taken, and swapped in.
//!
//! **Savepoints** are O(1): what is written after one goes to a layer of its own, and the private tables and the catalog are values too.
//! **Definitions** change in a private catalog; commit merges it object by object with what others committed. **Sequences** ([`sequence`])
//! and advisory locks are outside the value and are not undone.
//!
//! **Invariants.** A state, once cloned, never changes. The published state is the sum of the committed transactions' changes, in the
//! order of their [`CommitSeq`]. No lock outlives its owner. Nobody waits while holding one of this crate's mutexes.
//!
//! **Does not know** SQL, expressions, sessions, sockets or disks. Time and ids are injected.

mod change_count;
mod commit_log;
pub mod lock;
mod planted_faults;
pub mod sequence;
pub mod serializable;
pub mod state;
pub mod store;
mod sync;
pub mod transaction;
pub mod write;

pub use change_count::ChangeCount;
pub use lock::{ListedLock, LockMode, LockTag, LockTarget, LockWait, SessionLocks, WaitHandle};
#[cfg(any(test, feature = "planted-faults"))]
pub use planted_faults::PlantedFault;
pub use sequence::{SequenceValue, SessionSequences};
pub use serializable::{ReadPredicate, RowFilter};
pub use state::{CommitSeq, DatabaseState, TableVersion};
pub use store::Store;
pub use transaction::{IsolationLevel, KeyText, Savepoint, SchemaChange, Transaction, TransactionOptions};
pub use write::{Staged, StatementWrites, TableWrites};
