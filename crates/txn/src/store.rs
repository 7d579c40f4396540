//! The published value of one database and the only door to change it.

use std::{collections::BTreeSet, sync::Arc};

use catalog::Catalog;
use storage::{TableId, TxnId};

use crate::{
    ChangeCount, CommitSeq, DatabaseState, Transaction,
    commit_log::{CommitLog, LogReaders},
    lock::{HeldLocks, ListedLock, LockTable, Owner, SessionLocks},
    planted_faults::PlantedFault,
    sequence::Sequences,
    serializable::{CommittedReaders, ReadersInProgress},
    sync::{
        Mutex, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    transaction::TransactionOptions,
};

/// The first transaction's id, PostgreSQL's FirstNormalTransactionId.
const FIRST_TRANSACTION: u64 = 3;

/// One database: its newest committed value, locks, sequences and commit log. Shared by all sessions as an `Arc`.
#[derive(Debug)]
pub struct Store {
    /// Held only to clone the value or to apply a commit to it.
    pub(crate) published: RwLock<Published>,
    pub(crate) locks: Arc<LockTable>,
    pub(crate) sequences: Sequences,
    pub(crate) log_readers: Arc<LogReaders>,
    /// SERIALIZABLE transactions that run and may write.
    pub(crate) serializable_writers: Mutex<BTreeSet<TxnId>>,
    pub(crate) readers_in_progress: ReadersInProgress,
    next_transaction: AtomicU64,
    database: u32,
    /// What the last successful dump or restore has saved of the changes.
    saved: Mutex<ChangeCount>,
}

/// What commits change together.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) state: DatabaseState,
    pub(crate) log: CommitLog,
    pub(crate) readers: CommittedReaders,
}

impl Store {
    /// A store whose first value has this catalog and no rows.
    pub fn new(catalog: Catalog) -> Arc<Store> {
        Store::with_state(DatabaseState::new(catalog), Sequences::default(), 0)
    }

    /// A store that goes on from a given value (recovery, restored dumps). `database` is the database's oid, which lock reports show.
    pub fn from_state(state: DatabaseState, database: types::Oid) -> Arc<Store> {
        Store::with_state(state, Sequences::default(), database.0)
    }

    fn with_state(state: DatabaseState, sequences: Sequences, database: u32) -> Arc<Store> {
        let log = CommitLog::starting_at(state.seq);
        Arc::new(Store {
            published: RwLock::new(Published { state, log, readers: CommittedReaders::default() }),
            locks: LockTable::new(),
            sequences,
            log_readers: Arc::default(),
            serializable_writers: Mutex::default(),
            readers_in_progress: ReadersInProgress::default(),
            next_transaction: AtomicU64::new(FIRST_TRANSACTION),
            database,
            saved: Mutex::default(),
        })
    }

    /// A store that begins as a copy of another's newest value (CREATE DATABASE ... TEMPLATE), sequences included. O(1) in the rows.
    pub fn fork(&self) -> Arc<Store> {
        self.fork_as(types::Oid(0))
    }

    /// The same, with the oid of the new database.
    pub fn fork_as(&self, database: types::Oid) -> Arc<Store> {
        let mut state = self.snapshot();
        state.catalog = Arc::new(state.catalog.fork());
        state.tables = state.tables.iter().map(|(&table, version)| (table, Arc::new(version.fork()))).collect();
        let store = Store::with_state(state, self.sequences.fork(), database.0);
        // Rows keep their writers, whose ids must not come again.
        store.next_transaction.store(self.next_transaction.load(Ordering::Relaxed), Ordering::Relaxed);
        store
    }

    /// Whether a test has planted a fault.
    pub(crate) fn has_fault(&self, fault: PlantedFault) -> bool {
        self.locks.faults.has(fault)
    }

    /// The newest committed value.
    pub fn snapshot(&self) -> DatabaseState {
        self.published.read().state.clone()
    }

    /// The number of the newest commit.
    pub fn seq(&self) -> CommitSeq {
        self.published.read().state.seq
    }

    /// What has changed and is in no dump.
    pub fn dirty(&self) -> ChangeCount {
        // Not both locks at once: a commit that ends a restore takes them in the other order.
        let changes = self.published.read().state.changes;
        changes.since(*self.saved.lock())
    }

    /// A dump has succeeded whose snapshot had this count.
    pub fn mark_saved(&self, count: ChangeCount) {
        let mut saved = self.saved.lock();
        *saved = saved.later(count);
    }

    /// How many rows a table has in it.
    pub fn row_count(&self, table: TableId) -> Option<usize> {
        self.published.read().state.tables.get(&table).map(|version| version.rows.len())
    }

    /// The newest committed definitions.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.published.read().state.catalog)
    }

    /// Begins a transaction for the backend of this pid (what pg_locks shows). Backends that run at once must have different pids.
    pub fn begin(self: &Arc<Store>, options: TransactionOptions, pid: i32) -> Transaction {
        let id = TxnId(self.next_transaction.fetch_add(1, Ordering::Relaxed));
        let owner = Owner::transaction_of(pid, self.database, id);
        Transaction::new(Arc::clone(self), id, options, HeldLocks::new(Arc::clone(&self.locks), owner))
    }

    /// The id that the next transaction will get (txid_snapshot_xmax).
    pub fn next_transaction_id(&self) -> TxnId {
        TxnId(self.next_transaction.load(Ordering::Relaxed))
    }

    /// The session-level advisory locks of a backend.
    pub fn session_locks(&self, pid: i32) -> SessionLocks {
        SessionLocks::new(HeldLocks::new(Arc::clone(&self.locks), Owner::session(pid, self.database)))
    }

    /// All locks held and waited for (pg_locks).
    pub fn list_locks(&self) -> Vec<ListedLock> {
        self.locks.list()
    }

    /// Whether somebody holds or wants a relation for himself alone (ACCESS EXCLUSIVE): who only reads need not ask for a lock otherwise.
    pub fn has_exclusive_relation_locks(&self) -> bool {
        self.locks.has_exclusive()
    }

    /// The backends that one waits for (pg_blocking_pids); empty when it does not wait.
    pub fn blocking_pids(&self, pid: i32) -> Vec<i32> {
        self.locks.blocking_pids(pid)
    }
}
