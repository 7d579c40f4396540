//! A conversation with a database, the same whether it is in this process or behind a socket.

pub(crate) mod local;
pub(crate) mod socket;
pub(crate) mod target;
pub(crate) mod tls;
pub(crate) mod wire;

use std::sync::Arc;

use durability::{Link, Row};
use types::{Error, Result, SqlState};

/// What running a query text gives, in order.
pub(crate) trait Handler {
    /// A result begins: its columns' names and types (pg_type.oid).
    fn columns(&mut self, _columns: Vec<(String, u32)>) -> Result<()> {
        Ok(())
    }

    fn row(&mut self, _row: Row) -> Result<()> {
        Ok(())
    }

    /// A statement is done; its command tag.
    fn complete(&mut self, _tag: &str) -> Result<()> {
        Ok(())
    }

    /// WARNING, NOTICE, ... and its text.
    fn notice(&mut self, _severity: &str, _notice: &Error) {}

    /// What NOTIFY has sent: channel, payload, the sender's process.
    fn notification(&mut self, _channel: &str, _payload: &str, _pid: i32) {}

    /// A piece of the data of COPY TO STDOUT.
    fn copy_out(&mut self, _piece: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Puts the next piece of data for COPY FROM STDIN into the emptied buffer; false when there is no more.
    fn copy_in(&mut self, _piece: &mut Vec<u8>) -> Result<bool> {
        Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "there is no data for COPY FROM STDIN here"))
    }
}

/// Asks for the running statement to be cancelled; may be called from another thread.
pub(crate) type Canceller = Arc<dyn Fn() + Send + Sync>;

/// A session of a database.
pub(crate) trait Connection {
    /// Runs a query text of any number of statements, to its end or the first error.
    fn run(&mut self, sql: &str, handler: &mut dyn Handler) -> Result<()>;

    /// 'I' idle, 'T' in a transaction block, 'E' in a failed one.
    fn status(&self) -> char;

    fn canceller(&self) -> Canceller;

    fn user(&self) -> String;

    fn database(&self) -> String;

    /// As \conninfo tells it.
    fn describe(&self) -> String;
}

/// A connection as dumps and restores use it.
pub(crate) struct Linked<'a, C: Connection + ?Sized = dyn Connection>(pub &'a mut C);

impl<C: Connection + ?Sized> Link for Linked<'_, C> {
    fn query(&mut self, sql: &str) -> Result<Vec<Row>> {
        struct Rows(Vec<Row>);
        impl Handler for Rows {
            fn columns(&mut self, _: Vec<(String, u32)>) -> Result<()> {
                self.0.clear();
                Ok(())
            }

            fn row(&mut self, row: Row) -> Result<()> {
                self.0.push(row);
                Ok(())
            }
        }
        let mut rows = Rows(Vec::new());
        self.0.run(sql, &mut rows)?;
        Ok(rows.0)
    }

    fn execute(&mut self, sql: &str) -> Result<()> {
        struct Ignore;
        impl Handler for Ignore {}
        self.0.run(sql, &mut Ignore)
    }

    fn copy_out(&mut self, sql: &str, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        struct Take<'a>(&'a mut dyn FnMut(&[u8]) -> Result<()>, u64);
        impl Handler for Take<'_> {
            fn copy_out(&mut self, piece: &[u8]) -> Result<()> {
                (self.0)(piece)
            }

            fn complete(&mut self, tag: &str) -> Result<()> {
                self.1 = count_of(tag);
                Ok(())
            }
        }
        let mut take = Take(take, 0);
        self.0.run(sql, &mut take)?;
        Ok(take.1)
    }

    fn copy_in(&mut self, sql: &str, give: &mut dyn FnMut(&mut Vec<u8>) -> Result<bool>) -> Result<u64> {
        struct Give<'a>(&'a mut dyn FnMut(&mut Vec<u8>) -> Result<bool>, u64);
        impl Handler for Give<'_> {
            fn copy_in(&mut self, piece: &mut Vec<u8>) -> Result<bool> {
                (self.0)(piece)
            }

            fn complete(&mut self, tag: &str) -> Result<()> {
                self.1 = count_of(tag);
                Ok(())
            }
        }
        let mut give = Give(give, 0);
        self.0.run(sql, &mut give)?;
        Ok(give.1)
    }
}

/// The rows that a command tag counts.
fn count_of(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}
