//! Conditions as lists of terms that must all hold.

use expr::{Expr, expression::Written};
use plan::comparison::{self, Comparison, Order};
use types::{Datum, Oid, SqlType};

/// Takes a condition apart at its ANDs; constants that are true vanish.
pub(crate) fn split(condition: Expr, terms: &mut Vec<Expr>) {
    match condition {
        Expr::And(parts) => parts.into_iter().for_each(|part| split(part, terms)),
        Expr::Constant { value: Datum::Bool(true), .. } => {}
        term => terms.push(term),
    }
}

pub(crate) fn split_optional(condition: Option<Expr>) -> Vec<Expr> {
    let mut terms = Vec::new();
    condition.into_iter().for_each(|condition| split(condition, &mut terms));
    terms
}

/// The condition of all terms; None when there are none.
pub(crate) fn join(mut terms: Vec<Expr>) -> Option<Expr> {
    match terms.len() {
        0 => None,
        1 => terms.pop(),
        _ => Some(Expr::And(terms)),
    }
}

/// A comparison of two expressions by an ordered type's operator.
pub(crate) fn comparison(term: &Expr) -> Option<(&Expr, &Expr, Comparison)> {
    let Expr::Call { function, arguments, .. } = term else { return None };
    let [left, right] = &arguments[..] else { return None };
    Some((left, right, comparison::of(function.oid)?))
}

pub(crate) fn equality(term: &Expr) -> Option<(&Expr, &Expr, Comparison)> {
    comparison(term).filter(|(_, _, known)| known.order == Order::Equal)
}

/// `left = right` of one type, when the type has such an operator.
pub(crate) fn equals(left: Expr, right: Expr) -> Option<Expr> {
    let (left_type, right_type) = (operand_type(left.ty()), operand_type(right.ty()));
    let function = comparison::function("=", left_type, right_type)?;
    let known = comparison::of(function.oid)?;
    Some(Expr::Call {
        function,
        arguments: vec![left, right],
        ty: SqlType::BOOL,
        collation: Oid::DEFAULT_COLLATION,
        written: Written::Operator(known.operator),
        position: None,
    })
}

/// The type whose operators a type uses: varchar has text's.
fn operand_type(ty: SqlType) -> Oid {
    if ty.oid == Oid::VARCHAR { Oid::TEXT } else { ty.oid }
}

/// Whether the expressions are the same computation.
pub(crate) fn same(left: &Expr, right: &Expr) -> bool {
    match (left, right) {
        (Expr::Column { id: left, .. }, Expr::Column { id: right, .. }) => left == right,
        (Expr::Column { .. }, _) | (_, Expr::Column { .. }) => false,
        // Positions differ between equal expressions, so they are compared piece by piece.
        (Expr::Call { function: f, arguments: a, .. }, Expr::Call { function: g, arguments: b, .. }) => {
            f.oid == g.oid && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Expr::Cast { operand: a, ty: s, .. }, Expr::Cast { operand: b, ty: t, .. }) => s == t && same(a, b),
        (Expr::And(a), Expr::And(b)) | (Expr::Or(a), Expr::Or(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Expr::Subquery(_), _) | (_, Expr::Subquery(_)) => false,
        _ => format!("{left:?}") == format!("{right:?}"),
    }
}
