//! Run-time settings (PostgreSQL's GUC variables) of one session: SET, SHOW, RESET, SET LOCAL, undone with their transaction.
//!
//! Names, types, bounds and defaults are PostgreSQL 15's, read once from the catalog crate's facts. Settings that only steer PostgreSQL's own
//! machinery (planner switches, buffer sizes) keep and show their value; those with a meaning here are read through typed accessors.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
};

use txn::IsolationLevel;
use types::{
    Error, FormatSettings, Result, SqlState,
    format_settings::{DateOrder, DateStyle},
};

use crate::{limits::SessionLimits, session::transaction_control::isolation_named};

mod format;
mod value;

pub(crate) use value::parse_bool;
use value::{canonical_value, display_value};

/// What PostgreSQL says of one setting (pg_settings).
#[derive(Debug)]
pub struct SettingFact {
    pub name: &'static str,
    pub unit: Option<&'static str>,
    pub category: &'static str,
    /// internal, postmaster, sighup, backend, superuser-backend, superuser or user
    pub context: &'static str,
    /// bool, integer, real, string or enum
    pub kind: &'static str,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub choices: Vec<&'static str>,
    /// The value a session starts with, in base units.
    pub boot: String,
}

/// Facts by lower-case name, in order of name.
pub fn setting_facts() -> &'static BTreeMap<String, SettingFact> {
    static FACTS: LazyLock<BTreeMap<String, SettingFact>> = LazyLock::new(read_facts);
    &FACTS
}

