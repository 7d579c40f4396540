//! Sort: all rows by keys, stable; only the first ones when a limit above says how many.

use std::sync::Arc;

use expr::{Batch, SortKey};
use plan::physical::PhysicalPlan;
use types::{Physical, Result};

use crate::{
    BATCH_ROWS,
    memory::Reservation,
    node::{Compiler, Held, Node, Operator, layout},
    row_key::concatenate,
    run::Run,
    sort_key::SortKeys,
};

struct SortNode {
    input: Arc<dyn Node>,
    keys: SortKeys,
    physical: Vec<Physical>,
}

pub(crate) fn compile(compiler: &Compiler<'_>, input: &PhysicalPlan, keys: &[SortKey]) -> Result<Arc<dyn Node>> {
    Ok(Arc::new(SortNode {
        keys: SortKeys::compile(keys, &layout(input))?,
        physical: input.columns.iter().map(|column| column.ty.physical).collect(),
        input: compiler.node(input)?,
    }))
}

struct Sort {
    node: Arc<SortNode>,
    /// Taken when it is exhausted.
    input: Option<Box<dyn Operator>>,
    wanted: usize,
    /// All rows and their order.
    sorted: Option<(Batch, Vec<u32>)>,
    at: usize,
    memory: Reservation,
}

impl Node for SortNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Sort {
            input: Some(self.input.clone().open(run)?),
            node: self,
            wanted: usize::MAX,
            sorted: None,
            at: 0,
            memory: run.reservation(),
        }))
    }
}

impl Sort {
    fn sort(&mut self, run: &Run) -> Result<()> {
        let Some(mut input) = self.input.take() else { return Ok(()) };
        let mut batches = Vec::new();
        let mut rows = 0;
        // A top-N sort drops what cannot be among the first rows whenever enough has come together.
        let prune_at = self.wanted.saturating_mul(4).max(16 * BATCH_ROWS);
        while let Some(batch) = input.next(run)? {
            run.context.check_cancelled()?;
            rows += batch.len;
            self.memory.grow_by_batch(&batch)?;
            batches.push(batch);
            if rows > prune_at {
                let (batch, order) = self.order(std::mem::take(&mut batches), run)?;
                let kept = batch.take(&order[..self.wanted.min(order.len())]);
                drop(batch);
                rows = kept.len;
                self.memory.shrink(usize::MAX);
                self.memory.grow_by_batch(&kept)?;
                batches.push(kept);
            }
        }
        self.memory.grow(rows * size_of::<u32>())?;
        self.sorted = Some(self.order(batches, run)?);
        Ok(())
    }

    fn order(&self, batches: Vec<Batch>, run: &Run) -> Result<(Batch, Vec<u32>)> {
        // While they are put together the rows are there twice; then come the keys.
        let mut working = self.memory.beside();
        if batches.len() > 1 {
            batches.iter().try_for_each(|batch| working.grow_by_batch(batch))?;
        }
        let batch = concatenate(batches, &self.node.physical);
        working.shrink(usize::MAX);
        let keys = self.node.keys.evaluate(&batch, &run.context)?;
        working.grow(self.node.keys.working_memory(&keys, batch.len))?;
        let order = self.node.keys.order(&keys, batch.len, &run.context)?;
        Ok((batch, order))
    }
}

impl Operator for Sort {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        self.sort(run)?;
        let Some((batch, order)) = &self.sorted else { return Ok(None) };
        let end = order.len().min(self.wanted).min(self.at + BATCH_ROWS);
        if self.at >= end {
            self.sorted = None;
            return Ok(None);
        }
        let rows = batch.take(&order[self.at..end]);
        self.at = end;
        Ok(Some(rows))
    }

    fn held(&self, _run: &Run) -> Held {
        Held { bytes: self.memory.peak(), rows: 0, bounded: self.wanted < usize::MAX }
    }

    fn bound(&mut self, rows: usize) {
        self.wanted = rows;
    }
}
