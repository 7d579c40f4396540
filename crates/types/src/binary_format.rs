//! Binary input and output of every type (PostgreSQL's `typsend` and `typreceive`).

use crate::{Datum, Result, SqlType, text_format::TypeResolver};

/// Appends the binary wire form of a value of type `ty`, without the length word. NULL is the caller's to encode.
pub fn datum_to_binary(_datum: &Datum, _ty: SqlType, _out: &mut Vec<u8>) {
    unreachable!("written by the binary format module")
}

/// Reads a value of type `ty` from its binary wire form. Errors: 22P03, 08P01, 22021.
pub fn datum_from_binary(_bytes: &[u8], _ty: SqlType, _resolver: &dyn TypeResolver) -> Result<Datum> {
    unreachable!("written by the binary format module")
}
