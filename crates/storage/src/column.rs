//! A typed vector of values with NULLs: what chunks are made of and what the executor computes with.
//!
//! The same type serves both, so that a scan lends a chunk's columns to the executor by reference count, without a copy.

use types::{Date, Datum, Interval, Numeric, Oid, Physical, Time, TimeTz, Timestamp, TimestampTz};

use crate::Bitmap;

/// A typed vector of values. Rows whose validity bit is clear are NULL and hold an arbitrary value of the type.
#[derive(Clone, Debug)]
pub struct Column {
    data: ColumnData,
    /// None while no row is NULL.
    validity: Option<Bitmap>,
}

/// Values of variable length: each row is a range of one shared heap of bytes.
#[derive(Clone, Debug, Default)]
pub struct VarLen {
    ranges: Vec<(u32, u32)>,
    heap: Vec<u8>,
}

impl VarLen {
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub fn get(&self, index: usize) -> &[u8] {
        let (start, length) = self.ranges[index];
        &self.heap[start as usize..start as usize + length as usize]
    }

    pub fn push(&mut self, value: &[u8]) {
        let start = u32::try_from(self.heap.len())
            .expect("a vector's heap stays below 4 GiB: values are at most 1 GiB and batches short");
        self.ranges.push((start, value.len() as u32));
        self.heap.extend_from_slice(value);
    }

    /// Replaces a value; the old one's bytes stay in the heap until the vector is rebuilt.
    pub fn set(&mut self, index: usize, value: &[u8]) {
        let start = self.heap.len() as u32;
        self.ranges[index] = (start, value.len() as u32);
        self.heap.extend_from_slice(value);
    }
}

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

            fn into_datum(self) -> Datum {
                Datum::$variant(self)
            }

            fn from_datum(datum: &Datum) -> Option<$ty> {
                match datum { Datum::$variant(value) => Some(value.clone()), _ => None }
            }
        })*

        impl ColumnData {
            fn physical(&self) -> Physical {
                match self {
                    $(ColumnData::$variant(_) => Physical::$variant,)*
                    ColumnData::Text(_) => Physical::Text,
                    ColumnData::Bytes(_) => Physical::Bytes,
                    ColumnData::Any(_) => Physical::Any,
                }
            }

            fn with_capacity(physical: Physical, capacity: usize) -> ColumnData {
                match physical {
                    $(Physical::$variant => ColumnData::$variant(Vec::with_capacity(capacity)),)*
                    Physical::Text => ColumnData::Text(VarLen { ranges: Vec::with_capacity(capacity), heap: Vec::new() }),
                    Physical::Bytes => ColumnData::Bytes(VarLen { ranges: Vec::with_capacity(capacity), heap: Vec::new() }),
                    Physical::Any => ColumnData::Any(Vec::with_capacity(capacity)),
                }
            }

            fn len(&self) -> usize {
                match self {
                    $(ColumnData::$variant(values) => values.len(),)*
                    ColumnData::Text(values) | ColumnData::Bytes(values) => values.len(),
                    ColumnData::Any(values) => values.len(),
                }
            }

            fn datum(&self, index: usize) -> Datum {
                match self {
                    $(ColumnData::$variant(values) => Datum::$variant(values[index].clone()),)*
                    ColumnData::Text(values) => Datum::Text(text_of(values.get(index)).into()),
                    ColumnData::Bytes(values) => Datum::Bytes(values.get(index).into()),
                    ColumnData::Any(values) => values[index].clone(),
                }
            }

            fn push(&mut self, datum: &Datum) {
                match (self, datum) {
                    $((ColumnData::$variant(values), Datum::$variant(value)) => values.push(value.clone()),
                      (ColumnData::$variant(values), Datum::Null) => values.push(<$ty>::default()),)*
                    (ColumnData::Text(values), Datum::Text(value)) => values.push(value.as_bytes()),
                    (ColumnData::Bytes(values), Datum::Bytes(value)) => values.push(value),
                    (ColumnData::Text(values) | ColumnData::Bytes(values), Datum::Null) => values.push(&[]),
                    (ColumnData::Any(values), value) => values.push(value.clone()),
                    (column, value) => unreachable!("{value:?} put into a {:?} column", column.physical()),
                }
            }

            fn set(&mut self, index: usize, datum: &Datum) {
                match (self, datum) {
                    $((ColumnData::$variant(values), Datum::$variant(value)) => values[index] = value.clone(),)*
                    (ColumnData::Text(values), Datum::Text(value)) => values.set(index, value.as_bytes()),
                    (ColumnData::Bytes(values), Datum::Bytes(value)) => values.set(index, value),
                    (ColumnData::Any(values), value) => values[index] = value.clone(),
                    (_, Datum::Null) => {}
                    (column, value) => unreachable!("{value:?} put into a {:?} column", column.physical()),
                }
            }

            fn take(&self, rows: &[u32]) -> ColumnData {
                match self {
                    $(ColumnData::$variant(values) => ColumnData::$variant(rows.iter().map(|&row| values[row as usize].clone()).collect()),)*
                    ColumnData::Text(values) => ColumnData::Text(take_var_len(values, rows)),
                    ColumnData::Bytes(values) => ColumnData::Bytes(take_var_len(values, rows)),
                    ColumnData::Any(values) => ColumnData::Any(rows.iter().map(|&row| values[row as usize].clone()).collect()),
                }
            }

            fn append(&mut self, other: &ColumnData) {
                match (self, other) {
                    $((ColumnData::$variant(values), ColumnData::$variant(more)) => values.extend_from_slice(more),)*
                    (ColumnData::Text(values), ColumnData::Text(more)) | (ColumnData::Bytes(values), ColumnData::Bytes(more)) => {
                        (0..more.len()).for_each(|index| values.push(more.get(index)));
                    }
                    (ColumnData::Any(values), ColumnData::Any(more)) => values.extend_from_slice(more),
                    (column, other) => unreachable!("a {:?} column appended to a {:?} column", other.physical(), column.physical()),
                }
            }
        }
    };
}

