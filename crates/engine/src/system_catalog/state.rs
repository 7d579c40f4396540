//! What the system relations show beyond definitions: sessions, locks, settings, counters, sizes. The engine answers.

use std::sync::Arc;

use optimizer::column_statistics::ColumnStatistics;
use txn::ChangeCount;
use types::{Oid, Result, TimestampTz};

/// A database of the cluster (pg_database).
#[derive(Clone, Debug)]
pub struct DatabaseRow {
    pub oid: Oid,
    pub name: Arc<str>,
    pub facts: catalog::role::DatabaseFacts,
}

/// A session (pg_stat_activity).
#[derive(Clone, Debug, Default)]
pub struct SessionActivity {
    pub pid: i32,
    pub database: Oid,
    pub database_name: Arc<str>,
    pub user: Oid,
    pub user_name: Arc<str>,
    pub application_name: Arc<str>,
    /// The client's address as text and its port; None for a Unix socket (port -1) or an embedded session (no port).
    pub client_address: Option<String>,
    pub client_port: Option<i32>,
    pub backend_start: TimestampTz,
    pub transaction_start: Option<TimestampTz>,
    pub query_start: Option<TimestampTz>,
    pub state_change: Option<TimestampTz>,
    /// Type and name of what it waits for: ("Lock", "relation"), ("Client", "ClientRead").
    pub wait: Option<(&'static str, &'static str)>,
    /// active, idle, idle in transaction, idle in transaction (aborted)
    pub state: &'static str,
    pub transaction_id: Option<u32>,
    pub query: Arc<str>,
    pub tls: Option<Arc<crate::TlsFacts>>,
    /// Whether the current role may see what it does.
    pub is_visible: bool,
}

/// A lock held or awaited (pg_locks), with PostgreSQL's words.
#[derive(Clone, Debug, Default)]
pub struct LockActivity {
    /// relation, tuple, transactionid, virtualxid, advisory
    pub kind: &'static str,
    pub database: Option<Oid>,
    pub relation: Option<Oid>,
    pub page: Option<i32>,
    pub tuple: Option<i16>,
    pub virtual_transaction_id: Option<String>,
    pub transaction_id: Option<u32>,
    pub class: Option<Oid>,
    pub object: Option<Oid>,
    pub object_sub: Option<i16>,
    /// "backend/transaction" of the holder.
    pub virtual_transaction: String,
    pub pid: i32,
    /// AccessShareLock, RowExclusiveLock, ...
    pub mode: &'static str,
    pub granted: bool,
    pub wait_start: Option<TimestampTz>,
}

/// A run-time setting (pg_settings).
#[derive(Clone, Debug, Default)]
pub struct SettingFacts {
    pub name: Arc<str>,
    /// In base units, without the unit.
    pub setting: String,
    pub unit: Option<Arc<str>>,
    pub category: Arc<str>,
    pub context: Arc<str>,
    /// bool, integer, real, string or enum
    pub kind: Arc<str>,
    /// default, session, client, configuration file, ...
    pub source: Arc<str>,
    pub minimum: Option<Arc<str>>,
    pub maximum: Option<Arc<str>>,
    pub choices: Option<Vec<Arc<str>>>,
    pub boot_value: Option<String>,
    pub reset_value: Option<String>,
}

/// Where a sequence stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceState {
    pub last_value: i64,
    pub is_called: bool,
}

/// What has happened to a table since the server started (pg_stat_user_tables).
#[derive(Clone, Copy, Debug, Default)]
pub struct TableActivity {
    pub sequential_scans: i64,
    pub sequential_rows: i64,
    pub index_scans: i64,
    pub index_rows: i64,
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
    pub live_rows: i64,
}

/// Use of an index (pg_stat_user_indexes).
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexActivity {
    pub scans: i64,
    pub rows_read: i64,
    pub rows_fetched: i64,
}

/// What has happened in a database since the server started (pg_stat_database).
#[derive(Clone, Copy, Debug, Default)]
pub struct DatabaseActivity {
    pub sessions_now: i32,
    pub commits: i64,
    pub rollbacks: i64,
    pub rows_returned: i64,
    pub rows_fetched: i64,
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
    pub deadlocks: i64,
    pub sessions: i64,
}

