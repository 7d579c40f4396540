//! Tight loops for arithmetic and comparison over fixed-width values.
//!
//! The rule: values of NULL rows are computed too (they are arbitrary but of the type), so these closures must not fail or be slow on
//! any value; failure is a flag that is looked at once a batch and only for rows that are not NULL.

use std::sync::Arc;

use storage::{
    Bitmap, FixedType,
    column::{ColumnData, VarLen},
};
use types::{Datum, Error};

use super::{
    Function,
    lift::{Argument, Arguments, TextBytes, Value, read, valid_rows},
};
use crate::Vector;

/// A value that can stand in a plain vector.
pub trait Plain: for<'a> Argument<View<'a> = Self> + FixedType + Value + Copy {}
impl<T: for<'a> Argument<View<'a> = T> + FixedType + Value + Copy> Plain for T {}

/// A function of two arguments that cannot fail.
pub fn kernel2<A: Plain, B: Plain, R: Plain>(
    source: &'static str,
    compute: impl Fn(A, B) -> R + Copy + Send + Sync + 'static,
) -> Function {
    Function {
        source,
        fallible: false,
        body: Box::new(move |cx| {
            if let Some(done) = one_row2::<A, B>(cx) {
                return Ok(match done {
                    None => Vector::Constant(Datum::Null),
                    Some((a, b)) => Vector::Constant(FixedType::into_datum(compute(a, b))),
                });
            }
            let valid = valid_rows(cx.vectors, cx.len);
            Ok(column(zip2(cx, compute), valid))
        }),
    }
}

/// A function of two arguments that gives a value and whether it failed.
pub fn checked2<A: Plain, B: Plain, R: Plain>(
    source: &'static str,
    compute: impl Fn(A, B) -> (R, bool) + Copy + Send + Sync + 'static,
    error: fn() -> Error,
) -> Function {
    Function {
        source,
        fallible: true,
        body: Box::new(move |cx| {
            if let Some(done) = one_row2::<A, B>(cx) {
                let Some((a, b)) = done else { return Ok(Vector::Constant(Datum::Null)) };
                let (value, failed) = compute(a, b);
                return if failed { Err(error()) } else { Ok(Vector::Constant(FixedType::into_datum(value))) };
            }
            let valid = valid_rows(cx.vectors, cx.len);
            // Two loops without branches are faster than one that does both.
            let values = zip2(cx, |a: A, b: B| compute(a, b).0);
            let mut any_failed = false;
            each2(cx, |a: A, b: B| any_failed |= compute(a, b).1);
            if any_failed && fails_on_valid(cx.len, valid.as_ref(), zip2(cx, |a: A, b: B| compute(a, b).1)) {
                return Err(error());
            }
            Ok(column(values, valid))
        }),
    }
}

/// A function of one argument that cannot fail.
pub fn kernel1<A: Plain, R: Plain>(source: &'static str, compute: impl Fn(A) -> R + Copy + Send + Sync + 'static) -> Function {
    Function {
        source,
        fallible: false,
        body: Box::new(move |cx| match &cx.vectors[0] {
            Vector::Constant(Datum::Null) => Ok(Vector::Constant(Datum::Null)),
            Vector::Constant(value) => Ok(Vector::Constant(FixedType::into_datum(compute(A::of_datum(value))))),
            Vector::Column(values) => {
                Ok(column(A::values(values).iter().map(|&value| compute(value)).collect(), values.validity().cloned()))
            }
        }),
    }
}

/// A function of one argument that gives a value and whether it failed.
pub fn checked1<A: Plain, R: Plain>(
    source: &'static str,
    compute: impl Fn(A) -> (R, bool) + Copy + Send + Sync + 'static,
    error: fn() -> Error,
) -> Function {
    Function {
        source,
        fallible: true,
        body: Box::new(move |cx| match &cx.vectors[0] {
            Vector::Constant(Datum::Null) => Ok(Vector::Constant(Datum::Null)),
            Vector::Constant(value) => {
                let (value, failed) = compute(A::of_datum(value));
                if failed { Err(error()) } else { Ok(Vector::Constant(FixedType::into_datum(value))) }
            }
            Vector::Column(values) => {
                let input = A::values(values);
                let mut any_failed = false;
                let output: Vec<R> = input
                    .iter()
                    .map(|&value| {
                        let (value, failed) = compute(value);
                        any_failed |= failed;
                        value
                    })
                    .collect();
                let failures = || input.iter().map(|&value| compute(value).1).collect();
                if any_failed && fails_on_valid(cx.len, values.validity(), failures()) {
                    return Err(error());
                }
                Ok(column(output, values.validity().cloned()))
            }
        }),
    }
}

fn column<R: Plain>(values: Vec<R>, valid: Option<Bitmap>) -> Vector {
    Vector::Column(Arc::new(R::column(values, valid)))
}

