//! Unique keys of deferrable constraints, counted when the statement or the transaction ends as the constraint's mode says.

use catalog::{Constraint, RelationKind, type_names::Names};
use storage::IndexId;
use types::{Oid, Result};

use super::Session;

impl Session {
    /// Counts the rows with the keys that a statement, just staged, has given to rows; keys of constraints deferred now are put off.
    ///
    /// Errors: 23505.
    pub(crate) fn check_statement_keys(&mut self) -> Result<()> {
        if !self.transaction.as_ref().is_some_and(|open| open.txn.has_statement_keys()) {
            return Ok(());
        }
        let names = self.names()?;
        let txn = self.open_transaction()?.txn.clone();
        txn.check_statement_keys(|index| self.is_key_deferred(&names, index))
    }

    /// Counts those put off: at the end of the transaction all, before that those whose constraint is not deferred any more.
    ///
    /// Errors: 23505.
    pub(crate) fn check_deferred_keys(&mut self, at_end: bool) -> Result<()> {
        if !self.transaction.as_ref().is_some_and(|open| open.txn.has_deferred_keys()) {
            return Ok(());
        }
        let names = self.names()?;
        let txn = self.open_transaction()?.txn.clone();
        txn.check_deferred_keys(|index| !at_end && self.is_key_deferred(&names, index))
    }

    fn is_key_deferred(&self, names: &Names, index: IndexId) -> bool {
        constraint_of(names, index).is_some_and(|constraint| self.is_deferred(constraint))
    }
}

/// The constraint that an index carries.
fn constraint_of(names: &Names, index: IndexId) -> Option<&Constraint> {
    let RelationKind::Index(definition) = &names.catalog.relation(Oid(index.0))?.kind else { return None };
    let table = names.catalog.relation(definition.table)?;
    table.constraints.iter().find(|constraint| constraint.index() == Some(Oid(index.0)))
}
