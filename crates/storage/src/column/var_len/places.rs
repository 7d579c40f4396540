//! Where in its bytes each value of a vector is: nothing is kept for values of one length that lie side by side, two bytes for each of
//! others that do, and eight for each otherwise.

use crate::column::prefetch;

/// Where each value's bytes are.
#[derive(Clone, Debug)]
pub(super) enum Places {
    /// Side by side, in order, from 0 on, and all of one length.
    Even { length: u32, len: u32 },
    /// Side by side, in order, from 0 on.
    Packed { groups: Vec<Group>, len: u32 },
    /// Start and length, anywhere.
    Each(Vec<(u32, u32)>),
}

const GROUP: usize = 30;

/// Neighbouring values that lie side by side. All that is needed to find one is in a cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Group {
    start: u32,
    /// Where each value ends, from the start on.
    ends: [u16; GROUP],
}

impl Default for Places {
    fn default() -> Places {
        Places::Each(Vec::new())
    }
}

impl Places {
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Places::Even { len, .. } | Places::Packed { len, .. } => *len as usize,
            Places::Each(ranges) => ranges.len(),
        }
    }

    /// Whether each value may be anywhere and of any length.
    pub(super) fn are_each(&self) -> bool {
        matches!(self, Places::Each(_))
    }

    /// Start and length of a value.
    #[inline]
    pub(super) fn get(&self, index: usize) -> (u32, u32) {
        match self {
            Places::Even { length, len } => {
                debug_assert!(index < *len as usize);
                (index as u32 * length, *length)
            }
            Places::Packed { groups, .. } => {
                let (group, place) = (&groups[index / GROUP], index % GROUP);
                let from = if place == 0 { 0 } else { group.ends[place - 1] };
                (group.start + u32::from(from), u32::from(group.ends[place] - from))
            }
            Places::Each(ranges) => ranges[index],
        }
    }

    /// The length of all values, when they have one and lie side by side.
    #[inline]
    pub(super) fn even(&self) -> Option<usize> {
        match self {
            Places::Even { length, .. } => Some(*length as usize),
            _ => None,
        }
    }

    /// Asks for the memory of a place.
    #[inline]
    pub(super) fn prefetch(&self, index: usize) {
        match self {
            Places::Even { .. } => {}
            Places::Packed { groups, .. } => prefetch(groups.as_ptr().wrapping_add(index / GROUP).cast()),
            Places::Each(ranges) => prefetch(ranges.as_ptr().wrapping_add(index).cast()),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> + Clone + '_ {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The places one by one, to be changed.
    #[inline]
    pub(super) fn each_mut(&mut self) -> &mut Vec<(u32, u32)> {
        if !self.are_each() {
            *self = Places::Each(self.iter().collect());
        }
        match self {
            Places::Each(ranges) => ranges,
            Places::Even { .. } | Places::Packed { .. } => unreachable!("replaced above"),
        }
    }

    /// Keeps the room of places that are kept one by one.
    pub(super) fn clear(&mut self) {
        match self {
            Places::Each(ranges) => ranges.clear(),
            Places::Even { .. } | Places::Packed { .. } => *self = Places::default(),
        }
    }

    /// Gives back the room that is not needed: what each place takes if the values lie side by side, and the room to grow.
    pub(super) fn pack(&mut self) {
        let Places::Each(ranges) = self else { return };
        let len = ranges.len() as u32;
        if let Some(length) = even(ranges) {
            *self = Places::Even { length, len };
        } else if let Some(groups) = packed(ranges) {
            *self = Places::Packed { groups, len };
        } else {
            crate::column::shrink(ranges);
        }
    }

    pub(super) fn heap_size(&self) -> usize {
        match self {
            Places::Even { .. } => 0,
            Places::Packed { groups, .. } => groups.capacity() * size_of::<Group>(),
            Places::Each(ranges) => ranges.capacity() * size_of::<(u32, u32)>(),
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
        fn packing_keeps_every_place(lengths in prop::collection::vec(0..40u32, 0..100), long in prop::option::of(any::<usize>())) {
            let mut ranges = Vec::new();
            let mut end = 0;
            for (at, &length) in lengths.iter().enumerate() {
                let length = if long.is_some_and(|long| long % lengths.len() == at) { 70_000 } else { length };
                ranges.push((end, length));
                end += length;
            }
            let mut places = Places::Each(ranges.clone());
            places.pack();
            prop_assert_eq!(places.are_each(), lengths.len() > 1 && long.is_some());
            prop_assert_eq!(places.iter().collect::<Vec<_>>(), ranges.clone());
            places.each_mut().push((end, 1));
            ranges.push((end, 1));
            prop_assert_eq!(places.iter().collect::<Vec<_>>(), ranges);
        }
    }

    #[test]
    fn values_that_are_not_side_by_side_are_not_packed() {
        for ranges in [vec![(0, 3), (4, 2)], vec![(3, 2), (0, 3)], vec![(0, 3), (0, 3)]] {
            let mut places = Places::Each(ranges.clone());
            places.pack();
            assert_eq!((places.are_each(), places.iter().collect::<Vec<_>>()), (true, ranges));
        }
        let mut places = Places::Each(vec![(0, 3), (90, 0), (3, 2)]);
        places.pack();
        assert!(!places.are_each());
    }
}