/// Some when the result is one value for all rows: None inside for NULL, else the arguments.
fn one_row2<A: Plain, B: Plain>(cx: &Arguments<'_>) -> Option<Option<(A, B)>> {
    let [left, right] = cx.vectors else { unreachable!("a function of two arguments called with {}", cx.count()) };
    match (left, right) {
        (Vector::Constant(Datum::Null), _) | (_, Vector::Constant(Datum::Null)) => Some(None),
        (Vector::Constant(left), Vector::Constant(right)) => Some(Some((A::of_datum(left), B::of_datum(right)))),
        _ if cx.len == 1 => Some((!left.is_null(0) && !right.is_null(0)).then(|| (read::<A>(left, 0), read::<B>(right, 0)))),
        _ => None,
    }
}

fn zip2<A: Plain, B: Plain, R>(cx: &Arguments<'_>, mut compute: impl FnMut(A, B) -> R) -> Vec<R> {
    match (&cx.vectors[0], &cx.vectors[1]) {
        (Vector::Column(left), Vector::Column(right)) => {
            A::values(left).iter().zip(B::values(right)).map(|(&left, &right)| compute(left, right)).collect()
        }
        (Vector::Column(left), Vector::Constant(right)) => {
            let right = B::of_datum(right);
            A::values(left).iter().map(|&left| compute(left, right)).collect()
        }
        (Vector::Constant(left), Vector::Column(right)) => {
            let left = A::of_datum(left);
            B::values(right).iter().map(|&right| compute(left, right)).collect()
        }
        (Vector::Constant(left), Vector::Constant(right)) => {
            (0..cx.len).map(|_| compute(A::of_datum(left), B::of_datum(right))).collect()
        }
    }
}

fn each2<A: Plain, B: Plain>(cx: &Arguments<'_>, mut visit: impl FnMut(A, B)) {
    match (&cx.vectors[0], &cx.vectors[1]) {
        (Vector::Column(left), Vector::Column(right)) => {
            A::values(left).iter().zip(B::values(right)).for_each(|(&left, &right)| visit(left, right));
        }
        (Vector::Column(left), Vector::Constant(right)) => {
            let right = B::of_datum(right);
            A::values(left).iter().for_each(|&left| visit(left, right));
        }
        (Vector::Constant(left), Vector::Column(right)) => {
            let left = A::of_datum(left);
            B::values(right).iter().for_each(|&right| visit(left, right));
        }
        (Vector::Constant(left), Vector::Constant(right)) => visit(A::of_datum(left), B::of_datum(right)),
    }
}

/// A test of two texts by their bytes.
pub fn text_test(source: &'static str, test: impl Fn(&[u8], &[u8]) -> bool + Copy + Send + Sync + 'static) -> Function {
    Function {
        source,
        fallible: false,
        body: Box::new(move |cx| {
            let [left, right] = cx.vectors else { unreachable!("a function of two arguments called with {}", cx.count()) };
            let scalar = cx.len == 1 || matches!((left, right), (Vector::Constant(_), Vector::Constant(_)));
            if scalar {
                if left.is_null(0) || right.is_null(0) {
                    return Ok(Vector::Constant(Datum::Null));
                }
                let result = test(read::<TextBytes>(left, 0), read::<TextBytes>(right, 0));
                return Ok(Vector::Constant(Datum::Bool(result)));
            }
            if matches!(left, Vector::Constant(Datum::Null)) || matches!(right, Vector::Constant(Datum::Null)) {
                return Ok(Vector::Constant(Datum::Null));
            }
            let values = match (text_values(left), right, left, text_values(right)) {
                (Some(left), Vector::Constant(right), ..) => {
                    let right = TextBytes::of_datum(right);
                    (0..cx.len).map(|row| test(left.get(row), right)).collect()
                }
                (.., Vector::Constant(left), Some(right)) => {
                    let left = TextBytes::of_datum(left);
                    (0..cx.len).map(|row| test(left, right.get(row))).collect()
                }
                (Some(left), .., Some(right)) => (0..cx.len).map(|row| test(left.get(row), right.get(row))).collect(),
                _ => (0..cx.len).map(|row| test(read::<TextBytes>(left, row), read::<TextBytes>(right, row))).collect(),
            };
            Ok(column::<bool>(values, valid_rows(cx.vectors, cx.len)))
        }),
    }
}

/// The values of a text column; None for a constant or a column of self-describing datums.
fn text_values(vector: &Vector) -> Option<&VarLen> {
    match vector {
        Vector::Column(column) => match column.data() {
            ColumnData::Text(values) => Some(values),
            _ => None,
        },
        Vector::Constant(_) => None,
    }
}

fn fails_on_valid(len: usize, valid: Option<&Bitmap>, failed: Vec<bool>) -> bool {
    (0..len).any(|row| failed[row] && valid.is_none_or(|bits| bits.get(row)))
}
