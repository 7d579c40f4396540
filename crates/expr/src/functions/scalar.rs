//! oid, xid, uuid, enum and money: comparison and the few functions each has.

use std::sync::Arc;

use catalog::UserTypeKind;
use types::{Array, Datum, EnumLabel, Error, Numeric, Oid, Result, SqlState, SqlType, unsigned};

use super::{
    Function,
    kernel::{checked1, checked2, kernel2},
    lift::{Arguments, rows, strict},
};

pub fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    oids(&mut functions);
    unsigned_integers(&mut functions);
    uuids(&mut functions);
    enums(&mut functions);
    money(&mut functions);
    functions
}

fn oids(functions: &mut Vec<Function>) {
    functions.extend([
        kernel2("oideq", |a: Oid, b: Oid| a == b),
        kernel2("oidne", |a: Oid, b: Oid| a != b),
        kernel2("oidlt", |a: Oid, b: Oid| a < b),
        kernel2("oidle", |a: Oid, b: Oid| a <= b),
        kernel2("oidgt", |a: Oid, b: Oid| a > b),
        kernel2("oidge", |a: Oid, b: Oid| a >= b),
        kernel2("btoidcmp", |a: Oid, b: Oid| a.cmp(&b) as i32),
        kernel2("oidlarger", |a: Oid, b: Oid| a.max(b)),
        kernel2("oidsmaller", |a: Oid, b: Oid| a.min(b)),
        kernel2("cideq", |a: Oid, b: Oid| a == b),
        // Also the comparison of an xid with an integer.
        rows("xideq", |cx, row| number(cx, 0, row) == number(cx, 1, row)),
        rows("xidneq", |cx, row| number(cx, 0, row) != number(cx, 1, row)),
        strict!("xid8toxid", |a: i64| Oid(unsigned::of_stored(a) as u32)),
    ]);
}

fn number(cx: &Arguments<'_>, argument: usize, row: usize) -> u32 {
    match cx.datum(argument, row) {
        Datum::Oid(value) => value.0,
        Datum::Int4(value) => value as u32,
        _ => 0,
    }
}

/// xid8 and pg_lsn, whose stored integers have the order of the values.
fn unsigned_integers(functions: &mut Vec<Function>) {
    for [eq, ne, lt, le, gt, ge, cmp, larger, smaller] in [
        ["xid8eq", "xid8ne", "xid8lt", "xid8le", "xid8gt", "xid8ge", "xid8cmp", "xid8_larger", "xid8_smaller"],
        [
            "pg_lsn_eq",
            "pg_lsn_ne",
            "pg_lsn_lt",
            "pg_lsn_le",
            "pg_lsn_gt",
            "pg_lsn_ge",
            "pg_lsn_cmp",
            "pg_lsn_larger",
            "pg_lsn_smaller",
        ],
    ] {
        functions.extend([
            kernel2(eq, |a: i64, b: i64| a == b),
            kernel2(ne, |a: i64, b: i64| a != b),
            kernel2(lt, |a: i64, b: i64| a < b),
            kernel2(le, |a: i64, b: i64| a <= b),
            kernel2(gt, |a: i64, b: i64| a > b),
            kernel2(ge, |a: i64, b: i64| a >= b),
            kernel2(cmp, |a: i64, b: i64| a.cmp(&b) as i32),
            kernel2(larger, |a: i64, b: i64| a.max(b)),
            kernel2(smaller, |a: i64, b: i64| a.min(b)),
        ]);
    }
    functions.extend([
        strict!("pg_lsn_mi", |a: i64, b: i64| unsigned_numeric(a)?.sub(&unsigned_numeric(b)?)),
        strict!("pg_lsn_pli", |a: i64, b: Numeric| moved_position(a, b, "add NaN to", Numeric::add)),
        strict!("numeric_pl_pg_lsn", |a: Numeric, b: i64| moved_position(b, a, "add NaN to", Numeric::add)),
        strict!("pg_lsn_mii", |a: i64, b: Numeric| moved_position(a, b, "subtract NaN from", Numeric::sub)),
        strict!("numeric_pg_lsn", |a: Numeric| position_of(a)),
    ]);
}

fn unsigned_numeric(stored: i64) -> Result<Numeric> {
    Numeric::parse(&unsigned::of_stored(stored).to_string())
}

