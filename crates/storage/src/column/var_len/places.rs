//! Where in its bytes each value of a vector is: nothing is kept for values of one length that lie side by side, two bytes for each of
//! others that do, and eight for each otherwise. A few values that have moved since are listed apart, so that the first updates of a
//! vector neither write out a place for each value nor have every snapshot's copy carry them.

use super::with_room;
use crate::column::prefetch;

/// Where each value's bytes are.
#[derive(Debug)]
pub(super) struct Places {
    form: Form,
    /// Values that are elsewhere than the form says, by index ascending. Invariant: none beside [`Form::Each`].
    moved: Vec<(u32, (u32, u32))>,
}

#[derive(Clone, Debug)]
enum Form {
    /// Side by side, in order, from 0 on, and all of one length.
    Even { length: u32, len: u32 },
    /// Side by side, in order, from 0 on.
    Packed { groups: Vec<Group>, len: u32 },
    /// Start and length, anywhere.
    Each(Vec<(u32, u32)>),
}

/// Most values that are listed apart: what finding them costs a read, and copying the list a snapshot, stays small.
const MOVED: usize = 64;
const GROUP: usize = 30;

/// Neighbouring values that lie side by side. All that is needed to find one is in a cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Group {
    start: u32,
    /// Where each value ends, from the start on.
    ends: [u16; GROUP],
}

impl Clone for Places {
    fn clone(&self) -> Places {
        Places { form: self.form.clone(), moved: with_room(&self.moved) }
    }
}

impl Default for Places {
    fn default() -> Places {
        Places::each(Vec::new())
    }
}

impl Places {
    /// Start and length of each value.
    pub(super) fn each(ranges: Vec<(u32, u32)>) -> Places {
        Places { form: Form::Each(ranges), moved: Vec::new() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match &self.form {
            Form::Even { len, .. } | Form::Packed { len, .. } => *len as usize,
            Form::Each(ranges) => ranges.len(),
        }
    }

    /// Whether so many values have moved that the next ones would have all places written out.
    pub(super) fn many_moved(&self) -> bool {
        self.moved.len() >= MOVED
    }

    /// Whether all values lie side by side, in order, from 0 on.
    pub(super) fn are_packed(&self) -> bool {
        self.moved.is_empty() && !matches!(self.form, Form::Each(_))
    }

    /// Start and length of a value.
    #[inline]
    pub(super) fn get(&self, index: usize) -> (u32, u32) {
        match self.moved.is_empty() {
            true => self.form.get(index),
            false => self.get_among_moved(index),
        }
    }

    fn get_among_moved(&self, index: usize) -> (u32, u32) {
        match self.find_moved(index) {
            Ok(at) => self.moved[at].1,
            Err(_) => self.form.get(index),
        }
    }

    fn find_moved(&self, index: usize) -> Result<usize, usize> {
        self.moved.binary_search_by_key(&(index as u32), |&(index, _)| index)
    }

    /// The length of all values, when they have one and lie side by side; a few may have moved.
    #[inline]
    pub(super) fn even(&self) -> Option<usize> {
        match self.form {
            Form::Even { length, .. } => Some(length as usize),
            _ => None,
        }
    }

    /// Asks for the memory of a place.
    #[inline]
    pub(super) fn prefetch(&self, index: usize) {
        match &self.form {
            Form::Even { .. } => {}
            Form::Packed { groups, .. } => prefetch(groups.as_ptr().wrapping_add(index / GROUP).cast()),
            Form::Each(ranges) => prefetch(ranges.as_ptr().wrapping_add(index).cast()),
        }
    }

    pub(super) fn to_vec(&self) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = match &self.form {
            Form::Each(ranges) => ranges.clone(),
            form => (0..self.len()).map(|index| form.get(index)).collect(),
        };
        self.moved.iter().for_each(|&(index, range)| ranges[index as usize] = range);
        ranges
    }

    /// Moves a value.
    pub(super) fn set(&mut self, index: usize, range: (u32, u32)) {
        if let Form::Each(ranges) = &mut self.form {
            ranges[index] = range;
            return;
        }
        match self.find_moved(index) {
            Ok(at) => self.moved[at].1 = range,
            Err(at) if self.moved.len() < MOVED => self.moved.insert(at, (index as u32, range)),
            Err(_) => self.each_mut()[index] = range,
        }
    }

    /// Adds the place of one more value.
    #[inline]
    pub(super) fn push(&mut self, range: (u32, u32)) {
        match &mut self.form {
            Form::Each(ranges) => ranges.push(range),
            Form::Even { .. } | Form::Packed { .. } => self.each_mut().push(range),
        }
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.each_mut().reserve(more);
    }

