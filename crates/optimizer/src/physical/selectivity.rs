//! The share of rows that a condition keeps, and how many different values a column has.

use expr::{ColumnId, Expr};
use plan::comparison::Order;
use types::Datum;

use super::{Distinct, Planner};
use crate::conjuncts;

/// PostgreSQL's guess of a column's different values when nothing is known.
const DEFAULT_DISTINCT: f64 = 200.0;
/// Its guess of a condition with one bound (DEFAULT_INEQ_SEL), and with two (DEFAULT_RANGE_INEQ_SEL).
const RANGE: f64 = 1.0 / 3.0;
const CLOSED_RANGE: f64 = 0.005;

/// A column compared with a constant: `column < 5`.
struct Bound {
    column: ColumnId,
    upper: bool,
    /// Of the rows, those for which it holds.
    share: f64,
}

impl Planner<'_> {
    /// Different values of an expression.
    pub(super) fn distinct(&self, expression: &Expr) -> f64 {
        match expression {
            Expr::Column { id, .. } => self.distinct_of(*id),
            Expr::Cast { operand, .. } => self.distinct(operand),
            Expr::Constant { .. } => 1.0,
            _ => DEFAULT_DISTINCT,
        }
    }

    fn distinct_of(&self, id: ColumnId) -> f64 {
        let known = self.distinct.borrow().get(&id).copied();
        match known {
            None => DEFAULT_DISTINCT,
            Some(Distinct::Known(distinct)) => distinct,
            Some(Distinct::Attribute { table, attribute, rows }) => {
                let distinct = self.statistics.distinct(table, attribute).unwrap_or(DEFAULT_DISTINCT.min(rows)).max(1.0);
                self.distinct.borrow_mut().insert(id, Distinct::Known(distinct));
                distinct
            }
        }
    }

    pub(super) fn equality_selectivity(&self, left: &Expr, right: &Expr) -> f64 {
        1.0 / self.distinct(left).max(self.distinct(right)).max(1.0)
    }

    /// The share of rows for which a condition is true.
    pub(super) fn selectivity(&self, condition: &Expr) -> f64 {
        match condition {
            Expr::And(terms) => self.all_of(terms),
            Expr::Or(terms) => 1.0 - terms.iter().map(|term| 1.0 - self.selectivity(term)).product::<f64>(),
            Expr::Not(operand) => 1.0 - self.selectivity(operand),
            Expr::Constant { value: Datum::Bool(value), .. } => f64::from(u8::from(*value)),
            Expr::Constant { value: Datum::Null, .. } => 0.0,
            Expr::IsNull { negated, .. } => {
                if *negated {
                    0.995
                } else {
                    0.005
                }
            }
            Expr::ArrayCompare { left, array, all: false, .. } => (list_length(array) / self.distinct(left).max(1.0)).min(0.5),
            Expr::Column { .. } | Expr::BooleanTest { .. } => 0.5,
            Expr::Call { function, .. } => match conjuncts::comparison(condition) {
                Some((left, right, known)) => match known.order {
                    Order::Equal => self.equality_selectivity(left, right),
                    Order::NotEqual => 1.0 - self.equality_selectivity(left, right),
                    _ => self.bound(condition).map_or(RANGE, |bound| bound.share),
                },
                None if matches!(function.name, "like" | "~~" | "textlike" | "bpcharlike" | "starts_with") => 0.05,
                None => 0.25,
            },
            Expr::Subquery(_) => 0.5,
            _ => 0.25,
        }
    }

    /// Terms are taken as independent of each other, but for the two bounds of one column (clauselist_selectivity).
    fn all_of(&self, terms: &[Expr]) -> f64 {
        let mut share = 1.0;
        let mut open: Vec<Bound> = Vec::new();
        for term in terms {
            let Some(bound) = self.bound(term) else {
                share *= self.selectivity(term);
                continue;
            };
            let other = open.iter().position(|other| other.column == bound.column && other.upper != bound.upper);
            match other.map(|at| open.swap_remove(at)) {
                None => open.push(bound),
                Some(other) => {
                    let between = other.share + bound.share - 1.0;
                    share *= if between > 0.0 { between } else { CLOSED_RANGE.min(other.share).min(bound.share) };
                }
            }
        }
        share * open.iter().map(|bound| bound.share).product::<f64>()
    }

    fn bound(&self, condition: &Expr) -> Option<Bound> {
        let (left, right, known) = conjuncts::comparison(condition)?;
        let (column, value, order) = match (left, right) {
            (Expr::Column { id, .. }, Expr::Constant { value, .. }) => (*id, value, known.order),
            (Expr::Constant { value, .. }, Expr::Column { id, .. }) => (*id, value, known.order.commuted()),
            _ => return None,
        };
        let upper = match order {
            Order::Less | Order::LessOrEqual => true,
            Order::Greater | Order::GreaterOrEqual => false,
            Order::Equal | Order::NotEqual => return None,
        };
        let (table, attribute) = *self.attributes.get(&column)?;
        let below = self.statistics.share_below(table, attribute, value)?;
        Some(Bound { column, upper, share: if upper { below } else { 1.0 - below } })
    }
}

/// Elements of a constant array; ten when it is not constant, as PostgreSQL guesses.
pub(super) fn list_length(array: &Expr) -> f64 {
    match array {
        Expr::Constant { value: Datum::Array(array), .. } => array.elements.len() as f64,
        Expr::Array { elements, .. } => elements.len() as f64,
        _ => 10.0,
    }
}
