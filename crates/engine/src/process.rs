//! What SQL may ask of the process that serves it: to read its configuration again, to end. An embedded database has no such process.

use std::sync::Arc;

use types::Oid;

/// A wish of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// pg_reload_conf()
    Reload,
    /// pg_stop_server()
    Stop,
}

impl Request {
    /// The function that asks for it (pg_proc.oid): who may call it may ask.
    pub(crate) fn function(self) -> Oid {
        match self {
            Request::Reload => Oid(2621),
            Request::Stop => Oid(9020),
        }
    }
}

/// Takes the wishes of sessions; what comes of them happens later, and not on the caller's thread.
pub type Process = Arc<dyn Fn(Request) + Send + Sync>;
