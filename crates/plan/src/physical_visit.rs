//! Walks over physical plans: inputs, expressions, and the columns a plan reads from around it.

use std::collections::HashSet;

use expr::{AggregateCall, ColumnId, Expr, SortKey};

use crate::{
    logical::{Computed, ConflictAction, FrameBound, FunctionSource, NewRow},
    physical::{AggregateSpec, Operator, PhysicalPlan},
};

impl PhysicalPlan {
    /// The operators directly below.
    pub fn inputs(&self) -> Vec<&PhysicalPlan> {
        match &self.operator {
            Operator::TableScan(_)
            | Operator::IndexScan(_)
            | Operator::SystemScan { .. }
            | Operator::Values { .. }
            | Operator::FunctionScan(_)
            | Operator::CteScan { .. }
            | Operator::WorkTable { .. } => Vec::new(),
            Operator::Filter { input, .. }
            | Operator::Project { input, .. }
            | Operator::ProjectSet { input, .. }
            | Operator::HashAggregate { input, .. }
            | Operator::Window { input, .. }
            | Operator::Sort { input, .. }
            | Operator::Distinct { input, .. }
            | Operator::Limit { input, .. }
            | Operator::LockRows { input, .. } => vec![input],
            Operator::NestedLoopJoin { left, right, .. } | Operator::HashSetOperation { left, right, .. } => vec![left, right],
            Operator::HashJoin(join) => vec![&join.left, &join.right],
            Operator::Append { inputs } => inputs.iter().map(|(input, _)| input).collect(),
            Operator::RecursiveUnion { initial, recursive, .. } => vec![initial, recursive],
            Operator::Insert(insert) => vec![&insert.source],
            Operator::Update(update) => vec![&update.source],
            Operator::Delete(delete) => vec![&delete.source],
        }
    }

    /// Calls `visit` on every expression of this operator, not of those below.
    pub fn for_each_expression<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match &self.operator {
            Operator::TableScan(scan) => scan.filter.iter().for_each(visit),
            Operator::IndexScan(scan) => {
                let bounds = scan.lower.iter().chain(&scan.upper).map(|(bound, _)| bound);
                scan.equal.iter().chain(&scan.any_of).chain(bounds).chain(&scan.filter).for_each(visit);
            }
            Operator::SystemScan { hint, filter, .. } => {
                hint.iter().map(|(_, expression)| expression).chain(filter).for_each(visit);
            }
            Operator::Values { rows } => rows.iter().flatten().for_each(visit),
            Operator::FunctionScan(scan) => {
                for (source, _) in &scan.calls {
                    match source {
                        FunctionSource::Set(call) => call.arguments.iter().for_each(&mut *visit),
                        FunctionSource::Expression(expression) => visit(expression),
                    }
                }
            }
            Operator::CteScan { .. }
            | Operator::WorkTable { .. }
            | Operator::Append { .. }
            | Operator::HashSetOperation { .. }
            | Operator::RecursiveUnion { .. }
            | Operator::LockRows { .. } => {}
            Operator::Filter { predicate, .. } => visit(predicate),
            Operator::Project { columns, .. } => visit_computed(columns, visit),
            Operator::ProjectSet { sets, .. } => sets.iter().flat_map(|(_, call)| &call.arguments).for_each(visit),
            Operator::NestedLoopJoin { condition, .. } => condition.iter().for_each(visit),
            Operator::HashJoin(join) => {
                join.keys.iter().flat_map(|(left, right)| [left, right]).chain(&join.residual).for_each(visit);
            }
            Operator::HashAggregate { aggregate, .. } => visit_aggregate(aggregate, visit),
            Operator::Window { calls, .. } => {
                for (_, call) in calls {
                    visit_call(&call.call, visit);
                    call.partition_by.iter().for_each(&mut *visit);
                    visit_keys(&call.order_by, visit);
                    for bound in [&call.frame.start, &call.frame.end] {
                        if let FrameBound::Preceding(offset, _) | FrameBound::Following(offset, _) = bound {
                            visit(offset);
                        }
                    }
                }
            }
            Operator::Sort { keys, .. } => visit_keys(keys, visit),
            Operator::Distinct { on, .. } => on.iter().flatten().for_each(visit),
            Operator::Limit { limit, offset, with_ties, .. } => {
                limit.iter().chain(offset).for_each(&mut *visit);
                with_ties.iter().for_each(|keys| visit_keys(keys, visit));
            }
            Operator::Insert(insert) => {
                insert.values.iter().for_each(&mut *visit);
                visit_new_row(&insert.row, visit);
                if let Some((_, ConflictAction::Update { assignments, predicate, .. })) = &insert.on_conflict {
                    assignments.iter().map(|(_, value)| value).chain(predicate).for_each(&mut *visit);
                }
                insert.returning.iter().for_each(|columns| visit_computed(columns, visit));
            }
            Operator::Update(update) => {
                update.assignments.iter().for_each(|(_, value)| visit(value));
                visit_new_row(&update.row, visit);
                update.returning.iter().for_each(|columns| visit_computed(columns, visit));
            }
            Operator::Delete(delete) => delete.returning.iter().for_each(|columns| visit_computed(columns, visit)),
        }
    }

    /// The columns that this plan and those below read but none of them gives: columns of the queries around.
    pub fn outer_columns(&self) -> Vec<ColumnId> {
        let (mut read, mut given) = (Vec::new(), HashSet::new());
        collect(self, &mut read, &mut given);
        let mut seen = HashSet::new();
        read.retain(|id| !given.contains(id) && seen.insert(*id));
        read
    }

    /// Calls `visit` on this plan and every one below.
    pub fn for_each<'a>(&'a self, visit: &mut dyn FnMut(&'a PhysicalPlan)) {
        visit(self);
        self.inputs().into_iter().for_each(|input| input.for_each(visit));
    }
}

