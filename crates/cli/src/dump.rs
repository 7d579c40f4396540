//! `dump`: a running server's database into a file.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use durability::{AtomicFile, Compression, archive};

use crate::{
    connection::{Connection, Linked, target::ConnectionArguments, wire::Wire},
    failure::Failure,
    progress::ProgressBar,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Compressed, checksummed, can be appended to
    Heliodump,
    /// Plain SQL, which psql loads too
    Sql,
}

#[derive(Debug, Args)]
pub(crate) struct DumpArguments {
    /// The file to write; it appears, whole, when the dump has succeeded
    #[arg(long, short, value_name = "FILE", default_value = "backup.heliodump")]
    output: PathBuf,
    #[command(flatten)]
    connection: ConnectionArguments,
    /// What to write [by the file's name: sql for *.sql, else heliodump]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// zstd, lz4, gzip or none
    #[arg(long, default_value = "zstd", value_parser = |name: &str| name.parse::<Compression>())]
    compression: Compression,
    /// Add what has changed since the file's last segment
    #[arg(long)]
    append: bool,
    /// Only this table, as `table` or `schema.table`; may be given several times
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,
    /// Tell what was written
    #[arg(long, short)]
    verbose: bool,
}

impl DumpArguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let format = self.format.unwrap_or_else(|| format_of(&self.output));
        if self.append && format == Format::Sql {
            return Err(Failure::usage("--append needs --format heliodump: SQL text cannot be added to"));
        }
        give_way();
        let mut wire = Wire::connect(&self.connection.target()?)?;
        let mut bar = ProgressBar::new("dumping");
        dump(&mut wire, &self.output, format, self.append, self.compression, &self.table, &mut bar)?;
        let done = bar.finish();
        if self.verbose {
            let size = std::fs::metadata(&self.output).map_or(0, |file| file.len());
            eprintln!("{}: {} tables, {} rows, {size} bytes", self.output.display(), done.tables_done, done.rows);
        }
        Ok(())
    }
}

/// Compressing wants a core for itself; where transactions want it too, they come first. Linux has a priority for each thread, and new
/// threads have that of the one that makes them.
pub(crate) fn give_way() {
    #[cfg(target_os = "linux")]
    {
        // Without the right to do so nothing is lost but the courtesy.
        rustix::process::nice(10).ok();
    }
}

/// By the file's name, as the guide's examples have it.
pub(crate) fn format_of(path: &Path) -> Format {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql")) { Format::Sql } else { Format::Heliodump }
}

/// Writes a dump of what a connection is to.
pub(crate) fn dump(
    connection: &mut dyn Connection,
    path: &Path,
    format: Format,
    append: bool,
    compression: Compression,
    tables: &[String],
    bar: &mut ProgressBar,
) -> types::Result<()> {
    let mut link = Linked(connection);
    let mut progress = |done: &durability::Progress| bar.show(done);
    match format {
        Format::Heliodump => {
            let mode = if append { archive::Mode::Append } else { archive::Mode::Full };
            archive::write(&mut link, path, mode, compression, tables, &mut progress).map(|_| ())
        }
        Format::Sql => {
            let mut file = AtomicFile::create(path)?;
            let position = durability::sql_text::write(&mut link, &mut file, tables, &mut progress)?;
            file.commit()?;
            if tables.is_empty() {
                position.dumped(&mut link);
            }
            Ok(())
        }
    }
}
