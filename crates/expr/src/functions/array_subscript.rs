//! Elements and slices of arrays: reading and assigning them.

use std::sync::Arc;

use types::{Array, Datum, Error, Result, SqlState, SqlType, array::Dimension};

/// One subscript; a slice's absent bound is the dimension's own.
#[derive(Clone, Copy, Debug)]
pub enum Bounds {
    Index(i32),
    Slice(Option<i32>, Option<i32>),
}

fn out_of_range() -> Error {
    Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "array subscript out of range")
}

fn too_large() -> Error {
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed (134217727)")
}

/// PostgreSQL's MaxArraySize.
pub const MAX_ELEMENTS: usize = 134_217_727;

/// An element, or the slice when any subscript is one. Outside the array: NULL, or an empty slice.
pub fn fetch(array: &Arc<Array>, subscripts: &[Bounds]) -> Result<Datum> {
    if subscripts.iter().any(|bounds| matches!(bounds, Bounds::Slice(..))) {
        return Ok(Datum::Array(Arc::new(slice(array, subscripts))));
    }
    if subscripts.len() != array.dimensions.len() {
        return Ok(Datum::Null);
    }
    Ok(offset(array, subscripts).map_or(Datum::Null, |at| array.elements[at].clone()))
}

/// The place of an element in row-major order; None outside.
fn offset(array: &Array, subscripts: &[Bounds]) -> Option<usize> {
    let mut at = 0;
    for (bounds, dimension) in subscripts.iter().zip(&array.dimensions) {
        let Bounds::Index(index) = bounds else { return None };
        let within = *index as i64 - dimension.lower_bound as i64;
        if within < 0 || within >= dimension.length as i64 {
            return None;
        }
        at = at * dimension.length as usize + within as usize;
    }
    Some(at)
}

/// First and one past last position (from 0) of each dimension that a slice covers.
fn ranges(array: &Array, subscripts: &[Bounds]) -> Option<Vec<(usize, usize)>> {
    let mut ranges = Vec::with_capacity(array.dimensions.len());
    for (at, dimension) in array.dimensions.iter().enumerate() {
        let (first, last) = (dimension.lower_bound as i64, dimension.lower_bound as i64 + dimension.length as i64 - 1);
        let (lower, upper) = match subscripts.get(at) {
            None => (first, last),
            // Among slices, a single subscript n means 1:n.
            Some(Bounds::Index(index)) => (1, *index as i64),
            Some(Bounds::Slice(lower, upper)) => (lower.map_or(first, i64::from), upper.map_or(last, i64::from)),
        };
        let (lower, upper) = (lower.max(first), upper.min(last));
        if lower > upper {
            return None;
        }
        ranges.push(((lower - first) as usize, (upper - first + 1) as usize));
    }
    Some(ranges)
}

fn slice(array: &Array, subscripts: &[Bounds]) -> Array {
    let empty = Array::one_dimensional(array.element_type, Vec::new());
    if array.dimensions.is_empty() || subscripts.len() > array.dimensions.len() {
        return empty;
    }
    let Some(ranges) = ranges(array, subscripts) else { return empty };
    let elements = positions(array, &ranges).map(|at| array.elements[at].clone()).collect();
    let dimensions = ranges.iter().map(|(start, end)| Dimension { length: (end - start) as i32, lower_bound: 1 }).collect();
    Array { element_type: array.element_type, dimensions, elements }
}

/// Places, in row-major order, of the elements within these ranges.
fn positions<'a>(array: &'a Array, ranges: &'a [(usize, usize)]) -> impl Iterator<Item = usize> + 'a {
    let count: usize = ranges.iter().map(|(start, end)| end - start).product();
    (0..count).map(move |mut at| {
        let mut place = 0;
        let mut stride = 1;
        for ((start, end), dimension) in ranges.iter().zip(&array.dimensions).rev() {
            let width = end - start;
            place += (start + at % width) * stride;
            at /= width;
            stride *= dimension.length as usize;
        }
        place
    })
}

/// The array with one element replaced; a one-dimensional array grows to it, filled with NULLs between.
pub fn assign_element(old: Datum, subscripts: &[Bounds], value: Datum, element_type: SqlType) -> Result<Datum> {
    let mut array = match old {
        Datum::Array(array) => Arc::unwrap_or_clone(array),
        _ => Array::one_dimensional(element_type, Vec::new()),
    };
    let indexes: Vec<i32> = subscripts
        .iter()
        .map(|bounds| match bounds {
            Bounds::Index(index) => *index,
            Bounds::Slice(..) => 0,
        })
        .collect();
    if array.dimensions.is_empty() {
        array.dimensions = indexes.iter().map(|&index| Dimension { length: 1, lower_bound: index }).collect();
        array.elements = vec![value];
        return Ok(Datum::Array(Arc::new(array)));
    }
    if indexes.len() != array.dimensions.len() {
        return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
    }
    if let [index] = indexes.as_slice() {
        extend(&mut array, *index as i64, *index as i64)?;
    }
    let at = offset(&array, subscripts).ok_or_else(out_of_range)?;
    array.elements[at] = value;
    Ok(Datum::Array(Arc::new(array)))
}

