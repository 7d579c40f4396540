//! Estimates of rows, widths and costs, loosely as PostgreSQL makes them.

use catalog::Relation;
use expr::Expr;
use plan::{
    logical::{FunctionScan, FunctionSource, Given, JoinKind, SetOperator},
    physical::{AggregateSpec, Estimate, HashJoin, IndexScan, Operator, PhysicalPlan, TableScan},
};
use types::{Datum, Physical};

use super::{Planner, selectivity::list_length};

/// PostgreSQL's cost of processing one row, one expression, one index entry.
pub(super) const ROW_COST: f64 = 0.01;
const EXPRESSION_COST: f64 = 0.0025;
/// Cost of putting a row into a hash table: more than finding it there.
const HASHED_ROW_COST: f64 = 2.0 * ROW_COST;
const INDEX_ROW_COST: f64 = 0.005;
/// Cost of fetching a row by its id, in memory.
const FETCH_COST: f64 = 0.02;

/// An operator's estimate but for its width, which its columns give.
fn made(startup_cost: f64, total_cost: f64, rows: f64) -> Estimate {
    Estimate { startup_cost, total_cost, rows: rows.max(0.0), width: 0 }
}

/// Of an operator that passes on rows as they come.
fn above(input: &PhysicalPlan, cost: f64, rows: f64) -> Estimate {
    made(input.estimate.startup_cost, input.estimate.total_cost + cost, rows)
}

/// Of an operator that gives its first row when its input has ended.
fn after(startup: f64, rows: f64, cost_per_row: f64) -> Estimate {
    made(startup, startup + rows * cost_per_row, rows)
}

fn function_scan_estimate(scan: &FunctionScan) -> Estimate {
    let rows = scan.calls.iter().map(|(source, _)| match source {
        FunctionSource::Set(call) => f64::from(call.function.rows),
        FunctionSource::Expression(_) => 1.0,
    });
    let rows = rows.fold(1.0, f64::max);
    made(0.0, rows * ROW_COST, rows)
}

fn limited_estimate(input: &Estimate, limit: Option<&Expr>, offset: Option<&Expr>) -> Estimate {
    let skipped = offset.and_then(constant_number).unwrap_or(0.0);
    let available = (input.rows - skipped).max(1.0);
    let rows = limit.and_then(constant_number).unwrap_or(available / 10.0).min(available);
    let share = ((rows + skipped) / input.rows.max(1.0)).min(1.0);
    made(input.startup_cost, input.startup_cost + (input.total_cost - input.startup_cost) * share, rows)
}

fn modification_estimate(source: &PhysicalPlan, returning: bool) -> Estimate {
    let rows = if returning { source.estimate.rows } else { 0.0 };
    Estimate { rows, ..source.estimate }
}

