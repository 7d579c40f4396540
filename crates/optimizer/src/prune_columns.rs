//! Drops columns that nothing reads, from the top down. Column ids are unique in a statement, so one set of read columns serves it all.

use std::collections::HashSet;

use expr::{ColumnId, Expr};
use plan::{
    Query,
    logical::{Computed, LogicalPlan},
};

use crate::{
    columns::output,
    walk::{children_mut, for_each_expression, free_columns},
};

/// Prunes a whole statement.
pub(crate) fn apply(query: &mut Query<LogicalPlan>) {
    let mut needed: HashSet<ColumnId> = query.output.iter().map(|column| column.id).collect();
    for subplan in &query.subplans {
        needed.extend(subplan.output.iter().copied());
        needed.extend(free_columns(&subplan.plan));
    }
    for cte in &query.ctes {
        needed.extend(cte.output.iter().copied());
        needed.extend(free_columns(&cte.plan));
    }
    prune(&mut query.root, &mut needed);
    for subplan in &mut query.subplans {
        prune(&mut subplan.plan, &mut needed);
    }
    for cte in query.ctes.iter_mut().rev() {
        prune(&mut cte.plan, &mut needed);
    }
}

fn prune(plan: &mut LogicalPlan, needed: &mut HashSet<ColumnId>) {
    stacker::maybe_grow(128 * 1024, 1024 * 1024, || {
        if prune_filtered_scan(plan, needed) {
            return;
        }
        prune_operator(plan, needed);
        for_each_expression(plan, &mut |expression| needed.extend(expression.columns()));
        for child in children_mut(plan) {
            prune(child, needed);
        }
    });
}

/// Drops what this operator computes in vain and notes what it reads by position or name.
fn prune_operator(plan: &mut LogicalPlan, needed: &mut HashSet<ColumnId>) {
    match plan {
        LogicalPlan::Scan(scan) => {
            scan.columns.retain(|(_, column)| needed.contains(&column.id));
            scan.system.retain(|(_, column)| needed.contains(&column.id));
            scan.row_id = scan.row_id.filter(|id| needed.contains(id));
        }
        LogicalPlan::SystemScan { columns, .. } => columns.retain(|(_, column)| needed.contains(&column.id)),
        LogicalPlan::CteScan { columns, .. } => columns.retain(|(_, column)| needed.contains(&column.id)),
        LogicalPlan::Project { columns, .. } => {
            columns.retain(|column| needed.contains(&column.id) || column.expression.is_volatile());
        }
        LogicalPlan::Aggregate(aggregate) => {
            aggregate.aggregates.retain(|(id, _)| needed.contains(id));
            aggregate.grouping.retain(|(id, _)| needed.contains(id));
        }
        LogicalPlan::Window { calls, .. } => calls.retain(|(id, _)| needed.contains(id)),
        LogicalPlan::Distinct { input, on: None } => needed.extend(output(input).iter().map(|column| column.id)),
        LogicalPlan::SetOperation(operation) => {
            needed.extend(operation.left_columns.iter().chain(&operation.right_columns));
        }
        LogicalPlan::RecursiveUnion { initial_columns, recursive_columns, .. } => {
            needed.extend(initial_columns.iter().chain(recursive_columns.iter()));
        }
        LogicalPlan::Join(join) if join.lateral => needed.extend(free_columns(&join.right)),
        LogicalPlan::LockRows { locks, .. } => needed.extend(locks.iter().map(|lock| lock.row_id)),
        LogicalPlan::Update(update) => {
            needed.insert(update.row_id);
            needed.extend(update.old_row.iter().flatten().map(|column| column.id));
        }
        LogicalPlan::Delete(delete) => {
            needed.insert(delete.row_id);
            needed.extend(delete.old_row.iter().flatten().map(|column| column.id));
        }
        _ => {}
    }
}

/// Columns that only a scan's filter reads are not to leave the scan: a projection above it says so.
fn prune_filtered_scan(plan: &mut LogicalPlan, needed: &mut HashSet<ColumnId>) -> bool {
    let LogicalPlan::Filter { input, predicate } = plan else { return false };
    if !matches!(**input, LogicalPlan::Scan(_)) {
        return false;
    }
    let hidden: Vec<ColumnId> = predicate.columns().into_iter().filter(|id| !needed.contains(id)).collect();
    needed.extend(&hidden);
    prune_operator(input, needed);
    let given = output(input);
    let kept: Vec<Computed> = given
        .iter()
        .filter(|column| !hidden.contains(&column.id))
        .map(|column| Computed { id: column.id, expression: Expr::Column { id: column.id, ty: column.ty } })
        .collect();
    if kept.len() < given.len() {
        let filter = std::mem::replace(plan, LogicalPlan::Values { rows: Vec::new(), columns: Vec::new() });
        *plan = LogicalPlan::Project { input: Box::new(filter), columns: kept };
    }
    true
}
