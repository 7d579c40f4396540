//! Values of variable length, as ranges of shared and private bytes.
//!
//! ```text
//! places:  (0,5) (5,3) (90,7)          start and length of each row's bytes; two bytes a row while most lie side by side ([`Places`])
//! base:    [0 .. 84)                   shared with clones and with vectors gathered from this one, written only while nobody shares it
//! tail:    [84 .. 97)                  own, grows at its end
//! ```
//!
//! So a clone of a large vector copies its places only, and a value written to the clone goes to the clone's tail. A value that is
//! as long as the one before, or shorter, is written over it where nobody shares the bytes. Bytes that no row refers to any more are
//! garbage; when they outweigh the rest, the vector is rebuilt.

mod places;

use self::places::Places;
use crate::Shared;

/// A tail of at most this many bytes, or this part of all bytes, is copied when the vector is cloned; a greater one becomes part of a
/// new base, for the clones to come.
const CLONED_TAIL: usize = 4096;
const CLONED_PART: usize = 16;
/// Garbage below this many bytes is not worth a rebuild.
const GARBAGE: usize = 4096;
/// Where values are longer, what their places take does not count.
const LONG_VALUE: usize = 512;
/// Places of at most this many values are left as they are when a clone is rebuilt: more values are about to come.
const FEW: usize = 64;
/// Bytes that a copied list has room for, beyond what it holds.
const ROOM: usize = 128;

/// Values of variable length: each row is a range of bytes. A vector holds less than 4 GiB.
#[derive(Debug, Default)]
pub struct VarLen {
    places: Places,
    base: Option<Shared<[u8]>>,
    base_len: u32,
    /// Rows may refer to the same bytes, so that a value must not be written over.
    overlapping: bool,
    tail: Vec<u8>,
    /// Bytes that rows refer to, shared ones counted for each row.
    live: usize,
}

impl Clone for VarLen {
    fn clone(&self) -> VarLen {
        if self.places.many_moved() && self.live <= self.heap_len() {
            let mut rebuilt = self.rebuilt(self.places.to_vec());
            rebuilt.places.pack();
            return rebuilt;
        }
        self.with_heap(self.places.clone(), self.live, self.overlapping)
    }
}