/// A log position moved by a number of bytes.
fn moved_position(
    stored: i64,
    bytes: &Numeric,
    refusal: &str,
    moved: impl Fn(&Numeric, &Numeric) -> Result<Numeric>,
) -> Result<i64> {
    if bytes.is_nan() {
        let message = format!("cannot {refusal} pg_lsn");
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    position_of(&moved(&unsigned_numeric(stored)?, bytes)?)
}

fn position_of(value: &Numeric) -> Result<i64> {
    if value.is_nan() || value.is_infinite() {
        let what = if value.is_nan() { "NaN" } else { "infinity" };
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("cannot convert {what} to pg_lsn")));
    }
    let whole = value.round(0)?.to_string();
    let out_of_range = || Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "pg_lsn out of range");
    whole.parse().map(unsigned::to_stored).map_err(|_| out_of_range())
}

fn uuids(functions: &mut Vec<Function>) {
    functions.extend([
        kernel2("uuid_eq", |a: [u8; 16], b: [u8; 16]| a == b),
        kernel2("uuid_ne", |a: [u8; 16], b: [u8; 16]| a != b),
        kernel2("uuid_lt", |a: [u8; 16], b: [u8; 16]| a < b),
        kernel2("uuid_le", |a: [u8; 16], b: [u8; 16]| a <= b),
        kernel2("uuid_gt", |a: [u8; 16], b: [u8; 16]| a > b),
        kernel2("uuid_ge", |a: [u8; 16], b: [u8; 16]| a >= b),
        kernel2("uuid_cmp", |a: [u8; 16], b: [u8; 16]| a.cmp(&b) as i32),
        strict!("gen_random_uuid", || uuid::Uuid::new_v4().into_bytes()),
    ]);
}

fn order(a: &EnumLabel, b: &EnumLabel) -> std::cmp::Ordering {
    a.sort_order.total_cmp(&b.sort_order)
}

fn enums(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("enum_eq", |a: &EnumLabel, b: &EnumLabel| a.label_oid == b.label_oid),
        strict!("enum_ne", |a: &EnumLabel, b: &EnumLabel| a.label_oid != b.label_oid),
        strict!("enum_lt", |a: &EnumLabel, b: &EnumLabel| order(a, b).is_lt()),
        strict!("enum_le", |a: &EnumLabel, b: &EnumLabel| order(a, b).is_le()),
        strict!("enum_gt", |a: &EnumLabel, b: &EnumLabel| order(a, b).is_gt()),
        strict!("enum_ge", |a: &EnumLabel, b: &EnumLabel| order(a, b).is_ge()),
        strict!("enum_cmp", |a: &EnumLabel, b: &EnumLabel| order(a, b) as i32),
        strict!("enum_larger", |a: &EnumLabel, b: &EnumLabel| Arc::clone(if order(a, b).is_ge() { a } else { b })),
        strict!("enum_smaller", |a: &EnumLabel, b: &EnumLabel| Arc::clone(if order(a, b).is_le() { a } else { b })),
        rows("enum_first", |cx, _row| -> Result<Option<Arc<EnumLabel>>> { Ok(labels(cx)?.first().cloned()) }),
        rows("enum_last", |cx, _row| -> Result<Option<Arc<EnumLabel>>> { Ok(labels(cx)?.last().cloned()) }),
        rows("enum_range_all", |cx, _row| -> Result<Array> { range(cx, None, None) }),
        rows("enum_range_bounds", |cx, row| -> Result<Array> {
            range(cx, cx.get::<Option<&EnumLabel>>(0, row).cloned(), cx.get::<Option<&EnumLabel>>(1, row).cloned())
        }),
    ]);
}

/// The labels of the enum type that the call's first argument is declared of, in order.
fn labels(cx: &Arguments<'_>) -> Result<Vec<Arc<EnumLabel>>> {
    let found = cx.site.argument_types.iter().find_map(|ty| match &cx.context.catalog.user_type(ty.oid)?.kind {
        UserTypeKind::Enum(definition) => Some(definition.labels.clone()),
        _ => None,
    });
    let mut labels = found.ok_or_else(|| Error::new(SqlState::FEATURE_NOT_SUPPORTED, "could not determine actual enum type"))?;
    labels.sort_by(|a, b| order(a, b));
    Ok(labels)
}

fn range(cx: &Arguments<'_>, from: Option<Arc<EnumLabel>>, to: Option<Arc<EnumLabel>>) -> Result<Array> {
    let element = cx.site.argument_types.first().map_or(SqlType::of(Oid::ANYENUM), |ty| *ty);
    let within = |label: &Arc<EnumLabel>| {
        from.as_ref().is_none_or(|from| order(label, from).is_ge()) && to.as_ref().is_none_or(|to| order(label, to).is_le())
    };
    let elements = labels(cx)?.into_iter().filter(within).map(Datum::Enum).collect();
    Ok(Array::one_dimensional(element, elements))
}

