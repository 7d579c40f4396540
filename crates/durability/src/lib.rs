//! Dumps: a database written to a file, and read back.
//!
//! A dump is a reader. It opens one REPEATABLE READ transaction through a [`Link`] - a session of this process or a connection to a
//! server - and so sees one immutable value of the database, for as long as it takes and without anybody waiting for it. Then
//!
//! 1. [`schema::read`] reads `pg_catalog` into a [`Schema`]: the statements that make every object again, in an order in which they
//!    can run;
//! 2. [`sql_text::write`] prints it with the rows between as plain SQL, or [`archive::write`] puts it with compressed batches of columns
//!    into a `.heliodump`, of which every block carries its checksum;
//! 3. [`AtomicFile`] gives the file its name only when it is whole and on the disk.
//!
//! [`restore`] checks a whole file before it sends a statement, and runs all of it in one transaction.
//!
//! The statements are a function of what is defined and not of object identifiers, and rows come in the order of the table, so that a
//! restored database's dump is the same text.
//!
//! **Invariants.** A kind of object that is not dumped is an error, never left out. A file that is not whole is never read as a shorter one.
//! **Does not know** sessions, sockets, or how a statement runs.

pub mod archive;
mod atomic_file;
pub mod column_batch;
mod link;
pub mod restore;
mod saved;
pub mod schema;
pub mod sql_text;
pub mod transfer;

pub use archive::{Archive, Compression};
pub use atomic_file::AtomicFile;
pub use link::{Link, Row};
pub use saved::Position;
pub use schema::{Schema, Section, TableName};

use types::{Error, SqlState};

/// A file that cannot be read or written.
pub(crate) fn io_error(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Error {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
        std::io::ErrorKind::StorageFull => "No space left on device".to_owned(),
        _ => error.to_string(),
    };
    Error::new(SqlState::IO_ERROR, format!("could not {doing} \"{}\": {reason}", path.display()))
}

/// What a dump has done so far, for a progress bar.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub table: String,
    pub tables_done: usize,
    pub tables: usize,
    pub rows: u64,
    pub bytes: u64,
}
