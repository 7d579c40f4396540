//! A session: the one door through which every statement comes, from the wire, the shell and embedding programs alike.
//!
//! A statement's life here: [`Session::parse`] cuts the text into statements; [`Session::execute`] (simple) or
//! [`Session::execute_portal`] (extended) runs one and returns an [`Outcome`]; rows are pulled with [`Session::next_batch`];
//! [`Session::finish_statement`] or [`Session::sync`] ends the implicit transaction.

use std::sync::Arc;

pub use binder::ParsedStatement;
use catalog::type_names::Names;
use expr::context::NoticeLevel;
use hashbrown::HashMap;
use types::{Error, Result, SqlState};

use crate::{
    clock,
    cluster::{Cluster, Database},
    offload::{Here, Offload},
};

mod advisory;
pub mod cursor;
mod deferrable_keys;
mod deferred_constraints;
pub mod environment;
pub mod extended;
pub mod hooks;
pub(crate) mod identity;
mod lock_rows;
mod memory;
mod monitoring;
mod notify;
pub(crate) mod on_commit;
pub mod outcome;
pub mod query;
pub(crate) mod referential_integrity;
mod rerun;
mod shaped;
pub mod shared;
pub(crate) mod shared_transaction;
pub mod statement;
pub mod transaction_control;
pub mod utility;

pub(crate) use extended::PlanUses;
pub use extended::{Portal, PreparedStatement};
pub use outcome::{Outcome, Rows};
pub use shared::SessionShared;
pub use transaction_control::TransactionStatus;

use transaction_control::{NextTransaction, OpenTransaction};

/// One client's session.
pub struct Session {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) database: Arc<Database>,
    pub(crate) shared: Arc<SessionShared>,
    pub(crate) hooks: Arc<hooks::Hooks>,
    pub(crate) transaction: Option<OpenTransaction>,
    /// What SET TRANSACTION outside a block has asked of the next transaction.
    pub(crate) next_transaction: NextTransaction,
    pub(crate) prepared: HashMap<Arc<str>, Arc<PreparedStatement>>,
    pub(crate) portals: HashMap<Arc<str>, Portal>,
    pub(crate) cursors: cursor::Cursors,
    pub(crate) names: environment::NamesCache,
    /// Whether the running query text holds several statements, which then share one implicit transaction.
    pub(crate) in_script: bool,
    pub(crate) has_temporary_schema: bool,
    /// Temporary tables that a commit empties or drops.
    pub(crate) on_commit: Vec<(types::Oid, on_commit::OnCommit)>,
    /// Statements read the newest committed rows whatever the isolation level: checks of foreign keys.
    pub(crate) reads_newest: bool,
    /// A statement of the system's own is running, to which rights do not apply: what a foreign key asks for is done as the tables' owners.
    pub(crate) is_internal: bool,
    pub(crate) offload: Arc<dyn Offload>,
    running: Option<monitoring::Running>,
}

impl Session {
    pub(crate) fn new(cluster: Arc<Cluster>, database: Arc<Database>, shared: Arc<SessionShared>) -> Session {
        let hooks = Arc::new(hooks::Hooks::new(&cluster, &database, &shared));
        Session {
            cluster,
            database,
            shared,
            hooks,
            transaction: None,
            next_transaction: NextTransaction::default(),
            prepared: HashMap::new(),
            portals: HashMap::new(),
            cursors: cursor::Cursors::new(),
            names: environment::NamesCache::default(),
            in_script: false,
            has_temporary_schema: false,
            on_commit: Vec::new(),
            reads_newest: false,
            is_internal: false,
            offload: Arc::new(Here),
            running: None,
        }
    }

    /// The part of the session that other threads may use: activity, cancellation, notices.
    pub fn shared(&self) -> &Arc<SessionShared> {
        &self.shared
    }

    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    pub fn pid(&self) -> i32 {
        self.shared.pid
    }

    /// Cuts a query text into statements and notes it as the session's current activity.
    ///
    /// Errors: 42601 and 54001 with positions in characters. The transaction, if any, has failed then.
    pub fn parse(&mut self, sql: &str) -> Result<Vec<ParsedStatement>> {
        self.shared.cancellation.clear();
        self.shared.statement_started(sql, clock::now());
        match self.check_room_to_parse(sql).and_then(|()| binder::parse::parse(sql)) {
            Ok(statements) => {
                self.in_script = statements.len() > 1;
                Ok(statements)
            }
            Err(error) => Err(self.failed(error, sql)),
        }
    }

