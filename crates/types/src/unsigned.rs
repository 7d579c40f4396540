//! Unsigned 64-bit types, xid8 and pg_lsn, kept where signed integers are.
//!
//! The stored integer is the value with its highest bit inverted, so that the order of stored integers, in columns and in indexes, is
//! that of the values.

const HIGHEST_BIT: u64 = 1 << 63;

/// The value behind a stored integer.
pub fn of_stored(stored: i64) -> u64 {
    stored.cast_unsigned() ^ HIGHEST_BIT
}

/// What a value is stored as.
pub fn to_stored(value: u64) -> i64 {
    (value ^ HIGHEST_BIT).cast_signed()
}