/// Defaults of this product where they differ from PostgreSQL's built-in ones.
const OWN_DEFAULTS: &[(&str, &str)] = &[
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("server_version", "15.15"),
    ("server_version_num", "150015"),
    ("client_encoding", "UTF8"),
    ("server_encoding", "UTF8"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("lc_messages", "C"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("jit", "off"),
    ("max_prepared_transactions", "0"),
    ("default_text_search_config", "pg_catalog.english"),
    ("data_checksums", "off"),
    ("unix_socket_directories", "/tmp"),
];

fn read_facts() -> BTreeMap<String, SettingFact> {
    let own: HashMap<&str, &str> = OWN_DEFAULTS.iter().copied().collect();
    let mut facts = BTreeMap::new();
    for line in catalog::builtin::SETTINGS.lines() {
        let cells: Vec<&'static str> = line.split('\t').collect();
        let present = |cell: &'static str| (cell != "\\N").then_some(cell);
        let name = cells[0];
        let key = name.to_ascii_lowercase();
        let boot = own.get(key.as_str()).copied().or(present(cells[11])).unwrap_or("").to_owned();
        facts.insert(
            key,
            SettingFact {
                name,
                unit: present(cells[2]),
                category: cells[3],
                context: cells[5],
                kind: cells[6],
                minimum: present(cells[8]).and_then(|text| text.parse().ok()),
                maximum: present(cells[9]).and_then(|text| text.parse().ok()),
                choices: present(cells[10])
                    .map(|text| text.trim_matches(['{', '}']).split(',').map(|choice| choice.trim_matches('"')).collect())
                    .unwrap_or_default(),
                boot,
            },
        );
    }
    // Who the session is: settings that PostgreSQL leaves out of its lists.
    for (name, context, kind, boot) in [
        ("role", "user", "string", "none"),
        ("session_authorization", "user", "string", "postgres"),
        ("is_superuser", "internal", "bool", "on"),
    ] {
        let fact = SettingFact {
            name,
            unit: None,
            category: UNLISTED,
            context,
            kind,
            minimum: None,
            maximum: None,
            choices: Vec::new(),
            boot: boot.to_owned(),
        };
        facts.insert(name.to_owned(), fact);
    }
    facts
}

/// The category of settings that SHOW ALL and pg_settings leave out.
pub(crate) const UNLISTED: &str = "";

/// Settings whose changes are announced to the client (ParameterStatus).
pub const REPORTED: &[&str] = &[
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

/// One session's settings.
#[derive(Debug)]
pub struct Settings {
    /// Values that differ from the defaults, by lower-case name, in base units.
    changed: HashMap<String, String>,
    /// What RESET returns to: defaults of the server, the database and the start-up packet.
    session_defaults: HashMap<String, String>,
    /// What to put back when the transaction or a savepoint is rolled back (None: it was at its default).
    undo: Vec<Undo>,
    format: Arc<FormatSettings>,
    every_statement: EveryStatement,
    /// Reported settings changed since the client was last told.
    unreported: Vec<&'static str>,
    /// transaction_isolation, transaction_read_only and transaction_deferrable while a transaction is open.
    transaction: Option<[&'static str; 3]>,
    /// How often `role` or `session_authorization` may have changed.
    authorization_changes: u64,
}

/// The settings that every transaction or statement asks for, looked up when one changes and not when one is asked for.
#[derive(Debug, Default)]
pub(crate) struct EveryStatement {
    pub isolation: IsolationLevel,
    pub read_only: bool,
    pub deferrable: bool,
    pub search_path: Arc<str>,
    pub statement_timeout_ms: u64,
    pub lock_timeout_ms: u64,
    pub idle_session_timeout_ms: u64,
    pub idle_in_transaction_timeout_ms: u64,
    /// Statements that take so long are logged; None for none.
    pub log_min_duration_ms: Option<u64>,
}

#[derive(Debug)]
struct Undo {
    name: String,
    previous: Option<String>,
    /// SET LOCAL: put back at commit too.
    local: bool,
}

/// A place in the undo log: where a transaction or a savepoint began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingsMark(usize);

impl Default for Settings {
    fn default() -> Settings {
        Settings::new(HashMap::new())
    }
}

impl Settings {
    /// Settings whose defaults are those of the server with these on top (lower-case names, checked already).
    pub fn new(session_defaults: HashMap<String, String>) -> Settings {
        let mut settings = Settings {
            changed: HashMap::new(),
            session_defaults,
            undo: Vec::new(),
            format: Arc::default(),
            every_statement: EveryStatement::default(),
            unreported: Vec::new(),
            transaction: None,
            authorization_changes: 0,
        };
        settings.rebuild_format();
        settings.rebuild_every_statement();
        settings
    }

    /// The raw value, in base units.
    ///
    /// Errors: 42704 for a name that is no setting.
    pub fn get(&self, name: &str) -> Result<&str> {
        let key = name.to_ascii_lowercase();
        if let Some(at) = TRANSACTION_SETTINGS.iter().position(|setting| *setting == key) {
            return match self.transaction {
                Some(values) => Ok(values[at]),
                None => self.get(&format!("default_{key}")),
            };
        }
        if let Some(value) = self.changed.get(&key).or_else(|| self.session_defaults.get(&key)) {
            return Ok(value);
        }
        match setting_facts().get(&key) {
            Some(fact) => Ok(&fact.boot),
            None => Err(unrecognized(name)),
        }
    }

    /// The value as SHOW prints it.
    pub fn show(&self, name: &str) -> Result<String> {
        let value = self.get(name)?;
        Ok(match setting_facts().get(&name.to_ascii_lowercase()) {
            Some(fact) => display_value(fact, value),
            None => value.to_owned(),
        })
    }

    /// The name as PostgreSQL spells it.
    pub fn canonical_name(name: &str) -> Result<&'static str> {
        setting_facts().get(&name.to_ascii_lowercase()).map(|fact| fact.name).ok_or_else(|| unrecognized(name))
    }

    /// SET name TO value; `local` undoes it at the end of the transaction.
    ///
    /// Errors: 42704, 22023, 55P02.
    pub fn set(&mut self, name: &str, value: &str, local: bool) -> Result<()> {
        let key = name.to_ascii_lowercase();
        let value = match setting_facts().get(&key) {
            Some(fact) => {
                refuse_unchangeable(fact)?;
                canonical_value(fact, value, &self.format)?
            }
            None if is_custom_name(&key) => value.to_owned(),
            None => return Err(unrecognized(name)),
        };
        self.replace(key, Some(value), local);
        Ok(())
    }

    /// Gives a start-up value: it becomes what RESET returns to.
    pub fn set_default(&mut self, name: &str, value: &str) -> Result<()> {
        let key = name.to_ascii_lowercase();
        let fact = setting_facts().get(&key).ok_or_else(|| unrecognized(name))?;
        let value = canonical_value(fact, value, &self.format)?;
        self.session_defaults.insert(key, value);
        self.rebuild_format();
        self.rebuild_every_statement();
        Ok(())
    }

    /// The server's own defaults have changed: those that no role, database or start-up packet had put others in the place of follow.
    pub(crate) fn follow_server(&mut self, before: &SessionLimits, now: &SessionLimits) {
        for (name, value) in &now.defaults {
            let followed = before.defaults.iter().find(|(known, _)| known == name).is_some_and(|(_, value)| {
                let fact = setting_facts().get(name.as_str());
                let known = fact.and_then(|fact| canonical_value(fact, value, &self.format).ok());
                known.is_some() && self.session_defaults.get(name.as_str()) == known.as_ref()
            });
            if followed {
                // The values have been checked before they came into force.
                let _ = self.set_default(name, value);
            }
        }
        for (name, value) in &now.shown {
            self.session_defaults.insert((*name).to_owned(), value.clone());
        }
    }

    /// Sets a value that users may not change themselves (session_authorization, is_superuser).
    pub fn set_internal(&mut self, name: &str, value: &str) {
        self.session_defaults.insert(name.to_ascii_lowercase(), value.to_owned());
        self.rebuild_every_statement();
        self.authorization_changes += 1;
    }

    /// Sets a value that follows from others, and tells the client when it differs (is_superuser).
    pub(crate) fn set_reported(&mut self, name: &'static str, value: &str) {
        if self.get(name).is_ok_and(|known| known != value) {
            self.set_internal(name, value);
            self.note_change(name);
        }
    }

    /// RESET name
    pub fn reset(&mut self, name: &str) -> Result<()> {
        let key = name.to_ascii_lowercase();
        match setting_facts().get(&key) {
            Some(fact) => refuse_unchangeable(fact)?,
            None if is_custom_name(&key) => {}
            None => return Err(unrecognized(name)),
        }
        self.replace(key, None, false);
        Ok(())
    }

    /// RESET ALL
    pub fn reset_all(&mut self) {
        // Who the session is does not go with it (GUC_NO_RESET_ALL).
        let stays = |name: &&String| matches!(name.as_str(), "role" | "session_authorization");
        let names: Vec<String> = self.changed.keys().filter(|name| !stays(name)).cloned().collect();
        names.into_iter().for_each(|name| self.replace(name, None, false));
    }

    fn replace(&mut self, key: String, value: Option<String>, local: bool) {
        let previous = match &value {
            Some(value) => self.changed.insert(key.clone(), value.clone()),
            None => self.changed.remove(&key),
        };
        self.note_change(&key);
        self.undo.push(Undo { name: key, previous, local });
    }

    /// Shows the characteristics of the transaction that is open now.
    pub(crate) fn transaction_began(&mut self, isolation: &'static str, read_only: bool, deferrable: bool) {
        let word = |flag| if flag { "on" } else { "off" };
        self.transaction = Some([isolation, word(read_only), word(deferrable)]);
    }

    pub(crate) fn transaction_ended(&mut self) {
        self.transaction = None;
    }

    pub(crate) fn authorization_changes(&self) -> u64 {
        self.authorization_changes
    }

    fn note_change(&mut self, key: &str) {
        if matches!(key, "role" | "session_authorization") {
            self.authorization_changes += 1;
        }
        if let Some(name) = REPORTED.iter().find(|name| name.eq_ignore_ascii_case(key))
            && !self.unreported.contains(name)
        {
            self.unreported.push(name);
        }
        if matches!(key, "datestyle" | "intervalstyle" | "timezone" | "bytea_output" | "extra_float_digits") {
            self.rebuild_format();
        }
        self.rebuild_every_statement();
    }

    /// Where a transaction or savepoint begins.
    pub fn mark(&self) -> SettingsMark {
        SettingsMark(self.undo.len())
    }

    /// Puts back everything since the mark.
    pub fn roll_back_to(&mut self, mark: SettingsMark) {
        while self.undo.len() > mark.0 {
            let undo = self.undo.pop().expect("the log is longer than the mark");
            self.put_back(undo);
        }
    }

    /// Ends the transaction: SET LOCAL values go, SET ones stay.
    pub fn commit(&mut self) {
        // A name set both ways ends with the last plain SET, so the log is replayed backwards, skipping names already settled.
        let log = std::mem::take(&mut self.undo);
        let mut kept: Vec<String> = Vec::new();
        for undo in log.into_iter().rev() {
            if !undo.local {
                kept.push(undo.name);
            } else if !kept.contains(&undo.name) {
                self.put_back(undo);
            }
        }
    }

    fn put_back(&mut self, undo: Undo) {
        match undo.previous {
            Some(value) => self.changed.insert(undo.name.clone(), value),
            None => self.changed.remove(&undo.name),
        };
        self.note_change(&undo.name);
    }

    /// Where a value comes from, in pg_settings' words.
    pub(crate) fn source(&self, name: &str) -> &'static str {
        let key = name.to_ascii_lowercase();
        match (self.changed.contains_key(&key), self.session_defaults.contains_key(&key)) {
            (true, _) => "session",
            (_, true) => "client",
            _ => "default",
        }
    }

    /// What RESET would set.
    pub(crate) fn reset_value(&self, name: &str) -> String {
        let key = name.to_ascii_lowercase();
        let own = self.session_defaults.get(&key).cloned();
        own.or_else(|| setting_facts().get(&key).map(|fact| fact.boot.clone())).unwrap_or_default()
    }

    /// How values read and print under these settings.
    pub fn format(&self) -> &Arc<FormatSettings> {
        &self.format
    }

    fn rebuild_format(&mut self) {
        let text = |name: &str| self.get(name).unwrap_or_default().to_owned();
        self.format = Arc::new(format::build(
            &text("datestyle"),
            &text("intervalstyle"),
            &text("timezone"),
            &text("bytea_output"),
            &text("extra_float_digits"),
        ));
    }

    pub(crate) fn every_statement(&self) -> &EveryStatement {
        &self.every_statement
    }

    fn rebuild_every_statement(&mut self) {
        self.every_statement = EveryStatement {
            isolation: isolation_named(self.get("default_transaction_isolation").unwrap_or_default()).unwrap_or_default(),
            read_only: self.flag("default_transaction_read_only"),
            deferrable: self.flag("default_transaction_deferrable"),
            search_path: self.get("search_path").unwrap_or_default().into(),
            statement_timeout_ms: self.milliseconds("statement_timeout"),
            lock_timeout_ms: self.milliseconds("lock_timeout"),
            idle_session_timeout_ms: self.milliseconds("idle_session_timeout"),
            idle_in_transaction_timeout_ms: self.milliseconds("idle_in_transaction_session_timeout"),
            log_min_duration_ms: self.get("log_min_duration_statement").ok().and_then(|text| text.parse().ok()),
        };
    }

    /// Reported settings that changed since the last call, with their values.
    pub fn take_unreported(&mut self) -> Vec<(&'static str, String)> {
        let names = std::mem::take(&mut self.unreported);
        names.into_iter().filter_map(|name| Some((name, self.show(name).ok()?))).collect()
    }

    /// All settings with their shown values, in order of name.
    pub fn all(&self) -> Vec<(&'static SettingFact, String)> {
        let listed = setting_facts().values().filter(|fact| fact.category != UNLISTED);
        listed.map(|fact| (fact, self.show(fact.name).unwrap_or_default())).collect()
    }

    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_ok_and(|value| value == "on")
    }

    /// A time setting in milliseconds; 0 when off.
    pub fn milliseconds(&self, name: &str) -> u64 {
        self.get(name).ok().and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// Whether the session reads for a dump: definitions print as they come back from what is read, and rows give way to transactions. A setting
    /// of ours, under a name that PostgreSQL takes too.
    pub(crate) fn is_dump(&self) -> bool {
        self.get("heliosdb.dump").is_ok_and(|value| value == "on")
    }

    /// The schemas of search_path as written, `$user` not replaced.
    pub fn search_path(&self) -> Vec<String> {
        split_identifiers(self.get("search_path").unwrap_or_default()).unwrap_or_default()
    }
}

fn unrecognized(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

fn is_custom_name(key: &str) -> bool {
    key.split('.').count() >= 2 && key.split('.').all(|part| part.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

/// The current transaction's characteristics, in the order of `Settings::transaction`.
const TRANSACTION_SETTINGS: [&str; 3] = ["transaction_isolation", "transaction_read_only", "transaction_deferrable"];

fn refuse_unchangeable(fact: &SettingFact) -> Result<()> {
    let message = match fact.context {
        "internal" => "cannot be changed",
        "postmaster" => "cannot be changed without restarting the server",
        "sighup" => "cannot be changed now",
        "backend" | "superuser-backend" => "cannot be set after connection start",
        _ => return Ok(()),
    };
    Err(Error::new(SqlState::CANT_CHANGE_RUNTIME_PARAM, format!("parameter \"{}\" {message}", fact.name)))
}

/// Splits a list of identifiers such as search_path; None when it is malformed.
pub fn split_identifiers(list: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = list.trim();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let name;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut text = String::new();
            let mut characters = quoted.char_indices().peekable();
            let end = loop {
                match characters.next()? {
                    (_, '"') if characters.peek().is_some_and(|(_, next)| *next == '"') => {
                        text.push('"');
                        characters.next();
                    }
                    (at, '"') => break at + 1,
                    (_, character) => text.push(character),
                }
            };
            rest = &quoted[end..];
            name = text;
        } else {
            let end = rest.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            name = rest[..end].to_lowercase();
            rest = &rest[end..];
        }
        names.push(name);
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => return Some(names),
            None => return None,
        }
    }
}

/// The styles a DateStyle text names, or None when it is malformed.
pub(crate) fn parse_date_style(text: &str, current: (DateStyle, DateOrder)) -> Option<(DateStyle, DateOrder)> {
    format::parse_date_style(text, current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_values_end_with_the_transaction_and_others_stay() {
        let mut settings = Settings::default();
        let mark = settings.mark();
        settings.set("work_mem", "8MB", true).unwrap();
        settings.set("statement_timeout", "1min", false).unwrap();
        assert_eq!(settings.show("work_mem").unwrap(), "8MB");
        settings.commit();
        assert_eq!(settings.show("work_mem").unwrap(), "4MB");
        assert_eq!(settings.show("statement_timeout").unwrap(), "1min");
        assert_eq!(settings.every_statement().statement_timeout_ms, 60_000);
        settings.roll_back_to(mark);
        assert_eq!(settings.show("statement_timeout").unwrap(), "1min", "a committed value is not undone");
    }

    #[test]
    fn rollback_restores_values() {
        let mut settings = Settings::default();
        let mark = settings.mark();
        settings.set("DateStyle", "German", false).unwrap();
        assert_eq!(settings.show("datestyle").unwrap(), "German, DMY");
        settings.roll_back_to(mark);
        assert_eq!(settings.show("datestyle").unwrap(), "ISO, MDY");
    }

    #[test]
    fn errors_are_postgresql_s() {
        let mut settings = Settings::default();
        let error = |result: Result<()>| result.unwrap_err().to_string();
        assert_eq!(error(settings.set("nope", "1", false)), "unrecognized configuration parameter \"nope\"");
        assert_eq!(
            error(settings.set("enable_seqscan", "perhaps", false)),
            "parameter \"enable_seqscan\" requires a Boolean value"
        );
        assert_eq!(error(settings.set("work_mem", "x", false)), "invalid value for parameter \"work_mem\": \"x\"");
        assert_eq!(
            error(settings.set("work_mem", "1", false)),
            "1 kB is outside the valid range for parameter \"work_mem\" (64 .. 2147483647)"
        );
        assert_eq!(error(settings.set("server_version", "1", false)), "parameter \"server_version\" cannot be changed");
    }

    #[test]
    fn identifier_lists() {
        assert_eq!(split_identifiers("\"$user\", public").unwrap(), ["$user", "public"]);
        assert_eq!(split_identifiers("A,\"B\"\"c\"").unwrap(), ["a", "B\"c"]);
        assert!(split_identifiers("a b").is_none());
    }
}
