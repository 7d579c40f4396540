//! Who wrote the row in each slot of a chunk, compactly.

use crate::{TxnId, column::prefetch};

/// The writer of each slot. Chunks are often written by one transaction, and otherwise by neighbouring ones.
#[derive(Clone, Debug)]
pub(super) enum Writers {
    One(TxnId),
    /// `base + offset` of each slot.
    Near {
        base: u64,
        offsets: Vec<u32>,
    },
    Each(Vec<TxnId>),
}

impl Writers {
    pub(super) fn get(&self, slot: usize) -> TxnId {
        match self {
            Writers::One(writer) => *writer,
            Writers::Near { base, offsets } => TxnId(base + u64::from(offsets[slot])),
            Writers::Each(writers) => writers[slot],
        }
    }

    /// Asks for the memory of a slot's writer.
    #[inline]
    pub(super) fn prefetch(&self, slot: usize) {
        match self {
            Writers::One(_) => {}
            Writers::Near { offsets, .. } => prefetch(offsets.as_ptr().wrapping_add(slot).cast()),
            Writers::Each(writers) => prefetch(writers.as_ptr().wrapping_add(slot).cast()),
        }
    }

    /// Sets the writer of a slot; `slots` is the chunk's length, of which the slot may be the next.
    pub(super) fn set(&mut self, slot: usize, writer: TxnId, slots: usize) {
        debug_assert!(slot <= slots);
        if matches!(self, Writers::One(one) if *one == writer) {
            return;
        }
        if slots == 0 {
            *self = Writers::One(writer);
            return;
        }
        if let Writers::One(one) = *self {
            *self = Writers::of((0..slots).map(|_| one).collect(), writer);
        }
        if let Writers::Near { base, offsets } = self {
            match writer.0.checked_sub(*base).and_then(|offset| u32::try_from(offset).ok()) {
                Some(offset) => return put(offsets, slot, offset),
                None => *self = Writers::of(self.to_vec(slots), writer),
            }
        }
        match self {
            Writers::Near { .. } => self.set(slot, writer, slots),
            Writers::Each(writers) => put(writers, slot, writer),
            Writers::One(_) => unreachable!("replaced above"),
        }
    }

    /// The compact form of these, with room for one more that will be set.
    fn of(writers: Vec<TxnId>, one_more: TxnId) -> Writers {
        let all = || writers.iter().chain([&one_more]).map(|writer| writer.0);
        let base = all().min().expect("there is at least the one more");
        let most = all().max().expect("there is at least the one more");
        match u32::try_from(most - base) {
            // Room below the base as well would need a rebuild less often, but older transactions rarely write after newer ones.
            Ok(_) => Writers::Near { base, offsets: writers.iter().map(|writer| (writer.0 - base) as u32).collect() },
            Err(_) => Writers::Each(writers),
        }
    }

    fn to_vec(&self, slots: usize) -> Vec<TxnId> {
        (0..slots).map(|slot| self.get(slot)).collect()
    }

    /// The writers of these slots only.
    pub(super) fn take(&self, slots: impl Iterator<Item = usize>) -> Writers {
        match self {
            Writers::One(writer) => Writers::One(*writer),
            _ => {
                let mut taken = Writers::One(TxnId::default());
                slots.enumerate().for_each(|(to, from)| taken.set(to, self.get(from), to));
                taken
            }
        }
    }

    pub(super) fn heap_size(&self) -> usize {
        match self {
            Writers::One(_) => 0,
            Writers::Near { offsets, .. } => offsets.capacity() * 4,
            Writers::Each(writers) => writers.capacity() * 8,
        }
    }
}

fn put<T: Copy>(values: &mut Vec<T>, slot: usize, value: T) {
    match values.get_mut(slot) {
        Some(place) => *place = value,
        None => values.push(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_remembers_each_slot() {
        let ids = [5, 5, 7, 3, 5_000_000_000, 1, u64::MAX, 9];
        let mut writers = Writers::One(TxnId(0));
        let mut model = Vec::new();
        for (slot, id) in ids.into_iter().enumerate() {
            writers.set(slot, TxnId(id), slot);
            model.push(id);
            assert_eq!((0..=slot).map(|slot| writers.get(slot).0).collect::<Vec<_>>(), model);
        }
        writers.set(2, TxnId(6), ids.len());
        assert_eq!((writers.get(2), writers.get(3)), (TxnId(6), TxnId(3)));
        let taken = writers.take([0, 2, 4].into_iter());
        assert_eq!([0, 1, 2].map(|slot| taken.get(slot).0), [5, 6, 5_000_000_000]);
    }
}
