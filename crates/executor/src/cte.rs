//! WITH queries: computed once an execution, as far as they are read, and shared by all that read them.
//!
//! A WITH query inside a correlated subquery or a recursive term is computed anew when what it reads from around it has changed.

use std::sync::Arc;

use expr::{Batch, ColumnId};
use parking_lot::Mutex;
use plan::{
    physical::{Operator as Plan, PhysicalPlan},
    statement::{Cte, CteId},
};
use types::{Datum, Result};

use crate::{
    memory::Reservation,
    node::{Compiler, Held, Node, Operator, layout, pick, positions},
    row_key::datums_key,
    run::Run,
};

/// A compiled WITH query.
pub(crate) struct CteNode {
    node: Arc<dyn Node>,
    positions: Vec<usize>,
    modifies: bool,
    outer: Vec<ColumnId>,
    work_tables: Vec<CteId>,
}

impl CteNode {
    pub(crate) fn compile(compiler: &Compiler<'_>, cte: &Cte<PhysicalPlan>) -> Result<CteNode> {
        let mut work_tables = Vec::new();
        let mut own = Vec::new();
        cte.plan.for_each(&mut |plan| match &plan.operator {
            Plan::WorkTable { cte } => work_tables.push(*cte),
            Plan::RecursiveUnion { cte, .. } => own.push(*cte),
            _ => {}
        });
        work_tables.retain(|cte| !own.contains(cte));
        Ok(CteNode {
            node: compiler.node(&cte.plan)?,
            positions: positions(&cte.output, &layout(&cte.plan))?,
            modifies: cte.modifies,
            outer: cte.plan.outer_columns(),
            work_tables,
        })
    }
}

/// Where an execution keeps a WITH query's rows: one state, replaced when its surroundings change.
pub(crate) type CteSlot = Mutex<Option<(Surroundings, Arc<Mutex<CteState>>)>>;

/// Outer values and work tables a state was made with.
#[derive(PartialEq)]
pub(crate) struct Surroundings {
    outer: Vec<u8>,
    work_tables: Vec<usize>,
}

/// The rows computed so far and the operator that gives the rest.
pub(crate) struct CteState {
    rest: Option<Box<dyn Operator>>,
    run: Run,
    batches: Vec<Batch>,
    memory: Reservation,
}

impl CteState {
    /// The batch of this number; None past the end.
    fn batch(&mut self, number: usize, positions: &[usize]) -> Result<Option<Batch>> {
        while self.batches.len() <= number {
            let Some(rest) = &mut self.rest else { return Ok(None) };
            match rest.next(&self.run)? {
                Some(batch) => {
                    let batch = pick(&batch, positions);
                    self.memory.grow_by_batch(&batch)?;
                    self.batches.push(batch);
                }
                None => self.rest = None,
            }
        }
        Ok(Some(self.batches[number].clone()))
    }
}

/// The state for these surroundings, made if need be.
fn state(cte: CteId, run: &Run) -> Result<Arc<Mutex<CteState>>> {
    let node = &run.shared.prepared.ctes[cte.0 as usize];
    let outer: Vec<Datum> = node.outer.iter().map(|id| run.context.outer_value(*id).cloned().unwrap_or_default()).collect();
    let work_tables =
        node.work_tables.iter().map(|cte| run.work_table(*cte).map_or(0, |table| Arc::as_ptr(table).addr())).collect();
    let surroundings = Surroundings { outer: datums_key(&outer)?, work_tables };
    let mut slot = run.shared.ctes[cte.0 as usize].lock();
    if let Some((known, state)) = &*slot
        && *known == surroundings
    {
        return Ok(state.clone());
    }
    let state = Arc::new(Mutex::new(CteState {
        rest: Some(node.node.clone().open(run)?),
        run: run.clone(),
        batches: Vec::new(),
        memory: run.reservation(),
    }));
    *slot = Some((surroundings, state.clone()));
    Ok(state)
}

/// Runs the data-modifying WITH queries to their ends, read or not.
pub(crate) fn finish_modifying(run: &Run) -> Result<()> {
    for (number, node) in run.shared.prepared.ctes.iter().enumerate() {
        if node.modifies {
            let state = state(CteId(number as u32), run)?;
            let mut next = 0;
            while state.lock().batch(next, &node.positions)?.is_some() {
                next += 1;
            }
        }
    }
    Ok(())
}

/// Drops all states. A state holds a run, which holds all states: an execution that ends must cut the circle.
pub(crate) fn drop_states(run: &Run) {
    run.shared.ctes.iter().for_each(|slot| drop(slot.lock().take()));
}

struct CteScanNode {
    cte: CteId,
    /// Which of the query's output columns are given.
    columns: Vec<usize>,
}

pub(crate) fn compile_scan(compiler: &Compiler<'_>, cte: CteId, source: &[ColumnId]) -> Result<Arc<dyn Node>> {
    let output = &compiler.query.ctes[cte.0 as usize].output;
    Ok(Arc::new(CteScanNode { cte, columns: positions(source, output)? }))
}

struct CteScan {
    node: Arc<CteScanNode>,
    state: Arc<Mutex<CteState>>,
    next: usize,
}

impl Node for CteScanNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(CteScan { state: state(self.cte, run)?, node: self, next: 0 }))
    }
}

impl Operator for CteScan {
    fn held(&self, _run: &Run) -> Held {
        Held::bytes(self.state.lock().memory.peak())
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        let query = &run.shared.prepared.ctes[self.node.cte.0 as usize];
        let batch = self.state.lock().batch(self.next, &query.positions)?;
        self.next += 1;
        Ok(batch.map(|batch| pick(&batch, &self.node.columns)))
    }
}
