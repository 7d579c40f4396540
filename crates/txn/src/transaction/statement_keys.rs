//! Unique keys that change hands within one statement, whose rows are checked one after the other.

use hashbrown::HashMap;
use storage::{IndexId, IndexShape, Row, RowId, TableChanges};
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

    /// Writes down what the statement did so far, unless that was done before. Of a run that is being checked all rows are in `earlier`:
    /// of those that share a key the first owns it, so that the second is found out.
    pub(super) fn remember_from(&mut self, earlier: &TableChanges, version: &TableVersion) -> Result<()> {
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
                    owners.entry((shape.id, key.into_boxed_slice())).or_insert(None).get_or_insert(row);
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
