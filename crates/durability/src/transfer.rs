//! One database into another, both open: definitions read as for a dump, rows piped from COPY to COPY, all in one transaction of the target.
//!
//! The source may be a PostgreSQL, whose catalogs answer the same queries.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use types::{Error, Result, SqlState};

use crate::{
    Link, Progress,
    restore::{ready_to_define, run},
    schema::{self, Schema, Section},
};

/// Pieces of COPY data that may wait for the target.
const PIECES_AHEAD: usize = 64;
/// Small pieces - PostgreSQL sends one a row - are put together to this size.
const PIECE_BYTES: usize = 1 << 16;
const TOOK_NO_MORE: &str = "the target took no more";

/// Copies what the source holds, or some tables of it, into the target. Both must be outside a transaction; after an error the target is
/// as it was.
///
/// Errors: those of [`schema::read`], what either database raises; a name that the target has already is the target's error.
pub fn transfer(
    source: &mut (dyn Link + Send),
    target: &mut dyn Link,
    tables: &[String],
    progress: &mut dyn FnMut(&Progress),
) -> Result<()> {
    schema::begin_snapshot(source)?;
    let done = schema::read(source, tables).and_then(|schema| {
        target.execute("BEGIN")?;
        match apply(source, target, &schema, progress) {
            Ok(()) => target.execute("COMMIT"),
            Err(error) => {
                // Its own error is the one to tell of; without the transaction there is nothing to undo.
                drop(target.execute("ROLLBACK"));
                Err(error)
            }
        }
    });
    // The source was only read: how its transaction ends changes nothing.
    drop(source.execute("ROLLBACK"));
    done
}

fn apply(
    source: &mut (dyn Link + Send),
    target: &mut dyn Link,
    schema: &Schema,
    progress: &mut dyn FnMut(&Progress),
) -> Result<()> {
    ready_to_define(target)?;
    let database = target.query("SELECT current_database()")?.into_iter().flatten().flatten().next().unwrap_or_default();
    for section in [Section::Cluster, Section::BeforeRows] {
        schema.section(section).try_for_each(|entry| run(target, entry, &database))?;
    }
    let mut done = Progress { tables: schema.tables.len(), ..Progress::default() };
    for table in &schema.tables {
        done.table = table.name.to_string();
        let count = pipe(source, target, &table.target(), &mut |bytes, rows| {
            done.bytes += bytes;
            done.rows += rows;
            progress(&done);
        });
        count.map_err(|error| error.context(format!("importing table {}", table.name)))?;
        done.tables_done += 1;
    }
    progress(&done);
    schema.section(Section::AfterRows).try_for_each(|entry| run(target, entry, &database))
}

/// Rows of a table from one to the other, in COPY's text format.
fn pipe(source: &mut (dyn Link + Send), target: &mut dyn Link, table: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<u64> {
    let (sender, receiver) = sync_channel(PIECES_AHEAD);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read(source, table, &sender));
        let written = write(target, table, receiver, progress);
        let read = reader.join().unwrap_or_else(|_| Err(Error::internal("the reader of the source ended")));
        match (written, read) {
            (Ok(count), Ok(())) => Ok(count),
            // Of two errors one is why the other side was given up.
            (Err(error), Err(given_up)) if given_up.message() == TOOK_NO_MORE => Err(error),
            (_, Err(error)) | (Err(error), _) => Err(error),
        }
    })
}

/// None says that all has come; without it the source has failed.
fn read(source: &mut (dyn Link + Send), table: &str, sender: &SyncSender<Option<Vec<u8>>>) -> Result<()> {
    let given_up = |_| Error::new(SqlState::QUERY_CANCELED, TOOK_NO_MORE);
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    source.copy_out(&format!("COPY {table} TO STDOUT"), &mut |data| {
        piece.extend_from_slice(data);
        if piece.len() >= PIECE_BYTES {
            sender.send(Some(std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES)))).map_err(given_up)?;
        }
        Ok(())
    })?;
    sender.send(Some(piece)).and_then(|()| sender.send(None)).map_err(given_up)
}

fn write(
    target: &mut dyn Link,
    table: &str,
    receiver: Receiver<Option<Vec<u8>>>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64> {
    target.copy_in(&format!("COPY {table} FROM STDIN"), &mut |piece| match receiver.recv() {
        Ok(Some(data)) => {
            let rows = data.iter().filter(|byte| **byte == b'\n').count();
            progress(data.len() as u64, rows as u64);
            *piece = data;
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(_) => Err(Error::new(SqlState::CONNECTION_FAILURE, "the source ended before all rows had come")),
    })
}
