//! The optimizer: from what a statement means to how it is computed.
//!
//! 1. Rules rewrite the logical plan, one a file.
//! 2. [`physical`] chooses an algorithm for each operator: access paths, join methods, with estimates of rows and costs.
//!
//! **Invariants.** A rule never changes a statement's result, nor which expressions with effects run, nor how often.
//! **Does not know** rows, sessions, transactions. What it may know of a table's content it asks through [`Statistics`].

mod columns;
mod conjuncts;
mod physical;

use catalog::Catalog;
use plan::{Query, logical::LogicalPlan, physical::PhysicalPlan, statement::Cte, statement::Subplan};
use storage::TableId;
use types::Result;

/// What is known of the tables' content.
pub trait Statistics {
    /// Rows of a table.
    fn row_count(&self, table: TableId) -> Option<f64>;
    /// Different values of an attribute.
    fn distinct(&self, table: TableId, attribute: usize) -> Option<f64>;
}

/// Chooses how to compute a bound statement.
pub fn optimize(query: Query<LogicalPlan>, catalog: &Catalog, statistics: &dyn Statistics) -> Result<Query<PhysicalPlan>> {
    let mut planner = physical::Planner::new(catalog, statistics);
    let ctes = query
        .ctes
        .into_iter()
        .map(|cte| {
            let plan = planner.plan(cte.plan)?;
            planner.note_cte(plan.estimate);
            Ok(Cte { name: cte.name, plan, output: cte.output, modifies: cte.modifies })
        })
        .collect::<Result<_>>()?;
    let subplans = query
        .subplans
        .into_iter()
        .map(|subplan| Ok(Subplan { plan: planner.plan(subplan.plan)?, output: subplan.output }))
        .collect::<Result<_>>()?;
    Ok(Query {
        root: planner.plan(query.root)?,
        output: query.output,
        subplans,
        ctes,
        command: query.command,
        next_column: query.next_column,
    })
}
