//! The index keys that row changes lose and gain, computed once: certification compares them with what many others have read.

use std::{ops::Bound, sync::OnceLock};

use hashbrown::HashMap;
use storage::{ChangeSet, IndexId, TableChanges, TableData, TableId};
use types::Result;

use super::Key;
use crate::state::Tables;

/// The keys of so many changed rows of a table are remembered; of more they are computed whenever they are asked for.
const MAX_ROWS: usize = 64;

/// Keys of changes, from the first time that somebody asks for them.
#[derive(Debug, Default)]
pub(crate) struct ChangedKeys(OnceLock<HashMap<TableId, TableKeys>>);

/// Those of one table.
#[derive(Debug)]
pub(super) struct TableKeys {
    /// All indexes that the table had.
    indexes: Vec<IndexId>,
    keys: Vec<(IndexId, Key)>,
}

impl ChangedKeys {
    /// The keys that these changes, always the same, have in a table; None when they are not remembered.
    pub(super) fn of_table(&self, changes: &ChangeSet, tables: &Tables, table: TableId) -> Option<&TableKeys> {
        let all = self.0.get_or_init(|| {
            let known = changes.tables.iter().filter_map(|(&table, changes)| {
                let data = &tables.get(&table)?.data;
                Some((table, TableKeys::of(changes, data).ok()??))
            });
            known.collect()
        });
        all.get(&table)
    }
}

impl TableKeys {
    fn of(changes: &TableChanges, data: &TableData) -> Result<Option<TableKeys>> {
        if changes.len() > MAX_ROWS {
            return Ok(None);
        }
        let mut found = TableKeys { indexes: data.indexes.iter().map(|(shape, _)| shape.id).collect(), keys: Vec::new() };
        for (shape, _) in data.indexes.iter() {
            for (_, change) in changes.iter() {
                let mut last: Option<Key> = None;
                for row in [&change.before, &change.after].into_iter().flatten() {
                    let Some((key, _)) = shape.key_of(row)? else { continue };
                    // An update that leaves the key as it was says it once.
                    if last.as_deref() != Some(&*key) {
                        let key: Key = key.into_boxed_slice();
                        found.keys.push((shape.id, key.clone()));
                        last = Some(key);
                    }
                }
            }
        }
        Ok(Some(found))
    }

    /// Whether a key of the index is within the bounds; None when the index is not known.
    pub(super) fn any_within(&self, index: IndexId, lower: &Bound<Key>, upper: &Bound<Key>) -> Option<bool> {
        if !self.indexes.contains(&index) {
            return None;
        }
        Some(self.keys.iter().any(|(known, key)| *known == index && is_within(key, lower, upper)))
    }
}

pub(super) fn is_within(key: &[u8], lower: &Bound<Key>, upper: &Bound<Key>) -> bool {
    let above = match lower {
        Bound::Included(lower) => *key >= **lower,
        Bound::Excluded(lower) => *key > **lower,
        Bound::Unbounded => true,
    };
    above
        && match upper {
            Bound::Included(upper) => *key <= **upper,
            Bound::Excluded(upper) => *key < **upper,
            Bound::Unbounded => true,
        }
}
