//! Distinct: the first row of every key, the key being all columns or, for DISTINCT ON, some expressions.

use std::sync::Arc;

use expr::{Batch, Expr};
use plan::physical::PhysicalPlan;
use types::{Result, SqlType};

use crate::{
    key_table::KeyTable,
    memory::{Reservation, columns_size},
    node::{Compiler, Held, Node, Operator, Typed, columns, compile_all, layout},
    run::Run,
};

struct DistinctNode {
    input: Arc<dyn Node>,
    on: Option<Vec<Typed>>,
    types: Vec<SqlType>,
}

pub(crate) fn compile(compiler: &Compiler<'_>, input: &PhysicalPlan, on: Option<&[Expr]>) -> Result<Arc<dyn Node>> {
    let types = match on {
        Some(on) => on.iter().map(Expr::ty).collect(),
        None => input.columns.iter().map(|column| column.ty).collect(),
    };
    let on = on.map(|on| compile_all(on, &layout(input))).transpose()?;
    Ok(Arc::new(DistinctNode { input: compiler.node(input)?, on, types }))
}

struct Distinct {
    node: Arc<DistinctNode>,
    input: Box<dyn Operator>,
    seen: KeyTable,
    memory: Reservation,
}

impl Node for DistinctNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        let input = self.input.clone().open(run)?;
        Ok(Box::new(Distinct { input, seen: KeyTable::new(&self.types), memory: run.reservation(), node: self }))
    }
}

impl Operator for Distinct {
    fn held(&self, _run: &Run) -> Held {
        Held::bytes(self.memory.peak())
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
        while let Some(batch) = self.input.next(run)? {
            run.context.check_cancelled()?;
            let keys = match &self.node.on {
                Some(on) => columns(on, &batch, &run.context)?,
                None => batch.columns.clone(),
            };
            fresh.clear();
            self.memory.grow_to(self.seen.size_with(batch.len, columns_size(&keys)))?;
            self.seen.insert(&keys, batch.len, &mut numbers, &mut fresh)?;
            self.memory.shrink(self.memory.bytes().saturating_sub(self.seen.heap_size()));
            match fresh.len() {
                0 => {}
                all if all == batch.len => return Ok(Some(batch)),
                _ => return Ok(Some(batch.take(&fresh))),
            }
        }
        Ok(None)
    }
}
