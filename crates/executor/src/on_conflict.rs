//! INSERT ... ON CONFLICT: proposed rows that meet an existing one, in the view or among those inserted before, are dropped or update it.

use std::{ops::Bound, sync::Arc};

use catalog::Relation;
use expr::{Batch, ColumnId, Compiled};
use hashbrown::HashSet;
use plan::logical::ConflictAction;
use storage::{Column, IndexId, IndexShape, Row, RowId, TableData, TableId};
use txn::{LockMode, LockTag, ReadPredicate};
use types::{Datum, Error, Oid, Result, SqlState};

use crate::{
    memory::Reservation,
    new_row::{NewRows, row_of},
    node::{Typed, ids},
    row_key::concatenate,
    run::{Run, WriteSize},
};

/// A compiled ON CONFLICT clause.
pub(crate) struct OnConflictNode {
    relation: Arc<Relation>,
    table: TableId,
    arbiters: Vec<Oid>,
    update: Option<Update>,
}

struct Update {
    /// Over the existing row's attributes, then EXCLUDED's.
    assignments: Vec<(usize, Typed)>,
    predicate: Option<Compiled>,
}

impl OnConflictNode {
    pub(crate) fn compile(relation: &Arc<Relation>, arbiters: &[Oid], action: &ConflictAction) -> Result<OnConflictNode> {
        let update = match action {
            ConflictAction::Nothing => None,
            ConflictAction::Update { existing, excluded, assignments, predicate } => {
                let layout: Vec<ColumnId> = ids(existing).into_iter().chain(ids(excluded)).collect();
                Some(Update {
                    assignments: assignments
                        .iter()
                        .map(|(at, value)| Ok((*at, Typed::new(value, &layout)?)))
                        .collect::<Result<_>>()?,
                    predicate: predicate.as_ref().map(|predicate| Compiled::new(predicate, &layout)).transpose()?,
                })
            }
        };
        Ok(OnConflictNode {
            relation: relation.clone(),
            table: relation.storage().ok_or_else(|| Error::internal("rows are inserted into a relation without rows"))?,
            arbiters: arbiters.to_vec(),
            update,
        })
    }
}

/// What the statement has met so far.
pub(crate) struct Conflicts {
    table: TableData,
    /// Keys of rows that this statement inserts.
    own: HashSet<(IndexId, Vec<u8>)>,
    memory: Reservation,
}

fn deferrable_arbiter(relation: &Relation, index: IndexId, run: &Run) -> Error {
    let message = "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters";
    let schema = run.context.catalog.schema(relation.schema).map_or("", |schema| &*schema.name);
    let name = run.context.catalog.relation(Oid(index.0)).map_or("", |index| &*index.name);
    Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).in_table(schema, &*relation.name).of_constraint(name)
}

/// What a proposed row meets.
enum Meets {
    Nothing(Vec<(IndexId, Vec<u8>)>),
    Existing(RowId),
    Own,
}

impl Conflicts {
    pub(crate) fn new(node: &OnConflictNode, run: &Run) -> Result<Conflicts> {
        Ok(Conflicts { table: run.shared.table(node.table)?, own: HashSet::new(), memory: run.reservation() })
    }

    /// Makes room for the keys of so many rows: the table leaps to twice its size, and is there twice while it does.
    ///
    /// Errors: 53200.
    fn make_room(&mut self, node: &OnConflictNode, rows: usize) -> Result<()> {
        // The table keeps an eighth free, and a byte beside every place.
        const ENTRY_BYTES: usize = (size_of::<(IndexId, Vec<u8>)>() + 1) * 8 / 7;
        let more = rows * self.table.indexes.iter().filter(|(shape, _)| node.is_arbiter(shape)).count();
        let capacity = self.own.capacity();
        if self.own.len() + more > capacity {
            self.memory.grow((self.own.len() + more).max(2 * capacity) * ENTRY_BYTES)?;
            self.own.reserve(more);
            self.memory.shrink(capacity * ENTRY_BYTES);
        }
        Ok(())
    }

    /// Remembers the keys of a row that is inserted; gives their bytes.
    fn remember(&mut self, keys: Vec<(IndexId, Vec<u8>)>) -> usize {
        /// What an allocation takes beside its bytes, about.
        const BESIDE: usize = 8;
        let bytes = keys.iter().map(|(_, key)| key.capacity() + BESIDE).sum();
        self.own.extend(keys);
        bytes
    }

