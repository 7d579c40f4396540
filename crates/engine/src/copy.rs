//! COPY: rows to and from the client or a file on the server, as text, CSV, binary, JSON lines or Parquet.

mod copy_in;
mod copy_out;
mod decode;
mod encode;
mod json_lines;
mod lines;
mod options;
mod parquet;
mod pending_rows;

use std::sync::Arc;

use catalog::{Privileges, Relation};
use pg_query::protobuf::{CopyStmt, Node};
use plan::access::Access;
use types::{
    Datum, Error, FormatSettings, Oid, Result, SqlState, SqlType,
    text_format::{TypeResolver, datum_from_text},
    typmod::apply_typmod,
};

pub use copy_in::CopyIn;
pub use copy_out::CopyOut;
pub use options::{CopyFormat, CopyOptions};

use crate::{
    ddl::{relation_named, strings},
    session::{Outcome, Session},
};

impl Session {
    pub(crate) async fn execute_copy(&mut self, statement: &CopyStmt, _sql: &str) -> Result<Outcome> {
        if statement.is_program {
            return Err(Error::unsupported("COPY ... PROGRAM"));
        }
        self.check_copy_file(statement)?;
        let options = options::read(&statement.options, statement.is_from)?;
        self.begin_statement()?;
        if statement.is_from {
            self.refuse_read_only("COPY FROM")?;
            let copy = Box::new(self.begin_copy_in(statement, options).await?);
            if statement.filename.is_empty() {
                return Ok(Outcome::CopyIn(copy));
            }
            return self.copy_from_file(copy, &statement.filename).await;
        }
        let copy = Box::new(self.begin_copy_out(statement, options).await?);
        if statement.filename.is_empty() {
            return Ok(Outcome::CopyOut(copy));
        }
        self.copy_to_file(copy, &statement.filename)
    }

    /// 42501 unless the current role may read or write files of the server.
    fn check_copy_file(&mut self, statement: &CopyStmt) -> Result<()> {
        if statement.filename.is_empty() {
            return Ok(());
        }
        let (needed, name, verb) = match statement.is_from {
            true => (Oid::READ_SERVER_FILES_ROLE, "pg_read_server_files", "from"),
            false => (Oid::WRITE_SERVER_FILES_ROLE, "pg_write_server_files", "to"),
        };
        if self.shared.roles().has_rights_of(self.current_role().oid, needed) {
            return Ok(());
        }
        let message = format!("must be superuser or have privileges of the {name} role to COPY {verb} a file");
        Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
            .hint("Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone."))
    }

    /// 42501 unless the current role may insert into these columns.
    pub(crate) fn check_copy_from(&mut self, relation: &Relation, positions: &[usize]) -> Result<()> {
        if self.current_role().superuser {
            return Ok(());
        }
        let mut access = Access::default();
        positions.iter().for_each(|position| access.of(relation.oid, None).insert(*position));
        access.of(relation.oid, None).require(Privileges::INSERT);
        let access = Arc::new(access);
        *self.hooks.described.lock() = Some(access.clone());
        self.authority()?.check(&access)
    }

    /// The table COPY names and the positions of its columns, in order.
    pub(crate) fn copy_columns(&mut self, statement: &CopyStmt) -> Result<(Arc<Relation>, Vec<usize>)> {
        let names = self.names()?;
        let range = statement.relation.as_ref().ok_or_else(|| Error::internal("COPY without a table"))?;
        let relation = relation_named(&names, range)?;
        let listed = strings(&statement.attlist);
        if listed.is_empty() {
            let all =
                relation.live_attributes().filter(|(_, attribute)| attribute.generated.is_none()).map(|(at, _)| at).collect();
            return Ok((relation, all));
        }
        let mut positions = Vec::new();
        for name in listed {
            let (position, attribute) = relation.attribute(&name).ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
                )
            })?;
            if attribute.generated.is_some() {
                return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, format!("column \"{name}\" is a generated column"))
                    .detail("Generated columns cannot be used in COPY."));
            }
            if positions.contains(&position) {
                return Err(Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
            }
            positions.push(position);
        }
        Ok((relation, positions))
    }
}

/// A value from its text, fitted to the type's modifier as an assignment is.
///
/// Errors: those of the type's input function, 22001, 22003, ...
fn value_from_text(text: &str, ty: SqlType, settings: &FormatSettings, resolver: &dyn TypeResolver) -> Result<Datum> {
    let value = datum_from_text(text, ty, settings, resolver)?;
    if ty.typmod < 0 { Ok(value) } else { apply_typmod(value, ty, false) }
}

/// Columns named in an option such as FORCE_NULL (a, b), as flags over the copied columns.
fn flags_for(names: Option<&options::ColumnChoice>, relation: &Relation, positions: &[usize], option: &str) -> Result<Vec<bool>> {
    match names {
        None => Ok(vec![false; positions.len()]),
        Some(options::ColumnChoice::All) => Ok(vec![true; positions.len()]),
        Some(options::ColumnChoice::Listed(names)) => {
            let mut flags = vec![false; positions.len()];
            for name in names {
                let position = relation.attribute(name).map(|(position, _)| position).ok_or_else(|| {
                    Error::new(
                        SqlState::UNDEFINED_COLUMN,
                        format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
                    )
                })?;
                let at = positions.iter().position(|known| *known == position).ok_or_else(|| {
                    Error::new(SqlState::INVALID_COLUMN_REFERENCE, format!("{option} column \"{name}\" not referenced by COPY"))
                })?;
                flags[at] = true;
            }
            Ok(flags)
        }
    }
}

/// The same for the columns of a query.
fn flags_for_result(names: Option<&options::ColumnChoice>, columns: &[plan::OutputColumn]) -> Result<Vec<bool>> {
    let mut flags = vec![matches!(names, Some(options::ColumnChoice::All)); columns.len()];
    let Some(options::ColumnChoice::Listed(names)) = names else { return Ok(flags) };
    for name in names {
        let at = columns.iter().position(|column| *column.name == **name);
        let at = at.ok_or_else(|| Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist")))?;
        if std::mem::replace(&mut flags[at], true) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
        }
    }
    Ok(flags)
}

/// A file that the server is to read or write.
fn file_error(action: &str, path: &str, error: &std::io::Error) -> Error {
    let sqlstate = match error.kind() {
        std::io::ErrorKind::NotFound => SqlState::UNDEFINED_FILE,
        std::io::ErrorKind::PermissionDenied => SqlState::INSUFFICIENT_PRIVILEGE,
        _ => SqlState::IO_ERROR,
    };
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
        _ => error.to_string(),
    };
    let word = if action == "reading" { "FROM" } else { "TO" };
    let instead = if action == "reading" { "read" } else { "write" };
    Error::new(sqlstate, format!("could not open file \"{path}\" for {action}: {reason}")).hint(format!(
        "COPY {word} instructs the PostgreSQL server process to {instead} a file. You may want a client-side facility such as psql's \\copy."
    ))
}

/// The query of COPY (query) TO.
fn query_of(statement: &CopyStmt) -> Option<&Node> {
    statement.query.as_deref()
}
