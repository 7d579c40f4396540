//! has_table_privilege and its siblings, pg_has_role.

use catalog::{AclTarget, Privileges};
use types::{Datum, Error, Oid, Result, SqlState, text_format::TypeResolver};

use super::{Arguments, relation_named};
use crate::{
    access::Authority,
    system_catalog::{SystemContext, row::NULL},
};

/// Privileges that each kind of object has.
fn privileges_of(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "table" => &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "RULE"],
        "column" | "any_column" => &["SELECT", "INSERT", "UPDATE", "REFERENCES"],
        "sequence" => &["USAGE", "SELECT", "UPDATE"],
        "database" => &["CREATE", "TEMPORARY", "TEMP", "CONNECT"],
        "schema" => &["CREATE", "USAGE"],
        "tablespace" => &["CREATE"],
        "function" => &["EXECUTE"],
        "language" | "type" | "foreign_data_wrapper" | "server" => &["USAGE"],
        "parameter" => &["SET", "ALTER SYSTEM"],
        _ => return None,
    })
}

pub(super) fn call(source: &str, given: Arguments, context: &SystemContext) -> Option<Result<Datum>> {
    if source.starts_with("pg_has_role_") {
        return Some(has_role(given, context));
    }
    let kind = source.strip_prefix("has_")?.split_once("_privilege_")?.0;
    let privileges = privileges_of(kind)?;
    Some(has_privilege(kind, privileges, given, context))
}

fn has_privilege(kind: &str, privileges: &[&str], given: Arguments, context: &SystemContext) -> Result<Datum> {
    let with_column = usize::from(kind == "column");
    let first = given.len().saturating_sub(2 + with_column);
    let authority = match first {
        0 => context.authority.clone(),
        _ => context.authority.of(role(given, 0, context)?),
    };
    let object = object(kind, given, first, context)?;
    let column = if kind == "column" { column(given, first, object, context)? } else { Some(0) };
    let asked = asked_privileges(given.text(given.len() - 1), privileges, &["WITH GRANT OPTION"])?;
    let (Some(target), Some(column)) = (target(kind, object, &authority, context), column) else { return Ok(NULL) };
    let any = asked.iter().any(|asked| holds(kind, target, column, *asked, &authority));
    Ok(Datum::Bool(any))
}

/// What the question is about.
#[derive(Clone, Copy)]
enum Target {
    Listed(AclTarget),
    Database(Oid),
    /// Kept without rights of its own: everybody may use it by default, or only the superuser.
    Fixed(bool),
}

fn target(kind: &str, object: Oid, authority: &Authority, context: &SystemContext) -> Option<Target> {
    let listed = |target: AclTarget| authority.owned(target).map(|_| Target::Listed(target));
    match kind {
        "table" | "column" | "any_column" | "sequence" => listed(AclTarget::Relation(object)),
        "schema" => listed(AclTarget::Schema(object)),
        "database" => context.databases.iter().any(|database| database.oid == object).then_some(Target::Database(object)),
        "function" => listed(AclTarget::Function(object)),
        "type" => context.names.type_name_and_schema(object).and_then(|_| listed(AclTarget::Type(object))),
        "language" => Some(Target::Fixed(object == Oid(14))),
        _ => Some(Target::Fixed(false)),
    }
}

/// Whether one privilege is held; with the option to give it on, when that is asked.
fn holds(kind: &str, target: Target, column: usize, (privilege, with_option): (Privileges, bool), authority: &Authority) -> bool {
    if authority.is_superuser() {
        return true;
    }
    let held = |target: AclTarget| if with_option { authority.grantable(target) } else { authority.privileges(target) };
    match target {
        Target::Listed(target) => {
            let whole = held(target).has(privilege);
            match (kind, target) {
                ("column", AclTarget::Relation(relation)) => whole || held(AclTarget::Column(relation, column)).has(privilege),
                ("any_column", AclTarget::Relation(relation)) => whole || authority.any_column(relation, privilege),
                _ => whole,
            }
        }
        Target::Database(database) => {
            let (acl, owner) = authority.database_acl(database);
            let owns = authority.holds(owner);
            match with_option {
                true => owns || acl.grantable(|role| authority.holds(role)).has(privilege),
                false => authority.database_privileges(database).has(privilege),
            }
        }
        Target::Fixed(everybody) => everybody && !with_option,
    }
}

fn role(given: Arguments, at: usize, context: &SystemContext) -> Result<Oid> {
    match given.0.get(at) {
        Some(Datum::Text(name)) if &**name == "public" => Ok(Oid::INVALID),
        Some(Datum::Text(name)) => context.names.role_named(name),
        _ => Ok(given.oid(at)),
    }
}

