//! A database inside the program.

use std::{ops::Deref, sync::Arc};

use engine::{Cluster, ConnectOptions, DEFAULT_DATABASE};
use types::Result;

use crate::{Session, Transaction};

/// A database in memory, with a session of its own that its methods use (all of [`Session`]'s, through `Deref`).
///
/// It lives as long as this value or any of its sessions does.
pub struct EmbeddedDatabase {
    cluster: Arc<Cluster>,
    session: Session,
}

impl EmbeddedDatabase {
    /// An empty database.
    ///
    /// Errors: none today; opening a database is an operation that may fail.
    pub fn new_in_memory() -> Result<EmbeddedDatabase> {
        let cluster = Arc::new(Cluster::new());
        let session = connect(&cluster)?;
        Ok(EmbeddedDatabase { cluster, session })
    }

    /// Opens another session, with a transaction, settings and temporary tables of its own.
    pub fn session(&self) -> Result<Session> {
        connect(&self.cluster)
    }

    /// Begins a transaction in a session of its own: it is rolled back when dropped without [`Transaction::commit`].
    ///
    /// What the database's own session does meanwhile is not part of it, and waits for the rows that it has locked.
    ///
    /// ```
    /// # fn main() -> heliosdb_nano::Result<()> {
    /// # let db = heliosdb_nano::EmbeddedDatabase::new_in_memory()?;
    /// db.execute("CREATE TABLE t (a int)")?;
    /// {
    ///     let transaction = db.transaction()?;
    ///     transaction.execute("INSERT INTO t VALUES (1)")?;
    ///     // dropped: rolled back
    /// }
    /// let transaction = db.transaction()?;
    /// transaction.execute("INSERT INTO t VALUES (2)")?;
    /// transaction.commit()?;
    /// assert_eq!(db.query("SELECT sum(a) FROM t", &[])?[0].get::<i64>(0)?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn transaction(&self) -> Result<Transaction> {
        self.session()?.transaction()
    }

    /// What server, sessions and databases share: to serve this database on a socket as well.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }
}

impl Deref for EmbeddedDatabase {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

fn connect(cluster: &Arc<Cluster>) -> Result<Session> {
    let options =
        ConnectOptions { user: "postgres".to_owned(), database: Some(DEFAULT_DATABASE.to_owned()), ..ConnectOptions::default() };
    Ok(Session::new(cluster.connect(options)?))
}