fn money_out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "money out of range")
}

/// Money is a bigint of hundredths.
fn money(functions: &mut Vec<Function>) {
    functions.extend([
        kernel2("cash_eq", |a: i64, b: i64| a == b),
        kernel2("cash_ne", |a: i64, b: i64| a != b),
        kernel2("cash_lt", |a: i64, b: i64| a < b),
        kernel2("cash_le", |a: i64, b: i64| a <= b),
        kernel2("cash_gt", |a: i64, b: i64| a > b),
        kernel2("cash_ge", |a: i64, b: i64| a >= b),
        kernel2("cash_cmp", |a: i64, b: i64| a.cmp(&b) as i32),
        kernel2("cashlarger", |a: i64, b: i64| a.max(b)),
        kernel2("cashsmaller", |a: i64, b: i64| a.min(b)),
        checked2("cash_pl", |a: i64, b: i64| a.overflowing_add(b), money_out_of_range),
        checked2("cash_mi", |a: i64, b: i64| a.overflowing_sub(b), money_out_of_range),
        checked2("cash_mul_int8", |a: i64, b: i64| a.overflowing_mul(b), money_out_of_range),
        checked2("cash_mul_int4", |a: i64, b: i32| a.overflowing_mul(b as i64), money_out_of_range),
        checked2("cash_mul_int2", |a: i64, b: i16| a.overflowing_mul(b as i64), money_out_of_range),
        checked2("int8_mul_cash", |a: i64, b: i64| a.overflowing_mul(b), money_out_of_range),
        checked2("int4_mul_cash", |a: i32, b: i64| (a as i64).overflowing_mul(b), money_out_of_range),
        checked2("int2_mul_cash", |a: i16, b: i64| (a as i64).overflowing_mul(b), money_out_of_range),
        strict!("cash_mul_flt8", |a: i64, b: f64| product(a, b)),
        strict!("flt8_mul_cash", |a: f64, b: i64| product(b, a)),
        strict!("cash_mul_flt4", |a: i64, b: f32| product(a, b as f64)),
        strict!("flt4_mul_cash", |a: f32, b: i64| product(b, a as f64)),
        strict!("cash_div_int8", |a: i64, b: i64| divide(a, b)),
        strict!("cash_div_int4", |a: i64, b: i32| divide(a, b as i64)),
        strict!("cash_div_int2", |a: i64, b: i16| divide(a, b as i64)),
        strict!("cash_div_flt8", |a: i64, b: f64| if b == 0.0 {
            Err(super::integer::division_by_zero())
        } else {
            quotient(a, b)
        }),
        strict!("cash_div_flt4", |a: i64, b: f32| if b == 0.0 {
            Err(super::integer::division_by_zero())
        } else {
            quotient(a, b as f64)
        }),
        strict!("cash_div_cash", |a: i64, b: i64| if b == 0 {
            Err(super::integer::division_by_zero())
        } else {
            Ok(a as f64 / b as f64)
        }),
        checked1("int8_cash", |a: i64| a.overflowing_mul(100), super::integer::bigint_out_of_range),
        checked1("int4_cash", |a: i32| (a as i64).overflowing_mul(100), money_out_of_range),
        strict!("cash_numeric", |a: i64| Numeric::from_parts(a, 2)),
        strict!("numeric_cash", |a: Numeric| a.mul(&types::Numeric::from(100_i64))?.to_i64()),
    ]);
}

fn divide(a: i64, b: i64) -> Result<i64> {
    if b == 0 { Err(super::integer::division_by_zero()) } else { a.checked_div(b).ok_or_else(money_out_of_range) }
}

/// Money times a number.
fn product(a: i64, b: f64) -> Result<i64> {
    finite(a as f64 * b, b.is_infinite())
}

/// Money divided by a number that is not 0.
fn quotient(a: i64, b: f64) -> Result<i64> {
    finite(a as f64 / b, b.is_infinite())
}

/// Arithmetic of floats overflows unless one of them is infinite already.
fn finite(value: f64, given_infinity: bool) -> Result<i64> {
    if value.is_infinite() && !given_infinity { Err(super::float::overflow()) } else { hundredths(value) }
}

fn hundredths(value: f64) -> Result<i64> {
    let rounded = value.round_ties_even();
    if rounded.is_nan() || !(-9223372036854775808.0..9223372036854775808.0).contains(&rounded) {
        return Err(money_out_of_range());
    }
    Ok(rounded as i64)
}
