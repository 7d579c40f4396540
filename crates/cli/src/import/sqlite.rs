//! A SQLite file into a database, in one transaction of either: tables and rows without exception, and of the other definitions those that
//! run here. What does not is named.

use std::path::Path;

use durability::{Link, Progress};
use rusqlite::{Connection, OpenFlags};
use types::{Error, Result, SqlState};

use super::{
    sqlite_rows::put,
    sqlite_schema::{Attempt, Table, failed, foreign_keys, left_out, sqlite_name, tables, views},
};

/// COPY data is sent in pieces of about this size.
const PIECE_BYTES: usize = 1 << 16;

/// Imports a file, or some of its tables. Returns what could not be taken over.
///
/// Errors: 58030 for what is no readable SQLite file, 22P03 and 22021 for values that no type takes, what the target raises.
pub(super) fn import(
    path: &Path,
    target: &mut dyn Link,
    wanted: &[String],
    progress: &mut dyn FnMut(&Progress),
) -> Result<Vec<String>> {
    let opened = |error: rusqlite::Error| {
        Error::new(SqlState::IO_ERROR, format!("cannot read the SQLite file \"{}\": {error}", path.display()))
    };
    let file =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(opened)?;
    // Texts in double quotes are strings in old files' defaults and checks only.
    file.execute_batch("BEGIN").map_err(opened)?;
    let tables = tables(&file, wanted)?;
    target.execute("BEGIN")?;
    match apply(&file, target, &tables, wanted.is_empty(), progress) {
        Ok(warnings) => target.execute("COMMIT").map(|()| warnings),
        Err(error) => {
            // Its own error is the one to tell of; without the transaction there is nothing to undo.
            drop(target.execute("ROLLBACK"));
            Err(error)
        }
    }
}

fn apply(
    file: &Connection,
    target: &mut dyn Link,
    tables: &[Table],
    whole: bool,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Vec<String>> {
    target.execute(
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL datestyle = ISO; SET LOCAL timezone = 'UTC'; \
         SET LOCAL client_min_messages = warning; SET LOCAL search_path = public",
    )?;
    let mut done = Progress { tables: tables.len(), ..Progress::default() };
    for table in tables {
        done.table.clone_from(&table.name);
        target.execute(&table.definition()).map_err(|error| error.context(format!("importing table {}", table.name)))?;
        rows(file, target, table, &mut done, progress)?;
        done.tables_done += 1;
    }
    progress(&done);
    let mut warnings = if whole { left_out(file)? } else { Vec::new() };
    for table in tables {
        for attempt in table.attempts(file)? {
            try_one(target, attempt, &mut warnings)?;
        }
        for column in table.columns.iter().filter(|column| column.is_rowid) {
            let (name, column) = (durability::schema::quote(&table.name), durability::schema::quote(&column.name));
            target.query(&format!(
                "SELECT setval(pg_get_serial_sequence({}, {}), max({column})) FROM public.{name} HAVING max({column}) > 0",
                durability::schema::literal(&format!("public.{name}")),
                durability::schema::literal(
                    &table.columns.iter().find(|c| c.is_rowid).map(|c| c.name.clone()).unwrap_or_default()
                ),
            ))?;
        }
    }
    for attempt in foreign_keys(file, tables)? {
        try_one(target, attempt, &mut warnings)?;
    }
    if whole {
        for attempt in views(file)? {
            try_one(target, attempt, &mut warnings)?;
        }
    }
    Ok(warnings)
}

fn try_one(target: &mut dyn Link, attempt: Attempt, warnings: &mut Vec<String>) -> Result<()> {
    if attempt.sql.is_empty() {
        warnings.push(attempt.what);
        return Ok(());
    }
    target.execute("SAVEPOINT attempt")?;
    match target.execute(&attempt.sql) {
        Ok(()) => target.execute("RELEASE attempt"),
        Err(error) => {
            target.execute("ROLLBACK TO attempt; RELEASE attempt")?;
            warnings.push(format!("{} ({})", attempt.what, error.message()).replace('\n', " "));
            Ok(())
        }
    }
}

fn rows(
    file: &Connection,
    target: &mut dyn Link,
    table: &Table,
    done: &mut Progress,
    progress: &mut dyn FnMut(&Progress),
) -> Result<()> {
    let what = format!("table {}", table.name);
    let failed = failed(&what);
    let columns: Vec<String> = table.columns.iter().map(|column| sqlite_name(&column.name)).collect();
    let sql = format!("SELECT {} FROM {}", columns.join(", "), sqlite_name(&table.name));
    let mut statement = file.prepare(&sql).map_err(&failed)?;
    let mut rows = statement.query([]).map_err(&failed)?;
    let mut number = 0_u64;
    let came = target.copy_in(&format!("COPY {} FROM STDIN", table.target()), &mut |piece| {
        while piece.len() < PIECE_BYTES {
            let Some(row) = rows.next().map_err(&failed)? else { break };
            number += 1;
            for (at, column) in table.columns.iter().enumerate() {
                if at > 0 {
                    piece.push(b'\t');
                }
                let value = row.get_ref(at).map_err(&failed)?;
                put(value, column.target, piece)
                    .map_err(|error| error.context(format!("table {}, row {number}, column {}", table.name, column.name)))?;
            }
            piece.push(b'\n');
        }
        done.bytes += piece.len() as u64;
        progress(done);
        Ok(!piece.is_empty())
    });
    let came = came.map_err(|error| error.context(format!("importing table {}", table.name)))?;
    if came != number {
        return Err(Error::internal(format!("of {number} rows of table {} {came} came", table.name)));
    }
    done.rows += number;
    Ok(())
}
