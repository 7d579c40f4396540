//! Compact text of logical plans, for the golden tests: one operator a line, inputs indented, columns as `#id`.

use std::fmt::Write;

use expr::{AggregateCall, ColumnId, Expr, SortKey, expression::SubqueryKind};
use plan::{
    Bound,
    logical::{Computed, ConflictAction, FunctionSource, LogicalPlan},
};

/// The whole bound statement.
pub(crate) fn statement(bound: &Bound) -> String {
    let mut out = String::new();
    write_plan(&bound.query.root, 0, &mut out);
    for (at, subplan) in bound.query.subplans.iter().enumerate() {
        let _ = writeln!(out, "subplan {at}:");
        write_plan(&subplan.plan, 1, &mut out);
    }
    for (at, cte) in bound.query.ctes.iter().enumerate() {
        let _ = writeln!(out, "cte {at} {}:", cte.name);
        write_plan(&cte.plan, 1, &mut out);
    }
    out
}

fn list<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    items.iter().map(print).collect::<Vec<_>>().join(", ")
}

fn id(id: ColumnId) -> String {
    format!("#{}", id.0)
}

fn computed(columns: &[Computed]) -> String {
    list(columns, |column| match &column.expression {
        Expr::Column { id: same, .. } if *same == column.id => id(column.id),
        other => format!("{}={}", id(column.id), expr(other)),
    })
}

fn keys(keys: &[SortKey]) -> String {
    list(keys, |key| format!("{}{}", expr(&key.expression), if key.descending { " desc" } else { "" }))
}

fn call(call: &AggregateCall) -> String {
    let distinct = if call.distinct { "distinct " } else { "" };
    let filter = call.filter.as_ref().map_or(String::new(), |filter| format!(" filter {}", expr(filter)));
    let order = if call.order_by.is_empty() { String::new() } else { format!(" order {}", keys(&call.order_by)) };
    format!("{}({distinct}{}{order}){filter}", call.function.name, list(&call.arguments, expr))
}

/// An expression, types only where a cast is.
pub(crate) fn expr(expression: &Expr) -> String {
    match expression {
        Expr::Constant { value, .. } => format!("{value:?}"),
        Expr::Column { id: column, .. } => id(*column),
        Expr::Parameter { index, ty } => format!("${}:{}", index + 1, ty.oid),
        Expr::Call { function, arguments, .. } => format!("{}({})", function.source, list(arguments, expr)),
        Expr::And(terms) => format!("and({})", list(terms, expr)),
        Expr::Or(terms) => format!("or({})", list(terms, expr)),
        Expr::Not(operand) => format!("not({})", expr(operand)),
        Expr::IsNull { operand, negated } => format!("{}({})", if *negated { "notnull" } else { "isnull" }, expr(operand)),
        Expr::Case { branches, otherwise, .. } => {
            let whens = list(branches, |(condition, result)| format!("{} -> {}", expr(condition), expr(result)));
            format!("case({whens}, else {})", expr(otherwise))
        }
        Expr::Coalesce { arguments, .. } => format!("coalesce({})", list(arguments, expr)),
        Expr::Row { fields, .. } => format!("row({})", list(fields, expr)),
        Expr::ArrayCompare { left, array, function, all, .. } => {
            format!("{} {} {}({})", expr(left), function.source, if *all { "all" } else { "any" }, expr(array))
        }
        Expr::Cast { operand, ty, .. } => format!("{}::{}[{}]", expr(operand), ty.oid, ty.typmod),
        Expr::Subquery(subquery) => {
            let kind = match &subquery.kind {
                SubqueryKind::Scalar => "scalar".to_string(),
                SubqueryKind::Exists => "exists".to_string(),
                SubqueryKind::Compare { left, all, .. } => format!("{} {}", if *all { "all" } else { "any" }, list(left, expr)),
                SubqueryKind::Array { .. } => "array".to_string(),
                SubqueryKind::Row => "row".to_string(),
            };
            format!("subplan {}({kind}; outer {})", subquery.plan.0, list(&subquery.outer, |(column, _)| id(*column)))
        }
        Expr::Session { value, .. } => format!("{value:?}"),
        other => format!("{other:?}"),
    }
}

fn write_plan(plan: &LogicalPlan, depth: usize, out: &mut String) {
    let line = describe(plan);
    let _ = writeln!(out, "{}{line}", "  ".repeat(depth));
    for input in crate::plan_walk::inputs(plan) {
        write_plan(input, depth + 1, out);
    }
}

