//! Rows in the order of an index: instead of a sort below a LIMIT, and for min and max.

use catalog::IndexKey;
use expr::{ColumnId, Expr, SortKey};
use plan::{
    logical::{Computed, LogicalPlan, Scan},
    physical::{AggregateSpec, Estimate, IndexScan, Operator, PhysicalPlan},
};
use types::{Datum, Result, SqlType};

use super::Planner;
use crate::conjuncts;

impl Planner<'_> {
    /// LIMIT above a sort, projections between them or below: the sort can go when an index gives its order.
    pub(super) fn limited_sort(&mut self, limit: &LogicalPlan) -> Result<Option<PhysicalPlan>> {
        let LogicalPlan::Limit { input, limit: Some(count), offset, with_ties: None } = limit else { return Ok(None) };
        let Some(input) = self.without_sort(input)? else { return Ok(None) };
        let columns = input.columns.clone();
        let operator =
            Operator::Limit { input: Box::new(input), limit: Some(count.clone()), offset: offset.clone(), with_ties: None };
        Ok(Some(self.node(operator, columns)))
    }

    /// The plan of a sort (below projections) read from an index in its order.
    fn without_sort(&mut self, plan: &LogicalPlan) -> Result<Option<PhysicalPlan>> {
        match plan {
            LogicalPlan::Project { input, columns } => {
                let Some(input) = self.without_sort(input)? else { return Ok(None) };
                let given = crate::columns::output(plan);
                Ok(Some(self.node(Operator::Project { input: Box::new(input), columns: columns.clone() }, given)))
            }
            LogicalPlan::Sort { input, keys } => Ok(self.ordered(input, keys)),
            _ => Ok(None),
        }
    }

    /// A plan's rows in the order of some keys, through projections and filters down to an index.
    fn ordered(&mut self, plan: &LogicalPlan, keys: &[SortKey]) -> Option<PhysicalPlan> {
        match plan {
            LogicalPlan::Project { input, columns } => {
                let below: Vec<SortKey> = keys.iter().map(|key| through(key, columns)).collect::<Option<_>>()?;
                let input = self.ordered(input, &below)?;
                let given = crate::columns::output(plan);
                Some(self.node(Operator::Project { input: Box::new(input), columns: columns.clone() }, given))
            }
            LogicalPlan::Filter { input, predicate } => match &**input {
                LogicalPlan::Scan(scan) => {
                    let mut terms = Vec::new();
                    conjuncts::split(predicate.clone(), &mut terms);
                    self.ordered_scan(scan, terms, keys)
                }
                _ => None,
            },
            LogicalPlan::Scan(scan) => self.ordered_scan(scan, Vec::new(), keys),
            _ => None,
        }
    }

    fn ordered_scan(&mut self, scan: &Scan, terms: Vec<Expr>, keys: &[SortKey]) -> Option<PhysicalPlan> {
        self.note_columns(scan);
        // A selective condition with an index of its own beats the order.
        let selective = self.index_path(scan, &terms);
        if let Some(path) = &selective
            && matches!(&path.operator, Operator::IndexScan(found) if found.unique)
        {
            return None;
        }
        let wanted: Vec<(usize, bool, bool)> = keys.iter().map(|key| attribute_key(scan, key)).collect::<Option<_>>()?;
        let (oid, reverse) = self.indexes(scan).find_map(|(oid, index)| {
            if index.predicate.is_some() || index.columns.len() < wanted.len() {
                return None;
            }
            let direction = |reverse: bool| {
                index.columns.iter().zip(&wanted).all(|(column, (attribute, descending, nulls_first))| {
                    matches!(column.key, IndexKey::Attribute(own) if own == *attribute)
                        && (column.order.descending != reverse) == *descending
                        && (column.order.nulls_first != reverse) == *nulls_first
                })
            };
            [false, true].into_iter().find(|reverse| direction(*reverse)).map(|reverse| (oid, reverse))
        })?;
        let index = self.indexes(scan).find(|(own, _)| *own == oid)?.1;
        let mut plan = self.ordered_index_scan(scan, oid, index.columns.iter().map(|column| column.ty).collect(), reverse, terms);
        if let Some(path) = selective {
            if path.estimate.rows * 20.0 < plan.estimate.rows.max(1000.0) {
                return None;
            }
            // Bounds on the leading key column serve both.
            if let Operator::IndexScan(found) = path.operator
                && found.index == oid
                && found.equal.is_empty()
                && found.any_of.is_none()
            {
                let mut found = found;
                found.reverse = reverse;
                plan.operator = Operator::IndexScan(found);
            }
        }
        Some(plan)
    }

    fn ordered_index_scan(
        &self,
        scan: &Scan,
        index: types::Oid,
        key_types: Vec<SqlType>,
        reverse: bool,
        terms: Vec<Expr>,
    ) -> PhysicalPlan {
        let given = crate::columns::output(&LogicalPlan::Scan(scan.clone()));
        let operator = Operator::IndexScan(IndexScan {
            relation: scan.relation.clone(),
            alias: scan.alias.clone(),
            index,
            sources: Planner::sources(scan),
            hidden: Vec::new(),
            key_types,
            unique: false,
            equal: Vec::new(),
            any_of: None,
            lower: None,
            upper: None,
            reverse,
            filter: conjuncts::join(terms),
            condition: None,
            unread: Vec::new(),
        });
        self.node(operator, given)
    }

    /// min or max of an indexed column: of the first row in the index's order that is not NULL.
    pub(super) fn extreme(&mut self, input: &LogicalPlan, aggregate: &AggregateSpec) -> Option<PhysicalPlan> {
        let [(_, call)] = &aggregate.aggregates[..] else { return None };
        let grouped = !aggregate.group_by.is_empty() || aggregate.sets.is_some();
        if grouped || call.filter.is_some() || !call.order_by.is_empty() || !matches!(call.function.name, "min" | "max") {
            return None;
        }
        let [argument] = &call.arguments[..] else { return None };
        let key = SortKey {
            expression: argument.clone(),
            descending: call.function.name == "max",
            nulls_first: call.function.name == "max",
            collation: types::Oid::INVALID,
        };
        let not_null = Expr::IsNull { operand: Box::new(argument.clone()), negated: true };
        let filtered = match input {
            LogicalPlan::Filter { input, predicate } => {
                LogicalPlan::Filter { input: input.clone(), predicate: Expr::And(vec![predicate.clone(), not_null]) }
            }
            other => LogicalPlan::Filter { input: Box::new(other.clone()), predicate: not_null },
        };
        let ordered = self.ordered(&filtered, &[key])?;
        let columns = ordered.columns.clone();
        let one = Expr::constant(Datum::Int8(1), SqlType::INT8);
        let limit = Operator::Limit { input: Box::new(ordered), limit: Some(one), offset: None, with_ties: None };
        let mut plan = self.node(limit, columns);
        plan.estimate = Estimate { rows: 1.0, ..plan.estimate };
        Some(plan)
    }
}

/// A key over a projection's columns as one over its input's.
fn through(key: &SortKey, columns: &[Computed]) -> Option<SortKey> {
    let Expr::Column { id, .. } = key.expression else { return None };
    let source = &columns.iter().find(|column| column.id == id)?.expression;
    matches!(source, Expr::Column { .. }).then(|| SortKey { expression: source.clone(), ..key.clone() })
}

/// The attribute a key orders by, with its direction.
fn attribute_key(scan: &Scan, key: &SortKey) -> Option<(usize, bool, bool)> {
    let Expr::Column { id, .. } = key.expression else { return None };
    let attribute =
        |wanted: ColumnId| scan.columns.iter().find(|(_, column)| column.id == wanted).map(|(attribute, _)| *attribute);
    Some((attribute(id)?, key.descending, key.nulls_first))
}
