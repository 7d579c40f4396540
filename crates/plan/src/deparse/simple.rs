//! Which expressions stand by themselves below which parents, for the pretty style (isSimpleNode).

use catalog::builtin::builtins;
use expr::{
    Expr,
    expression::{CastMethod, RowOperator, SubqueryKind, Written},
};

use super::expression::row_subquery;

/// What an expression is an operand of.
#[derive(Clone, Copy)]
pub(super) enum Parent<'e> {
    /// An operator; the name of a binary one, and whether the operand is its left.
    Operator {
        name: Option<&'e str>,
        is_left: bool,
    },
    And,
    Or,
    Not,
    /// A function that is a cast, or has a syntax of its own.
    Special,
    Other,
}

/// The name of a one-character binary operator.
pub(super) fn binary_name(expression: &Expr) -> Option<&'static str> {
    match expression {
        Expr::Call { written: Written::Operator(operator), arguments, .. } if arguments.len() == 2 => {
            builtins().operator(*operator).map(|operator| operator.name).filter(|name| name.len() == 1)
        }
        _ => None,
    }
}

pub(super) fn is_simple(expression: &Expr, parent: Parent) -> bool {
    match expression {
        Expr::Call { written: Written::Operator(_), .. } => match parent {
            Parent::Operator { name, is_left } => match (binary_name(expression), name) {
                (Some(own), Some(above)) => binds_tighter(own, above, is_left),
                _ => false,
            },
            _ => is_delimited(parent),
        },
        Expr::IsNull { .. } | Expr::BooleanTest { .. } => is_delimited(parent),
        Expr::Distinct { negated, .. } => match negated {
            true => matches!(parent, Parent::And | Parent::Or),
            false => is_delimited(parent),
        },
        Expr::Subquery(subquery) => match subquery.kind {
            SubqueryKind::Compare { .. } | SubqueryKind::Exists | SubqueryKind::Scalar | SubqueryKind::Array { .. } => {
                is_delimited(parent)
            }
            SubqueryKind::Row => true,
        },
        Expr::RowCompare { right, .. } if row_subquery(right).is_some() => is_delimited(parent),
        Expr::RowCompare { operator: RowOperator::Equal, .. } | Expr::And(_) | Expr::Not(_) => {
            matches!(parent, Parent::And | Parent::Or)
        }
        Expr::RowCompare { operator: RowOperator::NotEqual, .. } | Expr::Or(_) => matches!(parent, Parent::Or),
        Expr::ArrayCompare { .. } | Expr::RowCompare { .. } | Expr::Collate { .. } => false,
        Expr::Cast { method: CastMethod::Function(_) | CastMethod::Length, .. } => true,
        Expr::Cast { operand, .. } => is_simple(operand, Parent::Other),
        _ => true,
    }
}

fn is_delimited(parent: Parent) -> bool {
    matches!(parent, Parent::And | Parent::Or | Parent::Not)
}

/// Arithmetic below arithmetic: higher precedence, or the same on the left.
fn binds_tighter(own: &str, parent: &str, is_left: bool) -> bool {
    let priority = |name: &str| match name {
        "+" | "-" => Some(0),
        "*" | "/" | "%" => Some(1),
        _ => None,
    };
    match (priority(own), priority(parent)) {
        (Some(own), Some(parent)) => own > parent || own == parent && is_left,
        _ => false,
    }
}
