//! Moves conditions towards the rows they test, through every operator that lets them; reduces outer joins whose NULL rows they reject.
//!
//! A condition never passes a LIMIT, a set-returning function or a window that its columns do not partition; a volatile one never moves.

use std::collections::HashSet;

use expr::{ColumnId, Expr};
use plan::logical::{Aggregate, Computed, Join, JoinKind, LogicalPlan, SetOperation};
use types::{Datum, SqlType};

use crate::{
    columns::{output, output_ids, reads_only},
    conjuncts,
    null_rejection::rejects_nulls,
    simplify_condition::{factor, implied},
    transitivity,
    walk::{children_mut, has_subquery, subquery_reads, substitute},
};

/// The plan with its own conditions moved down.
pub(crate) fn apply(plan: LogicalPlan) -> LogicalPlan {
    push(plan, Vec::new())
}

/// The plan under further conditions.
fn push(plan: LogicalPlan, terms: Vec<Expr>) -> LogicalPlan {
    stacker::maybe_grow(128 * 1024, 1024 * 1024, || push_into(plan, terms))
}

fn push_into(plan: LogicalPlan, mut terms: Vec<Expr>) -> LogicalPlan {
    if terms.iter().any(is_false) {
        return nothing(&plan);
    }
    match plan {
        LogicalPlan::Filter { input, predicate } => {
            let mut own = Vec::new();
            conjuncts::split(predicate, &mut own);
            let (volatile, own): (Vec<Expr>, Vec<Expr>) = own.into_iter().partition(Expr::is_volatile);
            terms.extend(own.into_iter().flat_map(factor));
            filtered(push(*input, terms), volatile)
        }
        LogicalPlan::Project { input, columns } => push_project(*input, columns, terms),
        LogicalPlan::Join(join) => push_join(join, terms),
        LogicalPlan::Aggregate(aggregate) => push_aggregate(aggregate, terms),
        LogicalPlan::SetOperation(operation) => push_set_operation(operation, terms),
        LogicalPlan::Sort { input, keys } => LogicalPlan::Sort { input: Box::new(push(*input, terms)), keys },
        LogicalPlan::Distinct { input, on: None } => LogicalPlan::Distinct { input: Box::new(push(*input, terms)), on: None },
        LogicalPlan::Distinct { input, on: Some(on) } => {
            let keys = plain_columns(&on);
            let (down, stay) = terms.into_iter().partition(|term| movable(term, &keys));
            filtered(LogicalPlan::Distinct { input: Box::new(push(*input, down)), on: Some(on) }, stay)
        }
        LogicalPlan::Window { input, calls } => {
            let mut keys: Option<HashSet<ColumnId>> = None;
            for (_, call) in &calls {
                let own = plain_columns(&call.partition_by);
                keys = Some(keys.map_or(own.clone(), |keys| keys.intersection(&own).copied().collect()));
            }
            let keys = keys.unwrap_or_default();
            let (down, stay) = terms.into_iter().partition(|term| movable(term, &keys));
            filtered(LogicalPlan::Window { input: Box::new(push(*input, down)), calls }, stay)
        }
        LogicalPlan::ProjectSet { input, sets } => {
            let below = output_ids(&input);
            let own: HashSet<ColumnId> = sets.iter().map(|(id, _)| *id).collect();
            let (down, stay) =
                terms.into_iter().partition(|term| !crate::columns::reads_any(term, &own) && movable(term, &below));
            filtered(LogicalPlan::ProjectSet { input: Box::new(push(*input, down)), sets }, stay)
        }
        mut other => {
            for child in children_mut(&mut other) {
                let taken = std::mem::replace(child, LogicalPlan::Values { rows: Vec::new(), columns: Vec::new() });
                *child = push(taken, Vec::new());
            }
            filtered(other, terms)
        }
    }
}

