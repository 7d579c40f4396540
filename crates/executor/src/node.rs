//! The two faces of an operator: a compiled, shared node, and the running operator it opens.

use std::sync::Arc;

use expr::{Batch, ColumnId, Compiled, EvalContext, Expr, Vector};
use plan::{
    Query,
    logical::Given,
    physical::{Operator as Plan, PhysicalPlan},
};
use storage::Column;
use types::{Error, Physical, Result};

use crate::{instrument, run::Run};

/// A compiled operator: immutable, shared by executions.
pub(crate) trait Node: Send + Sync {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>>;
}

/// An operator's own memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    pub bytes: usize,
    pub rows: usize,
    /// Only the first rows were wanted of a sort.
    pub bounded: bool,
}

impl Held {
    pub(crate) fn bytes(bytes: usize) -> Held {
        Held { bytes, ..Held::default() }
    }
}

/// A running operator.
pub(crate) trait Operator: Send {
    /// The next rows; batches are not empty. None when there are no more, and from then on.
    fn next(&mut self, run: &Run) -> Result<Option<Batch>>;

    /// What it has held in memory at most, where that is worth telling (EXPLAIN ANALYZE).
    fn held(&self, _run: &Run) -> Held {
        Held::default()
    }

    /// Tells, before the first `next`, that no more than so many rows will be used.
    fn bound(&mut self, _rows: usize) {}
}

/// Compiles plans into nodes.
pub(crate) struct Compiler<'a> {
    pub(crate) query: &'a Query<PhysicalPlan>,
    pub(crate) instrumented: bool,
}

impl Compiler<'_> {
    pub(crate) fn node(&self, plan: &PhysicalPlan) -> Result<Arc<dyn Node>> {
        let node = stacker::maybe_grow(128 * 1024, 1024 * 1024, || self.bare_node(plan))?;
        Ok(if self.instrumented { instrument::wrap(plan, node) } else { node })
    }

    fn bare_node(&self, plan: &PhysicalPlan) -> Result<Arc<dyn Node>> {
        Ok(match &plan.operator {
            Plan::TableScan(scan) => crate::table_scan::compile(scan, plan)?,
            Plan::IndexScan(scan) => crate::index_scan::compile(scan, plan)?,
            Plan::SystemScan { relation, attributes, hint, filter, .. } => {
                crate::system_scan::compile(relation, attributes, hint.as_ref(), filter.as_ref(), plan)?
            }
            Plan::Values { rows } => crate::values::compile(rows, plan)?,
            Plan::FunctionScan(scan) => crate::function_scan::compile(scan, plan)?,
            Plan::CteScan { cte, source, .. } => crate::cte::compile_scan(self, *cte, source)?,
            Plan::WorkTable { cte } => crate::recursive_union::compile_work_table(*cte),
            Plan::Filter { input, predicate } => crate::filter::compile(self, input, predicate)?,
            Plan::Project { input, columns } => crate::project::compile(self, input, columns)?,
            Plan::ProjectSet { input, sets } => crate::project_set::compile(self, input, sets)?,
            Plan::NestedLoopJoin { kind, left, right, condition, lateral } => {
                crate::nested_loop::compile(self, *kind, left, right, condition.as_ref(), *lateral)?
            }
            Plan::HashJoin(join) => crate::hash_join::compile(self, join)?,
            Plan::HashAggregate { input, aggregate } => crate::hash_aggregate::compile(self, input, aggregate)?,
            Plan::Window { input, calls } => crate::window::compile(self, input, calls)?,
            Plan::Sort { input, keys } => crate::sort::compile(self, input, keys)?,
            Plan::Distinct { input, on } => crate::distinct::compile(self, input, on.as_deref())?,
            Plan::Limit { input, limit, offset, with_ties } => {
                crate::limit::compile(self, input, limit.as_ref(), offset.as_ref(), with_ties.as_deref())?
            }
            Plan::Append { inputs } => crate::append::compile(self, inputs)?,
            Plan::HashSetOperation { operator, all, left, right, left_columns, right_columns } => {
                crate::set_operation::compile(self, *operator, *all, (left, left_columns), (right, right_columns))?
            }
            Plan::RecursiveUnion { cte, initial, recursive, initial_columns, recursive_columns, all } => {
                crate::recursive_union::compile(self, *cte, (initial, initial_columns), (recursive, recursive_columns), *all)?
            }
            Plan::LockRows { input, locks } => crate::lock_rows::compile(self, input, locks)?,
            Plan::Insert(insert) => crate::insert::compile(self, insert)?,
            Plan::Update(update) => crate::update::compile(self, update)?,
            Plan::Delete(delete) => crate::delete::compile(self, delete)?,
        })
    }
}

/// The ids of a plan's columns, in order: what expressions above it compile against.
pub(crate) fn layout(plan: &PhysicalPlan) -> Vec<ColumnId> {
    ids(&plan.columns)
}

pub(crate) fn ids(columns: &[Given]) -> Vec<ColumnId> {
    columns.iter().map(|column| column.id).collect()
}

/// The positions of some columns in a layout.
pub(crate) fn positions(wanted: &[ColumnId], layout: &[ColumnId]) -> Result<Vec<usize>> {
    wanted.iter().map(|id| position(*id, layout)).collect()
}

pub(crate) fn position(wanted: ColumnId, layout: &[ColumnId]) -> Result<usize> {
    layout
        .iter()
        .position(|id| *id == wanted)
        .ok_or_else(|| Error::internal(format!("column {} is not given by the operator below", wanted.0)))
}

/// An expression with the physical type of its values.
pub(crate) struct Typed {
    pub(crate) compiled: Compiled,
    pub(crate) physical: Physical,
}

impl Typed {
    pub(crate) fn new(expression: &Expr, layout: &[ColumnId]) -> Result<Typed> {
        Ok(Typed { compiled: Compiled::new(expression, layout)?, physical: expression.ty().physical })
    }

    pub(crate) fn column(&self, batch: &Batch, context: &EvalContext) -> Result<Arc<Column>> {
        Ok(self.compiled.evaluate(batch, context)?.into_column(self.physical, batch.len))
    }

    pub(crate) fn vector(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        self.compiled.evaluate(batch, context)
    }
}

pub(crate) fn compile_all<'a>(expressions: impl IntoIterator<Item = &'a Expr>, layout: &[ColumnId]) -> Result<Vec<Typed>> {
    expressions.into_iter().map(|expression| Typed::new(expression, layout)).collect()
}

pub(crate) fn columns(expressions: &[Typed], batch: &Batch, context: &EvalContext) -> Result<Vec<Arc<Column>>> {
    expressions.iter().map(|expression| expression.column(batch, context)).collect()
}

/// The batch's columns at these positions.
pub(crate) fn pick(batch: &Batch, positions: &[usize]) -> Batch {
    Batch { columns: positions.iter().map(|&at| batch.columns[at].clone()).collect(), len: batch.len }
}

/// The first rows of a batch.
pub(crate) fn head(batch: Batch, rows: usize) -> Batch {
    slice(batch, 0, rows)
}

pub(crate) fn slice(batch: Batch, start: usize, rows: usize) -> Batch {
    if start == 0 && rows >= batch.len {
        return batch;
    }
    Batch { columns: batch.columns.iter().map(|column| Arc::new(column.slice(start, rows))).collect(), len: rows }
}
