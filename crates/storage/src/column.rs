//! A typed vector of values with NULLs: what chunks are made of and what the executor computes with.
//!
//! The same type serves both, so that a scan lends a chunk's columns to the executor by reference count, without a copy.

mod compare;
mod data;
mod gather;
mod var_len;

use types::{Datum, Physical};

use self::data::{for_kind, text_of};
pub use self::{
    data::{ColumnData, FixedType},
    var_len::VarLen,
};
use crate::Bitmap;

/// A typed vector of values. Rows whose validity bit is clear are NULL and hold an arbitrary value of the type.
#[derive(Clone, Debug)]
pub struct Column {
    data: ColumnData,
    /// None while no row is NULL.
    validity: Option<Bitmap>,
}

impl Column {
    pub fn new(physical: Physical) -> Column {
        Column::with_capacity(physical, 0)
    }

    pub fn with_capacity(physical: Physical, capacity: usize) -> Column {
        Column { data: ColumnData::with_capacity(physical, capacity), validity: None }
    }

    /// A column that repeats one value.
    pub fn repeat(physical: Physical, datum: &Datum, len: usize) -> Column {
        if datum.is_null() {
            return Column::nulls(physical, len);
        }
        let data = match physical {
            Physical::Any => ColumnData::Any(vec![datum.clone(); len]),
            _ => ColumnData::repeat(datum, len).expect("a value that is not of Physical::Any has a vector form"),
        };
        debug_assert_eq!(data.physical(), physical);
        Column { data, validity: None }
    }

    /// A column of NULLs.
    pub fn nulls(physical: Physical, len: usize) -> Column {
        let mut column = Column::with_capacity(physical, len);
        column.append_nulls(len);
        column
    }

