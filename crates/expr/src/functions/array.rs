//! Functions and operators of arrays and of row values.

use std::{cmp::Ordering, sync::Arc};

use types::{Array, Datum, Error, Oid, Record, Result, SqlState, SqlType, array::Dimension, text_format::datum_to_text};

use super::{
    Arguments, Function,
    compare::compare_datums,
    lift::{rows, strict},
    room::Growth,
};

pub fn functions() -> Vec<Function> {
    let mut functions = comparisons();
    functions.extend(records());
    functions.extend(shape());
    functions.extend(building());
    functions.extend(searching());
    functions.extend(text());
    functions
}

impl Arguments<'_> {
    /// The element type of an array type; of the result when `None`.
    pub fn element_type(&self, argument: Option<usize>) -> SqlType {
        let ty = argument.and_then(|at| self.site.argument_types.get(at)).copied().unwrap_or(self.site.ty);
        self.context.resolver.array_element(ty.oid).unwrap_or(SqlType::TEXT)
    }
}

fn compare(a: &Arc<Array>, b: &Arc<Array>) -> Result<Ordering> {
    check_element_types(a, b)?;
    Ok(compare_datums(&Datum::Array(Arc::clone(a)), &Datum::Array(Arc::clone(b)), Oid::ANYARRAY))
}

fn check_element_types(a: &Array, b: &Array) -> Result<()> {
    if a.element_type.oid == b.element_type.oid || a.element_type.physical == b.element_type.physical {
        return Ok(());
    }
    Err(Error::new(SqlState::DATATYPE_MISMATCH, "cannot compare arrays of different element types"))
}

fn comparisons() -> Vec<Function> {
    vec![
        strict!("array_eq", |a: &Array, b: &Array| compare(a, b).map(Ordering::is_eq)),
        strict!("array_ne", |a: &Array, b: &Array| compare(a, b).map(Ordering::is_ne)),
        strict!("array_lt", |a: &Array, b: &Array| compare(a, b).map(Ordering::is_lt)),
        strict!("array_le", |a: &Array, b: &Array| compare(a, b).map(Ordering::is_le)),
        strict!("array_gt", |a: &Array, b: &Array| compare(a, b).map(Ordering::is_gt)),
        strict!("array_ge", |a: &Array, b: &Array| compare(a, b).map(Ordering::is_ge)),
        strict!("btarraycmp", |a: &Array, b: &Array| compare(a, b).map(|order| order as i32)),
        strict!("array_larger", |a: &Array, b: &Array| compare(a, b).map(|order| Arc::clone(if order.is_gt() { a } else { b }))),
        strict!("array_smaller", |a: &Array, b: &Array| compare(a, b).map(|order| Arc::clone(if order.is_lt() { a } else { b }))),
        strict!("arraycontains", |a: &Array, b: &Array| contains_all(a, b)),
        strict!("arraycontained", |a: &Array, b: &Array| contains_all(b, a)),
        strict!("arrayoverlap", |a: &Array, b: &Array| -> Result<bool> {
            check_element_types(a, b)?;
            Ok(b.elements.iter().any(|element| contains(a, element)))
        }),
    ]
}

/// Whether an element equals this one; NULL equals nothing.
fn contains(array: &Array, wanted: &Datum) -> bool {
    let ty = array.element_type.oid;
    !wanted.is_null() && array.elements.iter().any(|element| !element.is_null() && compare_datums(element, wanted, ty).is_eq())
}

fn contains_all(a: &Array, b: &Array) -> Result<bool> {
    check_element_types(a, b)?;
    Ok(b.elements.iter().all(|element| contains(a, element)))
}