/// Makes a one-dimensional array cover both subscripts.
fn extend(array: &mut Array, lower: i64, upper: i64) -> Result<()> {
    let dimension = array.dimensions[0];
    let (first, last) = (dimension.lower_bound as i64, dimension.lower_bound as i64 + dimension.length as i64 - 1);
    let length = last.max(upper) - first.min(lower) + 1;
    if length as usize > MAX_ELEMENTS {
        return Err(too_large());
    }
    let before = (first - lower).max(0) as usize;
    array.elements.splice(0..0, std::iter::repeat_n(Datum::Null, before));
    array.elements.resize(length as usize, Datum::Null);
    array.dimensions[0] = Dimension { length: length as i32, lower_bound: first.min(lower) as i32 };
    Ok(())
}

/// The array with a slice replaced by the elements of another array.
pub fn assign_slice(old: Datum, subscripts: &[Bounds], value: Datum, element_type: SqlType) -> Result<Datum> {
    let Datum::Array(source) = value else { return Ok(old) };
    let mut array = match old {
        Datum::Array(array) => Arc::unwrap_or_clone(array),
        _ => Array::one_dimensional(element_type, Vec::new()),
    };
    let too_small = || Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "source array too small");
    if array.dimensions.is_empty() {
        return create_from_slice(array, subscripts, &source);
    }
    if subscripts.len() > array.dimensions.len() {
        return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
    }
    let mut wanted = 1_usize;
    for (bounds, dimension) in subscripts.iter().zip(&array.dimensions) {
        let (lower, upper) = explicit(*bounds, dimension);
        if lower > upper {
            return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "upper bound cannot be less than lower bound"));
        }
        let last = dimension.lower_bound as i64 + dimension.length as i64 - 1;
        if array.dimensions.len() > 1 && (lower < dimension.lower_bound as i64 || upper > last) {
            return Err(out_of_range());
        }
        wanted = wanted.saturating_mul((upper - lower + 1) as usize);
    }
    wanted = array.dimensions[subscripts.len()..].iter().fold(wanted, |wanted, d| wanted.saturating_mul(d.length as usize));
    if source.elements.len() < wanted {
        return Err(too_small());
    }
    if array.dimensions.len() == 1 {
        let (lower, upper) = explicit(subscripts[0], &array.dimensions[0]);
        extend(&mut array, lower, upper)?;
    }
    let fixed: Vec<Bounds> = subscripts
        .iter()
        .zip(&array.dimensions)
        .map(|(bounds, dimension)| {
            let (lower, upper) = explicit(*bounds, dimension);
            Bounds::Slice(Some(lower as i32), Some(upper as i32))
        })
        .collect();
    let ranges = ranges(&array, &fixed).ok_or_else(out_of_range)?;
    let places: Vec<usize> = positions(&array, &ranges).collect();
    places.into_iter().zip(&source.elements).for_each(|(at, element)| array.elements[at] = element.clone());
    Ok(Datum::Array(Arc::new(array)))
}

fn explicit(bounds: Bounds, dimension: &Dimension) -> (i64, i64) {
    let (first, last) = (dimension.lower_bound as i64, dimension.lower_bound as i64 + dimension.length as i64 - 1);
    match bounds {
        Bounds::Index(index) => (1, index as i64),
        Bounds::Slice(lower, upper) => (lower.map_or(first, i64::from), upper.map_or(last, i64::from)),
    }
}

fn create_from_slice(mut array: Array, subscripts: &[Bounds], source: &Array) -> Result<Datum> {
    let mut dimensions = Vec::with_capacity(subscripts.len());
    for bounds in subscripts {
        let (lower, upper) = match bounds {
            Bounds::Index(index) => (1, *index as i64),
            Bounds::Slice(Some(lower), Some(upper)) => (*lower as i64, *upper as i64),
            Bounds::Slice(..) => {
                let message = "array slice subscript must provide both boundaries";
                let detail = "When assigning to a slice of an empty array value, slice boundaries must be fully specified.";
                return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message).detail(detail));
            }
        };
        if upper < lower {
            return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "upper bound cannot be less than lower bound"));
        }
        dimensions
            .push(Dimension { length: i32::try_from(upper - lower + 1).map_err(|_| too_large())?, lower_bound: lower as i32 });
    }
    let wanted = dimensions.iter().fold(1_usize, |wanted, d| wanted.saturating_mul(d.length as usize));
    if wanted > MAX_ELEMENTS {
        return Err(too_large());
    }
    if source.elements.len() < wanted {
        return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "source array too small"));
    }
    array.dimensions = dimensions;
    array.elements = source.elements[..wanted].to_vec();
    Ok(Datum::Array(Arc::new(array)))
}