    fn meets(&self, node: &OnConflictNode, row: &[Datum], run: &Run) -> Result<Meets> {
        let mut keys = Vec::new();
        for (shape, tree) in &self.table.indexes {
            if !node.is_arbiter(shape) {
                continue;
            }
            if shape.deferrable {
                return Err(deferrable_arbiter(&node.relation, shape.id, run));
            }
            let Some((key, has_null)) = shape.key_of(row)? else { continue };
            if has_null && !shape.nulls_not_distinct {
                continue;
            }
            if run.shared.tables.notes_reads() {
                let bound = || Bound::Included(key.as_slice().into());
                let keys = ReadPredicate::Keys { index: shape.id, lower: bound(), upper: bound() };
                run.shared.tables.note_read(node.table, keys);
            }
            if let Some(existing) = tree.get(&key) {
                return Ok(Meets::Existing(existing));
            }
            let entry = (shape.id, key);
            if self.own.contains(&entry) {
                return Ok(Meets::Own);
            }
            keys.push(entry);
        }
        Ok(Meets::Nothing(keys))
    }

    /// Writes what is to be inserted and updated; gives the rows as written, in the order proposed.
    pub(crate) fn resolve(&mut self, node: &OnConflictNode, rows: &NewRows, proposed: Batch, run: &Run) -> Result<Batch> {
        self.make_room(node, proposed.len)?;
        let (mut inserted, mut key_bytes) = (Vec::new(), 0);
        let (mut conflicting, mut existing): (Vec<u32>, Vec<(RowId, Row)>) = (Vec::new(), Vec::new());
        for position in 0..proposed.len {
            match self.meets(node, &proposed.row(position), run)? {
                Meets::Nothing(keys) => {
                    key_bytes += self.remember(keys);
                    inserted.push(position as u32);
                }
                _ if node.update.is_none() => {}
                Meets::Existing(id) if run.shared.touch(node.table, id) => {
                    let row = self.table.rows.get(id).ok_or_else(|| Error::internal("an index names a row that is not there"))?;
                    conflicting.push(position as u32);
                    existing.push((id, row));
                }
                Meets::Existing(_) | Meets::Own => return Err(second_time()),
            }
        }
        self.memory.grow(key_bytes)?;
        let fresh = if inserted.len() == proposed.len { proposed.clone() } else { proposed.take(&inserted) };
        if fresh.len > 0 {
            run.shared.write(&node.relation, WriteSize::inserted(&fresh), |writes| writes.inserts.push(fresh.clone()))?;
        }
        let Some(update) = &node.update else { return Ok(fresh) };
        if conflicting.is_empty() {
            return Ok(fresh);
        }
        let excluded = proposed.take(&conflicting);
        let (updated, kept) = node.update(update, rows, &existing, &excluded, run)?;
        let mut positions = inserted;
        positions.extend(kept.iter().map(|&at| conflicting[at as usize]));
        let all = concatenate(vec![fresh, updated], &rows.physical());
        let mut order: Vec<u32> = (0..all.len as u32).collect();
        order.sort_unstable_by_key(|&at| positions[at as usize]);
        Ok(all.take(&order))
    }
}

impl OnConflictNode {
    fn is_arbiter(&self, shape: &IndexShape) -> bool {
        if self.arbiters.is_empty() { shape.unique } else { self.arbiters.contains(&Oid(shape.id.0)) }
    }

    /// Updates existing rows; gives them as written, and which of the pairs they are.
    fn update(
        &self,
        update: &Update,
        rows: &NewRows,
        existing: &[(RowId, Row)],
        excluded: &Batch,
        run: &Run,
    ) -> Result<(Batch, Vec<u32>)> {
        let old = (0..rows.types.len()).map(|at| {
            let values = existing.iter().map(|(_, row)| &row[at]);
            Arc::new(Column::from_datums(rows.types[at].physical, values))
        });
        let old: Vec<Arc<Column>> = old.collect();
        let mut pairs = Batch { columns: old, len: existing.len() };
        pairs.columns.extend(excluded.columns.iter().cloned());
        let mut kept: Vec<u32> = (0..pairs.len as u32).collect();
        if let Some(predicate) = &update.predicate {
            kept = predicate.select(&pairs, &run.context)?;
            pairs = pairs.take(&kept);
            let mut writes = run.shared.writes.lock();
            // Rows that the condition leaves alone are locked all the same.
            let left = existing.iter().enumerate().filter(|(at, _)| kept.binary_search(&(*at as u32)).is_err());
            writes.locks.extend(left.map(|(_, (id, _))| (LockTag::Row(self.table, *id), LockMode::Update)));
        }
        let mut columns = pairs.columns[..rows.types.len()].to_vec();
        for (at, value) in &update.assignments {
            columns[*at] = value.column(&pairs, &run.context)?;
        }
        let new = rows.finish(Batch { columns, len: pairs.len }, run)?;
        run.shared.write(&self.relation, WriteSize::changed(&new, Some(&new)), |writes| {
            for (position, &at) in kept.iter().enumerate() {
                let (id, old) = &existing[at as usize];
                writes.updates.push((*id, old.clone(), row_of(&new, position)));
            }
        })?;
        Ok((new, kept))
    }
}

fn second_time() -> Error {
    Error::new(SqlState::CARDINALITY_VIOLATION, "ON CONFLICT DO UPDATE command cannot affect row a second time")
        .hint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
}
