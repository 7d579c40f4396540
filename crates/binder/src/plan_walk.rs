//! Walks over logical plans: every expression of a plan, its inputs included (subplans of expressions are left alone).

use expr::{AggregateCall, ColumnId, Expr, SortKey};
use plan::logical::{ConflictAction, FrameBound, FunctionSource, LogicalPlan, NewRow};
use types::SqlType;

/// The direct inputs of an operator.
pub(crate) fn inputs(plan: &LogicalPlan) -> Vec<&LogicalPlan> {
    use LogicalPlan as P;
    match plan {
        P::Scan(_) | P::SystemScan { .. } | P::Values { .. } | P::FunctionScan(_) | P::CteScan { .. } | P::WorkTable { .. } => {
            Vec::new()
        }
        P::Filter { input, .. }
        | P::Project { input, .. }
        | P::ProjectSet { input, .. }
        | P::Window { input, .. }
        | P::Sort { input, .. }
        | P::Distinct { input, .. }
        | P::Limit { input, .. }
        | P::LockRows { input, .. } => vec![input],
        P::Join(join) => vec![&join.left, &join.right],
        P::Aggregate(aggregate) => vec![&aggregate.input],
        P::SetOperation(operation) => vec![&operation.left, &operation.right],
        P::RecursiveUnion { initial, recursive, .. } => vec![initial, recursive],
        P::Insert(insert) => vec![&insert.source],
        P::Update(update) => vec![&update.source],
        P::Delete(delete) => vec![&delete.source],
    }
}

/// The direct inputs, for rewriting.
pub(crate) fn inputs_mut(plan: &mut LogicalPlan) -> Vec<&mut LogicalPlan> {
    use LogicalPlan as P;
    match plan {
        P::Scan(_) | P::SystemScan { .. } | P::Values { .. } | P::FunctionScan(_) | P::CteScan { .. } | P::WorkTable { .. } => {
            Vec::new()
        }
        P::Filter { input, .. }
        | P::Project { input, .. }
        | P::ProjectSet { input, .. }
        | P::Window { input, .. }
        | P::Sort { input, .. }
        | P::Distinct { input, .. }
        | P::Limit { input, .. }
        | P::LockRows { input, .. } => vec![input],
        P::Join(join) => vec![&mut join.left, &mut join.right],
        P::Aggregate(aggregate) => vec![&mut aggregate.input],
        P::SetOperation(operation) => vec![&mut operation.left, &mut operation.right],
        P::RecursiveUnion { initial, recursive, .. } => vec![initial, recursive],
        P::Insert(insert) => vec![&mut insert.source],
        P::Update(update) => vec![&mut update.source],
        P::Delete(delete) => vec![&mut delete.source],
    }
}

fn sort_keys(keys: &[SortKey]) -> impl Iterator<Item = &Expr> {
    keys.iter().map(|key| &key.expression)
}

/// Every expression of an aggregate call.
pub(crate) fn call_expressions(call: &AggregateCall) -> impl Iterator<Item = &Expr> {
    call.arguments.iter().chain(&call.direct_arguments).chain(&call.filter).chain(sort_keys(&call.order_by))
}

fn new_row(row: &NewRow) -> impl Iterator<Item = &Expr> {
    let checks = row.checks.iter().chain(&row.view_checks).map(|check| &check.expression);
    row.generated.iter().map(|(_, expr)| expr).chain(checks)
}

