//! Running a statement again after a wait, at READ COMMITTED, as PostgreSQL does: on the view that it began with, in which only the rows
//! that it wants to change or lock are as they are now. A row that no longer fits is left alone, and one that fits only now is not found.
//!
//! ```text
//! view S          row 1: 10   row 2: 20      T1, not yet committed, adds 10 to both
//! T2 DELETE WHERE value = 20                 finds row 2, waits for T1
//! T1 commits      row 1: 20   row 2: 30
//! T2 runs again   row 1: 10   row 2: 30      finds nothing
//! ```

use std::sync::Arc;

use storage::{RowId, TableId};
use types::Result;

use super::{Transaction, private::PrivateTable};
use crate::{StatementWrites, lock::Tag, planted_faults::PlantedFault};

impl Transaction {
    /// Takes the view on which a statement runs again after [`Transaction::stage_resumable`] could not finish.
    pub fn resume_statement(&mut self) -> Result<()> {
        let targets = std::mem::take(&mut self.targets);
        let Some(view) = self.view.as_mut().filter(|_| self.options.isolation.refreshes()) else {
            return self.begin_statement();
        };
        let store = Arc::clone(&self.store);
        let newest = store.published.read().state.clone();
        let mut changed: Vec<(TableId, Vec<RowId>)> = Vec::new();
        for (table, row) in targets {
            let (Some(seen), Some(now)) = (view.tables.get(&table), newest.tables.get(&table)) else { continue };
            if now.reshaped > self.view_seq {
                return self.begin_statement();
            }
            if now.rows.writer(row) == seen.rows.writer(row) {
                continue;
            }
            match changed.last_mut() {
                Some((last, rows)) if *last == table => rows.push(row),
                _ => changed.push((table, vec![row])),
            }
        }
        for (table, rows) in changed {
            let version = Arc::make_mut(view.tables.get_mut(&table).expect("it was found in this view above"));
            let now = &newest.tables[&table];
            for row in rows {
                match (now.rows.get(row), now.rows.writer(row)) {
                    (Some(mut values), Some(writer)) if version.data.rows.writer(row).is_some() => {
                        if store.has_fault(PlantedFault::StaleRefresh) {
                            values = version.data.rows.get(row).unwrap_or(values);
                        }
                        version.data.update(row, writer, &values)?;
                    }
                    (None, _) if version.data.rows.writer(row).is_some() => version.data.delete(row)?,
                    _ => {}
                }
            }
            self.patched.push(table);
            if matches!(self.private.get(&table), Some(PrivateTable::Changed(_))) {
                self.private.remove(&table);
            }
        }
        Ok(())
    }

    /// Remembers what a statement wants, before it waits.
    pub(super) fn note_targets(&mut self, writes: &StatementWrites) {
        self.targets.clear();
        self.targets.extend(writes.locks.iter().filter_map(|(tag, _)| Tag::from(tag).as_row()));
        for table in &writes.tables {
            self.targets.extend(table.updates.iter().map(|(row, ..)| (table.table, *row)));
            self.targets.extend(table.deletes.iter().map(|(row, _)| (table.table, *row)));
        }
        self.targets.sort_unstable();
        self.targets.dedup();
    }

    /// What was computed from patched tables holds for their statement only.
    pub(super) fn forget_patches(&mut self) {
        self.targets.clear();
        for table in std::mem::take(&mut self.patched) {
            if matches!(self.private.get(&table), Some(PrivateTable::Changed(_))) {
                self.private.remove(&table);
            }
        }
    }
}
