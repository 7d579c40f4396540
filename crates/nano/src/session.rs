//! A session: statements one after another, each run to its end on the calling thread.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow_array::RecordBatch;
use engine::{
    Notification,
    session::{Outcome, PreparedStatement, extended::PortalStep},
};
use parking_lot::{Condvar, Mutex};
use types::{Datum, Error, Result, SqlState, SqlType};

use crate::{
    Row, Statement, ToSql, Transaction,
    record_batch::BatchBuilder,
    row::{Column, Columns},
    to_sql,
};

/// A session. Clones are handles of the same one; a call from one thread waits for another thread's to end, so that threads which
/// are to work at the same time take a session each ([`crate::EmbeddedDatabase::session`]).
#[derive(Clone)]
pub struct Session {
    inner: Arc<Mutex<engine::Session>>,
    notified: Arc<Notified>,
}

/// Wakes threads that wait for notifications; the session is not locked meanwhile.
#[derive(Default)]
struct Notified {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Notified {
    fn tell(&self) {
        *self.told.lock() = true;
        self.changed.notify_all();
    }

    /// Waits until told, or not told before the deadline: false. None is no deadline.
    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let mut told = self.told.lock();
        while !*told {
            match deadline {
                None => self.changed.wait(&mut told),
                Some(deadline) if self.changed.wait_until(&mut told, deadline).timed_out() => return *told,
                Some(_) => {}
            }
        }
        *told = false;
        true
    }
}

/// The name of the statement that `query` prepares and forgets.
const UNNAMED: &str = "";

impl Session {
    pub(crate) fn new(session: engine::Session) -> Session {
        let notified = Arc::new(Notified::default());
        let teller = notified.clone();
        session.shared().on_notify(move || teller.tell());
        Session { inner: Arc::new(Mutex::new(session)), notified }
    }

    /// Runs SQL, one statement or several separated by semicolons, and returns how many rows the last one changed or returned.
    /// Several statements outside a transaction block succeed or fail together, as in PostgreSQL.
    ///
    /// Errors: whatever the statements raise; those before have been rolled back then, unless they were committed.
    pub fn execute(&self, sql: &str) -> Result<u64> {
        let session = &mut *self.inner.lock();
        let done = pollster::block_on(run_script(session, sql));
        let ended = pollster::block_on(session.finish_script());
        let count = done?;
        ended.map(|()| count)
    }

