//! The call into libpg_query, made here because the `pg_query` crate drops the error's position and walks the tree once more for
//! statistics that nobody asks for.
#![expect(unsafe_code, reason = "a C call: the wrapper of pg_query loses the error position")]

use std::ffi::{CStr, CString, c_char, c_int};

use pg_query::protobuf;
use prost::Message;
use types::{Error, Result};

#[repr(C)]
struct ParserError {
    message: *mut c_char,
    function: *mut c_char,
    file: *mut c_char,
    line: c_int,
    cursor_position: c_int,
    context: *mut c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Buffer {
    length: usize,
    data: *mut c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct ParserResult {
    tree: Buffer,
    standard_error: *mut c_char,
    error: *mut ParserError,
}

unsafe extern "C" {
    fn pg_query_parse_protobuf(input: *const c_char) -> ParserResult;
    fn pg_query_free_protobuf_parse_result(result: ParserResult);
}

/// Parses text without NUL bytes.
pub(super) fn parse(sql: &str) -> Result<protobuf::ParseResult> {
    let input = CString::new(sql).map_err(|_| Error::internal("SQL text holds a NUL byte"))?;
    // SAFETY: the input is a NUL-terminated string that outlives the call, which keeps no pointer to it.
    let result = unsafe { pg_query_parse_protobuf(input.as_ptr()) };
    let parsed = if result.error.is_null() {
        // SAFETY: without an error the library gives a buffer of this length, valid until freed below.
        let bytes = unsafe { std::slice::from_raw_parts(result.tree.data.cast::<u8>(), result.tree.length) };
        let decoded = crate::deep::roomy(crate::deep::may_be_deep(sql), || protobuf::ParseResult::decode(bytes));
        decoded.map_err(|error| Error::internal(format!("syntax tree does not decode: {error}")))
    } else {
        // SAFETY: a non-null error points to a filled structure whose message is a NUL-terminated string, valid until freed below.
        let (message, position) = unsafe {
            let error = &*result.error;
            (CStr::from_ptr(error.message).to_string_lossy().into_owned(), error.cursor_position)
        };
        Err(super::syntax_error(sql, &message, usize::try_from(position).unwrap_or(0)))
    };
    // SAFETY: the result came from the library and is freed once.
    unsafe { pg_query_free_protobuf_parse_result(result) };
    parsed
}
