//! Up to about a thousand neighbouring rows, by column.

use std::sync::Arc;

use types::{Datum, Physical};

use super::{CHUNK_ROWS, writers::Writers};
use crate::{Bitmap, Column, Row, RowId, Shared, TxnId};

/// Values of at least this size are given back at once when their row is deleted, smaller ones when the chunk is packed.
const LARGE_VALUE: usize = 512;
/// Bytes of a column's room that are kept for the rows to come.
const KEPT_ROOM: usize = 16 * 1024;
/// Columns that are changed together.
const TOGETHER: usize = 8;
/// Chunks of no more slots are not worth packing.
const PACKED_FROM: usize = 64;

/// Up to about a thousand neighbouring rows, by column.
///
/// While most rows are there, a row's slot is the distance of its id from the chunk's first one, and slots without a row hold
/// arbitrary values. A chunk that has lost half of its rows is packed: it keeps the rows that are left side by side, and their
/// distances in a sorted list.
#[derive(Clone, Debug)]
pub struct Chunk {
    first: RowId,
    columns: Vec<Arc<Column>>,
    presence: Bitmap,
    live: usize,
    /// Distance from `first` of each slot's row, ascending, when the chunk is packed.
    packed: Option<Arc<[u16]>>,
    writers: Writers,
}

impl Chunk {
    pub(super) fn new(first: RowId, attributes: &[Physical]) -> Chunk {
        Chunk {
            first,
            columns: attributes.iter().map(|&physical| Arc::new(Column::new(physical))).collect(),
            presence: Bitmap::default(),
            live: 0,
            packed: None,
            writers: Writers::One(TxnId::default()),
        }
    }

    /// This chunk without its rows, to begin at another id; its columns keep their room unless that is much or others hold them.
    pub(super) fn emptied(mut self, first: RowId) -> Chunk {
        for column in &mut self.columns {
            match Arc::get_mut(column) {
                Some(column) if column.heap_size() <= KEPT_ROOM => column.clear(),
                _ => *column = Arc::new(Column::new(column.physical())),
            }
        }
        self.presence.clear();
        Chunk { first, live: 0, packed: None, writers: Writers::One(TxnId::default()), ..self }
    }

    /// The columns, over all slots; a slot whose presence bit is clear holds no row.
    pub fn columns(&self) -> &[Arc<Column>] {
        &self.columns
    }

    pub fn presence(&self) -> &Bitmap {
        &self.presence
    }

    /// Slots, with or without a row.
    pub fn slots(&self) -> usize {
        self.presence.len()
    }

    /// Slots that hold a row; equal to [`Chunk::slots`] when the presence bitmap need not be looked at.
    pub fn live(&self) -> usize {
        self.live
    }

    /// The id of the chunk's first slot while it is not packed, and in any case not greater than any id in it.
    pub fn first(&self) -> RowId {
        self.first
    }

    /// The first id that the chunk has no slot for.
    pub(super) fn end(&self) -> RowId {
        match self.slots() {
            0 => self.first,
            slots => RowId(self.row_id(slots - 1).0.saturating_add(1)),
        }
    }

    /// The row id of a slot.
    pub fn row_id(&self, slot: usize) -> RowId {
        let distance = match &self.packed {
            Some(distances) => u64::from(distances[slot]),
            None => slot as u64,
        };
        RowId(self.first.0 + distance)
    }

    /// The slot that holds a row.
    pub fn slot_of(&self, row: RowId) -> Option<usize> {
        let distance = row.0.checked_sub(self.first.0)?;
        let slot = match &self.packed {
            Some(distances) => distances.binary_search(&u16::try_from(distance).ok()?).ok()?,
            None => usize::try_from(distance).ok()?,
        };
        (slot < self.slots() && (self.live == self.slots() || self.presence.get(slot))).then_some(slot)
    }

    /// The writer of the row version in a slot.
    pub fn writer(&self, slot: usize) -> TxnId {
        self.writers.get(slot)
    }

    /// The row in a slot.
    pub fn row(&self, slot: usize) -> Row {
        self.columns.iter().for_each(|column| column.prefetch(slot));
        let mut row: Row = (0..self.columns.len()).map(|_| Datum::Null).collect();
        let places = Arc::get_mut(&mut row).expect("nobody else has it yet");
        self.columns.iter().zip(places).for_each(|(column, place)| column.put_datum(slot, place));
        row
    }