impl Planner<'_> {
    pub(crate) fn estimate(&self, operator: &Operator, columns: &[Given]) -> Estimate {
        let estimate = match operator {
            Operator::TableScan(scan) => self.table_scan_estimate(scan),
            Operator::IndexScan(scan) => self.index_scan_estimate(scan),
            Operator::SystemScan { filter, .. } => {
                let rows = filter.as_ref().map_or(400.0, |filter| (400.0 * self.selectivity(filter)).max(1.0));
                made(0.0, 10.0, rows)
            }
            Operator::Values { rows } => made(0.0, rows.len() as f64 * ROW_COST, rows.len() as f64),
            Operator::FunctionScan(scan) => function_scan_estimate(scan),
            Operator::CteScan { cte, .. } => {
                let rows = self.ctes.get(cte.0 as usize).map_or(1000.0, |estimate| estimate.rows);
                made(0.0, rows * 2.0 * ROW_COST, rows)
            }
            Operator::WorkTable { .. } => made(0.0, 0.2, 10.0),
            Operator::Filter { input, predicate } => {
                let rows = input.estimate.rows;
                above(input, rows * term_count(predicate) as f64 * EXPRESSION_COST, (rows * self.selectivity(predicate)).max(1.0))
            }
            Operator::Project { input, .. } | Operator::LockRows { input, .. } => {
                above(input, input.estimate.rows * ROW_COST, input.estimate.rows)
            }
            Operator::ProjectSet { input, sets } => {
                let factor = sets.iter().map(|(_, call)| f64::from(call.function.rows)).fold(1.0, f64::max);
                above(input, input.estimate.rows * factor * ROW_COST, input.estimate.rows * factor)
            }
            Operator::NestedLoopJoin { kind, left, right, condition, .. } => {
                self.nested_loop_estimate(*kind, &left.estimate, &right.estimate, condition.as_ref())
            }
            Operator::HashJoin(join) => self.hash_join_estimate(join),
            Operator::HashAggregate { input, aggregate } => self.aggregate_estimate(&input.estimate, aggregate),
            Operator::Window { input, calls } => after(
                input.estimate.total_cost + sort_cost(input.estimate.rows),
                input.estimate.rows,
                calls.len() as f64 * ROW_COST,
            ),
            Operator::Sort { input, .. } => {
                after(input.estimate.total_cost + sort_cost(input.estimate.rows), input.estimate.rows, EXPRESSION_COST)
            }
            Operator::Distinct { input, .. } => {
                let rows = (input.estimate.rows / 2.0).clamp(1.0, 1e9).min(input.estimate.rows.max(1.0));
                after(input.estimate.total_cost + input.estimate.rows * EXPRESSION_COST, rows, ROW_COST)
            }
            Operator::Limit { input, limit, offset, .. } => limited_estimate(&input.estimate, limit.as_ref(), offset.as_ref()),
            Operator::Append { inputs } => {
                let total = inputs.iter().map(|(input, _)| input.estimate.total_cost).sum();
                made(0.0, total, inputs.iter().map(|(input, _)| input.estimate.rows).sum())
            }
            Operator::HashSetOperation { operator, left, right, .. } => {
                let rows = match operator {
                    SetOperator::Intersect => left.estimate.rows.min(right.estimate.rows),
                    _ => left.estimate.rows,
                };
                after(left.estimate.total_cost + right.estimate.total_cost, rows, ROW_COST)
            }
            Operator::RecursiveUnion { initial, recursive, .. } => {
                let rows = initial.estimate.rows + 10.0 * recursive.estimate.rows;
                made(initial.estimate.startup_cost, initial.estimate.total_cost + 10.0 * recursive.estimate.total_cost, rows)
            }
            Operator::Insert(insert) => modification_estimate(&insert.source, insert.returning.is_some()),
            Operator::Update(update) => modification_estimate(&update.source, update.returning.is_some()),
            Operator::Delete(delete) => modification_estimate(&delete.source, delete.returning.is_some()),
        };
        Estimate { width: columns.iter().map(|column| width(column.ty.physical)).sum(), ..estimate }
    }

    fn rows_of(&self, relation: &Relation) -> f64 {
        relation.storage().and_then(|table| self.statistics.row_count(table)).unwrap_or(1000.0)
    }

    fn table_scan_estimate(&self, scan: &TableScan) -> Estimate {
        let rows = self.rows_of(&scan.relation);
        let terms = scan.filter.as_ref().map_or(0, term_count);
        let kept = scan.filter.as_ref().map_or(rows, |filter| (rows * self.selectivity(filter)).max(1.0));
        made(0.0, (rows / 100.0).ceil() + rows * (ROW_COST + terms as f64 * EXPRESSION_COST), kept)
    }

    fn index_scan_estimate(&self, scan: &IndexScan) -> Estimate {
        let rows = self.rows_of(&scan.relation);
        let mut found = scan.condition.as_ref().map_or(rows, |condition| rows * self.selectivity(condition));
        if scan.unique {
            found = scan.any_of.as_ref().map_or(1.0, list_length);
        }
        let found = found.clamp(1.0, rows.max(1.0));
        let kept = scan.filter.as_ref().map_or(found, |filter| (found * self.selectivity(filter)).max(1.0));
        let startup = 0.15;
        made(startup, startup + found * (INDEX_ROW_COST + FETCH_COST + ROW_COST), kept)
    }

    fn nested_loop_estimate(&self, kind: JoinKind, outer: &Estimate, inner: &Estimate, condition: Option<&Expr>) -> Estimate {
        let pairs = outer.rows * inner.rows;
        let rows = joined(kind, outer.rows, inner.rows, condition.map_or(1.0, |term| self.selectivity(term)));
        let total = outer.total_cost + outer.rows.max(1.0) * inner.total_cost + pairs * ROW_COST;
        made(outer.startup_cost + inner.startup_cost, total, rows)
    }

    fn hash_join_estimate(&self, join: &HashJoin) -> Estimate {
        let (probe, build) = (&join.left.estimate, &join.right.estimate);
        let keys = join.keys.iter().map(|(left, right)| self.equality_selectivity(left, right)).product::<f64>();
        let residual = join.residual.as_ref().map_or(1.0, |term| self.selectivity(term));
        let rows = joined(join.kind, probe.rows, build.rows, keys * residual);
        let startup = build.total_cost + build.rows * HASHED_ROW_COST;
        made(startup, startup + probe.total_cost + probe.rows * ROW_COST + rows * ROW_COST, rows)
    }

    fn aggregate_estimate(&self, input: &Estimate, aggregate: &AggregateSpec) -> Estimate {
        let rows = if aggregate.group_by.is_empty() { 1.0 } else { self.groups(aggregate, input.rows) };
        let work = (aggregate.aggregates.len() + aggregate.group_by.len()) as f64 * EXPRESSION_COST;
        after(input.total_cost + input.rows * work, rows, ROW_COST)
    }

    fn groups(&self, aggregate: &AggregateSpec, rows: f64) -> f64 {
        let product: f64 = aggregate.group_by.iter().map(|key| self.distinct(&key.expression)).product();
        product.min(rows).max(1.0)
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
