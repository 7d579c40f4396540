//! What a transaction has changed: the unit of commit, rebase, certification, logging and replication.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::{Column, Row, RowId, TableId};

/// One row's change within a transaction, net of everything the transaction did to it.
#[derive(Clone, Debug)]
pub struct RowChange {
    /// The committed row this transaction started from; None for a row it inserted.
    pub before: Option<Row>,
    /// None for a row it deleted.
    pub after: Option<Row>,
}

/// A run of inserted rows with consecutive ids, by column (COPY, INSERT ... SELECT).
#[derive(Clone, Debug)]
pub struct InsertedRun {
    pub first: RowId,
    pub columns: Vec<Arc<Column>>,
}

/// The changes of one table.
#[derive(Clone, Debug, Default)]
pub struct TableChanges {
    /// Rows inserted in bulk. A row of a run that the same transaction changes again also has an entry in `rows`, which wins.
    pub inserted: Vec<InsertedRun>,
    pub rows: HashMap<RowId, RowChange>,
}

/// All row changes of a transaction, by table.
#[derive(Clone, Debug, Default)]
pub struct ChangeSet {
    pub tables: HashMap<TableId, TableChanges>,
}
