//! What the configuration grants sessions: how many, how long, and what they start with. A session's own settings can only tighten it.

use std::time::Duration;

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
        let limits = self.cluster.limits();
        let settings = self.shared.settings.lock();
        if self.transaction_status() == TransactionStatus::Idle {
            let limit_ms = tighter(settings.milliseconds("idle_session_timeout"), limits.idle_session_ms);
            let error = Error::new(SqlState::IDLE_SESSION_TIMEOUT, "terminating connection due to idle-session timeout");
            return (limit_ms > 0).then(|| (Duration::from_millis(limit_ms), IdleEnd::Session(error)));
        }
        let idle_ms = settings.milliseconds("idle_in_transaction_session_timeout");
        drop(settings);
        let idle = (idle_ms > 0).then(|| {
            let message = "terminating connection due to idle-in-transaction timeout";
            let error = Error::new(SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, message);
            (Duration::from_millis(idle_ms), IdleEnd::Session(error))
        });
        let left = self.transaction_time_left().map(|left| (left, IdleEnd::Transaction));
        match (idle, left) {
            (Some(idle), Some(left)) => Some(if idle.0 < left.0 { idle } else { left }),
            (one, other) => one.or(other),
        }
    }
}
