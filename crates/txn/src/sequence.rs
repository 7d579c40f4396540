//! Values of sequences: outside the database value, never rolled back.
//!
//! A sequence's parameters are part of its definition in the catalog; here is only how far it has counted. What ALTER SEQUENCE and
//! TRUNCATE ... RESTART IDENTITY set is transactional, as in PostgreSQL: the transaction has a counter of its own for the sequence until it
//! commits.

use std::sync::Arc;

use catalog::SequenceDefinition;
use hashbrown::HashMap;
use types::{Error, Oid, Result, SqlState};

use crate::sync::{Mutex, RwLock};

/// How far a sequence has counted, as `SELECT last_value, is_called FROM sequence` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceValue {
    pub last_value: i64,
    pub is_called: bool,
}

/// One sequence's counter, shared by all who use it.
#[derive(Debug)]
pub(crate) struct Counter(Mutex<SequenceValue>);

impl Counter {
    pub(crate) fn new(value: SequenceValue) -> Arc<Counter> {
        Arc::new(Counter(Mutex::new(value)))
    }

    pub(crate) fn starting(definition: &SequenceDefinition) -> Arc<Counter> {
        Counter::new(SequenceValue { last_value: definition.start, is_called: false })
    }

    pub(crate) fn get(&self) -> SequenceValue {
        *self.0.lock()
    }

    pub(crate) fn set(&self, value: SequenceValue) {
        *self.0.lock() = value;
    }

    /// Takes up to `definition.cache` values: the first, and the last that this call may give out without asking again.
    fn take(&self, name: &str, definition: &SequenceDefinition) -> Result<(i64, i64)> {
        let mut value = self.0.lock();
        let first = if value.is_called { following(value.last_value, name, definition)? } else { value.last_value };
        let mut last = first;
        for _ in 1..definition.cache {
            match last.checked_add(definition.increment) {
                Some(next) if (definition.minimum..=definition.maximum).contains(&next) => last = next,
                _ => break,
            }
        }
        *value = SequenceValue { last_value: last, is_called: true };
        Ok((first, last))
    }
}

/// The value after another.
///
/// Errors: 2200H at the end of a sequence that does not cycle.
fn following(value: i64, name: &str, definition: &SequenceDefinition) -> Result<i64> {
    let ascending = definition.increment > 0;
    let next = value.checked_add(definition.increment);
    let in_bounds = |next: &i64| if ascending { *next <= definition.maximum } else { *next >= definition.minimum };
    match next.filter(in_bounds) {
        Some(next) => Ok(next),
        None if definition.cycle => Ok(if ascending { definition.minimum } else { definition.maximum }),
        None => {
            let (word, bound) = if ascending { ("maximum", definition.maximum) } else { ("minimum", definition.minimum) };
            let message = format!("nextval: reached {word} value of sequence \"{name}\" ({bound})");
            Err(Error::new(SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED, message))
        }
    }
}

/// All counters of one store. One is made when its sequence is first asked for, with the definition's start.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    counters: RwLock<HashMap<Oid, Arc<Counter>>>,
}

impl Sequences {
    pub(crate) fn counter(&self, sequence: Oid, definition: &SequenceDefinition) -> Arc<Counter> {
        if let Some(counter) = self.counters.read().get(&sequence) {
            return Arc::clone(counter);
        }
        Arc::clone(self.counters.write().entry(sequence).or_insert_with(|| Counter::starting(definition)))
    }

    pub(crate) fn put(&self, sequence: Oid, counter: Arc<Counter>) {
        self.counters.write().insert(sequence, counter);
    }

    /// Forgets the counters of dropped sequences.
    pub(crate) fn retain(&self, exists: impl Fn(Oid) -> bool) {
        self.counters.write().retain(|&sequence, _| exists(sequence));
    }

    pub(crate) fn fork(&self) -> Sequences {
        let copy = |(&sequence, counter): (&Oid, &Arc<Counter>)| (sequence, Counter::new(counter.get()));
        Sequences { counters: RwLock::new(self.counters.read().iter().map(copy).collect()) }
    }
}

/// What one session knows of sequences: values for currval and lastval, and those it has taken in advance (CACHE).
#[derive(Clone, Debug, Default)]
pub struct SessionSequences {
    known: HashMap<Oid, Known>,
    last_used: Option<Oid>,
}

#[derive(Clone, Debug)]
struct Known {
    /// What nextval gave or setval set last.
    current: Option<i64>,
    /// The last of the values taken in advance; equal to `current` when there are none left.
    cached_to: i64,
    increment: i64,
    /// The counter it came from: another one after ALTER SEQUENCE.
    counter: std::sync::Weak<Counter>,
}

impl SessionSequences {
    /// nextval. `counter` is the one that the session's transaction sees.
    ///
    /// Errors: 2200H.
    pub(crate) fn nextval(
        &mut self,
        sequence: Oid,
        name: &str,
        definition: &SequenceDefinition,
        counter: &Arc<Counter>,
    ) -> Result<i64> {
        self.last_used = Some(sequence);
        if let Some(known) = self.known.get_mut(&sequence)
            && let Some(current) = known.current
            && current != known.cached_to
            && std::ptr::eq(known.counter.as_ptr(), Arc::as_ptr(counter))
        {
            let next = current.saturating_add(known.increment);
            known.current = Some(next);
            return Ok(next);
        }
        let taken = counter.take(name, definition);
        if taken.is_err() && !self.known.contains_key(&sequence) {
            self.last_used = None;
        }
        let (first, last) = taken?;
        let known =
            Known { current: Some(first), cached_to: last, increment: definition.increment, counter: Arc::downgrade(counter) };
        self.known.insert(sequence, known);
        Ok(first)
    }

