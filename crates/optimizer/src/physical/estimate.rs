//! Estimates of rows, widths and costs, loosely as PostgreSQL makes them.

use expr::{ColumnId, Expr};
use plan::{
    comparison::Order,
    logical::{Given, JoinKind, SetOperator},
    physical::{Estimate, Operator, PhysicalPlan},
};
use types::{Datum, Physical};

use super::{Distinct, Planner};
use crate::conjuncts;

/// PostgreSQL's cost of processing one row, one expression, one index entry.
pub(super) const ROW_COST: f64 = 0.01;
const EXPRESSION_COST: f64 = 0.0025;
const INDEX_ROW_COST: f64 = 0.005;
/// Cost of fetching a row by its id, in memory.
const FETCH_COST: f64 = 0.02;
/// PostgreSQL's guess of a column's different values when nothing is known.
const DEFAULT_DISTINCT: f64 = 200.0;

impl Planner<'_> {
    pub(crate) fn estimate(&self, operator: &Operator, columns: &[Given]) -> Estimate {
        let width = columns.iter().map(|column| width(column.ty.physical)).sum();
        let made = |startup: f64, total: f64, rows: f64| Estimate {
            startup_cost: startup,
            total_cost: total,
            rows: rows.max(0.0),
            width,
        };
        let above = |input: &PhysicalPlan, cost: f64, rows: f64| {
            made(input.estimate.startup_cost, input.estimate.total_cost + cost, rows)
        };
        match operator {
            Operator::TableScan(scan) => {
                let rows = scan.relation.storage().and_then(|table| self.statistics.row_count(table)).unwrap_or(1000.0);
                let terms = scan.filter.as_ref().map_or(0, term_count);
                let kept = scan.filter.as_ref().map_or(rows, |filter| (rows * self.selectivity(filter)).max(1.0));
                made(0.0, (rows / 100.0).ceil() + rows * (ROW_COST + terms as f64 * EXPRESSION_COST), kept)
            }
            Operator::IndexScan(scan) => {
                let rows = scan.relation.storage().and_then(|table| self.statistics.row_count(table)).unwrap_or(1000.0);
                let mut found = scan.condition.as_ref().map_or(rows, |condition| rows * self.selectivity(condition));
                if scan.unique {
                    found = scan.any_of.as_ref().map_or(1.0, list_length);
                }
                let found = found.clamp(1.0, rows.max(1.0));
                let kept = scan.filter.as_ref().map_or(found, |filter| (found * self.selectivity(filter)).max(1.0));
                let startup = 0.15;
                made(startup, startup + found * (INDEX_ROW_COST + FETCH_COST + ROW_COST), kept)
            }
            Operator::SystemScan { filter, .. } => {
                let rows = filter.as_ref().map_or(400.0, |filter| (400.0 * self.selectivity(filter)).max(1.0));
                made(0.0, 10.0, rows)
            }
            Operator::Values { rows } => made(0.0, rows.len() as f64 * ROW_COST, rows.len() as f64),
            Operator::FunctionScan(scan) => {
                let rows = scan.calls.iter().map(|(source, _)| match source {
                    plan::logical::FunctionSource::Set(call) => f64::from(call.function.rows),
                    plan::logical::FunctionSource::Expression(_) => 1.0,
                });
                let rows = rows.fold(1.0, f64::max);
                made(0.0, rows * ROW_COST, rows)
            }
            Operator::CteScan { cte, .. } => {
                let rows = self.ctes.get(cte.0 as usize).map_or(1000.0, |estimate| estimate.rows);
                made(0.0, rows * 2.0 * ROW_COST, rows)
            }
            Operator::WorkTable { .. } => made(0.0, 0.2, 10.0),
            Operator::Filter { input, predicate } => {
                let rows = input.estimate.rows;
                above(input, rows * term_count(predicate) as f64 * EXPRESSION_COST, (rows * self.selectivity(predicate)).max(1.0))
            }
            Operator::Project { input, .. } => above(input, input.estimate.rows * ROW_COST, input.estimate.rows),
            Operator::ProjectSet { input, sets } => {
                let factor = sets.iter().map(|(_, call)| f64::from(call.function.rows)).fold(1.0, f64::max);
                above(input, input.estimate.rows * factor * ROW_COST, input.estimate.rows * factor)
            }
            Operator::NestedLoopJoin { kind, left, right, condition, .. } => {
                let (outer, inner) = (&left.estimate, &right.estimate);
                let pairs = outer.rows * inner.rows;
                let rows = joined(*kind, outer.rows, inner.rows, condition.as_ref().map_or(1.0, |term| self.selectivity(term)));
                made(
                    outer.startup_cost + inner.startup_cost,
                    outer.total_cost + outer.rows.max(1.0) * inner.total_cost + pairs * ROW_COST,
                    rows,
                )
            }
            Operator::HashJoin(join) => {
                let (probe, build) = (&join.left.estimate, &join.right.estimate);
                let keys = join.keys.iter().map(|(left, right)| self.equality_selectivity(left, right)).product::<f64>();
                let residual = join.residual.as_ref().map_or(1.0, |term| self.selectivity(term));
                let rows = joined(join.kind, probe.rows, build.rows, keys * residual);
                let startup = build.total_cost + build.rows * ROW_COST;
                made(startup, startup + probe.total_cost + probe.rows * ROW_COST + rows * ROW_COST, rows)
            }
            Operator::HashAggregate { input, aggregate } => {
                let rows = if aggregate.group_by.is_empty() { 1.0 } else { self.groups(aggregate, input.estimate.rows) };
                let work = (aggregate.aggregates.len() + aggregate.group_by.len()) as f64 * EXPRESSION_COST;
                let startup = input.estimate.total_cost + input.estimate.rows * work;
                made(startup, startup + rows * ROW_COST, rows)
            }
            Operator::Window { input, calls } => {
                let rows = input.estimate.rows;
                let startup = input.estimate.total_cost + sort_cost(rows);
                made(startup, startup + rows * calls.len() as f64 * ROW_COST, rows)
            }
            Operator::Sort { input, .. } => {
                let startup = input.estimate.total_cost + sort_cost(input.estimate.rows);
                made(startup, startup + input.estimate.rows * EXPRESSION_COST, input.estimate.rows)
            }
            Operator::Distinct { input, .. } => {
                let startup = input.estimate.total_cost + input.estimate.rows * EXPRESSION_COST;
                let rows = (input.estimate.rows / 2.0).clamp(1.0, 1e9).min(input.estimate.rows.max(1.0));
                made(startup, startup + rows * ROW_COST, rows)
            }
            Operator::Limit { input, limit, offset, .. } => {
                let skipped = offset.as_ref().and_then(constant_number).unwrap_or(0.0);
                let available = (input.estimate.rows - skipped).max(1.0);
                let rows = limit.as_ref().and_then(constant_number).unwrap_or(available / 10.0).min(available);
                let share = ((rows + skipped) / input.estimate.rows.max(1.0)).min(1.0);
                let run = input.estimate.total_cost - input.estimate.startup_cost;
                made(input.estimate.startup_cost, input.estimate.startup_cost + run * share, rows)
            }
            Operator::Append { inputs } => {
                let total = inputs.iter().map(|(input, _)| input.estimate.total_cost).sum();
                made(0.0, total, inputs.iter().map(|(input, _)| input.estimate.rows).sum())
            }
            Operator::HashSetOperation { operator, left, right, .. } => {
                let rows = match operator {
                    SetOperator::Intersect => left.estimate.rows.min(right.estimate.rows),
                    _ => left.estimate.rows,
                };
                let startup = left.estimate.total_cost + right.estimate.total_cost;
                made(startup, startup + rows * ROW_COST, rows)
            }
            Operator::RecursiveUnion { initial, recursive, .. } => {
                let rows = initial.estimate.rows + 10.0 * recursive.estimate.rows;
                made(initial.estimate.startup_cost, initial.estimate.total_cost + 10.0 * recursive.estimate.total_cost, rows)
            }
            Operator::LockRows { input, .. } => above(input, input.estimate.rows * ROW_COST, input.estimate.rows),
            Operator::Insert(insert) => self.modification(&insert.source, insert.returning.is_some(), width),
            Operator::Update(update) => self.modification(&update.source, update.returning.is_some(), width),
            Operator::Delete(delete) => self.modification(&delete.source, delete.returning.is_some(), width),
        }
    }

    fn modification(&self, source: &PhysicalPlan, returning: bool, width: i32) -> Estimate {
        let rows = if returning { source.estimate.rows } else { 0.0 };
        Estimate { rows, width, ..source.estimate }
    }

    fn groups(&self, aggregate: &plan::physical::AggregateSpec, rows: f64) -> f64 {
        let product: f64 = aggregate.group_by.iter().map(|key| self.distinct(&key.expression)).product();
        product.min(rows).max(1.0)
    }

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

    fn equality_selectivity(&self, left: &Expr, right: &Expr) -> f64 {
        1.0 / self.distinct(left).max(self.distinct(right)).max(1.0)
    }

    /// The share of rows for which a condition is true.
    pub(super) fn selectivity(&self, condition: &Expr) -> f64 {
        match condition {
            Expr::And(terms) => terms.iter().map(|term| self.selectivity(term)).product(),
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
                    _ => 1.0 / 3.0,
                },
                None if matches!(function.name, "like" | "~~" | "textlike" | "bpcharlike" | "starts_with") => 0.05,
                None => 0.25,
            },
            Expr::Subquery(_) => 0.5,
            _ => 0.25,
        }
    }
}

