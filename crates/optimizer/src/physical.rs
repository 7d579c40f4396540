//! From logical to physical: an algorithm for every operator.

mod access_path;
mod estimate;
mod join;
mod join_order;
mod ordered;
mod selectivity;

use std::{cell::RefCell, collections::HashMap};

use catalog::Catalog;
use expr::{ColumnId, Expr};
use plan::{
    logical::{self, Computed, Given, LogicalPlan, Scan, SetOperator},
    physical::{self, Estimate, Operator, PhysicalPlan, ScanSource},
};
use storage::TableId;
use types::Result;

use crate::{Statistics, columns::output, conjuncts};

/// Plans one statement.
pub(crate) struct Planner<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) statistics: &'a dyn Statistics,
    /// How many different values a column has, as far as known.
    distinct: RefCell<HashMap<ColumnId, Distinct>>,
    /// The attributes of tables that columns are.
    attributes: HashMap<ColumnId, (TableId, usize)>,
    /// Estimates of the WITH queries planned so far.
    ctes: Vec<Estimate>,
}

/// How many different values a column has.
#[derive(Clone, Copy)]
enum Distinct {
    Known(f64),
    /// To be asked of the statistics when a plan depends on it.
    Attribute {
        table: TableId,
        attribute: usize,
        rows: f64,
    },
}

