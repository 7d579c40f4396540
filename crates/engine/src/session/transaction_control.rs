//! BEGIN, COMMIT, ROLLBACK, savepoints, SET TRANSACTION, and the implicit transaction around other statements.

use std::sync::{Arc, atomic::Ordering};

use executor::Reservation;
use pg_query::protobuf::{TransactionStmt, TransactionStmtKind};
use txn::{IsolationLevel, Savepoint, TransactionOptions};
use types::{Error, FormatSettings, Result, SqlState, TimestampTz};

use super::{
    Outcome, Session,
    deferred_constraints::{DeferredConstraints, DeferredMark},
    identity::RoleChanges,
    shared::ActivityState,
    shared_transaction::SharedTransaction,
};
use crate::{clock, memory::WrittenTables, notification::PendingMark, settings::SettingsMark};

/// What ReadyForQuery announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    InBlock,
    Failed,
}

/// The session's current transaction.
pub(crate) struct OpenTransaction {
    pub txn: SharedTransaction,
    /// Begun by BEGIN: lasts until COMMIT or ROLLBACK. Otherwise it ends with its statement (or query text, or Sync).
    pub explicit: bool,
    pub failed: bool,
    pub started: TimestampTz,
    /// Formats with the transaction's start as `now`.
    pub format: Arc<FormatSettings>,
    settings_mark: SettingsMark,
    savepoints: Vec<NamedSavepoint>,
    pub deferred: DeferredConstraints,
    /// Whether a query has run, after which the isolation level is fixed.
    pub has_run_query: bool,
    /// The statement's view has been taken and not yet let go.
    pub in_statement: bool,
    /// The transaction timeout has rolled it back; the next statement is told so.
    pub expired: bool,
    began: std::time::Instant,
    /// For the changes, and for what will become of them at commit.
    pub memory: Reservation,
    pub written: WrittenTables,
    /// ALTER ... OWNER TO or REASSIGN OWNED has run.
    pub gives_away: bool,
}

struct NamedSavepoint {
    name: String,
    savepoint: Savepoint,
    settings: SettingsMark,
    roles: Option<RoleChanges>,
    deferred: DeferredMark,
    notifications: PendingMark,
    memory: usize,
}

/// Characteristics asked of the next transaction by SET TRANSACTION outside a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NextTransaction {
    pub isolation: Option<IsolationLevel>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

/// Characteristics written in one BEGIN or SET TRANSACTION.
pub(crate) type Modes = NextTransaction;

impl NextTransaction {
    pub(crate) fn or(self, other: NextTransaction) -> NextTransaction {
        NextTransaction {
            isolation: self.isolation.or(other.isolation),
            read_only: self.read_only.or(other.read_only),
            deferrable: self.deferrable.or(other.deferrable),
        }
    }
}

/// The level a setting's value names.
pub(crate) fn isolation_named(name: &str) -> Option<IsolationLevel> {
    Some(match name {
        "read uncommitted" => IsolationLevel::ReadUncommitted,
        "read committed" => IsolationLevel::ReadCommitted,
        "repeatable read" => IsolationLevel::RepeatableRead,
        "serializable" => IsolationLevel::Serializable,
        _ => return None,
    })
}

/// The level's name as SHOW transaction_isolation prints it.
pub(crate) fn isolation_name(level: IsolationLevel) -> &'static str {
    match level {
        IsolationLevel::ReadUncommitted => "read uncommitted",
        IsolationLevel::ReadCommitted => "read committed",
        IsolationLevel::RepeatableRead => "repeatable read",
        IsolationLevel::Serializable => "serializable",
    }
}

/// A transaction that has held so much leaves as much behind again, free: what it needed to make its changes and to apply them. The
/// allocator would keep that until it is used again, which may be long after a load.
const LARGE_CHANGES: usize = 16 * 1024 * 1024;

