//! What the server has done since it started: counters of transactions, statements and errors, and how long statements took.
//!
//! A counter is added to once a statement or once a transaction, relaxed; rows are counted beside the tables (`storage::activity`).
//! What every statement adds to is there once for each of a few threads ([`Sharded`]), so that cores do not take it from each other.

mod sharded;
mod statements;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use storage::activity::Counter;
use types::SqlState;

use self::sharded::Sharded;
pub(crate) use self::statements::StatementStatistics;

/// Of one database (pg_stat_database).
#[derive(Debug, Default)]
pub struct DatabaseStatistics {
    pub commits: Counter,
    pub rollbacks: Counter,
    pub deadlocks: Counter,
    /// Opened ever.
    pub sessions: Counter,
}

/// Kinds of statement, as metrics tell them apart.
pub const CLASSES: [&str; 6] = ["select", "insert", "update", "delete", "transaction", "other"];

/// Upper bounds of the histogram's buckets, in microseconds.
pub const BUCKETS_US: [u64; 11] = [50, 100, 250, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 1_000_000, 10_000_000];

/// Of the whole server.
#[derive(Debug, Default)]
pub struct ServerStatistics {
    counts: Sharded<StatementCounts>,
    /// By the first two characters of their SQLSTATE.
    errors: Mutex<Vec<([u8; 2], u64)>>,
    pub(crate) statements: StatementStatistics,
}

#[derive(Debug, Default)]
struct StatementCounts {
    by_class: [Counter; CLASSES.len()],
    latencies: [Counter; BUCKETS_US.len() + 1],
    latency_sum_us: AtomicU64,
}

/// `get` of all shards, added up place by place.
fn sums<const N: usize>(counts: &Sharded<StatementCounts>, get: impl Fn(&StatementCounts) -> &[Counter; N]) -> [u64; N] {
    std::array::from_fn(|at| counts.iter().map(|shard| get(shard)[at].get()).sum())
}

impl ServerStatistics {
    pub(crate) fn statement_done(&self, class: usize, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let counts = self.counts.own();
        counts.by_class[class].add(1);
        counts.latencies[BUCKETS_US.partition_point(|bound| *bound < took_us)].add(1);
        counts.latency_sum_us.fetch_add(took_us, Ordering::Relaxed);
    }

    /// Statements by class.
    pub fn by_class(&self) -> [u64; CLASSES.len()] {
        sums(&self.counts, |counts| &counts.by_class)
    }

    /// Statements by how long they took; the last bucket is for longer ones.
    pub fn latencies(&self) -> [u64; BUCKETS_US.len() + 1] {
        sums(&self.counts, |counts| &counts.latencies)
    }

    pub fn latency_sum_us(&self) -> u64 {
        self.counts.iter().map(|counts| counts.latency_sum_us.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn error(&self, sqlstate: SqlState) {
        let class: [u8; 2] = sqlstate.code().as_bytes().first_chunk().copied().unwrap_or(*b"XX");
        let mut errors = self.errors.lock();
        match errors.iter_mut().find(|(known, _)| *known == class) {
            Some((_, count)) => *count += 1,
            None => errors.push((class, 1)),
        }
    }

    /// Errors by class of SQLSTATE.
    pub fn errors(&self) -> Vec<(String, u64)> {
        self.errors.lock().iter().map(|(class, count)| (String::from_utf8_lossy(class).into_owned(), *count)).collect()
    }
}

/// The class of a statement, by its first word.
pub(crate) fn class_of(text: &str) -> usize {
    let first = text.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let is = |words: &[&str]| words.iter().any(|word| first.eq_ignore_ascii_case(word));
    match () {
        () if is(&["select", "with", "values", "table"]) => 0,
        () if is(&["insert"]) => 1,
        () if is(&["update"]) => 2,
        () if is(&["delete"]) => 3,
        () if is(&["begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"]) => 4,
        () => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_counted_by_class_and_length() {
        let statistics = ServerStatistics::default();
        statistics.statement_done(class_of(" sElect 1"), Duration::from_micros(50));
        statistics.statement_done(class_of("WITH x AS (SELECT 1) TABLE x"), Duration::from_secs(100));
        statistics.statement_done(class_of("commit"), Duration::from_micros(51));
        assert_eq!(statistics.by_class(), [2, 0, 0, 0, 1, 0]);
        let latencies = statistics.latencies();
        assert_eq!((latencies[0], latencies[1], latencies[BUCKETS_US.len()]), (1, 1, 1));
        statistics.error(SqlState::OUT_OF_MEMORY);
        assert_eq!(statistics.errors(), [("53".to_owned(), 1)]);
    }
}
