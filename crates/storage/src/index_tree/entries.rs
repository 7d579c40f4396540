//! A sorted run of `(key, row id)` entries packed into one allocation: a leaf of the index tree, or a branch's separators.
//!
//! ```text
//! data:   prefix | suffix row | suffix row | ...        prefix: bytes that all keys begin with, held once
//! ends:   where each entry ends; empty while all suffixes have one width (every index over numbers)
//! ```
//!
//! Row ids take as many bytes as the largest of the run needs. Inserting and removing move bytes; whatever changes the prefix or the
//! widths unpacks the run and packs it anew, which is rare.

use super::node::{LEAF_BYTES, LEAF_ENTRIES};
use crate::RowId;

/// Room for growth, in bytes, so that most inserts need not allocate and full leaves waste little.
const SPARE: usize = 256;

/// A sorted run of entries.
#[derive(Debug, Default)]
pub(super) struct Entries {
    data: Vec<u8>,
    /// Where each entry ends within the data after the prefix; empty when they are all of `stride` bytes.
    ends: Vec<u32>,
    len: u32,
    prefix_len: u32,
    /// Bytes of an entry, 0 when they differ.
    stride: u32,
    /// Bytes of a row id, 1 to 8.
    row_width: u32,
}

/// A place between entries: before or after those that are equal to it in some sense.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) key: &'a [u8],
    pub(super) rank: Rank,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Rank {
    /// Before this row's entry of the key.
    Before(RowId),
    /// After this row's entry of the key.
    After(RowId),
    /// After all entries of the key.
    AfterKey,
    /// After all entries whose keys begin with the key.
    AfterPrefix,
}

impl Clone for Entries {
    fn clone(&self) -> Entries {
        // Copies are made to be changed.
        let mut data = Vec::with_capacity(self.data.len() + SPARE / 4);
        data.extend_from_slice(&self.data);
        Entries { data, ends: self.ends.clone(), ..*self }
    }
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Bytes of the packed entries.
    pub(super) fn packed_size(&self) -> usize {
        self.data.len()
    }

    pub(super) fn heap_size(&self) -> usize {
        size_of::<Entries>() + self.data.capacity() + self.ends.capacity() * 4
    }

    fn prefix(&self) -> &[u8] {
        &self.data[..self.prefix_len as usize]
    }

    fn bounds(&self, index: usize) -> (usize, usize) {
        let start = self.prefix_len as usize;
        if self.stride != 0 {
            let stride = self.stride as usize;
            return (start + index * stride, start + (index + 1) * stride);
        }
        let from = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        (start + from, start + self.ends[index] as usize)
    }

    /// The part of a key after the prefix, and its row id.
    fn parts(&self, index: usize) -> (&[u8], &[u8]) {
        let (start, end) = self.bounds(index);
        self.data[start..end].split_at(end - start - self.row_width as usize)
    }

    pub(super) fn row(&self, index: usize) -> RowId {
        RowId(number_ending_at(&self.data, self.bounds(index).1, self.row_width as usize))
    }

    pub(super) fn has_key(&self, index: usize, key: &[u8]) -> bool {
        let (suffix, _) = self.parts(index);
        key.strip_prefix(self.prefix()).is_some_and(|rest| rest == suffix)
    }

