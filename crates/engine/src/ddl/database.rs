//! CREATE, ALTER and DROP DATABASE. A database is made as a clone of a value, outside any transaction.

use std::sync::Arc;

use catalog::role::DatabaseFacts;
use pg_query::{
    NodeEnum,
    protobuf::{AlterDatabaseRefreshCollStmt, AlterDatabaseStmt, CreatedbStmt, DefElem, DropdbStmt, Node},
};
use types::{Error, Oid, Result, SqlState};

use super::{position, role::undefined};
use crate::{
    cluster::Database,
    session::{
        Outcome, Session,
        utility::{command, option_text},
    },
};

/// What the options of CREATE and ALTER DATABASE ask for.
#[derive(Default)]
struct Options {
    template: Option<String>,
    owner: Option<String>,
    is_template: Option<bool>,
    allow_connections: Option<bool>,
    connection_limit: Option<i32>,
}

impl Options {
    fn read(nodes: &[Node], creates: bool) -> Result<Options> {
        let mut options = Options::default();
        let mut seen: Vec<&str> = Vec::new();
        for node in nodes {
            let Some(NodeEnum::DefElem(option)) = &node.node else { continue };
            let name = option.defname.as_str();
            let refuse = |message: &str| Err(Error::new(SqlState::SYNTAX_ERROR, message).at(position(option.location)));
            if seen.contains(&name) {
                return refuse("conflicting or redundant options");
            }
            seen.push(name);
            // DEFAULT has no value.
            let value = option.arg.as_deref().and_then(option_text);
            match (name, value) {
                ("is_template", Some(value)) => options.is_template = Some(boolean(option, &value)?),
                ("allow_connections", Some(value)) => options.allow_connections = Some(boolean(option, &value)?),
                ("connection_limit", Some(value)) => options.connection_limit = Some(limit(&value)?),
                ("is_template" | "allow_connections" | "connection_limit", None) => {}
                ("tablespace", value) => only_default_tablespace(value)?,
                ("template", value) if creates => options.template = value,
                ("owner", value) if creates => options.owner = value,
                (_, value) if creates => refuse_other_option(option, value)?,
                _ => return refuse(&format!("option \"{name}\" not recognized")),
            }
        }
        Ok(options)
    }

    fn apply(&self, facts: &mut DatabaseFacts) {
        facts.is_template = self.is_template.unwrap_or(facts.is_template);
        facts.allow_connections = self.allow_connections.unwrap_or(facts.allow_connections);
        facts.connection_limit = self.connection_limit.unwrap_or(facts.connection_limit);
    }
}

/// Options that say how text is stored and compared: all text is UTF-8 in the C locale.
fn refuse_other_option(option: &DefElem, value: Option<String>) -> Result<()> {
    match (option.defname.as_str(), value.as_deref()) {
        ("encoding", Some(encoding)) if !is_utf8(encoding) => {
            Err(Error::unsupported(format!("encoding {encoding}")).hint("Use UTF8."))
        }
        ("lc_collate" | "lc_ctype" | "locale", Some(locale)) if !matches!(locale, "C" | "POSIX" | "C.UTF-8" | "C.utf8") => {
            Err(Error::unsupported(format!("locale {locale}")).hint("Use C."))
        }
        ("locale_provider", Some(provider)) if provider != "libc" => {
            Err(Error::unsupported(format!("locale provider {provider}")))
        }
        // Either way a clone shares everything with its template.
        ("strategy", Some(strategy))
            if !strategy.eq_ignore_ascii_case("wal_log") && !strategy.eq_ignore_ascii_case("file_copy") =>
        {
            let message = format!("invalid create database strategy \"{strategy}\"");
            let error = Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
            Err(error.hint("Valid strategies are \"wal_log\" and \"file_copy\"."))
        }
        ("encoding" | "lc_collate" | "lc_ctype" | "locale" | "locale_provider" | "strategy", _) => Ok(()),
        (name @ ("icu_locale" | "icu_rules" | "builtin_locale" | "collation_version" | "oid"), _) => {
            Err(Error::unsupported(format!("CREATE DATABASE ... {}", name.to_uppercase())))
        }
        (name, _) => {
            let error = Error::new(SqlState::SYNTAX_ERROR, format!("option \"{name}\" not recognized"));
            Err(error.at(position(option.location)))
        }
    }
}

fn boolean(option: &DefElem, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, format!("{} requires a Boolean value", option.defname))),
    }
}

fn limit(value: &str) -> Result<i32> {
    let limit = value.parse().ok().filter(|&limit: &i32| limit >= -1);
    limit.ok_or_else(|| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid connection limit: {value}")))
}

fn only_default_tablespace(name: Option<String>) -> Result<()> {
    match name.as_deref() {
        None | Some("pg_default") => Ok(()),
        Some(name) => Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("tablespace \"{name}\" does not exist"))),
    }
}

