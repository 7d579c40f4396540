//! The configuration: one declaration of each key, and its value resolved from flag, environment, file and default, in this order.
//!
//! A key or section that is not declared is an error that names the nearest one.
//! `docs/configuration.md` is printed from the declarations ([`reference`]).

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
};

use engine::{SessionLimits, limits};
use server::{AuditOptions, AuthMethod, Rotation, Scope, TlsFiles};
use toml::{Table, Value};

use crate::{cron::Cron, dump_schedule::DumpSchedule, failure::Failure};

/// What values a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    /// A whole number between these.
    Number(u64, u64),
    Choice(&'static [&'static str]),
    /// A number of bytes, or auto.
    Bytes,
}

/// The declaration of a key.
struct Key {
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
    /// A running server cannot change it.
    is_fixed: bool,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Key {
    Key { name, kind, default, help, is_fixed: false }
}

impl Key {
    /// The key takes effect when the server starts, and not when the configuration is reloaded.
    const fn fixed(mut self) -> Key {
        self.is_fixed = true;
        self
    }
}

const DAY_SECS: u64 = 24 * 60 * 60;

const KEYS: &[Key] = &[
    key("server.listen", Kind::Text, "127.0.0.1", "Address or host name to listen on").fixed(),
    key("server.port", Kind::Number(0, 65535), "5432", "TCP port; 0 lets the system choose one").fixed(),
    key("server.max_connections", Kind::Number(1, 262_143), "100", "Connections at a time"),
    key("server.socket_dir", Kind::Text, "", "Directory of the Unix socket; empty for none").fixed(),
    key("server.tls_cert", Kind::Text, "", "File of the server's certificate and its chain, PEM; empty for no TLS"),
    key("server.tls_key", Kind::Text, "", "File of the certificate's private key, PEM, readable to the server alone"),
    key("server.http_port", Kind::Number(0, 65535), "0", "Port of /metrics and /health over HTTP, on server.listen; 0: none")
        .fixed(),
    key("session.timeout_secs", Kind::Number(0, 365 * DAY_SECS), "0", "An idle session ends after so many seconds; 0: never"),
    key("session.max_sessions_per_user", Kind::Number(0, 262_143), "0", "Sessions a user may have at a time; 0: any number"),
    key(
        "session.default_isolation_level",
        Kind::Choice(&["READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE"]),
        "READ_COMMITTED",
        "Isolation of transactions that ask for none",
    ),
    key(
        "auth.method",
        Kind::Choice(&["trust", "password", "scram-sha-256"]),
        "trust",
        "How clients prove who they are; trust is for this machine only",
    ),
    key("auth.timeout_secs", Kind::Number(1, 600), "60", "A client that has not proved who it is by then is cut off"),
    key("auth.allow_remote_cleartext", Kind::Flag, "false", "Accept clear-text passwords from other machines"),
    key(
        "resource_quotas.connection_limit_per_user",
        Kind::Number(0, 262_143),
        "0",
        "The same as session.max_sessions_per_user; the smaller wins",
    ),
    key(
        "resource_quotas.transaction_timeout_secs",
        Kind::Number(0, DAY_SECS),
        "0",
        "A transaction is rolled back after so many seconds; 0: never",
    ),
    key(
        "resource_quotas.memory_limit_per_user",
        Kind::Number(0, 1 << 50),
        "0",
        "Bytes that a user's sessions and tables may take together; 0: any number",
    ),
    key(
        "resource_quotas.memory_limit",
        Kind::Bytes,
        "auto",
        "Bytes that the whole server may take; 0: any number; auto: four fifths of what the machine or its control group has",
    ),
    key("resource_quotas.lock_timeout_ms", Kind::Number(0, DAY_SECS * 1000), "0", "How long to wait for a lock; 0: for ever"),
    key("locks.timeout_ms", Kind::Number(0, DAY_SECS * 1000), "0", "Another name of resource_quotas.lock_timeout_ms"),
    key("dump.on_shutdown", Kind::Flag, "false", "Dump the default database when the server or shell ends"),
    key("dump.file", Kind::Text, "backup.heliodump", "Where to: SQL text for *.sql, else a .heliodump"),
    key(
        "dump.schedule",
        Kind::Text,
        "",
        "When else to dump: minute hour day month weekday, as cron has it, in UTC; empty for never",
    ),
    key("dump.keep", Kind::Number(0, 1_000_000), "7", "How many scheduled dumps are kept, the newest; 0: all"),
    key("dump.warn_on_dirty_shutdown", Kind::Flag, "true", "Say at the end what has changed and is in no dump"),
    key("audit.enabled", Kind::Flag, "false", "Record who connects and what they run, a JSON object a line"),
    key("audit.file", Kind::Text, "audit.jsonl", "Where to"),
    key(
        "audit.log_statements",
        Kind::Choice(&["none", "ddl", "mod", "all"]),
        "all",
        "Statements recorded: ddl is definitions, roles and rights, mod those and changes of data",
    ),
    key(
        "audit.max_bytes",
        Kind::Number(0, 1 << 40),
        "104857600",
        "A larger audit file becomes file.1, file.1 becomes file.2; 0: never",
    ),
    key("audit.keep", Kind::Number(0, 1000), "5", "How many of those are kept"),
    key("logging.format", Kind::Choice(&["text", "json"]), "text", "How lines of the log look"),
    key(
        "logging.slow_query_ms",
        Kind::Number(0, DAY_SECS * 1000),
        "0",
        "A statement that takes so long is logged, as a warning; 0: none. Superusers may SET log_min_duration_statement",
    ),
    key("logging.level", Kind::Choice(&["error", "warn", "info", "debug", "trace"]), "warn", "What is logged on standard error"),
];

/// A key, the flag that gave it, and its value.
pub(crate) type FlagValue = (&'static str, &'static str, String);

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(&'static str),
}

/// `[[auth.users]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub name: String,
    pub password_hash: String,
    pub roles: Vec<String>,
}

