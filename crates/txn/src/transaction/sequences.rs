//! Sequences as one transaction sees them.

use std::sync::Arc;

use catalog::{Relation, RelationKind, SequenceDefinition};
use types::{Error, Oid, Result, SqlState};

use super::Transaction;
use crate::sequence::{Counter, SequenceValue, SessionSequences};

/// Counters that only this transaction sees: of sequences that it created, altered or restarted. Cloned by savepoints in O(1).
pub(super) type PrivateSequences = imbl::HashMap<Oid, Arc<Counter>>;

impl Transaction {
    /// nextval. `session` remembers the value for currval.
    ///
    /// Errors: 2200H at the end of the sequence; 42809 when the relation is no sequence.
    pub fn nextval(&mut self, session: &mut SessionSequences, sequence: Oid) -> Result<i64> {
        let (relation, definition) = self.sequence_definition(sequence)?;
        let counter = self.counter(sequence, &definition);
        session.nextval(sequence, &relation.name, &definition, &counter)
    }

    /// setval; not undone by a rollback.
    ///
    /// Errors: 22003 outside the sequence's bounds; 42809 when the relation is no sequence.
    pub fn setval(&mut self, session: &mut SessionSequences, sequence: Oid, value: i64, is_called: bool) -> Result<i64> {
        let (relation, definition) = self.sequence_definition(sequence)?;
        let counter = self.counter(sequence, &definition);
        session.setval(sequence, &relation.name, &definition, &counter, SequenceValue { last_value: value, is_called })
    }

    /// How far a sequence has counted.
    pub fn sequence_value(&mut self, sequence: Oid) -> Result<SequenceValue> {
        let (_, definition) = self.sequence_definition(sequence)?;
        Ok(self.counter(sequence, &definition).get())
    }

    /// Sets a sequence's counter for this transaction, and for all when it commits: ALTER SEQUENCE ... RESTART, TRUNCATE ... RESTART
    /// IDENTITY, restored dumps; also for any other ALTER SEQUENCE, with the value it has.
    pub fn restart_sequence(&mut self, sequence: Oid, value: SequenceValue) {
        self.sequences.insert(sequence, Counter::new(value));
    }

    fn counter(&mut self, sequence: Oid, definition: &SequenceDefinition) -> Arc<Counter> {
        if let Some(counter) = self.sequences.get(&sequence) {
            return Arc::clone(counter);
        }
        if self.schema.as_ref().is_some_and(|delta| delta.created(sequence)) {
            let counter = Counter::starting(definition);
            self.sequences.insert(sequence, Arc::clone(&counter));
            return counter;
        }
        self.store.sequences.counter(sequence, definition)
    }

    fn sequence_definition(&self, sequence: Oid) -> Result<(Arc<Relation>, SequenceDefinition)> {
        let relation = self
            .catalog
            .relation(sequence)
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_TABLE, format!("could not open relation with OID {sequence}")))?;
        match &relation.kind {
            RelationKind::Sequence(definition) => Ok((Arc::clone(relation), definition.clone())),
            _ => Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a sequence", relation.name))),
        }
    }
}
