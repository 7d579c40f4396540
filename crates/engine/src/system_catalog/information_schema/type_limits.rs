//! Lengths and precisions of types with their modifiers, as the standard counts them.

use catalog::type_names::{Names, modifiers};
use types::{Oid, SqlType};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TypeLimits {
    pub characters: Option<i32>,
    pub octets: Option<i32>,
    pub precision: Option<i32>,
    pub radix: Option<i32>,
    pub scale: Option<i32>,
    /// Digits after the decimal point of seconds.
    pub fractional_seconds: Option<i32>,
}

const MOST_OCTETS: i32 = 1 << 30;
const OCTETS_OF_A_CHARACTER: i32 = 4;
const HEADER: i32 = 4;
const ALL_FRACTIONAL_DIGITS: i32 = 6;
const FULL_INTERVAL_PRECISION: i32 = 0xFFFF;

impl TypeLimits {
    pub(super) fn of(ty: SqlType) -> TypeLimits {
        let none = TypeLimits::default();
        let number = |bits| TypeLimits { precision: Some(bits), radix: Some(2), ..none };
        let integer = |bits| TypeLimits { scale: Some(0), ..number(bits) };
        match (ty.oid, ty.typmod) {
            (Oid::VARCHAR | Oid::BPCHAR, HEADER..) => {
                let length = ty.typmod - HEADER;
                TypeLimits { characters: Some(length), octets: Some(length.saturating_mul(OCTETS_OF_A_CHARACTER)), ..none }
            }
            (Oid::TEXT | Oid::VARCHAR | Oid::BPCHAR, _) => TypeLimits { octets: Some(MOST_OCTETS), ..none },
            (Oid::BIT | Oid::VARBIT, 0..) => TypeLimits { characters: Some(ty.typmod), ..none },
            (Oid::INT2, _) => integer(16),
            (Oid::INT4, _) => integer(32),
            (Oid::INT8, _) => integer(64),
            (Oid::FLOAT4, _) => number(24),
            (Oid::FLOAT8, _) => number(53),
            (Oid::NUMERIC, HEADER..) => {
                let (precision, scale) = modifiers::numeric_precision_and_scale(ty.typmod);
                TypeLimits { precision: Some(precision), radix: Some(10), scale: Some(scale), ..none }
            }
            (Oid::NUMERIC, _) => TypeLimits { radix: Some(10), ..none },
            (Oid::DATE, _) => TypeLimits { fractional_seconds: Some(0), ..none },
            (Oid::TIME | Oid::TIMETZ | Oid::TIMESTAMP | Oid::TIMESTAMPTZ, typmod) => {
                TypeLimits { fractional_seconds: Some(if typmod < 0 { ALL_FRACTIONAL_DIGITS } else { typmod }), ..none }
            }
            (Oid::INTERVAL, typmod) => {
                let digits = match typmod & FULL_INTERVAL_PRECISION {
                    FULL_INTERVAL_PRECISION => ALL_FRACTIONAL_DIGITS,
                    _ if typmod < 0 => ALL_FRACTIONAL_DIGITS,
                    digits => digits,
                };
                TypeLimits { fractional_seconds: Some(digits), ..none }
            }
            _ => none,
        }
    }
}

/// The fields that an interval type is restricted to, in capitals.
pub(super) fn interval_fields(names: &Names, ty: SqlType) -> Option<String> {
    if ty.oid != Oid::INTERVAL {
        return None;
    }
    let printed = names.format_type(ty);
    let fields = printed.trim_start_matches("interval").split('(').next().unwrap_or_default().trim();
    (!fields.is_empty()).then(|| fields.to_ascii_uppercase())
}
