//! Join methods: hash join where there are equal keys, index lookups for few outer rows, nested loops otherwise.

use std::collections::HashSet;

use expr::{ColumnId, Expr};
use plan::{
    logical::{Given, Join, JoinKind, LogicalPlan, Scan},
    physical::{HashJoin, Operator, PhysicalPlan},
};
use types::{Oid, Physical, Result, SqlType};

use super::Planner;
use crate::{columns::reads_any, conjuncts};

/// A planned side of a join; a filtered scan is kept, for it might be looked up by index instead.
#[derive(Clone)]
pub(super) struct Side {
    pub(super) plan: PhysicalPlan,
    pub(super) scan: Option<FilteredScan>,
}

#[derive(Clone)]
pub(super) struct FilteredScan {
    scan: Scan,
    terms: Vec<Expr>,
    /// What the scan is to give, when a projection narrows it.
    columns: Option<Vec<ColumnId>>,
}

impl FilteredScan {
    /// The scan that a plan is, when it is one.
    fn of(plan: &LogicalPlan) -> Option<FilteredScan> {
        match plan {
            LogicalPlan::Scan(scan) => Some(FilteredScan { scan: scan.clone(), terms: Vec::new(), columns: None }),
            LogicalPlan::Filter { input, predicate } => {
                let mut below = FilteredScan::of(input)?;
                if below.columns.is_some() {
                    return None;
                }
                conjuncts::split(predicate.clone(), &mut below.terms);
                Some(below)
            }
            LogicalPlan::Project { input, columns } => {
                let picks = columns.iter().all(|column| matches!(column.expression, Expr::Column { id, .. } if id == column.id));
                if !picks {
                    return None;
                }
                let mut below = FilteredScan::of(input)?;
                below.columns = Some(columns.iter().map(|column| column.id).collect());
                Some(below)
            }
            _ => None,
        }
    }
}

impl Planner<'_> {
    pub(super) fn join(&mut self, join: Join) -> Result<PhysicalPlan> {
        if join.kind == JoinKind::Inner && !join.lateral {
            return self.inner_joins(join);
        }
        let left = self.side(*join.left)?;
        let right = self.side(*join.right)?;
        let terms = conjuncts::split_optional(join.condition);
        if join.lateral {
            return Ok(self.nested_loop(join.kind, left.plan, right.plan, terms, true));
        }
        Ok(self.method(join.kind, left, right, terms, join.null_aware))
    }

    pub(super) fn side(&mut self, plan: LogicalPlan) -> Result<Side> {
        let scan = FilteredScan::of(&plan);
        Ok(Side { plan: self.plan(plan)?, scan })
    }

    /// The cheapest method for a join of two sides under conditions over both.
    pub(super) fn method(&self, kind: JoinKind, left: Side, right: Side, terms: Vec<Expr>, null_aware: bool) -> PhysicalPlan {
        let (left_ids, right_ids) = (ids(&left.plan), ids(&right.plan));
        let hashable = terms.iter().any(|term| key_pair(term, &left_ids, &right_ids).is_some());
        let mut best = if hashable {
            self.hash_join(kind, &left.plan, &right.plan, &terms, null_aware)
        } else {
            self.nested_loop(kind, left.plan.clone(), right.plan.clone(), terms.clone(), false)
        };
        if null_aware {
            return best;
        }
        let mut offer = |plan: Option<PhysicalPlan>| {
            if let Some(plan) = plan
                && plan.estimate.total_cost < best.estimate.total_cost
            {
                best = plan;
            }
        };
        if hashable && let Some(swapped) = swapped(kind) {
            offer(Some(self.hash_join(swapped, &right.plan, &left.plan, &terms, false)));
        }
        if matches!(kind, JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti) {
            offer(self.index_lookup(kind, &left.plan, &right, &terms));
        }
        if kind == JoinKind::Inner {
            offer(self.index_lookup(kind, &right.plan, &left, &terms));
        }
        best
    }

    /// The left side probes a table built of the right one.
    fn hash_join(
        &self,
        kind: JoinKind,
        left: &PhysicalPlan,
        right: &PhysicalPlan,
        terms: &[Expr],
        null_aware: bool,
    ) -> PhysicalPlan {
        let (left_ids, right_ids) = (ids(left), ids(right));
        let (mut keys, mut residual) = (Vec::new(), Vec::new());
        for term in terms {
            match key_pair(term, &left_ids, &right_ids) {
                Some(pair) => keys.push(pair),
                None => residual.push(term.clone()),
            }
        }
        let operator = Operator::HashJoin(HashJoin {
            kind,
            left: Box::new(left.clone()),
            right: Box::new(right.clone()),
            keys,
            residual: conjuncts::join(residual),
            null_aware,
        });
        let columns = joined_columns(kind, left, right);
        self.node(operator, columns)
    }

    fn nested_loop(
        &self,
        kind: JoinKind,
        left: PhysicalPlan,
        right: PhysicalPlan,
        terms: Vec<Expr>,
        lateral: bool,
    ) -> PhysicalPlan {
        let columns = joined_columns(kind, &left, &right);
        let condition = conjuncts::join(terms);
        self.node(Operator::NestedLoopJoin { kind, left: Box::new(left), right: Box::new(right), condition, lateral }, columns)
    }

    /// Each left row looks its matches up in an index of the right side's table.
    fn index_lookup(&self, kind: JoinKind, left: &PhysicalPlan, right: &Side, terms: &[Expr]) -> Option<PhysicalPlan> {
        let inner = self.inner_index_scan(right, terms)?;
        Some(self.nested_loop(kind, left.clone(), inner, Vec::new(), true))
    }

    /// What one such look-up costs.
    pub(super) fn lookup_cost(&self, right: &Side, terms: &[Expr]) -> Option<f64> {
        self.inner_index_scan(right, terms).map(|inner| inner.estimate.total_cost)
    }

    fn inner_index_scan(&self, right: &Side, terms: &[Expr]) -> Option<PhysicalPlan> {
        let FilteredScan { scan, terms: own, columns } = right.scan.as_ref()?;
        let mut all = own.clone();
        all.extend(terms.iter().cloned());
        let mut inner = self.index_path(scan, &all)?;
        // An index that serves none of the join's conditions would be read anew for nothing.
        let Operator::IndexScan(found) = &inner.operator else { return None };
        let keys = found.equal.iter().chain(&found.any_of).chain(found.lower.iter().chain(&found.upper).map(|(key, _)| key));
        let joined: HashSet<ColumnId> = terms.iter().flat_map(Expr::columns).collect();
        if !keys.into_iter().any(|key| reads_any(key, &joined)) {
            return None;
        }
        if let Some(columns) = columns
            && !super::narrow_scan(&mut inner, columns)
        {
            return None;
        }
        Some(inner)
    }
}

