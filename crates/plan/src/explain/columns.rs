//! What EXPLAIN calls a column: the attribute it is, or the expression that computes it.

use std::collections::HashMap;

use expr::{ColumnId, Expr};

use crate::{
    logical::SystemAttribute,
    physical::{Operator, PhysicalPlan, ScanSource},
    statement::Query,
};

pub(super) enum Column<'a> {
    /// Relation's name in the query, and the attribute's.
    Attribute(String, String),
    Expression(&'a Expr),
    /// An aggregate or window call: name, arguments.
    Call(&'a expr::AggregateCall, bool),
    SetCall(&'a crate::logical::SetCall),
}

pub(super) struct Columns<'a> {
    columns: HashMap<ColumnId, Column<'a>>,
    /// More than one relation: attributes are qualified.
    pub(super) qualified: bool,
}

impl<'a> Columns<'a> {
    pub(super) fn of(query: &'a Query<PhysicalPlan>) -> Columns<'a> {
        let mut columns = Columns { columns: HashMap::new(), qualified: false };
        let mut relations = 0;
        let plans = std::iter::once(&query.root)
            .chain(query.ctes.iter().map(|cte| &cte.plan))
            .chain(query.subplans.iter().map(|subplan| &subplan.plan));
        for plan in plans {
            plan.for_each(&mut |plan| relations += columns.note(plan, query));
        }
        columns.qualified = relations > 1;
        columns
    }

    pub(super) fn get(&self, id: ColumnId) -> Option<&Column<'a>> {
        self.columns.get(&id)
    }

    /// Notes an operator's columns; 1 when it reads a relation.
    fn note(&mut self, plan: &'a PhysicalPlan, query: &'a Query<PhysicalPlan>) -> usize {
        match &plan.operator {
            Operator::TableScan(scan) => {
                let hidden = scan.hidden.iter().map(|(source, given)| (*source, given.id));
                let all = plan.columns.iter().zip(&scan.sources).map(|(given, source)| (*source, given.id));
                self.note_scan(&scan.relation, &scan.alias, all.chain(hidden));
                1
            }
            Operator::IndexScan(scan) => {
                let hidden = scan.hidden.iter().chain(&scan.unread).map(|(source, given)| (*source, given.id));
                let all = plan.columns.iter().zip(&scan.sources).map(|(given, source)| (*source, given.id));
                self.note_scan(&scan.relation, &scan.alias, all.chain(hidden));
                1
            }
            Operator::SystemScan { relation, alias, attributes, .. } => {
                for (attribute, given) in attributes.iter().zip(&plan.columns) {
                    self.attribute(given.id, alias, relation.columns[*attribute].name);
                }
                1
            }
            Operator::FunctionScan(scan) => {
                for given in &plan.columns {
                    self.attribute(given.id, &scan.alias, &scan.alias);
                }
                1
            }
            Operator::CteScan { name, cte, source } => {
                let columns = query.ctes.get(cte.0 as usize).map(|cte| &cte.output);
                for (given, source) in plan.columns.iter().zip(source) {
                    let place = columns.and_then(|columns| columns.iter().position(|id| id == source)).unwrap_or(0);
                    let column = match self.columns.get(source) {
                        Some(Column::Attribute(_, column)) => column.clone(),
                        _ => format!("column{}", place + 1),
                    };
                    self.attribute(given.id, name, &column);
                }
                1
            }
            Operator::Values { rows } if !plan.columns.is_empty() && !rows.is_empty() => {
                for (place, given) in plan.columns.iter().enumerate() {
                    self.attribute(given.id, "\"*VALUES*\"", &format!("column{}", place + 1));
                }
                1
            }
            Operator::Project { columns, .. } => {
                for column in columns {
                    if !matches!(column.expression, Expr::Column { id, .. } if id == column.id) {
                        self.columns.insert(column.id, Column::Expression(&column.expression));
                    }
                }
                0
            }
            Operator::HashAggregate { aggregate, .. } => {
                for key in &aggregate.group_by {
                    if !matches!(key.expression, Expr::Column { id, .. } if id == key.id) {
                        self.columns.insert(key.id, Column::Expression(&key.expression));
                    }
                }
                self.columns.extend(aggregate.aggregates.iter().map(|(id, call)| (*id, Column::Call(call, false))));
                0
            }
            Operator::Window { calls, .. } => {
                self.columns.extend(calls.iter().map(|(id, call)| (*id, Column::Call(&call.call, true))));
                0
            }
            Operator::ProjectSet { sets, .. } => {
                self.columns.extend(sets.iter().map(|(id, call)| (*id, Column::SetCall(call))));
                0
            }
            _ => 0,
        }
    }

    fn note_scan(&mut self, relation: &catalog::Relation, alias: &str, columns: impl Iterator<Item = (ScanSource, ColumnId)>) {
        for (source, id) in columns {
            let name = match source {
                ScanSource::Attribute(attribute) => &*relation.attributes[attribute].name,
                ScanSource::RowId | ScanSource::System(SystemAttribute::Ctid) => "ctid",
                ScanSource::System(SystemAttribute::Xmin) => "xmin",
                ScanSource::System(SystemAttribute::Xmax) => "xmax",
                ScanSource::System(SystemAttribute::Cmin) => "cmin",
                ScanSource::System(SystemAttribute::Cmax) => "cmax",
                ScanSource::System(SystemAttribute::TableOid) => "tableoid",
            };
            self.attribute(id, alias, name);
        }
    }

    fn attribute(&mut self, id: ColumnId, relation: &str, name: &str) {
        self.columns.insert(id, Column::Attribute(relation.to_owned(), name.to_owned()));
    }
}
