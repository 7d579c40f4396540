//! Sets made of arrays and of texts cut into parts.

use std::sync::Arc;

use types::{Array, Datum};

use super::{Call, Rows, none, single};
use crate::functions::array::split_text;

/// The elements; of row values, their fields as columns.
pub(super) fn unnest(call: &Call<'_>) -> Rows {
    let Datum::Array(array) = call.datum(0) else { return none() };
    let array: Arc<Array> = Arc::clone(array);
    single((0..array.elements.len()).map(move |at| array.elements[at].clone()))
}

pub(super) fn subscripts(call: &Call<'_>) -> Rows {
    let (Datum::Array(array), Datum::Int4(number)) = (call.datum(0), call.datum(1)) else { return none() };
    let dimension = usize::try_from(*number).ok().and_then(|number| array.dimensions.get(number.checked_sub(1)?));
    let Some(dimension) = dimension else { return none() };
    let (first, length) = (dimension.lower_bound as i64, dimension.length as i64);
    let subscripts = (first..first + length).map(|subscript| Datum::Int4(subscript as i32));
    if matches!(call.datum(2), Datum::Bool(true)) { single(subscripts.rev()) } else { single(subscripts) }
}

pub(super) fn split(call: &Call<'_>) -> Rows {
    let text = |at: usize| match call.datum(at) {
        Datum::Text(text) => Some(text.as_ref()),
        _ => None,
    };
    match text(0) {
        Some(subject) => single(split_text(subject, text(1), text(2)).into_iter()),
        None => none(),
    }
}
