//! A persistent tree from row ids to chunks of rows held by column.
//!
//! The ids are cut into blocks of [`CHUNK_ROWS`]; a block that holds rows has one [`Chunk`]. The newest rows wait in a small chunk of
//! their own, the *tail*, until it is full and is merged into its block's chunk, so that an insert into a tree that a clone shares
//! copies a few dozen rows at most.

mod blocks;
mod chunk;
#[cfg(test)]
mod tests;
mod writers;

use std::sync::Arc;

use types::{Datum, Physical};

pub use self::chunk::Chunk;
use self::{blocks::Blocks, chunk::filled_chunk};
use crate::{Batch, Column, Row, RowId, Shared, TxnId};

/// Rows of a block: enough to make a scan's work per chunk small, few enough to copy one column of it in a microsecond.
pub const CHUNK_ROWS: usize = 1024;
/// Rows of the tail, a divisor of [`CHUNK_ROWS`].
const TAIL_ROWS: u64 = 64;

/// A persistent tree of rows. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct RowTree {
    attributes: Arc<[Physical]>,
    blocks: Blocks,
    /// Invariant: its ids are greater than those of all blocks, and it is not empty.
    tail: Option<Shared<Chunk>>,
    len: usize,
}

fn block_of(row: RowId) -> u64 {
    row.0 / CHUNK_ROWS as u64
}

impl RowTree {
    pub fn new(columns: &[Physical]) -> RowTree {
        RowTree { attributes: columns.into(), blocks: Blocks::default(), tail: None, len: 0 }
    }