fn sort_cost(rows: f64) -> f64 {
    2.0 * EXPRESSION_COST * rows * rows.max(2.0).log2()
}

fn joined(kind: JoinKind, left: f64, right: f64, selectivity: f64) -> f64 {
    let inner = (left * right * selectivity).max(1.0);
    match kind {
        JoinKind::Inner => inner,
        JoinKind::Left => inner.max(left),
        JoinKind::Right => inner.max(right),
        JoinKind::Full => inner.max(left).max(right),
        JoinKind::Semi => (left * (right * selectivity).min(1.0)).max(1.0),
        JoinKind::Anti => (left * (1.0 - (right * selectivity).min(0.9))).max(1.0),
    }
}

fn term_count(condition: &Expr) -> usize {
    match condition {
        Expr::And(terms) => terms.len(),
        _ => 1,
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

fn constant_number(expression: &Expr) -> Option<f64> {
    match expression {
        Expr::Constant { value: Datum::Int8(value), .. } => Some(*value as f64),
        _ => None,
    }
}

/// Bytes PostgreSQL expects of a value.
fn width(physical: Physical) -> i32 {
    match physical {
        Physical::Bool => 1,
        Physical::Int2 => 2,
        Physical::Int4 | Physical::Float4 | Physical::Oid | Physical::Date => 4,
        Physical::Int8 | Physical::Float8 | Physical::Time | Physical::Timestamp | Physical::TimestampTz => 8,
        Physical::TimeTz => 12,
        Physical::Interval | Physical::Uuid => 16,
        Physical::Numeric | Physical::Text | Physical::Bytes | Physical::Any => 32,
    }
}