impl Session {
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.transaction {
            Some(open) if open.failed => TransactionStatus::Failed,
            Some(open) if open.explicit => TransactionStatus::InBlock,
            _ => TransactionStatus::Idle,
        }
    }

    /// The current transaction, begun now if there is none.
    pub(crate) fn open_transaction(&mut self) -> Result<&mut OpenTransaction> {
        if self.transaction.is_none() {
            let next = std::mem::take(&mut self.next_transaction);
            self.begin(next, false);
        }
        Ok(self.transaction.as_mut().expect("one was begun just now"))
    }

    fn begin(&mut self, modes: Modes, explicit: bool) {
        let started = clock::now();
        let (options, format, settings_mark) = {
            let mut settings = self.shared.settings.lock();
            let defaults = settings.every_statement();
            let options = TransactionOptions {
                isolation: modes.isolation.unwrap_or(defaults.isolation),
                read_only: modes.read_only.unwrap_or(defaults.read_only),
                deferrable: modes.deferrable.unwrap_or(defaults.deferrable),
            };
            let settings_mark = settings.mark();
            let mut format = FormatSettings::clone(settings.format());
            format.now = started;
            settings.transaction_began(isolation_name(options.isolation), options.read_only, options.deferrable);
            (options, Arc::new(format), settings_mark)
        };
        let mut transaction = self.database.store.begin(options, self.shared.pid);
        self.shared.transaction.store(transaction.id().0, Ordering::Relaxed);
        transaction.set_key_text(self.hooks.clone());
        let txn = self.hooks.transaction.clone();
        txn.put(transaction);
        self.shared.transaction_started(Some(started));
        self.transaction = Some(OpenTransaction {
            txn,
            explicit,
            failed: false,
            started,
            format,
            settings_mark,
            savepoints: Vec::new(),
            deferred: DeferredConstraints::default(),
            has_run_query: false,
            in_statement: false,
            expired: false,
            began: std::time::Instant::now(),
            memory: Reservation::new(Some(self.shared.memory.clone())),
            written: WrittenTables::default(),
            gives_away: false,
        });
    }

    /// Takes the view for a statement.
    pub(crate) fn begin_statement(&mut self) -> Result<()> {
        let open = self.open_transaction()?;
        open.txn.begin_statement()?;
        open.in_statement = true;
        Ok(())
    }

    /// Takes the view on which a statement runs again after a wait.
    pub(crate) fn resume_statement(&mut self) -> Result<()> {
        let open = self.open_transaction()?;
        open.txn.resume_statement()?;
        open.in_statement = true;
        Ok(())
    }

    /// Lets go of the statement's view, so that writes apply in place.
    pub(crate) fn end_statement(&mut self) {
        if let Some(open) = &mut self.transaction
            && std::mem::take(&mut open.in_statement)
        {
            open.txn.end_statement();
        }
    }

    /// What the transaction timeout leaves the open transaction; None without one.
    pub(crate) fn transaction_time_left(&self) -> Option<std::time::Duration> {
        let limit_ms = self.cluster.silence_limits.transaction_ms();
        let open = self.transaction.as_ref().filter(|open| limit_ms > 0 && !open.failed)?;
        Some(std::time::Duration::from_millis(limit_ms).saturating_sub(open.began.elapsed()))
    }

    /// The transaction timeout has passed while the client was silent: changes and locks go at once, and the session stays.
    pub fn expire_transaction(&mut self) {
        self.end_statement();
        self.close_transaction_portals();
        let Some(open) = &mut self.transaction else { return };
        let options = open.txn.options();
        drop(open.txn.take());
        *self.hooks.pending_notifications.lock() = Default::default();
        open.txn.put(self.database.store.begin(options, self.shared.pid));
        open.savepoints.clear();
        open.memory.shrink(usize::MAX);
        (open.failed, open.expired) = (true, true);
        self.note_idle();
    }

    /// After an error: a block has failed until it is rolled back; an implicit transaction is rolled back at once.
    pub(crate) fn fail_transaction(&mut self) {
        self.end_statement();
        match &mut self.transaction {
            Some(open) if open.explicit => {
                open.failed = true;
                open.txn.fail();
                let kept = open.savepoints.last().map_or(0, |savepoint| savepoint.memory);
                open.memory.shrink(open.memory.bytes().saturating_sub(kept));
            }
            Some(_) => self.abandon_transaction(),
            None => {}
        }
    }

    /// Rolls back and forgets the current transaction.
    fn abandon_transaction(&mut self) {
        if let Some(open) = self.transaction.take() {
            self.database.statistics.rollbacks.add(1);
            self.close_transaction_portals();
            self.shared.settings.lock().roll_back_to(open.settings_mark);
            drop(open.txn.take());
        }
        *self.shared.role_changes.lock() = None;
        self.forget_notifications();
        self.after_transaction();
        self.shared.sync_identity();
    }

    fn forget_notifications(&self) {
        let mut pending = self.hooks.pending_notifications.lock();
        if !pending.is_empty() {
            *pending = Default::default();
        }
    }

    fn after_transaction(&mut self) {
        self.hooks.lock_memory.lock().transaction = None;
        self.shared.transaction_started(None);
        self.shared.transaction.store(0, Ordering::Relaxed);
        self.shared.settings.lock().transaction_ended();
    }

    /// Commits the current transaction, whatever began it.
    ///
    /// Errors: 40001 and the like; the transaction is then rolled back.
    pub(crate) async fn commit_transaction(&mut self) -> Result<()> {
        self.end_statement();
        if let Err(error) = self.before_commit().await {
            self.abandon_transaction();
            return Err(error);
        }
        let Some(open) = self.transaction.take() else { return Ok(()) };
        self.close_transaction_portals();
        let replaced = open.txn.replaced_tables();
        let role_changes = self.shared.role_changes.lock().take();
        let commit = || match role_changes {
            Some(changes) => self.cluster.clone().commit_roles(changes, || open.txn.commit()),
            None => open.txn.commit(),
        };
        let notifications = std::mem::take(&mut *self.hooks.pending_notifications.lock());
        let committed = match notifications.is_empty() {
            true => commit(),
            false => self.database.notifications.commit(&self.shared, &notifications, commit),
        };
        // Roles that did not merge have kept it from being committed.
        drop(open.txn.take());
        let mut settings = self.shared.settings.lock();
        match &committed {
            Ok(_) => settings.commit(),
            Err(_) => settings.roll_back_to(open.settings_mark),
        }
        drop(settings);
        if committed.is_ok() {
            self.charge_tables(&open, &replaced);
            self.database.statistics.commits.add(1);
        } else {
            self.database.statistics.rollbacks.add(1);
        }
        let was_large = open.memory.bytes() >= LARGE_CHANGES;
        drop(open);
        self.forget_ended_tables();
        if was_large {
            heap::give_back_freed();
        }
        self.after_transaction();
        self.shared.sync_identity();
        committed.map(|_| ())
    }

    /// What the transaction's changes hold is the tables' from now on, and so their owners'.
    fn charge_tables(&self, open: &OpenTransaction, replaced: &[storage::TableId]) {
        let (tables, memory) = (&self.database.table_memory, &self.cluster.memory);
        if !open.written.is_empty() || !replaced.is_empty() {
            tables.committed(&self.database.store, memory, &open.written, replaced);
        }
        if open.gives_away {
            tables.owners_changed(&self.database.store.catalog(), memory);
        }
    }

    /// All of a commit that may wait: deferred checks, then the locks of a SERIALIZABLE transaction and the checks made under them.
    async fn before_commit(&mut self) -> Result<()> {
        self.check_deferred_constraints().await?;
        self.run_on_commit_actions()?;
        while let Some(open) = &self.transaction
            && let Some(wait) = open.txn.prepare_commit()?
        {
            self.wait_for_lock(wait).await?;
        }
        self.certify_references().await?;
        self.end_statement();
        match &self.transaction {
            Some(open) if !open.written.only_frees() => self.check_room_to_commit(open.memory.bytes()),
            _ => Ok(()),
        }
    }

    /// Ends an implicit transaction: at the end of a query text, or at Sync.
    pub(crate) async fn end_implicit_transaction(&mut self) -> Result<()> {
        match &self.transaction {
            Some(open) if !open.explicit => self.commit_transaction().await,
            _ => Ok(()),
        }
    }

    /// Tells others what the session does between statements.
    pub(crate) fn note_idle(&self) {
        self.shared.became_idle(match self.transaction_status() {
            TransactionStatus::Idle => ActivityState::Idle,
            TransactionStatus::InBlock => ActivityState::IdleInTransaction,
            TransactionStatus::Failed => ActivityState::IdleInTransactionAborted,
        });
    }

    /// Runs a transaction control statement.
    pub(crate) async fn execute_transaction_control(&mut self, statement: &TransactionStmt) -> Result<Outcome> {
        let tag = match statement.kind() {
            TransactionStmtKind::TransStmtBegin => return self.execute_begin(statement, "BEGIN"),
            TransactionStmtKind::TransStmtStart => return self.execute_begin(statement, "START TRANSACTION"),
            TransactionStmtKind::TransStmtCommit => self.execute_commit(statement.chain).await?,
            TransactionStmtKind::TransStmtRollback => self.execute_rollback(statement.chain)?,
            TransactionStmtKind::TransStmtSavepoint => self.execute_savepoint(&statement.savepoint_name)?,
            TransactionStmtKind::TransStmtRelease => self.execute_release(&statement.savepoint_name)?,
            TransactionStmtKind::TransStmtRollbackTo => self.execute_rollback_to(&statement.savepoint_name)?,
            TransactionStmtKind::TransStmtPrepare => self.execute_prepare_transaction()?,
            kind @ (TransactionStmtKind::TransStmtCommitPrepared | TransactionStmtKind::TransStmtRollbackPrepared) => {
                let is_commit = kind == TransactionStmtKind::TransStmtCommitPrepared;
                self.refuse_in_block(if is_commit { "COMMIT PREPARED" } else { "ROLLBACK PREPARED" })?;
                return Err(Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("prepared transaction with identifier \"{}\" does not exist", statement.gid),
                ));
            }
            TransactionStmtKind::Undefined => return Err(Error::internal("a transaction statement without a kind")),
        };
        Ok(Outcome::Command(tag.to_owned()))
    }

    fn execute_begin(&mut self, statement: &TransactionStmt, tag: &str) -> Result<Outcome> {
        let modes = read_modes(&statement.options)?;
        if self.transaction.as_ref().is_some_and(|open| open.explicit) {
            self.warn(SqlState::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress");
            self.change_modes(modes)?;
        } else if let Some(open) = &mut self.transaction {
            // An implicit transaction of a query text or pipeline becomes the block.
            open.explicit = true;
            self.change_modes(modes)?;
        } else {
            let next = std::mem::take(&mut self.next_transaction);
            self.begin(modes.or(next), true);
        }
        Ok(Outcome::Command(tag.to_owned()))
    }

    async fn execute_commit(&mut self, chain: bool) -> Result<&'static str> {
        let Some(open) = self.transaction.as_ref().filter(|open| open.explicit) else {
            return self.without_block("COMMIT", chain).await;
        };
        let modes = modes_of(&open.txn);
        let failed = open.failed;
        if failed {
            self.abandon_transaction();
        } else {
            self.commit_transaction().await?;
        }
        if chain {
            self.begin(modes, true);
        }
        Ok(if failed { "ROLLBACK" } else { "COMMIT" })
    }

    fn execute_rollback(&mut self, chain: bool) -> Result<&'static str> {
        let Some(open) = self.transaction.as_ref().filter(|open| open.explicit) else {
            if chain {
                return Err(chain_outside_block("ROLLBACK AND CHAIN"));
            }
            self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
            self.abandon_transaction();
            return Ok("ROLLBACK");
        };
        let modes = modes_of(&open.txn);
        self.abandon_transaction();
        if chain {
            self.begin(modes, true);
        }
        Ok("ROLLBACK")
    }

    /// Prepared transactions are refused as by a PostgreSQL without any: the transaction is over then.
    fn execute_prepare_transaction(&mut self) -> Result<&'static str> {
        if self.transaction.as_ref().is_none_or(|open| !open.explicit || open.failed) {
            return self.execute_rollback(false);
        }
        self.abandon_transaction();
        Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "prepared transactions are disabled")
            .hint("Set max_prepared_transactions to a nonzero value."))
    }

    async fn without_block(&mut self, word: &'static str, chain: bool) -> Result<&'static str> {
        if chain {
            return Err(chain_outside_block("COMMIT AND CHAIN"));
        }
        self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
        self.commit_transaction().await?;
        Ok(word)
    }

    fn block(&mut self, statement: &str) -> Result<&mut OpenTransaction> {
        match &mut self.transaction {
            Some(open) if open.explicit => Ok(open),
            _ => Err(Error::new(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                format!("{statement} can only be used in transaction blocks"),
            )),
        }
    }

    fn execute_savepoint(&mut self, name: &str) -> Result<&'static str> {
        let settings = self.shared.settings.lock().mark();
        let roles = self.shared.role_changes.lock().clone();
        let notifications = self.hooks.pending_notifications.lock().mark();
        let open = self.block("SAVEPOINT")?;
        let savepoint = open.txn.savepoint();
        let deferred = open.deferred.mark();
        let memory = open.memory.bytes();
        let savepoint = NamedSavepoint { name: name.to_owned(), savepoint, settings, roles, deferred, notifications, memory };
        open.savepoints.push(savepoint);
        Ok("SAVEPOINT")
    }

    fn execute_release(&mut self, name: &str) -> Result<&'static str> {
        let open = self.block("RELEASE SAVEPOINT")?;
        let at = open.savepoint_position(name)?;
        let savepoint = open.savepoints[at].savepoint;
        open.savepoints.truncate(at);
        open.txn.release(savepoint);
        Ok("RELEASE")
    }

    fn execute_rollback_to(&mut self, name: &str) -> Result<&'static str> {
        let open = self.block("ROLLBACK TO SAVEPOINT")?;
        let at = open.savepoint_position(name)?;
        open.savepoints.truncate(at + 1);
        let (savepoint, settings) = (open.savepoints[at].savepoint, open.savepoints[at].settings);
        let roles = open.savepoints[at].roles.clone();
        open.txn.rollback_to(savepoint);
        open.memory.shrink(open.memory.bytes().saturating_sub(open.savepoints[at].memory));
        open.deferred.roll_back_to(&open.savepoints[at].deferred);
        open.failed = false;
        let notifications = open.savepoints[at].notifications;
        self.hooks.pending_notifications.lock().roll_back_to(notifications);
        *self.shared.role_changes.lock() = roles;
        self.shared.settings.lock().roll_back_to(settings);
        self.shared.sync_identity();
        self.close_failed_portals();
        Ok("ROLLBACK")
    }

    /// Applies SET TRANSACTION to the current transaction.
    ///
    /// Errors: 25001 once a query has run.
    pub(crate) fn change_modes(&mut self, modes: Modes) -> Result<()> {
        let open = self.transaction.as_mut().expect("called within a transaction");
        let current = open.txn.options();
        let active = |message: &str| Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message);
        if let Some(isolation) = modes.isolation
            && isolation != current.isolation
        {
            if !open.savepoints.is_empty() {
                return Err(active("SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction"));
            }
            if open.has_run_query {
                return Err(active("SET TRANSACTION ISOLATION LEVEL must be called before any query"));
            }
        }
        if modes.read_only == Some(false) && current.read_only {
            if !open.savepoints.is_empty() {
                return Err(active("cannot set transaction read-write mode inside a read-only transaction"));
            }
            if open.has_run_query {
                return Err(active("transaction read-write mode must be set before any query"));
            }
        }
        if modes.deferrable.is_some() {
            if !open.savepoints.is_empty() {
                return Err(active("SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction"));
            }
            if open.has_run_query {
                return Err(active("SET TRANSACTION [NOT] DEFERRABLE must be called before any query"));
            }
        }
        let options = TransactionOptions {
            isolation: modes.isolation.unwrap_or(current.isolation),
            read_only: modes.read_only.unwrap_or(current.read_only),
            deferrable: modes.deferrable.unwrap_or(current.deferrable),
        };
        open.txn.set_options(options);
        self.shared.settings.lock().transaction_began(isolation_name(options.isolation), options.read_only, options.deferrable);
        Ok(())
    }

    /// SET TRANSACTION, inside a block or (spec) for the next transaction.
    pub(crate) fn set_transaction(&mut self, modes: Modes) -> Result<()> {
        match &self.transaction {
            Some(open) if open.explicit || self.in_script => self.change_modes(modes),
            _ => {
                self.next_transaction = modes.or(self.next_transaction);
                Ok(())
            }
        }
    }

    /// Whether a block has failed: then only its end, or a savepoint's rollback, is allowed.
    pub(crate) fn refuse_in_failed_block(&mut self, is_way_out: bool) -> Result<()> {
        match &mut self.transaction {
            Some(open) if open.expired && !is_way_out => {
                open.expired = false;
                Err(Error::new(SqlState::from_code(b"25P04"), "canceling transaction due to transaction timeout"))
            }
            Some(open) if open.failed && !is_way_out => Err(Error::new(
                SqlState::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            )),
            _ => Ok(()),
        }
    }

    /// For statements that cannot be rolled back: CREATE DATABASE, VACUUM, ...
    pub(crate) fn refuse_in_block(&self, statement: &str) -> Result<()> {
        let in_block = self.transaction.as_ref().is_some_and(|open| open.explicit) || self.in_script;
        if in_block {
            return Err(Error::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                format!("{statement} cannot run inside a transaction block"),
            ));
        }
        Ok(())
    }

    /// For statements that make no sense outside one: LOCK TABLE, DECLARE CURSOR without HOLD.
    pub(crate) fn require_block(&self, statement: &str) -> Result<()> {
        match &self.transaction {
            Some(open) if open.explicit => Ok(()),
            _ if self.in_script => Ok(()),
            _ => Err(Error::new(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                format!("{statement} can only be used in transaction blocks"),
            )),
        }
    }
}