fn compare_records(a: &Record, b: &Record) -> Result<Ordering> {
    for (at, (left, right)) in a.field_types.iter().zip(b.field_types.iter()).enumerate() {
        if left.physical != right.physical {
            let name = |ty: &SqlType| catalog::builtin::builtins().type_by_oid(ty.oid).map_or("another type", |ty| ty.name);
            let message = format!(
                "cannot compare dissimilar column types {} and {} at record column {}",
                sql_name(name(left)),
                sql_name(name(right)),
                at + 1
            );
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message));
        }
        let order = compare_datums(a.fields.get(at).unwrap_or(&Datum::Null), b.fields.get(at).unwrap_or(&Datum::Null), left.oid);
        if order.is_ne() {
            return Ok(order);
        }
    }
    if a.fields.len() != b.fields.len() {
        let message = "cannot compare record types with different numbers of columns";
        return Err(Error::new(SqlState::DATATYPE_MISMATCH, message));
    }
    Ok(Ordering::Equal)
}

/// The name SQL uses for a type whose catalog name differs.
fn sql_name(name: &str) -> &str {
    match name {
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "bool" => "boolean",
        "varchar" => "character varying",
        "bpchar" => "character",
        other => other,
    }
}

fn records() -> Vec<Function> {
    vec![
        strict!("record_eq", |a: &Record, b: &Record| compare_records(a, b).map(Ordering::is_eq)),
        strict!("record_ne", |a: &Record, b: &Record| compare_records(a, b).map(Ordering::is_ne)),
        strict!("record_lt", |a: &Record, b: &Record| compare_records(a, b).map(Ordering::is_lt)),
        strict!("record_le", |a: &Record, b: &Record| compare_records(a, b).map(Ordering::is_le)),
        strict!("record_gt", |a: &Record, b: &Record| compare_records(a, b).map(Ordering::is_gt)),
        strict!("record_ge", |a: &Record, b: &Record| compare_records(a, b).map(Ordering::is_ge)),
        strict!("btrecordcmp", |a: &Record, b: &Record| compare_records(a, b).map(|order| order as i32)),
    ]
}