fn is_false(term: &Expr) -> bool {
    matches!(term, Expr::Constant { value: Datum::Bool(false) | Datum::Null, .. })
}

/// No rows, of the plan's columns.
fn nothing(plan: &LogicalPlan) -> LogicalPlan {
    LogicalPlan::Values { rows: Vec::new(), columns: output(plan) }
}

fn filtered(plan: LogicalPlan, terms: Vec<Expr>) -> LogicalPlan {
    match conjuncts::join(terms) {
        None => plan,
        Some(predicate) => LogicalPlan::Filter { input: Box::new(plan), predicate },
    }
}

/// Whether a term reads these columns, and columns of queries around, only. Columns of this query are told apart by `reads_only` over
/// what the operator gives: a term that reads none of its columns moves freely.
fn movable(term: &Expr, columns: &HashSet<ColumnId>) -> bool {
    reads_only(term, columns)
}

fn plain_columns(expressions: &[Expr]) -> HashSet<ColumnId> {
    expressions
        .iter()
        .filter_map(|expression| match expression {
            Expr::Column { id, .. } => Some(*id),
            _ => None,
        })
        .collect()
}

fn push_project(input: LogicalPlan, columns: Vec<Computed>, terms: Vec<Expr>) -> LogicalPlan {
    let passed = |id: ColumnId| {
        columns
            .iter()
            .any(|column| column.id == id && matches!(column.expression, Expr::Column { id: source, .. } if source == id))
    };
    let definition = |id: ColumnId| columns.iter().find(|column| column.id == id).map(|column| &column.expression);
    let can_move = |term: &Expr| {
        !subquery_reads(term, &|id| definition(id).is_some() && !passed(id))
            && term
                .columns()
                .iter()
                .all(|id| definition(*id).is_none_or(|expression| !expression.is_volatile() && !has_subquery(expression)))
    };
    let (mut down, stay): (Vec<Expr>, Vec<Expr>) = terms.into_iter().partition(can_move);
    for term in &mut down {
        substitute(term, &|id| definition(id).cloned());
    }
    filtered(LogicalPlan::Project { input: Box::new(push(input, down)), columns }, stay)
}

fn push_aggregate(aggregate: Aggregate, terms: Vec<Expr>) -> LogicalPlan {
    // A key absent from some grouping set is NULL there: conditions on it stay.
    let in_all_sets = |at: usize| aggregate.sets.as_ref().is_none_or(|sets| sets.iter().all(|set| set.contains(&at)));
    let keys: HashSet<ColumnId> = aggregate
        .group_by
        .iter()
        .enumerate()
        .filter(|(at, key)| in_all_sets(*at) && !key.expression.is_volatile())
        .map(|(_, key)| key.id)
        .collect();
    let definition = |id: ColumnId| aggregate.group_by.iter().find(|key| key.id == id).map(|key| key.expression.clone());
    let (mut down, stay): (Vec<Expr>, Vec<Expr>) = terms
        .into_iter()
        .partition(|term| !keys.is_empty() && movable(term, &keys) && !subquery_reads(term, &|id| keys.contains(&id)));
    for term in &mut down {
        substitute(term, &|id| definition(id));
    }
    let input = Box::new(push(*aggregate.input, down));
    filtered(LogicalPlan::Aggregate(Aggregate { input, ..aggregate }), stay)
}

fn push_set_operation(operation: SetOperation, terms: Vec<Expr>) -> LogicalPlan {
    let position = |id: ColumnId| operation.columns.iter().position(|column| column.id == id);
    let (down, stay): (Vec<Expr>, Vec<Expr>) =
        terms.into_iter().partition(|term| !subquery_reads(term, &|id| position(id).is_some()));
    let side = |columns: &[ColumnId], types: &[SqlType]| -> Vec<Expr> {
        let mut side = down.clone();
        for term in &mut side {
            substitute(term, &|id| position(id).map(|at| Expr::Column { id: columns[at], ty: types[at] }));
        }
        side
    };
    let types: Vec<SqlType> = operation.columns.iter().map(|column| column.ty).collect();
    let left = side(&operation.left_columns, &types);
    let right = side(&operation.right_columns, &types);
    let operation =
        SetOperation { left: Box::new(push(*operation.left, left)), right: Box::new(push(*operation.right, right)), ..operation };
    filtered(LogicalPlan::SetOperation(operation), stay)
}

