//! What SQL may ask of the process that serves it: to read its configuration again, to end. An embedded database has no such process.

use std::sync::Arc;

/// A wish of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// pg_reload_conf()
    Reload,
    /// pg_stop_server()
    Stop,
}

impl Request {
    /// The function that asks for it.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Request::Reload => "pg_reload_conf",
            Request::Stop => "pg_stop_server",
        }
    }
}

/// Takes the wishes of sessions; what comes of them happens later, and not on the caller's thread.
pub type Process = Arc<dyn Fn(Request) + Send + Sync>;
