//! The unique keys of many new rows, locked and looked up together.

use std::ops::Bound;

use storage::{Batch, IndexShape, TableData};
use types::Result;

use super::{
    Transaction,
    unique::{is_constrained, may_fail},
};
use crate::{TableWrites, lock::KeyHash, state::TableVersion};

/// The keys of fewer rows are locked one by one: every claim is one more for others to look through.
const CLAIMED_FROM: usize = 1024;

/// What all keys of a run of new rows have in common.
struct RunKeys {
    hashes: Vec<KeyHash>,
    /// The first of all, when each is greater than the one before.
    first_of_ascending: Option<Vec<u8>>,
}

impl Transaction {
    /// Locks the unique keys of a statement that only inserts, and makes sure that they are free. False when that has to be found out
    /// row by row: there are few rows, somebody has locked one of the keys, or one of them is taken.
    pub(super) fn claim_inserted(&mut self, version: &TableVersion, writes: &TableWrites) -> Result<bool> {
        if !writes.updates.is_empty() || !writes.deletes.is_empty() {
            return Ok(false);
        }
        let rows: usize = writes.inserts.iter().map(|run| run.len).sum();
        let unique = || version.data.indexes.iter().map(|(shape, _)| shape).filter(|shape| shape.unique);
        if unique().next().is_some() && (rows < CLAIMED_FROM || unique().any(|shape| shape.deferrable)) {
            return Ok(false);
        }
        let mark = self.locks.mark();
        for shape in unique() {
            let is_free = match run_keys(shape, &writes.inserts, rows)? {
                Some(RunKeys { hashes, first_of_ascending }) => {
                    self.locks.claim_keys(shape.id, hashes) && self.are_free(writes, shape, first_of_ascending)?
                }
                None => false,
            };
            if !is_free {
                self.locks.release_to(mark);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether no committed row has one of the keys, which are locked now.
    fn are_free(&self, writes: &TableWrites, shape: &IndexShape, first_of_ascending: Option<Vec<u8>>) -> Result<bool> {
        let newest = self.store.published.read().state.tables.get(&writes.table).cloned();
        let Some(tree) = newest.as_ref().and_then(|newest| newest.data.index(shape.id)) else { return Ok(true) };
        let beyond_all = |first: Vec<u8>| tree.count(Bound::Included(&first), Bound::Unbounded) == 0;
        if tree.is_empty() || first_of_ascending.is_some_and(beyond_all) {
            return Ok(true);
        }
        let mut are_free = true;
        for_each_key(shape, &writes.inserts, |key| {
            are_free = tree.get(key).is_none();
            are_free
        })?;
        Ok(are_free)
    }
}

/// The keys that count for uniqueness, by hash; None when two of them may be the same.
fn run_keys(shape: &IndexShape, runs: &[Batch], rows: usize) -> Result<Option<RunKeys>> {
    let mut hashes = Vec::with_capacity(rows);
    let (mut first, mut ascending) = (None, true);
    let mut before = Vec::new();
    for_each_key(shape, runs, |key| {
        hashes.push(KeyHash::of(key));
        ascending &= first.is_none() || before.as_slice() < key;
        first.get_or_insert_with(|| key.to_vec());
        before.clear();
        before.extend_from_slice(key);
        true
    })?;
    hashes.sort_unstable();
    if hashes.windows(2).any(|pair| pair[0] == pair[1]) {
        return Ok(None);
    }
    Ok(Some(RunKeys { hashes, first_of_ascending: first.filter(|_| ascending) }))
}

/// Calls for each key that counts for uniqueness, until told not to go on.
fn for_each_key(shape: &IndexShape, runs: &[Batch], mut each: impl FnMut(&[u8]) -> bool) -> Result<()> {
    let mut key = Vec::new();
    for run in runs {
        for position in 0..run.len {
            if let Some(null) = shape.column_key(&run.columns, position, &mut key)?
                && is_constrained(shape, null)
                && !each(&key)
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Computes the keys that may fail in indexes that are not unique, so that applying the rows cannot fail later.
pub(super) fn check_run_keys(data: &TableData, run: &Batch) -> Result<()> {
    let mut key = Vec::new();
    for (shape, _) in data.indexes.iter().filter(|(shape, _)| !shape.unique && may_fail(data, shape)) {
        for position in 0..run.len {
            shape.column_key(&run.columns, position, &mut key)?;
        }
    }
    Ok(())
}
