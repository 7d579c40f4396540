//! `restore`: a file into a running server's database.

use std::path::{Path, PathBuf};

use clap::Args;
use durability::{Archive, restore};

use crate::{
    connection::{Connection, Linked, target::ConnectionArguments, wire::Wire},
    failure::Failure,
    progress::ProgressBar,
};

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// The file to restore: a .heliodump
    #[arg(long, short, value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    connection: ConnectionArguments,
    /// Only check the file, without a server
    #[arg(long)]
    verify: bool,
    /// Only this table, as `table` or `schema.table`; may be given several times
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,
    /// Drop what the database holds first
    #[arg(long)]
    clean: bool,
    /// Tell what was restored
    #[arg(long, short)]
    verbose: bool,
}

impl RestoreArguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut archive = Archive::open(&self.input)?;
        if self.verify {
            archive.verify()?;
            let rows: u64 = archive.footer.tables.iter().map(|table| table.rows).sum();
            let (tables, segments) = (archive.footer.tables.len(), archive.segments.len());
            println!("{}: whole; {segments} segments, {tables} tables, {rows} rows", self.input.display());
            return Ok(());
        }
        let mut wire = Wire::connect(&self.connection.target()?)?;
        let mut bar = ProgressBar::new("restoring");
        let options = restore::Options { clean: self.clean, tables: self.table.clone() };
        apply(&mut wire, &mut archive, &options, &mut bar)?;
        let done = bar.finish();
        if self.verbose {
            eprintln!("{}: {} tables, {} rows restored", self.input.display(), done.tables_done, done.rows);
        }
        Ok(())
    }
}

pub(crate) fn apply(
    connection: &mut dyn Connection,
    archive: &mut Archive,
    options: &restore::Options,
    bar: &mut ProgressBar,
) -> types::Result<()> {
    restore::restore(&mut Linked(connection), archive, options, &mut |done| bar.show(done))
}

/// Whether a file begins as a `.heliodump` does.
pub(crate) fn is_archive(path: &Path) -> bool {
    let mut start = [0; 8];
    std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start)).is_ok()
        && &start == b"HELIODMP"
}