impl VarLen {
    pub(super) fn with_capacity(capacity: usize) -> VarLen {
        VarLen { places: Places::each(Vec::with_capacity(capacity)), ..VarLen::default() }
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn get(&self, index: usize) -> &[u8] {
        self.bytes_of(self.places.get(index))
    }

    /// Whether all values are the same.
    pub fn is_constant(&self) -> bool {
        if let (Some(base), Some(length), true) = (&self.base, self.places.even(), self.places.are_packed()) {
            // Side by side: the bytes are those of one value earlier, which is one comparison of them all.
            let bytes = &base[..self.len() * length];
            return bytes.len() <= length || bytes[length..] == bytes[..bytes.len() - length];
        }
        let first = if self.is_empty() { (0, 0) } else { self.places.get(0) };
        let is_first = |place| place == first || self.bytes_of(place) == self.bytes_of(first);
        (1..self.len()).all(|index| is_first(self.places.get(index)))
    }

    /// Asks for the memory of a value whose place need not be looked up, or for its place.
    #[inline]
    pub(super) fn prefetch(&self, index: usize) {
        match (&self.base, self.places.even()) {
            (Some(base), Some(length)) => {
                let start = <[u8]>::as_ptr(base).wrapping_add(index * length);
                super::prefetch(start);
                super::prefetch(start.wrapping_add(length.min(64)));
            }
            _ => self.places.prefetch(index),
        }
    }

    #[inline]
    fn bytes_of(&self, (start, length): (u32, u32)) -> &[u8] {
        let (heap, start) = match &self.base {
            Some(base) if start < self.base_len => (&**base, start as usize),
            _ => (self.tail.as_slice(), (start - self.base_len) as usize),
        };
        &heap[start..start + length as usize]
    }

    pub(super) fn push(&mut self, value: &[u8]) {
        let range = self.add_bytes(value);
        self.places.push(range);
        self.live += value.len();
    }

    /// Keeps the room of its own bytes.
    pub(super) fn clear(&mut self) {
        let (mut places, mut tail) = (std::mem::take(&mut self.places), std::mem::take(&mut self.tail));
        places.clear();
        tail.clear();
        *self = VarLen { places, tail, ..VarLen::default() };
    }

    /// Replaces a value, where it is if it can be. Otherwise the old one's bytes become garbage.
    pub(super) fn set(&mut self, index: usize, value: &[u8]) {
        let (start, length) = self.places.get(index);
        self.live = self.live - length as usize + value.len();
        if value.len() <= length as usize && self.overwrite(start, value) {
            if value.len() < length as usize {
                self.places.set(index, (start, value.len() as u32));
            }
        } else {
            let range = self.add_bytes(value);
            self.places.set(index, range);
        }
        if self.heap_len() > self.live + self.live / 2 + GARBAGE {
            *self = self.rebuilt(self.places.to_vec());
            self.places.pack();
        }
    }

    /// Writes over bytes that only one row of this vector refers to, and nobody else; false where that is not so.
    fn overwrite(&mut self, start: u32, value: &[u8]) -> bool {
        if self.overlapping {
            return false;
        }
        let (heap, start) = match start.checked_sub(self.base_len) {
            Some(start) => (self.tail.as_mut_slice(), start as usize),
            None => match self.base.as_mut().and_then(Shared::get_mut) {
                Some(base) => (base, start as usize),
                None => return false,
            },
        };
        heap[start..start + value.len()].copy_from_slice(value);
        true
    }

    fn heap_len(&self) -> usize {
        self.base_len as usize + self.tail.len()
    }

    fn add_bytes(&mut self, value: &[u8]) -> (u32, u32) {
        let start =
            u32::try_from(self.heap_len()).expect("a vector holds less than 4 GiB: values are at most 1 GiB, batches short");
        self.tail.extend_from_slice(value);
        (start, value.len() as u32)
    }

    /// A vector of these ranges of bytes of this one, without garbage.
    fn rebuilt(&self, mut ranges: Vec<(u32, u32)>) -> VarLen {
        let live = ranges.iter().map(|(_, length)| *length as usize).sum();
        let mut heap = Vec::with_capacity(live);
        // Bytes that lie side by side in the old heap as well, and on one side of the base's end, are copied together.
        let (mut run_start, mut run_length) = (0, 0);
        let mut end = 0;
        for range in &mut ranges {
            let (start, length) = *range;
            if start != run_start + run_length || start == self.base_len {
                heap.extend_from_slice(self.bytes_of((run_start, run_length)));
                (run_start, run_length) = (start, 0);
            }
            run_length += length;
            *range = (end, length);
            end += length;
        }
        heap.extend_from_slice(self.bytes_of((run_start, run_length)));
        let base = (live > 0).then(|| Shared::from(&heap[..]));
        VarLen { places: Places::each(ranges), base_len: live as u32, base, overlapping: false, tail: Vec::new(), live }
    }

    /// A vector of these ranges: with the bytes shared when it takes a good part of them, copied when few.
    fn gathered(&self, ranges: Vec<(u32, u32)>) -> VarLen {
        let live: usize = ranges.iter().map(|(_, length)| *length as usize).sum();
        let few = live <= CLONED_TAIL || live < self.heap_len() / 8;
        if few { self.rebuilt(ranges) } else { self.with_heap(Places::each(ranges), live, true) }
    }

    /// A vector of these places that takes over the bytes: the base by reference, the tail by a copy.
    fn with_heap(&self, places: Places, live: usize, overlapping: bool) -> VarLen {
        if self.tail.len() <= CLONED_TAIL.max(self.heap_len() / CLONED_PART) {
            return VarLen {
                places,
                base: self.base.clone(),
                base_len: self.base_len,
                overlapping,
                tail: with_room(&self.tail),
                live,
            };
        }
        // A value that many rows share must not be copied for each of them.
        if live <= self.heap_len() {
            let mut rebuilt = self.rebuilt(places.to_vec());
            if rebuilt.len() > FEW {
                rebuilt.places.pack();
            }
            return rebuilt;
        }
        let base = self.base.as_ref().map_or(&[][..], |base| base);
        let heap = [base, &self.tail].concat();
        VarLen { places, base_len: heap.len() as u32, base: Some(Shared::from(heap)), overlapping, tail: Vec::new(), live }
    }

    pub(super) fn take(&self, rows: &[u32]) -> VarLen {
        self.gathered(rows.iter().map(|&row| self.places.get(row as usize)).collect())
    }

    /// Like `take`, with an empty value where there is no row.
    pub(super) fn take_optional(&self, rows: &[Option<u32>]) -> VarLen {
        let empty = (self.base_len, 0);
        self.gathered(rows.iter().map(|row| row.map_or(empty, |row| self.places.get(row as usize))).collect())
    }

    pub(super) fn slice(&self, start: usize, len: usize) -> VarLen {
        self.gathered((start..start + len).map(|index| self.places.get(index)).collect())
    }

    pub(super) fn append_range(&mut self, other: &VarLen, start: usize, len: usize) {
        let ranges = (start..start + len).map(|index| other.places.get(index));
        self.places.reserve(len);
        self.tail.reserve(ranges.clone().map(|(_, length)| length as usize).sum());
        ranges.for_each(|range| self.push(other.bytes_of(range)));
    }

    pub(super) fn append_taken(&mut self, other: &VarLen, rows: &[u32]) {
        self.places.reserve(rows.len());
        rows.iter().for_each(|&row| self.push(other.get(row as usize)));
    }

    /// One value many times over, its bytes once.
    pub(super) fn repeat(value: &[u8], len: usize) -> VarLen {
        let mut repeated = VarLen { overlapping: true, live: value.len() * len, ..VarLen::default() };
        let range = repeated.add_bytes(value);
        repeated.places = Places::each(vec![range; len]);
        repeated
    }

    /// Gives back garbage and the room to grow, and makes all bytes shareable.
    pub(super) fn shrink(&mut self) {
        let heap_len = self.heap_len();
        if heap_len > self.live {
            *self = self.rebuilt(self.places.to_vec());
        } else if self.base.is_none() {
            self.base_len = heap_len as u32;
            self.base = (heap_len > 0).then(|| Shared::from(std::mem::take(&mut self.tail).as_slice()));
        }
        self.places.pack();
        // Values that lie side by side share nothing.
        self.overlapping &= !self.places.are_packed();
    }

    /// Whether little else than the values is held.
    pub(super) fn is_compact(&self) -> bool {
        let places = self.places.are_packed() || self.live >= self.len() * LONG_VALUE;
        places && self.heap_len() <= self.live + self.live / 8 && self.tail.capacity() <= CLONED_TAIL
    }

    /// Shared bytes count as far as rows refer to them.
    pub(super) fn heap_size(&self) -> usize {
        let base = self.base.as_ref().map_or(0, |base| match Shared::strong_count(base) {
            1 => base.len() + 8,
            _ => base.len().min(self.live),
        });
        self.places.heap_size() + base + self.tail.capacity()
    }
}

/// A copy with room for a little more: who copies a vector is about to write to it.
fn with_room<T: Copy>(values: &[T]) -> Vec<T> {
    if values.is_empty() {
        return Vec::new();
    }
    let mut copy = Vec::with_capacity(values.len() + values.len() / 16 + ROOM / size_of::<T>());
    copy.extend_from_slice(values);
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_bytes_and_updates_do_not_pile_up() {
        let mut values = VarLen::default();
        (0..1000).for_each(|i| values.push(format!("value number {i}").as_bytes()));
        values.shrink();
        let before = values.clone();
        let size = values.heap_size();
        for round in 0..20_000usize {
            values.set(round * 7 % 1000, format!("new value {}", round % 10).as_bytes());
        }
        assert!(values.heap_size() < 3 * size + GARBAGE, "{} of {size}", values.heap_size());
        assert_eq!(before.get(7), b"value number 7");
        assert_eq!(values.get(7), b"new value 1");
        let mut chained = values;
        for round in 0..500usize {
            let held = chained.clone();
            chained.set(round, b"x");
            assert_eq!((held.get(round).len(), chained.get(round)), (11, &b"x"[..]));
        }
    }

    #[test]
    fn a_value_that_many_rows_share_is_held_once() {
        let values = VarLen::repeat(&[7; 100_000], 50_000);
        let mut taken = values.clone().take(&vec![3; 60_000]);
        taken.push(b"x");
        let copy = taken.slice(0, 60_001);
        assert!(copy.heap_size() < 2_000_000, "{}", copy.heap_size());
        assert_eq!((copy.get(9), copy.get(60_000)), (&[7; 100_000][..], &b"x"[..]));
    }

    #[test]
    fn a_vector_is_constant_while_no_value_differs() {
        let of = |values: &[&str]| {
            let mut vector = VarLen::default();
            values.iter().for_each(|value| vector.push(value.as_bytes()));
            vector
        };
        for (values, is_constant) in [
            (&[][..], true),
            (&["a"], true),
            (&["", ""], true),
            (&["ab", "ab", "ab"], true),
            (&["ab", "ab", "ac"], false),
            (&["ab", "aba", "b"], false),
            (&["aa", "a"], false),
        ] {
            let mut vector = of(values);
            assert_eq!(vector.is_constant(), is_constant, "{values:?}");
            vector.shrink();
            assert_eq!(vector.is_constant(), is_constant, "{values:?}, packed");
            assert_eq!(vector.clone().is_constant(), is_constant, "{values:?}, shared");
        }
        let mut repeated = VarLen::repeat(b"abc", 100);
        repeated.shrink();
        assert!(repeated.is_constant());
        repeated.set(99, b"abd");
        assert!(!repeated.is_constant());
        let mut packed = of(&["abc"; 100]);
        packed.shrink();
        packed.set(99, b"x");
        assert!(!packed.is_constant());
    }

    #[test]
    fn a_cleared_vector_gives_its_bytes_back() {
        let mut values = VarLen::repeat(&[7; 100], 100);
        (0..100).for_each(|row| values.set(row, &[row as u8; 2000]));
        (0..99).for_each(|row| values.set(row, &[]));
        assert!(values.heap_size() < 12_000, "{}", values.heap_size());
        assert_eq!(values.get(99), [99; 2000]);
    }
}
