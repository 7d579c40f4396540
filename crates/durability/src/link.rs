//! What a dump and a restore need of a database: queries as text, statements, and COPY in both directions.

use types::Result;

/// Values of a row as their text; None is NULL.
pub type Row = Vec<Option<String>>;

/// A session somewhere. Statements run one after another; a transaction spans them as in any session.
pub trait Link {
    /// Rows of a query.
    fn query(&mut self, sql: &str) -> Result<Vec<Row>>;

    /// Runs one statement or several, whose rows nobody wants.
    fn execute(&mut self, sql: &str) -> Result<()>;

    /// Runs a COPY ... TO STDOUT; hands over its data piece by piece, as they come. Returns how many rows there were.
    fn copy_out(&mut self, sql: &str, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<u64>;

    /// Runs a COPY ... FROM STDIN. `give` puts the next piece of data into the emptied buffer and says whether there was one.
    /// Returns how many rows came in.
    fn copy_in(&mut self, sql: &str, give: &mut dyn FnMut(&mut Vec<u8>) -> Result<bool>) -> Result<u64>;
}
