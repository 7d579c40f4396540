//! The values of a column by physical type, and the macros that write a function's arm for each.

use types::{Date, Datum, Interval, Numeric, Oid, Physical, Time, TimeTz, Timestamp, TimestampTz};

use super::{Column, VarLen};
use crate::Bitmap;

/// A type that is held as a plain vector of Rust values.
pub trait FixedType: Clone + Default + Send + Sync + 'static {
    const PHYSICAL: Physical;
    /// The values; panics when the column is of another physical type, which the binder's types rule out.
    fn values(column: &Column) -> &[Self];
    fn column(values: Vec<Self>, validity: Option<Bitmap>) -> Column;
    /// Appends a value; panics as [`FixedType::values`].
    fn push(self, column: &mut Column);
    fn into_datum(self) -> Datum;
    fn from_datum(datum: &Datum) -> Option<Self>;
}

/// Matches on a column's data, with one arm for all fixed types, one for both variable ones, one for datums.
macro_rules! for_kind {
    ($data:expr, fixed($fixed:ident) => $on_fixed:expr, var($var:ident) => $on_var:expr, any($any:ident) => $on_any:expr $(,)?) => {{
        use $crate::column::ColumnData::*;
        match $data {
            Bool($fixed) => $on_fixed,
            Int2($fixed) => $on_fixed,
            Int4($fixed) => $on_fixed,
            Int8($fixed) => $on_fixed,
            Float4($fixed) => $on_fixed,
            Float8($fixed) => $on_fixed,
            Oid($fixed) => $on_fixed,
            Numeric($fixed) => $on_fixed,
            Date($fixed) => $on_fixed,
            Time($fixed) => $on_fixed,
            TimeTz($fixed) => $on_fixed,
            Timestamp($fixed) => $on_fixed,
            TimestampTz($fixed) => $on_fixed,
            Interval($fixed) => $on_fixed,
            Uuid($fixed) => $on_fixed,
            Text($var) | Bytes($var) => $on_var,
            Any($any) => $on_any,
        }
    }};
}

/// The same for two columns of one physical type; `other` is what happens when they are not.
macro_rules! for_kinds {
    ($left:expr, $right:expr, fixed($l:ident, $r:ident) => $on_fixed:expr, var($lv:ident, $rv:ident) => $on_var:expr,
     any($la:ident, $ra:ident) => $on_any:expr $(,)?) => {{
        use $crate::column::ColumnData::*;
        match ($left, $right) {
            (Bool($l), Bool($r)) => $on_fixed,
            (Int2($l), Int2($r)) => $on_fixed,
            (Int4($l), Int4($r)) => $on_fixed,
            (Int8($l), Int8($r)) => $on_fixed,
            (Float4($l), Float4($r)) => $on_fixed,
            (Float8($l), Float8($r)) => $on_fixed,
            (Oid($l), Oid($r)) => $on_fixed,
            (Numeric($l), Numeric($r)) => $on_fixed,
            (Date($l), Date($r)) => $on_fixed,
            (Time($l), Time($r)) => $on_fixed,
            (TimeTz($l), TimeTz($r)) => $on_fixed,
            (Timestamp($l), Timestamp($r)) => $on_fixed,
            (TimestampTz($l), TimestampTz($r)) => $on_fixed,
            (Interval($l), Interval($r)) => $on_fixed,
            (Uuid($l), Uuid($r)) => $on_fixed,
            (Text($lv), Text($rv)) | (Bytes($lv), Bytes($rv)) => $on_var,
            (Any($la), Any($ra)) => $on_any,
            (left, right) => unreachable!("a {:?} column where a {:?} column is due", right.physical(), left.physical()),
        }
    }};
}

pub(super) use {for_kind, for_kinds};

