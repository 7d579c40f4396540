//! What the configuration grants sessions: how many, how long, and what they start with. A session's own settings can only tighten it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use types::{Error, SqlState};

use crate::session::{Session, TransactionStatus};

/// Limits of the whole server; 0 is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionLimits {
    pub sessions_per_user: usize,
    pub idle_session_ms: u64,
    pub transaction_ms: u64,
    /// Bytes that a user's sessions and tables may take together.
    pub memory_per_user: usize,
    /// Bytes that all of them may take.
    pub memory: usize,
    pub lock_wait_ms: u64,
    /// Settings that sessions start with: lock_timeout, default_transaction_isolation.
    pub defaults: Vec<(String, String)>,
    /// What SHOW tells of the server, in base units, and nobody can set: port, max_connections, ssl.
    pub shown: Vec<(&'static str, String)>,
}

/// Those of [`SessionLimits`] that every statement asks for, to be read without a lock; 0 is no limit.
#[derive(Debug, Default)]
pub(crate) struct SilenceLimits {
    idle_session_ms: AtomicU64,
    transaction_ms: AtomicU64,
}

impl SilenceLimits {
    pub(crate) fn set(&self, limits: &SessionLimits) {
        self.idle_session_ms.store(limits.idle_session_ms, Ordering::Relaxed);
        self.transaction_ms.store(limits.transaction_ms, Ordering::Relaxed);
    }

    pub(crate) fn idle_session_ms(&self) -> u64 {
        self.idle_session_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn transaction_ms(&self) -> u64 {
        self.transaction_ms.load(Ordering::Relaxed)
    }
}

/// The smaller of two limits of which 0 is none.
pub fn tighter(one: u64, other: u64) -> u64 {
    match (one, other) {
        (0, limit) | (limit, 0) => limit,
        _ => one.min(other),
    }
}

/// What happens to a session that stays idle for so long.
#[derive(Debug)]
pub enum IdleEnd {
    /// The connection ends with this error.
    Session(Error),
    /// The transaction is rolled back and the session stays: [`Session::expire_transaction`].
    Transaction,
}

impl Session {
    /// How long the client may stay silent now, and what happens then.
    pub fn idle_limit(&self) -> Option<(Duration, IdleEnd)> {
        let (session_ms, transaction_ms) = {
            let settings = self.shared.settings.lock();
            let settings = settings.every_statement();
            (settings.idle_session_timeout_ms, settings.idle_in_transaction_timeout_ms)
        };
        if self.transaction_status() == TransactionStatus::Idle {
            let limit_ms = tighter(session_ms, self.cluster.silence_limits.idle_session_ms());
            return (limit_ms > 0).then(|| {
                let error = Error::new(SqlState::IDLE_SESSION_TIMEOUT, "terminating connection due to idle-session timeout");
                (Duration::from_millis(limit_ms), IdleEnd::Session(error))
            });
        }
        let idle = (transaction_ms > 0).then(|| {
            let message = "terminating connection due to idle-in-transaction timeout";
            let error = Error::new(SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, message);
            (Duration::from_millis(transaction_ms), IdleEnd::Session(error))
        });
        let left = self.transaction_time_left().map(|left| (left, IdleEnd::Transaction));
        match (idle, left) {
            (Some(idle), Some(left)) => Some(if idle.0 < left.0 { idle } else { left }),
            (one, other) => one.or(other),
        }
    }
}
