//! Storage: persistent (structurally shared) trees of rows and index keys.
//!
//! A table's content is a value. Cloning a [`TableData`] is O(1) and the clone never changes; changing one copies only what a clone
//! still shares (`Arc::make_mut`) and writes in place where nobody does.
//!
//! **Does not know** SQL, catalogs, transactions, sessions or disks.

pub mod bitmap;
pub mod change_set;
pub mod column;
pub mod index_shape;
pub mod index_tree;
pub mod key;
pub mod row_tree;
pub mod table_data;

pub use bitmap::Bitmap;
pub use change_set::{ChangeSet, InsertedRun, RowChange, TableChanges};
pub use column::{Column, FixedType};
pub use index_shape::{IndexShape, KeySource};
pub use index_tree::{IndexBuilder, IndexTree};
pub use row_tree::{Chunk, RowTree};
pub use table_data::{IndexId, TableData, TableId};

/// Identifies a row within its table for as long as the row lives; given out in order by the table's counter, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u64);

/// Identifies the transaction that wrote a row version (what `xmin` shows).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxnId(pub u64);

/// A full row in the order of the table's attributes (dropped ones included, as NULL).
pub type Row = std::sync::Arc<[types::Datum]>;