    pub fn from_datums<'a>(physical: Physical, datums: impl IntoIterator<Item = &'a Datum>) -> Column {
        let datums = datums.into_iter();
        let mut column = Column::with_capacity(physical, datums.size_hint().0);
        datums.for_each(|datum| column.push(datum));
        column
    }

    pub fn physical(&self) -> Physical {
        self.data.physical()
    }

    pub fn data(&self) -> &ColumnData {
        &self.data
    }

    pub fn len(&self) -> usize {
        self.data.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn validity(&self) -> Option<&Bitmap> {
        self.validity.as_ref()
    }

    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        self.validity.as_ref().is_some_and(|bits| !bits.get(row))
    }

    pub fn datum(&self, row: usize) -> Datum {
        if self.is_null(row) { Datum::Null } else { self.data.datum(row) }
    }

    /// Puts a row's value where NULL is now: returned instead, it would be written, read in other pieces and written again, which
    /// processors are slow at.
    #[inline]
    pub(crate) fn put_datum(&self, row: usize, place: &mut Datum) {
        if !self.is_null(row) {
            self.data.put_datum(row, place);
        }
    }

    /// Asks the processor for the memory of a row's value, which it then fetches while others are read. Reading a row that the caches
    /// do not hold takes a quarter less with all its values asked for first.
    #[inline]
    pub(crate) fn prefetch(&self, row: usize) {
        for_kind!(&self.data,
            fixed(values) => prefetch(values.as_ptr().wrapping_add(row).cast()),
            var(values) => values.prefetch(row),
            any(values) => prefetch(values.as_ptr().wrapping_add(row).cast()),
        );
    }

    /// A text value; meaningless for a NULL.
    #[inline]
    pub fn text(&self, row: usize) -> &str {
        match &self.data {
            ColumnData::Text(values) => text_of(values.get(row)),
            other => unreachable!("a {:?} column read as text", other.physical()),
        }
    }

    #[inline]
    pub fn bytes(&self, row: usize) -> &[u8] {
        match &self.data {
            ColumnData::Bytes(values) => values.get(row),
            other => unreachable!("a {:?} column read as bytea", other.physical()),
        }
    }

    /// Appends a value; it must be NULL or of the column's physical type.
    pub fn push(&mut self, datum: &Datum) {
        self.data.push(datum);
        self.push_validity(!datum.is_null());
    }

    pub fn push_text(&mut self, value: &str) {
        match &mut self.data {
            ColumnData::Text(values) => values.push(value.as_bytes()),
            other => unreachable!("text put into a {:?} column", other.physical()),
        }
        self.push_validity(true);
    }

    pub fn push_bytes(&mut self, value: &[u8]) {
        match &mut self.data {
            ColumnData::Bytes(values) => values.push(value),
            other => unreachable!("bytea put into a {:?} column", other.physical()),
        }
        self.push_validity(true);
    }

    #[inline]
    fn push_validity(&mut self, valid: bool) {
        match &mut self.validity {
            Some(bits) => bits.push(valid),
            None if valid => {}
            None => {
                let mut bits = Bitmap::filled(self.data.len() - 1, true);
                bits.push(false);
                self.validity = Some(bits);
            }
        }
    }

    pub fn set(&mut self, row: usize, datum: &Datum) {
        self.data.set(row, datum);
        let len = self.data.len();
        match &mut self.validity {
            Some(bits) => bits.set(row, !datum.is_null()),
            None if !datum.is_null() => {}
            None => self.validity.get_or_insert(Bitmap::filled(len, true)).set(row, false),
        }
    }

    /// Gives back the memory of a value that is not needed any more; the row then holds an arbitrary value.
    pub(crate) fn release(&mut self, row: usize) {
        self.data.set(row, &Datum::Null);
    }

    /// Whether the row holds exactly this value, digit for digit, so that writing it would change nothing. May say no when unsure.
    pub fn holds(&self, row: usize, datum: &Datum) -> bool {
        if self.is_null(row) || datum.is_null() {
            return self.is_null(row) && datum.is_null();
        }
        match (&self.data, datum) {
            (ColumnData::Bool(values), Datum::Bool(value)) => values[row] == *value,
            (ColumnData::Int2(values), Datum::Int2(value)) => values[row] == *value,
            (ColumnData::Int4(values), Datum::Int4(value)) => values[row] == *value,
            (ColumnData::Int8(values), Datum::Int8(value)) => values[row] == *value,
            (ColumnData::Float4(values), Datum::Float4(value)) => values[row].to_bits() == value.to_bits(),
            (ColumnData::Float8(values), Datum::Float8(value)) => values[row].to_bits() == value.to_bits(),
            (ColumnData::Oid(values), Datum::Oid(value)) => values[row] == *value,
            (ColumnData::Numeric(values), Datum::Numeric(value)) => values[row].scale() == value.scale() && values[row] == *value,
            (ColumnData::Date(values), Datum::Date(value)) => values[row] == *value,
            (ColumnData::Time(values), Datum::Time(value)) => values[row] == *value,
            (ColumnData::TimeTz(values), Datum::TimeTz(value)) => values[row] == *value,
            (ColumnData::Timestamp(values), Datum::Timestamp(value)) => values[row] == *value,
            (ColumnData::TimestampTz(values), Datum::TimestampTz(value)) => values[row] == *value,
            (ColumnData::Interval(values), Datum::Interval(value)) => values[row] == *value,
            (ColumnData::Uuid(values), Datum::Uuid(value)) => values[row] == *value,
            (ColumnData::Text(values), Datum::Text(value)) => values.get(row) == value.as_bytes(),
            (ColumnData::Bytes(values), Datum::Bytes(value)) => values.get(row) == &**value,
            _ => false,
        }
    }

    /// Bytes of one value beyond its place in the vector.
    pub(crate) fn value_size(&self, row: usize) -> usize {
        match &self.data {
            ColumnData::Text(values) | ColumnData::Bytes(values) => values.get(row).len(),
            ColumnData::Numeric(values) => values[row].heap_size(),
            ColumnData::Any(values) => values[row].heap_size(),
            _ => 0,
        }
    }

    /// Gives back garbage and the room to grow, for columns that will stay as they are for long.
    pub fn shrink(&mut self) {
        for_kind!(&mut self.data,
            fixed(values) => shrink(values),
            var(values) => values.shrink(),
            any(values) => shrink(values),
        );
    }

    /// All rows, in a column without room to grow; this one is empty then and keeps its room for the next.
    pub fn take_compact(&mut self) -> Column {
        let mut taken = self.slice(0, self.len());
        taken.shrink();
        self.clear();
        taken
    }

    /// Keeps the room for as many rows.
    pub(crate) fn clear(&mut self) {
        for_kind!(&mut self.data,
            fixed(values) => values.clear(),
            var(values) => values.clear(),
            any(values) => values.clear(),
        );
        self.validity = None;
    }

    /// Whether [`Column::shrink`] would give back little.
    pub(crate) fn is_compact(&self) -> bool {
        for_kind!(&self.data,
            fixed(values) => values.capacity() <= values.len() + values.len() / 8,
            var(values) => values.is_compact(),
            any(values) => values.capacity() <= values.len() + values.len() / 8,
        )
    }

    /// Bytes held, whether or not another column shares them.
    pub fn heap_size(&self) -> usize {
        let values = for_kind!(&self.data,
            fixed(values) => std::mem::size_of_val(values.as_slice()).max(values.capacity() * size_of_first(values)),
            var(values) => values.heap_size(),
            any(values) => values.iter().map(|datum| size_of::<Datum>() + datum.heap_size()).sum(),
        );
        let big_numerics = match &self.data {
            ColumnData::Numeric(values) => values.iter().map(|value| value.heap_size()).sum(),
            _ => 0,
        };
        values + big_numerics + self.validity.as_ref().map_or(0, Bitmap::heap_size)
    }
}

/// Asks for the cache line at an address, which need not be anybody's.
#[inline]
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "there is no safe name for the instruction, which cannot fail"))]
pub(crate) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction is a hint: it reads nothing that the program could see and faults at no address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Gives back spare room. Not by `shrink_to_fit`: allocators keep a block that shrinks by less than half where it is, whole.
pub(crate) fn shrink<T: Clone>(values: &mut Vec<T>) {
    if values.capacity() > values.len() {
        *values = values.as_slice().to_vec();
    }
}

/// Bytes of an element.
fn size_of_first<T>(_: &[T]) -> usize {
    size_of::<T>()
}
