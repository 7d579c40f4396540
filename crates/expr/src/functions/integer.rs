//! smallint, integer and bigint: comparison, arithmetic and bits. Overflow is an error, never a wrap.

use types::{Error, Result, SqlState};

use super::{
    Function,
    kernel::{checked1, checked2, kernel1, kernel2},
    lift::strict,
};

pub fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    comparisons(&mut functions);
    arithmetic(&mut functions);
    bits(&mut functions);
    divisors(&mut functions);
    functions
}

pub(crate) fn smallint_out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "smallint out of range")
}

pub(crate) fn integer_out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range")
}

pub(crate) fn bigint_out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")
}

pub(crate) fn division_by_zero() -> Error {
    Error::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

/// The six comparisons of two types through a wider one.
macro_rules! compare_all {
    ($functions:ident, $left:ty, $right:ty, $wide:ty, $prefix:literal) => {
        $functions.extend([
            kernel2(concat!($prefix, "eq"), |a: $left, b: $right| a as $wide == b as $wide),
            kernel2(concat!($prefix, "ne"), |a: $left, b: $right| a as $wide != b as $wide),
            kernel2(concat!($prefix, "lt"), |a: $left, b: $right| (a as $wide) < b as $wide),
            kernel2(concat!($prefix, "le"), |a: $left, b: $right| a as $wide <= b as $wide),
            kernel2(concat!($prefix, "gt"), |a: $left, b: $right| a as $wide > b as $wide),
            kernel2(concat!($prefix, "ge"), |a: $left, b: $right| a as $wide >= b as $wide),
        ]);
    };
}

fn comparisons(functions: &mut Vec<Function>) {
    compare_all!(functions, i16, i16, i16, "int2");
    compare_all!(functions, i32, i32, i32, "int4");
    compare_all!(functions, i64, i64, i64, "int8");
    compare_all!(functions, i16, i32, i32, "int24");
    compare_all!(functions, i32, i16, i32, "int42");
    compare_all!(functions, i16, i64, i64, "int28");
    compare_all!(functions, i64, i16, i64, "int82");
    compare_all!(functions, i32, i64, i64, "int48");
    compare_all!(functions, i64, i32, i64, "int84");
    functions.extend([
        kernel2("btint2cmp", |a: i16, b: i16| a as i32 - b as i32),
        kernel2("btint4cmp", |a: i32, b: i32| a.cmp(&b) as i32),
        kernel2("btint8cmp", |a: i64, b: i64| a.cmp(&b) as i32),
        kernel2("btint24cmp", |a: i16, b: i32| (a as i32).cmp(&b) as i32),
        kernel2("btint42cmp", |a: i32, b: i16| a.cmp(&(b as i32)) as i32),
        kernel2("btint28cmp", |a: i16, b: i64| (a as i64).cmp(&b) as i32),
        kernel2("btint82cmp", |a: i64, b: i16| a.cmp(&(b as i64)) as i32),
        kernel2("btint48cmp", |a: i32, b: i64| (a as i64).cmp(&b) as i32),
        kernel2("btint84cmp", |a: i64, b: i32| a.cmp(&(b as i64)) as i32),
        kernel2("int2larger", |a: i16, b: i16| a.max(b)),
        kernel2("int2smaller", |a: i16, b: i16| a.min(b)),
        kernel2("int4larger", |a: i32, b: i32| a.max(b)),
        kernel2("int4smaller", |a: i32, b: i32| a.min(b)),
        kernel2("int8larger", |a: i64, b: i64| a.max(b)),
        kernel2("int8smaller", |a: i64, b: i64| a.min(b)),
    ]);
}

/// `+ - * / %` of two types whose result is the wider one.
macro_rules! arithmetic_of {
    ($functions:ident, $left:ty, $right:ty, $wide:ty, $prefix:literal, $error:path) => {
        $functions.extend([
            checked2(concat!($prefix, "pl"), |a: $left, b: $right| (a as $wide).overflowing_add(b as $wide), $error),
            checked2(concat!($prefix, "mi"), |a: $left, b: $right| (a as $wide).overflowing_sub(b as $wide), $error),
            checked2(concat!($prefix, "mul"), |a: $left, b: $right| (a as $wide).overflowing_mul(b as $wide), $error),
            strict!(concat!($prefix, "div"), |a: $left, b: $right| -> Result<$wide> {
                if b == 0 {
                    return Err(division_by_zero());
                }
                (a as $wide).checked_div(b as $wide).ok_or_else($error)
            }),
        ]);
    };
}

/// `%`, absolute value and sign of one type; the remainder by -1 is 0 even where the quotient would overflow.
macro_rules! unary_of {
    ($functions:ident, $ty:ty, $prefix:literal, $error:path) => {
        $functions.extend([
            strict!(concat!($prefix, "mod"), |a: $ty, b: $ty| -> Result<$ty> {
                if b == 0 { Err(division_by_zero()) } else { Ok(a.wrapping_rem(b)) }
            }),
            checked1(concat!($prefix, "um"), |a: $ty| a.overflowing_neg(), $error),
            checked1(concat!($prefix, "abs"), |a: $ty| a.overflowing_abs(), $error),
            kernel1(concat!($prefix, "up"), |a: $ty| a),
        ]);
    };
}

fn arithmetic(functions: &mut Vec<Function>) {
    arithmetic_of!(functions, i16, i16, i16, "int2", smallint_out_of_range);
    arithmetic_of!(functions, i32, i32, i32, "int4", integer_out_of_range);
    arithmetic_of!(functions, i64, i64, i64, "int8", bigint_out_of_range);
    arithmetic_of!(functions, i16, i32, i32, "int24", integer_out_of_range);
    arithmetic_of!(functions, i32, i16, i32, "int42", integer_out_of_range);
    arithmetic_of!(functions, i16, i64, i64, "int28", bigint_out_of_range);
    arithmetic_of!(functions, i64, i16, i64, "int82", bigint_out_of_range);
    arithmetic_of!(functions, i32, i64, i64, "int48", bigint_out_of_range);
    arithmetic_of!(functions, i64, i32, i64, "int84", bigint_out_of_range);
    unary_of!(functions, i16, "int2", smallint_out_of_range);
    unary_of!(functions, i32, "int4", integer_out_of_range);
    unary_of!(functions, i64, "int8", bigint_out_of_range);
    functions.extend([
        checked1("int4inc", |a: i32| a.overflowing_add(1), integer_out_of_range),
        checked1("int8inc", |a: i64| a.overflowing_add(1), bigint_out_of_range),
        checked1("int8dec", |a: i64| a.overflowing_sub(1), bigint_out_of_range),
    ]);
}

/// Bit operations. A shift counts modulo the width the hardware shifts in, as it does in PostgreSQL.
macro_rules! bits_of {
    ($functions:ident, $ty:ty, $prefix:literal) => {
        $functions.extend([
            kernel2(concat!($prefix, "and"), |a: $ty, b: $ty| a & b),
            kernel2(concat!($prefix, "or"), |a: $ty, b: $ty| a | b),
            kernel2(concat!($prefix, "xor"), |a: $ty, b: $ty| a ^ b),
            kernel1(concat!($prefix, "not"), |a: $ty| !a),
        ]);
    };
}

fn bits(functions: &mut Vec<Function>) {
    bits_of!(functions, i16, "int2");
    bits_of!(functions, i32, "int4");
    bits_of!(functions, i64, "int8");
    functions.extend([
        // A smallint is shifted as an integer and cut back.
        kernel2("int2shl", |a: i16, b: i32| (a as i32).wrapping_shl(b as u32) as i16),
        kernel2("int2shr", |a: i16, b: i32| (a as i32).wrapping_shr(b as u32) as i16),
        kernel2("int4shl", |a: i32, b: i32| a.wrapping_shl(b as u32)),
        kernel2("int4shr", |a: i32, b: i32| a.wrapping_shr(b as u32)),
        kernel2("int8shl", |a: i64, b: i32| a.wrapping_shl(b as u32)),
        kernel2("int8shr", |a: i64, b: i32| a.wrapping_shr(b as u32)),
    ]);
}

fn divisors(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("int4gcd", |a: i32, b: i32| i32::try_from(gcd(a as i128, b as i128)).map_err(|_| integer_out_of_range())),
        strict!("int8gcd", |a: i64, b: i64| i64::try_from(gcd(a as i128, b as i128)).map_err(|_| bigint_out_of_range())),
        strict!("int4lcm", |a: i32, b: i32| i32::try_from(lcm(a as i128, b as i128)).map_err(|_| integer_out_of_range())),
        strict!("int8lcm", |a: i64, b: i64| i64::try_from(lcm(a as i128, b as i128)).map_err(|_| bigint_out_of_range())),
    ]);
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs()
}

/// Of two 64-bit values, so that the product fits.
fn lcm(a: i128, b: i128) -> i128 {
    if a == 0 || b == 0 { 0 } else { (a / gcd(a, b) * b).abs() }
}
