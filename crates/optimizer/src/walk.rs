//! Walks over logical plans: children and expressions, to read and to rewrite.

use std::collections::HashSet;

use expr::{AggregateCall, ColumnId, Expr, SortKey};
use plan::logical::{Check, Computed, ConflictAction, FrameBound, FunctionSource, LogicalPlan, NewRow};

/// The plans directly below.
pub(crate) fn children(plan: &LogicalPlan) -> Vec<&LogicalPlan> {
    match plan {
        LogicalPlan::Scan(_)
        | LogicalPlan::SystemScan { .. }
        | LogicalPlan::Values { .. }
        | LogicalPlan::FunctionScan(_)
        | LogicalPlan::CteScan { .. }
        | LogicalPlan::WorkTable { .. } => Vec::new(),
        LogicalPlan::Filter { input, .. }
        | LogicalPlan::Project { input, .. }
        | LogicalPlan::ProjectSet { input, .. }
        | LogicalPlan::Window { input, .. }
        | LogicalPlan::Sort { input, .. }
        | LogicalPlan::Distinct { input, .. }
        | LogicalPlan::Limit { input, .. }
        | LogicalPlan::LockRows { input, .. } => vec![input],
        LogicalPlan::Join(join) => vec![&join.left, &join.right],
        LogicalPlan::Aggregate(aggregate) => vec![&aggregate.input],
        LogicalPlan::SetOperation(operation) => vec![&operation.left, &operation.right],
        LogicalPlan::RecursiveUnion { initial, recursive, .. } => vec![initial, recursive],
        LogicalPlan::Insert(insert) => vec![&insert.source],
        LogicalPlan::Update(update) => vec![&update.source],
        LogicalPlan::Delete(delete) => vec![&delete.source],
    }
}

pub(crate) fn children_mut(plan: &mut LogicalPlan) -> Vec<&mut LogicalPlan> {
    match plan {
        LogicalPlan::Scan(_)
        | LogicalPlan::SystemScan { .. }
        | LogicalPlan::Values { .. }
        | LogicalPlan::FunctionScan(_)
        | LogicalPlan::CteScan { .. }
        | LogicalPlan::WorkTable { .. } => Vec::new(),
        LogicalPlan::Filter { input, .. }
        | LogicalPlan::Project { input, .. }
        | LogicalPlan::ProjectSet { input, .. }
        | LogicalPlan::Window { input, .. }
        | LogicalPlan::Sort { input, .. }
        | LogicalPlan::Distinct { input, .. }
        | LogicalPlan::Limit { input, .. }
        | LogicalPlan::LockRows { input, .. } => vec![input],
        LogicalPlan::Join(join) => vec![&mut join.left, &mut join.right],
        LogicalPlan::Aggregate(aggregate) => vec![&mut aggregate.input],
        LogicalPlan::SetOperation(operation) => vec![&mut operation.left, &mut operation.right],
        LogicalPlan::RecursiveUnion { initial, recursive, .. } => vec![initial, recursive],
        LogicalPlan::Insert(insert) => vec![&mut insert.source],
        LogicalPlan::Update(update) => vec![&mut update.source],
        LogicalPlan::Delete(delete) => vec![&mut delete.source],
    }
}

/// Calls `visit` on every expression of this operator, not of those below.
pub(crate) fn for_each_expression<'a>(plan: &'a LogicalPlan, visit: &mut dyn FnMut(&'a Expr)) {
    match plan {
        LogicalPlan::Scan(_)
        | LogicalPlan::SystemScan { .. }
        | LogicalPlan::CteScan { .. }
        | LogicalPlan::WorkTable { .. }
        | LogicalPlan::SetOperation(_)
        | LogicalPlan::RecursiveUnion { .. }
        | LogicalPlan::LockRows { .. } => {}
        LogicalPlan::Values { rows, .. } => rows.iter().flatten().for_each(visit),
        LogicalPlan::FunctionScan(scan) => {
            for (source, _) in &scan.calls {
                match source {
                    FunctionSource::Set(call) => call.arguments.iter().for_each(&mut *visit),
                    FunctionSource::Expression(expression) => visit(expression),
                }
            }
        }
        LogicalPlan::Filter { predicate, .. } => visit(predicate),
        LogicalPlan::Project { columns, .. } => of_computed(columns, visit),
        LogicalPlan::ProjectSet { sets, .. } => sets.iter().flat_map(|(_, call)| &call.arguments).for_each(visit),
        LogicalPlan::Join(join) => join.condition.iter().for_each(visit),
        LogicalPlan::Aggregate(aggregate) => {
            of_computed(&aggregate.group_by, visit);
            aggregate.aggregates.iter().for_each(|(_, call)| of_call(call, visit));
        }
        LogicalPlan::Window { calls, .. } => {
            for (_, call) in calls {
                of_call(&call.call, visit);
                call.partition_by.iter().for_each(&mut *visit);
                of_keys(&call.order_by, visit);
                for bound in [&call.frame.start, &call.frame.end] {
                    if let FrameBound::Preceding(offset, _) | FrameBound::Following(offset, _) = bound {
                        visit(offset);
                    }
                }
            }
        }
        LogicalPlan::Sort { keys, .. } => of_keys(keys, visit),
        LogicalPlan::Distinct { on, .. } => on.iter().flatten().for_each(visit),
        LogicalPlan::Limit { limit, offset, with_ties, .. } => {
            limit.iter().chain(offset).for_each(&mut *visit);
            with_ties.iter().for_each(|keys| of_keys(keys, visit));
        }
        LogicalPlan::Insert(insert) => {
            insert.values.iter().for_each(&mut *visit);
            of_new_row(&insert.row, visit);
            if let Some(conflict) = &insert.on_conflict
                && let ConflictAction::Update { assignments, predicate, .. } = &conflict.action
            {
                assignments.iter().map(|(_, value)| value).chain(predicate).for_each(&mut *visit);
            }
            insert.returning.iter().for_each(|columns| of_computed(columns, visit));
        }
        LogicalPlan::Update(update) => {
            update.assignments.iter().for_each(|(_, value)| visit(value));
            of_new_row(&update.row, visit);
            update.returning.iter().for_each(|columns| of_computed(columns, visit));
        }
        LogicalPlan::Delete(delete) => delete.returning.iter().for_each(|columns| of_computed(columns, visit)),
    }
}

