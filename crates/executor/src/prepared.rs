//! A plan made ready to run: compiled once, shared between sessions and executions.

use std::sync::Arc;

use expr::{Batch, ColumnId, EvalContext};
use plan::{Query, physical::PhysicalPlan, statement::CteId};
use types::Result;

use crate::{
    Execution, Tables,
    cte::CteNode,
    node::{Compiler, Node, layout, positions},
    run::{Run, Shared, WorkTable},
    subplan::{SubplanNode, Subplans},
};

/// A compiled query or data-modifying statement.
pub struct Prepared {
    pub(crate) query: Arc<Query<PhysicalPlan>>,
    pub(crate) root: Arc<dyn Node>,
    /// Where the output columns are among the root's; None when they are all of them in order.
    pub(crate) output: Option<Vec<usize>>,
    pub(crate) subplans: Vec<SubplanNode>,
    pub(crate) ctes: Vec<CteNode>,
    pub(crate) instrumented: bool,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("query", &self.query).finish_non_exhaustive()
    }
}

impl Prepared {
    /// Compiles every operator and expression.
    ///
    /// Errors: 0A000 for a function without an implementation.
    pub fn new(query: Arc<Query<PhysicalPlan>>) -> Result<Prepared> {
        Prepared::compile(query, false)
    }

    /// Like [`Prepared::new`]; executions also count rows and time (EXPLAIN ANALYZE).
    pub fn instrumented(query: Arc<Query<PhysicalPlan>>) -> Result<Prepared> {
        Prepared::compile(query, true)
    }

    fn compile(query: Arc<Query<PhysicalPlan>>, instrumented: bool) -> Result<Prepared> {
        let compiler = Compiler { query: &query, instrumented };
        let root = compiler.node(&query.root)?;
        let wanted: Vec<ColumnId> = query.output.iter().map(|column| column.id).collect();
        let given = layout(&query.root);
        let output = if wanted == given { None } else { Some(positions(&wanted, &given)?) };
        let subplans = query.subplans.iter().map(|subplan| SubplanNode::compile(&compiler, subplan)).collect::<Result<_>>()?;
        let ctes = query.ctes.iter().map(|cte| CteNode::compile(&compiler, cte)).collect::<Result<_>>()?;
        Ok(Prepared { root, output, subplans, ctes, instrumented, query })
    }

    pub fn query(&self) -> &Arc<Query<PhysicalPlan>> {
        &self.query
    }

    /// Begins an execution over a view. Tables are asked for lazily, each once.
    pub fn open(self: &Arc<Prepared>, tables: Arc<dyn Tables>, mut context: EvalContext) -> Result<Execution> {
        let shared = Arc::new(Shared::new(self.clone(), tables));
        if !self.subplans.is_empty() {
            context.subplans = Arc::new(Subplans::new(shared.clone()));
        }
        let run = Run { context, shared, work: None };
        Execution::new(run, self.root.clone())
    }

    /// Like [`Prepared::open`], for a plan whose `WorkTable` of this id reads rows that the caller has: COPY FROM.
    pub fn open_with_input(
        self: &Arc<Prepared>,
        tables: Arc<dyn Tables>,
        mut context: EvalContext,
        input: CteId,
        batches: Vec<Batch>,
    ) -> Result<Execution> {
        let shared = Arc::new(Shared::new(self.clone(), tables));
        if !self.subplans.is_empty() {
            context.subplans = Arc::new(Subplans::new(shared.clone()));
        }
        let work = WorkTable { cte: input, batches, outer: None };
        let run = Run { context, shared, work: Some(Arc::new(work)) };
        Execution::new(run, self.root.clone())
    }
}
