//! Takes the terms that read outer columns out of a plan.

use std::collections::HashSet;

use expr::{ColumnId, Expr};
use plan::logical::{Computed, Join, JoinKind, LogicalPlan};
use types::Datum;

use crate::{
    columns::{output, output_ids, reads_any},
    conjuncts,
    walk::reads,
};

/// What of a plan decides whether it has rows: projections, orders and limits of at least one row do not matter.
pub(super) fn existence_core(plan: LogicalPlan) -> Option<LogicalPlan> {
    match plan {
        LogicalPlan::Project { input, columns } if columns.iter().all(|column| !column.expression.is_volatile()) => {
            existence_core(*input)
        }
        LogicalPlan::Sort { input, .. } | LogicalPlan::Distinct { input, .. } => existence_core(*input),
        LogicalPlan::Limit { input, limit: Some(Expr::Constant { value: Datum::Int8(1..), .. }), offset: None, .. } => {
            existence_core(*input)
        }
        LogicalPlan::Limit { .. } => None,
        LogicalPlan::Aggregate(_) => None,
        plan => Some(plan),
    }
}

/// The plan without the terms that read outer columns, and those terms, over columns that the plan gives. None when some other part of
/// it reads outer columns.
pub(super) fn pull_up(plan: LogicalPlan, outer: &HashSet<ColumnId>, wanted: &[ColumnId]) -> Option<(LogicalPlan, Vec<Expr>)> {
    let mut terms = Vec::new();
    let mut plan = extract(plan, outer, &mut terms);
    if reads(&plan, outer) {
        return None;
    }
    let given = output_ids(&plan);
    let missing = |term: &Expr| term.columns().iter().any(|id| !outer.contains(id) && !given.contains(id));
    if terms.iter().any(missing) {
        plan = widen(plan, &terms, outer)?;
        let given = output_ids(&plan);
        let inside = crate::walk::free_columns(&plan);
        let unknown = |id: &ColumnId| !outer.contains(id) && !given.contains(id) && !inside.contains(id);
        if terms.iter().any(|term| term.columns().iter().any(unknown)) {
            return None;
        }
    }
    debug_assert!(wanted.iter().all(|id| output_ids(&plan).contains(id)));
    Some((plan, terms))
}

fn extract(plan: LogicalPlan, outer: &HashSet<ColumnId>, terms: &mut Vec<Expr>) -> LogicalPlan {
    match plan {
        LogicalPlan::Filter { input, predicate } => {
            let input = extract(*input, outer, terms);
            let mut own = Vec::new();
            conjuncts::split(predicate, &mut own);
            let (correlated, rest): (Vec<Expr>, Vec<Expr>) =
                own.into_iter().partition(|term| reads_any(term, outer) && !term.is_volatile());
            terms.extend(correlated);
            match conjuncts::join(rest) {
                None => input,
                Some(predicate) => LogicalPlan::Filter { input: Box::new(input), predicate },
            }
        }
        LogicalPlan::Project { input, columns } => {
            LogicalPlan::Project { input: Box::new(extract(*input, outer, terms)), columns }
        }
        LogicalPlan::Join(Join { kind: JoinKind::Inner, left, right, condition, lateral: false, null_aware }) => {
            let left = Box::new(extract(*left, outer, terms));
            let right = Box::new(extract(*right, outer, terms));
            let (correlated, rest): (Vec<Expr>, Vec<Expr>) =
                conjuncts::split_optional(condition).into_iter().partition(|term| reads_any(term, outer) && !term.is_volatile());
            terms.extend(correlated);
            let condition = conjuncts::join(rest);
            LogicalPlan::Join(Join { kind: JoinKind::Inner, left, right, condition, lateral: false, null_aware })
        }
        LogicalPlan::Join(join) if matches!(join.kind, JoinKind::Left | JoinKind::Semi | JoinKind::Anti) => {
            let left = Box::new(extract(*join.left, outer, terms));
            LogicalPlan::Join(Join { left, ..join })
        }
        other => other,
    }
}

/// Adds to the projections at the top of a plan the columns that terms taken from below read.
fn widen(plan: LogicalPlan, terms: &[Expr], outer: &HashSet<ColumnId>) -> Option<LogicalPlan> {
    let LogicalPlan::Project { input, mut columns } = plan else { return None };
    let mut input = *input;
    let missing = |plan: &LogicalPlan| {
        let given = output_ids(plan);
        terms.iter().flat_map(Expr::columns).any(|id| !outer.contains(&id) && !given.contains(&id))
    };
    if missing(&input) && matches!(input, LogicalPlan::Project { .. }) {
        let own: HashSet<ColumnId> = columns.iter().map(|column| column.id).collect();
        let below: Vec<Expr> = terms
            .iter()
            .flat_map(Expr::columns)
            .filter(|id| !own.contains(id))
            .filter_map(|id| column_below(&input, id))
            .collect();
        input = widen(input, &below, outer)?;
    }
    let given = output(&input);
    for id in terms.iter().flat_map(Expr::columns) {
        if columns.iter().all(|column| column.id != id)
            && let Some(column) = given.iter().find(|column| column.id == id)
        {
            columns.push(Computed { id, expression: Expr::Column { id, ty: column.ty } });
        }
    }
    Some(LogicalPlan::Project { input: Box::new(input), columns })
}

/// A column as given by some operator of the plan.
fn column_below(plan: &LogicalPlan, id: ColumnId) -> Option<Expr> {
    let own = output(plan).into_iter().find(|column| column.id == id).map(|column| Expr::Column { id, ty: column.ty });
    own.or_else(|| crate::walk::children(plan).into_iter().find_map(|child| column_below(child, id)))
}
