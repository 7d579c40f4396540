//! Recursive union: the initial rows, then the recursive term over each round's new rows until there are none.

use std::sync::Arc;

use expr::{Batch, ColumnId};
use plan::{physical::PhysicalPlan, statement::CteId};
use types::{Error, Result, SqlType};

use crate::{
    key_table::KeyTable,
    memory::{Reservation, batch_size},
    node::{Compiler, Held, Node, Operator, layout, pick, positions},
    run::{Run, WorkTable},
};

struct RecursiveUnionNode {
    cte: CteId,
    initial: (Arc<dyn Node>, Vec<usize>),
    recursive: (Arc<dyn Node>, Vec<usize>),
    types: Vec<SqlType>,
    all: bool,
}

pub(crate) fn compile(
    compiler: &Compiler<'_>,
    cte: CteId,
    initial: (&PhysicalPlan, &[ColumnId]),
    recursive: (&PhysicalPlan, &[ColumnId]),
    all: bool,
) -> Result<Arc<dyn Node>> {
    let term = |(plan, columns): (&PhysicalPlan, &[ColumnId])| {
        Ok::<_, Error>((compiler.node(plan)?, positions(columns, &layout(plan))?))
    };
    let first = term(initial)?;
    let types = first.1.iter().map(|&at| initial.0.columns[at].ty).collect();
    Ok(Arc::new(RecursiveUnionNode { cte, initial: first, recursive: term(recursive)?, types, all }))
}

struct RecursiveUnion {
    node: Arc<RecursiveUnionNode>,
    input: Box<dyn Operator>,
    /// None during the initial term.
    round: Option<Run>,
    /// New rows of this round.
    fresh: Vec<Batch>,
    seen: Option<KeyTable>,
    done: bool,
    seen_memory: Reservation,
    fresh_memory: Reservation,
    work_memory: Reservation,
}

impl Node for RecursiveUnionNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        let input = self.initial.0.clone().open(run)?;
        let seen = (!self.all).then(|| KeyTable::new(&self.types));
        Ok(Box::new(RecursiveUnion {
            node: self,
            input,
            round: None,
            fresh: Vec::new(),
            seen,
            done: false,
            seen_memory: run.reservation(),
            fresh_memory: run.reservation(),
            work_memory: run.reservation(),
        }))
    }
}

impl Operator for RecursiveUnion {
    fn held(&self, _run: &Run) -> Held {
        Held::bytes(self.seen_memory.peak() + self.fresh_memory.peak() + self.work_memory.peak())
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        let (mut numbers, mut new) = (Vec::new(), Vec::new());
        while !self.done {
            run.context.check_cancelled()?;
            let positions = if self.round.is_some() { &self.node.recursive.1 } else { &self.node.initial.1 };
            if let Some(batch) = self.input.next(self.round.as_ref().unwrap_or(run))? {
                let mut batch = pick(&batch, positions);
                if let Some(seen) = &mut self.seen {
                    new.clear();
                    self.seen_memory.grow_to(seen.size_with(batch.len, batch_size(&batch)))?;
                    seen.insert(&batch.columns, batch.len, &mut numbers, &mut new)?;
                    batch = batch.take(&new);
                }
                if batch.len > 0 {
                    self.fresh_memory.grow_by_batch(&batch)?;
                    self.fresh.push(batch.clone());
                    return Ok(Some(batch));
                }
                continue;
            }
            let batches = std::mem::take(&mut self.fresh);
            if batches.is_empty() {
                self.done = true;
                break;
            }
            // The work table of the round before has gone with its operator.
            self.work_memory = std::mem::replace(&mut self.fresh_memory, run.reservation());
            let mut round = run.clone();
            round.work = Some(Arc::new(WorkTable { cte: self.node.cte, batches, outer: run.work.clone() }));
            self.input = self.node.recursive.0.clone().open(&round)?;
            self.round = Some(round);
        }
        Ok(None)
    }
}

struct WorkTableNode {
    cte: CteId,
}

pub(crate) fn compile_work_table(cte: CteId) -> Arc<dyn Node> {
    Arc::new(WorkTableNode { cte })
}

struct WorkTableScan {
    table: Arc<WorkTable>,
    next: usize,
}

impl Node for WorkTableNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        let table = run.work_table(self.cte).ok_or_else(|| Error::internal("a work table is read outside its recursion"))?;
        Ok(Box::new(WorkTableScan { table: table.clone(), next: 0 }))
    }
}

impl Operator for WorkTableScan {
    fn next(&mut self, _run: &Run) -> Result<Option<Batch>> {
        let batch = self.table.batches.get(self.next).cloned();
        self.next += 1;
        Ok(batch)
    }
}
