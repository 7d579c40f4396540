//! Closures over typed values lifted to vectors.
//!
//! The rule: a row is computed only when the function is not strict or none of its arguments is NULL; a batch of one row gives a
//! constant, so that a point query allocates no column.

use std::sync::Arc;

use storage::{Bitmap, Column, FixedType, column::ColumnData};
use types::{
    Array, BitString, Date, Datum, EnumLabel, Interval, Jsonb, Numeric, Oid, Physical, Record, Result, Time, TimeTz, Timestamp,
    TimestampTz,
};

use super::{
    CallSite, Function,
    room::{self, LARGE},
};
use crate::{EvalContext, Vector};

/// A call in progress: its argument vectors and everything around them.
pub struct Arguments<'a> {
    pub vectors: &'a [Vector],
    pub len: usize,
    pub site: &'a CallSite,
    pub context: &'a EvalContext,
}

impl<'a> Arguments<'a> {
    pub fn count(&self) -> usize {
        self.vectors.len()
    }

    pub fn is_null(&self, argument: usize, row: usize) -> bool {
        self.vectors[argument].is_null(row)
    }

    pub fn datum(&self, argument: usize, row: usize) -> Datum {
        self.vectors[argument].datum(row)
    }

    /// The value as a Rust type: `cx.get::<&str>(0, row)`.
    pub fn get<A: Argument>(&self, argument: usize, row: usize) -> A::View<'a> {
        read::<A>(&self.vectors[argument], row)
    }

    /// 53200 when a result of so many bytes would not find room; small ones are not asked for.
    pub fn check_memory(&self, bytes: usize) -> Result<()> {
        if bytes < LARGE { Ok(()) } else { self.context.session.check_memory(bytes) }
    }

    /// 53200 when what the function makes of a row's large values would not find room.
    fn check_room(&self, row: usize) -> Result<()> {
        let bytes: usize = self.vectors.iter().map(|vector| room::row_bytes(vector, row)).sum();
        self.check_memory(bytes.saturating_mul(room::copies(self.site.function.source)))
    }

    /// Rows for which a strict function is called; None when that is all of them.
    fn computed_rows(&self) -> Option<Bitmap> {
        if self.site.function.strict { valid_rows(self.vectors, self.len) } else { None }
    }
}

/// Rows without a NULL in any vector; None when that is all of them.
pub fn valid_rows(vectors: &[Vector], len: usize) -> Option<Bitmap> {
    let mut valid: Option<Bitmap> = None;
    for vector in vectors {
        match vector {
            Vector::Constant(Datum::Null) => return Some(Bitmap::filled(len, false)),
            Vector::Constant(_) => {}
            Vector::Column(column) => {
                if let Some(bits) = column.validity() {
                    match &mut valid {
                        None => valid = Some(bits.clone()),
                        Some(valid) => valid.intersect(bits),
                    }
                }
            }
        }
    }
    valid
}

/// A Rust type that a function takes; the implementation for `&'static str` stands for `&str` of any life.
pub trait Argument: 'static {
    type View<'a>;
    fn of_datum(datum: &Datum) -> Self::View<'_>;
    fn of_column(column: &Column, row: usize) -> Self::View<'_>;
}

pub fn read<A: Argument>(vector: &Vector, row: usize) -> A::View<'_> {
    match vector {
        Vector::Constant(datum) => A::of_datum(datum),
        Vector::Column(column) => A::of_column(column, row),
    }
}

#[cold]
fn mistyped(datum: &Datum, wanted: &str) -> ! {
    unreachable!("{datum:?} passed where the catalog promises {wanted}")
}

macro_rules! copied_arguments {
    ($($variant:ident($ty:ty)),* $(,)?) => {$(
        impl Argument for $ty {
            type View<'a> = $ty;

            fn of_datum(datum: &Datum) -> $ty {
                match datum { Datum::$variant(value) => *value, other => mistyped(other, stringify!($variant)) }
            }

            fn of_column(column: &Column, row: usize) -> $ty {
                match column.data() {
                    ColumnData::$variant(values) => values[row],
                    _ => Self::of_datum(any_datum(column, row)),
                }
            }
        }
    )*};
}

copied_arguments! {
    Bool(bool), Int2(i16), Int4(i32), Int8(i64), Float4(f32), Float8(f64), Oid(Oid), Date(Date), Time(Time), TimeTz(TimeTz),
    Timestamp(Timestamp), TimestampTz(TimestampTz), Interval(Interval), Uuid([u8; 16]),
}

