//! Filter: the rows for which a predicate is true.

use std::sync::Arc;

use expr::{Batch, Compiled, Expr};
use plan::physical::PhysicalPlan;
use types::Result;

use crate::{
    node::{Compiler, Node, Operator, layout},
    run::Run,
};

struct FilterNode {
    input: Arc<dyn Node>,
    predicate: Compiled,
}

pub(crate) fn compile(compiler: &Compiler<'_>, input: &PhysicalPlan, predicate: &Expr) -> Result<Arc<dyn Node>> {
    Ok(Arc::new(FilterNode { predicate: Compiled::new(predicate, &layout(input))?, input: compiler.node(input)? }))
}

struct Filter {
    node: Arc<FilterNode>,
    input: Box<dyn Operator>,
}

impl Node for FilterNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Filter { input: self.input.clone().open(run)?, node: self }))
    }
}

impl Operator for Filter {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        while let Some(batch) = self.input.next(run)? {
            run.context.check_cancelled()?;
            if let Some(kept) = select(&self.node.predicate, batch, run)? {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }
}

/// The rows of a batch for which the predicate is true; None when there are none.
pub(crate) fn select(predicate: &Compiled, batch: Batch, run: &Run) -> Result<Option<Batch>> {
    let rows = predicate.select(&batch, &run.context)?;
    Ok(match rows.len() {
        0 => None,
        all if all == batch.len => Some(batch),
        _ => Some(batch.take(&rows)),
    })
}
