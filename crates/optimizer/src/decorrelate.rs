//! Subqueries of conditions become joins: EXISTS and IN semi joins, NOT EXISTS and NOT IN anti joins, correlated aggregates outer joins.
//!
//! What a correlated subquery reads from around it must be in terms that can be taken out of its plan; otherwise it stays as it is
//! and the executor runs it for each row.

mod pull_up;
mod scalar;

use std::collections::HashSet;

use expr::{
    ColumnId, Expr, SubplanId,
    expression::{Subquery, SubqueryKind},
};
use plan::{
    Subplan, comparison,
    logical::{Join, JoinKind, LogicalPlan},
};
use types::Physical;

use crate::{
    columns::reads_any,
    conjuncts,
    walk::{children_mut, has_subquery},
};
use pull_up::pull_up;

/// Rewrites the conditions of a statement's plans.
pub(crate) struct Decorrelation<'a> {
    pub(crate) subplans: &'a [Subplan<LogicalPlan>],
    /// A plan is taken once: its column ids must stay unique.
    taken: HashSet<SubplanId>,
    next_column: &'a mut u32,
}

impl<'a> Decorrelation<'a> {
    pub(crate) fn new(subplans: &'a [Subplan<LogicalPlan>], next_column: &'a mut u32) -> Decorrelation<'a> {
        Decorrelation { subplans, taken: HashSet::new(), next_column }
    }

    fn fresh_column(&mut self) -> ColumnId {
        let id = ColumnId(*self.next_column);
        *self.next_column += 1;
        id
    }

    pub(crate) fn apply(&mut self, plan: &mut LogicalPlan) {
        stacker::maybe_grow(128 * 1024, 1024 * 1024, || {
            if let LogicalPlan::Filter { predicate, .. } = plan
                && has_subquery(predicate)
            {
                self.filter(plan);
            }
            for child in children_mut(plan) {
                self.apply(child);
            }
        });
    }

    fn filter(&mut self, plan: &mut LogicalPlan) {
        let taken = std::mem::replace(plan, LogicalPlan::Values { rows: Vec::new(), columns: Vec::new() });
        let LogicalPlan::Filter { input, predicate } = taken else { unreachable!("the caller has looked") };
        let mut terms = Vec::new();
        conjuncts::split(predicate, &mut terms);
        // Plain conditions go below the joins that the others become.
        let (with, mut rest): (Vec<Expr>, Vec<Expr>) = terms.into_iter().partition(has_subquery);
        let mut input = *input;
        if let Some(predicate) = conjuncts::join(std::mem::take(&mut rest)) {
            input = LogicalPlan::Filter { input: Box::new(input), predicate };
        }
        for mut term in with {
            if !self.existence(&mut input, &term) {
                self.scalars(&mut input, &mut term);
                rest.push(term);
            }
        }
        *plan = match conjuncts::join(rest) {
            None => input,
            Some(predicate) => LogicalPlan::Filter { input: Box::new(input), predicate },
        };
    }

    /// Turns EXISTS, IN and their negations into a join; false when the term is none or cannot be.
    fn existence(&mut self, input: &mut LogicalPlan, term: &Expr) -> bool {
        let (subquery, negated) = match term {
            Expr::Subquery(subquery) => (subquery, false),
            Expr::Not(operand) => match &**operand {
                Expr::Subquery(subquery) => (subquery, true),
                _ => return false,
            },
            _ => return false,
        };
        if self.taken.contains(&subquery.plan) {
            return false;
        }
        let joined = match &subquery.kind {
            SubqueryKind::Exists => self.exists(input, subquery, negated),
            SubqueryKind::Compare { .. } => self.membership(input, subquery, negated),
            _ => None,
        };
        match joined {
            Some(join) => {
                self.taken.insert(subquery.plan);
                let left = std::mem::replace(input, LogicalPlan::Values { rows: Vec::new(), columns: Vec::new() });
                *input = LogicalPlan::Join(Join { left: Box::new(left), ..join });
                true
            }
            None => false,
        }
    }

    fn plan_of(&self, subquery: &Subquery) -> &'a Subplan<LogicalPlan> {
        &self.subplans[subquery.plan.0 as usize]
    }

    fn exists(&mut self, _input: &LogicalPlan, subquery: &Subquery, negated: bool) -> Option<Join> {
        // An uncorrelated one runs once anyway.
        if subquery.outer.is_empty() {
            return None;
        }
        let plan = pull_up::existence_core(self.plan_of(subquery).plan.clone())?;
        let (right, terms) = pull_up(plan, &outer_ids(subquery), &[])?;
        Some(join(if negated { JoinKind::Anti } else { JoinKind::Semi }, right, terms, false))
    }

    /// `x IN (subquery)`, `x NOT IN (subquery)`, `x <> ALL (subquery)`.
    fn membership(&mut self, input: &LogicalPlan, subquery: &Subquery, negated: bool) -> Option<Join> {
        let SubqueryKind::Compare { left, functions, all, .. } = &subquery.kind else { return None };
        let wanted = if *all { comparison::Order::NotEqual } else { comparison::Order::Equal };
        let anti = match (all, negated) {
            (false, negated) => negated,
            (true, false) => true,
            (true, true) => return None,
        };
        let plain = functions.iter().all(|function| comparison::of(function.oid).is_some_and(|known| known.order == wanted));
        if !plain || left.iter().any(|side| side.is_volatile() || has_subquery(side)) {
            return None;
        }
        let subplan = self.plan_of(subquery);
        let types: Vec<_> = crate::columns::output(&subplan.plan);
        let ty = |id: &ColumnId| types.iter().find(|column| column.id == *id).map(|column| column.ty);
        if anti && (left.len() != 1 || !subquery.outer.is_empty()) {
            return None;
        }
        let own = crate::columns::output_ids(input);
        let mut terms = Vec::new();
        for (side, id) in left.iter().zip(&subplan.output) {
            let column = Expr::Column { id: *id, ty: ty(id)? };
            let alike = side.ty().physical == column.ty().physical && side.ty().physical != Physical::Any;
            if anti && (!alike || !reads_any(side, &own)) {
                return None;
            }
            terms.push(conjuncts::equals(side.clone(), column)?);
        }
        if subquery.outer.is_empty() {
            return Some(join(if anti { JoinKind::Anti } else { JoinKind::Semi }, subplan.plan.clone(), terms, anti));
        }
        let (right, correlated) = pull_up(subplan.plan.clone(), &outer_ids(subquery), &subplan.output)?;
        terms.extend(correlated);
        Some(join(JoinKind::Semi, right, terms, false))
    }
}

fn outer_ids(subquery: &Subquery) -> HashSet<ColumnId> {
    subquery.outer.iter().map(|(id, _)| *id).collect()
}

/// A join whose left side the caller fills in.
fn join(kind: JoinKind, right: LogicalPlan, terms: Vec<Expr>, null_aware: bool) -> Join {
    Join {
        kind,
        left: Box::new(LogicalPlan::Values { rows: Vec::new(), columns: Vec::new() }),
        right: Box::new(right),
        condition: conjuncts::join(terms),
        lateral: false,
        null_aware,
    }
}
