//! Databases that sqllogictest scripts can be run on: ours within the process, and a real PostgreSQL as the judge of the scripts.
//!
//! Values are compared as text; NULL is `NULL`, an empty text `(empty)`, a line break `\n`.

use std::path::{Path, PathBuf};

use heliosdb_nano::{EmbeddedDatabase, Session};
use sqllogictest::{DB, DBOutput, DefaultColumnType};
use tokio_postgres::SimpleQueryMessage;

type Output = DBOutput<DefaultColumnType>;

/// All scripts below a directory, in order of their paths.
pub fn scripts_in(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        for entry in entries {
            let path = entry.expect("a directory that can be opened can be read").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "slt") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn printed(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(value) => value.replace('\n', "\\n"),
    }
}

fn rows(columns: usize, rows: Vec<Vec<String>>) -> Output {
    DBOutput::Rows { types: vec![DefaultColumnType::Text; columns], rows }
}

/// A session of an embedded database.
pub struct Ours(Session);

impl Ours {
    pub fn new(database: &EmbeddedDatabase) -> heliosdb_nano::Result<Ours> {
        let session = database.session()?;
        session.execute("SET TimeZone TO 'UTC'")?;
        Ok(Ours(session))
    }
}

impl DB for Ours {
    type Error = heliosdb_nano::Error;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<Output, heliosdb_nano::Error> {
        let statement = self.0.prepare(sql)?;
        let columns = statement.columns();
        if columns.is_empty() {
            return statement.execute(&[]).map(DBOutput::StatementComplete);
        }
        let found = statement.query(&[])?;
        let texts = found
            .iter()
            .map(|row| (0..row.len()).map(|at| row.text(at).map(|text| printed(text.as_deref()))).collect())
            .collect::<heliosdb_nano::Result<_>>()?;
        Ok(rows(columns.len(), texts))
    }

    fn engine_name(&self) -> &str {
        "postgresql"
    }

    fn error_sql_state(error: &heliosdb_nano::Error) -> Option<String> {
        Some(error.sqlstate().code().to_owned())
    }
}

/// A session of a PostgreSQL server.
pub struct Judge {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Judge {
    /// Connects; `parameters` as libpq reads them.
    pub fn connect(parameters: &str) -> Result<Judge, tokio_postgres::Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread for the connection can be started");
        let (client, connection) = runtime.block_on(tokio_postgres::connect(parameters, tokio_postgres::NoTls))?;
        runtime.spawn(connection);
        runtime.block_on(client.batch_execute("SET TimeZone TO 'UTC'"))?;
        Ok(Judge { runtime, client })
    }

    /// An empty database of this name, whatever it held before.
    pub fn recreate(&self, database: &str) -> Result<(), tokio_postgres::Error> {
        for command in
            [format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"), format!("CREATE DATABASE {database} TEMPLATE template0")]
        {
            self.runtime.block_on(self.client.batch_execute(&command))?;
        }
        Ok(())
    }
}

/// PostgreSQL's refusal, shown with its message, which tokio-postgres keeps to itself.
#[derive(Debug)]
pub struct JudgeError(tokio_postgres::Error);

impl std::fmt::Display for JudgeError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_db_error() {
            Some(error) => write!(out, "{}", error.message()),
            None => self.0.fmt(out),
        }
    }
}

impl std::error::Error for JudgeError {}

impl From<tokio_postgres::Error> for JudgeError {
    fn from(error: tokio_postgres::Error) -> JudgeError {
        JudgeError(error)
    }
}

impl DB for Judge {
    type Error = JudgeError;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<Output, JudgeError> {
        let mut columns = 0;
        let mut found = Vec::new();
        let mut count = 0;
        for message in self.runtime.block_on(self.client.simple_query(sql))? {
            match message {
                SimpleQueryMessage::RowDescription(description) => columns = description.len(),
                SimpleQueryMessage::Row(row) => found.push((0..row.len()).map(|at| printed(row.get(at))).collect()),
                SimpleQueryMessage::CommandComplete(rows) => count = rows,
                _ => {}
            }
        }
        Ok(if columns == 0 { DBOutput::StatementComplete(count) } else { rows(columns, found) })
    }

    fn engine_name(&self) -> &str {
        "postgresql"
    }

    fn error_sql_state(error: &JudgeError) -> Option<String> {
        error.0.code().map(|state| state.code().to_owned())
    }
}
