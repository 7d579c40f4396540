//! Arrays made of arrays: construction from nested ones, concatenation, appending, and assignment to elements and slices.

use super::{Array, Dimension, MAX_DIMENSIONS, SliceBounds, check_bounds, check_size, too_many_dimensions, visit_slice};
use crate::{Datum, Error, Result, SqlState, SqlType};

fn subscript_error(message: &str) -> Error {
    Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
}

impl Array {
    /// `ARRAY[a, b, ...]` of arrays: one dimension more than theirs. NULL and empty arrays count as having no elements.
    pub fn from_arrays(element_type: SqlType, arrays: &[Datum]) -> Result<Array> {
        let mismatched = || subscript_error("multidimensional arrays must have array expressions with matching dimensions");
        let mut inner: Option<&[Dimension]> = None;
        let mut elements = Vec::new();
        let mut any_empty = false;
        for array in arrays {
            let Datum::Array(array) = array else {
                any_empty = true;
                continue;
            };
            if array.dimensions.is_empty() {
                any_empty = true;
                continue;
            }
            if *inner.get_or_insert(&array.dimensions) != array.dimensions.as_slice() {
                return Err(mismatched());
            }
            elements.extend(array.elements.iter().cloned());
        }
        let Some(inner) = inner else { return Ok(Array::empty(element_type)) };
        if inner.len() >= MAX_DIMENSIONS {
            return Err(too_many_dimensions(inner.len() + 1));
        }
        if any_empty {
            return Err(mismatched());
        }
        let outer = Dimension { length: arrays.len() as i32, lower_bound: 1 };
        let dimensions: Vec<Dimension> = std::iter::once(outer).chain(inner.iter().copied()).collect();
        Array { element_type, dimensions, elements }.checked()
    }

    /// An array of this shape filled with one value, as `array_fill` makes it.
    pub fn filled(element_type: SqlType, value: &Datum, dimensions: Vec<Dimension>) -> Result<Array> {
        let size = check_size(dimensions.iter().map(|dimension| dimension.length))?;
        if size == 0 {
            return Ok(Array::empty(element_type));
        }
        Array { element_type, dimensions, elements: vec![value.clone(); size] }.checked()
    }

    fn checked(self) -> Result<Array> {
        check_size(self.dimensions.iter().map(|dimension| dimension.length))?;
        check_bounds(&self.dimensions)?;
        Ok(self)
    }

    /// `array || array`: the same number of dimensions joins the outer ones; one fewer adds an item to the outer array.
    pub fn concat(&self, other: &Array) -> Result<Array> {
        let (left, right) = (&self.dimensions, &other.dimensions);
        if left.is_empty() {
            return Ok(other.clone());
        }
        if right.is_empty() {
            return Ok(self.clone());
        }
        let incompatible = |detail: String| subscript_error("cannot concatenate incompatible arrays").detail(detail);
        let differing =
            |what: &str| incompatible(format!("Arrays with differing {what}dimensions are not compatible for concatenation."));
        let mut dimensions;
        let added;
        if left.len() == right.len() {
            if left[1..] != right[1..] {
                return Err(differing("element "));
            }
            (dimensions, added) = (left.clone(), right[0].length);
        } else if left.len() + 1 == right.len() {
            if right[1..] != left[..] {
                return Err(differing(""));
            }
            (dimensions, added) = (right.clone(), 1);
        } else if left.len() == right.len() + 1 {
            if left[1..] != right[..] {
                return Err(differing(""));
            }
            (dimensions, added) = (left.clone(), 1);
        } else {
            let detail = format!("Arrays of {} and {} dimensions are not compatible for concatenation.", left.len(), right.len());
            return Err(incompatible(detail));
        }
        dimensions[0].length = dimensions[0].length.checked_add(added).ok_or_else(super::size_exceeded)?;
        let elements = self.elements.iter().chain(&other.elements).cloned().collect();
        Array { element_type: self.element_type, dimensions, elements }.checked()
    }

    /// `array || element`.
    pub fn append(&self, element: Datum) -> Result<Array> {
        self.grown(|elements| elements.push(element))
    }

    /// `element || array`, which keeps the array's lower bound.
    pub fn prepend(&self, element: Datum) -> Result<Array> {
        self.grown(|elements| elements.insert(0, element))
    }

    fn grown(&self, grow: impl FnOnce(&mut Vec<Datum>)) -> Result<Array> {
        if self.dimensions.len() > 1 {
            let message = "argument must be empty or one-dimensional array";
            return Err(Error::new(SqlState::DATA_EXCEPTION, message));
        }
        let lower_bound = self.dimensions.first().map_or(1, |dimension| dimension.lower_bound);
        if lower_bound.checked_add(self.elements.len() as i32).is_none() {
            return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"));
        }
        let mut elements = Vec::with_capacity(self.elements.len() + 1);
        elements.extend(self.elements.iter().cloned());
        grow(&mut elements);
        let dimensions = vec![Dimension { length: elements.len() as i32, lower_bound }];
        Array { element_type: self.element_type, dimensions, elements }.checked()
    }

