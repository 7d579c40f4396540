//! Nested loop join: every left row against the right side, which is held in memory or, when lateral, run again for each left row.

use std::{collections::VecDeque, sync::Arc};

use expr::{Batch, ColumnId, Compiled, Expr};
use plan::{logical::JoinKind, physical::PhysicalPlan};
use storage::Column;
use types::{Datum, Physical, Result};

use crate::{
    BATCH_ROWS,
    memory::{Reservation, batch_size},
    node::{Compiler, Held, Node, Operator, layout},
    row_key::concatenate,
    run::Run,
};

struct NestedLoopNode {
    kind: JoinKind,
    left: Arc<dyn Node>,
    right: Arc<dyn Node>,
    left_physical: Vec<Physical>,
    right_physical: Vec<Physical>,
    condition: Option<Compiled>,
    /// For a lateral join: the left columns that the right side reads.
    lateral: Option<Vec<(ColumnId, usize)>>,
}

pub(crate) fn compile(
    compiler: &Compiler<'_>,
    kind: JoinKind,
    left: &PhysicalPlan,
    right: &PhysicalPlan,
    condition: Option<&Expr>,
    lateral: bool,
) -> Result<Arc<dyn Node>> {
    let left_layout = layout(left);
    let both: Vec<ColumnId> = left_layout.iter().copied().chain(layout(right)).collect();
    let lateral = lateral.then(|| {
        let read = right.outer_columns();
        left_layout.iter().enumerate().filter(|(_, id)| read.contains(id)).map(|(at, id)| (*id, at)).collect()
    });
    let physical = |plan: &PhysicalPlan| plan.columns.iter().map(|column| column.ty.physical).collect();
    Ok(Arc::new(NestedLoopNode {
        kind,
        left_physical: physical(left),
        right_physical: physical(right),
        condition: condition.map(|condition| Compiled::new(condition, &both)).transpose()?,
        left: compiler.node(left)?,
        right: compiler.node(right)?,
        lateral,
    }))
}

struct NestedLoop {
    node: Arc<NestedLoopNode>,
    left: Box<dyn Operator>,
    /// Where the right side of a lateral join runs: the left row's values come last among the outer ones.
    inner: Option<Run>,
    /// The right side and which of its rows have met a left row; None until it is read.
    right: Option<(Batch, Vec<bool>)>,
    batch: Option<Batch>,
    row: usize,
    ready: VecDeque<Batch>,
    unmatched_given: bool,
    memory: Reservation,
    /// For the batches in `ready`: one left row may have any number of pairs.
    ready_memory: Reservation,
}

impl Node for NestedLoopNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(NestedLoop {
            left: self.left.clone().open(run)?,
            inner: self.lateral.is_some().then(|| run.clone()),
            node: self,
            right: None,
            batch: None,
            row: 0,
            ready: VecDeque::new(),
            unmatched_given: false,
            memory: run.reservation(),
            ready_memory: run.reservation(),
        }))
    }
}

impl Operator for NestedLoop {
    fn held(&self, _run: &Run) -> Held {
        Held::bytes(self.memory.peak().max(self.ready_memory.peak()))
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                self.ready_memory.shrink(batch_size(&batch));
                return Ok(Some(batch));
            }
            run.context.check_cancelled()?;
            if self.batch.as_ref().is_none_or(|batch| self.row >= batch.len) {
                self.row = 0;
                self.batch = stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.left.next(run))?;
            }
            let Some(batch) = self.batch.clone() else {
                if !std::mem::replace(&mut self.unmatched_given, true)
                    && matches!(self.node.kind, JoinKind::Right | JoinKind::Full)
                {
                    self.read_right(run)?;
                    self.give_unmatched_right();
                    continue;
                }
                return Ok(None);
            };
            if self.node.lateral.is_some() {
                self.join_lateral(&batch, run)?;
            } else {
                self.join_rows(&batch, run)?;
            }
        }
    }
}

impl NestedLoop {
    fn read_right(&mut self, run: &Run) -> Result<()> {
        if self.right.is_some() {
            return Ok(());
        }
        let mut input = self.node.right.clone().open(run)?;
        let mut batches = Vec::new();
        while let Some(batch) = input.next(run)? {
            run.context.check_cancelled()?;
            self.memory.grow_by_batch(&batch)?;
            batches.push(batch);
        }
        let mut twice = self.memory.beside();
        twice.grow(self.memory.bytes())?;
        self.memory.grow(batches.iter().map(|batch| batch.len).sum())?;
        let right = concatenate(batches, &self.node.right_physical);
        let matched = vec![false; right.len];
        self.right = Some((right, matched));
        Ok(())
    }