    /// setval with its third argument.
    ///
    /// Errors: 22003 outside the sequence's bounds.
    pub(crate) fn setval(
        &mut self,
        sequence: Oid,
        name: &str,
        definition: &SequenceDefinition,
        counter: &Arc<Counter>,
        value: SequenceValue,
    ) -> Result<i64> {
        let (minimum, maximum) = (definition.minimum, definition.maximum);
        if !(minimum..=maximum).contains(&value.last_value) {
            let message =
                format!("setval: value {} is out of bounds for sequence \"{name}\" ({minimum}..{maximum})", value.last_value);
            return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
        }
        counter.set(value);
        let earlier = self.known.get(&sequence).and_then(|known| known.current);
        let current = if value.is_called { Some(value.last_value) } else { earlier };
        let known = Known {
            current,
            cached_to: current.unwrap_or_default(),
            increment: definition.increment,
            counter: Arc::downgrade(counter),
        };
        self.known.insert(sequence, known);
        Ok(value.last_value)
    }

    /// currval.
    ///
    /// Errors: 55000 before the session's first nextval.
    pub fn currval(&self, sequence: Oid, name: &str) -> Result<i64> {
        let current = self.known.get(&sequence).and_then(|known| known.current);
        current.ok_or_else(|| {
            let message = format!("currval of sequence \"{name}\" is not yet defined in this session");
            Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        })
    }

    /// lastval: the sequence that nextval was last called for, and its value. The caller drops it from here when it no longer exists.
    ///
    /// Errors: 55000 before the session's first nextval.
    pub fn lastval(&self) -> Result<(Oid, i64)> {
        let last = self.last_used.and_then(|sequence| Some((sequence, self.known.get(&sequence)?.current?)));
        last.ok_or_else(|| Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session"))
    }

    /// DISCARD SEQUENCES.
    pub fn discard(&mut self) {
        *self = SessionSequences::default();
    }
}

#[cfg(test)]
mod tests {
    use types::SqlType;

    use super::*;

    fn definition(start: i64, increment: i64, minimum: i64, maximum: i64) -> SequenceDefinition {
        SequenceDefinition { ty: SqlType::INT8, start, increment, minimum, maximum, cache: 1, cycle: false }
    }

    fn run(definition: &SequenceDefinition, count: usize) -> Vec<Result<i64, String>> {
        let (counter, mut session) = (Counter::starting(definition), SessionSequences::default());
        let next = |_| session.nextval(Oid(1), "s", definition, &counter).map_err(|error| error.message().to_owned());
        (0..count).map(next).collect()
    }

    #[test]
    fn ends_and_cycles_as_postgresql() {
        let end = Err("nextval: reached maximum value of sequence \"s\" (5)".to_owned());
        assert_eq!(run(&definition(1, 2, 1, 5), 4), [Ok(1), Ok(3), Ok(5), end]);
        let end = Err("nextval: reached minimum value of sequence \"s\" (-2)".to_owned());
        assert_eq!(run(&definition(-1, -1, -2, -1), 3), [Ok(-1), Ok(-2), end]);
        let cycling = SequenceDefinition { cycle: true, ..definition(4, 1, 1, 5) };
        assert_eq!(run(&cycling, 4), [Ok(4), Ok(5), Ok(1), Ok(2)]);
        let extreme = SequenceDefinition { cache: 10, ..definition(i64::MAX - 1, i64::MAX, 1, i64::MAX) };
        assert_eq!(run(&extreme, 1), [Ok(i64::MAX - 1)]);
    }

    #[test]
    fn a_session_takes_cached_values_in_advance() {
        let definition = SequenceDefinition { cache: 10, ..definition(1, 1, 1, 15) };
        let counter = Counter::starting(&definition);
        let (mut one, mut two) = (SessionSequences::default(), SessionSequences::default());
        let next = |session: &mut SessionSequences| session.nextval(Oid(1), "s", &definition, &counter).ok();
        assert_eq!((next(&mut one), next(&mut two), next(&mut one)), (Some(1), Some(11), Some(2)));
        assert_eq!(counter.get(), SequenceValue { last_value: 15, is_called: true });
        assert_eq!((0..8).filter_map(|_| next(&mut one)).last(), Some(10));
        assert_eq!(next(&mut one), None);
    }

    #[test]
    fn currval_and_setval() {
        let definition = definition(1, 1, 1, 5);
        let (counter, mut session) = (Counter::starting(&definition), SessionSequences::default());
        let error = session.currval(Oid(1), "s").expect_err("nothing was taken yet");
        assert_eq!(
            (error.sqlstate().code(), error.message()),
            ("55000", "currval of sequence \"s\" is not yet defined in this session")
        );
        let value = |last_value, is_called| SequenceValue { last_value, is_called };
        let error = session.setval(Oid(1), "s", &definition, &counter, value(10, true)).expect_err("past the end");
        assert_eq!(
            (error.sqlstate().code(), error.message()),
            ("22003", "setval: value 10 is out of bounds for sequence \"s\" (1..5)")
        );
        session.setval(Oid(1), "s", &definition, &counter, value(3, true)).expect("within bounds");
        assert_eq!(session.currval(Oid(1), "s").ok(), Some(3));
        assert!(session.lastval().is_err(), "lastval knows of nextval only");
        assert_eq!(session.nextval(Oid(1), "s", &definition, &counter).ok(), Some(4));
        session.setval(Oid(1), "s", &definition, &counter, value(2, false)).expect("within bounds");
        assert_eq!(session.currval(Oid(1), "s").ok(), Some(4), "as in PostgreSQL");
        assert_eq!(session.nextval(Oid(1), "s", &definition, &counter).ok(), Some(2));
        assert_eq!(session.lastval().ok(), Some((Oid(1), 2)));
    }
}
