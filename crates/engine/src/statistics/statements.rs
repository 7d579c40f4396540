//! pg_stat_statements: calls, times and rows by statement, user and database; statements that differ only in literals are one.

use std::{sync::Arc, time::Duration};

use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use types::Oid;

use super::sharded::Sharded;
use crate::{statement_text::StatementName, system_catalog::StatementFacts};

/// Statements remembered at a time by all threads; when one has more than its part, those it called least are forgotten.
const CAPACITY: usize = 5000;
const PART: usize = CAPACITY / Sharded::<Entries>::COUNT;
/// How many go at once.
const FORGOTTEN: usize = PART / 20;

type Key = (Oid, Oid, i64);
type Entries = RwLock<HashMap<Key, Arc<Entry>>>;

#[derive(Debug, Default)]
pub(crate) struct StatementStatistics(Sharded<Entries>);

#[derive(Debug)]
struct Entry {
    text: Arc<str>,
    timing: Mutex<Timing>,
}

/// Calls so far, times in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timing {
    calls: u64,
    rows: u64,
    total_ms: f64,
    least_ms: f64,
    most_ms: f64,
    /// Sum of squared differences from the mean (Welford).
    squares: f64,
}

impl Timing {
    pub(crate) fn add(&mut self, took: Duration, rows: u64) {
        let ms = took.as_secs_f64() * 1000.0;
        let mean_before = if self.calls > 0 { self.total_ms / self.calls as f64 } else { ms };
        (self.least_ms, self.most_ms) = if self.calls == 0 { (ms, ms) } else { (self.least_ms.min(ms), self.most_ms.max(ms)) };
        self.calls += 1;
        self.rows += rows;
        self.total_ms += ms;
        self.squares += (ms - mean_before) * (ms - self.total_ms / self.calls as f64);
    }

    /// What both have seen (Chan et al.).
    fn merged(self, other: Timing) -> Timing {
        if self.calls == 0 || other.calls == 0 {
            return if self.calls == 0 { other } else { self };
        }
        let (own, others) = (self.calls as f64, other.calls as f64);
        let apart = other.total_ms / others - self.total_ms / own;
        Timing {
            calls: self.calls + other.calls,
            rows: self.rows + other.rows,
            total_ms: self.total_ms + other.total_ms,
            least_ms: self.least_ms.min(other.least_ms),
            most_ms: self.most_ms.max(other.most_ms),
            squares: self.squares + other.squares + apart * apart * own * others / (own + others),
        }
    }

    fn deviation_ms(&self) -> f64 {
        if self.calls > 1 { (self.squares / self.calls as f64).sqrt() } else { 0.0 }
    }
}

impl StatementStatistics {
    pub(crate) fn record(&self, user: Oid, database: Oid, name: &StatementName, took: Duration, rows: u64) {
        let key = (user, database, name.id);
        let shard = self.0.own();
        let known = shard.read().get(&key).cloned();
        let entry = match known {
            Some(entry) => entry,
            None => {
                let mut entries = shard.write();
                if entries.len() >= PART {
                    forget_rare(&mut entries);
                }
                let new = || Arc::new(Entry { text: name.text.clone(), timing: Mutex::default() });
                entries.entry(key).or_insert_with(new).clone()
            }
        };
        entry.timing.lock().add(took, rows);
    }

    pub(crate) fn reset(&self) {
        self.0.iter().for_each(|shard| shard.write().clear());
    }

    pub(crate) fn all(&self) -> Vec<StatementFacts> {
        let mut all: HashMap<Key, (Arc<str>, Timing)> = HashMap::new();
        for shard in self.0.iter() {
            for (key, entry) in shard.read().iter() {
                let (_, timing) = all.entry(*key).or_insert_with(|| (entry.text.clone(), Timing::default()));
                *timing = timing.merged(*entry.timing.lock());
            }
        }
        let facts = |((user, database, id), (text, timing)): (Key, (Arc<str>, Timing))| {
            let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            StatementFacts {
                user,
                database,
                query_id: Some(id),
                query: text,
                calls: count(timing.calls),
                rows: count(timing.rows),
                total_ms: timing.total_ms,
                least_ms: timing.least_ms,
                most_ms: timing.most_ms,
                deviation_ms: timing.deviation_ms(),
            }
        };
        all.into_iter().map(facts).collect()
    }
}

fn forget_rare(entries: &mut HashMap<Key, Arc<Entry>>) {
    let mut calls: Vec<(u64, Key)> = entries.iter().map(|(key, entry)| (entry.timing.lock().calls, *key)).collect();
    calls.sort_unstable();
    calls.iter().take(FORGOTTEN).for_each(|(_, key)| drop(entries.remove(key)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up() {
        let mut timing = Timing::default();
        for ms in [2, 4, 9] {
            timing.add(Duration::from_millis(ms), 10);
        }
        assert_eq!((timing.calls, timing.rows, timing.least_ms, timing.most_ms), (3, 30, 2.0, 9.0));
        assert!((timing.total_ms - 15.0).abs() < 1e-9);
        // The population's deviation, as pg_stat_statements has it.
        assert!((timing.deviation_ms() - (26.0_f64 / 3.0).sqrt()).abs() < 1e-9);
        // Two threads' together are as if one had seen all.
        let (mut one, mut other) = (Timing::default(), Timing::default());
        one.add(Duration::from_millis(2), 10);
        [4, 9].iter().for_each(|ms| other.add(Duration::from_millis(*ms), 10));
        let merged = Timing::default().merged(one).merged(other);
        assert_eq!((merged.calls, merged.rows, merged.least_ms, merged.most_ms), (3, 30, 2.0, 9.0));
        assert!((merged.deviation_ms() - timing.deviation_ms()).abs() < 1e-9);
    }

    #[test]
    fn what_is_rare_goes_first_and_the_number_is_bounded() {
        let statements = StatementStatistics::default();
        let name = |id: i64| StatementName { id, text: "SELECT 1".into(), class: 0 };
        for _ in 0..2 {
            statements.record(Oid(10), Oid(5), &name(0), Duration::ZERO, 1);
        }
        for id in 1..(CAPACITY as i64 + 100) {
            statements.record(Oid(10), Oid(5), &name(id), Duration::ZERO, 1);
        }
        let all = statements.all();
        assert!(all.len() <= CAPACITY, "{}", all.len());
        assert!(all.iter().any(|statement| statement.query_id == Some(0)));
    }
}