impl<'a> Planner<'a> {
    pub(crate) fn new(catalog: &'a Catalog, statistics: &'a dyn Statistics) -> Planner<'a> {
        Planner { catalog, statistics, distinct: RefCell::default(), attributes: HashMap::new(), ctes: Vec::new() }
    }

    pub(crate) fn note_cte(&mut self, estimate: Estimate) {
        self.ctes.push(estimate);
    }

    pub(crate) fn plan(&mut self, plan: LogicalPlan) -> Result<PhysicalPlan> {
        stacker::maybe_grow(128 * 1024, 1024 * 1024, || self.plan_operator(plan))
    }

    fn boxed(&mut self, plan: LogicalPlan) -> Result<Box<PhysicalPlan>> {
        self.plan(plan).map(Box::new)
    }

    /// An operator with its columns; the estimate follows from it.
    fn node(&self, operator: Operator, columns: Vec<Given>) -> PhysicalPlan {
        let estimate = self.estimate(&operator, &columns);
        PhysicalPlan { operator, columns, estimate }
    }

    fn plan_operator(&mut self, plan: LogicalPlan) -> Result<PhysicalPlan> {
        if let Some(plan) = self.limited_sort(&plan)? {
            return Ok(plan);
        }
        let columns = match &plan {
            // Columns come from the input as planned, whose order may differ.
            LogicalPlan::Sort { .. }
            | LogicalPlan::Distinct { .. }
            | LogicalPlan::Limit { .. }
            | LogicalPlan::LockRows { .. }
            | LogicalPlan::Filter { .. }
            | LogicalPlan::Join(_)
            | LogicalPlan::ProjectSet { .. }
            | LogicalPlan::Window { .. } => Vec::new(),
            plan => output(plan),
        };
        let operator = match plan {
            LogicalPlan::Scan(scan) => return Ok(self.scan(scan, Vec::new())),
            LogicalPlan::Filter { input, predicate } => return self.filter(*input, predicate),
            LogicalPlan::SystemScan { relation, alias, columns: read } => Operator::SystemScan {
                relation,
                alias,
                attributes: read.iter().map(|(attribute, _)| *attribute).collect(),
                hint: None,
                filter: None,
            },
            LogicalPlan::Values { rows, .. } => Operator::Values { rows },
            LogicalPlan::FunctionScan(scan) => Operator::FunctionScan(scan),
            LogicalPlan::CteScan { cte, name, columns } => {
                Operator::CteScan { cte, name, source: columns.iter().map(|(id, _)| *id).collect() }
            }
            LogicalPlan::WorkTable { cte, .. } => Operator::WorkTable { cte },
            LogicalPlan::Project { input, columns: computed } => return self.project(*input, computed),
            LogicalPlan::ProjectSet { input, sets } => Operator::ProjectSet { input: self.boxed(*input)?, sets },
            LogicalPlan::Join(join) => return self.join(join),
            LogicalPlan::Aggregate(mut aggregate) => {
                let input = std::mem::replace(&mut *aggregate.input, LogicalPlan::Values { rows: vec![], columns: vec![] });
                let aggregate = aggregate.into();
                let input = match self.extreme(&input, &aggregate) {
                    Some(first) => Box::new(first),
                    None => self.boxed(input)?,
                };
                Operator::HashAggregate { input, aggregate }
            }
            LogicalPlan::Window { input, calls } => Operator::Window { input: self.boxed(*input)?, calls },
            LogicalPlan::Sort { input, keys } => Operator::Sort { input: self.boxed(*input)?, keys },
            LogicalPlan::Distinct { input, on } => Operator::Distinct { input: self.boxed(*input)?, on },
            LogicalPlan::Limit { input, limit, offset, with_ties } => {
                Operator::Limit { input: self.boxed(*input)?, limit, offset, with_ties }
            }
            LogicalPlan::SetOperation(operation) => return self.set_operation(operation),
            LogicalPlan::RecursiveUnion { cte, initial, recursive, initial_columns, recursive_columns, all, .. } => {
                Operator::RecursiveUnion {
                    cte,
                    initial: self.boxed(*initial)?,
                    recursive: self.boxed(*recursive)?,
                    initial_columns,
                    recursive_columns,
                    all,
                }
            }
            LogicalPlan::LockRows { input, locks } => Operator::LockRows { input: self.boxed(*input)?, locks },
            LogicalPlan::Insert(insert) => self.insert(insert)?,
            LogicalPlan::Update(update) => self.update(update)?,
            LogicalPlan::Delete(delete) => self.delete(delete)?,
        };
        let columns = passed_on(&operator).unwrap_or(columns);
        Ok(self.node(operator, columns))
    }

    fn insert(&mut self, insert: logical::Insert) -> Result<Operator> {
        Ok(Operator::Insert(physical::Insert {
            relation: insert.relation,
            source: self.boxed(*insert.source)?,
            values: insert.values,
            row: insert.row,
            on_conflict: insert.on_conflict.map(|conflict| (conflict.arbiters, conflict.action)),
            returning: insert.returning,
        }))
    }

    fn update(&mut self, update: logical::Update) -> Result<Operator> {
        Ok(Operator::Update(physical::Update {
            relation: update.relation,
            source: self.boxed(*update.source)?,
            row_id: update.row_id,
            old_row: update.old_row,
            assignments: update.assignments,
            row: update.row,
            returning: update.returning,
        }))
    }

    fn delete(&mut self, delete: logical::Delete) -> Result<Operator> {
        Ok(Operator::Delete(physical::Delete {
            relation: delete.relation,
            source: self.boxed(*delete.source)?,
            row_id: delete.row_id,
            old_row: delete.old_row,
            returning: delete.returning,
        }))
    }

    /// A projection that only picks columns of a scan is the scan's own; one that changes nothing vanishes.
    fn project(&mut self, input: LogicalPlan, columns: Vec<Computed>) -> Result<PhysicalPlan> {
        let mut input = self.plan(input)?;
        let picked = |column: &Computed| matches!(column.expression, Expr::Column { id, .. } if id == column.id);
        if columns.iter().all(picked) {
            let ids: Vec<ColumnId> = columns.iter().map(|column| column.id).collect();
            if input.columns.iter().map(|column| column.id).eq(ids.iter().copied()) || narrow_scan(&mut input, &ids) {
                input.estimate = self.estimate(&input.operator, &input.columns);
                return Ok(input);
            }
        }
        let given = columns.iter().map(|column| Given { id: column.id, ty: column.expression.ty() }).collect();
        Ok(self.node(Operator::Project { input: Box::new(input), columns }, given))
    }

    /// A filter joins the scan below it when there is one.
    fn filter(&mut self, input: LogicalPlan, predicate: Expr) -> Result<PhysicalPlan> {
        let mut terms = Vec::new();
        conjuncts::split(predicate, &mut terms);
        match input {
            LogicalPlan::Scan(scan) => Ok(self.scan(scan, terms)),
            LogicalPlan::SystemScan { relation, alias, columns } => {
                let read: Vec<(usize, ColumnId)> = columns.iter().map(|(at, column)| (*at, column.id)).collect();
                let operator = Operator::SystemScan {
                    relation,
                    alias,
                    attributes: read.iter().map(|(attribute, _)| *attribute).collect(),
                    hint: access_path::system_hint(&terms, &read),
                    filter: conjuncts::join(terms),
                };
                Ok(self.node(operator, columns.into_iter().map(|(_, column)| column).collect()))
            }
            LogicalPlan::Filter { input, predicate } => {
                terms.insert(0, predicate);
                self.filter(*input, Expr::And(terms))
            }
            input => {
                let input = self.boxed(input)?;
                let columns = input.columns.clone();
                Ok(match conjuncts::join(terms) {
                    None => *input,
                    Some(predicate) => self.node(Operator::Filter { input, predicate }, columns),
                })
            }
        }
    }

    /// UNION ALL chains become one Append; UNION is a Distinct above it.
    fn set_operation(&mut self, operation: plan::logical::SetOperation) -> Result<PhysicalPlan> {
        let columns = operation.columns.clone();
        if operation.operator != SetOperator::Union {
            let operator = Operator::HashSetOperation {
                operator: operation.operator,
                all: operation.all,
                left: self.boxed(*operation.left)?,
                right: self.boxed(*operation.right)?,
                left_columns: operation.left_columns,
                right_columns: operation.right_columns,
            };
            return Ok(self.node(operator, columns));
        }
        let all = operation.all;
        let mut inputs = Vec::new();
        self.append_inputs(*operation.left, operation.left_columns, all, &mut inputs)?;
        self.append_inputs(*operation.right, operation.right_columns, all, &mut inputs)?;
        let append = self.node(Operator::Append { inputs }, columns.clone());
        if all {
            return Ok(append);
        }
        Ok(self.node(Operator::Distinct { input: Box::new(append), on: None }, columns))
    }

    /// The inputs of one side, nested unions that keep as many rows taken apart.
    fn append_inputs(
        &mut self,
        mut plan: LogicalPlan,
        mut columns: Vec<ColumnId>,
        all: bool,
        inputs: &mut Vec<(PhysicalPlan, Vec<ColumnId>)>,
    ) -> Result<()> {
        // Left-deep chains are long; they are walked without recursion.
        let mut rights = Vec::new();
        loop {
            match plan {
                LogicalPlan::SetOperation(inner)
                    if inner.operator == SetOperator::Union && (inner.all || !all) && flattens(&inner, &columns) =>
                {
                    let order = |side: &[ColumnId]| -> Vec<ColumnId> {
                        let at = |id: &ColumnId| inner.columns.iter().position(|column| column.id == *id);
                        columns.iter().filter_map(at).map(|at| side[at]).collect()
                    };
                    let (left, right) = (order(&inner.left_columns), order(&inner.right_columns));
                    rights.push((*inner.right, right));
                    plan = *inner.left;
                    columns = left;
                }
                other => {
                    inputs.push((self.plan(other)?, columns));
                    break;
                }
            }
        }
        while let Some((right, columns)) = rights.pop() {
            stacker::maybe_grow(128 * 1024, 1024 * 1024, || self.append_inputs(right, columns, all, inputs))?;
        }
        Ok(())
    }

    /// The sources of a scan's columns, in the order of its output.
    fn sources(scan: &Scan) -> Vec<ScanSource> {
        let mut sources: Vec<ScanSource> = scan.columns.iter().map(|(attribute, _)| ScanSource::Attribute(*attribute)).collect();
        sources.extend(scan.row_id.map(|_| ScanSource::RowId));
        sources.extend(scan.system.iter().map(|(attribute, _)| ScanSource::System(*attribute)));
        sources
    }
}

