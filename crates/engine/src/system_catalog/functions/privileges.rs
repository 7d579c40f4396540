//! has_table_privilege and its siblings. Administrators may do everything, owners everything with what is theirs.

use types::{Datum, Error, Oid, Result, SqlState, text_format::TypeResolver};

use super::{Arguments, relation_named};
use crate::system_catalog::{SystemContext, row::NULL};

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
    let role = if first == 0 { context.names.role_named(&context.current_user)? } else { role(given, 0, context)? };
    let object = object(kind, given, first, context)?;
    let column_exists = kind != "column" || column(given, first, object, context)?;
    check_privileges(given.text(given.len() - 1), privileges, &["WITH GRANT OPTION"])?;
    let Some(owner) = owner(kind, object, context).filter(|_| column_exists) else { return Ok(NULL) };
    Ok(Datum::Bool(is_administrator(role, context) || owner == role))
}

fn is_administrator(role: Oid, context: &SystemContext) -> bool {
    context.roles.iter().any(|known| known.oid == role && known.superuser)
}

fn role(given: Arguments, at: usize, context: &SystemContext) -> Result<Oid> {
    match given.0.get(at) {
        Some(Datum::Text(name)) if &**name == "public" => Ok(Oid::INVALID),
        Some(Datum::Text(name)) => context.names.role_named(name),
        _ => Ok(given.oid(at)),
    }
}

/// Every word of a comma-separated list must be a privilege of that kind of object.
fn check_privileges(list: &str, privileges: &[&str], options: &[&str]) -> Result<()> {
    for word in list.split(',') {
        let upper = word.trim().to_ascii_uppercase();
        let plain = options.iter().find_map(|option| upper.strip_suffix(option)).unwrap_or(&upper);
        if !privileges.contains(&plain.trim_end()) {
            let message = format!("unrecognized privilege type: \"{}\"", word.trim());
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
    }
    Ok(())
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

/// Whether the column after a table in the arguments exists; by name it must.
fn column(given: Arguments, first: usize, table: Oid, context: &SystemContext) -> Result<bool> {
    let user = context.names.catalog.relation(table);
    let system = catalog::builtin::builtins().system_relation(table);
    if let Some(Datum::Text(name)) = given.0.get(first + 1) {
        let exists = user.is_some_and(|table| table.attribute(name).is_some())
            || system.is_some_and(|table| table.columns.iter().any(|column| column.name == &**name));
        if !exists && (user.is_some() || system.is_some()) {
            let relation = context.names.relation(table).map(|relation| relation.name().to_string()).unwrap_or_default();
            let message = format!("column \"{name}\" of relation \"{relation}\" does not exist");
            return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
        }
        return Ok(exists);
    }
    let Ok(position) = usize::try_from(given.int(first + 1) - 1) else { return Ok(false) };
    let in_user = user.and_then(|table| table.attributes.get(position)).is_some_and(|attribute| !attribute.dropped);
    Ok(in_user || system.is_some_and(|table| position < table.columns.len()))
}

/// The owner of an object; None when it does not exist.
fn owner(kind: &str, object: Oid, context: &SystemContext) -> Option<Oid> {
    let catalog = &context.names.catalog;
    match kind {
        "table" | "column" | "any_column" | "sequence" => match catalog.relation(object) {
            Some(relation) => Some(relation.owner),
            None => context.names.relation(object).map(|_| Oid::BOOTSTRAP_ROLE),
        },
        "schema" => catalog.schema(object).map(|schema| schema.owner),
        "database" => context.databases.iter().find(|database| database.oid == object).map(|database| database.owner),
        "function" => catalog::builtin::builtins().function(object).map(|_| Oid::BOOTSTRAP_ROLE),
        "type" => match catalog.user_type(object) {
            Some(ty) => Some(ty.owner),
            None => context.names.type_name_and_schema(object).map(|_| Oid::BOOTSTRAP_ROLE),
        },
        _ => Some(Oid::BOOTSTRAP_ROLE),
    }
}

fn has_role(given: Arguments, context: &SystemContext) -> Result<Datum> {
    let (member, of) = match given.len() {
        2 => (context.names.role_named(&context.current_user)?, role(given, 0, context)?),
        _ => (role(given, 0, context)?, role(given, 1, context)?),
    };
    check_privileges(given.text(given.len() - 1), &["MEMBER", "USAGE"], &["WITH GRANT OPTION", "WITH ADMIN OPTION"])?;
    Ok(Datum::Bool(member == of || is_administrator(member, context) || is_member(member, of, context)))
}

fn is_member(member: Oid, of: Oid, context: &SystemContext) -> bool {
    let (mut reached, mut at) = (vec![member], 0);
    while let Some(role) = reached.get(at).copied() {
        at += 1;
        let groups = context.roles.iter().filter(|known| known.oid == role).flat_map(|known| &known.member_of);
        for (group, _) in groups {
            if !reached.contains(group) {
                reached.push(*group);
            }
        }
    }
    reached.contains(&of)
}
