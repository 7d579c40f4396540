//! What becomes of a condition when the columns of one side of an outer join are all NULL.

use std::collections::HashSet;

use expr::{ColumnId, Expr, expression::CastMethod};

/// Whether the condition is not true for rows in which all these columns are NULL.
pub(crate) fn rejects_nulls(condition: &Expr, columns: &HashSet<ColumnId>) -> bool {
    match condition {
        Expr::And(terms) => terms.iter().any(|term| rejects_nulls(term, columns)),
        Expr::Or(terms) => terms.iter().all(|term| rejects_nulls(term, columns)),
        Expr::IsNull { operand, negated: true } => is_null_with(operand, columns),
        Expr::BooleanTest { operand, value: Some(true), negated: false } => rejects_nulls(operand, columns),
        Expr::BooleanTest { operand, value: Some(false), negated: false } => is_null_with(operand, columns),
        Expr::BooleanTest { operand, value: None, negated: true } => is_null_with(operand, columns),
        other => is_null_with(other, columns),
    }
}

/// Whether the expression is NULL when all these columns are.
pub(crate) fn is_null_with(expression: &Expr, columns: &HashSet<ColumnId>) -> bool {
    match expression {
        Expr::Column { id, .. } => columns.contains(id),
        Expr::Call { function, arguments, .. } => {
            function.strict && !function.returns_set && arguments.iter().any(|argument| is_null_with(argument, columns))
        }
        Expr::Not(operand) | Expr::Collate { operand, .. } => is_null_with(operand, columns),
        Expr::Cast { operand, method: CastMethod::Relabel | CastMethod::InputOutput | CastMethod::Length, .. } => {
            is_null_with(operand, columns)
        }
        Expr::Cast { operand, method: CastMethod::Function(function), .. } => function.strict && is_null_with(operand, columns),
        Expr::And(terms) | Expr::Or(terms) => terms.iter().all(|term| is_null_with(term, columns)),
        Expr::ArrayCompare { left, function, .. } => function.strict && is_null_with(left, columns),
        _ => false,
    }
}