fn is_utf8(encoding: &str) -> bool {
    let name: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    matches!(name.as_str(), "UTF8" | "UNICODE" | "6")
}

impl Session {
    /// A database by its name.
    ///
    /// Errors: 3D000.
    pub(super) fn database_named(&self, name: &str) -> Result<Arc<Database>> {
        let unknown = || Error::new(SqlState::UNDEFINED_DATABASE, format!("database \"{name}\" does not exist"));
        self.cluster.database(name).ok_or_else(unknown)
    }

    pub(crate) fn create_database(&mut self, statement: &CreatedbStmt) -> Result<Outcome> {
        self.refuse_in_block("CREATE DATABASE")?;
        let options = Options::read(&statement.options, true)?;
        let me = self.current_role();
        let owner = match &options.owner {
            None => me.clone(),
            Some(name) => self.shared.roles().named(name).cloned().ok_or_else(|| undefined(name))?,
        };
        if !self.shared.roles().has_rights_of(me.oid, owner.oid) {
            let message = format!("must be member of role \"{}\"", owner.name);
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        let template = options.template.as_deref().unwrap_or("template1");
        if let Some(found) = self.cluster.database(template) {
            let facts = self.shared.roles().database(found.oid);
            if !facts.is_template && !self.shared.roles().has_rights_of(me.oid, facts.owner) {
                let message = format!("permission denied to copy database \"{template}\"");
                return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
        }
        let database = self.cluster.create_database(&statement.dbname, template)?;
        let mut facts = DatabaseFacts { owner: owner.oid, ..DatabaseFacts::default() };
        options.apply(&mut facts);
        self.cluster.change_roles(|shared| shared.put_database(database, facts));
        Ok(command("CREATE DATABASE"))
    }

    /// ALTER DATABASE name [WITH] option ...
    pub(super) fn alter_database(&mut self, statement: &AlterDatabaseStmt) -> Result<Outcome> {
        let options = Options::read(&statement.options, false)?;
        let database = self.database_named(&statement.dbname)?;
        if options.allow_connections == Some(false) && database.oid == self.database.oid {
            let message = "cannot disallow connections for current database";
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        self.change_database(database.oid, |facts| options.apply(facts))?;
        Ok(command("ALTER DATABASE"))
    }

    /// ALTER DATABASE name REFRESH COLLATION VERSION: the collations are the binary's own and have no versions.
    pub(super) fn refresh_collation_version(&mut self, statement: &AlterDatabaseRefreshCollStmt) -> Result<Outcome> {
        self.database_named(&statement.dbname)?;
        self.notice("version has not changed".to_owned());
        Ok(command("ALTER DATABASE"))
    }

    pub(super) fn set_database_owner(&mut self, name: &str, owner: Oid) -> Result<()> {
        let database = self.database_named(name)?;
        self.change_database(database.oid, |facts| {
            facts.acl = facts.acl.take().map(|acl| Arc::new(acl.with_owner(facts.owner, owner)));
            facts.owner = owner;
        })
    }

    /// COMMENT ON DATABASE. A name that is not there is only warned about, as in PostgreSQL, so that dumps load under another name.
    pub(super) fn comment_on_database(&mut self, name: &str, text: Option<Arc<str>>) -> Result<()> {
        match self.database_named(name) {
            Ok(database) => self.change_database(database.oid, |facts| facts.comment = text),
            Err(missing) => {
                self.shared.add_notice(expr::context::NoticeLevel::Warning, missing);
                Ok(())
            }
        }
    }

    fn change_database(&mut self, oid: Oid, change: impl FnOnce(&mut DatabaseFacts)) -> Result<()> {
        self.change_roles(|shared| {
            let mut facts = shared.database(oid);
            change(&mut facts);
            shared.put_database(oid, facts);
            Ok(())
        })
    }

    pub(crate) fn drop_database(&mut self, statement: &DropdbStmt) -> Result<Outcome> {
        self.refuse_in_block("DROP DATABASE")?;
        if statement.missing_ok && self.cluster.database(&statement.dbname).is_none() {
            self.notice(format!("database \"{}\" does not exist, skipping", statement.dbname));
            return Ok(command("DROP DATABASE"));
        }
        let force = statement
            .options
            .iter()
            .any(|option| matches!(&option.node, Some(NodeEnum::DefElem(option)) if option.defname == "force"));
        self.cluster.drop_database(&statement.dbname, &self.database.name, force)?;
        Ok(command("DROP DATABASE"))
    }
}