/// What has been run of one statement by one user (pg_stat_statements).
#[derive(Clone, Debug)]
pub struct StatementFacts {
    pub user: Oid,
    pub database: Oid,
    /// None when it is not for the asker to know.
    pub query_id: Option<i64>,
    pub query: Arc<str>,
    pub calls: i64,
    pub rows: i64,
    pub total_ms: f64,
    pub least_ms: f64,
    pub most_ms: f64,
    pub deviation_ms: f64,
}

/// A statement of PREPARE or of the extended protocol (pg_prepared_statements).
#[derive(Clone, Debug)]
pub struct PreparedFacts {
    pub name: Arc<str>,
    pub statement: Arc<str>,
    pub prepared_at: TimestampTz,
    pub parameter_types: Vec<Oid>,
    pub from_sql: bool,
    pub plans: std::sync::Arc<crate::session::PlanUses>,
}

/// An open cursor of the session (pg_cursors).
#[derive(Clone, Debug)]
pub struct CursorFacts {
    pub name: Arc<str>,
    pub statement: Arc<str>,
    pub holdable: bool,
    pub binary: bool,
    pub scrollable: bool,
    pub created_at: TimestampTz,
}

/// A column whose statistics are asked for.
pub struct WantedColumn {
    pub attribute: usize,
    /// pg_type.typlen where that is positive.
    pub fixed_width: Option<usize>,
    pub is_ordered: bool,
}

/// What the system relations and functions ask of the running server.
pub trait SystemState {
    fn sessions(&self) -> Vec<SessionActivity>;
    fn locks(&self) -> Vec<LockActivity>;
    fn settings(&self) -> Vec<SettingFacts>;
    fn prepared_statements(&self) -> Vec<PreparedFacts>;
    fn cursors(&self) -> Vec<CursorFacts>;
    /// Where a sequence of the current database stands; None when it has never been used in this process.
    fn sequence(&self, sequence: Oid) -> Option<SequenceState>;
    fn table_activity(&self, table: Oid) -> TableActivity;
    fn index_activity(&self, index: Oid) -> IndexActivity;
    /// What the values of a table's attributes are like, for those of these positions; None for a table without rows.
    fn column_statistics(&self, table: Oid, wanted: &[WantedColumn]) -> Vec<Option<ColumnStatistics>>;
    fn database_activity(&self, database: Oid) -> DatabaseActivity;
    fn statements(&self) -> Vec<StatementFacts>;
    /// Errors: 42501.
    fn forget_statements(&self) -> Result<()>;
    /// Bytes counted for the whole server, and their limit; 0 for none.
    fn server_memory(&self) -> (i64, i64);
    /// Bytes that a table's rows, or one index, occupy.
    fn relation_size(&self, relation: Oid) -> i64;
    fn database_size(&self, database: Oid) -> i64;
    fn server_start(&self) -> TimestampTz;
    fn settings_loaded(&self) -> TimestampTz;
    fn now(&self) -> TimestampTz;
    /// The current transaction's identifier, given to it when first asked.
    fn transaction_id(&self) -> Result<u64>;
    /// The same, or None while it has none.
    fn transaction_id_if_assigned(&self) -> Option<u64>;
    fn backend_pid(&self) -> i32;
    /// Sessions that hold or are ahead for what this one waits for.
    fn blocking_pids(&self, pid: i32) -> Vec<i32>;
    /// Asks a session to give up its statement, or to end. False when there is no such session.
    fn cancel_backend(&self, pid: i32) -> Result<bool>;
    fn terminate_backend(&self, pid: i32) -> Result<bool>;

    /// Asks the process for something that only administrators may ask for; false when there is no process.
    fn ask_process(&self, request: crate::process::Request) -> Result<bool>;
    /// The schema of the session's temporary objects; zero until it has any.
    fn temporary_schema(&self) -> Oid;
    /// Bytes that a session holds beyond what is committed; None when there is no such session.
    fn session_memory(&self, pid: i32) -> Option<i64>;
    /// Rows and bytes changed since the last successful dump or restore.
    fn dirty(&self) -> ChangeCount;
    /// How much had changed as of what the statement sees.
    fn change_count(&self) -> ChangeCount;
    /// A dump of the database as it was at this count has succeeded; or, if `restored`, what the transaction changes is a dump's.
    ///
    /// Errors: 42501 for who is no superuser.
    fn note_saved(&self, count: ChangeCount, restored: bool) -> Result<()>;
}
