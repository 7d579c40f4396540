//! The part of a session that others may look at or reach into: activity, cancellation, settings, notices.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use catalog::Role;
use expr::context::{CancelReason, Cancellation, NoticeLevel};
use parking_lot::Mutex;
use types::{Error, SqlState, TimestampTz};

use super::identity::{Identity, RoleChanges};
use crate::{
    clock,
    cluster::Database,
    limits::tighter,
    memory::SessionMemory,
    published_roles::PublishedRoles,
    settings::Settings,
    timer::{Deadline, Timer},
};

/// What a backend is doing (pg_stat_activity.state).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityState {
    Active,
    Idle,
    IdleInTransaction,
    IdleInTransactionAborted,
}

impl ActivityState {
    pub fn name(self) -> &'static str {
        match self {
            ActivityState::Active => "active",
            ActivityState::Idle => "idle",
            ActivityState::IdleInTransaction => "idle in transaction",
            ActivityState::IdleInTransactionAborted => "idle in transaction (aborted)",
        }
    }
}

/// A row of pg_stat_activity, as far as it changes.
#[derive(Clone, Debug)]
pub struct Activity {
    pub state: ActivityState,
    pub state_change: TimestampTz,
    /// The running or the last statement's text.
    pub query: Arc<str>,
    pub query_start: Option<TimestampTz>,
    pub transaction_start: Option<TimestampTz>,
    pub waiting: bool,
}

/// The shared part of a session.
pub struct SessionShared {
    pub pid: i32,
    /// Proves to a cancel request that it comes from the session's own client.
    pub secret: i32,
    /// The role that logged in.
    pub role: Arc<Role>,
    pub database: Arc<str>,
    pub database_oid: types::Oid,
    pub client: Option<SocketAddr>,
    pub tls: Option<Arc<crate::TlsFacts>>,
    pub(crate) memory: Arc<SessionMemory>,
    pub backend_start: TimestampTz,
    pub cancellation: Arc<Cancellation>,
    pub(crate) settings: Mutex<Settings>,
    /// The cluster's roles, and what the session's transaction has changed of them.
    pub(crate) published_roles: Arc<PublishedRoles>,
    pub(crate) role_changes: Mutex<Option<RoleChanges>>,
    pub(crate) identity: Mutex<Option<Arc<Identity>>>,
    activity: Mutex<Activity>,
    /// The open transaction's id; zero between transactions.
    pub(crate) transaction: AtomicU64,
    notices: Mutex<Vec<(NoticeLevel, Error)>>,
    /// Fails the lock wait the session is in, if any.
    waiting: Mutex<Option<txn::WaitHandle>>,
    /// What pg_prepared_statements and pg_cursors show.
    pub(crate) listed: Mutex<Listed>,
    /// Told when the session is to end; the server's task listens.
    on_terminate: Mutex<Option<Box<dyn Fn() + Send>>>,
    /// There may be notifications that the session has not read.
    notified: AtomicBool,
    /// Told when there are.
    on_notify: Mutex<Option<Box<dyn Fn() + Send>>>,
}

/// Prepared statements and cursors as the system views show them.
#[derive(Default)]
pub(crate) struct Listed {
    pub prepared: Vec<crate::system_catalog::PreparedFacts>,
    pub cursors: Vec<crate::system_catalog::CursorFacts>,
}

/// Unread notices are kept up to this many; a statement that raises more loses the oldest.
const NOTICE_LIMIT: usize = 10_000;

impl SessionShared {
    pub(crate) fn new(
        pid: i32,
        role: Arc<Role>,
        published_roles: Arc<PublishedRoles>,
        database: &Database,
        settings: Settings,
        client: Option<SocketAddr>,
        memory: Arc<SessionMemory>,
    ) -> SessionShared {
        let now = clock::now();
        SessionShared {
            pid,
            secret: rand::random(),
            role,
            database: database.name.clone(),
            database_oid: database.oid,
            client,
            tls: None,
            memory,
            backend_start: now,
            cancellation: Arc::default(),
            settings: Mutex::new(settings),
            published_roles,
            role_changes: Mutex::default(),
            identity: Mutex::default(),
            activity: Mutex::new(Activity {
                state: ActivityState::Idle,
                state_change: now,
                query: "".into(),
                query_start: None,
                transaction_start: None,
                waiting: false,
            }),
            transaction: AtomicU64::new(0),
            notices: Mutex::default(),
            waiting: Mutex::default(),
            listed: Mutex::default(),
            on_terminate: Mutex::default(),
            notified: AtomicBool::new(false),
            on_notify: Mutex::default(),
        }
    }

    pub fn activity(&self) -> Activity {
        let mut activity = self.activity.lock().clone();
        activity.waiting = self.waiting.lock().is_some();
        activity
    }

