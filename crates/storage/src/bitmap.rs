//! A growable bitmap, one bit a row.

/// A growable bitmap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// A bitmap of `len` equal bits.
    pub fn filled(len: usize, bit: bool) -> Bitmap {
        let mut bitmap = Bitmap { words: vec![if bit { u64::MAX } else { 0 }; len.div_ceil(64)], len };
        bitmap.clear_tail();
        bitmap
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, index: usize) -> bool {
        debug_assert!(index < self.len);
        self.words[index / 64] >> (index % 64) & 1 == 1
    }

    pub fn set(&mut self, index: usize, bit: bool) {
        debug_assert!(index < self.len);
        let mask = 1 << (index % 64);
        if bit {
            self.words[index / 64] |= mask;
        } else {
            self.words[index / 64] &= !mask;
        }
    }

    /// Keeps the room.
    pub fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }

    pub fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.len += 1;
        self.set(self.len - 1, bit);
    }

    /// Appends `count` equal bits.
    pub fn extend_filled(&mut self, count: usize, bit: bool) {
        let old_len = self.len;
        self.len += count;
        self.words.resize(self.len.div_ceil(64), if bit { u64::MAX } else { 0 });
        if bit && !old_len.is_multiple_of(64) {
            self.words[old_len / 64] |= u64::MAX << (old_len % 64);
        }
        self.clear_tail();
    }

    /// Appends the bits `start..start + count` of another bitmap.
    pub fn append_range(&mut self, other: &Bitmap, start: usize, count: usize) {
        debug_assert!(start + count <= other.len);
        self.words.reserve((self.len + count).div_ceil(64) - self.words.len());
        let mut done = 0;
        while done < count {
            let run = (count - done).min(64);
            let word = other.word_at(start + done);
            let word = if run == 64 { word } else { word & ((1 << run) - 1) };
            let used = self.len % 64;
            if used == 0 {
                self.words.push(word);
            } else {
                let last = self.words.len() - 1;
                self.words[last] |= word << used;
                if used + run > 64 {
                    self.words.push(word >> (64 - used));
                }
            }
            self.len += run;
            done += run;
        }
    }

    /// The bits at these positions, in this order.
    pub fn take(&self, positions: &[u32]) -> Bitmap {
        positions.iter().map(|&position| self.get(position as usize)).collect()
    }

    /// 64 bits from a position on; those past the end are zero.
    fn word_at(&self, start: usize) -> u64 {
        let (word, shift) = (start / 64, start % 64);
        let low = self.words[word] >> shift;
        match self.words.get(word + 1) {
            Some(next) if shift > 0 => low | next << (64 - shift),
            _ => low,
        }
    }

    pub fn count_ones(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn all_set(&self) -> bool {
        self.count_ones() == self.len
    }

    /// Clears the bits that are clear in `other`, which must be as long.
    pub fn intersect(&mut self, other: &Bitmap) {
        debug_assert_eq!(self.len, other.len);
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Indexes of the set bits, ascending.
    pub fn ones(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(position, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                Some(position * 64 + bit)
            })
        })
    }

    /// The words behind the bits, 64 rows each, the unused bits of the last one zero.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    pub fn heap_size(&self) -> usize {
        self.words.capacity() * 8
    }

    /// Keeps the unused bits of the last word zero, which counting relies on.
    fn clear_tail(&mut self) {
        let used = self.len % 64;
        if used != 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
    }
}

impl FromIterator<bool> for Bitmap {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Bitmap {
        let mut bitmap = Bitmap::default();
        let (mut word, mut used) = (0, 0);
        for bit in bits {
            word |= u64::from(bit) << used;
            used += 1;
            if used == 64 {
                bitmap.words.push(word);
                (word, used) = (0, 0);
            }
        }
        bitmap.len = bitmap.words.len() * 64 + used;
        if used > 0 {
            bitmap.words.push(word);
        }
        bitmap
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(bitmap: &Bitmap) -> Vec<bool> {
        (0..bitmap.len()).map(|index| bitmap.get(index)).collect()
    }

    proptest! {
        #[test]
        fn appending_is_the_same_bit_by_bit(
            left in prop::collection::vec(any::<bool>(), 0..200),
            right in prop::collection::vec(any::<bool>(), 1..300),
            start in any::<usize>(),
            filled in 0..150usize,
            bit in any::<bool>(),
        ) {
            let start = start % right.len();
            let count = (right.len() - start) * 2 / 3;
            let mut bitmap: Bitmap = left.iter().copied().collect();
            bitmap.append_range(&right.iter().copied().collect(), start, count);
            bitmap.extend_filled(filled, bit);
            let mut expected = left;
            expected.extend_from_slice(&right[start..start + count]);
            expected.extend(std::iter::repeat_n(bit, filled));
            prop_assert_eq!(bits(&bitmap), expected.clone());
            let ones: Vec<usize> = (0..expected.len()).filter(|&index| expected[index]).collect();
            prop_assert_eq!(bitmap.ones().collect::<Vec<_>>(), ones.clone());
            prop_assert_eq!(bitmap.count_ones(), ones.len());
        }
    }
}