    pub fn heap_size(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| size_of::<Column>() + 24 + column.heap_size()).sum();
        size_of::<Chunk>() + columns + self.presence.heap_size() + self.writers.heap_size()
    }

    pub(super) fn insert(&mut self, row: RowId, writer: TxnId, values: &[Datum]) {
        self.make_dense_from(row);
        let slot = (row.0 - self.first.0) as usize;
        self.extend_to(slot);
        self.writers.set(slot, writer, self.slots());
        if slot == self.slots() {
            for (column, value) in self.columns.iter_mut().zip(values) {
                Arc::make_mut(column).push(value);
            }
            self.presence.push(true);
            if self.slots() == CHUNK_ROWS {
                self.seal();
            }
        } else {
            for (column, value) in self.columns.iter_mut().zip(values) {
                Arc::make_mut(column).set(slot, value);
            }
            self.presence.set(slot, true);
        }
        self.live += 1;
    }

    /// Adds `count` rows, of which `row` is the first, from `start` on in these columns.
    pub(super) fn insert_columns(&mut self, row: RowId, writer: TxnId, columns: &[Arc<Column>], start: usize, count: usize) {
        self.make_dense_from(row);
        let slot = (row.0 - self.first.0) as usize;
        if slot < self.slots() {
            for position in start..start + count {
                let values: Vec<Datum> = columns.iter().map(|column| column.datum(position)).collect();
                self.insert(RowId(row.0 + (position - start) as u64), writer, &values);
            }
            return;
        }
        self.extend_to(slot);
        for (column, more) in self.columns.iter_mut().zip(columns) {
            Arc::make_mut(column).append_range(more, start, count);
        }
        self.append_slots(count, |_| true, |_| writer);
    }

    /// Adds the rows of a chunk that follows this one.
    pub(super) fn append_chunk(&mut self, next: &Chunk) {
        self.make_dense_from(next.first);
        debug_assert!(self.end() <= next.first);
        if next.packed.is_some() {
            for slot in next.presence.ones() {
                self.insert(next.row_id(slot), next.writer(slot), &next.row(slot));
            }
            return;
        }
        self.extend_to((next.first.0 - self.first.0) as usize);
        for (column, more) in self.columns.iter_mut().zip(&next.columns) {
            Arc::make_mut(column).append(more);
        }
        self.append_slots(next.slots(), |slot| next.presence.get(slot), |slot| next.writer(slot));
    }

    /// Counts slots whose values were appended already.
    fn append_slots(&mut self, count: usize, present: impl Fn(usize) -> bool, writer: impl Fn(usize) -> TxnId) {
        for slot in 0..count {
            self.writers.set(self.presence.len(), writer(slot), self.presence.len());
            self.presence.push(present(slot));
            self.live += usize::from(present(slot));
        }
        if self.slots() == CHUNK_ROWS {
            self.seal();
        }
    }

    /// Replaces the values that differ, so that the columns that stay the same stay shared.
    pub(super) fn update(&mut self, slot: usize, writer: TxnId, values: &[Datum]) {
        // All is asked for before the first is read, and columns are unshared before the first is written: the locked instruction
        // that it takes lets no later read begin before earlier writes have ended, and columns are far apart in memory.
        self.columns.iter().for_each(|column| column.prefetch(slot));
        self.writers.prefetch(slot);
        for (columns, values) in self.columns.chunks_mut(TOGETHER).zip(values.chunks(TOGETHER)) {
            let mut changes = [const { None }; TOGETHER];
            for ((column, value), change) in columns.iter_mut().zip(values).zip(&mut changes) {
                if !column.holds(slot, value) {
                    *change = Some((Arc::make_mut(column), value));
                }
            }
            changes.into_iter().flatten().for_each(|(column, value)| column.set(slot, value));
        }
        let slots = self.slots();
        self.writers.set(slot, writer, slots);
    }

    pub(super) fn update_attributes(&mut self, slot: usize, writer: TxnId, values: &[(usize, Datum)]) {
        values.iter().for_each(|&(attribute, _)| self.columns[attribute].prefetch(slot));
        self.writers.prefetch(slot);
        for (attribute, value) in values {
            Arc::make_mut(&mut self.columns[*attribute]).set(slot, value);
        }
        let slots = self.slots();
        self.writers.set(slot, writer, slots);
    }

    pub(super) fn delete(&mut self, slot: usize) {
        self.presence.set(slot, false);
        self.live -= 1;
        if self.slots() > PACKED_FROM && self.live * 2 <= self.slots() {
            self.pack();
            return;
        }
        for column in &mut self.columns {
            if column.value_size(slot) >= LARGE_VALUE {
                Arc::make_mut(column).release(slot);
            }
        }
    }

    pub(super) fn push_column(&mut self, column: Arc<Column>) {
        debug_assert_eq!(column.len(), self.slots());
        self.columns.push(column);
    }

    pub(super) fn replace_column(&mut self, attribute: usize, column: Arc<Column>) {
        debug_assert_eq!(column.len(), self.slots());
        self.columns[attribute] = column;
    }

    /// Gives back the room that was kept to grow.
    pub(super) fn seal(&mut self) {
        self.writers.shrink();
        for column in &mut self.columns {
            // A shared column is copied without spare room when it is next written.
            if let Some(column) = Arc::get_mut(column) {
                column.shrink();
            }
        }
    }

    /// Keeps the rows that are there side by side.
    fn pack(&mut self) {
        let slots: Vec<u32> = self.presence.ones().map(|slot| slot as u32).collect();
        let distances = slots.iter().map(|&slot| (self.row_id(slot as usize).0 - self.first.0) as u16).collect();
        self.columns.iter_mut().for_each(|column| *column = Arc::new(column.take(&slots)));
        self.writers = self.writers.take(slots.iter().map(|&slot| slot as usize));
        self.presence = Bitmap::filled(slots.len(), true);
        self.packed = Some(distances);
        self.seal();
    }

    /// Gives every id from `row` (or the first one, if that is less) its own slot, which undoes [`Chunk::pack`].
    fn make_dense_from(&mut self, row: RowId) {
        if self.packed.is_none() && row >= self.first {
            return;
        }
        let first = row.min(self.first);
        let end = if self.slots() == 0 { first } else { self.end() };
        let mut rows: Vec<Option<u32>> = vec![None; (end.0 - first.0) as usize];
        let mut presence = Bitmap::filled(rows.len(), false);
        for slot in self.presence.ones() {
            let distance = (self.row_id(slot).0 - first.0) as usize;
            rows[distance] = Some(slot as u32);
            presence.set(distance, true);
        }
        self.columns.iter_mut().for_each(|column| *column = Arc::new(column.take_optional(&rows)));
        self.writers = self.writers.take(rows.iter().map(|row| row.map_or(0, |row| row as usize)));
        self.presence = presence;
        self.packed = None;
        self.first = first;
    }

    /// Adds slots without rows up to `slots`.
    fn extend_to(&mut self, slots: usize) {
        let (from, count) = (self.slots(), slots.saturating_sub(self.slots()));
        if count == 0 {
            return;
        }
        let writer = if from == 0 { TxnId::default() } else { self.writers.get(from - 1) };
        (from..slots).for_each(|slot| self.writers.set(slot, writer, slot));
        self.columns.iter_mut().for_each(|column| Arc::make_mut(column).append_fillers(count));
        self.presence.extend_filled(count, false);
    }
}

/// A chunk whose slots are all filled, from `start` on in these columns.
pub(super) fn filled_chunk(first: RowId, writer: TxnId, columns: &[Arc<Column>], start: usize) -> Shared<Chunk> {
    let adopt = |column: &Arc<Column>| match column.len() {
        CHUNK_ROWS if column.is_compact() => Arc::clone(column),
        _ => {
            let mut part = column.slice(start, CHUNK_ROWS);
            part.shrink();
            Arc::new(part)
        }
    };
    Shared::new(Chunk {
        first,
        columns: columns.iter().map(adopt).collect(),
        presence: Bitmap::filled(CHUNK_ROWS, true),
        live: CHUNK_ROWS,
        packed: None,
        writers: Writers::One(writer),
    })
}