    pub(crate) fn statement_started(&self, text: &str, now: TimestampTz) {
        /// track_activity_query_size, less PostgreSQL's closing byte.
        const MOST_BYTES: usize = 1023;
        let text = &text[..text.floor_char_boundary(MOST_BYTES)];
        let mut activity = self.activity.lock();
        activity.state = ActivityState::Active;
        activity.state_change = now;
        activity.query_start = Some(now);
        if &*activity.query != text {
            activity.query = text.into();
        }
    }

    pub(crate) fn transaction_started(&self, start: Option<TimestampTz>) {
        self.activity.lock().transaction_start = start;
    }

    pub(crate) fn became_idle(&self, state: ActivityState) {
        let mut activity = self.activity.lock();
        if activity.state != state {
            activity.state = state;
            activity.state_change = clock::now();
        }
    }

    pub fn application_name(&self) -> String {
        self.settings.lock().get("application_name").unwrap_or_default().to_owned()
    }

    /// Asks the running statement to stop; without one, nothing happens.
    pub fn cancel(&self, reason: CancelReason) {
        if reason == CancelReason::UserRequest && self.activity.lock().state != ActivityState::Active {
            return;
        }
        self.cancellation.request(reason);
        if let Some(wait) = self.waiting.lock().as_ref()
            && let Err(error) = self.cancellation.check()
        {
            wait.fail(error);
        }
    }

    /// Ends the session: its statement is cancelled and its connection closed.
    pub fn terminate(&self) {
        self.cancel(CancelReason::Terminate);
        if let Some(tell) = self.on_terminate.lock().as_ref() {
            tell();
        }
    }

    /// Bytes the session holds beyond what is committed.
    pub(crate) fn memory_bytes(&self) -> i64 {
        i64::try_from(self.memory.used()).unwrap_or(i64::MAX)
    }

    /// Registers what ends the session's connection.
    pub fn on_terminate(&self, tell: impl Fn() + Send + 'static) {
        *self.on_terminate.lock() = Some(Box::new(tell));
    }

    /// Registers what is told when notifications have come; they are taken with [`super::Session::take_notifications`].
    pub fn on_notify(&self, tell: impl Fn() + Send + 'static) {
        *self.on_notify.lock() = Some(Box::new(tell));
    }

    pub(crate) fn notify_of_notifications(&self) {
        self.notify_of_more();
        if let Some(tell) = self.on_notify.lock().as_ref() {
            tell();
        }
    }

    pub(crate) fn has_notifications(&self) -> bool {
        self.notified.load(Ordering::Acquire)
    }

    pub(crate) fn notifications_seen(&self) {
        self.notified.store(false, Ordering::SeqCst);
    }

    /// What was taken was perhaps not all.
    pub(crate) fn notify_of_more(&self) {
        self.notified.store(true, Ordering::SeqCst);
    }

    /// Lets others end a lock wait that is about to begin: those who cancel the statement, and lock_timeout while the guard lives.
    ///
    /// `limit_ms` is what the configuration allows; 0 is no limit.
    pub(crate) fn begin_lock_wait(&self, wait: &txn::LockWait, timer: &Timer, limit_ms: u64) -> Option<Deadline> {
        let timeout_ms = tighter(self.settings.lock().every_statement().lock_timeout_ms, limit_ms);
        self.set_waiting(Some(wait.handle()));
        (timeout_ms > 0).then(|| {
            let handle = wait.handle();
            timer.after(Duration::from_millis(timeout_ms), move || {
                let error = Error::new(SqlState::LOCK_NOT_AVAILABLE, "lock timeout exceeded");
                handle.fail(error.detail("canceling statement due to lock timeout"));
            })
        })
    }

    pub(crate) fn set_waiting(&self, wait: Option<txn::WaitHandle>) {
        *self.waiting.lock() = wait;
    }

    /// Keeps a notice for the client, unless client_min_messages is above it; INFO is for whoever asked for it.
    pub(crate) fn add_notice(&self, level: NoticeLevel, notice: Error) {
        let is_wanted = match self.settings.lock().get("client_min_messages").unwrap_or("notice") {
            "error" => false,
            "warning" => level == NoticeLevel::Warning,
            "notice" => matches!(level, NoticeLevel::Warning | NoticeLevel::Notice),
            "log" => level != NoticeLevel::Debug,
            _ => true,
        };
        if !is_wanted && level != NoticeLevel::Info {
            return;
        }
        let mut notices = self.notices.lock();
        if notices.len() == NOTICE_LIMIT {
            notices.remove(0);
        }
        notices.push((level, notice));
    }

    /// Notices raised since the last call.
    pub fn take_notices(&self) -> Vec<(NoticeLevel, Error)> {
        let mut notices = self.notices.lock();
        if notices.is_empty() { Vec::new() } else { std::mem::take(&mut *notices) }
    }
}
