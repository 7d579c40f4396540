//! How long the session's statements take and what they give: for pg_stat_statements, metrics and the log of slow statements.
//!
//! A statement begins in [`Session::note_statement`] and ends in [`Session::statement_done`]; one that fails is counted as an error
//! ([`Session::note_error`]) and not as a call.

use std::time::{Duration, Instant};

use types::{Error, SqlState};

use super::{Outcome, Session};
use crate::{statement_class::without_secrets, statement_text::StatementName};

/// The statement that runs.
pub(crate) struct Running {
    begun: Instant,
    name: StatementName,
    rows: u64,
}

impl Session {
    /// A statement begins whose text has its parameters in place.
    pub(crate) fn note_statement(&mut self, name: &StatementName) {
        self.running = Some(Running { begun: Instant::now(), name: name.clone(), rows: 0 });
    }

    /// A statement begins whose text may have literals.
    pub(crate) fn note_statement_text(&mut self, text: &str) {
        self.note_statement(&StatementName::new(text, false));
    }

    pub(crate) fn note_rows(&mut self, rows: usize) {
        if let Some(running) = &mut self.running {
            running.rows += rows as u64;
        }
    }

    /// The rows of a statement that returns none are told by its command tag.
    pub(crate) fn note_outcome(&mut self, outcome: &Outcome) {
        if let (Outcome::Command(tag), Some(running)) = (outcome, &mut self.running) {
            running.rows = tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
        }
    }

    pub(crate) fn statement_done(&mut self) {
        let Some(running) = self.running.take() else { return };
        let took = running.begun.elapsed();
        let statistics = &self.cluster.statistics;
        statistics.statement_done(running.name.class, took);
        let (user, database) = (self.shared.role.oid, self.database.oid);
        statistics.statements.record(user, database, &running.name, took, running.rows);
        self.log_if_slow(&running, took);
    }

    /// What `log_min_duration_statement` asks for; its text as pg_stat_activity shows it to others.
    fn log_if_slow(&self, running: &Running, took: Duration) {
        let limit_ms = self.shared.settings.lock().every_statement().log_min_duration_ms;
        if limit_ms.is_some_and(|limit_ms| took >= Duration::from_millis(limit_ms)) {
            tracing::warn!(
                target: "slow_query",
                pid = self.shared.pid,
                user = &*self.shared.role.name,
                database = &*self.shared.database,
                duration_ms = took.as_secs_f64() * 1000.0,
                rows = running.rows,
                statement = &*without_secrets(&self.shared.activity().query, None),
                "slow statement"
            );
        }
    }

    pub(crate) fn note_error(&mut self, error: &Error) {
        self.running = None;
        self.cluster.statistics.error(error.sqlstate());
        if error.sqlstate() == SqlState::T_R_DEADLOCK_DETECTED {
            self.database.statistics.deadlocks.add(1);
        }
    }
}
