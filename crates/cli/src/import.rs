//! `import`: what a SQLite file or a running PostgreSQL holds, into a running server's database. All of it or nothing.

mod sqlite;
mod sqlite_rows;
mod sqlite_schema;
mod sqlite_types;

use std::path::Path;

use clap::Args;
use durability::transfer;

use crate::{
    connection::{Linked, target::ConnectionArguments, wire::Wire},
    failure::Failure,
    progress::ProgressBar,
};

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// What to import: a SQLite file, or a PostgreSQL as postgresql://user:password@host:port/dbname
    #[arg(long, value_name = "URL-or-file")]
    from: String,
    #[command(flatten)]
    connection: ConnectionArguments,
    /// Only this table, as `table` or `schema.table`; may be given several times
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,
    /// Tell what was imported
    #[arg(long, short)]
    verbose: bool,
}

/// How a SQLite file begins.
const SQLITE_SIGNATURE: &[u8; 16] = b"SQLite format 3\0";

impl ImportArguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut bar = ProgressBar::new("importing");
        let target = self.connection.target()?;
        if self.from.starts_with("postgres://") || self.from.starts_with("postgresql://") {
            let from = ConnectionArguments::of_url(&self.from).target()?;
            if from == target {
                return Err(Failure::usage("--from is the server to import into; name another with --host, --port or --dbname"));
            }
            let mut source = Wire::connect(&from)?;
            let mut wire = Wire::connect(&target)?;
            transfer::transfer(&mut Linked(&mut source), &mut Linked(&mut wire), &self.table, &mut |done| bar.show(done))?;
        } else {
            check_file(Path::new(&self.from))?;
            let mut wire = Wire::connect(&target)?;
            let warnings =
                sqlite::import(Path::new(&self.from), &mut Linked(&mut wire), &self.table, &mut |done| bar.show(done))?;
            for warning in warnings {
                eprintln!("heliosdb-nano: warning: not imported: {warning}");
            }
        }
        let done = bar.finish();
        if self.verbose {
            eprintln!("{}: {} tables, {} rows imported", self.shown_source(), done.tables_done, done.rows);
        }
        Ok(())
    }

    /// Without the password of a URL.
    fn shown_source(&self) -> &str {
        self.from.rsplit_once('@').map_or(&self.from, |(_, place)| place)
    }
}

/// Says what a file is when it is no SQLite file.
fn check_file(path: &Path) -> Result<(), Failure> {
    let failed = |why: &str| Failure::operation(format!("cannot import \"{}\": {why}", path.display()));
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| {
        if file.metadata()?.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        std::io::Read::read_to_end(&mut std::io::Read::take(file, SQLITE_SIGNATURE.len() as u64), &mut start)
    });
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => failed("No such file or directory"),
        std::io::ErrorKind::PermissionDenied => failed("Permission denied"),
        std::io::ErrorKind::IsADirectory => failed("it is a directory"),
        _ => failed(&error.to_string()),
    })?;
    match start.as_slice() {
        start if start == SQLITE_SIGNATURE => Ok(()),
        start if start.starts_with(b"HELIODMP") => Err(failed("it is a heliodump; load it with heliosdb-nano restore --input")),
        start if start.starts_with(b"PGDMP") => Err(failed("it is an archive of pg_dump; load it with pg_restore")),
        _ => Err(failed("it is no SQLite file; a PostgreSQL is named as postgresql://user@host/dbname")),
    }
}
