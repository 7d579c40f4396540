//! Window: sorts its rows by each window in turn and computes the calls over it; the rows leave in the order of the last window.

mod frame;
mod functions;

use std::sync::Arc;

use expr::{Batch, ColumnId, Compiled};
use plan::{
    logical::{Frame, WindowCall},
    physical::PhysicalPlan,
};
use storage::Column;
use types::{Physical, Result};

use crate::{
    BATCH_ROWS,
    hash_aggregate::Call,
    memory::Reservation,
    node::{Compiler, Held, Node, Operator, Typed, layout},
    row_key::concatenate,
    run::Run,
    sort_key::SortKeys,
};
use frame::CompiledFrame;

struct WindowNode {
    input: Arc<dyn Node>,
    physical: Vec<Physical>,
    windows: Vec<Window>,
    /// Where each call's result is among the computed columns.
    results: Vec<usize>,
}

/// Calls over one partitioning and ordering.
struct Window {
    /// Partition keys, then order keys.
    sort: SortKeys,
    partition: SortKeys,
    order: SortKeys,
    has_order: bool,
    calls: Vec<CompiledCall>,
}

struct CompiledCall {
    /// pg_proc.prosrc
    source: &'static str,
    /// Over the input's columns.
    arguments: Vec<Typed>,
    filter: Option<Compiled>,
    aggregate: Option<Call>,
    frame: CompiledFrame,
    physical: Physical,
}

/// A sorted batch with its partitions and peer groups.
struct Sorted {
    batch: Batch,
    /// First rows of the partitions, and the end.
    partitions: Vec<usize>,
    /// The number of each row's peer group, ascending over the whole batch.
    peers: Vec<usize>,
    /// First row of each peer group, and the end.
    groups: Vec<usize>,
}

pub(crate) fn compile(compiler: &Compiler<'_>, input: &PhysicalPlan, calls: &[(ColumnId, WindowCall)]) -> Result<Arc<dyn Node>> {
    let layout = layout(input);
    let mut windows: Vec<(String, Window)> = Vec::new();
    let mut places = Vec::new();
    for (_, call) in calls {
        // Two windows are one when they are written alike.
        let name = format!("{:?} {:?}", call.partition_by, call.order_by);
        let at = match windows.iter().position(|(known, _)| *known == name) {
            Some(at) => at,
            None => {
                windows.push((name, Window::compile(call, &layout)?));
                windows.len() - 1
            }
        };
        windows[at].1.calls.push(CompiledCall::compile(call, &layout)?);
        places.push((at, windows[at].1.calls.len() - 1));
    }
    let before = |window: usize| windows[..window].iter().map(|(_, window)| window.calls.len()).sum::<usize>();
    let results = places.into_iter().map(|(window, call)| before(window) + call).collect();
    Ok(Arc::new(WindowNode {
        input: compiler.node(input)?,
        physical: input.columns.iter().map(|column| column.ty.physical).collect(),
        windows: windows.into_iter().map(|(_, window)| window).collect(),
        results,
    }))
}

impl Window {
    fn compile(call: &WindowCall, layout: &[ColumnId]) -> Result<Window> {
        let partition: Vec<expr::SortKey> = call
            .partition_by
            .iter()
            .map(|key| expr::SortKey {
                expression: key.clone(),
                descending: false,
                nulls_first: false,
                collation: types::Oid::DEFAULT_COLLATION,
            })
            .collect();
        let all: Vec<expr::SortKey> = partition.iter().chain(&call.order_by).cloned().collect();
        Ok(Window {
            sort: SortKeys::compile(&all, layout)?,
            partition: SortKeys::compile(&partition, layout)?,
            order: SortKeys::compile(&call.order_by, layout)?,
            has_order: !call.order_by.is_empty(),
            calls: Vec::new(),
        })
    }

