//! HeliosDB Nano embedded: a PostgreSQL-compatible database inside the program that uses it.
//!
//! ```
//! use heliosdb_nano::EmbeddedDatabase;
//!
//! # fn main() -> heliosdb_nano::Result<()> {
//! // Create in-memory database instance
//! let db = EmbeddedDatabase::new_in_memory()?;
//!
//! // Execute SQL
//! db.execute("CREATE TABLE users (id INT PRIMARY KEY, name TEXT)")?;
//! db.execute("INSERT INTO users VALUES (1, 'Alice')")?;
//!
//! let results = db.query("SELECT * FROM users", &[])?;
//! # assert_eq!(results.len(), 1);
//! # assert_eq!(results[0].get::<i32>("id")?, 1);
//! # assert_eq!(results[0].get::<String>(1)?, "Alice");
//! # Ok(())
//! # }
//! ```
//!
//! A web application's sessions, with a time to live:
//!
//! ```
//! use heliosdb_nano::EmbeddedDatabase;
//! use std::time::SystemTime;
//!
//! # fn main() -> heliosdb_nano::Result<()> {
//! // Initialize in-memory database
//! let db = EmbeddedDatabase::new_in_memory()?;
//!
//! db.execute("
//!     CREATE TABLE sessions (
//!         session_id UUID PRIMARY KEY,
//!         user_id INT NOT NULL,
//!         data JSONB NOT NULL,
//!         created_at TIMESTAMP NOT NULL,
//!         expires_at TIMESTAMP NOT NULL
//!     )
//! ")?;
//!
//! // Create index for expiration queries
//! db.execute("CREATE INDEX idx_sessions_expires ON sessions(expires_at)")?;
//!
//! // Insert session
//! db.execute("
//!     INSERT INTO sessions VALUES (
//!         gen_random_uuid(),
//!         1234,
//!         '{\"cart\": [\"item1\", \"item2\"]}',
//!         NOW(),
//!         NOW() + INTERVAL '30 minutes'
//!     )
//! ")?;
//!
//! // Cleanup expired sessions (run every minute)
//! db.execute("DELETE FROM sessions WHERE expires_at < NOW()")?;
//!
//! # let left = db.query("SELECT data->'cart'->>1 AS item, created_at FROM sessions", &[])?;
//! # assert_eq!(left.len(), 1);
//! # assert_eq!(left[0].get::<String>("item")?, "item2");
//! # let created: SystemTime = left[0].get("created_at")?;
//! # assert!(created <= SystemTime::now());
//! # Ok(())
//! # }
//! ```
//!
//! - [`EmbeddedDatabase`] is the database and a session of its own; [`EmbeddedDatabase::session`] opens more, for other threads.
//! - [`Session::prepare`] gives a [`Statement`] to run many times, [`Session::transaction`] a [`Transaction`] that rolls back unless committed.
//! - [`Session::query`] returns [`Row`]s, [`Session::query_arrow`] an Arrow record batch.
//!
//! **Invariants.** Every call goes through `engine::Session`, as the server's do: there is no second path. Dropping the last handle of
//! a session ends it and rolls back what it left open.
//! **Does not know** sockets, files.

mod database;
mod from_sql;
mod record_batch;
mod row;
mod session;
mod statement;
mod to_sql;
mod transaction;

pub use arrow_array;
pub use database::EmbeddedDatabase;
pub use engine::Notification;
pub use from_sql::FromSql;
pub use row::{Column, Row, RowIndex};
pub use session::Session;
pub use statement::Statement;
pub use to_sql::ToSql;
pub use transaction::Transaction;
pub use types::{Datum, Error, Result, SqlState, SqlType};