/// The expressions of one operator.
pub(crate) fn expressions(plan: &LogicalPlan) -> Vec<&Expr> {
    use LogicalPlan as P;
    match plan {
        P::Scan(_)
        | P::SystemScan { .. }
        | P::CteScan { .. }
        | P::WorkTable { .. }
        | P::LockRows { .. }
        | P::SetOperation(_)
        | P::RecursiveUnion { .. } => Vec::new(),
        P::Values { rows, .. } => rows.iter().flatten().collect(),
        P::FunctionScan(scan) => scan
            .calls
            .iter()
            .flat_map(|(source, _)| match source {
                FunctionSource::Set(call) => call.arguments.iter().collect::<Vec<_>>(),
                FunctionSource::Expression(expr) => vec![expr],
            })
            .collect(),
        P::Filter { predicate, .. } => vec![predicate],
        P::Project { columns, .. } => columns.iter().map(|column| &column.expression).collect(),
        P::ProjectSet { sets, .. } => sets.iter().flat_map(|(_, call)| &call.arguments).collect(),
        P::Join(join) => join.condition.iter().collect(),
        P::Aggregate(aggregate) => aggregate
            .group_by
            .iter()
            .map(|column| &column.expression)
            .chain(aggregate.aggregates.iter().flat_map(|(_, call)| call_expressions(call)))
            .collect(),
        P::Window { calls, .. } => calls
            .iter()
            .flat_map(|(_, window)| {
                let frame = [&window.frame.start, &window.frame.end].into_iter().filter_map(|at| match at {
                    FrameBound::Preceding(expr, _) | FrameBound::Following(expr, _) => Some(expr),
                    _ => None,
                });
                call_expressions(&window.call).chain(&window.partition_by).chain(sort_keys(&window.order_by)).chain(frame)
            })
            .collect(),
        P::Sort { keys, .. } => sort_keys(keys).collect(),
        P::Distinct { on, .. } => on.iter().flatten().collect(),
        P::Limit { limit, offset, with_ties, .. } => {
            limit.iter().chain(offset).chain(with_ties.iter().flat_map(|keys| sort_keys(keys))).collect()
        }
        P::Insert(insert) => {
            let conflict = insert.on_conflict.iter().flat_map(|conflict| match &conflict.action {
                ConflictAction::Nothing => Vec::new(),
                ConflictAction::Update { assignments, predicate, .. } => {
                    assignments.iter().map(|(_, expr)| expr).chain(predicate).collect::<Vec<_>>()
                }
            });
            let returning = insert.returning.iter().flatten().map(|column| &column.expression);
            insert.values.iter().chain(new_row(&insert.row)).chain(conflict).chain(returning).collect()
        }
        P::Update(update) => {
            let returning = update.returning.iter().flatten().map(|column| &column.expression);
            update.assignments.iter().map(|(_, expr)| expr).chain(new_row(&update.row)).chain(returning).collect()
        }
        P::Delete(delete) => delete.returning.iter().flatten().map(|column| &column.expression).collect(),
    }
}

/// Columns that a plan's expressions mention and that satisfy the test, each once.
pub(crate) fn columns_read(plan: &LogicalPlan, wanted: &dyn Fn(ColumnId) -> bool) -> Vec<(ColumnId, SqlType)> {
    fn from_expr(expr: &Expr, wanted: &dyn Fn(ColumnId) -> bool, found: &mut Vec<(ColumnId, SqlType)>) {
        let mut note = |id: ColumnId, ty: SqlType| {
            if wanted(id) && !found.iter().any(|(known, _)| *known == id) {
                found.push((id, ty));
            }
        };
        match expr {
            Expr::Column { id, ty } => note(*id, *ty),
            Expr::Subquery(subquery) => subquery.outer.iter().for_each(|(id, ty)| note(*id, *ty)),
            _ => {}
        }
        expr.for_each_child(&mut |child| from_expr(child, wanted, found));
    }
    fn from_plan(plan: &LogicalPlan, wanted: &dyn Fn(ColumnId) -> bool, found: &mut Vec<(ColumnId, SqlType)>) {
        for expr in expressions(plan) {
            from_expr(expr, wanted, found);
        }
        for input in inputs(plan) {
            crate::deep::step(|| from_plan(input, wanted, found));
        }
    }
    let mut found = Vec::new();
    from_plan(plan, wanted, &mut found);
    found
}

/// Replaces a column in every expression of a plan; subplans that read it are collected for the caller.
pub(crate) fn rename_column(plan: &mut LogicalPlan, old: ColumnId, new: ColumnId, subplans: &mut Vec<expr::SubplanId>) {
    for_each_expression_mut(plan, &mut |expr| rename_in_expression(expr, old, new, subplans));
    for input in inputs_mut(plan) {
        rename_column(input, old, new, subplans);
    }
}

