//! real and double precision: comparison and arithmetic. NaN equals NaN and is greater than everything; a result that overflows to
//! infinity or underflows to zero is an error.

use std::cmp::Ordering;

use types::{Error, Result, SqlState};

use super::{
    Function,
    integer::division_by_zero,
    kernel::{kernel1, kernel2},
    lift::strict,
};

pub fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    comparisons(&mut functions);
    arithmetic(&mut functions);
    functions
}

pub(crate) fn overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

pub(crate) fn underflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

/// PostgreSQL's order of floats.
pub fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

macro_rules! compare_all {
    ($functions:ident, $left:ty, $right:ty, $prefix:literal) => {
        $functions.extend([
            kernel2(concat!($prefix, "eq"), |a: $left, b: $right| equal(a as f64, b as f64)),
            kernel2(concat!($prefix, "ne"), |a: $left, b: $right| !equal(a as f64, b as f64)),
            kernel2(concat!($prefix, "lt"), |a: $left, b: $right| less(a as f64, b as f64)),
            kernel2(concat!($prefix, "le"), |a: $left, b: $right| !less(b as f64, a as f64)),
            kernel2(concat!($prefix, "gt"), |a: $left, b: $right| less(b as f64, a as f64)),
            kernel2(concat!($prefix, "ge"), |a: $left, b: $right| !less(a as f64, b as f64)),
        ]);
    };
}

fn equal(a: f64, b: f64) -> bool {
    (a == b) | (a.is_nan() & b.is_nan())
}

fn less(a: f64, b: f64) -> bool {
    (a < b) | (!a.is_nan() & b.is_nan())
}

fn comparisons(functions: &mut Vec<Function>) {
    compare_all!(functions, f32, f32, "float4");
    compare_all!(functions, f64, f64, "float8");
    compare_all!(functions, f32, f64, "float48");
    compare_all!(functions, f64, f32, "float84");
    functions.extend([
        kernel2("btfloat4cmp", |a: f32, b: f32| compare(a as f64, b as f64) as i32),
        kernel2("btfloat8cmp", |a: f64, b: f64| compare(a, b) as i32),
        kernel2("btfloat48cmp", |a: f32, b: f64| compare(a as f64, b) as i32),
        kernel2("btfloat84cmp", |a: f64, b: f32| compare(a, b as f64) as i32),
        kernel2("float4larger", |a: f32, b: f32| if compare(a as f64, b as f64).is_gt() { a } else { b }),
        kernel2("float4smaller", |a: f32, b: f32| if compare(a as f64, b as f64).is_lt() { a } else { b }),
        kernel2("float8larger", |a: f64, b: f64| if compare(a, b).is_gt() { a } else { b }),
        kernel2("float8smaller", |a: f64, b: f64| if compare(a, b).is_lt() { a } else { b }),
    ]);
}

macro_rules! arithmetic_of {
    ($functions:ident, $left:ty, $right:ty, $wide:ty, $prefix:literal) => {
        $functions.extend([
            strict!(concat!($prefix, "pl"), |a: $left, b: $right| finite(a as $wide + b as $wide, &[a as $wide, b as $wide])),
            strict!(concat!($prefix, "mi"), |a: $left, b: $right| finite(a as $wide - b as $wide, &[a as $wide, b as $wide])),
            strict!(concat!($prefix, "mul"), |a: $left, b: $right| -> Result<$wide> {
                let (a, b) = (a as $wide, b as $wide);
                let product = finite(a * b, &[a, b])?;
                if product == 0.0 && a != 0.0 && b != 0.0 { Err(underflow()) } else { Ok(product) }
            }),
            strict!(concat!($prefix, "div"), |a: $left, b: $right| -> Result<$wide> {
                let (a, b) = (a as $wide, b as $wide);
                if b == 0.0 && !a.is_nan() {
                    return Err(division_by_zero());
                }
                let quotient = a / b;
                if quotient.is_infinite() && !a.is_infinite() {
                    return Err(overflow());
                }
                if quotient == 0.0 && a != 0.0 && !b.is_infinite() { Err(underflow()) } else { Ok(quotient) }
            }),
        ]);
    };
}

/// A floating type, for checks shared by both.
pub(crate) trait Float: Copy {
    fn is_infinite(self) -> bool;
}

impl Float for f32 {
    fn is_infinite(self) -> bool {
        f32::is_infinite(self)
    }
}

impl Float for f64 {
    fn is_infinite(self) -> bool {
        f64::is_infinite(self)
    }
}

/// The result unless it became infinite from finite arguments.
pub(crate) fn finite<T: Float>(result: T, arguments: &[T]) -> Result<T> {
    if result.is_infinite() && !arguments.iter().any(|argument| argument.is_infinite()) { Err(overflow()) } else { Ok(result) }
}

fn arithmetic(functions: &mut Vec<Function>) {
    arithmetic_of!(functions, f32, f32, f32, "float4");
    arithmetic_of!(functions, f64, f64, f64, "float8");
    arithmetic_of!(functions, f32, f64, f64, "float48");
    arithmetic_of!(functions, f64, f32, f64, "float84");
    functions.extend([
        kernel1("float4um", |a: f32| -a),
        kernel1("float8um", |a: f64| -a),
        kernel1("float4up", |a: f32| a),
        kernel1("float8up", |a: f64| a),
        kernel1("float4abs", |a: f32| a.abs()),
        kernel1("float8abs", |a: f64| a.abs()),
    ]);
}
