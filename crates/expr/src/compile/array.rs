//! ARRAY[...] constructors.

use std::sync::Arc;

use storage::Column;
use types::{Array, Datum, Physical, Result, SqlType};

use super::{Evaluate, Node};
use crate::{Batch, EvalContext, Vector, functions::room::check_copies};

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
            Array::from_arrays(self.element_type, &values)?
        } else {
            Array::one_dimensional(self.element_type, values)
        };
        Ok(Datum::Array(Arc::new(array)))
    }
}

impl Evaluate for Constructor {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let vectors = self.elements.iter().map(|element| element.evaluate(batch, context)).collect::<Result<Vec<_>>>()?;
        check_copies(&vectors, batch.len, context)?;
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