fn rename_in_expression(expr: &mut Expr, old: ColumnId, new: ColumnId, subplans: &mut Vec<expr::SubplanId>) {
    match expr {
        Expr::Column { id, .. } if *id == old => *id = new,
        Expr::Subquery(subquery) => {
            for (id, _) in &mut subquery.outer {
                if *id == old {
                    *id = new;
                    subplans.push(subquery.plan);
                }
            }
        }
        _ => {}
    }
    expr.for_each_child_mut(&mut |child| rename_in_expression(child, old, new, subplans));
}

fn for_each_call_mut(call: &mut AggregateCall, visit: &mut dyn FnMut(&mut Expr)) {
    call.arguments.iter_mut().chain(&mut call.direct_arguments).chain(&mut call.filter).for_each(&mut *visit);
    call.order_by.iter_mut().for_each(|key| visit(&mut key.expression));
}

/// Every expression of a window call, for rewriting.
pub(crate) fn for_each_window_mut(window: &mut plan::logical::WindowCall, visit: &mut dyn FnMut(&mut Expr)) {
    for_each_call_mut(&mut window.call, visit);
    window.partition_by.iter_mut().for_each(&mut *visit);
    window.order_by.iter_mut().for_each(|key| visit(&mut key.expression));
    for bound in [&mut window.frame.start, &mut window.frame.end] {
        if let FrameBound::Preceding(expr, _) | FrameBound::Following(expr, _) = bound {
            visit(expr);
        }
    }
}

/// Every expression of one operator that can stand in a subquery, for rewriting.
fn for_each_expression_mut(plan: &mut LogicalPlan, visit: &mut dyn FnMut(&mut Expr)) {
    use LogicalPlan as P;
    match plan {
        P::Values { rows, .. } => rows.iter_mut().flatten().for_each(visit),
        P::FunctionScan(scan) => scan.calls.iter_mut().for_each(|(source, _)| match source {
            FunctionSource::Set(call) => call.arguments.iter_mut().for_each(&mut *visit),
            FunctionSource::Expression(expr) => visit(expr),
        }),
        P::Filter { predicate, .. } => visit(predicate),
        P::Project { columns, .. } => columns.iter_mut().for_each(|column| visit(&mut column.expression)),
        P::ProjectSet { sets, .. } => sets.iter_mut().flat_map(|(_, call)| &mut call.arguments).for_each(visit),
        P::Join(join) => join.condition.iter_mut().for_each(visit),
        P::Aggregate(aggregate) => {
            aggregate.group_by.iter_mut().for_each(|column| visit(&mut column.expression));
            aggregate.aggregates.iter_mut().for_each(|(_, call)| for_each_call_mut(call, visit));
        }
        P::Window { calls, .. } => calls.iter_mut().for_each(|(_, window)| for_each_window_mut(window, visit)),
        P::Sort { keys, .. } => keys.iter_mut().for_each(|key| visit(&mut key.expression)),
        P::Distinct { on, .. } => on.iter_mut().flatten().for_each(visit),
        P::Limit { limit, offset, with_ties, .. } => {
            limit.iter_mut().chain(offset).for_each(&mut *visit);
            with_ties.iter_mut().flatten().for_each(|key| visit(&mut key.expression));
        }
        _ => {}
    }
}

/// Whether any expression of a plan, its inputs included, satisfies the test.
pub(crate) fn any_expression(plan: &LogicalPlan, test: &dyn Fn(&Expr) -> bool) -> bool {
    expressions(plan).into_iter().any(test) || inputs(plan).into_iter().any(|input| any_expression(input, test))
}

/// Whether a volatile set-returning function is called anywhere in a plan.
pub(crate) fn calls_volatile_set(plan: &LogicalPlan) -> bool {
    let own = match plan {
        LogicalPlan::ProjectSet { sets, .. } => sets.iter().any(|(_, call)| call.function.volatility == 'v'),
        LogicalPlan::FunctionScan(scan) => {
            scan.calls.iter().any(|(source, _)| matches!(source, FunctionSource::Set(call) if call.function.volatility == 'v'))
        }
        _ => false,
    };
    own || inputs(plan).into_iter().any(calls_volatile_set)
}
