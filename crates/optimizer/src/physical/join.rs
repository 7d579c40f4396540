//! Join methods: hash join where there are equal keys, index lookups for few outer rows, nested loops otherwise.

use std::collections::HashSet;

use expr::{ColumnId, Expr};
use plan::{
    logical::{Join, JoinKind},
    physical::{HashJoin, Operator, PhysicalPlan},
};
use types::{Oid, Physical, Result, SqlType};

use super::Planner;
use crate::{columns::reads_any, conjuncts};

impl Planner<'_> {
    pub(super) fn join(&mut self, join: Join) -> Result<PhysicalPlan> {
        let left = self.plan(*join.left)?;
        let right = self.plan(*join.right)?;
        self.join_planned(join.kind, left, right, conjuncts::split_optional(join.condition), join.lateral, join.null_aware)
    }

    fn join_planned(
        &mut self,
        kind: JoinKind,
        left: PhysicalPlan,
        right: PhysicalPlan,
        terms: Vec<Expr>,
        lateral: bool,
        null_aware: bool,
    ) -> Result<PhysicalPlan> {
        let mut columns = left.columns.clone();
        if !matches!(kind, JoinKind::Semi | JoinKind::Anti) {
            columns.extend(right.columns.iter().copied());
        }
        let (left_ids, right_ids) = (ids(&left), ids(&right));
        let (mut keys, mut residual) = (Vec::new(), Vec::new());
        for term in terms {
            match key_pair(&term, &left_ids, &right_ids) {
                Some(pair) if !lateral => keys.push(pair),
                _ => residual.push(term),
            }
        }
        if lateral || keys.is_empty() {
            let condition = conjuncts::join(residual);
            let operator = Operator::NestedLoopJoin { kind, left: Box::new(left), right: Box::new(right), condition, lateral };
            return Ok(self.node(operator, columns));
        }
        let operator = Operator::HashJoin(HashJoin {
            kind,
            left: Box::new(left),
            right: Box::new(right),
            keys,
            residual: conjuncts::join(residual),
            null_aware,
        });
        Ok(self.node(operator, columns))
    }
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
