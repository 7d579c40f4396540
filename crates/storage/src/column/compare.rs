//! Equality, order and hash of rows of columns, as `types::datum_order` has them for single values.

use std::{
    cmp::Ordering,
    hash::{BuildHasher, Hash, Hasher},
};

use foldhash::fast::{FixedState, FoldHasher};
use types::{Date, Time};
use types::{
    Datum, Interval, Numeric, Oid, TimeTz, Timestamp, TimestampTz,
    datum_order::{compare_datums, compare_f32, compare_f64, compare_timetz, hash_datum, interval_span_us},
};

use super::{
    Column,
    data::{for_kind, for_kinds},
};

/// What a NULL contributes to a hash: any constant.
const NULL_HASH: u64 = 0x9E37_79B9_7F4A_7C15;

/// How a fixed type compares in SQL: values that compare equal have equal hashes.
trait Ordered {
    fn compare(&self, other: &Self) -> Ordering;
    fn hash(&self) -> u64;
}

macro_rules! ordered_as_integers {
    ($($ty:ty: $value:ident => $bits:expr),* $(,)?) => {$(
        impl Ordered for $ty {
            #[inline]
            fn compare(&self, other: &$ty) -> Ordering {
                self.cmp(other)
            }

            #[inline]
            fn hash(&self) -> u64 {
                let $value = self;
                $bits as u64
            }
        }
    )*};
}

ordered_as_integers! {
    bool: value => *value,
    // Widened, so that integers of different types that are equal hash alike.
    i16: value => i64::from(*value),
    i32: value => i64::from(*value),
    i64: value => *value,
    Oid: value => value.0,
    Date: value => value.0,
    Time: value => value.0,
    Timestamp: value => value.0,
    TimestampTz: value => value.0,
    [u8; 16]: value => hash_of(value),
    Numeric: value => hash_of(value),
}

impl Ordered for f32 {
    #[inline]
    fn compare(&self, other: &f32) -> Ordering {
        compare_f32(*self, *other)
    }

    #[inline]
    fn hash(&self) -> u64 {
        f64::from(*self).hash()
    }
}

impl Ordered for f64 {
    #[inline]
    fn compare(&self, other: &f64) -> Ordering {
        compare_f64(*self, *other)
    }

    #[inline]
    fn hash(&self) -> u64 {
        match *self {
            value if value.is_nan() => f64::NAN.to_bits(),
            // Adding zero makes -0 positive.
            value => (value + 0.0).to_bits(),
        }
    }
}

impl Ordered for TimeTz {
    fn compare(&self, other: &TimeTz) -> Ordering {
        compare_timetz(self, other)
    }

    fn hash(&self) -> u64 {
        mixed(self.time_us as u64, self.zone_seconds_west as u64)
    }
}

impl Ordered for Interval {
    fn compare(&self, other: &Interval) -> Ordering {
        interval_span_us(self).cmp(&interval_span_us(other))
    }

    fn hash(&self) -> u64 {
        let span = interval_span_us(self);
        mixed(span as u64, (span >> 64) as u64)
    }
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = hasher();
    Hash::hash(value, &mut hasher);
    hasher.finish()
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = hasher();
    hasher.write(bytes);
    hasher.finish()
}

fn hash_any(datum: &Datum) -> u64 {
    let mut hasher = hasher();
    hash_datum(datum, &mut hasher);
    hasher.finish()
}

fn hasher() -> FoldHasher<'static> {
    // Not seeded: hashes never leave a statement, and runs are to be repeatable.
    FixedState::default().build_hasher()
}

/// Folds a value into a hash so that all bits of the result depend on all bits of both.
#[inline]
fn mixed(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash.rotate_left(26) ^ value ^ 0x2D35_8DCC_AA6C_78A5) * 0x8BB8_4B93_962E_ACC9u128;
    product as u64 ^ (product >> 64) as u64
}

impl Column {
    /// Folds each row's value into that row's hash; start from zeros and call it for each key column in turn. Values that are
    /// equal in SQL, and NULLs, hash alike.
    pub fn hash_into(&self, hashes: &mut [u64]) {
        debug_assert_eq!(hashes.len(), self.len());
        match &self.validity {
            None => for_kind!(&self.data,
                fixed(values) => fold(hashes, values.iter().map(Ordered::hash)),
                var(values) => fold(hashes, (0..values.len()).map(|row| hash_bytes(values.get(row)))),
                any(values) => fold(hashes, values.iter().map(hash_any)),
            ),
            Some(_) => fold(hashes, (0..self.len()).map(|row| if self.is_null(row) { NULL_HASH } else { self.hash_row(row) })),
        }
    }

    fn hash_row(&self, row: usize) -> u64 {
        for_kind!(&self.data,
            fixed(values) => Ordered::hash(&values[row]),
            var(values) => hash_bytes(values.get(row)),
            any(values) => hash_any(&values[row]),
        )
    }

    /// Whether two values of one type are not distinct: equal, or both NULL.
    #[inline]
    pub fn eq_rows(&self, row: usize, other: &Column, other_row: usize) -> bool {
        match (self.is_null(row), other.is_null(other_row)) {
            (false, false) => for_kinds!(&self.data, &other.data,
                fixed(left, right) => left[row].compare(&right[other_row]).is_eq(),
                var(left, right) => left.get(row) == right.get(other_row),
                any(left, right) => compare_datums(&left[row], &right[other_row]).is_eq(),
            ),
            (left_null, right_null) => left_null == right_null,
        }
    }

    /// Orders two values of one type that are not NULL.
    #[inline]
    pub fn compare_rows(&self, row: usize, other: &Column, other_row: usize) -> Ordering {
        for_kinds!(&self.data, &other.data,
            fixed(left, right) => left[row].compare(&right[other_row]),
            var(left, right) => left.get(row).cmp(right.get(other_row)),
            any(left, right) => compare_datums(&left[row], &right[other_row]),
        )
    }
}

#[inline]
fn fold(hashes: &mut [u64], values: impl Iterator<Item = u64>) {
    hashes.iter_mut().zip(values).for_each(|(hash, value)| *hash = mixed(*hash, value));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::Physical;

    use super::*;
    use crate::key::random_datums::columns_of_one_type;

    proptest! {
        #[test]
        fn columns_compare_and_hash_as_datums_do((physical, datums) in columns_of_one_type()) {
            let column = Column::from_datums(physical, &datums);
            let mut hashes = vec![0; datums.len()];
            column.hash_into(&mut hashes);
            for (i, left) in datums.iter().enumerate() {
                for (j, right) in datums.iter().enumerate() {
                    let order = compare_datums(left, right);
                    prop_assert_eq!(column.eq_rows(i, &column, j), order.is_eq(), "{:?} {:?}", left, right);
                    // Other kinds of values may collide, though rarely.
                    let tells_apart = physical != Physical::Any;
                    prop_assert!(hashes[i] == hashes[j] || order.is_ne(), "{:?} {:?}", left, right);
                    prop_assert!(hashes[i] != hashes[j] || order.is_eq() || !tells_apart, "{:?} {:?}", left, right);
                    if !left.is_null() && !right.is_null() {
                        prop_assert_eq!(column.compare_rows(i, &column, j), order, "{:?} {:?}", left, right);
                    }
                }
            }
        }
    }
}