    /// How each attribute is held.
    pub fn attributes(&self) -> &[Physical] {
        &self.attributes
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An id that is greater than those of all rows, though not necessarily the next one to give out.
    pub fn end(&self) -> RowId {
        self.tail.as_deref().or(self.blocks.last()).map_or(RowId(0), Chunk::end)
    }

    pub fn contains(&self, row: RowId) -> bool {
        self.locate(row).is_some()
    }

    /// The chunk and the slot that hold a row.
    pub fn locate(&self, row: RowId) -> Option<(&Chunk, usize)> {
        let chunk = match &self.tail {
            Some(tail) if row >= tail.first() => tail,
            _ => self.blocks.get(block_of(row))?,
        };
        Some((chunk, chunk.slot_of(row)?))
    }

    pub fn get(&self, row: RowId) -> Option<Row> {
        self.locate(row).map(|(chunk, slot)| chunk.row(slot))
    }

    /// One attribute of a row.
    pub fn datum(&self, row: RowId, attribute: usize) -> Option<Datum> {
        self.locate(row).map(|(chunk, slot)| chunk.columns()[attribute].datum(slot))
    }

    /// The transaction that wrote the row as it is now.
    pub fn writer(&self, row: RowId) -> Option<TxnId> {
        self.locate(row).map(|(chunk, slot)| chunk.writer(slot))
    }

    /// Adds a row whose id is not there yet. Ids usually ascend, but need not.
    pub fn insert(&mut self, row: RowId, writer: TxnId, values: &[Datum]) {
        debug_assert_eq!(values.len(), self.attributes.len());
        debug_assert!(!self.contains(row), "{row:?} inserted twice");
        self.len += 1;
        let merged = match &self.tail {
            Some(tail) if row.0 >= tail_end(tail) => self.merge_tail(Some(row)),
            _ => None,
        };
        match &mut self.tail {
            Some(tail) if row >= tail.first() => Shared::make_mut(tail).insert(row, writer, values),
            None if self.blocks.last().is_none_or(|chunk| chunk.end() <= row) => {
                let first = self.tail_start(row);
                // The room of the tail before, which the new one is about to need, is used again.
                let mut tail = match merged.and_then(|merged| Shared::try_unwrap(merged).ok()) {
                    Some(merged) => merged.emptied(first),
                    None => Chunk::new(first, &self.attributes),
                };
                tail.insert(row, writer, values);
                self.tail = Some(Shared::new(tail));
            }
            _ => self.block_mut(row).insert(row, writer, values),
        }
    }

    /// Adds rows `first, first + 1, ...`.
    pub fn insert_batch(&mut self, first: RowId, writer: TxnId, rows: &Batch) {
        let (count, columns) = (rows.len, &rows.columns);
        if count == 0 {
            return;
        }
        if (count as u64) < TAIL_ROWS / 2 {
            for row in 0..count {
                let values: Vec<Datum> = columns.iter().map(|column| column.datum(row)).collect();
                self.insert(RowId(first.0 + row as u64), writer, &values);
            }
            return;
        }
        self.merge_tail(Some(first));
        self.len += count;
        let mut done = 0;
        while done < count {
            let row = RowId(first.0 + done as u64);
            let rest_of_block = CHUNK_ROWS - (row.0 % CHUNK_ROWS as u64) as usize;
            let run = rest_of_block.min(count - done);
            let block = block_of(row);
            if run == CHUNK_ROWS && self.blocks.get(block).is_none() {
                self.blocks.insert(block, filled_chunk(row, writer, columns, done));
            } else {
                self.block_mut(row).insert_columns(row, writer, columns, done, run);
            }
            done += run;
        }
    }

    /// Replaces the values that differ; false when the row is not there.
    pub fn update(&mut self, row: RowId, writer: TxnId, values: &[Datum]) -> bool {
        debug_assert_eq!(values.len(), self.attributes.len());
        match self.chunk_mut(row) {
            Some((chunk, slot)) => {
                chunk.update(slot, writer, values);
                true
            }
            None => false,
        }
    }

    /// Replaces some attributes of a row; false when the row is not there.
    pub fn update_attributes(&mut self, row: RowId, writer: TxnId, values: &[(usize, Datum)]) -> bool {
        match self.chunk_mut(row) {
            Some((chunk, slot)) => {
                chunk.update_attributes(slot, writer, values);
                true
            }
            None => false,
        }
    }

    pub fn delete(&mut self, row: RowId) -> bool {
        let in_tail = self.tail.as_ref().is_some_and(|tail| row >= tail.first());
        let Some((chunk, slot)) = self.chunk_mut(row) else { return false };
        chunk.delete(slot);
        let emptied = chunk.live() == 0;
        self.len -= 1;
        match emptied {
            true if in_tail => self.tail = None,
            true => self.blocks.remove(block_of(row)),
            false => {}
        }
        true
    }

    /// All chunks in row id order. The iterator owns a clone of the tree.
    pub fn chunks(&self) -> impl Iterator<Item = Shared<Chunk>> + Send + use<> {
        let blocks = self.blocks.clone();
        let mut next_block = Some(0);
        let in_blocks = std::iter::from_fn(move || {
            let (block, chunk) = blocks.at_or_after(next_block?)?;
            next_block = block.checked_add(1);
            Some(Shared::clone(chunk))
        });
        in_blocks.chain(self.tail.clone())
    }

    /// Adds an attribute with one value for every row (ALTER TABLE ADD COLUMN).
    pub fn add_column(&mut self, physical: Physical, value: &Datum) {
        self.attributes = self.attributes.iter().copied().chain([physical]).collect();
        // Most chunks are full, and full chunks share one column.
        let full = Arc::new(Column::repeat(physical, value, CHUNK_ROWS));
        self.for_each_chunk_mut(|chunk| {
            let column = match chunk.slots() {
                CHUNK_ROWS => Arc::clone(&full),
                slots => Arc::new(Column::repeat(physical, value, slots)),
            };
            chunk.push_column(column);
        });
    }

    /// Makes an attribute NULL in every row and gives its memory back (ALTER TABLE DROP COLUMN).
    pub fn clear_column(&mut self, attribute: usize) {
        let physical = self.attributes[attribute];
        let full = Arc::new(Column::repeat(physical, &Datum::Null, CHUNK_ROWS));
        self.for_each_chunk_mut(|chunk| {
            let column = match chunk.slots() {
                CHUNK_ROWS => Arc::clone(&full),
                slots => Arc::new(Column::repeat(physical, &Datum::Null, slots)),
            };
            chunk.replace_column(attribute, column);
        });
    }

    /// Bytes held by the rows, whether or not a clone shares them. Visits every chunk.
    pub fn heap_size(&self) -> usize {
        self.chunks().map(|chunk| chunk.heap_size()).sum()
    }

    fn for_each_chunk_mut(&mut self, mut change: impl FnMut(&mut Chunk)) {
        let mut next = Some(0);
        while let Some((block, _)) = next.and_then(|next| self.blocks.at_or_after(next)) {
            change(Shared::make_mut(self.blocks.get_mut(block).expect("the block was just seen")));
            next = block.checked_add(1);
        }
        if let Some(tail) = &mut self.tail {
            change(Shared::make_mut(tail));
        }
    }

    /// The unshared chunk of a row that is there.
    fn chunk_mut(&mut self, row: RowId) -> Option<(&mut Chunk, usize)> {
        let slot = self.locate(row)?.1;
        let chunk = match &mut self.tail {
            Some(tail) if row >= tail.first() => tail,
            _ => self.blocks.get_mut(block_of(row))?,
        };
        Some((Shared::make_mut(chunk), slot))
    }

    /// The unshared chunk of a row's block; when there is none, a new one that begins with the row.
    fn block_mut(&mut self, row: RowId) -> &mut Chunk {
        let attributes = &self.attributes;
        let chunk = self.blocks.get_or_insert(block_of(row), || Shared::new(Chunk::new(row, attributes)));
        Shared::make_mut(chunk)
    }

    /// The first id of a new tail whose first row this is. Where ids are missing, they may belong to transactions that commit a
    /// little later: the tail leaves room for those of its run.
    fn tail_start(&self, row: RowId) -> RowId {
        match self.blocks.last() {
            Some(last) if last.end() < row => last.end().max(RowId(row.0 & !(TAIL_ROWS - 1))),
            _ => row,
        }
    }

    /// Moves the tail's rows into their block, and returns the tail, which is no part of the tree any more. `next` is the row that
    /// follows, if known: a block that is left behind is packed.
    fn merge_tail(&mut self, next: Option<RowId>) -> Option<Shared<Chunk>> {
        let tail = self.tail.take()?;
        let block = block_of(tail.first());
        let chunk = self.block_mut(tail.first());
        chunk.append_chunk(&tail);
        if next.is_some_and(|next| block_of(next) != block) {
            chunk.seal();
        }
        Some(tail)
    }
}

/// The first id past the tail: its ids all lie within one aligned run of [`TAIL_ROWS`].
fn tail_end(tail: &Chunk) -> u64 {
    (tail.first().0 | (TAIL_ROWS - 1)).saturating_add(1)
}