/// A type that is held as a plain vector of Rust values.
pub trait FixedType: Clone + Default + Send + Sync + 'static {
    const PHYSICAL: Physical;
    /// The values; panics when the column is of another physical type, which the binder's types rule out.
    fn values(column: &Column) -> &[Self];
    fn column(values: Vec<Self>, validity: Option<Bitmap>) -> Column;
    fn into_datum(self) -> Datum;
    fn from_datum(datum: &Datum) -> Option<Self>;
}

column_types! {
    Bool(bool), Int2(i16), Int4(i32), Int8(i64), Float4(f32), Float8(f64), Oid(Oid), Numeric(Numeric), Date(Date), Time(Time),
    TimeTz(TimeTz), Timestamp(Timestamp), TimestampTz(TimestampTz), Interval(Interval), Uuid([u8; 16]),
}

fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text columns are filled from str only")
}

fn take_var_len(values: &VarLen, rows: &[u32]) -> VarLen {
    let mut taken = VarLen { ranges: Vec::with_capacity(rows.len()), heap: Vec::new() };
    rows.iter().for_each(|&row| taken.push(values.get(row as usize)));
    taken
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
        let mut column = Column::with_capacity(physical, len);
        (0..len).for_each(|_| column.push(datum));
        column
    }

    pub fn from_datums<'a>(physical: Physical, datums: impl IntoIterator<Item = &'a Datum>) -> Column {
        let mut column = Column::new(physical);
        datums.into_iter().for_each(|datum| column.push(datum));
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

    pub fn is_null(&self, row: usize) -> bool {
        self.validity.as_ref().is_some_and(|bits| !bits.get(row))
    }

    pub fn datum(&self, row: usize) -> Datum {
        if self.is_null(row) { Datum::Null } else { self.data.datum(row) }
    }

    /// The bytes of a text value; meaningless for a NULL.
    pub fn text(&self, row: usize) -> &str {
        match &self.data {
            ColumnData::Text(values) => text_of(values.get(row)),
            other => unreachable!("a {:?} column read as text", other.physical()),
        }
    }

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

    /// The rows at these positions, in this order.
    pub fn take(&self, rows: &[u32]) -> Column {
        let validity = self.validity.as_ref().map(|bits| {
            let mut taken = Bitmap::default();
            rows.iter().for_each(|&row| taken.push(bits.get(row as usize)));
            taken
        });
        Column { data: self.data.take(rows), validity }
    }

    /// Like [`Column::take`], with NULL where the position is None: the outer side of a join.
    pub fn take_optional(&self, rows: &[Option<u32>]) -> Column {
        let mut taken = Column::with_capacity(self.physical(), rows.len());
        for row in rows {
            taken.push(&row.map_or(Datum::Null, |row| self.datum(row as usize)));
        }
        taken
    }

    pub fn slice(&self, start: usize, len: usize) -> Column {
        let rows: Vec<u32> = (start as u32..(start + len) as u32).collect();
        self.take(&rows)
    }

    /// Appends a slot that holds an arbitrary value, not NULL.
    pub(crate) fn push_filler(&mut self) {
        self.data.push(&Datum::Null);
        if let Some(bits) = &mut self.validity {
            bits.push(true);
        }
    }

    /// Whether the row holds exactly this value, digit for digit, so that writing it would change nothing. May say no when unsure.
    pub(crate) fn holds(&self, row: usize, datum: &Datum) -> bool {
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
            ColumnData::Any(values) => values[row].heap_size(),
            _ => 0,
        }
    }

    pub(crate) fn shrink(&mut self) {}

    pub fn heap_size(&self) -> usize {
        (0..self.len()).map(|row| 8 + self.value_size(row)).sum()
    }

    pub fn append_range(&mut self, other: &Column, start: usize, count: usize) {
        self.append(&other.slice(start, count));
    }

    pub fn append(&mut self, other: &Column) {
        let before = self.data.len();
        self.data.append(&other.data);
        if self.validity.is_some() || other.validity.is_some() {
            let bits = self.validity.get_or_insert_with(|| Bitmap::filled(before, true));
            (0..other.len()).for_each(|row| bits.push(!other.is_null(row)));
        }
    }
}