fn any_datum(column: &Column, row: usize) -> &Datum {
    match column.data() {
        ColumnData::Any(values) => &values[row],
        _ => unreachable!("a {:?} column passed where the catalog promises another type", column.physical()),
    }
}

impl Argument for Numeric {
    type View<'a> = &'a Numeric;

    fn of_datum(datum: &Datum) -> &Numeric {
        match datum {
            Datum::Numeric(value) => value,
            other => mistyped(other, "numeric"),
        }
    }

    fn of_column(column: &Column, row: usize) -> &Numeric {
        match column.data() {
            ColumnData::Numeric(values) => &values[row],
            _ => Numeric::of_datum(any_datum(column, row)),
        }
    }
}

impl Argument for &'static Numeric {
    type View<'a> = &'a Numeric;

    fn of_datum(datum: &Datum) -> &Numeric {
        Numeric::of_datum(datum)
    }

    fn of_column(column: &Column, row: usize) -> &Numeric {
        <Numeric as Argument>::of_column(column, row)
    }
}

impl Argument for &'static str {
    type View<'a> = &'a str;

    fn of_datum(datum: &Datum) -> &str {
        match datum {
            Datum::Text(value) => value,
            other => mistyped(other, "text"),
        }
    }

    fn of_column(column: &Column, row: usize) -> &str {
        match column.data() {
            ColumnData::Text(_) => column.text(row),
            _ => <&'static str as Argument>::of_datum(any_datum(column, row)),
        }
    }
}

/// The bytes of a text value, for what needs no characters.
pub struct TextBytes;

impl Argument for TextBytes {
    type View<'a> = &'a [u8];

    fn of_datum(datum: &Datum) -> &[u8] {
        <&'static str as Argument>::of_datum(datum).as_bytes()
    }

    fn of_column(column: &Column, row: usize) -> &[u8] {
        match column.data() {
            ColumnData::Text(values) => values.get(row),
            _ => TextBytes::of_datum(any_datum(column, row)),
        }
    }
}

impl Argument for &'static [u8] {
    type View<'a> = &'a [u8];

    fn of_datum(datum: &Datum) -> &[u8] {
        match datum {
            Datum::Bytes(value) => value,
            other => mistyped(other, "bytea"),
        }
    }

    fn of_column(column: &Column, row: usize) -> &[u8] {
        match column.data() {
            ColumnData::Bytes(_) => column.bytes(row),
            _ => <&'static [u8] as Argument>::of_datum(any_datum(column, row)),
        }
    }
}

macro_rules! shared_arguments {
    ($($variant:ident($ty:ty)),* $(,)?) => {$(
        impl Argument for &'static $ty {
            type View<'a> = &'a Arc<$ty>;

            fn of_datum(datum: &Datum) -> &Arc<$ty> {
                match datum { Datum::$variant(value) => value, other => mistyped(other, stringify!($variant)) }
            }

            fn of_column(column: &Column, row: usize) -> &Arc<$ty> {
                Self::of_datum(any_datum(column, row))
            }
        }
    )*};
}

shared_arguments! { Jsonb(Jsonb), Array(Array), Enum(EnumLabel), Record(Record), Bit(BitString) }

impl Argument for Datum {
    type View<'a> = Datum;

    fn of_datum(datum: &Datum) -> Datum {
        datum.clone()
    }

    fn of_column(column: &Column, row: usize) -> Datum {
        column.datum(row)
    }
}

/// An argument that may be NULL, of a function that is not strict.
impl<A: Argument> Argument for Option<A> {
    type View<'a> = Option<A::View<'a>>;

    fn of_datum(datum: &Datum) -> Option<A::View<'_>> {
        (!datum.is_null()).then(|| A::of_datum(datum))
    }

    fn of_column(column: &Column, row: usize) -> Option<A::View<'_>> {
        (!column.is_null(row)).then(|| A::of_column(column, row))
    }
}

/// A Rust type that a function returns.
pub trait Value: Sized {
    type Builder;
    fn builder(physical: Physical, capacity: usize) -> Self::Builder;
    fn append(self, builder: &mut Self::Builder);
    fn append_null(builder: &mut Self::Builder);
    fn finish(builder: Self::Builder) -> Column;
    fn into_datum(self) -> Datum;
    /// Bytes beyond its place, where they may be many.
    fn size(&self) -> usize {
        0
    }
}

/// Values of a fixed type being collected.
pub struct FixedBuilder<T> {
    values: Vec<T>,
    validity: Option<Bitmap>,
}