    /// `array[i][j] = value`. One-dimensional arrays grow to reach the subscript, with NULLs between.
    pub fn with_element(&self, subscripts: &[i32], value: Datum) -> Result<Array> {
        if subscripts.is_empty() || subscripts.len() > MAX_DIMENSIONS {
            return Err(subscript_error("wrong number of array subscripts"));
        }
        if self.dimensions.is_empty() {
            let dimensions = subscripts.iter().map(|subscript| Dimension { length: 1, lower_bound: *subscript }).collect();
            return Array { element_type: self.element_type, dimensions, elements: vec![value] }.checked();
        }
        if self.dimensions.len() != subscripts.len() {
            return Err(subscript_error("wrong number of array subscripts"));
        }
        let mut changed = match subscripts {
            [subscript] => self.extended_to(*subscript, *subscript)?,
            _ => self.clone(),
        };
        match changed.offset(subscripts).and_then(|offset| changed.elements.get_mut(offset)) {
            Some(element) => *element = value,
            None => return Err(subscript_error("array subscript out of range")),
        }
        Ok(changed)
    }

    /// A one-dimensional array that reaches from at most `lower` to at least `upper`.
    fn extended_to(&self, lower: i32, upper: i32) -> Result<Array> {
        let dimension = self.dimensions[0];
        let before = (i64::from(dimension.lower_bound) - i64::from(lower)).max(0);
        let after = (i64::from(upper) - i64::from(dimension.upper_bound())).max(0);
        let length = i64::from(dimension.length) + before + after;
        let length = i32::try_from(length).map_err(|_| super::size_exceeded())?;
        let dimension = Dimension { length, lower_bound: dimension.lower_bound.min(lower) };
        check_size([length])?;
        check_bounds(&[dimension])?;
        let mut elements = vec![Datum::Null; before as usize];
        elements.extend(self.elements.iter().cloned());
        elements.resize(length as usize, Datum::Null);
        Ok(Array { element_type: self.element_type, dimensions: vec![dimension], elements })
    }

    /// `array[a:b] = source`: the source's elements in row-major order, as many as the slice holds.
    pub fn with_slice(&self, bounds: &[SliceBounds], source: &Array) -> Result<Array> {
        if bounds.is_empty() || bounds.len() > MAX_DIMENSIONS {
            return Err(subscript_error("wrong number of array subscripts"));
        }
        if self.dimensions.is_empty() {
            return self.become_slice(bounds, source);
        }
        if bounds.len() > self.dimensions.len() {
            return Err(subscript_error("wrong number of array subscripts"));
        }
        let dimension = |at: usize| self.dimensions[at];
        let given = |at: usize| {
            let bounds = bounds.get(at).copied().unwrap_or_default();
            (bounds.lower.unwrap_or(dimension(at).lower_bound), bounds.upper.unwrap_or(dimension(at).upper_bound()))
        };
        let reversed = || subscript_error("upper bound cannot be less than lower bound");
        let mut changed = self.clone();
        if self.dimensions.len() == 1 {
            let (lower, upper) = given(0);
            if lower > upper {
                return Err(reversed());
            }
            changed = self.extended_to(lower, upper)?;
        }
        let mut ranges = Vec::with_capacity(changed.dimensions.len());
        for (at, dimension) in changed.dimensions.iter().enumerate() {
            let (lower, upper) = given(at);
            if lower > upper {
                return Err(reversed());
            }
            match (dimension.offset(lower), dimension.offset(upper)) {
                (Some(first), Some(last)) => ranges.push(first..last + 1),
                _ => return Err(subscript_error("array subscript out of range")),
            }
        }
        let wanted: usize = ranges.iter().map(ExactSizeIterator::len).product();
        if wanted > source.elements.len() {
            return Err(subscript_error("source array too small"));
        }
        let mut values = source.elements.iter();
        let dimensions = changed.dimensions.clone();
        visit_slice(&dimensions, &ranges, |offset| {
            if let (Some(element), Some(value)) = (changed.elements.get_mut(offset), values.next()) {
                *element = value.clone();
            }
        });
        Ok(changed)
    }

    /// A slice assigned to the empty array: the slice is the array.
    fn become_slice(&self, bounds: &[SliceBounds], source: &Array) -> Result<Array> {
        let mut dimensions = Vec::with_capacity(bounds.len());
        for bound in bounds {
            let (Some(lower), Some(upper)) = (bound.lower, bound.upper) else {
                let detail = "When assigning to a slice of an empty array value, slice boundaries must be fully specified.";
                return Err(subscript_error("array slice subscript must provide both boundaries").detail(detail));
            };
            let length = i64::from(upper) - i64::from(lower) + 1;
            let length = i32::try_from(length).map_err(|_| super::size_exceeded())?;
            dimensions.push(Dimension { length: length.max(0), lower_bound: lower });
        }
        let size = check_size(dimensions.iter().map(|dimension| dimension.length))?;
        if size == 0 {
            return Ok(self.clone());
        }
        if source.elements.len() < size {
            return Err(subscript_error("source array too small"));
        }
        let elements = source.elements[..size].to_vec();
        Array { element_type: self.element_type, dimensions, elements }.checked()
    }
}
