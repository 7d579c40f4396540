//! Equality is transitive: from `a = b` and `a < 5` follows `b < 5`, which may be tested on its own.

use expr::{ColumnId, Expr};
use plan::comparison::Order;

use crate::{
    conjuncts::{comparison, equality, same},
    walk::substitute,
};

/// Adds the conditions on single columns that follow from equalities between columns of one type.
pub(crate) fn derive(terms: &mut Vec<Expr>) {
    let pairs: Vec<(ColumnId, ColumnId, Expr, Expr)> = terms
        .iter()
        .filter_map(|term| match equality(term)? {
            (left @ Expr::Column { id: a, ty: s }, right @ Expr::Column { id: b, ty: t }, _) if s.oid == t.oid => {
                Some((*a, *b, left.clone(), right.clone()))
            }
            _ => None,
        })
        .collect();
    if pairs.is_empty() {
        return;
    }
    // Each pass carries a condition one equality further.
    let mut from = 0;
    while from < terms.len() && terms.len() < 64 {
        let end = terms.len();
        for at in from..end {
            let Some(column) = restricted(&terms[at]) else { continue };
            for (a, b, left, right) in &pairs {
                let other = if *a == column {
                    right
                } else if *b == column {
                    left
                } else {
                    continue;
                };
                let mut derived = terms[at].clone();
                substitute(&mut derived, &|id| (id == column).then(|| other.clone()));
                if !terms.iter().any(|known| same(known, &derived)) {
                    terms.push(derived);
                }
            }
        }
        from = end;
    }
}

/// The one column that a term compares with a constant or parameter.
fn restricted(term: &Expr) -> Option<ColumnId> {
    let fixed = |expression: &Expr| matches!(expression, Expr::Constant { .. } | Expr::Parameter { .. });
    if let Expr::ArrayCompare { left, array, all: false, .. } = term {
        return match &**left {
            Expr::Column { id, .. } if fixed(array) => Some(*id),
            _ => None,
        };
    }
    let (left, right, known) = comparison(term)?;
    if known.order == Order::NotEqual {
        return None;
    }
    match (left, right) {
        (Expr::Column { id, .. }, value) | (value, Expr::Column { id, .. }) if fixed(value) => Some(*id),
        _ => None,
    }
}
