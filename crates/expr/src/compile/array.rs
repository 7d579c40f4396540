//! ARRAY[...] constructors.

use std::sync::Arc;

use storage::Column;
use types::{Array, Datum, Error, Physical, Result, SqlState, SqlType, array::Dimension};

use super::{Evaluate, Node};
use crate::{Batch, EvalContext, Vector};

#[derive(Debug)]
pub(crate) struct Constructor {
    pub(crate) elements: Vec<Node>,
    pub(crate) element_type: SqlType,
    pub(crate) multidimensional: bool,
}

impl Constructor {
    fn row(&self, vectors: &[Vector], row: usize) -> Result<Datum> {
        let values: Vec<Datum> = vectors.iter().map(|vector| vector.datum(row)).collect();
        let array = if self.multidimensional {
            nest(self.element_type, &values)?
        } else {
            Array::one_dimensional(self.element_type, values)
        };
        Ok(Datum::Array(Arc::new(array)))
    }
}

/// Arrays of one shape as the slices of an array with one more dimension. NULLs and empty arrays count as empty.
pub(crate) fn nest(element_type: SqlType, parts: &[Datum]) -> Result<Array> {
    let mismatch = || {
        let message = "multidimensional arrays must have array expressions with matching dimensions";
        Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
    };
    let arrays: Vec<&Array> = parts
        .iter()
        .filter_map(|part| match part {
            Datum::Array(array) if !array.dimensions.is_empty() => Some(&**array),
            _ => None,
        })
        .collect();
    let Some(first) = arrays.first() else { return Ok(Array::one_dimensional(element_type, Vec::new())) };
    if arrays.len() != parts.len() {
        return Err(mismatch());
    }
    if first.dimensions.len() >= 6 {
        let message = format!("number of array dimensions ({}) exceeds the maximum allowed (6)", first.dimensions.len() + 1);
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    if arrays.iter().any(|array| array.dimensions != first.dimensions) {
        return Err(mismatch());
    }
    let mut dimensions = vec![Dimension { length: arrays.len() as i32, lower_bound: 1 }];
    dimensions.extend_from_slice(&first.dimensions);
    let elements = arrays.iter().flat_map(|array| array.elements.iter().cloned()).collect();
    Ok(Array { element_type, dimensions, elements })
}

impl Evaluate for Constructor {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let vectors = self.elements.iter().map(|element| element.evaluate(batch, context)).collect::<Result<Vec<_>>>()?;
        if batch.len == 1 || vectors.iter().all(|vector| matches!(vector, Vector::Constant(_))) {
            return self.row(&vectors, 0).map(Vector::Constant);
        }
        let mut column = Column::with_capacity(Physical::Any, batch.len);
        for row in 0..batch.len {
            column.push(&self.row(&vectors, row)?);
        }
        Ok(Vector::Column(Arc::new(column)))
    }

    fn fallible(&self) -> bool {
        self.multidimensional || self.elements.iter().any(|element| element.fallible())
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.elements.iter().for_each(|element| element.inputs(found));
    }
}