fn describe(plan: &LogicalPlan) -> String {
    use LogicalPlan as P;
    match plan {
        P::Scan(scan) => {
            let row_id = scan.row_id.map_or(String::new(), |column| format!(" row {}", id(column)));
            let columns = list(&scan.columns, |(at, given)| format!("{}={}", id(given.id), scan.relation.attributes[*at].name));
            format!("Scan {} [{columns}]{row_id}", scan.alias)
        }
        P::SystemScan { alias, columns, .. } => format!("SystemScan {alias} [{}]", list(columns, |(_, given)| id(given.id))),
        P::Values { rows, columns } => {
            format!("Values [{}] {}", list(columns, |given| id(given.id)), list(rows, |row| format!("({})", list(row, expr))))
        }
        P::FunctionScan(scan) => {
            let calls = list(&scan.calls, |(source, columns)| {
                let call = match source {
                    FunctionSource::Set(call) => format!("{}({})", call.function.name, list(&call.arguments, expr)),
                    FunctionSource::Expression(one) => expr(one),
                };
                format!("{call} -> {}", list(columns, |given| id(given.id)))
            });
            format!("FunctionScan {} {calls}", scan.alias)
        }
        P::CteScan { cte, columns, .. } => {
            format!("CteScan {} [{}]", cte.0, list(columns, |(source, given)| format!("{}={}", id(given.id), id(*source))))
        }
        P::WorkTable { cte, columns } => format!("WorkTable {} [{}]", cte.0, list(columns, |given| id(given.id))),
        P::Filter { predicate, .. } => format!("Filter {}", expr(predicate)),
        P::Project { columns, .. } => format!("Project {}", computed(columns)),
        P::ProjectSet { sets, .. } => format!(
            "ProjectSet {}",
            list(sets, |(column, call)| format!("{}={}({})", id(*column), call.function.name, list(&call.arguments, expr)))
        ),
        P::Join(join) => {
            let condition = join.condition.as_ref().map_or(String::new(), |condition| format!(" on {}", expr(condition)));
            format!("{:?}Join{}{condition}", join.kind, if join.lateral { " lateral" } else { "" })
        }
        P::Aggregate(aggregate) => {
            let sets = aggregate.sets.as_ref().map_or(String::new(), |sets| format!(" sets {sets:?}"));
            let calls = list(&aggregate.aggregates, |(column, one)| format!("{}={}", id(*column), call(one)));
            format!("Aggregate by [{}] [{calls}]{sets}", computed(&aggregate.group_by))
        }
        P::Window { calls, .. } => format!(
            "Window {}",
            list(calls, |(column, window)| format!(
                "{}={} over (by {} order {})",
                id(*column),
                call(&window.call),
                list(&window.partition_by, expr),
                keys(&window.order_by)
            ))
        ),
        P::Sort { keys: sort, .. } => format!("Sort {}", keys(sort)),
        P::Distinct { on, .. } => format!("Distinct {}", on.as_ref().map_or(String::new(), |on| list(on, expr))),
        P::Limit { limit, offset, with_ties, .. } => {
            let part = |part: &Option<Expr>| part.as_ref().map_or("-".to_string(), expr);
            format!("Limit {} offset {}{}", part(limit), part(offset), if with_ties.is_some() { " with ties" } else { "" })
        }
        P::SetOperation(operation) => format!(
            "{:?}{} [{}] of [{}] [{}]",
            operation.operator,
            if operation.all { " all" } else { "" },
            list(&operation.columns, |given| id(given.id)),
            list(&operation.left_columns, |column| id(*column)),
            list(&operation.right_columns, |column| id(*column)),
        ),
        P::RecursiveUnion { cte, columns, all, .. } => {
            format!("RecursiveUnion {} [{}]{}", cte.0, list(columns, |given| id(given.id)), if *all { " all" } else { "" })
        }
        P::LockRows { locks, .. } => {
            format!("LockRows {}", list(locks, |lock| format!("{} {:?} {:?}", id(lock.row_id), lock.strength, lock.wait)))
        }
        other => describe_modification(other),
    }
}

fn describe_modification(plan: &LogicalPlan) -> String {
    let returning = |columns: &Option<Vec<Computed>>| {
        columns.as_ref().map_or(String::new(), |columns| format!(" returning {}", computed(columns)))
    };
    let assignments = |items: &[(usize, Expr)]| list(items, |(at, value)| format!("{at}:={}", expr(value)));
    match plan {
        LogicalPlan::Insert(insert) => {
            let conflict = insert.on_conflict.as_ref().map_or(String::new(), |conflict| match &conflict.action {
                ConflictAction::Nothing => format!(" on conflict {:?} nothing", conflict.arbiters),
                ConflictAction::Update { assignments: set, predicate, .. } => {
                    let condition = predicate.as_ref().map_or(String::new(), |predicate| format!(" where {}", expr(predicate)));
                    format!(" on conflict {:?} set {}{condition}", conflict.arbiters, assignments(set))
                }
            });
            let checks = list(&insert.row.view_checks, |check| format!(" check {}: {}", check.name, expr(&check.expression)));
            let values = list(&insert.values, expr);
            format!("Insert {} ({values}){conflict}{checks}{}", insert.relation.name, returning(&insert.returning))
        }
        LogicalPlan::Update(update) => {
            format!(
                "Update {} row {} {}{}",
                update.relation.name,
                id(update.row_id),
                assignments(&update.assignments),
                returning(&update.returning)
            )
        }
        LogicalPlan::Delete(delete) => {
            format!("Delete {} row {}{}", delete.relation.name, id(delete.row_id), returning(&delete.returning))
        }
        _ => String::new(),
    }
}
