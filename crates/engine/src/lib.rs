//! The engine: databases, sessions, and the one path that every statement takes.
//!
//! 1. [`session::Session::parse`] cuts a query text into statements (`binder::parse`).
//! 2. [`session::Session::execute`] sends each the planned or the utility way.
//! 3. A planned statement is bound (`binder::bind`), optimised (`optimizer::optimize`) and compiled (`executor::Prepared`), or found in the
//!    plan cache ([`plan_cache`]).
//! 4. It runs over the transaction's immutable view; rows of a query are computed as [`session::Session::next_batch`] pulls them.
//! 5. Changes are staged (`txn::Transaction::stage`). When a lock is taken the session awaits it, takes a fresh view and runs the statement again.
//! 6. The implicit transaction, or COMMIT, publishes.
//!
//! **Invariants.** Nothing blocks a thread while it waits. A failed statement leaves no change. Every error carries a SQLSTATE.
//! **Does not know** sockets, message formats of the wire, the command line.

pub mod access;
mod clock;
pub mod cluster;
pub mod copy;
mod ddl;
mod definition_text;
mod explain;
mod immutable;
pub mod limits;
pub mod memory;
mod notification;
pub mod offload;
pub mod password;
pub mod plan_cache;
pub mod process;
mod published_roles;
pub mod session;
pub mod settings;
mod shape_cache;
pub mod statement_class;
mod statement_shape;
mod statement_text;
pub mod statistics;
pub mod system_catalog;
mod timer;

pub use clock::now;
pub use cluster::{Cluster, ConnectOptions, DEFAULT_DATABASE, Database, TlsFacts};
pub use limits::SessionLimits;
pub use notification::Notification;
pub use offload::Offload;
pub use session::Session;