/// A dimension of an array, counted from 1.
fn dimension(array: &Array, number: i32) -> Option<&Dimension> {
    array.dimensions.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

fn shape() -> Vec<Function> {
    vec![
        strict!("array_ndims", |a: &Array| (!a.dimensions.is_empty()).then_some(a.dimensions.len() as i32)),
        strict!("array_dims", |a: &Array| {
            let dims: String = a
                .dimensions
                .iter()
                .map(|d| format!("[{}:{}]", d.lower_bound, d.lower_bound as i64 + d.length as i64 - 1))
                .collect();
            (!dims.is_empty()).then_some(dims)
        }),
        strict!("array_lower", |a: &Array, number: i32| dimension(a, number).map(|d| d.lower_bound)),
        strict!("array_upper", |a: &Array, number: i32| dimension(a, number)
            .map(|d| (d.lower_bound as i64 + d.length as i64 - 1) as i32)),
        strict!("array_length", |a: &Array, number: i32| dimension(a, number).map(|d| d.length)),
        strict!("array_cardinality", |a: &Array| a.elements.len() as i32),
        strict!("trim_array", |a: &Array, count: i32| trim(a, count)),
    ]
}

fn trim(array: &Array, count: i32) -> Result<Array> {
    let length = array.dimensions.first().map_or(0, |d| d.length);
    if count < 0 || count > length {
        let message = format!("number of elements to trim must be between 0 and {length}");
        return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    }
    if length == count {
        return Ok(Array::one_dimensional(array.element_type, Vec::new()));
    }
    let mut trimmed = array.clone();
    let slice = array.elements.len() / length as usize;
    trimmed.elements.truncate(slice * (length - count) as usize);
    trimmed.dimensions[0].length -= count;
    trimmed.dimensions.iter_mut().for_each(|d| d.lower_bound = 1);
    Ok(trimmed)
}

fn building() -> Vec<Function> {
    vec![
        rows("array_append", |cx, row| append(cx, row, 0, 1, true)),
        rows("array_prepend", |cx, row| append(cx, row, 1, 0, false)),
        rows("array_cat", |cx, row| -> Result<Option<Arc<Array>>> {
            match (cx.get::<Option<&Array>>(0, row), cx.get::<Option<&Array>>(1, row)) {
                (None, None) => Ok(None),
                (Some(one), None) | (None, Some(one)) => Ok(Some(Arc::clone(one))),
                (Some(a), Some(b)) => a.concat(b).map(|joined| Some(Arc::new(joined))),
            }
        }),
        rows("array_fill", fill),
        rows("array_fill_with_lower_bounds", fill),
        rows("array_remove", |cx, row| replace(cx, row, None)),
        rows("array_replace", |cx, row| replace(cx, row, Some(cx.datum(2, row)))),
    ]
}

fn append(cx: &Arguments<'_>, row: usize, array: usize, element: usize, at_end: bool) -> Result<Array> {
    let value = cx.datum(element, row);
    let empty;
    let array = match cx.get::<Option<&Array>>(array, row) {
        Some(array) => &**array,
        None => {
            empty = Array::empty(cx.element_type(None));
            &empty
        }
    };
    if at_end { array.append(value) } else { array.prepend(value) }
}

fn fill(cx: &Arguments<'_>, row: usize) -> Result<Array> {
    let null = |message: &str| Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
    let Some(lengths) = cx.get::<Option<&Array>>(1, row) else {
        return null("dimension array or low bound array cannot be null");
    };
    let bounds = if cx.count() > 2 { cx.get::<Option<&Array>>(2, row) } else { None };
    if cx.count() > 2 && bounds.is_none() {
        return null("dimension array or low bound array cannot be null");
    }
    let wrong = |message: &str| Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message);
    if lengths.dimensions.len() > 1 || bounds.is_some_and(|bounds| bounds.dimensions.len() > 1) {
        return Err(wrong("wrong number of array subscripts").detail("Dimension array must be one dimensional."));
    }
    if lengths.elements.iter().chain(bounds.iter().flat_map(|bounds| &bounds.elements)).any(Datum::is_null) {
        return null("dimension values cannot be null");
    }
    if lengths.elements.len() > 6 {
        let message = format!("number of dimensions ({}) exceeds the maximum allowed (6)", lengths.elements.len());
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    if bounds.is_some_and(|bounds| bounds.elements.len() != lengths.elements.len()) {
        return Err(wrong("wrong number of array subscripts").detail("Low bound array has different size than dimensions array."));
    }
    let mut dimensions = Vec::with_capacity(lengths.elements.len());
    for (at, length) in lengths.elements.iter().enumerate() {
        let Datum::Int4(length) = length else { return null("dimension values cannot be null") };
        let lower_bound = match bounds.map(|bounds| &bounds.elements[at]) {
            None => 1,
            Some(Datum::Int4(bound)) => *bound,
            Some(_) => return null("dimension values cannot be null"),
        };
        dimensions.push(Dimension { length: *length, lower_bound });
    }
    let count =
        dimensions.iter().fold(1_usize, |count, length| count.saturating_mul(usize::try_from(length.length).unwrap_or(0)));
    cx.check_memory(count.saturating_mul(size_of::<Datum>()))?;
    Array::filled(cx.element_type(None), &cx.datum(0, row), dimensions)
}

/// Elements that equal the second argument replaced, or removed when there is no replacement. NULL equals NULL here.
fn replace(cx: &Arguments<'_>, row: usize, replacement: Option<Datum>) -> Result<Option<Array>> {
    let Some(array) = cx.get::<Option<&Array>>(0, row) else { return Ok(None) };
    let wanted = cx.datum(1, row);
    let ty = array.element_type.oid;
    let same = |element: &Datum| compare_datums(element, &wanted, ty).is_eq();
    if let Some(replacement) = replacement {
        let mut replaced = (**array).clone();
        replaced.elements.iter_mut().filter(|element| same(element)).for_each(|element| *element = replacement.clone());
        return Ok(Some(replaced));
    }
    if array.dimensions.len() > 1 {
        return Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "removing elements from multidimensional arrays is not supported",
        ));
    }
    let mut kept = (**array).clone();
    kept.elements.retain(|element| !same(element));
    match kept.elements.len() {
        0 => kept.dimensions.clear(),
        length => kept.dimensions[0].length = length as i32,
    }
    Ok(Some(kept))
}

