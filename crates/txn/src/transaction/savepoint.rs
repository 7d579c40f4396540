//! Savepoints: O(1) marks to which rows, definitions and locks can return.

use storage::ChangeSet;

use super::{Transaction, private::PrivateTables, schema_change::SchemaDelta, sequences::PrivateSequences};

/// Names a savepoint of a transaction by its depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Savepoint(pub usize);

/// What a transaction was at a savepoint. All of it is shared with what it is now.
#[derive(Debug)]
pub(super) struct SavedState {
    /// How many layers of changes were there; what is written later goes to a new one.
    layers: usize,
    private: PrivateTables,
    schema: Option<SchemaDelta>,
    sequences: PrivateSequences,
    catalog: std::sync::Arc<catalog::Catalog>,
    locks: usize,
    shared_rows: usize,
}

impl Transaction {
    /// Starts a savepoint; O(1).
    pub fn savepoint(&mut self) -> Savepoint {
        if self.layers.last().is_some_and(ChangeSet::is_empty) {
            self.layers.pop();
        }
        self.savepoints.push(SavedState {
            layers: self.layers.len(),
            private: self.private.clone(),
            schema: self.schema.clone(),
            sequences: self.sequences.clone(),
            catalog: std::sync::Arc::clone(&self.catalog),
            locks: self.locks.mark(),
            shared_rows: self.shared_rows.len(),
        });
        Savepoint(self.savepoints.len() - 1)
    }

    /// Undoes everything since the savepoint, which stays.
    pub fn rollback_to(&mut self, savepoint: Savepoint) {
        self.savepoints.truncate(savepoint.0 + 1);
        let Some(saved) = self.savepoints.get(savepoint.0) else { return };
        self.layers.truncate(saved.layers);
        self.private = saved.private.clone();
        self.schema = saved.schema.clone();
        self.sequences = saved.sequences.clone();
        self.catalog = std::sync::Arc::clone(&saved.catalog);
        self.shared_rows.truncate(saved.shared_rows);
        self.locks.release_to(saved.locks);
        self.locks_at_view = self.locks_at_view.min(saved.locks);
    }

    /// Forgets the savepoint and those after it; their changes stay.
    pub fn release(&mut self, savepoint: Savepoint) {
        self.savepoints.truncate(savepoint.0);
        // Layers that no savepoint separates any more become one, the later merged into the earlier.
        let kept = self.savepoints.last().map_or(0, |saved| saved.layers);
        while self.layers.len() > kept + 1
            && let Some(later) = self.layers.pop()
            && let Some(earlier) = self.layers.last_mut()
        {
            earlier.merge(later);
        }
    }

    /// The layer that takes the changes of the current statement.
    pub(super) fn top_layer(&mut self) -> &mut ChangeSet {
        let saved = self.savepoints.last().map_or(0, |saved| saved.layers);
        if self.layers.len() <= saved {
            self.layers.push(ChangeSet::default());
        }
        let top = self.layers.len() - 1;
        &mut self.layers[top]
    }
}
