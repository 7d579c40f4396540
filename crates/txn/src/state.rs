//! The whole committed content of one database as one value.

use std::sync::Arc;

use catalog::Catalog;
use storage::{TableData, TableId};

/// Numbers commits of one store, ascending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitSeq(pub u64);

/// Catalog, rows and indexes of one database. Cloning is O(1); a clone never changes.
#[derive(Clone, Debug)]
pub struct DatabaseState {
    pub seq: CommitSeq,
    pub catalog: Arc<Catalog>,
    pub tables: imbl::HashMap<TableId, TableData>,
}