macro_rules! column_types {
    ($($variant:ident($ty:ty)),* $(,)?) => {
        /// The values themselves, by physical type.
        #[derive(Clone, Debug)]
        pub enum ColumnData {
            $($variant(Vec<$ty>),)*
            /// UTF-8
            Text(VarLen),
            Bytes(VarLen),
            Any(Vec<Datum>),
        }

        $(impl FixedType for $ty {
            const PHYSICAL: Physical = Physical::$variant;

            #[inline]
            fn values(column: &Column) -> &[$ty] {
                match &column.data {
                    ColumnData::$variant(values) => values,
                    other => unreachable!("a {:?} column read as {}", other.physical(), stringify!($variant)),
                }
            }

            fn column(values: Vec<$ty>, validity: Option<Bitmap>) -> Column {
                debug_assert!(validity.as_ref().is_none_or(|bits| bits.len() == values.len()));
                Column { data: ColumnData::$variant(values), validity }
            }

            #[inline]
            fn push(self, column: &mut Column) {
                match &mut column.data {
                    ColumnData::$variant(values) => values.push(self),
                    other => unreachable!("{} put into a {:?} column", stringify!($variant), other.physical()),
                }
                column.push_validity(true);
            }

            fn into_datum(self) -> Datum {
                Datum::$variant(self)
            }

            fn from_datum(datum: &Datum) -> Option<$ty> {
                match datum { Datum::$variant(value) => Some(value.clone()), _ => None }
            }
        }

        impl From<Vec<$ty>> for ColumnData {
            fn from(values: Vec<$ty>) -> ColumnData {
                ColumnData::$variant(values)
            }
        })*

        impl ColumnData {
            pub(super) fn physical(&self) -> Physical {
                match self {
                    $(ColumnData::$variant(_) => Physical::$variant,)*
                    ColumnData::Text(_) => Physical::Text,
                    ColumnData::Bytes(_) => Physical::Bytes,
                    ColumnData::Any(_) => Physical::Any,
                }
            }

            pub(super) fn with_capacity(physical: Physical, capacity: usize) -> ColumnData {
                match physical {
                    $(Physical::$variant => ColumnData::$variant(Vec::with_capacity(capacity)),)*
                    Physical::Text => ColumnData::Text(VarLen::with_capacity(capacity)),
                    Physical::Bytes => ColumnData::Bytes(VarLen::with_capacity(capacity)),
                    Physical::Any => ColumnData::Any(Vec::with_capacity(capacity)),
                }
            }

            pub(super) fn datum(&self, index: usize) -> Datum {
                let mut datum = Datum::Null;
                self.put_datum(index, &mut datum);
                datum
            }

            /// Writes over a NULL, of which nothing need be dropped.
            #[inline]
            pub(super) fn put_datum(&self, index: usize, place: &mut Datum) {
                match self {
                    $(ColumnData::$variant(values) => write_over_null(place, Datum::$variant(values[index].clone())),)*
                    ColumnData::Text(values) => write_over_null(place, Datum::Text(text_of(values.get(index)).into())),
                    ColumnData::Bytes(values) => write_over_null(place, Datum::Bytes(values.get(index).into())),
                    ColumnData::Any(values) => write_over_null(place, values[index].clone()),
                }
            }

            pub(super) fn push(&mut self, datum: &Datum) {
                match (self, datum) {
                    $((ColumnData::$variant(values), Datum::$variant(value)) => values.push(value.clone()),)*
                    (ColumnData::Text(values), Datum::Text(value)) => values.push(value.as_bytes()),
                    (ColumnData::Bytes(values), Datum::Bytes(value)) => values.push(value),
                    (ColumnData::Any(values), value) => values.push(value.clone()),
                    (column, Datum::Null) => column.push_default(),
                    (column, value) => unreachable!("{value:?} put into a {:?} column", column.physical()),
                }
            }

            pub(super) fn set(&mut self, index: usize, datum: &Datum) {
                match (self, datum) {
                    $((ColumnData::$variant(values), Datum::$variant(value)) => values[index] = value.clone(),)*
                    (ColumnData::Text(values), Datum::Text(value)) => values.set(index, value.as_bytes()),
                    (ColumnData::Bytes(values), Datum::Bytes(value)) => values.set(index, value),
                    (ColumnData::Any(values), value) => values[index] = value.clone(),
                    // Others need nothing to become NULL, but these would keep memory.
                    (ColumnData::Text(values) | ColumnData::Bytes(values), Datum::Null) => values.set(index, &[]),
                    (ColumnData::Numeric(values), Datum::Null) => values[index] = Numeric::default(),
                    (_, Datum::Null) => {}
                    (column, value) => unreachable!("{value:?} put into a {:?} column", column.physical()),
                }
            }

            pub(super) fn repeat(datum: &Datum, len: usize) -> Option<ColumnData> {
                Some(match datum {
                    $(Datum::$variant(value) => ColumnData::$variant(vec![value.clone(); len]),)*
                    Datum::Text(value) => ColumnData::Text(VarLen::repeat(value.as_bytes(), len)),
                    Datum::Bytes(value) => ColumnData::Bytes(VarLen::repeat(value, len)),
                    _ => return None,
                })
            }
        }
    };
}

column_types! {
    Bool(bool), Int2(i16), Int4(i32), Int8(i64), Float4(f32), Float8(f64), Oid(Oid), Numeric(Numeric), Date(Date), Time(Time),
    TimeTz(TimeTz), Timestamp(Timestamp), TimestampTz(TimestampTz), Interval(Interval), Uuid([u8; 16]),
}

/// A plain write: there is nothing to drop.
#[inline(always)]
fn write_over_null(place: &mut Datum, datum: Datum) {
    debug_assert!(place.is_null());
    std::mem::forget(std::mem::replace(place, datum));
}

/// The text whose bytes a text column holds.
#[inline]
#[expect(unsafe_code, reason = "checking UTF-8 again costs more than the rest of reading a text value")]
pub(super) fn text_of(bytes: &[u8]) -> &str {
    debug_assert!(std::str::from_utf8(bytes).is_ok());
    // SAFETY: only `&str`s are written into text columns: their data is private to this module, and each write takes a `str`.
    unsafe { std::str::from_utf8_unchecked(bytes) }
}

impl ColumnData {
    pub(super) fn len(&self) -> usize {
        for_kind!(self, fixed(values) => values.len(), var(values) => values.len(), any(values) => values.len())
    }

    /// Appends an arbitrary value.
    pub(super) fn push_default(&mut self) {
        for_kind!(self,
            fixed(values) => values.push(Default::default()),
            var(values) => values.push(&[]),
            any(values) => values.push(Datum::Null),
        )
    }

    pub(super) fn extend_default(&mut self, count: usize) {
        for_kind!(self,
            fixed(values) => values.resize(values.len() + count, Default::default()),
            var(values) => (0..count).for_each(|_| values.push(&[])),
            any(values) => values.resize(values.len() + count, Datum::Null),
        )
    }

    /// Data of the same physical type.
    pub(super) fn with_var_len(&self, values: VarLen) -> ColumnData {
        match self {
            ColumnData::Text(_) => ColumnData::Text(values),
            _ => ColumnData::Bytes(values),
        }
    }
}