fn collect(plan: &PhysicalPlan, read: &mut Vec<ColumnId>, given: &mut HashSet<ColumnId>) {
    plan.for_each(&mut |plan| {
        plan.for_each_expression(&mut |expression| read.extend(expression.columns()));
        given.extend(plan.columns.iter().map(|column| column.id));
        match &plan.operator {
            Operator::TableScan(scan) => given.extend(scan.hidden.iter().map(|(_, column)| column.id)),
            Operator::IndexScan(scan) => given.extend(scan.hidden.iter().map(|(_, column)| column.id)),
            Operator::Insert(insert) => {
                given.extend(insert.row.columns.iter().map(|column| column.id));
                if let Some((_, ConflictAction::Update { existing, excluded, .. })) = &insert.on_conflict {
                    given.extend(existing.iter().chain(excluded).map(|column| column.id));
                }
            }
            Operator::Update(update) => given.extend(update.row.columns.iter().map(|column| column.id)),
            _ => {}
        }
    });
}

fn visit_computed<'a>(columns: &'a [Computed], visit: &mut dyn FnMut(&'a Expr)) {
    columns.iter().for_each(|column| visit(&column.expression));
}

fn visit_keys<'a>(keys: &'a [SortKey], visit: &mut dyn FnMut(&'a Expr)) {
    keys.iter().for_each(|key| visit(&key.expression));
}

fn visit_call<'a>(call: &'a AggregateCall, visit: &mut dyn FnMut(&'a Expr)) {
    call.arguments.iter().chain(&call.direct_arguments).chain(&call.filter).for_each(&mut *visit);
    visit_keys(&call.order_by, visit);
}

fn visit_aggregate<'a>(aggregate: &'a AggregateSpec, visit: &mut dyn FnMut(&'a Expr)) {
    visit_computed(&aggregate.group_by, visit);
    aggregate.aggregates.iter().for_each(|(_, call)| visit_call(call, visit));
}

fn visit_new_row<'a>(row: &'a NewRow, visit: &mut dyn FnMut(&'a Expr)) {
    row.generated.iter().for_each(|(_, expression)| visit(expression));
    row.checks.iter().chain(&row.view_checks).for_each(|check| visit(&check.expression));
}