macro_rules! fixed_values {
    ($($ty:ty $(: $size:expr)?),* $(,)?) => {$(
        impl Value for $ty {
            type Builder = FixedBuilder<$ty>;

            fn builder(physical: Physical, capacity: usize) -> FixedBuilder<$ty> {
                debug_assert_eq!(physical, <$ty as FixedType>::PHYSICAL);
                FixedBuilder { values: Vec::with_capacity(capacity), validity: None }
            }

            fn append(self, builder: &mut FixedBuilder<$ty>) {
                builder.values.push(self);
                if let Some(validity) = &mut builder.validity {
                    validity.push(true);
                }
            }

            fn append_null(builder: &mut FixedBuilder<$ty>) {
                let before = builder.values.len();
                builder.values.push(Default::default());
                builder.validity.get_or_insert_with(|| Bitmap::filled(before, true)).push(false);
            }

            fn finish(builder: FixedBuilder<$ty>) -> Column {
                <$ty as FixedType>::column(builder.values, builder.validity)
            }

            fn into_datum(self) -> Datum {
                FixedType::into_datum(self)
            }

            $(fn size(&self) -> usize {
                $size(self)
            })?
        }
    )*};
}

fixed_values! { bool, i16, i32, i64, f32, f64, Oid, Numeric: Numeric::heap_size, Date, Time, TimeTz, Timestamp, TimestampTz, Interval, [u8; 16] }

/// Values that go through a datum into a column of the call's type.
macro_rules! datum_values {
    ($($ty:ty: $value:ident => $datum:expr),* $(,)?) => {$(
        impl Value for $ty {
            type Builder = Column;

            fn builder(physical: Physical, capacity: usize) -> Column {
                Column::with_capacity(physical, capacity)
            }

            fn append(self, builder: &mut Column) {
                builder.push(&Value::into_datum(self));
            }

            fn append_null(builder: &mut Column) {
                builder.push(&Datum::Null);
            }

            fn finish(builder: Column) -> Column {
                builder
            }

            fn into_datum(self) -> Datum {
                let $value = self;
                $datum
            }

            fn size(&self) -> usize {
                ValueSize::bytes(self)
            }
        }
    )*};
}

datum_values! {
    Datum: value => value,
    Arc<str>: value => Datum::Text(value),
    Vec<u8>: value => Datum::Bytes(value.into()),
    Arc<[u8]>: value => Datum::Bytes(value),
    Jsonb: value => Datum::Jsonb(Arc::new(value)),
    Arc<Jsonb>: value => Datum::Jsonb(value),
    Array: value => Datum::Array(Arc::new(value)),
    Arc<Array>: value => Datum::Array(value),
    Arc<EnumLabel>: value => Datum::Enum(value),
    BitString: value => Datum::Bit(Arc::new(value)),
    Record: value => Datum::Record(Arc::new(value)),
}

/// What a value holds, as far as that is told without going through it.
trait ValueSize {
    fn bytes(&self) -> usize {
        0
    }
}

impl ValueSize for Datum {
    fn bytes(&self) -> usize {
        match self {
            Datum::Text(text) => text.len(),
            Datum::Bytes(bytes) => bytes.len(),
            Datum::Array(array) => ValueSize::bytes(&**array),
            _ => 0,
        }
    }
}

impl ValueSize for Vec<u8> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl ValueSize for Arc<[u8]> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl ValueSize for Arc<str> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl ValueSize for Array {
    fn bytes(&self) -> usize {
        self.elements.len() * size_of::<Datum>()
    }
}

impl ValueSize for Arc<Array> {
    fn bytes(&self) -> usize {
        (**self).bytes()
    }
}

impl ValueSize for Jsonb {}
impl ValueSize for Arc<Jsonb> {}
impl ValueSize for Arc<EnumLabel> {}
impl ValueSize for BitString {}
impl ValueSize for Record {}

macro_rules! text_values {
    ($($ty:ty),* $(,)?) => {$(
        impl Value for $ty {
            type Builder = Column;

            fn builder(physical: Physical, capacity: usize) -> Column {
                Column::with_capacity(physical, capacity)
            }

            fn append(self, builder: &mut Column) {
                if builder.physical() == Physical::Text {
                    builder.push_text(&self);
                } else {
                    builder.push(&Value::into_datum(self));
                }
            }

            fn append_null(builder: &mut Column) {
                builder.push(&Datum::Null);
            }

            fn finish(builder: Column) -> Column {
                builder
            }

            fn into_datum(self) -> Datum {
                Datum::Text(self.into())
            }

            fn size(&self) -> usize {
                self.len()
            }
        }
    )*};
}

text_values! { String, &str }