/// An outer join that need not be one when a condition above rejects its NULL rows.
fn reduced(kind: JoinKind, terms: &[Expr], left: &HashSet<ColumnId>, right: &HashSet<ColumnId>) -> JoinKind {
    let rejects = |side| terms.iter().any(|term| rejects_nulls(term, side));
    match kind {
        JoinKind::Left if rejects(right) => JoinKind::Inner,
        JoinKind::Right if rejects(left) => JoinKind::Inner,
        JoinKind::Full => match (rejects(left), rejects(right)) {
            (true, true) => JoinKind::Inner,
            (true, false) => JoinKind::Left,
            (false, true) => JoinKind::Right,
            (false, false) => JoinKind::Full,
        },
        kind => kind,
    }
}

fn push_join(join: Join, terms: Vec<Expr>) -> LogicalPlan {
    let (left_ids, right_ids) = (output_ids(&join.left), output_ids(&join.right));
    let kind = reduced(join.kind, &terms, &left_ids, &right_ids);
    let mut condition: Vec<Expr> = conjuncts::split_optional(join.condition).into_iter().flat_map(factor).collect();
    let reads_left = |term: &Expr| crate::columns::reads_any(term, &left_ids);
    let reads_right = |term: &Expr| crate::columns::reads_any(term, &right_ids);
    let (mut left, mut right, mut above) = (Vec::new(), Vec::new(), Vec::new());
    match kind {
        JoinKind::Inner => {
            condition.extend(terms);
            transitivity::derive(&mut condition);
            let mut both = Vec::new();
            for term in condition {
                if term.is_volatile() {
                    both.push(term);
                } else if !reads_right(&term) {
                    left.push(term);
                } else if !reads_left(&term) {
                    right.push(term);
                } else {
                    left.extend(implied(&term, &|part| reads_left(part) && !reads_right(part)));
                    right.extend(implied(&term, &|part| reads_right(part) && !reads_left(part)));
                    both.push(term);
                }
            }
            condition = both;
        }
        JoinKind::Left | JoinKind::Right | JoinKind::Full => {
            // Conditions above on the side that is kept whole go down it; those of the join itself go down the other.
            for term in terms {
                match kind {
                    JoinKind::Left if !reads_right(&term) => left.push(term),
                    JoinKind::Right if !reads_left(&term) => right.push(term),
                    _ => above.push(term),
                }
            }
            let mut kept = Vec::new();
            for term in condition {
                match kind {
                    JoinKind::Left if !reads_left(&term) && !term.is_volatile() => right.push(term),
                    JoinKind::Right if !reads_right(&term) && !term.is_volatile() => left.push(term),
                    _ => kept.push(term),
                }
            }
            condition = kept;
        }
        JoinKind::Semi | JoinKind::Anti => {
            left = terms;
            let mut kept = Vec::new();
            for term in condition {
                if !join.null_aware && !reads_left(&term) && !term.is_volatile() {
                    right.push(term);
                } else if kind == JoinKind::Semi && !reads_right(&term) && !term.is_volatile() {
                    left.push(term);
                } else {
                    kept.push(term);
                }
            }
            condition = kept;
        }
    }
    let joined = Join {
        kind,
        left: Box::new(push(*join.left, left)),
        right: Box::new(push(*join.right, right)),
        condition: conjuncts::join(condition),
        lateral: join.lateral,
        null_aware: join.null_aware,
    };
    filtered(crate::push_down_semi_join::apply(joined), above)
}
