//! Aggregated queries: expressions above the aggregation are rewritten over its columns, and what is neither grouped nor aggregated is
//! refused (check_ungrouped_columns).

use catalog::ConstraintKind;
use expr::{ColumnId, Expr};
use plan::logical::{Aggregate, Computed, LogicalPlan};
use types::{Error, Result, SqlState};

use crate::{ast, group_by::Grouping, plan_walk, range_table::EntrySource, same, state::Binder};

/// Grouping expressions and the columns they have become.
pub(crate) struct Grouped {
    columns: Vec<Computed>,
    sets: Option<Vec<Vec<usize>>>,
    /// Columns that depend on the grouped primary key of their table.
    dependent: Vec<ColumnId>,
}

impl Binder<'_> {
    /// Gives the grouping expressions their columns.
    pub(crate) fn start_grouping(&mut self, grouping: Grouping) -> Grouped {
        let with_sets = grouping.sets.is_some();
        let columns = grouping
            .expressions
            .into_iter()
            .map(|expression| {
                let id = match expression {
                    Expr::Column { id, .. } if !with_sets => id,
                    _ => self.new_column(),
                };
                Computed { id, expression }
            })
            .collect();
        Grouped { columns, sets: grouping.sets, dependent: Vec::new() }
    }

    /// Rewrites an expression that stands above the aggregation. `from` says which recorded references it made.
    pub(crate) fn rewrite_grouped(&mut self, expr: &mut Expr, grouped: &mut Grouped, from: std::ops::Range<usize>) -> Result<()> {
        let mut passed: Vec<ColumnId> = Vec::new();
        self.rewrite(expr, grouped, &from, &mut passed)
    }

    fn rewrite(
        &mut self,
        expr: &mut Expr,
        grouped: &mut Grouped,
        from: &std::ops::Range<usize>,
        passed: &mut Vec<ColumnId>,
    ) -> Result<()> {
        if let Expr::Constant { .. } | Expr::Parameter { .. } = expr {
            return Ok(());
        }
        if let Some(column) = grouped.columns.iter().find(|column| same::same(&column.expression, expr)) {
            passed.extend(expr.columns());
            *expr = Expr::Column { id: column.id, ty: expr.ty() };
            return Ok(());
        }
        match expr {
            Expr::Column { id, .. } => return self.check_ungrouped(*id, grouped, from, passed, false),
            Expr::Subquery(subquery) => {
                let outer = subquery.outer.clone();
                let plan = subquery.plan;
                for (id, ty) in outer {
                    let replaced = grouped
                        .columns
                        .iter()
                        .find(|column| matches!(column.expression, Expr::Column { id: known, .. } if known == id))
                        .map(|column| column.id);
                    match replaced {
                        Some(new) if new != id => {
                            self.rename_in_subplan(plan, id, new);
                            if let Expr::Subquery(subquery) = expr {
                                subquery.outer.retain(|(known, _)| *known != id);
                                subquery.outer.push((new, ty));
                            }
                        }
                        Some(_) => {}
                        None => self.check_ungrouped(id, grouped, from, passed, true)?,
                    }
                }
            }
            _ => {}
        }
        let mut result = Ok(());
        expr.for_each_child_mut(&mut |child| {
            if result.is_ok() {
                result = crate::deep::step(|| self.rewrite(child, grouped, from, passed));
            }
        });
        result
    }

    fn rename_in_subplan(&mut self, subplan: expr::SubplanId, old: ColumnId, new: ColumnId) {
        let mut nested = Vec::new();
        plan_walk::rename_column(&mut self.subplans[subplan.0 as usize].plan, old, new, &mut nested);
        for inner in nested {
            self.rename_in_subplan(inner, old, new);
        }
    }

    /// A plain column above the aggregation: of an outer query, an aggregate's, or dependent on a grouped key; else 42803.
    fn check_ungrouped(
        &mut self,
        id: ColumnId,
        grouped: &mut Grouped,
        from: &std::ops::Range<usize>,
        passed: &mut Vec<ColumnId>,
        in_subquery: bool,
    ) -> Result<()> {
        let depth = self.depth();
        let known = self.column_depth(id) != depth
            || grouped.dependent.contains(&id)
            || grouped.columns.iter().any(|column| column.id == id)
            || self.level().aggregates.iter().any(|pending| pending.column == id)
            || self.level().groupings.iter().any(|(column, ..)| *column == id)
            || self.level().window_calls.iter().any(|pending| pending.column == id)
            || self.level().sets.iter().any(|(column, _)| *column == id);
        if known {
            passed.push(id);
            return Ok(());
        }
        let Some((entry, name)) = self.own_column(id) else {
            passed.push(id);
            return Ok(());
        };
        if self.depends_on_grouped_key(entry, grouped) {
            grouped.dependent.push(id);
            return Ok(());
        }
        let skip = passed.iter().filter(|other| **other == id).count();
        let references = &self.level().references;
        let range = from.start.min(references.len())..from.end.min(references.len());
        let mut places = references[range].iter().filter(|(other, _)| *other == id).map(|(_, at)| *at);
        let first = places.clone().next();
        let at = places.nth(skip).or(first).or_else(|| references.iter().find(|(other, _)| *other == id).map(|(_, at)| *at));
        let message = if in_subquery {
            format!("subquery uses ungrouped column \"{name}\" from outer query")
        } else {
            format!("column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function")
        };
        Err(Error::new(SqlState::GROUPING_ERROR, message).at(at.and_then(ast::position)))
    }

    /// Entry and printed name of a column of the innermost level's FROM.
    fn own_column(&self, id: ColumnId) -> Option<(usize, String)> {
        self.level().entries.iter().enumerate().filter(|(_, entry)| !matches!(entry.source, EntrySource::Join)).find_map(
            |(at, entry)| {
                let plain =
                    entry.columns.iter().find(|column| matches!(column.expr, Expr::Column { id: known, .. } if known == id));
                let system = || entry.system.iter().find(|(_, given)| given.id == id).map(|_| "ctid".to_string());
                let name = plain.map(|column| column.name.to_string()).or_else(system)?;
                Some((at, format!("{}.{name}", entry.alias)))
            },
        )
    }

    /// Whether all columns of a table's primary key are grouped (check_functional_grouping).
    fn depends_on_grouped_key(&self, entry: usize, grouped: &Grouped) -> bool {
        if grouped.sets.is_some() {
            return false;
        }
        let entry = &self.level().entries[entry];
        let EntrySource::Table(relation) = &entry.source else { return false };
        let is_grouped = |attribute: &usize| {
            entry.attributes.iter().find(|(at, _)| at == attribute).is_some_and(|(_, given)| {
                grouped.columns.iter().any(|column| matches!(column.expression, Expr::Column { id, .. } if id == given.id))
            })
        };
        relation.constraints.iter().any(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey { columns, .. } => !constraint.deferrable && columns.iter().all(is_grouped),
            _ => false,
        })
    }

    /// The aggregation itself, once everything above it has been rewritten.
    pub(crate) fn finish_grouping(&mut self, input: LogicalPlan, grouped: Grouped) -> Result<LogicalPlan> {
        let Grouped { mut columns, sets, dependent } = grouped;
        let groupings = std::mem::take(&mut self.level_mut().groupings);
        let mut bound = Vec::with_capacity(groupings.len());
        for (id, arguments, _) in groupings {
            let mut positions = Vec::with_capacity(arguments.len());
            for argument in arguments {
                let at = columns.iter().position(|column| same::same(&column.expression, &argument.expr)).ok_or_else(|| {
                    let message = "arguments to GROUPING must be grouping expressions of the associated query level";
                    Error::new(SqlState::GROUPING_ERROR, message).at(argument.position())
                })?;
                positions.push(at);
            }
            bound.push((id, positions));
        }
        for id in dependent {
            let ty = self.level().entries.iter().find_map(|entry| {
                entry.columns.iter().find_map(|column| match column.expr {
                    Expr::Column { id: known, ty } if known == id => Some(ty),
                    _ => None,
                })
            });
            if let Some(ty) = ty {
                columns.push(Computed { id, expression: Expr::Column { id, ty } });
            }
        }
        let aggregates =
            std::mem::take(&mut self.level_mut().aggregates).into_iter().map(|pending| (pending.column, pending.call));
        Ok(LogicalPlan::Aggregate(Aggregate {
            input: Box::new(input),
            group_by: columns,
            sets,
            aggregates: aggregates.collect(),
            grouping: bound,
        }))
    }
}