/// Makes a scan give these of its columns, in this order; what its filter reads besides stays hidden. False when it is no scan.
fn narrow_scan(plan: &mut PhysicalPlan, ids: &[ColumnId]) -> bool {
    let (sources, hidden, filter) = match &mut plan.operator {
        Operator::TableScan(scan) => (&mut scan.sources, &mut scan.hidden, &scan.filter),
        Operator::IndexScan(scan) => (&mut scan.sources, &mut scan.hidden, &scan.filter),
        _ => return false,
    };
    let mut kept = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(at) = plan.columns.iter().position(|column| column.id == *id) else { return false };
        kept.push((sources[at], plan.columns[at]));
    }
    let read = filter.as_ref().map(Expr::columns).unwrap_or_default();
    let dropped = plan.columns.iter().zip(sources.iter()).filter(|(column, _)| !ids.contains(&column.id));
    let (filtered, others): (Vec<_>, Vec<_>) =
        dropped.map(|(column, source)| (*source, *column)).partition(|(_, column)| read.contains(&column.id));
    hidden.extend(filtered);
    *sources = kept.iter().map(|(source, _)| *source).collect();
    plan.columns = kept.into_iter().map(|(_, column)| column).collect();
    if let Operator::IndexScan(scan) = &mut plan.operator
        && let Some(condition) = &scan.condition
    {
        let named = condition.columns();
        scan.unread.extend(others.into_iter().filter(|(_, column)| named.contains(&column.id)));
    }
    true
}

/// Whether all columns asked for are those of the inner union.
fn flattens(inner: &plan::logical::SetOperation, columns: &[ColumnId]) -> bool {
    columns.iter().all(|id| inner.columns.iter().any(|column| column.id == *id))
}

/// The columns of an operator that passes on those of its input as planned, whose order may differ from the logical plan's.
fn passed_on(operator: &Operator) -> Option<Vec<Given>> {
    Some(match operator {
        Operator::Sort { input, .. }
        | Operator::Distinct { input, .. }
        | Operator::Limit { input, .. }
        | Operator::LockRows { input, .. } => input.columns.clone(),
        Operator::ProjectSet { input, sets } => {
            let sets = sets.iter().map(|(id, call)| Given { id: *id, ty: call.ty });
            input.columns.iter().copied().chain(sets).collect()
        }
        Operator::Window { input, calls } => {
            let calls = calls.iter().map(|(id, call)| Given { id: *id, ty: call.call.ty });
            input.columns.iter().copied().chain(calls).collect()
        }
        _ => return None,
    })
}
