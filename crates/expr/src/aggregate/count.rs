//! count(*) and count(x).

use std::sync::Arc;

use storage::{Column, FixedType};
use types::{Datum, Result};

use super::Accumulator;
use crate::{EvalContext, Vector};

pub(super) struct Count {
    counts: Vec<i64>,
    /// Whether rows whose argument is NULL are left out.
    of_values: bool,
}

impl Count {
    pub(super) fn new(of_values: bool) -> Count {
        Count { counts: Vec::new(), of_values }
    }
}

impl Accumulator for Count {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.counts.resize(group_count, 0);
        let validity = match arguments.first() {
            Some(Vector::Constant(Datum::Null)) if self.of_values => return Ok(()),
            Some(Vector::Column(column)) if self.of_values => column.validity(),
            _ => None,
        };
        match validity {
            None if group_count == 1 => self.counts[0] += groups.len() as i64,
            None => groups.iter().for_each(|&group| self.counts[group as usize] += 1),
            Some(valid) => valid.ones().for_each(|row| self.counts[groups[row] as usize] += 1),
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.counts.resize(group_count.max(self.counts.len()), 0);
        Ok(Arc::new(<i64 as FixedType>::column(self.counts[..group_count].to_vec(), None)))
    }

    fn heap_size(&self) -> usize {
        self.counts.capacity() * 8
    }
}
