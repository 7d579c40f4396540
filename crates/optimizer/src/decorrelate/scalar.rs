//! A scalar subquery that aggregates rows equal to the outer row in some expressions: grouped by those, and joined.

use std::collections::HashSet;

use expr::{
    ColumnId, Expr,
    expression::{Subquery, SubqueryKind},
};
use plan::logical::{Aggregate, Computed, Join, JoinKind, LogicalPlan};
use types::Datum;

use super::{Decorrelation, outer_ids, pull_up::pull_up};
use crate::{
    columns::{output_ids, reads_any},
    conjuncts,
    null_rejection::is_null_with,
    walk::free_columns,
};

impl Decorrelation<'_> {
    /// Replaces the scalar subqueries of a term that can be joined, adding the joins to the input.
    pub(super) fn scalars(&mut self, input: &mut LogicalPlan, term: &mut Expr) {
        if let Expr::Subquery(subquery) = term {
            if matches!(subquery.kind, SubqueryKind::Scalar)
                && let Some((join, replacement)) = self.scalar(subquery)
            {
                self.taken.insert(subquery.plan);
                let left = std::mem::replace(input, LogicalPlan::Values { rows: Vec::new(), columns: Vec::new() });
                *input = LogicalPlan::Join(Join { left: Box::new(left), ..join });
                *term = replacement;
            }
            return;
        }
        // Branches that might not run must not make the join's aggregates run, which could fail.
        if matches!(term, Expr::Case { .. } | Expr::Coalesce { .. }) {
            return;
        }
        term.for_each_child_mut(&mut |child| self.scalars(input, child));
    }

    fn scalar(&mut self, subquery: &Subquery) -> Option<(Join, Expr)> {
        if subquery.outer.is_empty() || self.taken.contains(&subquery.plan) {
            return None;
        }
        let outer = outer_ids(subquery);
        let subplan = self.plan_of(subquery);
        let [result] = subplan.output[..] else { return None };
        let (mut columns, aggregate) = match subplan.plan.clone() {
            LogicalPlan::Project { input, columns } => match *input {
                LogicalPlan::Aggregate(aggregate) => (Some(columns), aggregate),
                _ => return None,
            },
            LogicalPlan::Aggregate(aggregate) => (None, aggregate),
            _ => return None,
        };
        if !aggregate.group_by.is_empty() || aggregate.sets.is_some() || !aggregate.grouping.is_empty() {
            return None;
        }
        if columns.iter().flatten().any(|column| reads_any(&column.expression, &outer) || column.expression.is_volatile()) {
            return None;
        }
        if aggregate.aggregates.iter().any(|(_, call)| !call.direct_arguments.is_empty() || call.function.name == "regr_count") {
            return None;
        }
        let counted = missing_group(&aggregate, columns.as_deref(), result)?;
        let (below, terms) = pull_up(*aggregate.input, &outer, &[])?;
        let inside = output_ids(&below);
        let (mut group_by, mut condition): (Vec<Computed>, Vec<Expr>) = (Vec::new(), Vec::new());
        for term in terms {
            let (left, right, _) = conjuncts::equality(&term)?;
            let (own, other) = if !reads_any(left, &outer) && !reads_any(right, &inside) {
                (left, right)
            } else if !reads_any(right, &outer) && !reads_any(left, &inside) {
                (right, left)
            } else {
                return None;
            };
            let id = self.fresh_column();
            condition.push(conjuncts::equals(other.clone(), Expr::Column { id, ty: own.ty() })?);
            group_by.push(Computed { id, expression: own.clone() });
        }
        if group_by.is_empty() {
            return None;
        }
        let keys: Vec<(ColumnId, types::SqlType)> = group_by.iter().map(|key| (key.id, key.expression.ty())).collect();
        let mut right = LogicalPlan::Aggregate(Aggregate { input: Box::new(below), group_by, ..aggregate });
        if let Some(mut columns) = columns.take() {
            columns.extend(keys.into_iter().map(|(id, ty)| Computed { id, expression: Expr::Column { id, ty } }));
            right = LogicalPlan::Project { input: Box::new(right), columns };
        }
        if free_columns(&right).iter().any(|id| outer.contains(id)) {
            return None;
        }
        let column = Expr::Column { id: result, ty: subquery.ty };
        let replacement = if counted {
            let zero = Expr::constant(Datum::Int8(0), subquery.ty);
            Expr::Coalesce { arguments: vec![column, zero], ty: subquery.ty }
        } else {
            column
        };
        Some((super::join(JoinKind::Left, right, condition, false), replacement))
    }
}

/// What the subquery gives without rows: NULL (false), or zero because it is a count (true). None when it is something else.
fn missing_group(aggregate: &Aggregate, columns: Option<&[Computed]>, result: ColumnId) -> Option<bool> {
    let is_count = |id: ColumnId| aggregate.aggregates.iter().any(|(own, call)| *own == id && call.function.name == "count");
    let expression = columns.and_then(|columns| columns.iter().find(|column| column.id == result));
    match expression {
        None => Some(is_count(result)),
        Some(Computed { expression: Expr::Column { id, .. }, .. }) if is_count(*id) => Some(true),
        Some(computed) => {
            let nullable: HashSet<ColumnId> =
                aggregate.aggregates.iter().map(|(id, _)| *id).filter(|id| !is_count(*id)).collect();
            is_null_with(&computed.expression, &nullable).then_some(false)
        }
    }
}
