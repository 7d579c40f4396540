//! regexp_matches and regexp_split_to_table.

use std::sync::Arc;

use types::{Datum, Error, Result, SqlState};

use super::{Call, Rows, none, single};
use crate::functions::{
    regex::{Flags, Regex},
    regexp::{match_array, split},
};

fn text<'a>(call: &'a Call<'_>, argument: usize) -> Option<&'a str> {
    match call.datum(argument) {
        Datum::Text(text) => Some(text),
        _ => None,
    }
}

/// The groups of each match; of the first only without the flag g.
pub(super) fn matches(call: &Call<'_>) -> Result<Rows> {
    let (Some(subject), Some(pattern)) = (text(call, 0), text(call, 1)) else { return Ok(none()) };
    let flags = Flags::parse(text(call, 2).unwrap_or(""))?;
    let found = Regex::new(pattern, flags)?.matches(subject, 0, flags.global, false, call.context)?;
    let subject: Arc<str> = subject.into();
    Ok(single(found.into_iter().map(move |found| Datum::Array(Arc::new(match_array(&subject, &found))))))
}

pub(super) fn split_to_table(call: &Call<'_>) -> Result<Rows> {
    let (Some(subject), Some(pattern)) = (text(call, 0), text(call, 1)) else { return Ok(none()) };
    let flags = Flags::parse(text(call, 2).unwrap_or(""))?;
    if flags.global {
        let message = "regexp_split_to_table() does not support the \"global\" option";
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    Ok(single(split(subject, pattern, flags, call.context)?.into_iter()))
}
