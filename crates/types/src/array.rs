//! SQL arrays: their shape, reading elements and slices out of them. Building and changing them is in `array::build`.
//!
//! **Invariant.** `elements.len()` is the product of the dimensions' lengths; the empty array has no dimension.

mod build;

use crate::{Datum, Error, Result, SqlState, SqlType};

/// The most dimensions an array has.
pub const MAX_DIMENSIONS: usize = 6;
/// The most elements an array has.
const MAX_ELEMENTS: i64 = 134_217_727;

/// One dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dimension {
    pub length: i32,
    pub lower_bound: i32,
}

impl Dimension {
    pub fn upper_bound(self) -> i32 {
        (i64::from(self.lower_bound) + i64::from(self.length) - 1) as i32
    }

    /// How far into the dimension a subscript lies; None outside of it.
    fn offset(self, subscript: i32) -> Option<usize> {
        let offset = i64::from(subscript) - i64::from(self.lower_bound);
        usize::try_from(offset).ok().filter(|_| offset < i64::from(self.length))
    }
}

/// The bounds of a slice in one dimension; a side left out reaches to the array's own bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SliceBounds {
    pub lower: Option<i32>,
    pub upper: Option<i32>,
}

/// An array value: elements in row-major order, and zero (the empty array) to six dimensions.
#[derive(Clone, Debug)]
pub struct Array {
    pub element_type: SqlType,
    pub dimensions: Vec<Dimension>,
    pub elements: Vec<Datum>,
}

impl Array {
    /// A one-dimensional array with lower bound 1; the empty array has no dimension.
    pub fn one_dimensional(element_type: SqlType, elements: Vec<Datum>) -> Array {
        let dimensions = match elements.len() {
            0 => Vec::new(),
            length => vec![Dimension { length: length as i32, lower_bound: 1 }],
        };
        Array { element_type, dimensions, elements }
    }

    /// An int2vector or oidvector, whose subscripts begin at 0.
    pub fn vector(element_type: SqlType, elements: Vec<Datum>) -> Array {
        let dimensions = vec![Dimension { length: elements.len() as i32, lower_bound: 0 }];
        Array { element_type, dimensions, elements }
    }

    pub fn empty(element_type: SqlType) -> Array {
        Array { element_type, dimensions: Vec::new(), elements: Vec::new() }
    }

    /// Bytes held outside the value itself.
    pub fn heap_size(&self) -> usize {
        64 + self.elements.iter().map(|element| 24 + element.heap_size()).sum::<usize>()
    }

    /// The dimension numbered from 1, as `array_length` and its like count them; None when there is no such one.
    pub fn dimension(&self, number: i32) -> Option<Dimension> {
        usize::try_from(number).ok()?.checked_sub(1).and_then(|at| self.dimensions.get(at).copied())
    }

    /// The element at these subscripts; None outside of the array, and for another number of subscripts than dimensions.
    pub fn element(&self, subscripts: &[i32]) -> Option<&Datum> {
        self.offset(subscripts).and_then(|offset| self.elements.get(offset))
    }

    fn offset(&self, subscripts: &[i32]) -> Option<usize> {
        if subscripts.is_empty() || subscripts.len() != self.dimensions.len() {
            return None;
        }
        let mut offset = 0;
        for (dimension, subscript) in self.dimensions.iter().zip(subscripts) {
            offset = offset * dimension.length as usize + dimension.offset(*subscript)?;
        }
        Some(offset)
    }

    /// The part within the bounds, renumbered from 1; the empty array when nothing is. Dimensions without bounds are taken whole.
    pub fn slice(&self, bounds: &[SliceBounds]) -> Array {
        if self.dimensions.is_empty() || bounds.len() > self.dimensions.len() {
            return Array::empty(self.element_type);
        }
        let Some(ranges) = self.slice_ranges(bounds) else { return Array::empty(self.element_type) };
        let mut elements = Vec::new();
        visit_slice(&self.dimensions, &ranges, |offset| elements.extend(self.elements.get(offset).cloned()));
        let dimensions = ranges.iter().map(|range| Dimension { length: range.len() as i32, lower_bound: 1 }).collect();
        Array { element_type: self.element_type, dimensions, elements }
    }

    /// The offsets that the bounds leave of each dimension; None when they leave nothing of one.
    fn slice_ranges(&self, bounds: &[SliceBounds]) -> Option<Vec<std::ops::Range<usize>>> {
        let mut ranges = Vec::with_capacity(self.dimensions.len());
        for (at, dimension) in self.dimensions.iter().enumerate() {
            let bounds = bounds.get(at).copied().unwrap_or_default();
            let base = i64::from(dimension.lower_bound);
            let lower = bounds.lower.map_or(base, i64::from).max(base) - base;
            let upper = bounds.upper.map_or(i64::MAX, i64::from).min(i64::from(dimension.upper_bound())) - base;
            if lower > upper {
                return None;
            }
            ranges.push(lower as usize..upper as usize + 1);
        }
        Some(ranges)
    }

    /// The items of the outermost dimension: elements of a one-dimensional array, sub-arrays of any other.
    pub fn outer_items(&self) -> Vec<Datum> {
        if self.dimensions.len() <= 1 {
            return self.elements.clone();
        }
        let inner = self.dimensions[1..].to_vec();
        let span = self.elements.len() / self.dimensions[0].length.max(1) as usize;
        let sub_array = |elements: &[Datum]| {
            let array = Array { element_type: self.element_type, dimensions: inner.clone(), elements: elements.to_vec() };
            Datum::Array(array.into())
        };
        self.elements.chunks(span.max(1)).map(sub_array).collect()
    }
}

/// Calls `visit` with the row-major offset of every element inside the ranges, in order.
fn visit_slice(dimensions: &[Dimension], ranges: &[std::ops::Range<usize>], mut visit: impl FnMut(usize)) {
    let mut position: Vec<usize> = ranges.iter().map(|range| range.start).collect();
    if ranges.iter().any(std::ops::Range::is_empty) {
        return;
    }
    loop {
        let offset = dimensions.iter().zip(&position).fold(0, |offset, (dimension, at)| offset * dimension.length as usize + at);
        visit(offset);
        // Count up like an odometer: the last dimension turns fastest.
        let mut wheel = position.len();
        loop {
            if wheel == 0 {
                return;
            }
            wheel -= 1;
            position[wheel] += 1;
            if position[wheel] < ranges[wheel].end {
                break;
            }
            position[wheel] = ranges[wheel].start;
        }
    }
}

pub(crate) fn too_many_dimensions(count: usize) -> Error {
    let message = format!("number of array dimensions ({count}) exceeds the maximum allowed ({MAX_DIMENSIONS})");
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

pub(crate) fn size_exceeded() -> Error {
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("array size exceeds the maximum allowed ({MAX_ELEMENTS})"))
}

/// The number of elements that dimensions of these lengths hold. Error: 54000 when no array may be that large.
pub(crate) fn check_size(lengths: impl IntoIterator<Item = i32>) -> Result<usize> {
    let mut size = None;
    for length in lengths {
        let product = size.unwrap_or(1i64) * i64::from(length);
        if length < 0 || product > MAX_ELEMENTS {
            return Err(size_exceeded());
        }
        size = Some(product);
    }
    Ok(size.unwrap_or(0) as usize)
}

/// Error: 54000 when a dimension's last subscript is past what an integer holds.
pub(crate) fn check_bounds(dimensions: &[Dimension]) -> Result<()> {
    for dimension in dimensions {
        if dimension.lower_bound.checked_add(dimension.length).is_none() {
            let message = format!("array lower bound is too large: {}", dimension.lower_bound);
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
