//! to_char of numbers and to_number; what they compute is in `types::numeric_format`.

use types::Numeric;
use types::numeric_format::{float4_to_char, float8_to_char, int4_to_char, int8_to_char, numeric_to_char, to_number};

use super::{Function, lift::strict};

pub fn functions() -> Vec<Function> {
    vec![
        strict!("numeric_to_char", |value: Numeric, template: &str| numeric_to_char(value, template)),
        strict!("int4_to_char", |value: i32, template: &str| int4_to_char(value, template)),
        strict!("int8_to_char", |value: i64, template: &str| int8_to_char(value, template)),
        strict!("float4_to_char", |value: f32, template: &str| float4_to_char(value, template)),
        strict!("float8_to_char", |value: f64, template: &str| float8_to_char(value, template)),
        strict!("numeric_to_number", |text: &str, template: &str| to_number(text, template)),
    ]
}
