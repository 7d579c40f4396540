//! What a transaction has changed: the unit of commit, rebase, certification, logging and replication.

use hashbrown::{HashMap, hash_map::Entry};

use crate::{Batch, Row, RowId, TableId};

/// One row's change within a transaction, net of everything the transaction did to it.
#[derive(Clone, Debug)]
pub struct RowChange {
    /// The committed row this transaction started from; None for a row it inserted.
    pub before: Option<Row>,
    /// None for a row it deleted.
    pub after: Option<Row>,
}

/// A run of inserted rows with consecutive ids, by column (COPY, INSERT ... SELECT).
#[derive(Clone, Debug)]
pub struct InsertedRun {
    pub first: RowId,
    pub rows: Batch,
}

impl InsertedRun {
    pub fn len(&self) -> usize {
        self.rows.len
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, row: RowId) -> bool {
        row >= self.first && row.0 - self.first.0 < self.len() as u64
    }

    /// The ids and rows of the run, in order.
    pub fn rows(&self) -> impl Iterator<Item = (RowId, Row)> + '_ {
        (0..self.len()).map(|position| (RowId(self.first.0 + position as u64), self.row(position)))
    }

    fn row(&self, position: usize) -> Row {
        self.rows.columns.iter().map(|column| column.datum(position)).collect()
    }
}

/// The changes of one table.
#[derive(Clone, Debug, Default)]
pub struct TableChanges {
    /// Rows inserted in bulk, runs in the order of their ids ([`TableChanges::insert_run`] keeps it). A row of a run that the same
    /// transaction changes again also has an entry in `rows`, which wins.
    pub inserted: Vec<InsertedRun>,
    pub rows: HashMap<RowId, RowChange>,
}

impl TableChanges {
    pub fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.rows.is_empty()
    }

    /// Upper bound of the number of changed rows: a row of a run that was changed again counts twice.
    pub fn len(&self) -> usize {
        self.rows.len() + self.inserted.iter().map(InsertedRun::len).sum::<usize>()
    }

    /// Whether a run inserts this row.
    pub fn in_run(&self, row: RowId) -> bool {
        self.run_of(row).is_some()
    }

    fn run_of(&self, row: RowId) -> Option<&InsertedRun> {
        debug_assert!(self.inserted.is_sorted_by_key(|run| run.first));
        let after = self.inserted.partition_point(|run| run.first <= row);
        self.inserted[..after].last().filter(|run| run.contains(row))
    }

    /// Adds rows `first, first + 1, ...`.
    pub fn insert_run(&mut self, first: RowId, rows: Batch) {
        let run = InsertedRun { first, rows };
        if !run.is_empty() {
            let place = self.inserted.partition_point(|earlier| earlier.first < first);
            self.inserted.insert(place, run);
        }
    }

    /// Records what a statement did to a row, on top of what the transaction did to it before.
    pub fn record(&mut self, row: RowId, change: RowChange) {
        let in_run = self.in_run(row);
        match self.rows.entry(row) {
            Entry::Occupied(mut earlier) => {
                let net = RowChange { before: earlier.get_mut().before.take(), after: change.after };
                // A row that came and went leaves a trace only to cancel its place in a run.
                if net.before.is_none() && net.after.is_none() && !in_run {
                    earlier.remove();
                } else {
                    earlier.insert(net);
                }
            }
            Entry::Vacant(place) => {
                let before = if in_run { None } else { change.before };
                if before.is_some() || change.after.is_some() || in_run {
                    place.insert(RowChange { before, after: change.after });
                }
            }
        }
    }

    /// Adds the changes of a later statement.
    pub fn merge(&mut self, later: TableChanges) {
        if self.is_empty() {
            *self = later;
            return;
        }
        // Ids are never used twice, so a later run cannot hold a row that is here already.
        later.inserted.into_iter().for_each(|run| self.insert_run(run.first, run.rows));
        for (row, change) in later.rows {
            self.record(row, change);
        }
    }

    /// The net change of one row, if it changed.
    pub fn get(&self, row: RowId) -> Option<RowChange> {
        if let Some(change) = self.rows.get(&row) {
            return Some(change.clone());
        }
        let run = self.run_of(row)?;
        Some(RowChange { before: None, after: Some(run.row((row.0 - run.first.0) as usize)) })
    }

    /// Every changed row once with its net change: rows of runs first, the others in no order.
    pub fn iter(&self) -> impl Iterator<Item = (RowId, RowChange)> + '_ {
        let of_runs = self.inserted.iter().flat_map(InsertedRun::rows).filter(|(row, _)| !self.rows.contains_key(row));
        let of_runs = of_runs.map(|(row, after)| (row, RowChange { before: None, after: Some(after) }));
        let others = self.rows.iter().filter(|(_, change)| change.before.is_some() || change.after.is_some());
        of_runs.chain(others.map(|(&row, change)| (row, change.clone())))
    }

    pub fn heap_size(&self) -> usize {
        let row_size = |row: &Option<Row>| row.as_ref().map_or(0, |row| row.iter().map(|datum| 24 + datum.heap_size()).sum());
        let runs: usize = self.inserted.iter().flat_map(|run| &run.rows.columns).map(|column| column.heap_size()).sum();
        let rows: usize = self.rows.values().map(|change| 64 + row_size(&change.before) + row_size(&change.after)).sum();
        runs + rows
    }
}

