//! EXPLAIN [ANALYZE].

use std::sync::Arc;

use pg_query::protobuf::ExplainStmt;
use types::{Datum, Error, Result};

use crate::session::{Outcome, Session};

/// Runs EXPLAIN and returns the plan's lines.
pub(crate) async fn execute(_session: &mut Session, _statement: &ExplainStmt, _parameters: Arc<[Datum]>) -> Result<Outcome> {
    Err(Error::unsupported("EXPLAIN"))
}