    /// Joins the next left rows, as many as make about a batch of pairs, with the whole right side.
    fn join_rows(&mut self, batch: &Batch, run: &Run) -> Result<()> {
        self.read_right(run)?;
        let Some((right, right_matched)) = &mut self.right else { return Ok(()) };
        let count = (BATCH_ROWS / right.len.max(1)).clamp(1, batch.len - self.row);
        let rows = self.row..self.row + count;
        self.row += count;
        let mut matched = vec![false; count];
        let pairs_at_once = BATCH_ROWS * 8;
        let mut start = 0;
        while start < right.len {
            run.context.check_cancelled()?;
            let end = right.len.min(start + pairs_at_once);
            let (mut left_rows, mut right_rows) = (Vec::new(), Vec::new());
            for row in rows.clone() {
                left_rows.extend(std::iter::repeat_n(row as u32, end - start));
                right_rows.extend(start as u32..end as u32);
            }
            let pairs = paired(batch, &left_rows, right, &right_rows);
            let kept = match &self.node.condition {
                Some(condition) => condition.select(&pairs, &run.context)?,
                None => (0..pairs.len as u32).collect(),
            };
            for &pair in &kept {
                matched[left_rows[pair as usize] as usize - rows.start] = true;
                right_matched[right_rows[pair as usize] as usize] = true;
            }
            if !matches!(self.node.kind, JoinKind::Semi | JoinKind::Anti) && !kept.is_empty() {
                let pairs = if kept.len() == pairs.len { pairs } else { pairs.take(&kept) };
                self.ready_memory.grow_by_batch(&pairs)?;
                self.ready.push_back(pairs);
            }
            if matches!(self.node.kind, JoinKind::Semi | JoinKind::Anti) && matched.iter().all(|matched| *matched) {
                break;
            }
            start = end;
        }
        self.finish_left(batch, rows.start, &matched);
        Ok(())
    }

    /// Gives left rows that are wanted for having, or not having, a match.
    fn finish_left(&mut self, batch: &Batch, start: usize, matched: &[bool]) {
        let wanted = match self.node.kind {
            JoinKind::Inner | JoinKind::Right => return,
            JoinKind::Semi => true,
            JoinKind::Left | JoinKind::Full | JoinKind::Anti => false,
        };
        let rows: Vec<u32> =
            matched.iter().enumerate().filter(|(_, matched)| **matched == wanted).map(|(at, _)| (start + at) as u32).collect();
        if rows.is_empty() {
            return;
        }
        let mut output = batch.take(&rows);
        if matches!(self.node.kind, JoinKind::Left | JoinKind::Full) {
            output.columns.extend(nulls(&self.node.right_physical, rows.len()));
        }
        self.ready.push_back(output);
    }

    fn give_unmatched_right(&mut self) {
        let Some((right, matched)) = &self.right else { return };
        let rows: Vec<u32> = (0..right.len as u32).filter(|row| !matched[*row as usize]).collect();
        for rows in rows.chunks(BATCH_ROWS) {
            let mut columns = nulls(&self.node.left_physical, rows.len());
            columns.extend(right.take(rows).columns);
            self.ready.push_back(Batch { columns, len: rows.len() });
        }
    }

    /// Runs the right side for the next left row.
    fn join_lateral(&mut self, batch: &Batch, run: &Run) -> Result<()> {
        let (Some(columns), Some(inner)) = (&self.node.lateral, &mut self.inner) else { return Ok(()) };
        let row = self.row;
        self.row += 1;
        inner.context.outer.clone_from(&run.context.outer);
        inner.context.outer.extend(columns.iter().map(|(id, at)| (*id, batch.datum(*at, row))));
        let mut right = self.node.right.clone().open(inner)?;
        let existence = matches!(self.node.kind, JoinKind::Semi | JoinKind::Anti);
        if existence && self.node.condition.is_none() {
            right.bound(1);
        }
        let mut matched = false;
        while let Some(rows) = right.next(inner)? {
            inner.context.check_cancelled()?;
            let left_rows = vec![row as u32; rows.len];
            let mut pairs = batch.take(&left_rows);
            pairs.columns.extend(rows.columns);
            if let Some(condition) = &self.node.condition {
                let kept = condition.select(&pairs, &run.context)?;
                if kept.len() < pairs.len {
                    pairs = pairs.take(&kept);
                }
            }
            matched |= pairs.len > 0;
            if existence && matched {
                break;
            }
            if !existence && pairs.len > 0 {
                self.ready_memory.grow_by_batch(&pairs)?;
                self.ready.push_back(pairs);
            }
        }
        self.finish_left(batch, row, &[matched]);
        Ok(())
    }
}

/// The rows of two batches side by side.
fn paired(left: &Batch, left_rows: &[u32], right: &Batch, right_rows: &[u32]) -> Batch {
    let mut pairs = left.take(left_rows);
    pairs.columns.extend(right.take(right_rows).columns);
    pairs
}

pub(crate) fn nulls(physical: &[Physical], len: usize) -> Vec<Arc<Column>> {
    physical.iter().map(|physical| Arc::new(Column::repeat(*physical, &Datum::Null, len))).collect()
}