fn of_computed<'a>(columns: &'a [Computed], visit: &mut dyn FnMut(&'a Expr)) {
    columns.iter().for_each(|column| visit(&column.expression));
}

fn of_keys<'a>(keys: &'a [SortKey], visit: &mut dyn FnMut(&'a Expr)) {
    keys.iter().for_each(|key| visit(&key.expression));
}

fn of_call<'a>(call: &'a AggregateCall, visit: &mut dyn FnMut(&'a Expr)) {
    call.arguments.iter().chain(&call.direct_arguments).chain(&call.filter).for_each(&mut *visit);
    of_keys(&call.order_by, visit);
}

fn of_new_row<'a>(row: &'a NewRow, visit: &mut dyn FnMut(&'a Expr)) {
    row.generated.iter().for_each(|(_, expression)| visit(expression));
    row.checks.iter().chain(&row.view_checks).for_each(|Check { expression, .. }| visit(expression));
}

/// Whether some expression of the plan or below reads one of the columns.
pub(crate) fn reads(plan: &LogicalPlan, columns: &HashSet<ColumnId>) -> bool {
    let mut found = false;
    for_each_expression(plan, &mut |expression| found = found || crate::columns::reads_any(expression, columns));
    found || children(plan).into_iter().any(|child| reads(child, columns))
}

/// Replaces columns by expressions, everywhere but inside subqueries' plans.
pub(crate) fn substitute(expression: &mut Expr, replacement: &dyn Fn(ColumnId) -> Option<Expr>) {
    if let Expr::Column { id, .. } = expression {
        if let Some(new) = replacement(*id) {
            *expression = new;
        }
        return;
    }
    expression.for_each_child_mut(&mut |child| substitute(child, replacement));
}

/// Whether a subquery inside the expression reads one of the columns: those cannot be replaced.
pub(crate) fn subquery_reads(expression: &Expr, columns: &dyn Fn(ColumnId) -> bool) -> bool {
    expression.any(&|node| matches!(node, Expr::Subquery(subquery) if subquery.outer.iter().any(|(id, _)| columns(*id))))
}

/// Whether an expression holds a subquery.
pub(crate) fn has_subquery(expression: &Expr) -> bool {
    expression.any(&|node| matches!(node, Expr::Subquery(_)))
}

/// The columns that a plan and those below read but none of them gives: columns of the queries around.
pub(crate) fn free_columns(plan: &LogicalPlan) -> HashSet<ColumnId> {
    let (mut read, mut given) = (HashSet::new(), HashSet::new());
    collect_columns(plan, &mut read, &mut given);
    read.retain(|id| !given.contains(id));
    read
}

fn collect_columns(plan: &LogicalPlan, read: &mut HashSet<ColumnId>, given: &mut HashSet<ColumnId>) {
    for_each_expression(plan, &mut |expression| read.extend(expression.columns()));
    let below = children(plan);
    match plan {
        // What these give is what is below them, or their own.
        LogicalPlan::Filter { .. }
        | LogicalPlan::Join(_)
        | LogicalPlan::Sort { .. }
        | LogicalPlan::Distinct { .. }
        | LogicalPlan::Limit { .. }
        | LogicalPlan::LockRows { .. } => {}
        LogicalPlan::ProjectSet { sets, .. } => given.extend(sets.iter().map(|(id, _)| *id)),
        LogicalPlan::Window { calls, .. } => given.extend(calls.iter().map(|(id, _)| *id)),
        LogicalPlan::Insert(insert) => {
            given.extend(insert.row.columns.iter().map(|column| column.id));
            if let Some(conflict) = &insert.on_conflict
                && let ConflictAction::Update { existing, excluded, .. } = &conflict.action
            {
                given.extend(existing.iter().chain(excluded).map(|column| column.id));
            }
        }
        LogicalPlan::Update(update) => given.extend(update.row.columns.iter().map(|column| column.id)),
        plan => given.extend(crate::columns::output(plan).iter().map(|column| column.id)),
    }
    below.into_iter().for_each(|child| collect_columns(child, read, given));
}
