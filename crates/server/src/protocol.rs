//! The wire protocol's messages (PostgreSQL: "Message Formats"), decoded strictly and encoded into a growing buffer.

pub(crate) mod backend;
pub(crate) mod frontend;
pub(crate) mod rows;
