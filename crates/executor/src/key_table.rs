//! A hash table from row keys to numbers 0, 1, 2, ... in order of first appearance.
//!
//! One integer-like key column is looked up as an integer; any other key as encoded bytes ([`crate::row_key`]).

use std::{hash::BuildHasher, sync::Arc};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use storage::Column;
use types::{Result, SqlType};

use crate::row_key::{KeyType, any_null, append_row, integers, is_integer, key_types};

/// No key of that row.
pub(crate) const NONE: u32 = u32::MAX;

pub(crate) struct KeyTable {
    types: Vec<KeyType>,
    keys: Keys,
    len: u32,
}

enum Keys {
    Integer { table: HashTable<(i64, u32)>, null: u32 },
    Bytes { table: HashTable<(u64, u32)>, heap: Vec<u8>, ends: Vec<usize>, scratch: Vec<u8> },
}

const HASHER: FixedState = FixedState::with_seed(0x9E37_79B9);

fn hash_integer(value: i64) -> u64 {
    HASHER.hash_one(value)
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    HASHER.hash_one(bytes)
}

impl KeyTable {
    pub(crate) fn new(types: &[SqlType]) -> KeyTable {
        let keys = match types {
            [ty] if is_integer(ty.physical) => Keys::Integer { table: HashTable::new(), null: NONE },
            _ => Keys::Bytes { table: HashTable::new(), heap: Vec::new(), ends: Vec::new(), scratch: Vec::new() },
        };
        KeyTable { types: key_types(types.iter().copied()), keys, len: 0 }
    }

    /// How many different keys there are.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn heap_size(&self) -> usize {
        match &self.keys {
            Keys::Integer { table, .. } => table.capacity() * 20,
            Keys::Bytes { table, heap, ends, .. } => table.capacity() * 20 + heap.capacity() + ends.capacity() * 8,
        }
    }

    /// Bytes held at most once so many rows, whose keys take so many bytes, have been inserted; and while a table moves to a larger one.
    pub(crate) fn size_with(&self, rows: usize, bytes: usize) -> usize {
        let grown =
            |length: usize, capacity: usize| if length > capacity { capacity + length.max(2 * capacity) } else { capacity };
        match &self.keys {
            Keys::Integer { table, .. } => grown(table.len() + rows, table.capacity()) * 20,
            Keys::Bytes { table, heap, ends, .. } => {
                let entries = grown(table.len() + rows, table.capacity()) * 20;
                entries + grown(heap.len() + bytes + 16 * rows, heap.capacity()) + grown(ends.len() + rows, ends.capacity()) * 8
            }
        }
    }

    /// Numbers the key of every row, new keys (NULLs equal each other) included. `fresh` gets the rows that brought a new key.
    pub(crate) fn insert(
        &mut self,
        columns: &[Arc<Column>],
        rows: usize,
        numbers: &mut Vec<u32>,
        fresh: &mut Vec<u32>,
    ) -> Result<()> {
        numbers.clear();
        numbers.reserve(rows);
        match &mut self.keys {
            Keys::Integer { table, null } => {
                let values = integers(&columns[0]).expect("the key's type was checked when the table was made");
                for (row, value) in values.into_iter().enumerate() {
                    if columns[0].is_null(row) {
                        if *null == NONE {
                            *null = self.len;
                            self.len += 1;
                            fresh.push(row as u32);
                        }
                        numbers.push(*null);
                        continue;
                    }
                    let entry = table.entry(hash_integer(value), |(key, _)| *key == value, |(key, _)| hash_integer(*key));
                    let number = match entry {
                        hashbrown::hash_table::Entry::Occupied(entry) => entry.get().1,
                        hashbrown::hash_table::Entry::Vacant(entry) => {
                            entry.insert((value, self.len));
                            fresh.push(row as u32);
                            self.len += 1;
                            self.len - 1
                        }
                    };
                    numbers.push(number);
                }
            }
            Keys::Bytes { table, heap, ends, scratch } => {
                for row in 0..rows {
                    scratch.clear();
                    append_row(columns, &self.types, row, scratch)?;
                    let hash = hash_bytes(scratch);
                    let entry = table.entry(
                        hash,
                        |(other, number)| *other == hash && key_at(heap, ends, *number) == scratch.as_slice(),
                        |(hash, _)| *hash,
                    );
                    let number = match entry {
                        hashbrown::hash_table::Entry::Occupied(entry) => entry.get().1,
                        hashbrown::hash_table::Entry::Vacant(entry) => {
                            entry.insert((hash, self.len));
                            fresh.push(row as u32);
                            heap.extend_from_slice(scratch);
                            ends.push(heap.len());
                            self.len += 1;
                            self.len - 1
                        }
                    };
                    numbers.push(number);
                }
            }
        }
        Ok(())
    }

    /// The number of every row's key, [`NONE`] for a key not there. With `nulls_match` false a key with a NULL is never there.
    pub(crate) fn find(&self, columns: &[Arc<Column>], rows: usize, nulls_match: bool, numbers: &mut Vec<u32>) -> Result<()> {
        numbers.clear();
        numbers.reserve(rows);
        match &self.keys {
            Keys::Integer { table, null } => {
                let values = integers(&columns[0]).expect("the key's type was checked when the table was made");
                numbers.extend(values.into_iter().enumerate().map(|(row, value)| {
                    if columns[0].is_null(row) {
                        return if nulls_match { *null } else { NONE };
                    }
                    table.find(hash_integer(value), |(key, _)| *key == value).map_or(NONE, |(_, number)| *number)
                }));
            }
            Keys::Bytes { table, heap, ends, .. } => {
                let mut scratch = Vec::new();
                for row in 0..rows {
                    if !nulls_match && any_null(columns, row) {
                        numbers.push(NONE);
                        continue;
                    }
                    scratch.clear();
                    append_row(columns, &self.types, row, &mut scratch)?;
                    let hash = hash_bytes(&scratch);
                    let found =
                        table.find(hash, |(other, number)| *other == hash && key_at(heap, ends, *number) == scratch.as_slice());
                    numbers.push(found.map_or(NONE, |(_, number)| *number));
                }
            }
        }
        Ok(())
    }
}

