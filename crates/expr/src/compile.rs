//! Expressions made ready to run: columns as positions of a batch, functions as the code that computes them.

use types::Result;

use crate::{Batch, ColumnId, EvalContext, Expr, Vector};

/// An expression compiled against the layout of its input. Immutable and shared by every execution of a plan.
#[derive(Clone, Debug)]
pub struct Compiled {}

impl Compiled {
    /// Compiles an expression whose input batches hold these columns, in this order. Columns not among them are those of outer queries.
    ///
    /// Errors: 0A000 for a function that has no implementation yet, naming it.
    pub fn new(_expression: &Expr, _layout: &[ColumnId]) -> Result<Compiled> {
        unreachable!("written with the evaluator")
    }

    /// Evaluates over every row of the batch.
    pub fn evaluate(&self, _batch: &Batch, _context: &EvalContext) -> Result<Vector> {
        unreachable!("written with the evaluator")
    }

    /// The rows for which a boolean expression is true.
    pub fn select(&self, _batch: &Batch, _context: &EvalContext) -> Result<Vec<u32>> {
        unreachable!("written with the evaluator")
    }
}
