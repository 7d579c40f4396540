//! Who wrote the row in each slot of a chunk, compactly.

use crate::{
    TxnId,
    column::{prefetch, shrink},
};

/// More are not looked through one by one.
const MOST_RUNS: usize = 8;

/// The writer of each slot. Chunks are often written by one transaction or by a few one after another, and otherwise by neighbouring ones.
#[derive(Clone, Debug)]
pub(super) enum Writers {
    One(TxnId),
    /// First slot and writer of each run of slots, the first of all at 0.
    Runs(Vec<(u32, TxnId)>),
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
            Writers::Runs(runs) => {
                let run = runs.iter().rfind(|(first, _)| *first as usize <= slot);
                run.expect("the first run begins at 0").1
            }
            Writers::Near { base, offsets } => TxnId(base + u64::from(offsets[slot])),
            Writers::Each(writers) => writers[slot],
        }
    }

    /// Asks for the memory of a slot's writer.
    #[inline]
    pub(super) fn prefetch(&self, slot: usize) {
        match self {
            Writers::One(_) => {}
            Writers::Runs(runs) => prefetch(runs.as_ptr().cast()),
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
        if slot == slots && self.append(slot, writer) {
            return;
        }
        if matches!(self, Writers::One(_) | Writers::Runs(_)) {
            if slot < slots && self.get(slot) == writer {
                return;
            }
            *self = Writers::of(self.to_vec(slots), writer);
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
            Writers::One(_) | Writers::Runs(_) => unreachable!("replaced above"),
        }
    }

    /// Sets the writer of the slot after the last one, where runs are kept and may be one more.
    fn append(&mut self, slot: usize, writer: TxnId) -> bool {
        let next = (slot as u32, writer);
        match self {
            Writers::One(one) => *self = Writers::Runs(vec![(0, *one), next]),
            Writers::Runs(runs) if runs.last().is_some_and(|(_, last)| *last == writer) => {}
            Writers::Runs(runs) if runs.len() < MOST_RUNS => runs.push(next),
            _ => return false,
        }
        true
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

    /// Gives back the room to grow.
    pub(super) fn shrink(&mut self) {
        match self {
            Writers::One(_) => {}
            Writers::Runs(runs) => shrink(runs),
            Writers::Near { offsets, .. } => shrink(offsets),
            Writers::Each(writers) => shrink(writers),
        }
    }

    pub(super) fn heap_size(&self) -> usize {
        match self {
            Writers::One(_) => 0,
            Writers::Runs(runs) => runs.capacity() * size_of::<(u32, TxnId)>(),
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
        // Of runs, of more runs than are kept, of neighbours, and of writers far apart.
        let few = (0..40).map(|slot| 7 + slot / 9);
        let many = (40..80).map(|slot| 5 + slot / 3);
        let ids: Vec<u64> = few.chain(many).chain([5, 5, 7, 3, 5_000_000_000, 1, u64::MAX, 9]).collect();
        let mut writers = Writers::One(TxnId(0));
        let held = |writers: &Writers, slots: usize| (0..slots).map(|slot| writers.get(slot).0).collect::<Vec<_>>();
        let mut forms = Vec::new();
        for (slot, &id) in ids.iter().enumerate() {
            writers.set(slot, TxnId(id), slot);
            assert_eq!(held(&writers, slot + 1), ids[..=slot]);
            // A slot that is written again, in the form that the writers have by now.
            let mut changed = writers.clone();
            changed.shrink();
            changed.set(slot / 2, TxnId(6), slot + 1);
            let mut model = ids[..=slot].to_vec();
            model[slot / 2] = 6;
            assert_eq!(held(&changed, slot + 1), model);
            forms.push(std::mem::discriminant(&writers));
        }
        forms.dedup();
        assert_eq!(forms.len(), 4);
        let taken = writers.take([0, 39, 84].into_iter());
        assert_eq!(held(&taken, 3), [7, 11, 5_000_000_000]);
    }
}