/// What a closure gives for a row: a value, perhaps none (NULL), perhaps an error.
pub trait Returned {
    type Value: Value;
    const FALLIBLE: bool;
    fn outcome(self) -> Result<Option<Self::Value>>;
}

impl<T: Value> Returned for T {
    type Value = T;
    const FALLIBLE: bool = false;

    fn outcome(self) -> Result<Option<T>> {
        Ok(Some(self))
    }
}

impl<T: Value> Returned for Option<T> {
    type Value = T;
    const FALLIBLE: bool = false;

    fn outcome(self) -> Result<Option<T>> {
        Ok(self)
    }
}

impl<T: Value> Returned for Result<T> {
    type Value = T;
    const FALLIBLE: bool = true;

    fn outcome(self) -> Result<Option<T>> {
        self.map(Some)
    }
}

impl<T: Value> Returned for Result<Option<T>> {
    type Value = T;
    const FALLIBLE: bool = true;

    fn outcome(self) -> Result<Option<T>> {
        self
    }
}

/// Runs a closure for every row that is to be computed and collects the results. Compiled once per result type, not per function.
fn collect<V: Value>(cx: &Arguments<'_>, row_value: &mut dyn FnMut(usize) -> Result<Option<V>>) -> Result<Vector> {
    let constant = cx.len == 1 || cx.vectors.iter().all(|vector| matches!(vector, Vector::Constant(_)));
    let large = cx.vectors.iter().any(room::may_be_large);
    if constant && (cx.len == 1 || cx.site.function.volatility != 'v') {
        if cx.site.function.strict && cx.vectors.iter().any(|vector| vector.is_null(0)) {
            return Ok(Vector::Constant(Datum::Null));
        }
        if large {
            cx.check_room(0)?;
        }
        let Some(value) = row_value(0)? else { return Ok(Vector::Constant(Datum::Null)) };
        cx.check_memory(value.size())?;
        return Ok(Vector::Constant(value.into_datum()));
    }
    let computed = cx.computed_rows();
    let mut builder = V::builder(cx.site.ty.physical, cx.len);
    let (mut bytes, mut asked) = (0_usize, LARGE);
    for row in 0..cx.len {
        if computed.as_ref().is_some_and(|rows| !rows.get(row)) {
            V::append_null(&mut builder);
            continue;
        }
        if large {
            cx.check_room(row)?;
        }
        match row_value(row)? {
            Some(value) => {
                bytes += value.size();
                if bytes >= asked {
                    // A column doubles as it grows.
                    cx.check_memory(2 * bytes)?;
                    asked = bytes + LARGE;
                }
                value.append(&mut builder);
            }
            None => V::append_null(&mut builder),
        }
    }
    Ok(Vector::Column(Arc::new(V::finish(builder))))
}

