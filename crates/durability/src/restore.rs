//! Restoring a `.heliodump`: checked as a whole when it was opened, then all of it in one transaction.

use types::{Error, Result, SqlState};

use crate::{
    Archive, Link, Position, Progress,
    archive::block::corrupted,
    schema::{self, Entry, Section, literal, quote},
    sql_text::unquoted,
};

/// What to restore and over what.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Drop what is there first.
    pub clean: bool,
    /// Only these tables and their parts, when not empty.
    pub tables: Vec<String>,
}

/// Applies an archive. The link must be outside a transaction; after an error the database is as it was.
///
/// Errors: 55000 when the database is not empty, whatever a statement raises.
pub fn restore(link: &mut dyn Link, archive: &mut Archive, options: &Options, progress: &mut dyn FnMut(&Progress)) -> Result<()> {
    let mut schema = archive.schema.clone();
    if !options.tables.is_empty() {
        schema = schema.only(&options.tables)?;
    }
    link.execute("BEGIN")?;
    let done = apply(link, archive, &schema, options, progress);
    match done {
        Ok(()) => link.execute("COMMIT"),
        Err(error) => {
            // Its own error is the one to tell of; without the transaction there is nothing to undo.
            drop(link.execute("ROLLBACK"));
            Err(error)
        }
    }
}

fn apply(
    link: &mut dyn Link,
    archive: &mut Archive,
    schema: &schema::Schema,
    options: &Options,
    progress: &mut dyn FnMut(&Progress),
) -> Result<()> {
    ready_to_define(link)?;
    let position = Position::read(link)?;
    if options.clean {
        clean(link, schema, !options.tables.is_empty())?;
    } else if options.tables.is_empty() {
        refuse_when_not_empty(link)?;
    }
    let database = link.query("SELECT current_database()")?.into_iter().flatten().flatten().next().unwrap_or_default();
    for section in [Section::Cluster, Section::BeforeRows] {
        schema.section(section).try_for_each(|entry| run(link, entry, &database))?;
    }
    let mut done = Progress { tables: schema.tables.len(), ..Progress::default() };
    for table in &schema.tables {
        done.table = table.name.to_string();
        let rows = archive
            .table(&table.name)
            .cloned()
            .ok_or_else(|| corrupted(format!("the footer does not list table {}", table.name)))?;
        let mut blocks = rows.blocks.iter();
        let came = link.copy_in(&format!("COPY {} FROM STDIN (FORMAT heliodump)", table.target()), &mut |piece| {
            let Some(&block) = blocks.next() else { return Ok(false) };
            let batch = archive.block(block)?;
            piece.extend_from_slice(&(batch.len() as u32).to_le_bytes());
            piece.extend_from_slice(&batch);
            done.rows += crate::column_batch::row_count(&batch)? as u64;
            done.bytes += batch.len() as u64;
            progress(&done);
            Ok(true)
        })?;
        if came != rows.rows {
            return Err(corrupted(format!("table {} has {came} rows, but was written with {}", table.name, rows.rows)));
        }
        done.tables_done += 1;
    }
    progress(&done);
    schema.section(Section::AfterRows).try_for_each(|entry| run(link, entry, &database))?;
    // Some tables are not what the database holds.
    if options.tables.is_empty() { position.restored(link) } else { Ok(()) }
}

/// Settings under which a schema's statements mean what they did where they were read.
pub(crate) fn ready_to_define(link: &mut dyn Link) -> Result<()> {
    link.execute(schema::READER_SETTINGS)?;
    link.execute("SET LOCAL check_function_bodies = false; SET LOCAL client_min_messages = warning")?;
    link.query("SELECT pg_catalog.set_config('search_path', '', true)").map(|_| ())
}

pub(crate) fn run(link: &mut dyn Link, entry: &Entry, database: &str) -> Result<()> {
    if entry.kind == "ROLE" {
        let name = unquoted(&entry.name);
        let known = link.query(&format!("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = {}", literal(&name)))?;
        if !known.is_empty() {
            return Ok(());
        }
    }
    let sql = match entry.kind {
        "SETTING" => entry.sql.replace(":\"DBNAME\"", &quote(database)),
        _ => entry.sql.clone(),
    };
    link.execute(&sql).map_err(|error| error.context(format!("restoring {} {}", entry.kind, entry.name)))
}

fn refuse_when_not_empty(link: &mut dyn Link) -> Result<()> {
    let there = link.query(
        "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.oid >= 16384
        UNION ALL SELECT n.nspname || '.' || t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND t.oid >= 16384
        UNION ALL SELECT nspname::text FROM pg_catalog.pg_namespace
            WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
        LIMIT 1",
    )?;
    match there.into_iter().flatten().flatten().next() {
        None => Ok(()),
        Some(name) => {
            let error = Error::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("the database to restore into is not empty: it holds {name}"),
            );
            Err(error.hint("Restore into an empty database, or say --clean to drop what is there."))
        }
    }
}

/// Drops what is there: every user's schema and what is in `public`, or only the tables to be restored.
fn clean(link: &mut dyn Link, schema: &schema::Schema, only_tables: bool) -> Result<()> {
    if only_tables {
        return schema.tables.iter().try_for_each(|table| link.execute(&format!("DROP TABLE IF EXISTS {} CASCADE", table.name)));
    }
    let statements = link.query(
        "SELECT 'DROP SCHEMA ' || quote_ident(nspname) || ' CASCADE' FROM pg_catalog.pg_namespace
            WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
        UNION ALL SELECT 'DROP ' || CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'TABLE' WHEN 'v' THEN 'VIEW'
                WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TYPE' END
                || ' IF EXISTS public.' || quote_ident(c.relname) || ' CASCADE'
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND c.oid >= 16384
        UNION ALL SELECT 'DROP ' || CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END || ' IF EXISTS public.'
                || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ') CASCADE'
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = 'public' AND p.oid >= 16384
        UNION ALL SELECT 'DROP TYPE IF EXISTS public.' || quote_ident(t.typname) || ' CASCADE'
            FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
            WHERE n.nspname = 'public' AND t.typrelid = 0 AND t.typelem = 0 AND t.oid >= 16384",
    )?;
    statements.into_iter().flatten().flatten().try_for_each(|sql| link.execute(&sql))
}