impl OpenTransaction {
    fn savepoint_position(&self, name: &str) -> Result<usize> {
        self.savepoints
            .iter()
            .rposition(|savepoint| savepoint.name == name)
            .ok_or_else(|| Error::new(SqlState::S_E_INVALID_SPECIFICATION, format!("savepoint \"{name}\" does not exist")))
    }
}

fn chain_outside_block(statement: &str) -> Error {
    Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, format!("{statement} can only be used in transaction blocks"))
}

fn modes_of(txn: &SharedTransaction) -> Modes {
    let options = txn.options();
    Modes { isolation: Some(options.isolation), read_only: Some(options.read_only), deferrable: Some(options.deferrable) }
}

/// The characteristics in a list of DefElems.
pub(crate) fn read_modes(options: &[pg_query::protobuf::Node]) -> Result<Modes> {
    use pg_query::NodeEnum;
    let mut modes = Modes::default();
    for option in options {
        let Some(NodeEnum::DefElem(element)) = &option.node else { continue };
        let constant = match element.arg.as_deref().and_then(|argument| argument.node.as_ref()) {
            Some(NodeEnum::AConst(constant)) => constant.val.as_ref(),
            _ => None,
        };
        use pg_query::protobuf::a_const::Val;
        match (element.defname.as_str(), constant) {
            ("transaction_isolation", Some(Val::Sval(level))) => modes.isolation = isolation_named(&level.sval),
            ("transaction_read_only", Some(Val::Ival(flag))) => modes.read_only = Some(flag.ival != 0),
            ("transaction_deferrable", Some(Val::Ival(flag))) => modes.deferrable = Some(flag.ival != 0),
            _ => return Err(Error::internal(format!("unknown transaction mode {}", element.defname))),
        }
    }
    Ok(modes)
}
