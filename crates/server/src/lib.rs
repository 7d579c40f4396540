//! The server: sockets, the PostgreSQL wire protocol (version 3), and nothing else. The only crate that listens.
//!
//! 1. [`listener`] accepts connections on TCP and a Unix socket and starts a task for each.
//! 2. [`startup`] answers SSL ([`tls`]), GSS and cancel requests, reads the start-up packet and opens an `engine::Session`.
//! 3. [`connection`] reads messages as they come, runs them through the session ([`query`], [`extended`], [`copy`]) and gathers the answers;
//!    they are written when there is nothing left to read, so that a pipeline costs one write.
//!
//! **Invariants.** A message's length is believed only as its bytes arrive: nothing is allocated ahead. A panic ends one connection.
//! **Does not know** SQL.

pub mod audit;
pub mod authentication;
pub mod background;
pub mod certificate;
mod connection;
mod copy;
mod event_loops;
mod extended;
pub mod listener;
mod monitoring;
mod offload;
mod protocol;
mod query;
mod startup;
mod stream;
pub mod tls;

pub use audit::{Audit, AuditOptions, Rotation, Scope};
pub use authentication::{AuthMethod, AuthOptions};
pub use listener::{Access, AccessOptions, Server, ServerOptions};
pub use monitoring::Monitoring;
pub use tls::{TlsFiles, TlsIdentity};
