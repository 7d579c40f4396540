//! Memcomparable keys: values encoded so that comparing bytes compares values.

use types::{Datum, Result};

/// How one column of an index is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyOrder {
    pub descending: bool,
    pub nulls_first: bool,
}

impl KeyOrder {
    /// PostgreSQL's default: ascending, NULLs last.
    pub const ASCENDING: KeyOrder = KeyOrder { descending: false, nulls_first: false };
}

/// Appends one value's encoding. A key is the concatenation of its columns', so a prefix of columns is a prefix of bytes.
/// All values of one index column must be of the same physical type; char(n) values must come with their padding trimmed.
///
/// Errors: 0A000 for values with no order.
pub fn encode_key_part(_datum: &Datum, _order: KeyOrder, _key: &mut Vec<u8>) -> Result<()> {
    unreachable!("written with the index tree")
}