/// The effective configuration.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    values: BTreeMap<&'static str, (String, Source)>,
    pub users: Vec<User>,
}

impl Configuration {
    /// Resolves all keys. `flags` are values of the command line, which beat all others.
    pub(crate) fn resolve(file: Option<&Path>, flags: Vec<FlagValue>) -> Result<Configuration, Failure> {
        Configuration::resolve_with(file, flags, |name| std::env::var(name).ok())
    }

    fn resolve_with(
        file: Option<&Path>,
        flags: Vec<FlagValue>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Configuration, Failure> {
        let mut configuration = Configuration {
            values: KEYS.iter().map(|key| (key.name, (key.default.to_owned(), Source::Default))).collect(),
            users: Vec::new(),
        };
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::usage(format!("could not read the configuration file {}: {error}", path.display())))?;
            configuration.read_file(&text, path)?;
        }
        for key in KEYS {
            let variable = environment_name(key.name);
            if let Some(value) = environment(&variable) {
                configuration.set(key, &value, Source::Environment(variable))?;
            }
        }
        for (name, flag, value) in flags {
            let key = KEYS.iter().find(|key| key.name == name).expect("flags name declared keys");
            configuration.set(key, &value, Source::Flag(flag))?;
        }
        configuration.check()?;
        Ok(configuration)
    }

    fn read_file(&mut self, text: &str, path: &Path) -> Result<(), Failure> {
        let wrong = |what: String| Failure::usage(format!("{}: {what}", path.display()));
        let table: Table =
            text.parse().map_err(|error: toml::de::Error| wrong(error.to_string().replace('\n', " ").trim().to_owned()))?;
        for (section, content) in &table {
            let Value::Table(content) = content else {
                return Err(wrong(format!("\"{section}\" stands outside of a section{}", nearest(section, &all_names()))));
            };
            let sections: Vec<&str> = all_names().iter().filter_map(|name| Some(name.split_once('.')?.0)).collect();
            if !sections.contains(&section.as_str()) {
                return Err(wrong(format!("there is no section [{section}]{}", nearest(section, &sections))));
            }
            for (name, value) in content {
                if (section.as_str(), name.as_str()) == ("auth", "users") {
                    self.users = read_users(value).map_err(wrong)?;
                    continue;
                }
                let full = format!("{section}.{name}");
                let Some(key) = KEYS.iter().find(|key| key.name == full) else {
                    return Err(wrong(format!("there is no key {full}{}", nearest(&full, &all_names()))));
                };
                let value = match (key.kind, value) {
                    (Kind::Text | Kind::Choice(_) | Kind::Bytes, Value::String(text)) => text.clone(),
                    (Kind::Flag, Value::Boolean(flag)) => flag.to_string(),
                    (Kind::Number(..) | Kind::Bytes, Value::Integer(number)) => number.to_string(),
                    (kind, other) => {
                        return Err(wrong(format!("{full} is {}, and not {}", kind.words(), other.type_str())));
                    }
                };
                self.set(key, &value, Source::File(path.to_owned()))?;
            }
        }
        Ok(())
    }

    fn set(&mut self, key: &Key, value: &str, source: Source) -> Result<(), Failure> {
        let refused = || Failure::usage(format!("{}: \"{value}\" is not {} ({source})", key.name, key.kind.words()));
        let value = match key.kind {
            Kind::Text => value.to_owned(),
            Kind::Bytes if value == "auto" || value.parse::<u64>().is_ok_and(|bytes| bytes <= 1 << 50) => value.to_owned(),
            Kind::Flag if matches!(value, "true" | "false") => value.to_owned(),
            Kind::Number(least, most) if value.parse::<u64>().is_ok_and(|number| (least..=most).contains(&number)) => {
                value.to_owned()
            }
            Kind::Choice(choices) => {
                let found = choices.iter().find(|choice| choice.eq_ignore_ascii_case(&value.replace(' ', "_")));
                (*found.ok_or_else(refused)?).to_owned()
            }
            _ => return Err(refused()),
        };
        self.values.insert(key.name, (value, source));
        Ok(())
    }

    /// What contradicts itself.
    fn check(&self) -> Result<(), Failure> {
        let given = |name: &str| (self.source(name) != &Source::Default).then(|| self.number(name));
        if let (Some(one), Some(other)) = (given("locks.timeout_ms"), given("resource_quotas.lock_timeout_ms"))
            && one != other
        {
            return Err(Failure::usage(format!(
                "locks.timeout_ms ({one}) and resource_quotas.lock_timeout_ms ({other}) are one setting: give it once, or the same value"
            )));
        }
        self.check_dump()?;
        for (one, other) in [("server.tls_cert", "server.tls_key"), ("server.tls_key", "server.tls_cert")] {
            if !self.text(one).is_empty() && self.text(other).is_empty() {
                return Err(Failure::usage(format!("{one} is given without {other}: TLS needs both")));
            }
        }
        if self.auth_method() != AuthMethod::Trust && self.users.is_empty() {
            return Err(Failure::usage(format!(
                "auth.method is {}, but there is no [[auth.users]]: nobody could log in",
                self.text("auth.method")
            )));
        }
        for user in &self.users {
            match engine::password::Verifier::parse(&user.password_hash) {
                // A hash with its end left out, as examples have it: the user cannot log in, which is said at the start.
                None if is_unfinished_hash(&user.password_hash) => {}
                None => {
                    return Err(Failure::usage(format!(
                        "the password_hash of user \"{}\" is neither an Argon2id hash nor a SCRAM verifier: make one with heliosdb-nano hash-password",
                        user.name
                    )));
                }
                Some(engine::password::Verifier::Argon2(_)) if self.auth_method() == AuthMethod::ScramSha256 => {
                    return Err(Failure::usage(format!(
                        "auth.method is scram-sha-256, which user \"{}\" cannot use with an Argon2 hash: make a verifier with heliosdb-nano hash-password --scram",
                        user.name
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn check_dump(&self) -> Result<(), Failure> {
        let schedule = self.text("dump.schedule");
        if !schedule.is_empty() {
            let wrong = |why: String| Failure::usage(format!("dump.schedule: \"{schedule}\" is no schedule: {why}"));
            Cron::parse(schedule).map_err(wrong)?;
        } else if self.is_given("dump.file") && !self.flag("dump.on_shutdown") {
            return Err(Failure::usage(
                "dump.file (--dump-file) needs dump.on_shutdown (--dump-on-shutdown) or dump.schedule (--dump-schedule)",
            ));
        } else if self.is_given("dump.keep") {
            return Err(Failure::usage("dump.keep (--dump-keep) needs dump.schedule (--dump-schedule)"));
        }
        Ok(())
    }

    /// Users who cannot log in for want of a whole hash.
    pub(crate) fn users_without_password(&self) -> impl Iterator<Item = &User> {
        self.users.iter().filter(|user| is_unfinished_hash(&user.password_hash))
    }

    /// Whether a value comes from anywhere but the default.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.source(name) != &Source::Default
    }

    /// Another default for a key that nobody has given.
    pub(crate) fn prefer(&mut self, name: &str, default: &str) {
        if let Some((value, Source::Default)) = self.values.get_mut(name) {
            *value = default.to_owned();
        }
    }

    /// Puts back what a running server cannot change; the keys that would have changed.
    pub(crate) fn keep_fixed(&mut self, in_force: &Configuration) -> Vec<&'static str> {
        let mut kept = Vec::new();
        for key in KEYS.iter().filter(|key| key.is_fixed) {
            if self.text(key.name) != in_force.text(key.name) {
                kept.push(key.name);
                self.values.insert(key.name, in_force.values[key.name].clone());
            }
        }
        kept
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// Where to dump at the end, if at all.
    pub(crate) fn last_dump(&self) -> Option<PathBuf> {
        self.flag("dump.on_shutdown").then(|| self.text("dump.file").into())
    }

    pub(crate) fn dump_schedule(&self) -> Option<DumpSchedule> {
        let cron = Cron::parse(self.text("dump.schedule")).ok()?;
        let keep = usize::try_from(self.number("dump.keep")).unwrap_or(usize::MAX);
        Some(DumpSchedule { cron, file: self.text("dump.file").into(), keep })
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        &self.values.get(name).expect("only declared keys are asked for").0
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.text(name).parse().expect("numbers are checked when they are set")
    }

    fn source(&self, name: &str) -> &Source {
        &self.values.get(name).expect("only declared keys are asked for").1
    }

    pub(crate) fn auth_method(&self) -> AuthMethod {
        match self.text("auth.method") {
            "password" => AuthMethod::Password,
            "scram-sha-256" => AuthMethod::ScramSha256,
            _ => AuthMethod::Trust,
        }
    }

    /// Where the server's certificate and key are; None without TLS.
    pub(crate) fn tls_files(&self) -> Option<TlsFiles> {
        let (certificate, key) = (self.text("server.tls_cert"), self.text("server.tls_key"));
        (!certificate.is_empty()).then(|| TlsFiles { certificate: certificate.into(), key: key.into() })
    }

    /// The audit trail; None when there is none.
    pub(crate) fn audit(&self) -> Option<AuditOptions> {
        self.flag("audit.enabled").then(|| AuditOptions {
            file: self.text("audit.file").into(),
            statements: match self.text("audit.log_statements") {
                "none" => Scope::None,
                "ddl" => Scope::Ddl,
                "mod" => Scope::Mod,
                _ => Scope::All,
            },
            rotation: Rotation { largest_bytes: self.number("audit.max_bytes"), keep: self.number("audit.keep") },
        })
    }

    /// What SHOW tells of the server.
    fn shown_settings(&self) -> Vec<(&'static str, String)> {
        let text = |name: &str| self.text(name).to_owned();
        let has_tls = self.tls_files().is_some();
        let mut shown = vec![
            ("listen_addresses", text("server.listen")),
            ("port", text("server.port")),
            ("unix_socket_directories", text("server.socket_dir")),
            ("max_connections", text("server.max_connections")),
            ("authentication_timeout", text("auth.timeout_secs")),
            ("ssl", if has_tls { "on" } else { "off" }.to_owned()),
        ];
        if has_tls {
            shown.push(("ssl_cert_file", text("server.tls_cert")));
            shown.push(("ssl_key_file", text("server.tls_key")));
        }
        shown
    }

    fn memory_limit(&self) -> usize {
        match self.text("resource_quotas.memory_limit") {
            "auto" => engine::memory::machine_bytes().map_or(0, |bytes| bytes / 5 * 4),
            bytes => bytes.parse().expect("numbers are checked when they are set"),
        }
    }

    /// What sessions are granted.
    pub(crate) fn limits(&self) -> SessionLimits {
        let lock_ms = match self.source("locks.timeout_ms") {
            Source::Default => self.number("resource_quotas.lock_timeout_ms"),
            _ => self.number("locks.timeout_ms"),
        };
        let slow_ms = match self.number("logging.slow_query_ms") {
            0 => "-1".to_owned(),
            limit_ms => limit_ms.to_string(),
        };
        let isolation = self.text("session.default_isolation_level").replace('_', " ").to_ascii_lowercase();
        let per_user = limits::tighter(
            self.number("session.max_sessions_per_user"),
            self.number("resource_quotas.connection_limit_per_user"),
        );
        SessionLimits {
            sessions_per_user: usize::try_from(per_user).unwrap_or(usize::MAX),
            idle_session_ms: self.number("session.timeout_secs") * 1000,
            transaction_ms: self.number("resource_quotas.transaction_timeout_secs") * 1000,
            lock_wait_ms: lock_ms,
            memory_per_user: usize::try_from(self.number("resource_quotas.memory_limit_per_user")).unwrap_or(usize::MAX),
            memory: self.memory_limit(),
            defaults: vec![
                ("lock_timeout".to_owned(), lock_ms.to_string()),
                ("default_transaction_isolation".to_owned(), isolation),
                ("log_min_duration_statement".to_owned(), slow_ms),
            ],
            shown: self.shown_settings(),
        }
    }

    /// `config show`: what each key is for, its value, and where the value comes from. No secrets.
    pub(crate) fn shown(&self) -> String {
        let mut text = String::new();
        for key in KEYS {
            let (value, source) = &self.values[key.name];
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# {}\n{} = {}  # {source}\n", key.help, key.name, key.kind.quoted(value));
        }
        for user in &self.users {
            let _ = writeln!(text, "auth.users: {} ({})", user.name, user.roles.join(", "));
        }
        text
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path) => write!(f, "file {}", path.display()),
            Source::Environment(name) => write!(f, "environment {name}"),
            Source::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

impl Kind {
    fn words(self) -> String {
        match self {
            Kind::Text => "a text".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Number(least, most) => format!("a whole number from {least} to {most}"),
            Kind::Choice(choices) => format!("one of {}", choices.join(", ")),
            Kind::Bytes => "a number of bytes, or auto".to_owned(),
        }
    }

    fn quoted(self, value: &str) -> String {
        match self {
            Kind::Text | Kind::Choice(_) => format!("\"{value}\""),
            Kind::Bytes if value == "auto" => "\"auto\"".to_owned(),
            Kind::Flag | Kind::Number(..) | Kind::Bytes => value.to_owned(),
        }
    }
}

/// Whether a hash is the beginning of an Argon2id one and dots, as the guide prints it.
fn is_unfinished_hash(hash: &str) -> bool {
    hash.starts_with("$argon2id$") && hash.ends_with("...")
}

/// `server.port` is HELIOSDB_SERVER_PORT.
fn environment_name(key: &str) -> String {
    format!("HELIOSDB_{}", key.replace('.', "_").to_ascii_uppercase())
}

fn all_names() -> Vec<&'static str> {
    KEYS.iter().map(|key| key.name).chain(["auth.users"]).collect()
}

/// "; did you mean ...?" with the nearest of the names.
fn nearest(name: &str, names: &[&str]) -> String {
    let best = names.iter().min_by_key(|known| strsim::levenshtein(name, known));
    best.map(|best| format!("; did you mean {best}?")).unwrap_or_default()
}

fn read_users(value: &Value) -> Result<Vec<User>, String> {
    let Value::Array(entries) = value else { return Err("users are written as [[auth.users]]".to_owned()) };
    let mut users: Vec<User> = Vec::new();
    for entry in entries {
        let Value::Table(entry) = entry else { return Err("users are written as [[auth.users]]".to_owned()) };
        let names = ["username", "password_hash", "roles"];
        if let Some(unknown) = entry.keys().find(|key| !names.contains(&key.as_str())) {
            return Err(format!("there is no key {unknown} in [[auth.users]]{}", nearest(unknown, &names)));
        }
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let name = text("username").ok_or("a user without username")?;
        let roles: Vec<String> = match entry.get("roles").and_then(Value::as_array) {
            Some(roles) => roles.iter().filter_map(|role| role.as_str().map(str::to_owned)).collect(),
            None => return Err(format!("user \"{name}\" has no roles: give read, write or admin")),
        };
        if let Some(unknown) = roles.iter().find(|role| !matches!(role.as_str(), "read" | "write" | "admin")) {
            return Err(format!("user \"{name}\" has the unknown role \"{unknown}\": there are read, write and admin"));
        }
        let password_hash = text("password_hash").ok_or_else(|| format!("user \"{name}\" has no password_hash"))?;
        if users.iter().any(|user| user.name == name) {
            return Err(format!("user \"{name}\" is given twice"));
        }
        users.push(User { name, password_hash, roles });
    }
    Ok(users)
}

/// The file that is in force: named, or the first that exists of the usual places.
pub(crate) fn find_file(named: Option<PathBuf>) -> Option<PathBuf> {
    if named.is_some() {
        return named;
    }
    if let Some(path) = std::env::var_os("HELIOSDB_CONFIG") {
        return Some(path.into());
    }
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config/heliosdb/config.toml"));
    [Some(PathBuf::from("config.toml")), home, Some(PathBuf::from("/etc/heliosdb/config.toml"))]
        .into_iter()
        .flatten()
        .find(|path| path.is_file())
}

/// The page docs/configuration.md.
#[cfg(test)]
fn reference() -> String {
    let mut text = String::from(
        "# Configuration reference\n\nA flag beats the environment, the environment the file, the file the default. The file is TOML: the first of\n`--config FILE`, `$HELIOSDB_CONFIG`, `./config.toml`, `~/.config/heliosdb/config.toml`, `/etc/heliosdb/config.toml`.\n`heliosdb-nano config show` prints what is in force and where it comes from. This page is printed from the declarations in\n`crates/cli/src/configuration.rs`; a test keeps it current.\n\n| key | environment | values | default | |\n|---|---|---|---|---|\n",
    );
    for key in KEYS {
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} | `{}` | {} |",
            key.name,
            environment_name(key.name),
            key.kind.words(),
            key.kind.quoted(key.default),
            if key.is_fixed { format!("{} (at start only)", key.help) } else { key.help.to_owned() }
        );
    }
    text.push_str(
        "\nSIGHUP, or `pg_reload_conf()` of an administrator, makes the server read its configuration again. All of it comes into force, or, when\nanything in it is wrong, nothing: then the log says what. Sessions that are open get the new limits, and new defaults of settings that they\nhave not set themselves; passwords, TLS files and limits of connections are for clients that come from then on. A user who is no longer in\nthe file cannot log in. Keys marked \"at start only\" stay as they are, and the log names those that have changed.\n",
    );
    text.push_str(
        "\nUsers are `[[auth.users]]` with `username`, `password_hash` (from `heliosdb-nano hash-password`) and `roles`: `read` may select, `write`\nmay also change data, `admin` may do everything. They are SQL roles, so that GRANT and REVOKE refine what they may do.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Configuration, Failure> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Configuration::resolve_with(Some(&path), Vec::new(), |_| None)
    }

    #[test]
    fn the_guide_s_configuration_takes_effect() {
        let hash = engine::password::argon2_hash("password").unwrap();
        let configuration = read(&format!(
            "[session]\ntimeout_secs = 3600\nmax_sessions_per_user = 10\ndefault_isolation_level = \"REPEATABLE_READ\"\n\
             [auth]\nmethod = \"password\"\n[[auth.users]]\nusername = \"alice\"\npassword_hash = \"{hash}\"\nroles = [\"read\", \"write\"]\n\
             [resource_quotas]\nmemory_limit_per_user = 1073741824\nconnection_limit_per_user = 5\ntransaction_timeout_secs = 300\nlock_timeout_ms = 30000\n"
        ))
        .unwrap();
        let limits = configuration.limits();
        assert_eq!((limits.sessions_per_user, limits.idle_session_ms, limits.transaction_ms), (5, 3_600_000, 300_000));
        assert_eq!(limits.memory_per_user, 1 << 30);
        assert!(limits.defaults.contains(&("lock_timeout".into(), "30000".into())));
        assert!(limits.defaults.contains(&("default_transaction_isolation".into(), "repeatable read".into())));
        assert_eq!(configuration.auth_method(), AuthMethod::Password);
        assert_eq!(configuration.users[0].roles, ["read", "write"]);
        assert!(!configuration.shown().contains("argon2"), "no secrets are shown");
    }

    #[test]
    fn mistakes_name_the_nearest_right_thing() {
        for (text, word) in [
            ("[sesion]\n", "did you mean session?"),
            ("[session]\ntimeout_sec = 1\n", "did you mean session.timeout_secs?"),
            ("[session]\ntimeout_secs = \"x\"\n", "a whole number from"),
            ("[session]\ndefault_isolation_level = \"CHAOS\"\n", "READ_COMMITTED"),
            ("[locks]\ntimeout_ms = 1\n[resource_quotas]\nlock_timeout_ms = 2\n", "are one setting"),
            ("[auth]\nmethod = \"password\"\n", "nobody could log in"),
            ("[audit]\nfile = 1\n", "a text"),
            ("[server]\ntls_cert = \"server.crt\"\n", "TLS needs both"),
            ("[[auth.users]]\nusername = \"a\"\npassword_hash = \"x\"\nroles = [\"reed\"]\n", "read, write and admin"),
            ("[[auth.users]]\nusername = \"a\"\npassword_hash = \"x\"\nroles = [\"read\"]\n", "hash-password"),
            ("port = 1\n", "outside of a section"),
            ("[dump]\nschedule = \"* * *\"\n", "is no schedule: it has 3 fields"),
            ("[dump]\nfile = \"x\"\n", "needs dump.on_shutdown"),
            ("[dump]\nkeep = 1\n", "needs dump.schedule"),
        ] {
            let failure = read(text).unwrap_err();
            assert!(failure.message().contains(word), "{text}: {}", failure.message());
        }
    }

    #[test]
    fn flags_beat_the_environment_and_it_beats_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, "[server]\nport = 1\nmax_connections = 2\n").unwrap();
        let environment = |name: &str| (name == "HELIOSDB_SERVER_PORT").then(|| "3".to_owned());
        let flags = vec![("server.port", "--port", "4".to_owned())];
        let configuration = Configuration::resolve_with(Some(&path), flags, environment).unwrap();
        assert_eq!((configuration.number("server.port"), configuration.number("server.max_connections")), (4, 2));
        assert_eq!(configuration.source("server.port"), &Source::Flag("--port"));
        let configuration = Configuration::resolve_with(Some(&path), Vec::new(), environment).unwrap();
        assert_eq!(configuration.number("server.port"), 3);
    }

    #[test]
    fn defaults_are_values_of_their_keys() {
        let mut configuration = read("").unwrap();
        for key in KEYS {
            configuration.set(key, key.default, Source::Default).unwrap();
        }
    }

    /// Run with UPDATE_DOCS=1 to print it anew.
    #[test]
    fn the_reference_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, reference()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), reference(), "UPDATE_DOCS=1 cargo test -p heliosdb-nano-cli");
    }
}
