//! Rows to and from the column formats of others: Arrow record batches, and Parquet files of them.
//!
//! [`BatchBuilder`] gathers rows into arrays. A type that Arrow has none for goes as its text, and a field's metadata names the type it was.
//! [`ParquetWriter`] and [`ParquetReader`] do the same with files; [`from_arrow`] turns whatever array a file holds into values of the type
//! that is wanted, through the type's text form where the two differ.
//!
//! **Does not know** sessions, catalogs, or where bytes come from and go to: callers hand in the text forms of types.

pub mod from_arrow;
mod parquet_file;
mod record_batch;

pub use parquet_file::{ParquetReader, ParquetWriter};
pub use record_batch::{BatchBuilder, Purpose};