/// The same join with its sides exchanged, when there is such a kind.
fn swapped(kind: JoinKind) -> Option<JoinKind> {
    match kind {
        JoinKind::Inner => Some(JoinKind::Inner),
        JoinKind::Left => Some(JoinKind::Right),
        JoinKind::Right => Some(JoinKind::Left),
        JoinKind::Full => Some(JoinKind::Full),
        JoinKind::Semi | JoinKind::Anti => None,
    }
}

fn joined_columns(kind: JoinKind, left: &PhysicalPlan, right: &PhysicalPlan) -> Vec<Given> {
    let mut columns = left.columns.clone();
    if !matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        columns.extend(right.columns.iter().copied());
    }
    columns
}

fn ids(plan: &PhysicalPlan) -> HashSet<ColumnId> {
    plan.columns.iter().map(|column| column.id).collect()
}

/// The sides of an equality that a hash table can serve, left one first.
pub(super) fn key_pair(term: &Expr, left: &HashSet<ColumnId>, right: &HashSet<ColumnId>) -> Option<(Expr, Expr)> {
    let (a, b, _) = conjuncts::equality(term)?;
    if !hashes_alike(a.ty(), b.ty()) || a.is_volatile() || b.is_volatile() {
        return None;
    }
    let of = |side: &Expr, own: &HashSet<ColumnId>, other: &HashSet<ColumnId>| reads_any(side, own) && !reads_any(side, other);
    if of(a, left, right) && of(b, right, left) {
        Some((a.clone(), b.clone()))
    } else if of(b, left, right) && of(a, right, left) {
        Some((b.clone(), a.clone()))
    } else {
        None
    }
}

/// Whether equal values of the two types have equal keys.
fn hashes_alike(left: SqlType, right: SqlType) -> bool {
    let integer = |ty: SqlType| matches!(ty.physical, Physical::Int2 | Physical::Int4 | Physical::Int8);
    let padded = |ty: SqlType| ty.oid == Oid::BPCHAR;
    (left.physical == right.physical && padded(left) == padded(right)) || (integer(left) && integer(right))
}
