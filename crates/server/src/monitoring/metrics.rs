//! The server's figures in Prometheus' text format.

use std::fmt::Write;

use engine::{
    Cluster,
    session::shared::ActivityState,
    statistics::{BUCKETS_US, CLASSES},
};

/// A text being written, metric by metric.
struct Page(String);

impl Page {
    fn describe(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP heliosdb_{name} {help}\n# TYPE heliosdb_{name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "heliosdb_{name}{labels} {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.describe(name, kind, help);
        self.value(name, &[], value);
    }
}

pub(super) fn text(cluster: &Cluster) -> String {
    let mut page = Page(String::new());
    sessions(&mut page, cluster);
    databases(&mut page, cluster);
    statements(&mut page, cluster);
    let memory = &cluster.memory;
    page.single("memory_bytes", "gauge", "Memory counted for all sessions and tables", memory.used());
    page.single("memory_limit_bytes", "gauge", "The server's memory limit; 0 for none", memory.limit());
    let resident = engine::memory::resident_bytes().unwrap_or(0);
    page.single("process_resident_memory_bytes", "gauge", "Resident memory of the process", resident);
    let uptime_us = engine::now().0.saturating_sub(cluster.started.0);
    page.single("uptime_seconds", "gauge", "Time since the server started", uptime_us as f64 / 1e6);
    page.0
}

fn sessions(page: &mut Page, cluster: &Cluster) {
    let activities: Vec<_> = cluster.sessions().iter().map(|session| session.activity()).collect();
    page.describe("sessions", "gauge", "Sessions by state");
    for state in
        [ActivityState::Active, ActivityState::Idle, ActivityState::IdleInTransaction, ActivityState::IdleInTransactionAborted]
    {
        let count = activities.iter().filter(|activity| activity.state == state).count();
        page.value("sessions", &[("state", state.name())], count);
    }
    let waiting = activities.iter().filter(|activity| activity.waiting).count();
    page.single("sessions_waiting_for_locks", "gauge", "Sessions that wait for a lock", waiting);
}

fn databases(page: &mut Page, cluster: &Cluster) {
    let databases = cluster.databases();
    page.describe("transactions_total", "counter", "Transactions by their end");
    for database in &databases {
        let (statistics, name) = (&database.statistics, ("database", &*database.name));
        page.value("transactions_total", &[name, ("end", "commit")], statistics.commits.get());
        page.value("transactions_total", &[name, ("end", "rollback")], statistics.rollbacks.get());
    }
    page.describe("deadlocks_total", "counter", "Deadlocks found");
    for database in &databases {
        page.value("deadlocks_total", &[("database", &*database.name)], database.statistics.deadlocks.get());
    }
    page.describe("sessions_total", "counter", "Sessions opened");
    for database in &databases {
        page.value("sessions_total", &[("database", &*database.name)], database.statistics.sessions.get());
    }
}

fn statements(page: &mut Page, cluster: &Cluster) {
    let statistics = &cluster.statistics;
    page.describe("statements_total", "counter", "Statements that succeeded, by class");
    for (class, count) in CLASSES.iter().zip(statistics.by_class()) {
        page.value("statements_total", &[("class", class)], count);
    }
    page.describe("statement_duration_seconds", "histogram", "How long statements took");
    let mut sum = 0;
    for (at, count) in statistics.latencies().into_iter().enumerate() {
        sum += count;
        let bound = BUCKETS_US.get(at).map_or("+Inf".to_owned(), |bound| (*bound as f64 / 1e6).to_string());
        page.value("statement_duration_seconds_bucket", &[("le", &bound)], sum);
    }
    page.value("statement_duration_seconds_sum", &[], statistics.latency_sum_us() as f64 / 1e6);
    page.value("statement_duration_seconds_count", &[], sum);
    page.describe("errors_total", "counter", "Errors by the class of their SQLSTATE");
    for (class, count) in statistics.errors() {
        page.value("errors_total", &[("class", &class)], count);
    }
}