/// The privileges of a comma-separated list, each with whether the option is asked. Every word must be one of that kind of object.
fn asked_privileges(list: &str, privileges: &[&str], options: &[&str]) -> Result<Vec<(Privileges, bool)>> {
    let mut asked = Vec::new();
    for word in list.split(',') {
        let upper = word.trim().to_ascii_uppercase();
        let stripped = options.iter().find_map(|option| upper.strip_suffix(option));
        let plain = stripped.unwrap_or(&upper).trim_end();
        if !privileges.contains(&plain) {
            let message = format!("unrecognized privilege type: \"{}\"", word.trim());
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        // RULE is not a privilege any more, and nobody has it.
        asked.extend(Privileges::named(plain).map(|privilege| (privilege, stripped.is_some())));
    }
    Ok(asked)
}

/// The object asked about: by its name, which must exist, or by its number.
fn object(kind: &str, given: Arguments, at: usize, context: &SystemContext) -> Result<Oid> {
    let Some(Datum::Text(name)) = given.0.get(at) else { return Ok(given.oid(at)) };
    let undefined = |state, message| Err(Error::new(state, message));
    match kind {
        "table" | "column" | "any_column" => relation_named(context, name),
        "sequence" => {
            let relation = relation_named(context, name)?;
            match context.names.catalog.relation(relation) {
                Some(sequence) if sequence.relkind() == 'S' => Ok(relation),
                _ => undefined(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not a sequence")),
            }
        }
        "schema" => context.names.schema(name),
        "database" => match context.databases.iter().find(|database| database.name == *name) {
            Some(database) => Ok(database.oid),
            None => undefined(SqlState::UNDEFINED_DATABASE, format!("database \"{name}\" does not exist")),
        },
        "function" => context.names.reg_object(Oid::REGPROCEDURE, name),
        "type" => context.names.reg_object(Oid::REGTYPE, name),
        "language" => match &**name {
            "internal" => Ok(Oid(12)),
            "c" => Ok(Oid(13)),
            "sql" => Ok(Oid(14)),
            _ => undefined(SqlState::UNDEFINED_OBJECT, format!("language \"{name}\" does not exist")),
        },
        "tablespace" => match &**name {
            "pg_default" => Ok(Oid(1663)),
            "pg_global" => Ok(Oid(1664)),
            _ => undefined(SqlState::UNDEFINED_OBJECT, format!("tablespace \"{name}\" does not exist")),
        },
        "foreign_data_wrapper" => {
            undefined(SqlState::UNDEFINED_OBJECT, format!("foreign-data wrapper \"{name}\" does not exist"))
        }
        "server" => undefined(SqlState::UNDEFINED_OBJECT, format!("server \"{name}\" does not exist")),
        _ => Ok(Oid::BOOTSTRAP_ROLE),
    }
}

/// The position of the column after a table in the arguments; by name it must exist.
fn column(given: Arguments, first: usize, table: Oid, context: &SystemContext) -> Result<Option<usize>> {
    let user = context.names.catalog.relation(table);
    let system = catalog::builtin::builtins().system_relation(table);
    if let Some(Datum::Text(name)) = given.0.get(first + 1) {
        let of_user = user.and_then(|table| table.attribute(name)).map(|(position, _)| position);
        let position =
            of_user.or_else(|| system.and_then(|table| table.columns.iter().position(|column| column.name == &**name)));
        if position.is_none() && (user.is_some() || system.is_some()) {
            let relation = context.names.relation(table).map(|relation| relation.name().to_string()).unwrap_or_default();
            let message = format!("column \"{name}\" of relation \"{relation}\" does not exist");
            return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
        }
        return Ok(position);
    }
    let Ok(position) = usize::try_from(given.int(first + 1) - 1) else { return Ok(None) };
    let in_user = user.and_then(|table| table.attributes.get(position)).is_some_and(|attribute| !attribute.dropped);
    let exists = in_user || system.is_some_and(|table| position < table.columns.len());
    Ok(exists.then_some(position))
}

fn has_role(given: Arguments, context: &SystemContext) -> Result<Datum> {
    let (member, of) = match given.len() {
        2 => (context.authority.role, role(given, 0, context)?),
        _ => (role(given, 0, context)?, role(given, 1, context)?),
    };
    let roles = &context.authority.roles;
    let options = ["WITH GRANT OPTION", "WITH ADMIN OPTION"];
    let mut any = false;
    for word in given.text(given.len() - 1).split(',') {
        let upper = word.trim().to_ascii_uppercase();
        let stripped = options.iter().find_map(|option| upper.strip_suffix(option));
        any |= match (stripped.unwrap_or(&upper).trim_end(), stripped.is_some()) {
            ("MEMBER" | "USAGE", true) => roles.is_admin_of(member, of),
            ("MEMBER", false) => roles.is_superuser(member) || roles.is_member(member, of),
            ("USAGE", false) => roles.has_rights_of(member, of),
            _ => {
                let message = format!("unrecognized privilege type: \"{}\"", word.trim());
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
            }
        };
    }
    Ok(Datum::Bool(any))
}
