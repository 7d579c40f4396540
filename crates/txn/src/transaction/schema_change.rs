//! Transactional DDL: a private catalog and private tables, merged with what others changed.
//!
//! Definitions of two transactions merge object by object ([`Catalog::merge`]): no lock over the catalog is held until commit, so that
//! two transactions may create different tables at once. What must not be changed by two at once is locked by the engine, as PostgreSQL
//! does: the relation (`LockTag::Relation`) and, so that the second waits and does not fail, the new name (`LockTag::Name`).

use std::sync::Arc;

use catalog::Catalog;
use storage::{TableData, TableId};
use types::{Oid, Result};

use super::{
    Transaction,
    private::{PrivateTable, WholeTable, no_such_table},
};
use crate::{CommitSeq, state::TableVersion};

/// The definitions that a transaction changed: its catalog, and the one that it started from.
#[derive(Clone, Debug)]
pub(super) struct SchemaDelta {
    base: Arc<Catalog>,
    mine: Arc<Catalog>,
}

impl SchemaDelta {
    /// The own changes on top of a newer catalog.
    pub(super) fn refresh(&mut self, newest: &Arc<Catalog>) -> Result<Arc<Catalog>> {
        if newest.version() != self.base.version() {
            self.mine = Arc::new(Catalog::merge(&self.base, &self.mine, newest)?);
            self.base = Arc::clone(newest);
        }
        Ok(Arc::clone(&self.mine))
    }

    /// Whether this transaction created a relation.
    pub(super) fn created(&self, relation: Oid) -> bool {
        self.base.relation(relation).is_none() && self.mine.relation(relation).is_some()
    }
}

impl Transaction {
    /// Changes definitions. The closure edits a private catalog and the private tables (new tables, indexes, rewritten rows). When it
    /// fails nothing has changed.
    pub fn change_schema<T>(&mut self, change: impl FnOnce(&mut SchemaChange<'_>) -> Result<T>) -> Result<T> {
        if self.view.is_none() {
            self.begin_statement()?;
        }
        let base = Arc::clone(&self.catalog);
        let private = self.private.clone();
        let mut catalog = Catalog::clone(&base);
        match change(&mut SchemaChange { catalog: &mut catalog, transaction: self }) {
            Ok(result) => {
                if catalog.version() != base.version() {
                    self.catalog = Arc::new(catalog);
                    let mine = Arc::clone(&self.catalog);
                    self.schema = Some(match self.schema.take() {
                        Some(delta) => SchemaDelta { base: delta.base, mine },
                        None => SchemaDelta { base, mine },
                    });
                }
                Ok(result)
            }
            Err(error) => {
                self.private = private;
                Err(error)
            }
        }
    }
}

/// The private definitions and tables a schema change edits.
pub struct SchemaChange<'a> {
    pub catalog: &'a mut Catalog,
    transaction: &'a mut Transaction,
}

impl SchemaChange<'_> {
    /// A new table id, unique in the store.
    pub fn allocate_table(&mut self) -> TableId {
        // As PostgreSQL's relfilenode, it comes from the counter of object identifiers.
        TableId(self.catalog.allocate_oid().0)
    }

    /// Puts a table's content: a new table, or an altered one in place of the old.
    pub fn put_table(&mut self, id: TableId, data: TableData) {
        let transaction = &mut *self.transaction;
        let never = CommitSeq::default();
        let whole = match transaction.private.get(&id) {
            Some(PrivateTable::Whole(whole)) => {
                WholeTable { version: Arc::new(whole.version.reshape(data, never)), replaces: whole.replaces }
            }
            Some(PrivateTable::Changed(changed)) => {
                WholeTable { version: Arc::new(changed.version.reshape(data, never)), replaces: Some(changed.base_changed) }
            }
            Some(PrivateTable::Removed) => WholeTable { version: Arc::new(TableVersion::new(data, never)), replaces: None },
            None => match transaction.view.as_ref().and_then(|view| view.tables.get(&id)) {
                Some(old) => WholeTable { version: Arc::new(old.reshape(data, never)), replaces: Some(old.changed) },
                None => WholeTable { version: Arc::new(TableVersion::new(data, never)), replaces: None },
            },
        };
        transaction.private.insert(id, PrivateTable::Whole(whole));
    }

    /// The table's content with this transaction's changes.
    pub fn table(&mut self, id: TableId) -> Result<TableData> {
        self.transaction.visible(id)
    }

    pub fn remove_table(&mut self, id: TableId) {
        let transaction = &mut *self.transaction;
        let is_published = transaction.view.as_ref().is_some_and(|view| view.tables.contains_key(&id));
        if is_published {
            transaction.private.insert(id, PrivateTable::Removed);
        } else {
            transaction.private.remove(&id);
        }
    }

    /// Empties a table and its indexes in place.
    pub fn truncate_table(&mut self, id: TableId) -> Result<()> {
        let old = self.transaction.visible(id)?;
        let mut data = TableData::new(old.rows.attributes());
        for (shape, _) in &old.indexes {
            if data.add_index(Arc::clone(shape))?.is_err() {
                return Err(no_such_table(id));
            }
        }
        self.put_table(id, data);
        Ok(())
    }
}