    /// Sorts the rows and finds partitions and peers. The batch may hold further columns after the input's.
    fn sort(&self, batch: Batch, run: &Run) -> Result<Sorted> {
        let batch = if self.sort.is_empty() {
            batch
        } else {
            let keys = self.sort.evaluate(&batch, &run.context)?;
            let order = self.sort.order(&keys, batch.len, &run.context)?;
            batch.take(&order)
        };
        let partition_keys = self.partition.evaluate(&batch, &run.context)?;
        let order_keys = self.order.evaluate(&batch, &run.context)?;
        let mut sorted = Sorted { partitions: Vec::new(), peers: Vec::with_capacity(batch.len), groups: Vec::new(), batch };
        let (mut last_partition, mut last_order): (Option<Vec<u8>>, Vec<u8>) = (None, Vec::new());
        for row in 0..sorted.batch.len {
            let (mut partition, mut order) = (Vec::new(), Vec::new());
            self.partition.append(&partition_keys, row, &mut partition)?;
            self.order.append(&order_keys, row, &mut order)?;
            let new_partition = last_partition.as_ref() != Some(&partition);
            if new_partition {
                sorted.partitions.push(row);
                last_partition = Some(partition);
            }
            if new_partition || order != last_order {
                sorted.groups.push(row);
                last_order = order;
            }
            sorted.peers.push(sorted.groups.len() - 1);
        }
        sorted.partitions.push(sorted.batch.len);
        sorted.groups.push(sorted.batch.len);
        Ok(sorted)
    }
}

impl CompiledCall {
    fn compile(call: &WindowCall, layout: &[ColumnId]) -> Result<CompiledCall> {
        let function = call.call.function;
        let frame: &Frame = &call.frame;
        Ok(CompiledCall {
            source: function.source,
            arguments: crate::node::compile_all(&call.call.arguments, layout)?,
            filter: call.call.filter.as_ref().map(|filter| Compiled::new(filter, layout)).transpose()?,
            aggregate: if function.kind == 'w' { None } else { Some(Call::compile(&call.call, layout)?) },
            frame: CompiledFrame::compile(frame, &call.order_by, layout)?,
            physical: call.call.ty.physical,
        })
    }

    fn evaluate(&self, sorted: &Sorted, window: &Window, memory: &mut Reservation, run: &Run) -> Result<Arc<Column>> {
        match &self.aggregate {
            Some(aggregate) => functions::aggregate(self, aggregate, sorted, window, memory, run),
            None => {
                memory.grow(sorted.batch.len * RESULT_BYTES)?;
                functions::evaluate(self, sorted, window, run)
            }
        }
    }
}

/// What a result takes in its column, at least; texts share their bytes with the rows they come from.
const RESULT_BYTES: usize = 8;

struct WindowOperator {
    node: Arc<WindowNode>,
    result: Option<Batch>,
    at: usize,
    memory: Reservation,
}

impl Node for WindowNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(WindowOperator { node: self, result: None, at: 0, memory: run.reservation() }))
    }
}

impl WindowOperator {
    fn compute(&mut self, run: &Run) -> Result<Batch> {
        let node = &self.node;
        let mut input = node.input.clone().open(run)?;
        let mut batches = Vec::new();
        while let Some(batch) = input.next(run)? {
            run.context.check_cancelled()?;
            self.memory.grow_by_batch(&batch)?;
            batches.push(batch);
        }
        let mut working = self.memory.beside();
        working.grow(self.memory.bytes())?;
        let mut batch = concatenate(batches, &node.physical);
        working.shrink(usize::MAX);
        for window in &node.windows {
            // Keys, a sorted copy, peers and groups.
            working.grow(window.sort.working_memory(&batch.columns, batch.len).saturating_add(16 * batch.len))?;
            let mut sorted = window.sort(batch, run)?;
            let mut results = Vec::with_capacity(window.calls.len());
            for call in &window.calls {
                results.push(call.evaluate(&sorted, window, &mut self.memory, run)?);
            }
            working.shrink(usize::MAX);
            sorted.batch.columns.extend(results);
            batch = sorted.batch;
        }
        let width = node.physical.len();
        let computed = batch.columns.split_off(width);
        batch.columns.extend(node.results.iter().map(|&at| computed[at].clone()));
        Ok(batch)
    }
}

impl Operator for WindowOperator {
    fn held(&self, _run: &Run) -> Held {
        Held::bytes(self.memory.peak())
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        if self.result.is_none() {
            self.result = Some(self.compute(run)?);
        }
        let Some(result) = &self.result else { return Ok(None) };
        let count = (result.len - self.at).min(BATCH_ROWS);
        if count == 0 {
            return Ok(None);
        }
        let part = crate::node::slice(result.clone(), self.at, count);
        self.at += count;
        Ok(Some(part))
    }
}