    /// Runs one statement with parameters `$1`, `$2`, ... and returns how many rows it changed or returned.
    pub fn execute_with(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<u64> {
        self.run_unnamed(sql, parameters, |_, _| Ok(()), |_, _| Ok(())).map(|((), count)| count)
    }

    /// Runs one statement with parameters `$1`, `$2`, ... and returns its rows (those of RETURNING as well).
    ///
    /// ```
    /// # fn main() -> heliosdb_nano::Result<()> {
    /// # let db = heliosdb_nano::EmbeddedDatabase::new_in_memory()?;
    /// let rows = db.query("SELECT $1::int + 1 AS next, upper($2) AS name", &[&41, &"helios"])?;
    /// assert_eq!(rows[0].get::<i32>("next")?, 42);
    /// assert_eq!(rows[0].get::<String>("name")?, "HELIOS");
    /// # Ok(())
    /// # }
    /// ```
    pub fn query(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<Vec<Row>> {
        self.run_unnamed(sql, parameters, Rows::new, Rows::add).map(|(rows, _)| rows.rows)
    }

    /// Like [`Session::query`], for a statement that must return exactly one row.
    ///
    /// Errors: P0002 for none, P0003 for several.
    pub fn query_one(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<Row> {
        let mut rows = self.query(sql, parameters)?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            (None, _) => Err(Error::new(SqlState::NO_DATA_FOUND, "query returned no rows")),
            (Some(_), false) => Err(Error::new(SqlState::TOO_MANY_ROWS, "query returned more than one row")),
        }
    }

    /// Like [`Session::query`], with all rows in one Arrow record batch.
    ///
    /// Numbers, text, dates, times and uuids have Arrow's types, numeric(p,s) is Decimal128 up to 38 digits; every other type is its
    /// text. The field's metadata key `postgresql.type` holds the type's oid.
    ///
    /// ```
    /// # fn main() -> heliosdb_nano::Result<()> {
    /// # let db = heliosdb_nano::EmbeddedDatabase::new_in_memory()?;
    /// use heliosdb_nano::arrow_array::{cast::AsArray, types::Int64Type};
    /// let batch = db.query_arrow("SELECT n * n AS square FROM generate_series(1::bigint, 4) AS n", &[])?;
    /// assert_eq!(batch.schema().field(0).name(), "square");
    /// assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[1, 4, 9, 16]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn query_arrow(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<RecordBatch> {
        let (batch, _) = self.run_unnamed(sql, parameters, BatchBuilder::new, BatchBuilder::add)?;
        batch.finish()
    }

    /// Parses and plans a statement to be run many times.
    ///
    /// ```
    /// # fn main() -> heliosdb_nano::Result<()> {
    /// # let db = heliosdb_nano::EmbeddedDatabase::new_in_memory()?;
    /// db.execute("CREATE TABLE squares (n int PRIMARY KEY, square int)")?;
    /// let insert = db.prepare("INSERT INTO squares VALUES ($1, $1::int * $1::int)")?;
    /// for n in 1..=10 {
    ///     insert.execute(&[&n])?;
    /// }
    /// assert_eq!(db.query("SELECT square FROM squares WHERE n = 7", &[])?[0].get::<i32>(0)?, 49);
    /// # Ok(())
    /// # }
    /// ```
    pub fn prepare(&self, sql: &str) -> Result<Statement> {
        Statement::prepare(self.clone(), sql)
    }

    /// Begins a transaction in this session.
    ///
    /// Errors: 25001 when one is open already.
    pub fn transaction(&self) -> Result<Transaction> {
        Transaction::begin(self.clone())
    }

    /// Whether a transaction block is open.
    pub fn in_transaction(&self) -> bool {
        !matches!(self.inner.lock().transaction_status(), engine::session::TransactionStatus::Idle)
    }

    /// NOTICEs and WARNINGs raised since the last call.
    pub fn take_notices(&self) -> Vec<Error> {
        self.inner.lock().shared().take_notices().into_iter().map(|(_, notice)| notice).collect()
    }

    /// What other sessions, and this one, have sent with NOTIFY to the channels that this session listens to. With none there yet it waits
    /// for them, no longer than the time-out. They come between transactions only.
    ///
    /// ```
    /// # fn main() -> heliosdb_nano::Result<()> {
    /// # let db = heliosdb_nano::EmbeddedDatabase::new_in_memory()?;
    /// use std::time::Duration;
    /// let listener = db.session()?;
    /// listener.execute("LISTEN jobs")?;
    /// db.execute("NOTIFY jobs, 'number 7'")?;
    /// let notifications = listener.wait_for_notifications(Duration::from_secs(1));
    /// assert_eq!(&*notifications[0].payload, "number 7");
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_for_notifications(&self, timeout: Duration) -> Vec<Notification> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let found = self.inner.lock().take_notifications();
            if !found.is_empty() || !self.notified.wait_until(deadline) {
                return found;
            }
        }
    }

    pub(crate) fn with<T>(&self, use_it: impl FnOnce(&mut engine::Session) -> T) -> T {
        use_it(&mut self.inner.lock())
    }

    fn run_unnamed<T>(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
        new: impl FnOnce(Arc<Columns>, &[SqlType]) -> Result<T>,
        add: impl FnMut(&mut T, Vec<Datum>) -> Result<()>,
    ) -> Result<(T, u64)> {
        let session = &mut *self.inner.lock();
        session.close_statement(UNNAMED);
        let done = session.prepare(UNNAMED, sql, &[]).and_then(|_| run_prepared(session, UNNAMED, parameters, new, add));
        end_statement(session, done)
    }

    pub(crate) fn run_named<T>(
        &self,
        name: &str,
        parameters: &[&dyn ToSql],
        new: impl FnOnce(Arc<Columns>, &[SqlType]) -> Result<T>,
        add: impl FnMut(&mut T, Vec<Datum>) -> Result<()>,
    ) -> Result<(T, u64)> {
        let session = &mut *self.inner.lock();
        let done = run_prepared(session, name, parameters, new, add);
        end_statement(session, done)
    }
}