/// All row changes of a transaction, by table.
#[derive(Clone, Debug, Default)]
pub struct ChangeSet {
    pub tables: HashMap<TableId, TableChanges>,
}

impl ChangeSet {
    pub fn is_empty(&self) -> bool {
        self.tables.values().all(TableChanges::is_empty)
    }

    /// Upper bound of the number of changed rows.
    pub fn len(&self) -> usize {
        self.tables.values().map(TableChanges::len).sum()
    }

    /// The changes of a table, empty when there were none yet.
    pub fn table_mut(&mut self, table: TableId) -> &mut TableChanges {
        self.tables.entry(table).or_default()
    }

    /// Adds the changes of a later statement, so that each row keeps its first `before` and its last `after`.
    pub fn merge(&mut self, later: ChangeSet) {
        for (table, changes) in later.tables {
            self.table_mut(table).merge(changes);
        }
    }

    /// Every changed row once, with its net change.
    pub fn iter(&self) -> impl Iterator<Item = (TableId, RowId, RowChange)> + '_ {
        self.tables.iter().flat_map(|(&table, changes)| changes.iter().map(move |(row, change)| (table, row, change)))
    }

    pub fn heap_size(&self) -> usize {
        self.tables.values().map(TableChanges::heap_size).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use types::{Datum, Physical};

    use super::*;
    use crate::Column;

    fn row(value: i32) -> Option<Row> {
        Some([Datum::Int4(value)].into())
    }

    fn value(row: &Option<Row>) -> Option<i32> {
        row.as_ref().map(|row| match row[0] {
            Datum::Int4(value) => value,
            _ => unreachable!(),
        })
    }

    fn net(changes: &TableChanges) -> Vec<(u64, Option<i32>, Option<i32>)> {
        let mut net: Vec<_> = changes.iter().map(|(row, change)| (row.0, value(&change.before), value(&change.after))).collect();
        net.sort_unstable();
        net
    }

    #[test]
    fn statements_merge_into_their_net_effect() {
        let mut changes = TableChanges::default();
        changes.record(RowId(1), RowChange { before: row(10), after: row(11) });
        changes.record(RowId(2), RowChange { before: None, after: row(20) });
        changes.record(RowId(3), RowChange { before: row(30), after: None });
        let mut later = TableChanges::default();
        later.record(RowId(1), RowChange { before: row(11), after: row(12) });
        later.record(RowId(2), RowChange { before: row(20), after: None });
        changes.merge(later);
        assert_eq!(net(&changes), [(1, Some(10), Some(12)), (3, Some(30), None)]);
    }

    #[test]
    fn rows_of_a_run_can_change_again() {
        let column = Arc::new(Column::from_datums(Physical::Int4, &[Datum::Int4(0), Datum::Int4(1), Datum::Int4(2)]));
        let mut changes = TableChanges::default();
        changes.insert_run(RowId(5), Batch::new(vec![column], 3));
        let mut later = TableChanges::default();
        later.record(RowId(5), RowChange { before: row(0), after: row(100) });
        later.record(RowId(6), RowChange { before: row(1), after: None });
        changes.merge(later);
        assert_eq!(net(&changes), [(5, None, Some(100)), (7, None, Some(2))]);
        assert!(changes.get(RowId(6)).is_some_and(|change| change.after.is_none()));
        assert!(changes.get(RowId(8)).is_none());
    }
}
