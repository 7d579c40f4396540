//! The `.heliodump` file, as `docs/heliodump-format.md` describes it byte by byte.
//!
//! ```text
//! file header | segment | segment | ...
//! segment     = SEGMENT block | SCRIPT block | ROWS blocks | FOOTER block
//! ```
//!
//! The first segment holds everything; each `--append` adds one that holds the definitions as they are then, the batches of rows that no
//! segment before it holds, and a footer that lists for each table which blocks, of whatever segment, make up its rows now. So the last
//! footer describes the database, and a batch that did not change is not written again.
//!
//! The header counts segments and bytes, every block carries its number and two checksums: a flipped byte, a cut, a block left out or
//! moved are all found before anything is read from the file.

pub(crate) mod block;
mod compression;
mod contents;
mod read;
mod write;

pub use compression::Compression;
pub use contents::{Footer, Segment, TableBlocks};
pub use read::Archive;
pub use write::{Mode, write};

/// The version of the format that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u16 = 1;

#[cfg(test)]
mod tests;
