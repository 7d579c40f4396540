//! The optimizer: from what a statement means to how it is computed.
//!
//! 1. Rules rewrite the logical plan, one a file.
//! 2. [`physical`] chooses an algorithm for each operator: access paths, join methods, with estimates of rows and costs.
//!
//! **Invariants.** A rule never changes a statement's result, nor which expressions with effects run, nor how often.
//! **Does not know** rows, sessions, transactions. What it may know of a table's content it asks through [`Statistics`].

pub mod column_statistics;
mod columns;
mod conjuncts;
mod decorrelate;
mod null_rejection;
mod physical;
mod prune_columns;
mod push_down_filter;
mod push_down_semi_join;
pub mod sampling;
mod simplify_condition;
mod transitivity;
mod walk;

use std::collections::HashSet;

use catalog::Catalog;
use expr::Expr;
use plan::{Query, logical::LogicalPlan, physical::PhysicalPlan, statement::Cte, statement::Subplan};
use storage::TableId;
use types::{Datum, Result};

/// What is known of the tables' content.
pub trait Statistics {
    /// Rows of a table.
    fn row_count(&self, table: TableId) -> Option<f64>;
    /// Different values of an attribute. Asked only where plans depend on it; [`sampling`] can answer.
    fn distinct(&self, table: TableId, attribute: usize) -> Option<f64>;
    /// The share of an attribute's values that are less than this one. Asked as [`Statistics::distinct`] is.
    fn share_below(&self, table: TableId, attribute: usize, value: &Datum) -> Option<f64>;
}

/// Chooses how to compute a bound statement.
pub fn optimize(mut query: Query<LogicalPlan>, catalog: &Catalog, statistics: &dyn Statistics) -> Result<Query<PhysicalPlan>> {
    rewrite(&mut query);
    let used = used_subplans(&query);
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
        .enumerate()
        .map(|(number, subplan)| {
            // The plan of a subquery that has become a join keeps its place only.
            let plan = if used.contains(&number) { subplan.plan } else { empty(&subplan.plan) };
            Ok(Subplan { plan: planner.plan(plan)?, output: subplan.output })
        })
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

/// Applies the rules, to the plans of subqueries and of WITH too.
fn rewrite(query: &mut Query<LogicalPlan>) {
    if !query.subplans.is_empty() {
        let subplans = std::mem::take(&mut query.subplans);
        let mut decorrelation = decorrelate::Decorrelation::new(&subplans, &mut query.next_column);
        decorrelation.apply(&mut query.root);
        query.ctes.iter_mut().for_each(|cte| decorrelation.apply(&mut cte.plan));
        let mut rewritten = subplans.clone();
        rewritten.iter_mut().for_each(|subplan| decorrelation.apply(&mut subplan.plan));
        query.subplans = rewritten;
    }
    push_down(&mut query.root);
    query.subplans.iter_mut().for_each(|subplan| push_down(&mut subplan.plan));
    query.ctes.iter_mut().for_each(|cte| push_down(&mut cte.plan));
    prune_columns::apply(query);
}

fn push_down(plan: &mut LogicalPlan) {
    let taken = std::mem::replace(plan, LogicalPlan::Values { rows: Vec::new(), columns: Vec::new() });
    *plan = push_down_filter::apply(taken);
}

fn empty(plan: &LogicalPlan) -> LogicalPlan {
    LogicalPlan::Values { rows: Vec::new(), columns: columns::output(plan) }
}

/// The numbers of the subplans that some expression still runs.
fn used_subplans(query: &Query<LogicalPlan>) -> HashSet<usize> {
    let mut used = HashSet::new();
    let mut pending: Vec<&LogicalPlan> = std::iter::once(&query.root).chain(query.ctes.iter().map(|cte| &cte.plan)).collect();
    while let Some(plan) = pending.pop() {
        pending.extend(walk::children(plan));
        let mut found = Vec::new();
        walk::for_each_expression(plan, &mut |expression| note_subplans(expression, &mut found));
        for number in found {
            if used.insert(number) {
                pending.extend(query.subplans.get(number).map(|subplan| &subplan.plan));
            }
        }
    }
    used
}

fn note_subplans(expression: &Expr, found: &mut Vec<usize>) {
    if let Expr::Subquery(subquery) = expression {
        found.push(subquery.plan.0 as usize);
    }
    expression.for_each_child(&mut |child| note_subplans(child, found));
}
