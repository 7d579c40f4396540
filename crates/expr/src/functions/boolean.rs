//! boolean: comparison and the functions behind bool_and and bool_or.

use super::{
    Function,
    kernel::{kernel1, kernel2},
};

pub fn functions() -> Vec<Function> {
    vec![
        kernel2("booleq", |a: bool, b: bool| a == b),
        kernel2("boolne", |a: bool, b: bool| a != b),
        kernel2("boollt", |a: bool, b: bool| !a & b),
        kernel2("boolle", |a: bool, b: bool| a <= b),
        kernel2("boolgt", |a: bool, b: bool| a & !b),
        kernel2("boolge", |a: bool, b: bool| a >= b),
        kernel2("btboolcmp", |a: bool, b: bool| a as i32 - b as i32),
        kernel2("booland_statefunc", |a: bool, b: bool| a && b),
        kernel2("boolor_statefunc", |a: bool, b: bool| a || b),
        kernel1("bool_int4", |a: bool| a as i32),
        kernel1("int4_bool", |a: i32| a != 0),
    ]
}
