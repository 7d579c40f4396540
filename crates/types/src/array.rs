//! SQL arrays.

use crate::{Datum, SqlType};

/// One dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dimension {
    pub length: i32,
    pub lower_bound: i32,
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

    pub fn heap_size(&self) -> usize {
        64 + self.elements.iter().map(|element| 24 + element.heap_size()).sum::<usize>()
    }
}