    /// What every error on its way out does: the transaction fails, and byte positions become character positions.
    pub(crate) fn failed(&mut self, error: Error, sql: &str) -> Error {
        let error = self.with_stack_depth(error);
        self.note_error(&error);
        self.fail_transaction();
        if error.sqlstate() == SqlState::OUT_OF_MEMORY {
            // What has been freed on this thread is of use to the others only when it is given back.
            heap::give_back_freed();
        }
        position_in_characters(error, sql)
    }

    /// The hint beside 54001 names the session's own max_stack_depth, which those who raise it do not know.
    fn with_stack_depth(&self, error: Error) -> Error {
        const DEFAULT: &str = "(currently 2048kB)";
        let Some(hint) = error.fields().hint.as_deref().filter(|hint| hint.contains(DEFAULT)) else { return error };
        let Ok(shown) = self.shared.settings.lock().show("max_stack_depth") else { return error };
        let kilobytes = match shown.strip_suffix("MB").and_then(|number| number.parse::<u64>().ok()) {
            Some(megabytes) => format!("{}kB", megabytes * 1024),
            None => shown,
        };
        let hint = hint.replace(DEFAULT, &format!("(currently {kilobytes})"));
        error.hint(hint)
    }

    /// Types of a result's columns as its description tells them.
    pub fn wire_types(&self, columns: &[plan::OutputColumn]) -> Vec<crate::system_catalog::WireType> {
        environment::wire_types(self, columns)
    }

    /// Names under the session's search path, as the current statement sees the catalog.
    pub(crate) fn names(&mut self) -> Result<Arc<Names>> {
        self.open_transaction()?;
        environment::names(self)
    }

    pub(crate) fn warn(&self, sqlstate: SqlState, message: &str) {
        self.shared.add_notice(NoticeLevel::Warning, Error::new(sqlstate, message));
    }

    pub(crate) fn notice(&self, message: impl Into<String>) {
        self.shared.add_notice(NoticeLevel::Notice, Error::new(SqlState::SUCCESSFUL_COMPLETION, message));
    }

    /// Settings announced to clients that changed since the last call.
    pub fn take_changed_settings(&mut self) -> Vec<(&'static str, String)> {
        self.shared.settings.lock().take_unreported()
    }

    /// Whether the client reads for a dump, which gives way to transactions.
    pub fn is_dump(&self) -> bool {
        self.shared.settings.lock().is_dump()
    }

    /// A setting as SHOW prints it.
    pub fn setting(&self, name: &str) -> Result<String> {
        self.shared.settings.lock().show(name)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.portals.clear();
        self.transaction = None;
        drop(self.hooks.transaction.take());
        self.end_temporary_schema();
        self.hooks.release_advisory_locks();
        self.database.notifications.forget(self.shared.pid);
        self.cluster.disconnected(self.shared.pid);
    }
}

/// Positions are byte offsets plus one while an error travels; clients count characters.
fn position_in_characters(mut error: Error, sql: &str) -> Error {
    if let Some(position) = error.fields().position {
        let offset = (position - 1).min(sql.len());
        let characters = sql.bytes().take(offset).filter(|byte| (byte & 0xC0) != 0x80).count();
        error.fields_mut().position = Some(characters + 1);
    }
    error
}

impl Session {
    /// Long work is handed to this.
    pub fn set_offload(&mut self, offload: Arc<dyn Offload>) {
        *self.hooks.offload.lock() = offload.clone();
        self.offload = offload;
    }

    /// An error found in a message before it became a statement: the transaction fails as for any other.
    pub fn refuse_message(&mut self, error: Error) -> Error {
        self.note_error(&error);
        self.fail_transaction();
        error
    }

    pub fn take_notices(&mut self) -> Vec<(NoticeLevel, Error)> {
        self.shared.take_notices()
    }

    /// Forgets the unnamed statement and portal, as a simple query does.
    pub fn drop_unnamed(&mut self) {
        self.close_statement("");
        self.close_portal("");
    }

    /// Whether somebody has ended the session.
    pub fn is_terminated(&self) -> bool {
        self.shared.cancellation.check().is_err_and(|error| error.sqlstate() == SqlState::ADMIN_SHUTDOWN)
    }
}
