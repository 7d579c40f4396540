//! Structural equality of bound expressions (PostgreSQL's equal()): decides which expressions GROUP BY, ORDER BY and DISTINCT share.

use expr::{
    AggregateCall, Expr, SortKey,
    expression::{CastMethod, Subscript},
};
use plan::logical::SetCall;
use types::Datum;

fn all_same(left: &[Expr], right: &[Expr]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
}

/// Whether two expressions are written alike after binding, positions aside.
pub(crate) fn same(left: &Expr, right: &Expr) -> bool {
    use Expr as E;
    if std::mem::discriminant(left) != std::mem::discriminant(right) || left.ty() != right.ty() {
        return false;
    }
    match (left, right) {
        (E::Column { id: a, .. }, E::Column { id: b, .. }) => a == b,
        (E::Constant { value: a, .. }, E::Constant { value: b, .. }) => same_datum(a, b),
        (E::Parameter { index: a, .. }, E::Parameter { index: b, .. }) => a == b,
        (E::Call { function: f, arguments: a, .. }, E::Call { function: g, arguments: b, .. }) => {
            f.oid == g.oid && all_same(a, b)
        }
        (E::And(a), E::And(b)) | (E::Or(a), E::Or(b)) => all_same(a, b),
        (E::Coalesce { arguments: a, .. }, E::Coalesce { arguments: b, .. }) => all_same(a, b),
        (E::Extreme { arguments: a, greatest: g, .. }, E::Extreme { arguments: b, greatest: h, .. }) => g == h && all_same(a, b),
        (E::Array { elements: a, .. }, E::Array { elements: b, .. }) => all_same(a, b),
        (E::Row { fields: a, .. }, E::Row { fields: b, .. }) => all_same(a, b),
        (E::Not(a), E::Not(b)) => same(a, b),
        (E::IsNull { operand: a, negated: m }, E::IsNull { operand: b, negated: n }) => m == n && same(a, b),
        (E::BooleanTest { operand: a, value: v, negated: m }, E::BooleanTest { operand: b, value: w, negated: n }) => {
            v == w && m == n && same(a, b)
        }
        (E::Distinct { left: a, right: b, negated: m, .. }, E::Distinct { left: c, right: d, negated: n, .. }) => {
            m == n && same(a, c) && same(b, d)
        }
        (E::NullIf { left: a, right: b, .. }, E::NullIf { left: c, right: d, .. }) => same(a, c) && same(b, d),
        (E::Case { branches: a, otherwise: x, .. }, E::Case { branches: b, otherwise: y, .. }) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(&a.0, &b.0) && same(&a.1, &b.1)) && same(x, y)
        }
        (
            E::ArrayCompare { left: a, array: b, function: f, all: m, .. },
            E::ArrayCompare { left: c, array: d, function: g, all: n, .. },
        ) => f.oid == g.oid && m == n && same(a, c) && same(b, d),
        (E::RowCompare { left: a, right: b, operator: o, .. }, E::RowCompare { left: c, right: d, operator: p, .. }) => {
            o == p && all_same(a, c) && all_same(b, d)
        }
        (E::Cast { operand: a, method: m, .. }, E::Cast { operand: b, method: n, .. }) => same_method(m, n) && same(a, b),
        (E::Subscript { operand: a, subscripts: s, .. }, E::Subscript { operand: b, subscripts: t, .. }) => {
            same(a, b) && s.len() == t.len() && s.iter().zip(t).all(|(a, b)| same_subscript(a, b))
        }
        (E::Field { operand: a, field: m, .. }, E::Field { operand: b, field: n, .. }) => m == n && same(a, b),
        (E::Session { value: a, .. }, E::Session { value: b, .. }) => a == b,
        (E::DomainValue { .. }, E::DomainValue { .. }) => true,
        (E::Collate { operand: a, collation: c }, E::Collate { operand: b, collation: d }) => c == d && same(a, b),
        (E::Subquery(a), E::Subquery(b)) => a.plan == b.plan,
        _ => false,
    }
}

/// Whether two set-returning calls give the same rows.
pub(crate) fn same_set_call(left: &SetCall, right: &SetCall) -> bool {
    left.function.oid == right.function.oid
        && left.function.volatility != 'v'
        && left.ty == right.ty
        && left.columns.is_none()
        && right.columns.is_none()
        && all_same(&left.arguments, &right.arguments)
        && !left.arguments.iter().any(Expr::is_volatile)
}

/// The expression below conversions that nobody wrote (strip_implicit_coercions).
pub(crate) fn strip_implicit(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast { operand, explicit: false, .. } => strip_implicit(operand),
        other => other,
    }
}

fn same_subscript(left: &Subscript, right: &Subscript) -> bool {
    let option = |a: &Option<Expr>, b: &Option<Expr>| match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        _ => false,
    };
    match (left, right) {
        (Subscript::Index(a), Subscript::Index(b)) => same(a, b),
        (Subscript::Slice(a, b), Subscript::Slice(c, d)) => option(a, c) && option(b, d),
        _ => false,
    }
}

fn same_method(left: &CastMethod, right: &CastMethod) -> bool {
    match (left, right) {
        (CastMethod::Function(a), CastMethod::Function(b)) => a.oid == b.oid,
        (CastMethod::Array(a, s), CastMethod::Array(b, t)) => s == t && same_method(a, b),
        (CastMethod::Both { first: a, between: s, then: b }, CastMethod::Both { first: c, between: t, then: d }) => {
            s == t && same_method(a, c) && same_method(b, d)
        }
        _ => std::mem::discriminant(left) == std::mem::discriminant(right),
    }
}

fn same_datum(left: &Datum, right: &Datum) -> bool {
    match (left, right) {
        (Datum::Null, Datum::Null) => true,
        (Datum::Text(a), Datum::Text(b)) => a == b,
        (Datum::Int4(a), Datum::Int4(b)) => a == b,
        (Datum::Int8(a), Datum::Int8(b)) => a == b,
        (Datum::Bool(a), Datum::Bool(b)) => a == b,
        (Datum::Jsonb(_), Datum::Jsonb(_)) => false,
        // Two readings of one literal print alike.
        _ => std::mem::discriminant(left) == std::mem::discriminant(right) && format!("{left:?}") == format!("{right:?}"),
    }
}

fn same_keys(left: &[SortKey], right: &[SortKey]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(a, b)| a.descending == b.descending && a.nulls_first == b.nulls_first && same(&a.expression, &b.expression))
}

/// Whether two aggregate calls compute the same.
pub(crate) fn same_call(left: &AggregateCall, right: &AggregateCall) -> bool {
    let filters = match (&left.filter, &right.filter) {
        (None, None) => true,
        (Some(left), Some(right)) => same(left, right),
        _ => false,
    };
    left.function.oid == right.function.oid
        && left.distinct == right.distinct
        && left.ty == right.ty
        && filters
        && all_same(&left.arguments, &right.arguments)
        && all_same(&left.direct_arguments, &right.direct_arguments)
        && same_keys(&left.order_by, &right.order_by)
}
