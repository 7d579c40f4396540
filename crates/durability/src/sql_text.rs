//! A dump as SQL text, which psql of PostgreSQL loads and the shell's SOURCE.

use std::io::Write;

use types::Result;

use crate::{
    Link, Position, Progress,
    schema::{self, Entry, Schema, Section, literal},
};

/// What comes first. One transaction, so that a file that does not fit changes nothing; settings of which end with it.
const OPENING: &str = "--
-- HeliosDB Nano database dump
--

BEGIN;
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = 0;
SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL check_function_bodies = false;
SET LOCAL client_min_messages = warning;
SET LOCAL datestyle = ISO;
SET LOCAL intervalstyle = postgres;
SET LOCAL search_path = '';
";

const ENDING: &str = "
COMMIT;

--
-- HeliosDB Nano database dump complete
--
";

/// Writes the whole text. The link must be outside a transaction. Returns the position to tell of once the text is safe.
///
/// Errors: those of [`schema::read`], and those of writing.
pub fn write(
    link: &mut dyn Link,
    out: &mut dyn Write,
    tables: &[String],
    progress: &mut dyn FnMut(&Progress),
) -> Result<Position> {
    schema::begin_snapshot(link)?;
    let written = schema::read(link, tables).and_then(|schema| {
        write_schema(link, &schema, out, progress)?;
        Position::read(link)
    });
    let ended = link.execute("ROLLBACK");
    let position = written?;
    ended.map(|()| position)
}

fn failed(error: std::io::Error) -> types::Error {
    crate::io_error("write", std::path::Path::new("the dump"), &error)
}

fn write_schema(link: &mut dyn Link, schema: &Schema, out: &mut dyn Write, progress: &mut dyn FnMut(&Progress)) -> Result<()> {
    out.write_all(OPENING.as_bytes()).map_err(failed)?;
    for section in [Section::Cluster, Section::BeforeRows] {
        schema.section(section).try_for_each(|entry| out.write_all(statement(entry).as_bytes())).map_err(failed)?;
    }
    let mut done = Progress { tables: schema.tables.len(), ..Progress::default() };
    for table in &schema.tables {
        done.table = table.name.to_string();
        writeln!(out, "\n\nCOPY {} FROM stdin;", table.target()).map_err(failed)?;
        link.copy_out(&format!("COPY {} TO STDOUT", table.target()), &mut |piece| {
            done.bytes += piece.len() as u64;
            done.rows += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
            progress(&done);
            out.write_all(piece).map_err(failed)
        })?;
        out.write_all(b"\\.\n").map_err(failed)?;
        done.tables_done += 1;
    }
    progress(&done);
    schema.section(Section::AfterRows).try_for_each(|entry| out.write_all(statement(entry).as_bytes())).map_err(failed)?;
    out.write_all(ENDING.as_bytes()).and_then(|()| out.flush()).map_err(failed)
}

fn statement(entry: &Entry) -> String {
    match entry.kind {
        // A role may be there already; psql has no IF NOT EXISTS but this.
        "ROLE" => {
            let name = entry.sql.strip_prefix("CREATE ROLE ").unwrap_or(&entry.name);
            let plain = unquoted(name);
            format!(
                "\nSELECT {} WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {})\\gexec\n",
                literal(&entry.sql),
                literal(&plain)
            )
        }
        // PostgreSQL's setval returns a row, which a loader need not show.
        _ => format!("\n{};\n", entry.sql),
    }
}

/// The name that an identifier stands for.
pub(crate) fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}
