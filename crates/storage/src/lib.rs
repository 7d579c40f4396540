//! Storage: persistent (structurally shared) trees of rows and index keys.
//!
//! A table's content is a value. Cloning a [`TableData`] is O(1) and the clone never changes; changing one copies only what a clone
//! still shares (`Arc::make_mut`) and writes in place where nobody does. Snapshots, savepoints, rollback and copies of whole
//! databases are clones; nothing here keeps versions of a row or asks who may see it.
//!
//! # The scheme, by example
//!
//! A table `(id int8, v int4, note text)` with rows 1 to 2100, and an index on `id`:
//!
//! ```text
//! TableData
//! ├─ rows: RowTree                                  row id / 1024 = block, a radix tree of 16 children a node leads to its chunk
//! │   ├─ block 0 ─ Chunk  rows    1..1023           presence  1111 1111 ...
//! │   │             ├─ id    [  1,   2,   3, ...]   one Arc<Column> for each attribute,
//! │   │             ├─ v     [ 10,  20,  30, ...]   slot = row id - first row id of the chunk
//! │   │             ├─ note  places [..5, ..8, ...] ─> bytes "helloabc..." (shared)  + own tail
//! │   │             └─ writers: all by transaction 7
//! │   ├─ block 1 ─ Chunk  rows 1024..2047
//! │   ├─ block 2 ─ Chunk  rows 2048..2099
//! │   └─ tail ──── Chunk  rows 2100..               at most 64 rows, merged into block 2 when it is full
//! └─ indexes: IndexTree                             B+tree of (key bytes, row id)
//!     └─ branch [ -, 02 80..01 00, 02 80..02 00, ...]
//!         └─ leaf  prefix 02 80 00 00 00 00 00 00 | 01 row 1 | 02 row 2 | ...     packed into one allocation
//! ```
//!
//! A snapshot is taken, then `UPDATE t SET v = 11 WHERE id = 1` is applied to the current value. The root node, the chunk's list of
//! columns, and column `v` are copied, because the snapshot shares them; `id`, `note`, all other chunks, and the index (its key did
//! not change) stay shared. A second update of the same chunk finds `v` unshared and writes in place. When the snapshot is dropped,
//! the old `v` goes with it: there is nothing to vacuum.
//!
//! - A **deleted** row clears its presence bit. A chunk that has lost half of its rows is packed to the rest, one that has lost all
//!   leaves the tree. Row ids are never given out again.
//! - An **updated text** is written over the old one if it is no longer and nobody shares the bytes. Otherwise it goes to its column's
//!   tail, and its place to a short list of those that moved; once garbage outweighs half of the live bytes, the column is rebuilt.
//! - **Appending** to a shared table copies the tail only, which is why there is one.
//! - **Keys** are bytes that compare as their values do ([`key`]), so the index tree knows no types.
//! - A **large value is dropped** in time proportional to what only it holds. All values are `Send`: whoever lets go of a big table, or
//!   of the last snapshot of one, moves it to another thread and drops it there.
//!
//! **Invariants.** A clone reads the same for ever. An index of a [`TableData`] holds exactly the keys of its rows.
//!
//! **Does not know** SQL, catalogs, transactions, sessions or disks. Which rows conflict, and who waits, is the transaction layer's.

pub mod activity;
mod batch;
pub mod bitmap;
pub mod change_set;
pub mod column;
pub mod index_shape;
pub mod index_tree;
pub mod key;
pub mod row_tree;
pub mod table_data;

pub use activity::{IndexActivity, TableActivity};
pub use batch::Batch;
pub use bitmap::Bitmap;
pub use change_set::{ChangeSet, InsertedRun, RowChange, TableChanges};
pub use column::{Column, FixedType};
pub use index_shape::{IndexShape, KeySource};
pub use index_tree::{IndexBuilder, IndexTree};
pub use row_tree::{CHUNK_ROWS, Chunk, RowTree};
pub use table_data::{IndexId, TableData, TableId};

/// Identifies a row within its table for as long as the row lives; given out in order by the table's counter, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u64);

/// Identifies the transaction that wrote a row version (what `xmin` shows).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxnId(pub u64);

/// A node that versions of a tree share. Unlike `std::sync::Arc` without weak references, so that asking whether a node is shared,
/// before it is written, is a load and not a locked instruction, which would make a write wait for the memory of those before it.
pub use triomphe::Arc as Shared;

/// A full row in the order of the table's attributes (dropped ones included, as NULL).
pub type Row = std::sync::Arc<[types::Datum]>;
