//! Data types and values: what a SQL value is, how it reads and prints, and how it fails.
//!
//! **Invariants.** A [`Datum`] is self-describing: its text and binary forms need no catalog (the names behind `reg*` types
//! are the one exception). Every rule, rounding and text form is PostgreSQL 15's.
//!
//! **Does not know** rows, tables, catalogs, expressions, transactions or sessions.

pub mod array;
pub mod binary_format;
pub mod bit_string;
pub mod datetime;
pub mod datum;
pub mod datum_order;
pub mod error;
pub mod format_settings;
pub mod json;
pub mod numeric;
pub mod numeric_format;
pub mod oid;
pub mod sql_type;
pub mod text_format;
pub mod typmod;
pub mod unsigned;

pub use array::Array;
pub use bit_string::BitString;
pub use datetime::{Date, Interval, Time, TimeTz, Timestamp, TimestampTz};
pub use datum::{Datum, EnumLabel, Record};
pub use datum_order::{compare_datums, hash_datum};
pub use error::{Error, Result, SqlState};
pub use format_settings::FormatSettings;
pub use json::Jsonb;
pub use numeric::Numeric;
pub use oid::Oid;
pub use sql_type::{Physical, SqlType};
pub use typmod::apply_typmod;
