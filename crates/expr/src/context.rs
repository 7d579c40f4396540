//! What evaluation needs beyond the rows: parameters, settings, the catalog, the session, and a way to run subqueries.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use catalog::Catalog;
use types::{Datum, Error, FormatSettings, Oid, Result, SqlState, TimestampTz, text_format::TypeResolver};

use crate::{ColumnId, Vector};

/// Everything an expression may ask while it runs. Owned (by reference counts), so that an open portal can keep it.
#[derive(Clone)]
pub struct EvalContext {
    pub parameters: Arc<[Datum]>,
    /// Values of columns of the queries around a correlated subquery, innermost last.
    pub outer: Vec<(ColumnId, Datum)>,
    pub format: Arc<FormatSettings>,
    pub catalog: Arc<Catalog>,
    /// Names behind user-defined types and reg* values, under the session's search_path.
    pub resolver: Arc<dyn TypeResolver + Send + Sync>,
    pub session: Arc<dyn SessionHooks>,
    pub subplans: Arc<dyn SubplanRunner>,
    pub statement_start: TimestampTz,
    pub cancellation: Arc<Cancellation>,
}

impl EvalContext {
    /// A context in which nothing can be asked of a session: for immutable expressions and tests.
    pub fn without_session() -> EvalContext {
        crate::compile::folding::CONTEXT.clone()
    }

    /// Fails when the statement has been cancelled or has run out of time; called once a batch and inside long loops.
    pub fn check_cancelled(&self) -> Result<()> {
        self.cancellation.check()
    }

    /// The value of an outer query's column.
    pub fn outer_value(&self, id: ColumnId) -> Option<&Datum> {
        self.outer.iter().rev().find(|(outer, _)| *outer == id).map(|(_, value)| value)
    }
}

/// A request to stop, set by another thread and seen by the running statement at its next check.
#[derive(Debug, Default)]
pub struct Cancellation(AtomicU8);

/// Why a statement is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CancelReason {
    UserRequest = 1,
    StatementTimeout = 2,
    LockTimeout = 3,
    TransactionTimeout = 4,
    Terminate = 5,
}

impl Cancellation {
    pub fn request(&self, reason: CancelReason) {
        self.0.fetch_max(reason as u8, Ordering::SeqCst);
    }

    /// Forgets what was asked of an earlier statement; a session that is to end still is.
    pub fn clear(&self) {
        if self.is_requested() {
            let is_past = |reason| (reason < CancelReason::Terminate as u8).then_some(0);
            let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_past);
        }
    }

    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            code => Err(Cancellation::error(code)),
        }
    }

    #[cold]
    fn error(code: u8) -> Error {
        let (sqlstate, message) = match code {
            1 => (SqlState::QUERY_CANCELED, "canceling statement due to user request"),
            2 => (SqlState::QUERY_CANCELED, "canceling statement due to statement timeout"),
            3 => (SqlState::LOCK_NOT_AVAILABLE, "lock timeout exceeded"),
            4 => (SqlState::from_code(b"25P04"), "canceling transaction due to transaction timeout"),
            _ => (SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command"),
        };
        Error::new(sqlstate, message)
    }
}

/// Severity of a message that is not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    Notice,
    Warning,
    Info,
    Log,
    Debug,
}

/// What functions ask of the session that runs them.
pub trait SessionHooks: Send + Sync {
    fn current_user(&self) -> Arc<str>;
    fn session_user(&self) -> Arc<str>;
    fn current_database(&self) -> Arc<str>;
    /// Schemas searched for unqualified names, in order; `pg_catalog` first when implicit and asked for.
    fn search_path(&self, include_implicit: bool) -> Vec<Arc<str>>;
    fn backend_pid(&self) -> i32;

    /// The attributes of a relation that errors may show to whoever runs the statement: those that it may read, and those that it has
    /// written itself. None is all of them.
    fn attributes_to_show(&self, _relation: Oid) -> Option<Vec<usize>> {
        None
    }

    /// Runs work that takes long by itself where it holds nobody up.
    fn run_long(&self, work: &mut dyn FnMut()) {
        work();
    }
    /// Errors: 53200 when a value of so many bytes would not find room. To be asked before a large one is made.
    fn check_memory(&self, _bytes: usize) -> Result<()> {
        Ok(())
    }
    fn next_value(&self, sequence: Oid) -> Result<i64>;
    fn current_value(&self, sequence: Oid) -> Result<i64>;
    fn last_value(&self) -> Result<i64>;
    fn set_value(&self, sequence: Oid, value: i64, is_called: bool) -> Result<()>;
    /// The value of a run-time setting as SHOW prints it; `missing_ok` gives None instead of 42704.
    fn setting(&self, name: &str, missing_ok: bool) -> Result<Option<String>>;
    fn set_setting(&self, name: &str, value: &str, local: bool) -> Result<String>;
    fn notice(&self, level: NoticeLevel, notice: Error);
    /// A number below 1 from the session's generator, which setseed() seeds.
    fn random(&self) -> f64;
    fn set_seed(&self, seed: f64);
    /// Functions that only the engine can compute (pg_cancel_backend, pg_relation_size, ...), by pg_proc.prosrc.
    /// None: this build does not have the function.
    fn engine_function(&self, source: &str, arguments: &[Datum], context: &EvalContext) -> Option<Result<Datum>>;
    /// The same for functions that return sets (pg_get_keywords, pg_lock_status): their rows.
    fn engine_rows(&self, _source: &str, _arguments: &[Datum], _context: &EvalContext) -> Option<Result<Vec<Vec<Datum>>>> {
        None
    }
    /// The current time of the session's clock.
    fn clock_timestamp(&self) -> TimestampTz;
}

/// Runs the subqueries of expressions; the executor provides it.
pub trait SubplanRunner: Send + Sync {
    /// Evaluates the subquery once, with the outer columns' values in `context.outer`.
    /// `left` holds the values of a `Compare`'s left sides for this row.
    fn run(&self, subquery: &crate::expression::Subquery, left: &[Datum], context: &EvalContext) -> Result<Datum>;
    /// Evaluates an uncorrelated subquery for all rows of a batch at once: `left` as vectors.
    fn run_batch(
        &self,
        subquery: &crate::expression::Subquery,
        left: &[Vector],
        len: usize,
        context: &EvalContext,
    ) -> Result<Vector>;
}