fn searching() -> Vec<Function> {
    vec![
        rows("array_position", |cx, row| -> Result<Option<i32>> {
            Ok(positions(cx, row, None)?.and_then(|found| found.first().copied()))
        }),
        rows("array_position_start", |cx, row| -> Result<Option<i32>> {
            if cx.get::<Option<&Array>>(0, row).is_none_or(|array| array.elements.is_empty()) {
                return Ok(None);
            }
            let Some(start) = cx.get::<Option<i32>>(2, row) else {
                return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "initial position must not be null"));
            };
            Ok(positions(cx, row, Some(start))?.and_then(|found| found.first().copied()))
        }),
        rows("array_positions", |cx, row| -> Result<Option<Array>> {
            let found = positions(cx, row, None)?;
            Ok(found.map(|found| Array::one_dimensional(SqlType::INT4, found.into_iter().map(Datum::Int4).collect())))
        }),
    ]
}

/// Subscripts of the elements that equal the second argument, from `start` on; NULL equals NULL.
fn positions(cx: &Arguments<'_>, row: usize, start: Option<i32>) -> Result<Option<Vec<i32>>> {
    let Some(array) = cx.get::<Option<&Array>>(0, row) else { return Ok(None) };
    if array.dimensions.len() > 1 {
        return Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "searching for elements in multidimensional arrays is not supported",
        ));
    }
    let wanted = cx.datum(1, row);
    let lower = array.dimensions.first().map_or(1, |d| d.lower_bound);
    let ty = array.element_type.oid;
    Ok(Some(
        array
            .elements
            .iter()
            .enumerate()
            .map(|(at, element)| (lower.saturating_add(at as i32), element))
            .filter(|(subscript, element)| {
                start.is_none_or(|start| *subscript >= start) && compare_datums(element, &wanted, ty).is_eq()
            })
            .map(|(subscript, _)| subscript)
            .collect(),
    ))
}

fn text() -> Vec<Function> {
    vec![
        rows("array_to_text", join),
        rows("array_to_text_null", join),
        rows("text_to_array", |cx, row| split(cx, row).map(|parts| Array::one_dimensional(SqlType::TEXT, parts))),
        rows("text_to_array_null", |cx, row| split(cx, row).map(|parts| Array::one_dimensional(SqlType::TEXT, parts))),
    ]
}

fn join(cx: &Arguments<'_>, row: usize) -> Result<Option<String>> {
    let (Some(array), Some(separator)) = (cx.get::<Option<&Array>>(0, row), cx.get::<Option<&str>>(1, row)) else {
        return Ok(None);
    };
    let null = if cx.count() > 2 { cx.get::<Option<&str>>(2, row) } else { None };
    let mut out = String::new();
    let mut growth = Growth::new(cx.context);
    let mut first = true;
    for element in &array.elements {
        growth.check(out.len())?;
        if element.is_null() && null.is_none() {
            continue;
        }
        if !first {
            out.push_str(separator);
        }
        first = false;
        match null {
            Some(null) if element.is_null() => out.push_str(null),
            _ => datum_to_text(element, array.element_type, &cx.context.format, &*cx.context.resolver, &mut out),
        }
    }
    Ok(Some(out))
}

fn split(cx: &Arguments<'_>, row: usize) -> Option<Vec<Datum>> {
    let text = cx.get::<Option<&str>>(0, row)?;
    let null = if cx.count() > 2 { cx.get::<Option<&str>>(2, row) } else { None };
    Some(split_text(text, cx.get::<Option<&str>>(1, row), null))
}

/// The parts of a text between separators: characters without one, the whole text with an empty one; parts equal to `null` are NULL.
pub(crate) fn split_text(text: &str, separator: Option<&str>, null: Option<&str>) -> Vec<Datum> {
    if text.is_empty() {
        return Vec::new();
    }
    let part = |part: &str| if Some(part) == null { Datum::Null } else { Datum::text(part) };
    match separator {
        None => text.chars().map(|character| part(character.encode_utf8(&mut [0; 4]))).collect(),
        Some("") => vec![part(text)],
        Some(separator) => text.split(separator).map(part).collect(),
    }
}