/// Commits the statement's implicit transaction; its own error comes first.
fn end_statement<T>(session: &mut engine::Session, done: Result<T>) -> Result<T> {
    session.close_portal(UNNAMED);
    let ended = pollster::block_on(session.sync());
    let value = done?;
    ended.map(|()| value)
}

/// Rows of a query, gathered.
pub(crate) struct Rows {
    columns: Arc<Columns>,
    pub(crate) rows: Vec<Row>,
}

impl Rows {
    pub(crate) fn new(columns: Arc<Columns>, _types: &[SqlType]) -> Result<Rows> {
        Ok(Rows { columns, rows: Vec::new() })
    }

    pub(crate) fn add(&mut self, values: Vec<Datum>) -> Result<()> {
        self.rows.push(Row::new(self.columns.clone(), values));
        Ok(())
    }
}

async fn run_script(session: &mut engine::Session, sql: &str) -> Result<u64> {
    let statements = session.parse(sql)?;
    let mut count = 0;
    for (at, statement) in statements.iter().enumerate() {
        let tag = match session.execute(sql, statement, Arc::from([])).await? {
            Outcome::Rows(mut rows) => {
                while session.next_batch(&mut rows)?.is_some() {}
                rows.tag()
            }
            Outcome::Command(tag) => tag,
            Outcome::Empty => String::new(),
            Outcome::CopyIn(_) | Outcome::CopyOut(_) => return Err(no_copy(session)),
        };
        session.finish_statement(at + 1 == statements.len()).await?;
        count = count_of(&tag);
    }
    Ok(count)
}

fn run_prepared<T>(
    session: &mut engine::Session,
    statement: &str,
    parameters: &[&dyn ToSql],
    new: impl FnOnce(Arc<Columns>, &[SqlType]) -> Result<T>,
    mut add: impl FnMut(&mut T, Vec<Datum>) -> Result<()>,
) -> Result<(T, u64)> {
    let prepared = session.prepared_statement(statement)?;
    let (settings, resolver) = session.formats()?;
    let values = to_sql::parameters(parameters, &prepared.parameters, &settings, &*resolver)?;
    let types: Vec<SqlType> = prepared.columns.iter().flat_map(|columns| columns.iter()).map(|column| column.ty).collect();
    let columns = columns_of(session, &prepared)?;
    let mut gathered = new(Arc::new(Columns { columns, settings, resolver }), &types)?;
    session.close_portal(UNNAMED);
    session.bind(UNNAMED, statement, values, Vec::new())?;
    let mut given = 0;
    loop {
        match pollster::block_on(session.execute_portal(UNNAMED, 0, given))? {
            PortalStep::Rows(batch) => {
                given += batch.len;
                for row in 0..batch.len {
                    add(&mut gathered, batch.row(row))?;
                }
            }
            PortalStep::Complete(tag) => return Ok((gathered, count_of(&tag))),
            PortalStep::Empty | PortalStep::Suspended => return Ok((gathered, 0)),
            PortalStep::CopyIn(_) | PortalStep::CopyOut(_) => return Err(no_copy(session)),
        }
    }
}

/// The columns that a prepared statement returns, their types named.
pub(crate) fn columns_of(session: &mut engine::Session, prepared: &PreparedStatement) -> Result<Vec<Column>> {
    let (_, resolver) = session.formats()?;
    let columns = prepared.columns.iter().flat_map(|columns| columns.iter());
    Ok(columns.map(|column| Column::new(column.name.clone(), column.ty, resolver.type_name(column.ty))).collect())
}

/// The count at a command tag's end.
fn count_of(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn no_copy(session: &mut engine::Session) -> Error {
    session.fail_copy_in(Error::unsupported("COPY between an embedding program and a table"))
}

#[cfg(test)]
mod tests {
    use super::count_of;

    #[test]
    fn counts_come_from_command_tags() {
        assert_eq!(count_of("INSERT 0 3"), 3);
        assert_eq!(count_of("SELECT 12"), 12);
        assert_eq!(count_of("CREATE TABLE"), 0);
        assert_eq!(count_of(""), 0);
    }
}
