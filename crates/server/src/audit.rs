//! The audit trail: who connected, who failed to, what they ran, how it ended. One JSON object a line.
//!
//! **Invariants.** A network thread never waits for the file: a record that finds the queue full is counted, and the count is written when
//! there is room again ([`writer`]). No secret gets in: values of parameters and texts of errors are never recorded, and a statement that
//! may hold a password is recorded up to its first literal ([`engine::statement_class`]).

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use engine::statement_class::{self, Class};
use types::{Error, SqlState};

mod writer;

pub use writer::Rotation;
use writer::Writer;

/// Which statements are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    None,
    /// Definitions and roles.
    Ddl,
    /// Those, and what changes data.
    Mod,
    All,
}

impl Scope {
    fn includes(self, class: Class) -> bool {
        match class {
            Class::Ddl | Class::Role => self >= Scope::Ddl,
            Class::Write => self >= Scope::Mod,
            Class::Read | Class::Transaction | Class::Misc => self == Scope::All,
        }
    }
}

/// What is recorded, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditOptions {
    pub file: PathBuf,
    pub statements: Scope,
    pub rotation: Rotation,
}

/// The trail in force.
#[derive(Clone)]
pub struct Audit {
    options: AuditOptions,
    writer: Arc<Writer>,
}

/// Longer statements are cut off.
const LONGEST_STATEMENT: usize = 16 * 1024;

impl Audit {
    /// Opens the file and starts the thread that writes to it.
    ///
    /// Errors: F0000, the file cannot be opened.
    pub fn start(options: &AuditOptions) -> types::Result<Audit> {
        Ok(Audit { options: options.clone(), writer: Arc::new(Writer::start(&options.file, options.rotation)?) })
    }

    /// The trail under other options: the same writer, its file opened anew, if it is still the same file.
    ///
    /// Errors: as [`Audit::start`].
    pub fn under(&self, options: &AuditOptions) -> types::Result<Audit> {
        if options.file != self.options.file {
            return Audit::start(options);
        }
        self.writer.reopen(options.rotation);
        Ok(Audit { options: options.clone(), writer: self.writer.clone() })
    }

    /// Waits until everything recorded so far is in the file.
    pub fn finish(&self) {
        self.writer.finish();
    }

    fn record(&self, who: &Who, event: &str, fill: impl FnOnce(&mut Record)) {
        let mut record = Record::new(event, who);
        fill(&mut record);
        self.writer.write(record.finished());
    }

    pub(crate) fn connected(&self, who: &Who) {
        self.record(who, "connect", |record| {
            if let Some(version) = who.tls {
                record.text("tls", version);
            }
        });
    }

    /// A client that was not let in.
    pub(crate) fn refused(&self, who: &Who, error: &Error) {
        let is_authentication = error.sqlstate().code().starts_with("28");
        let event = if is_authentication { "authentication_failure" } else { "connection_refused" };
        self.record(who, event, |record| record.text("sqlstate", error.sqlstate().code()));
    }

    pub(crate) fn disconnected(&self, who: &Who, since: Instant) {
        self.record(who, "disconnect", |record| record.duration(since.elapsed()));
    }

    /// A transaction that ended otherwise than by a statement.
    pub(crate) fn rolled_back(&self, who: &Who, reason: Option<SqlState>) {
        self.record(who, "rollback", |record| {
            if let Some(state) = reason {
                record.text("sqlstate", state.code());
            }
        });
    }
}

/// Whose records they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who {
    /// The session's id; None before there is a session.
    pub session: Option<i32>,
    pub user: String,
    pub database: String,
    pub client: Option<SocketAddr>,
    pub tls: Option<&'static str>,
}

/// A statement that runs and is recorded when it ends, in whatever way.
pub(crate) struct Running {
    audit: Arc<Audit>,
    who: Arc<Who>,
    text: Arc<str>,
    started: Instant,
    is_done: bool,
}

impl Running {
    /// None when no statement is recorded and none of them ends a transaction.
    pub(crate) fn begin(audit: &Arc<Audit>, who: &Arc<Who>, text: &str) -> Option<Running> {
        let is_wanted = audit.options.statements != Scope::None || Class::of(text, None) == Class::Transaction;
        is_wanted.then(|| Running {
            audit: audit.clone(),
            who: who.clone(),
            text: text.trim().into(),
            started: Instant::now(),
            is_done: false,
        })
    }

    /// It ran; its command tag.
    pub(crate) fn done(mut self, tag: &str) {
        self.end(Some(tag), None, None);
    }

