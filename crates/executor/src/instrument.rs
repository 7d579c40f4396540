//! EXPLAIN ANALYZE: counts rows, loops and time of every operator, only when asked.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use expr::Batch;
use hashbrown::HashMap;
use parking_lot::Mutex;
use plan::physical::PhysicalPlan;
use types::Result;

use crate::{
    node::{Held, Node, Operator},
    run::Run,
};

/// What one operator did, all its runs together.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeStatistics {
    /// Until its first row, and until its last.
    pub startup: Duration,
    pub total: Duration,
    pub rows: u64,
    pub loops: u64,
    /// The most of one run.
    pub held: Held,
}

/// What the operators of an execution did, by the address of their plan.
#[derive(Debug, Default)]
pub struct Instrumentation {
    nodes: Mutex<HashMap<usize, NodeStatistics>>,
}

impl Instrumentation {
    /// None when the operator never ran.
    pub fn of(&self, plan: &PhysicalPlan) -> Option<NodeStatistics> {
        self.nodes.lock().get(&address(plan)).copied()
    }

    fn edit(&self, address: usize, edit: impl FnOnce(&mut NodeStatistics)) {
        edit(self.nodes.lock().entry(address).or_default());
    }
}

/// Plans stay in place for as long as their query is shared.
fn address(plan: &PhysicalPlan) -> usize {
    std::ptr::from_ref(plan).addr()
}

struct Instrumented {
    address: usize,
    node: Arc<dyn Node>,
}

pub(crate) fn wrap(plan: &PhysicalPlan, node: Arc<dyn Node>) -> Arc<dyn Node> {
    Arc::new(Instrumented { address: address(plan), node })
}

struct Running {
    address: usize,
    operator: Box<dyn Operator>,
    spent: Duration,
    started: bool,
}

impl Node for Instrumented {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        let begun = Instant::now();
        let operator = self.node.clone().open(run)?;
        if let Some(instrumentation) = &run.shared.instrumentation {
            instrumentation.edit(self.address, |node| node.loops += 1);
        }
        Ok(Box::new(Running { address: self.address, operator, spent: begun.elapsed(), started: false }))
    }
}

impl Operator for Running {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        let begun = Instant::now();
        let batch = self.operator.next(run)?;
        let step = begun.elapsed() + std::mem::take(&mut self.spent);
        let held = self.operator.held(run);
        let first = !std::mem::replace(&mut self.started, true);
        let rows = batch.as_ref().map_or(0, |batch| batch.len as u64);
        if let Some(instrumentation) = &run.shared.instrumentation {
            instrumentation.edit(self.address, |node| {
                node.total += step;
                node.rows += rows;
                if held.bytes >= node.held.bytes {
                    node.held = held;
                }
                if first {
                    node.startup += step;
                }
            });
        }
        Ok(batch)
    }

    fn held(&self, run: &Run) -> Held {
        self.operator.held(run)
    }

    fn bound(&mut self, rows: usize) {
        self.operator.bound(rows);
    }
}
