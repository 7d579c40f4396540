//! Tells the server how far a dump or restore that has succeeded reaches, so that it counts what is dirty from there.

use types::Result;

use crate::Link;

/// How much had changed when a snapshot was taken, in the server's words; None where nobody counts: a PostgreSQL, or a user who may
/// not reset the count.
#[derive(Clone, Debug)]
pub struct Position(Option<String>);

impl Position {
    /// To be asked within the transaction that reads the snapshot.
    pub fn read(link: &mut dyn Link) -> Result<Position> {
        let known = link.query(
            "SELECT 1 FROM pg_catalog.pg_proc p, pg_catalog.pg_roles r
                WHERE p.proname = 'pg_dump_position' AND r.rolname = current_user AND r.rolsuper",
        )?;
        if known.is_empty() {
            return Ok(Position(None));
        }
        let answer = link.query("SELECT pg_catalog.pg_dump_position()")?;
        Ok(Position(answer.into_iter().flatten().flatten().next()))
    }

    /// The file that holds the snapshot is whole and on the disk.
    pub fn dumped(self, link: &mut dyn Link) {
        // A server that cannot be told goes on to take its data for dirty, which harms nobody: the dump has succeeded.
        drop(self.tell(link, "pg_dump_done"));
    }

    /// To be told within the transaction that restores everything: it takes effect with its commit.
    pub(crate) fn restored(self, link: &mut dyn Link) -> Result<()> {
        self.tell(link, "pg_restore_done")
    }

    fn tell(self, link: &mut dyn Link, function: &str) -> Result<()> {
        match self.0 {
            Some(position) => {
                link.query(&format!("SELECT pg_catalog.{function}({})", crate::schema::literal(&position))).map(|_| ())
            }
            None => Ok(()),
        }
    }
}
