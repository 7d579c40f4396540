//! A result put together from parts that were evaluated over different rows.

use std::sync::Arc;

use storage::Column;
use types::{Datum, Physical};

use crate::Vector;

/// Parts of a result: each the rows it is for and their values.
pub(crate) struct Pieces {
    physical: Physical,
    len: usize,
    parts: Vec<(Vec<u32>, Vector)>,
}

impl Pieces {
    pub(crate) fn new(physical: Physical, len: usize) -> Pieces {
        Pieces { physical, len, parts: Vec::new() }
    }

    /// Adds values for these rows; each row is to come in one part only.
    pub(crate) fn add(&mut self, rows: Vec<u32>, values: Vector) {
        if !rows.is_empty() {
            self.parts.push((rows, values));
        }
    }

    /// The whole; rows in no part are NULL.
    pub(crate) fn assemble(mut self) -> Vector {
        if let [(rows, values)] = self.parts.as_mut_slice()
            && rows.len() == self.len
        {
            return std::mem::replace(values, Vector::Constant(Datum::Null));
        }
        if self.parts.is_empty() {
            return Vector::Constant(Datum::Null);
        }
        let mut joined = Column::new(self.physical);
        let mut position_of = vec![u32::MAX; self.len];
        for (rows, values) in self.parts {
            let start = joined.len() as u32;
            match values {
                // One value for all of them, however large, is held once.
                Vector::Constant(value) => {
                    rows.iter().for_each(|row| position_of[*row as usize] = start);
                    joined.push(&value);
                }
                Vector::Column(column) => {
                    rows.iter().zip(start..).for_each(|(row, at)| position_of[*row as usize] = at);
                    joined.append(&column);
                }
            }
        }
        if position_of.contains(&u32::MAX) {
            let null = joined.len() as u32;
            joined.push(&Datum::Null);
            position_of.iter_mut().filter(|position| **position == u32::MAX).for_each(|position| *position = null);
        }
        Vector::Column(Arc::new(joined.take(&position_of)))
    }
}
