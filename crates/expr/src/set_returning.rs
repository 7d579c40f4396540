//! Functions that return sets: generate_series, unnest, regexp_matches, json_each and the like.

use catalog::builtin::BuiltinFunction;
use types::{Datum, Result, SqlType};

use crate::EvalContext;

/// Rows of a set-returning function; each has one datum a result column.
pub type Rows = Box<dyn Iterator<Item = Result<Vec<Datum>>> + Send>;

/// Calls a set-returning function on evaluated arguments. `result_type` is the call's resolved return type.
///
/// Errors: 0A000 for a function that has no implementation yet, naming it.
pub fn call(
    _function: &'static BuiltinFunction,
    _arguments: &[(Datum, SqlType)],
    _result_type: SqlType,
    _context: &EvalContext,
) -> Result<Rows> {
    unreachable!("written with the set-returning functions")
}