/// A function that computes a row from whatever it asks of its arguments: for any number and type of them.
pub fn rows<R, F>(source: &'static str, compute: F) -> Function
where
    R: Returned,
    F: Fn(&Arguments<'_>, usize) -> R + Send + Sync + 'static,
{
    Function {
        source,
        fallible: R::FALLIBLE,
        body: Box::new(move |cx| collect::<R::Value>(cx, &mut |row| compute(cx, row).outcome())),
    }
}

/// A function that computes whole vectors itself, NULLs included.
pub fn vectors<F>(source: &'static str, fallible: bool, compute: F) -> Function
where
    F: Fn(&Arguments<'_>) -> Result<Vector> + Send + Sync + 'static,
{
    Function { source, fallible, body: Box::new(compute) }
}

macro_rules! lifted {
    ($($name:ident($($ty:ident $at:tt),*));* $(;)?) => {$(
        /// A function of this many typed arguments; use [`strict!`], which names their types.
        #[expect(clippy::allow_attributes, reason = "the form without arguments reads none")]
        pub fn $name<$($ty: Argument,)* R, F>(source: &'static str, compute: F) -> Function
        where
            R: Returned,
            F: for<'a> Fn(&Arguments<'a>, $($ty::View<'a>),*) -> R + Send + Sync + 'static,
        {
            Function {
                source,
                fallible: R::FALLIBLE,
                body: Box::new(move |cx| {
                    #[allow(unused_variables)]
                    collect::<R::Value>(cx, &mut |row| compute(cx, $(read::<$ty>(&cx.vectors[$at], row)),*).outcome())
                }),
            }
        }
    )*};
}

lifted! {
    lift0(); lift1(A 0); lift2(A 0, B 1); lift3(A 0, B 1, C 2); lift4(A 0, B 1, C 2, D 3); lift5(A 0, B 1, C 2, D 3, E 4);
    lift6(A 0, B 1, C 2, D 3, E 4, G 5); lift7(A 0, B 1, C 2, D 3, E 4, G 5, H 6);
}

/// A function by its source and a closure over typed arguments, which may begin with a name for the [`Arguments`].
macro_rules! strict {
    ($source:expr, $cx:ident, || $($body:tt)+) => { $crate::functions::lift::lift0::<_, _>($source, |$cx| $($body)+) };
    ($source:expr, || $($body:tt)+) => { $crate::functions::lift::lift0::<_, _>($source, |_| $($body)+) };
    ($source:expr, $cx:ident, |$a:ident : $A:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift1::<$A, _, _>($source, |$cx, $a| $($body)+)
    };
    ($source:expr, |$a:ident : $A:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift1::<$A, _, _>($source, |_, $a| $($body)+)
    };
    ($source:expr, $cx:ident, |$a:ident : $A:ty, $b:ident : $B:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift2::<$A, $B, _, _>($source, |$cx, $a, $b| $($body)+)
    };
    ($source:expr, |$a:ident : $A:ty, $b:ident : $B:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift2::<$A, $B, _, _>($source, |_, $a, $b| $($body)+)
    };
    ($source:expr, $cx:ident, |$a:ident : $A:ty, $b:ident : $B:ty, $c:ident : $C:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift3::<$A, $B, $C, _, _>($source, |$cx, $a, $b, $c| $($body)+)
    };
    ($source:expr, |$a:ident : $A:ty, $b:ident : $B:ty, $c:ident : $C:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift3::<$A, $B, $C, _, _>($source, |_, $a, $b, $c| $($body)+)
    };
    ($source:expr, $cx:ident, |$a:ident : $A:ty, $b:ident : $B:ty, $c:ident : $C:ty, $d:ident : $D:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift4::<$A, $B, $C, $D, _, _>($source, |$cx, $a, $b, $c, $d| $($body)+)
    };
    ($source:expr, |$a:ident : $A:ty, $b:ident : $B:ty, $c:ident : $C:ty, $d:ident : $D:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift4::<$A, $B, $C, $D, _, _>($source, |_, $a, $b, $c, $d| $($body)+)
    };
    ($source:expr, $cx:ident, |$a:ident : $A:ty, $b:ident : $B:ty, $c:ident : $C:ty, $d:ident : $D:ty, $e:ident : $E:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift5::<$A, $B, $C, $D, $E, _, _>($source, |$cx, $a, $b, $c, $d, $e| $($body)+)
    };
    ($source:expr, |$a:ident : $A:ty, $b:ident : $B:ty, $c:ident : $C:ty, $d:ident : $D:ty, $e:ident : $E:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift5::<$A, $B, $C, $D, $E, _, _>($source, |_, $a, $b, $c, $d, $e| $($body)+)
    };
    ($source:expr, $cx:ident, |$a:ident : $A:ty, $b:ident : $B:ty, $c:ident : $C:ty, $d:ident : $D:ty, $e:ident : $E:ty, $g:ident : $G:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift6::<$A, $B, $C, $D, $E, $G, _, _>($source, |$cx, $a, $b, $c, $d, $e, $g| $($body)+)
    };
    ($source:expr, |$a:ident : $A:ty, $b:ident : $B:ty, $c:ident : $C:ty, $d:ident : $D:ty, $e:ident : $E:ty, $g:ident : $G:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift6::<$A, $B, $C, $D, $E, $G, _, _>($source, |_, $a, $b, $c, $d, $e, $g| $($body)+)
    };
    ($source:expr, $cx:ident, |$a:ident : $A:ty, $b:ident : $B:ty, $c:ident : $C:ty, $d:ident : $D:ty, $e:ident : $E:ty, $g:ident : $G:ty, $h:ident : $H:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift7::<$A, $B, $C, $D, $E, $G, $H, _, _>($source, |$cx, $a, $b, $c, $d, $e, $g, $h| $($body)+)
    };
    ($source:expr, |$a:ident : $A:ty, $b:ident : $B:ty, $c:ident : $C:ty, $d:ident : $D:ty, $e:ident : $E:ty, $g:ident : $G:ty, $h:ident : $H:ty $(,)?| $($body:tt)+) => {
        $crate::functions::lift::lift7::<$A, $B, $C, $D, $E, $G, $H, _, _>($source, |_, $a, $b, $c, $d, $e, $g, $h| $($body)+)
    };
}
pub(crate) use strict;