fn key_at<'a>(heap: &'a [u8], ends: &[usize], number: u32) -> &'a [u8] {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &heap[start..ends[number]]
}

#[cfg(test)]
mod tests {
    use types::Datum;

    use super::*;

    #[test]
    fn keys_are_numbered_by_first_appearance_and_null_is_a_key() {
        let column = Arc::new(Column::from_datums(
            types::Physical::Int4,
            &[Datum::Int4(7), Datum::Null, Datum::Int4(7), Datum::Int4(1), Datum::Null],
        ));
        let mut table = KeyTable::new(&[SqlType::INT4]);
        let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
        table.insert(std::slice::from_ref(&column), 5, &mut numbers, &mut fresh).expect("integers encode");
        assert_eq!(numbers, [0, 1, 0, 2, 1]);
        assert_eq!(fresh, [0, 1, 3]);
        table.find(std::slice::from_ref(&column), 5, false, &mut numbers).expect("integers encode");
        assert_eq!(numbers, [0, NONE, 0, 2, NONE]);
    }

    #[test]
    fn blanks_at_the_end_of_char_do_not_count() {
        let column =
            Arc::new(Column::from_datums(types::Physical::Text, &[Datum::text("a  "), Datum::text("a"), Datum::text("b")]));
        let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
        KeyTable::new(&[SqlType::BPCHAR])
            .insert(std::slice::from_ref(&column), 3, &mut numbers, &mut fresh)
            .expect("text encodes");
        assert_eq!(numbers, [0, 0, 1]);
        KeyTable::new(&[SqlType::TEXT]).insert(std::slice::from_ref(&column), 3, &mut numbers, &mut fresh).expect("text encodes");
        assert_eq!(numbers, [0, 1, 2]);
    }
}
