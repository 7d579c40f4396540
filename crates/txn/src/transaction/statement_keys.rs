//! Unique keys that change hands within one statement, whose rows are checked one after the other.

use hashbrown::HashMap;
use storage::{IndexId, IndexShape, InsertedRun, Row, RowId, TableChanges};
use types::Result;

use super::unique::is_constrained;
use crate::state::TableVersion;

/// A key of an index.
type Key = (IndexId, Box<[u8]>);

/// Keys that change hands within one statement. Which row has which is written down only once a key turns up for the second time.
#[derive(Default)]
pub(super) struct StatementKeys {
    pub(super) old: Vec<u8>,
    pub(super) new: Vec<u8>,
    pub(super) has_old: bool,
    pub(super) has_new: bool,
    owners: Option<HashMap<Key, Option<RowId>>>,
    /// The run of new rows that is being checked.
    run: Option<InsertedRun>,
}

impl StatementKeys {
    /// The keys that a row loses and gains in one index, where they matter to uniqueness.
    pub(super) fn compute(&mut self, shape: &IndexShape, before: Option<&Row>, after: Option<&Row>) -> Result<()> {
        let key_of = |row: Option<&Row>, key: &mut Vec<u8>| -> Result<bool> {
            key.clear();
            let Some(row) = row else { return Ok(false) };
            Ok(shape.row_key(row, key)?.is_some_and(|null| is_constrained(shape, null)))
        };
        self.has_old = key_of(before, &mut self.old)?;
        self.has_new = key_of(after, &mut self.new)?;
        Ok(())
    }

    /// From here to [`StatementKeys::end_run`] the rows of this run are checked, in order; None when they come one by one.
    pub(super) fn begin_run(&mut self, run: Option<InsertedRun>) {
        self.run = run;
    }

    pub(super) fn end_run(&mut self) -> Option<InsertedRun> {
        self.run.take()
    }

    /// Writes down what the statement did before it came to this row, unless that was done already.
    pub(super) fn remember_before(&mut self, row: RowId, earlier: &TableChanges, version: &TableVersion) -> Result<()> {
        if self.owners.is_some() {
            return Ok(());
        }
        let mut owners = HashMap::new();
        for (shape, _) in version.data.indexes.iter().filter(|(shape, _)| shape.unique) {
            let key_of = |row: &Option<Row>| row.as_ref().map_or(Ok(None), |row| shape.key_of(row));
            for (_, change) in earlier.iter() {
                if let Some((key, _)) = key_of(&change.before)? {
                    owners.insert((shape.id, key.into_boxed_slice()), None);
                }
            }
            for (row, change) in earlier.iter() {
                if let Some((key, null)) = key_of(&change.after)?
                    && is_constrained(shape, null)
                {
                    owners.insert((shape.id, key.into_boxed_slice()), Some(row));
                }
            }
            let Some(run) = &self.run else { continue };
            let mut key = Vec::new();
            for position in 0..(row.0 - run.first.0) as usize {
                if let Some(null) = shape.column_key(&run.rows.columns, position, &mut key)?
                    && is_constrained(shape, null)
                {
                    owners.insert((shape.id, key.as_slice().into()), Some(RowId(run.first.0 + position as u64)));
                }
            }
        }
        self.owners = Some(owners);
        Ok(())
    }

    /// The keys just computed have changed hands.
    pub(super) fn moved(&mut self, index: IndexId, row: RowId) {
        if let Some(owners) = &mut self.owners {
            if self.has_old {
                owners.insert((index, self.old.as_slice().into()), None);
            }
            if self.has_new {
                owners.insert((index, self.new.as_slice().into()), Some(row));
            }
        }
    }

    /// Which row has a key after what the statement did so far, if it did anything to it: Some(None) when nobody has it any more.
    pub(super) fn owner(&self, index: IndexId, key: &[u8]) -> Option<Option<RowId>> {
        self.owners.as_ref()?.get(&(index, Box::from(key))).copied()
    }
}