    /// So many of its rows were taken, and more may be.
    pub(crate) fn suspended(mut self, rows: usize) {
        self.end(None, Some(rows as u64), None);
    }

    /// It turned out to be something else, which is recorded on its own.
    pub(crate) fn forget(mut self) {
        self.is_done = true;
    }

    pub(crate) fn failed(mut self, error: &Error) {
        self.end(None, None, Some(error.sqlstate()));
    }

    fn end(&mut self, tag: Option<&str>, rows: Option<u64>, state: Option<SqlState>) {
        self.is_done = true;
        let class = Class::of(&self.text, tag);
        let event = match tag {
            Some("COMMIT") => "commit",
            Some("ROLLBACK") if !statement_class::is_partial_rollback(&self.text) => "rollback",
            None if state.is_some() && statement_class::is_commit(&self.text) => "rollback",
            _ => "statement",
        };
        if event == "statement" && !self.audit.options.statements.includes(class) {
            return;
        }
        let rows = rows.or_else(|| tag?.rsplit_once(' ')?.1.parse().ok());
        self.audit.record(&self.who, event, |record| {
            record.text("class", class.name());
            if let Some(tag) = tag {
                record.text("command", tag.trim_end_matches(|last: char| last.is_ascii_digit() || last == ' '));
            }
            if self.audit.options.statements != Scope::None {
                let recorded = statement_class::without_secrets(&self.text, state);
                let end = recorded.floor_char_boundary(LONGEST_STATEMENT);
                record.text("statement", &recorded[..end]);
                if end < self.text.len() {
                    record.flag("is_cut");
                }
            }
            if let Some(rows) = rows {
                record.number("rows", rows);
            }
            record.duration(self.started.elapsed());
            record.text("sqlstate", state.unwrap_or(SqlState::SUCCESSFUL_COMPLETION).code());
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_done {
            // The client went while its statement ran.
            self.end(None, None, Some(SqlState::CONNECTION_FAILURE));
        }
    }
}

/// One line being made.
struct Record(String);

impl Record {
    fn new(event: &str, who: &Who) -> Record {
        let mut record = Record(String::from("{"));
        record.text("time", &jiff::Timestamp::now().to_string());
        record.text("event", event);
        if let Some(session) = who.session {
            record.key("session");
            record.0.push_str(&session.to_string());
        }
        record.text("user", &who.user);
        record.text("database", &who.database);
        match who.client {
            Some(address) => record.text("client", &address.to_string()),
            None => record.text("client", "[local]"),
        }
        record
    }

    fn key(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        put_json_text(&mut self.0, name);
        self.0.push(':');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        put_json_text(&mut self.0, value);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.key(name);
        self.0.push_str(&value.to_string());
    }

    fn flag(&mut self, name: &str) {
        self.key(name);
        self.0.push_str("true");
    }

    fn duration(&mut self, duration: Duration) {
        self.number("duration_us", u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    fn finished(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}

fn put_json_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(directory: &std::path::Path, statements: Scope) -> Arc<Audit> {
        let rotation = Rotation { largest_bytes: 0, keep: 1 };
        Arc::new(Audit::start(&AuditOptions { file: directory.join("audit"), statements, rotation }).unwrap())
    }

    #[test]
    fn statements_are_recorded_by_class_and_without_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let audit = trail(directory.path(), Scope::Mod);
        let who = Arc::new(Who { session: Some(7), user: "a\"b\u{1}".into(), database: "d".into(), client: None, tls: None });
        let run = |text: &str| Running::begin(&audit, &who, text).unwrap();
        run("SELECT 1").done("SELECT 1");
        run("UPDATE t SET a = 1").done("UPDATE 3");
        run("ALTER ROLE x PASSWORD 'hunter2'").done("ALTER ROLE");
        run("ALTER ROLE x PASWORD 'hunter2'").failed(&Error::new(SqlState::SYNTAX_ERROR, "hunter2"));
        run("COMMIT").done("COMMIT");
        drop(run("DELETE FROM t"));
        audit.finish();
        let text = std::fs::read_to_string(directory.path().join("audit")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(lines[0].contains(r#""user":"a\"b\u0001""#), "{}", lines[0]);
        assert!(
            lines[0].contains(r#""class":"write","command":"UPDATE","statement":"UPDATE t SET a = 1","rows":3"#),
            "{}",
            lines[0]
        );
        assert!(lines[1].contains(r#""class":"role""#) && lines[2].contains(r#""sqlstate":"42601""#));
        assert!(lines[3].contains(r#""event":"commit""#) && lines[4].contains(r#""sqlstate":"08006""#), "{text}");
    }
}