    /// How many entries come before a place.
    pub(super) fn count_before(&self, place: Place<'_>) -> usize {
        let (key, prefix) = (place.key, self.prefix());
        let shared = key.len().min(prefix.len());
        match key[..shared].cmp(&prefix[..shared]) {
            std::cmp::Ordering::Less => return 0,
            std::cmp::Ordering::Greater => return self.len(),
            std::cmp::Ordering::Equal => {}
        }
        if key.len() < prefix.len() {
            return if matches!(place.rank, Rank::AfterPrefix) { self.len() } else { 0 };
        }
        let rest = &key[shared..];
        if self.stride != 0 && (1..=8).contains(&rest.len()) && rest.len() == (self.stride - self.row_width) as usize {
            return self.count_before_number(rest, place.rank);
        }
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let (suffix, row) = self.parts(middle);
            let before = match suffix.cmp(rest) {
                std::cmp::Ordering::Less => true,
                std::cmp::Ordering::Greater => matches!(place.rank, Rank::AfterPrefix) && suffix.starts_with(rest),
                std::cmp::Ordering::Equal => match place.rank {
                    Rank::Before(place) => row_from(row) < place,
                    Rank::After(place) => row_from(row) <= place,
                    Rank::AfterKey | Rank::AfterPrefix => true,
                },
            };
            if before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The same where what is left of all keys fits into a machine word.
    fn count_before_number(&self, rest: &[u8], rank: Rank) -> usize {
        let width = rest.len();
        let wanted = number_ending_at(rest, width, width);
        let (start, stride) = (self.prefix_len as usize, self.stride as usize);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let end = start + middle * stride + width;
            let before = match number_ending_at(&self.data, end, width).cmp(&wanted) {
                std::cmp::Ordering::Less => true,
                std::cmp::Ordering::Greater => false,
                std::cmp::Ordering::Equal => match rank {
                    Rank::Before(place) => self.row(middle) < place,
                    Rank::After(place) => self.row(middle) <= place,
                    Rank::AfterKey | Rank::AfterPrefix => true,
                },
            };
            if before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Puts an entry at its place.
    pub(super) fn insert(&mut self, index: usize, key: &[u8], row: RowId) {
        let row_width = self.row_width as usize;
        let fits = self.len > 0 && key.starts_with(self.prefix()) && width_of(row) <= row_width;
        let size = (key.len() + row_width).wrapping_sub(self.prefix_len as usize);
        if !fits || (self.stride != 0 && size != self.stride as usize) {
            let mut list = EntryList::default();
            list.append(self, 0..index);
            list.push(key, row);
            list.append(self, index..self.len());
            *self = list.pack(0..list.len());
            self.data.reserve_exact(SPARE);
            return;
        }
        let at = if index == self.len() { self.data.len() } else { self.bounds(index).0 };
        if self.data.len() + size > self.data.capacity() {
            self.data.reserve_exact(size + SPARE);
        }
        let (old_len, suffix) = (self.data.len(), &key[self.prefix_len as usize..]);
        self.data.resize(old_len + size, 0);
        self.data.copy_within(at..old_len, at + size);
        self.data[at..at + suffix.len()].copy_from_slice(suffix);
        self.data[at + suffix.len()..at + size].copy_from_slice(&row.0.to_be_bytes()[8 - row_width..]);
        if self.stride == 0 {
            self.ends.insert(index, (at - self.prefix_len as usize) as u32);
            self.ends[index..].iter_mut().for_each(|end| *end += size as u32);
        }
        self.len += 1;
    }

    pub(super) fn remove(&mut self, index: usize) {
        let (start, end) = self.bounds(index);
        self.data.drain(start..end);
        if self.stride == 0 {
            self.ends.remove(index);
            self.ends[index..].iter_mut().for_each(|position| *position -= (end - start) as u32);
        }
        self.len -= 1;
        if self.data.capacity() > 2 * self.data.len() + SPARE {
            self.data.shrink_to(self.data.len() + SPARE / 4);
        }
    }

    /// Keeps the entries before `index` and returns the others.
    pub(super) fn split_off(&mut self, index: usize) -> Entries {
        let mut list = EntryList::default();
        list.append(self, 0..self.len());
        *self = list.pack(0..index);
        list.pack(index..list.len())
    }

    /// Appends the full key of an entry.
    pub(super) fn key_into(&self, index: usize, key: &mut Vec<u8>) {
        key.extend_from_slice(self.prefix());
        key.extend_from_slice(self.parts(index).0);
    }
}

fn width_of(row: RowId) -> usize {
    (8 - row.0.leading_zeros() as usize / 8).max(1)
}

fn row_from(bytes: &[u8]) -> RowId {
    RowId(number_ending_at(bytes, bytes.len(), bytes.len()))
}

/// The big-endian number of `width` bytes, 1 to 8, that ends at `end`: one load and a mask wherever eight bytes are there.
#[inline]
fn number_ending_at(bytes: &[u8], end: usize, width: usize) -> u64 {
    let word = match end.checked_sub(8).and_then(|start| bytes.get(start..end)) {
        Some(word) => u64::from_be_bytes(word.try_into().expect("the slice is of eight bytes")),
        None => bytes[..end].iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    word & (u64::MAX >> (64 - 8 * width))
}

/// Entries with their keys whole, in order: what runs are packed from.
#[derive(Debug, Default)]
pub(super) struct EntryList {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    rows: Vec<RowId>,
}

impl EntryList {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn push(&mut self, key: &[u8], row: RowId) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        self.rows.push(row);
    }

    pub(super) fn last(&self) -> Option<(&[u8], RowId)> {
        let last = self.len().checked_sub(1)?;
        Some((self.key(last), self.row(last)))
    }

    /// Whether a leaf of these entries takes no more.
    pub(super) fn fills_leaf(&self) -> bool {
        self.len() >= LEAF_ENTRIES || self.bytes.len() + 8 * self.len() >= LEAF_BYTES
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.rows.clear();
    }

    pub(super) fn append(&mut self, entries: &Entries, range: std::ops::Range<usize>) {
        for index in range {
            entries.key_into(index, &mut self.bytes);
            self.ends.push(self.bytes.len());
            self.rows.push(entries.row(index));
        }
    }

    pub(super) fn key(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub(super) fn row(&self, index: usize) -> RowId {
        self.rows[index]
    }

    pub(super) fn pack(&self, range: std::ops::Range<usize>) -> Entries {
        if range.is_empty() {
            return Entries::default();
        }
        // Invariant: entries are in order, which the common prefix of the first and the last relies on.
        debug_assert!(
            (range.start + 1..range.end).all(|at| (self.key(at - 1), self.row(at - 1)) <= (self.key(at), self.row(at)))
        );
        let first = self.key(range.start);
        let prefix_len = common_prefix(first, self.key(range.end - 1));
        let row_width = self.rows[range.clone()].iter().map(|&row| width_of(row)).max().unwrap_or(1);
        let fixed = range.clone().all(|index| self.key(index).len() == first.len());
        let keys: usize = range.clone().map(|index| self.key(index).len() - prefix_len).sum();
        let mut data = Vec::with_capacity(prefix_len + keys + range.len() * row_width);
        let mut ends = Vec::with_capacity(if fixed { 0 } else { range.len() });
        data.extend_from_slice(&first[..prefix_len]);
        for index in range.clone() {
            data.extend_from_slice(&self.key(index)[prefix_len..]);
            data.extend_from_slice(&self.rows[index].0.to_be_bytes()[8 - row_width..]);
            if !fixed {
                ends.push((data.len() - prefix_len) as u32);
            }
        }
        let stride = if fixed { first.len() - prefix_len + row_width } else { 0 };
        Entries {
            data,
            ends,
            len: range.len() as u32,
            prefix_len: prefix_len as u32,
            stride: stride as u32,
            row_width: row_width as u32,
        }
    }
}

pub(super) fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}
