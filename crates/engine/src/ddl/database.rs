//! CREATE DATABASE and DROP DATABASE: clones of values, outside any transaction.

use catalog::role::DatabaseAccess;
use pg_query::{
    NodeEnum,
    protobuf::{CreatedbStmt, DropdbStmt},
};
use types::{Error, Result, SqlState};

use crate::session::{
    Outcome, Session,
    utility::{command, option_text},
};

impl Session {
    pub(crate) fn create_database(&mut self, statement: &CreatedbStmt) -> Result<Outcome> {
        self.refuse_in_block("CREATE DATABASE")?;
        let mut template = "template1".to_owned();
        for option in &statement.options {
            let Some(NodeEnum::DefElem(option)) = &option.node else { continue };
            let value = option.arg.as_deref().and_then(option_text);
            match (option.defname.as_str(), value) {
                ("template", Some(name)) => template = name,
                // All text is UTF-8 in the C locale; anything else asked for is refused.
                ("encoding", Some(encoding)) if !is_utf8(&encoding) => {
                    return Err(Error::unsupported(format!("encoding {encoding}")).hint("Use UTF8."));
                }
                ("lc_collate" | "lc_ctype" | "locale", Some(locale))
                    if !matches!(locale.as_str(), "C" | "POSIX" | "C.UTF-8" | "C.utf8") =>
                {
                    return Err(Error::unsupported(format!("locale {locale}")).hint("Use C."));
                }
                ("locale_provider", Some(provider)) if provider != "libc" => {
                    return Err(Error::unsupported(format!("locale provider {provider}")));
                }
                ("tablespace", Some(name)) if name != "pg_default" => {
                    return Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("tablespace \"{name}\" does not exist")));
                }
                ("is_template" | "allow_connections" | "connection_limit", Some(value))
                    if !matches!(value.as_str(), "-1" | "false" | "true") =>
                {
                    return Err(Error::unsupported(format!("CREATE DATABASE ... {}", option.defname.to_uppercase())));
                }
                _ => {}
            }
        }
        let owner = self.current_role().oid;
        let database = self.cluster.create_database(&statement.dbname, &template)?;
        self.cluster.change_roles(|roles| roles.put_database(database, DatabaseAccess { owner, acl: None }));
        Ok(command("CREATE DATABASE"))
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

fn is_utf8(encoding: &str) -> bool {
    let name: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    matches!(name.as_str(), "UTF8" | "UNICODE" | "6")
}
