//! INTERSECT and EXCEPT, with ALL by counting: the left side's rows are counted per key, the right side's are matched against them.

use std::sync::Arc;

use expr::{Batch, ColumnId};
use plan::{logical::SetOperator, physical::PhysicalPlan};
use types::{Physical, Result, SqlType};

use crate::{
    BATCH_ROWS,
    key_table::{KeyTable, NONE},
    memory::{Reservation, batch_size},
    node::{Compiler, Held, Node, Operator, layout, pick, positions},
    row_key::concatenate,
    run::Run,
};

struct SetOperationNode {
    operator: SetOperator,
    all: bool,
    left: (Arc<dyn Node>, Vec<usize>),
    right: (Arc<dyn Node>, Vec<usize>),
    types: Vec<SqlType>,
}

pub(crate) fn compile(
    compiler: &Compiler<'_>,
    operator: SetOperator,
    all: bool,
    left: (&PhysicalPlan, &[ColumnId]),
    right: (&PhysicalPlan, &[ColumnId]),
) -> Result<Arc<dyn Node>> {
    let side = |(plan, columns): (&PhysicalPlan, &[ColumnId])| {
        Ok::<_, types::Error>((compiler.node(plan)?, positions(columns, &layout(plan))?))
    };
    let left_side = side(left)?;
    let types = left_side.1.iter().map(|&at| left.0.columns[at].ty).collect();
    Ok(Arc::new(SetOperationNode { operator, all, left: left_side, right: side(right)?, types }))
}

struct SetOperation {
    node: Arc<SetOperationNode>,
    /// One row a key, and how often each is to be given.
    result: Option<(Batch, Vec<u32>)>,
    at: usize,
    memory: Reservation,
}

impl Node for SetOperationNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(SetOperation { node: self, result: None, at: 0, memory: run.reservation() }))
    }
}

impl SetOperation {
    fn compute(&mut self, run: &Run) -> Result<(Batch, Vec<u32>)> {
        let node = &self.node;
        let mut table = KeyTable::new(&node.types);
        let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
        let mut table_memory = self.memory.beside();
        let (mut left_counts, mut firsts): (Vec<u64>, Vec<Batch>) = (Vec::new(), Vec::new());
        let mut input = node.left.0.clone().open(run)?;
        while let Some(batch) = input.next(run)? {
            run.context.check_cancelled()?;
            let batch = pick(&batch, &node.left.1);
            fresh.clear();
            table_memory.grow_to(table.size_with(batch.len, batch_size(&batch)) + 16 * table.len())?;
            table.insert(&batch.columns, batch.len, &mut numbers, &mut fresh)?;
            left_counts.resize(table.len(), 0);
            numbers.iter().for_each(|&number| left_counts[number as usize] += 1);
            if !fresh.is_empty() {
                let rows = batch.take(&fresh);
                self.memory.grow_by_batch(&rows)?;
                firsts.push(rows);
            }
        }
        let mut right_counts = vec![0_u64; left_counts.len()];
        let mut input = node.right.0.clone().open(run)?;
        while let Some(batch) = input.next(run)? {
            run.context.check_cancelled()?;
            let batch = pick(&batch, &node.right.1);
            table.find(&batch.columns, batch.len, true, &mut numbers)?;
            numbers.iter().filter(|number| **number != NONE).for_each(|&number| right_counts[number as usize] += 1);
        }
        let mut rows = Vec::new();
        for (number, (left, right)) in left_counts.iter().zip(&right_counts).enumerate() {
            let copies = match (node.operator, node.all) {
                (SetOperator::Intersect, true) => *left.min(right),
                (SetOperator::Intersect, false) => u64::from(*right > 0),
                (SetOperator::Except, true) => left.saturating_sub(*right),
                (SetOperator::Except, false) => u64::from(*right == 0),
                (SetOperator::Union, _) => unreachable!("UNION is planned as Append and Distinct"),
            };
            table_memory.grow(copies as usize * size_of::<u32>())?;
            rows.extend((0..copies).map(|_| number as u32));
        }
        let physical: Vec<Physical> = node.types.iter().map(|ty| ty.physical).collect();
        let mut twice = self.memory.beside();
        twice.grow(self.memory.bytes())?;
        self.memory.grow(rows.len() * size_of::<u32>())?;
        Ok((concatenate(firsts, &physical), rows))
    }
}

impl Operator for SetOperation {
    fn held(&self, _run: &Run) -> Held {
        Held::bytes(self.memory.peak())
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        if self.result.is_none() {
            self.result = Some(self.compute(run)?);
        }
        let Some((keys, rows)) = &self.result else { return Ok(None) };
        let end = rows.len().min(self.at + BATCH_ROWS);
        if self.at >= end {
            return Ok(None);
        }
        let batch = keys.take(&rows[self.at..end]);
        self.at = end;
        Ok(Some(batch))
    }
}
