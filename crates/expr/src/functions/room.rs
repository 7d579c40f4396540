//! Room for what functions hold while they compute: asked for before large values are worked on.
//!
//! A small value is worked on without asking; what it takes is within what the server keeps free. The rule: nothing that may take more
//! than a few megabytes is made before `SessionHooks::check_memory` has been asked, whatever the function. Where what is made depends on
//! the values (replace, format, matches of an expression), the function asks itself, for what it is going to make.

use types::{Datum, Jsonb, Oid, Physical, Result, SqlType};

use crate::{EvalContext, Vector};

/// Values of fewer bytes are worked on and made without asking.
pub(crate) const LARGE: usize = 1 << 20;
/// A function's result, and that once more while it grows or is built of parts.
const COPIES: usize = 6;
/// Elements of an array or a document take so many times their shortest text ("1,").
const PARSED: usize = 48;
/// What a match of a regular expression takes, with its groups.
pub(crate) const MATCH_BYTES: usize = 256;

/// What a value holds by itself, without going through its elements.
pub(crate) fn shallow_bytes(datum: &Datum) -> usize {
    match datum {
        Datum::Text(text) => text.len(),
        Datum::Bytes(bytes) => bytes.len(),
        Datum::Array(array) => array.elements.len() * size_of::<Datum>(),
        Datum::Jsonb(json) => match &**json {
            Jsonb::Array(elements) => elements.len() * size_of::<Datum>(),
            Jsonb::Object(members) => members.len() * 2 * size_of::<Datum>(),
            _ => 0,
        },
        Datum::Bit(bits) => bits.bytes().len(),
        Datum::Record(record) => record.fields.iter().map(shallow_bytes).sum(),
        _ => 0,
    }
}

/// The same for one row of a vector.
pub(crate) fn row_bytes(vector: &Vector, row: usize) -> usize {
    match vector {
        Vector::Constant(datum) => shallow_bytes(datum),
        Vector::Column(column) => match column.physical() {
            Physical::Text if !column.is_null(row) => column.text(row).len(),
            Physical::Bytes if !column.is_null(row) => column.bytes(row).len(),
            Physical::Any => shallow_bytes(&column.datum(row)),
            _ => 0,
        },
    }
}

/// Whether any row of a vector may be large. Cheap for texts and fixed types.
pub(crate) fn may_be_large(vector: &Vector) -> bool {
    match vector {
        Vector::Constant(datum) => shallow_bytes(datum) >= LARGE,
        Vector::Column(column) => match column.physical() {
            Physical::Text | Physical::Bytes => column.heap_size() >= LARGE,
            Physical::Any => (0..column.len()).any(|row| row_bytes(vector, row) >= LARGE / 16),
            _ => false,
        },
    }
}

/// How many times its arguments a function holds.
pub(crate) fn copies(source: &str) -> usize {
    match source {
        // They look at it where it is.
        "textlen" | "textoctetlen" | "byteaoctetlen" | "bpcharlen" | "bpcharoctetlen" | "jsonb_typeof" | "jsonb_array_length"
        | "array_cardinality" | "array_length" | "array_upper" | "array_lower" | "array_ndims" | "array_dims" => 0,
        "text_to_array" | "text_to_array_null" | "jsonb_in" | "jsonb_pretty" | "jsonb_strip_nulls" | "json_strip_nulls"
        | "jsonb_object" | "json_object" => PARSED,
        // Control characters become six.
        "to_json" | "to_jsonb" | "row_to_json" | "array_to_json" => 2 * COPIES,
        _ => COPIES,
    }
}

/// Errors: 53200 when a cast of a large value would not find room. From text, arrays and documents are many times what is read.
pub(crate) fn check_cast(datum: &Datum, from: SqlType, to: SqlType, context: &EvalContext) -> Result<()> {
    let bytes = shallow_bytes(datum);
    let parsed = from.is_string() && (to.physical == Physical::Any || to.oid == Oid::JSON);
    let needed = bytes.saturating_mul(if parsed { PARSED } else { COPIES });
    if needed < LARGE { Ok(()) } else { context.session.check_memory(needed) }
}

/// Errors: 53200 when a set made of large values would not find room.
pub(crate) fn check_set(arguments: &[(Datum, SqlType)], context: &EvalContext) -> Result<()> {
    let bytes: usize = arguments.iter().map(|(datum, _)| shallow_bytes(datum)).sum();
    if bytes < LARGE { Ok(()) } else { context.session.check_memory(bytes.saturating_mul(PARSED)) }
}

/// Errors: 53200 when the values of these vectors, each in a place of its own, would not find room.
pub(crate) fn check_copies(vectors: &[Vector], len: usize, context: &EvalContext) -> Result<()> {
    let columns: Vec<&Vector> = vectors.iter().filter(|vector| matches!(vector, Vector::Column(_))).collect();
    if !columns.iter().any(|vector| may_be_large(vector)) {
        return Ok(());
    }
    let bytes = columns.iter().map(|vector| (0..len).map(|row| row_bytes(vector, row)).sum::<usize>()).sum();
    if bytes < LARGE { Ok(()) } else { context.session.check_memory(bytes) }
}

/// Asks as something grows, a megabyte at a time.
pub(crate) struct Growth<'a> {
    context: &'a EvalContext,
    asked: usize,
}

impl<'a> Growth<'a> {
    pub(crate) fn new(context: &'a EvalContext) -> Growth<'a> {
        Growth { context, asked: 0 }
    }

    /// Errors: 53200 when it cannot grow on from so many bytes, which may double when they move.
    pub(crate) fn check(&mut self, bytes: usize) -> Result<()> {
        if bytes < self.asked + LARGE {
            return Ok(());
        }
        self.asked = bytes;
        self.context.check_cancelled()?;
        self.context.session.check_memory(bytes)
    }
}
