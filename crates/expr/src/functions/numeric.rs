//! numeric: comparison, arithmetic and mathematics. The values do the work; here they meet their names.

use std::cmp::Ordering;

use types::{Error, Numeric, Result, SqlState};

use super::{
    Function,
    lift::{rows, strict},
};

pub fn functions() -> Vec<Function> {
    let mut functions = comparisons();
    functions.extend(arithmetic());
    functions.extend(mathematics());
    functions
}

fn comparisons() -> Vec<Function> {
    vec![
        strict!("numeric_eq", |a: Numeric, b: Numeric| a == b),
        strict!("numeric_ne", |a: Numeric, b: Numeric| a != b),
        strict!("numeric_lt", |a: Numeric, b: Numeric| a < b),
        strict!("numeric_le", |a: Numeric, b: Numeric| a <= b),
        strict!("numeric_gt", |a: Numeric, b: Numeric| a > b),
        strict!("numeric_ge", |a: Numeric, b: Numeric| a >= b),
        strict!("numeric_cmp", |a: Numeric, b: Numeric| a.cmp(b) as i32),
        strict!("numeric_larger", |a: Numeric, b: Numeric| if a.cmp(b) == Ordering::Greater { a } else { b }.clone()),
        strict!("numeric_smaller", |a: Numeric, b: Numeric| if a.cmp(b) == Ordering::Less { a } else { b }.clone()),
    ]
}

fn arithmetic() -> Vec<Function> {
    vec![
        strict!("numeric_add", |a: Numeric, b: Numeric| a.add(b)),
        strict!("numeric_sub", |a: Numeric, b: Numeric| a.sub(b)),
        strict!("numeric_mul", |a: Numeric, b: Numeric| a.mul(b)),
        strict!("numeric_div", |a: Numeric, b: Numeric| a.div(b)),
        strict!("numeric_div_trunc", |a: Numeric, b: Numeric| a.div_trunc(b)),
        strict!("numeric_mod", |a: Numeric, b: Numeric| a.rem(b)),
        strict!("numeric_inc", |a: Numeric| a.add(&Numeric::ONE)),
        strict!("numeric_uminus", |a: Numeric| a.neg()),
        strict!("numeric_uplus", |a: Numeric| a.clone()),
        strict!("numeric_abs", |a: Numeric| a.abs()),
        strict!("numeric_sign", |a: Numeric| a.sign()),
        strict!("numeric_round", |a: Numeric, scale: i32| a.round(scale)),
        strict!("round", |a: Numeric| a.round(0)),
        strict!("numeric_trunc", |a: Numeric, scale: i32| a.trunc(scale)),
        strict!("trunc", |a: Numeric| a.trunc(0)),
        strict!("numeric_ceil", |a: Numeric| a.ceil()),
        strict!("numeric_floor", |a: Numeric| a.floor()),
        strict!("numeric_scale", |a: Numeric| a.scale().map(|scale| scale as i32)),
        strict!("numeric_min_scale", |a: Numeric| a.min_scale().map(|scale| scale as i32)),
        strict!("numeric_trim_scale", |a: Numeric| a.trim_scale()),
        strict!("numeric_gcd", |a: Numeric, b: Numeric| a.gcd(b)),
        strict!("numeric_lcm", |a: Numeric, b: Numeric| a.lcm(b)),
        strict!("numeric_fac", |a: i64| Numeric::factorial(a)),
        // Length coercion: the modifier packs precision and scale.
        strict!("numeric", |a: Numeric, typmod: i32| -> Result<Numeric> {
            match Numeric::typmod_parts(typmod) {
                Some((precision, scale)) => a.apply_typmod(precision, scale),
                None => Ok(a.clone()),
            }
        }),
    ]
}

fn mathematics() -> Vec<Function> {
    vec![
        strict!("numeric_sqrt", |a: Numeric| a.sqrt()),
        strict!("numeric_exp", |a: Numeric| a.exp()),
        strict!("numeric_ln", |a: Numeric| a.ln()),
        strict!("numeric_log", |base: Numeric, a: Numeric| Numeric::log(base, a)),
        strict!("log", |a: Numeric| Numeric::log(&Numeric::from(10_i64), a)),
        strict!("log10", |a: Numeric| Numeric::log(&Numeric::from(10_i64), a)),
        strict!("numeric_power", |a: Numeric, b: Numeric| a.power(b)),
        strict!("width_bucket_numeric", |a: Numeric, low: Numeric, high: Numeric, count: i32| Numeric::width_bucket(
            a, low, high, count
        )),
        rows("width_bucket_array", |cx, row| -> Result<i32> {
            let thresholds = cx.get::<&types::Array>(1, row);
            if thresholds.dimensions.len() > 1 {
                return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "thresholds must be one-dimensional array"));
            }
            if thresholds.elements.iter().any(types::Datum::is_null) {
                return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "thresholds array must not contain NULLs"));
            }
            let operand = cx.datum(0, row);
            let ty = thresholds.element_type.oid;
            let below = thresholds.elements.partition_point(|bound| super::compare::compare_datums(bound, &operand, ty).is_le());
            Ok(below as i32)
        }),
    ]
}
