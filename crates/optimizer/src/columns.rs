//! The columns a logical plan gives, and the ones expressions read.

use std::collections::HashSet;

use expr::{ColumnId, Expr};
use plan::logical::{Given, JoinKind, LogicalPlan};
use types::SqlType;

/// The columns of a plan's rows.
pub(crate) fn output(plan: &LogicalPlan) -> Vec<Given> {
    match plan {
        LogicalPlan::Scan(scan) => {
            let mut columns: Vec<Given> = scan.columns.iter().map(|(_, column)| *column).collect();
            columns.extend(scan.row_id.map(|id| Given { id, ty: SqlType::INT8 }));
            columns.extend(scan.system.iter().map(|(_, column)| *column));
            columns
        }
        LogicalPlan::SystemScan { columns, .. } => columns.iter().map(|(_, column)| *column).collect(),
        LogicalPlan::Values { columns, .. }
        | LogicalPlan::WorkTable { columns, .. }
        | LogicalPlan::RecursiveUnion { columns, .. } => columns.clone(),
        LogicalPlan::FunctionScan(scan) => {
            let mut columns: Vec<Given> = scan.calls.iter().flat_map(|(_, columns)| columns).copied().collect();
            columns.extend(scan.ordinality.map(|id| Given { id, ty: SqlType::INT8 }));
            columns
        }
        LogicalPlan::CteScan { columns, .. } => columns.iter().map(|(_, column)| *column).collect(),
        LogicalPlan::Filter { input, .. }
        | LogicalPlan::Sort { input, .. }
        | LogicalPlan::Distinct { input, .. }
        | LogicalPlan::Limit { input, .. }
        | LogicalPlan::LockRows { input, .. } => output(input),
        LogicalPlan::Project { columns, .. } => {
            columns.iter().map(|column| Given { id: column.id, ty: column.expression.ty() }).collect()
        }
        LogicalPlan::ProjectSet { input, sets } => {
            let mut columns = output(input);
            columns.extend(sets.iter().map(|(id, call)| Given { id: *id, ty: call.ty }));
            columns
        }
        LogicalPlan::Join(join) => {
            let mut columns = output(&join.left);
            if !matches!(join.kind, JoinKind::Semi | JoinKind::Anti) {
                columns.extend(output(&join.right));
            }
            columns
        }
        LogicalPlan::Aggregate(aggregate) => {
            let keys = aggregate.group_by.iter().map(|key| Given { id: key.id, ty: key.expression.ty() });
            let calls = aggregate.aggregates.iter().map(|(id, call)| Given { id: *id, ty: call.ty });
            let grouping = aggregate.grouping.iter().map(|(id, _)| Given { id: *id, ty: SqlType::INT4 });
            keys.chain(calls).chain(grouping).collect()
        }
        LogicalPlan::Window { input, calls } => {
            let mut columns = output(input);
            columns.extend(calls.iter().map(|(id, call)| Given { id: *id, ty: call.call.ty }));
            columns
        }
        LogicalPlan::SetOperation(operation) => operation.columns.clone(),
        LogicalPlan::Insert(insert) => returned(insert.returning.as_deref()),
        LogicalPlan::Update(update) => returned(update.returning.as_deref()),
        LogicalPlan::Delete(delete) => returned(delete.returning.as_deref()),
    }
}

fn returned(columns: Option<&[plan::logical::Computed]>) -> Vec<Given> {
    columns.unwrap_or_default().iter().map(|column| Given { id: column.id, ty: column.expression.ty() }).collect()
}

/// The ids of a plan's columns.
pub(crate) fn output_ids(plan: &LogicalPlan) -> HashSet<ColumnId> {
    output(plan).into_iter().map(|column| column.id).collect()
}

/// Whether an expression reads no column outside the set.
pub(crate) fn reads_only(expression: &Expr, columns: &HashSet<ColumnId>) -> bool {
    expression.columns().iter().all(|id| columns.contains(id))
}

/// Whether an expression reads some column of the set.
pub(crate) fn reads_any(expression: &Expr, columns: &HashSet<ColumnId>) -> bool {
    expression.columns().iter().any(|id| columns.contains(id))
}
