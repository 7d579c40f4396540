//! Functions that return sets: generate_series, unnest, regexp_matches, json_each and the like.

use std::sync::Arc;

use catalog::builtin::BuiltinFunction;
use types::{Datum, Result, SqlType};

use crate::{EvalContext, functions};

mod arrays;
mod json;
mod regexp;
mod series;
mod time_series;

/// Rows of a set-returning function; each has one datum a result column.
pub type Rows = Box<dyn Iterator<Item = Result<Vec<Datum>>> + Send>;

/// A call: its evaluated arguments with their types, and the type that the call was resolved to return.
struct Call<'a> {
    arguments: &'a [(Datum, SqlType)],
    result_type: SqlType,
    /// The column definition list of `AS t (a int, ...)`, for functions that return record.
    columns: Option<&'a [(Arc<str>, SqlType)]>,
    context: &'a EvalContext,
}

impl Call<'_> {
    fn datum(&self, argument: usize) -> &Datum {
        self.arguments.get(argument).map_or(&Datum::Null, |(datum, _)| datum)
    }
}

/// Rows of one column.
fn single(values: impl Iterator<Item = Datum> + Send + 'static) -> Rows {
    Box::new(values.map(|value| Ok(vec![value])))
}

fn none() -> Rows {
    Box::new(std::iter::empty())
}

/// Calls a set-returning function on evaluated arguments. `result_type` is the call's resolved return type, `columns` the column definition
/// list that a function returning record was given. Functions in FROM that return one row value (json_to_record, json_populate_record) may
/// be called so too, and give its fields as columns.
///
/// Errors: 0A000 for a function that has no implementation yet, naming it.
pub fn call(
    function: &'static BuiltinFunction,
    arguments: &[(Datum, SqlType)],
    result_type: SqlType,
    columns: Option<&[(Arc<str>, SqlType)]>,
    context: &EvalContext,
) -> Result<Rows> {
    if function.strict && arguments.iter().any(|(datum, _)| datum.is_null()) {
        return Ok(none());
    }
    functions::room::check_set(arguments, context)?;
    let call = Call { arguments, result_type, columns, context };
    let name = function.name;
    let rows = match function.source {
        "generate_series_int4" | "generate_series_step_int4" | "generate_series_int8" | "generate_series_step_int8" => {
            series::integers(&call)?
        }
        "generate_series_numeric" | "generate_series_step_numeric" => series::numerics(&call)?,
        "generate_series_timestamp" | "generate_series_timestamptz" => time_series::timestamps(&call)?,
        "pg_timezone_names" => time_series::names(&call),
        "pg_timezone_abbrevs" => time_series::abbreviations(&call),
        "array_unnest" => arrays::unnest(&call),
        "generate_subscripts" | "generate_subscripts_nodir" => arrays::subscripts(&call),
        "text_to_table" | "text_to_table_null" => arrays::split(&call),
        "regexp_matches" | "regexp_matches_no_flags" => regexp::matches(&call)?,
        "regexp_split_to_table" | "regexp_split_to_table_no_flags" => regexp::split_to_table(&call)?,
        "json_array_elements" | "jsonb_array_elements" => json::elements(&call, false, name)?,
        "json_array_elements_text" | "jsonb_array_elements_text" => json::elements(&call, true, name)?,
        "json_each" | "jsonb_each" => json::members(&call, false, name)?,
        "json_each_text" | "jsonb_each_text" => json::members(&call, true, name)?,
        "json_object_keys" | "jsonb_object_keys" => json::keys(&call, name)?,
        "json_to_record"
        | "jsonb_to_record"
        | "json_to_recordset"
        | "jsonb_to_recordset"
        | "json_populate_record"
        | "jsonb_populate_record"
        | "json_populate_recordset"
        | "jsonb_populate_recordset" => json::records(&call, name)?,
        source => {
            let values: Vec<Datum> = arguments.iter().map(|(datum, _)| datum.clone()).collect();
            match context.session.engine_rows(source, &values, context) {
                Some(rows) => Box::new(rows?.into_iter().map(Ok)),
                None => return Err(functions::not_implemented(function)),
            }
        }
    };
    Ok(rows)
}