    /// The places one by one, to be changed.
    #[cold]
    fn each_mut(&mut self) -> &mut Vec<(u32, u32)> {
        if !matches!(self.form, Form::Each(_)) {
            *self = Places::each(self.to_vec());
        }
        match &mut self.form {
            Form::Each(ranges) => ranges,
            Form::Even { .. } | Form::Packed { .. } => unreachable!("replaced above"),
        }
    }

    /// Keeps the room of places that are kept one by one.
    pub(super) fn clear(&mut self) {
        match &mut self.form {
            Form::Each(ranges) => ranges.clear(),
            Form::Even { .. } | Form::Packed { .. } => *self = Places::default(),
        }
    }

    /// Gives back the room that is not needed: what each place takes if the values lie side by side, and the room to grow.
    pub(super) fn pack(&mut self) {
        let Form::Each(ranges) = &mut self.form else { return };
        let len = ranges.len() as u32;
        if let Some(length) = even(ranges) {
            self.form = Form::Even { length, len };
        } else if let Some(groups) = packed(ranges) {
            self.form = Form::Packed { groups, len };
        } else {
            crate::column::shrink(ranges);
        }
    }

    pub(super) fn heap_size(&self) -> usize {
        let form = match &self.form {
            Form::Even { .. } => 0,
            Form::Packed { groups, .. } => groups.capacity() * size_of::<Group>(),
            Form::Each(ranges) => ranges.capacity() * size_of::<(u32, u32)>(),
        };
        form + self.moved.capacity() * size_of::<(u32, (u32, u32))>()
    }
}

impl Form {
    #[inline]
    fn get(&self, index: usize) -> (u32, u32) {
        match self {
            Form::Even { length, len } => {
                debug_assert!(index < *len as usize);
                (index as u32 * length, *length)
            }
            Form::Packed { groups, .. } => {
                let (group, place) = (&groups[index / GROUP], index % GROUP);
                let from = if place == 0 { 0 } else { group.ends[place - 1] };
                (group.start + u32::from(from), u32::from(group.ends[place] - from))
            }
            Form::Each(ranges) => ranges[index],
        }
    }
}

/// The length of all values, if they have one and lie side by side.
fn even(ranges: &[(u32, u32)]) -> Option<u32> {
    let length = ranges.first()?.1;
    ranges.iter().enumerate().all(|(index, &range)| range == (index as u32 * length, length)).then_some(length)
}

/// The ranges as groups; None when they do not lie side by side, or a group takes more bytes than can be counted.
fn packed(ranges: &[(u32, u32)]) -> Option<Vec<Group>> {
    let mut end = 0u32;
    let mut groups = Vec::with_capacity(ranges.len().div_ceil(GROUP));
    for ranges in ranges.chunks(GROUP) {
        let mut group = Group { start: end, ends: [0; GROUP] };
        for (place, &(start, length)) in group.ends.iter_mut().zip(ranges) {
            // An empty value is nowhere, and so anywhere.
            if start != end && length != 0 {
                return None;
            }
            end += length;
            *place = u16::try_from(end - group.start).ok()?;
        }
        groups.push(group);
    }
    Some(groups)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packing_and_moving_keep_every_place(
            lengths in prop::collection::vec(0..40u32, 0..300),
            long in prop::option::of(any::<usize>()),
            moves in prop::collection::vec((any::<usize>(), any::<u16>(), any::<u8>()), 0..120),
        ) {
            let mut ranges = Vec::new();
            let mut end = 0;
            for (at, &length) in lengths.iter().enumerate() {
                let length = if long.is_some_and(|long| long % lengths.len() == at) { 70_000 } else { length };
                ranges.push((end, length));
                end += length;
            }
            let mut places = Places::each(ranges.clone());
            places.pack();
            prop_assert_eq!(places.are_packed(), lengths.len() <= 1 || long.is_none());
            prop_assert_eq!(places.to_vec(), ranges.clone());
            for (index, start, length) in moves.into_iter().filter(|_| !lengths.is_empty()) {
                let (index, range) = (index % lengths.len(), (u32::from(start), u32::from(length)));
                places.set(index, range);
                ranges[index] = range;
                prop_assert_eq!(places.get(index), range);
            }
            prop_assert_eq!(places.to_vec(), ranges.clone());
            prop_assert_eq!((0..ranges.len()).map(|index| places.get(index)).collect::<Vec<_>>(), ranges.clone());
            places.push((end, 1));
            ranges.push((end, 1));
            prop_assert_eq!(places.to_vec(), ranges);
        }
    }

    #[test]
    fn values_that_are_not_side_by_side_are_not_packed() {
        for ranges in [vec![(0, 3), (4, 2)], vec![(3, 2), (0, 3)], vec![(0, 3), (0, 3)]] {
            let mut places = Places::each(ranges.clone());
            places.pack();
            assert_eq!((places.are_packed(), places.to_vec()), (false, ranges));
        }
        let mut places = Places::each(vec![(0, 3), (90, 0), (3, 2)]);
        places.pack();
        assert!(places.are_packed());
    }
}
