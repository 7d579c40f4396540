//! SELECT: binds the clauses in PostgreSQL's order and stacks the operators they mean.

use expr::{ColumnId, Expr, SortKey};
use pg_query::protobuf::{SelectStmt, SetOperation};
use plan::{
    OutputColumn,
    logical::{Computed, LogicalPlan},
};
use types::{Error, Oid, Result, SqlState};

use crate::{
    ExpressionKind,
    analysed_clauses::SelectClauses,
    ast,
    distinct::Distinct,
    locking::Locks,
    order_by::SortTarget,
    plan_walk,
    state::{Binder, Typed},
    subquery::BoundQuery,
    target_list::Target,
};

impl Binder<'_> {
    /// Binds a SELECT, VALUES or set operation in the innermost level, its WITH clause first.
    pub(crate) fn bind_select_statement(&mut self, select: &SelectStmt) -> Result<BoundQuery> {
        if let Some(into) = &select.into_clause {
            let at = into.rel.as_ref().map_or(-1, |relation| relation.location);
            return Err(Error::new(SqlState::SYNTAX_ERROR, "SELECT ... INTO is not allowed here").at(ast::position(at)));
        }
        if let Some(with) = &select.with_clause {
            self.bind_with(with)?;
        }
        if select.op() != SetOperation::SetopNone {
            return self.bind_set_operation_statement(select);
        }
        if !select.values_lists.is_empty() {
            return self.bind_values_statement(select);
        }
        self.bind_plain_select(select)
    }

    fn bind_plain_select(&mut self, select: &SelectStmt) -> Result<BoundQuery> {
        let from = self.bind_from(&select.from_clause)?;
        self.declare_windows(&select.window_clause)?;
        let mut targets = self.bind_targets(&select.target_list, ExpressionKind::SelectTarget)?;
        let filter = match ast::present(&select.where_clause) {
            Some(node) => Some(self.bind_condition(node, ExpressionKind::Where, "WHERE")?),
            None => None,
        };
        let having_from = self.level().references.len();
        let having = match ast::present(&select.having_clause) {
            Some(node) => Some(self.bind_condition(node, ExpressionKind::Having, "HAVING")?),
            None => None,
        };
        let having_references = having_from..self.level().references.len();
        let keys = self.bind_order_by(&select.sort_clause, &mut targets)?;
        let before_grouping = targets.len();
        let grouping = self.bind_group_by(select, &mut targets)?;
        // Grouping expressions live in the aggregation; as output they would spoil DISTINCT.
        targets.truncate(before_grouping);
        let distinct = self.bind_distinct_clause(&select.distinct_clause, &mut targets, &keys)?;
        let limits = self.bind_limits(select)?;
        let windows_from = self.level().references.len();
        let mut windows = self.bind_windows()?;
        let window_references = windows_from..self.level().references.len();
        if self.level().resolve_unknowns {
            for target in &mut targets {
                if target.expr.ty().oid == Oid::UNKNOWN {
                    let expr = std::mem::replace(&mut target.expr, Expr::null(types::SqlType::TEXT));
                    target.expr = self.unknown_to_text(Typed::new(expr, target.location))?.expr;
                }
            }
        }
        let locks = self.bind_locking(select, &grouping, &distinct)?;
        let analysed = self.analyse_select(SelectClauses {
            targets: &targets,
            filter: &filter,
            grouping: &grouping,
            having: &having,
            keys: &keys,
            distinct: &distinct,
            limits: &limits,
        });
        let mut plan = self.build_from(from)?;
        if let Some(predicate) = filter {
            plan = LogicalPlan::Filter { input: Box::new(plan), predicate };
        }
        let aggregated =
            grouping.present || having.is_some() || !self.level().aggregates.is_empty() || !self.level().groupings.is_empty();
        if aggregated {
            self.refuse_recursive_aggregation()?;
            plan = self.expand_grouped_sets(plan, &grouping.expressions);
            let mut grouped = self.start_grouping(grouping);
            let mut having = having;
            for target in &mut targets {
                let references = target.references.clone();
                self.rewrite_grouped(&mut target.expr, &mut grouped, references)?;
            }
            if let Some(having) = &mut having {
                self.rewrite_grouped(having, &mut grouped, having_references)?;
            }
            self.rewrite_calls(&mut windows, &mut grouped, window_references)?;
            plan = self.finish_grouping(plan, grouped)?;
            if let Some(predicate) = having {
                plan = LogicalPlan::Filter { input: Box::new(plan), predicate };
            }
        }
        if !windows.is_empty() {
            plan = LogicalPlan::Window { input: Box::new(plan), calls: windows };
        }
        let sets = std::mem::take(&mut self.level_mut().sets);
        plan = self.expand_sets(plan, sets);
        Ok(BoundQuery { analysed, ..self.finish_select(plan, targets, keys, distinct, limits, locks) })
    }

    /// A recursive term may not aggregate the rows of its own query.
    fn refuse_recursive_aggregation(&self) -> Result<()> {
        let level = self.level();
        match level.aggregates.first() {
            Some(pending) if level.entries.iter().any(|entry| entry.recursive_reference >= 0) => {
                let message = "aggregate functions are not allowed in a recursive query's recursive term";
                Err(Error::new(SqlState::INVALID_RECURSION, message).at(ast::position(pending.location)))
            }
            _ => Ok(()),
        }
    }

    /// Window and set calls stand above the aggregation too.
    fn rewrite_calls(
        &mut self,
        windows: &mut [(ColumnId, plan::logical::WindowCall)],
        grouped: &mut crate::grouped::Grouped,
        references: std::ops::Range<usize>,
    ) -> Result<()> {
        // Arguments were recorded with the target list, the windows' own clauses at the end: look in both.
        let everywhere = 0..references.end;
        for (id, window) in windows.iter_mut() {
            // While their calls are rewritten, their own columns are known.
            let _ = id;
            let mut result = Ok(());
            plan_walk::for_each_window_mut(window, &mut |expr| {
                if result.is_ok() {
                    result = self.rewrite_grouped(expr, grouped, everywhere.clone());
                }
            });
            result?;
        }
        let mut sets = std::mem::take(&mut self.level_mut().sets);
        let mut result = Ok(());
        for argument in sets.iter_mut().flat_map(|(_, call)| &mut call.arguments) {
            if result.is_ok() {
                result = self.rewrite_grouped(argument, grouped, everywhere.clone());
            }
        }
        self.level_mut().sets = sets;
        result
    }

    /// Set calls that GROUP BY mentions are expanded below the aggregation.
    fn expand_grouped_sets(&mut self, plan: LogicalPlan, expressions: &[Expr]) -> LogicalPlan {
        let mut wanted: Vec<ColumnId> = expressions.iter().flat_map(Expr::columns).collect();
        let mut index = 0;
        while index < wanted.len() {
            let inner = self.level().sets.iter().find(|(id, _)| *id == wanted[index]);
            let more: Vec<ColumnId> = inner.iter().flat_map(|(_, call)| call.arguments.iter().flat_map(Expr::columns)).collect();
            wanted.extend(more);
            index += 1;
        }
        let (below, above) = std::mem::take(&mut self.level_mut().sets).into_iter().partition(|(id, _)| wanted.contains(id));
        self.level_mut().sets = above;
        self.expand_sets(plan, below)
    }

    /// Set calls in layers: a call whose arguments hold another's column stands above it.
    pub(crate) fn expand_sets(
        &mut self,
        mut plan: LogicalPlan,
        mut sets: Vec<(ColumnId, plan::logical::SetCall)>,
    ) -> LogicalPlan {
        while !sets.is_empty() {
            let open: Vec<ColumnId> = sets.iter().map(|(id, _)| *id).collect();
            let (ready, waiting): (Vec<_>, Vec<_>) = sets
                .into_iter()
                .partition(|(_, call)| !call.arguments.iter().flat_map(Expr::columns).any(|column| open.contains(&column)));
            plan = LogicalPlan::ProjectSet { input: Box::new(plan), sets: ready };
            sets = waiting;
        }
        plan
    }

    /// Projection, DISTINCT, ORDER BY, locks and LIMIT over a plan whose target expressions are final.
    pub(crate) fn finish_select(
        &mut self,
        plan: LogicalPlan,
        targets: Vec<Target>,
        keys: Vec<SortTarget>,
        distinct: Distinct,
        limits: crate::limit::Limits,
        locks: Locks,
    ) -> BoundQuery {
        let mut columns: Vec<Computed> = Vec::with_capacity(targets.len());
        let depth = self.depth();
        for target in &targets {
            let id = match target.expr {
                // A column of an outer query gets an id of its own here: both may meet in one join.
                Expr::Column { id, .. } if self.column_depth(id) == depth && !columns.iter().any(|column| column.id == id) => id,
                _ => self.new_column(),
            };
            columns.push(Computed { id, expression: target.expr.clone() });
        }
        let given: Vec<(ColumnId, types::SqlType)> = columns.iter().map(|column| (column.id, column.expression.ty())).collect();
        let reference = |at: usize| Expr::Column { id: given[at].0, ty: given[at].1 };
        for lock in locks.rows() {
            columns.push(Computed { id: lock.row_id, expression: Expr::Column { id: lock.row_id, ty: types::SqlType::INT8 } });
        }
        let has_junk = targets.iter().any(|target| target.junk) || !locks.rows().is_empty();
        let mut plan = LogicalPlan::Project { input: Box::new(plan), columns };
        let mut sort: Vec<SortKey> = keys
            .iter()
            .map(|key| SortKey {
                expression: reference(key.target),
                descending: key.descending,
                nulls_first: key.nulls_first,
                collation: self.collation_of(std::iter::once(&targets[key.target].expr)),
            })
            .collect();
        match distinct {
            Distinct::None => plan = sorted(plan, sort.clone()),
            Distinct::All => plan = sorted(LogicalPlan::Distinct { input: Box::new(plan), on: None }, sort.clone()),
            Distinct::On(on) => {
                for target in on.iter().filter(|target| !keys.iter().any(|key| key.target == **target)) {
                    let expression = reference(*target);
                    let collation = self.collation_of_column(expression.ty());
                    sort.push(SortKey { expression, descending: false, nulls_first: false, collation });
                }
                let on = on.into_iter().map(reference).collect();
                plan = LogicalPlan::Distinct { input: Box::new(sorted(plan, sort.clone())), on: Some(on) };
            }
        }
        plan = limits.over(locks.over(plan), sort);
        if has_junk {
            let kept = targets.iter().zip(&given).filter(|(target, _)| !target.junk);
            let columns = kept.map(|(_, (id, ty))| Computed { id: *id, expression: Expr::Column { id: *id, ty: *ty } }).collect();
            plan = LogicalPlan::Project { input: Box::new(plan), columns };
        }
        let visible = targets.iter().zip(given).filter(|(target, _)| !target.junk);
        let output: Vec<OutputColumn> = visible
            .clone()
            .map(|(target, (id, ty))| OutputColumn { id, name: target.name.clone(), ty, origin: self.origin(&target.expr) })
            .collect();
        let locations = visible.map(|(target, _)| target.location).collect();
        BoundQuery { plan, output, locations, analysed: None }
    }

    /// The table attribute that a target is, when it is one directly.
    fn origin(&self, expr: &Expr) -> Option<(Oid, i16)> {
        let Expr::Column { id, .. } = expr else { return None };
        self.level().entries.iter().find_map(|entry| {
            entry
                .columns
                .iter()
                .find(|column| matches!(column.expr, Expr::Column { id: known, .. } if known == *id))
                .and_then(|column| column.origin)
        })
    }

    /// Converts an output column of a bound query: in place when a projection computes it, else by one more projection.
    pub(crate) fn convert_output(
        &mut self,
        query: &mut BoundQuery,
        at: usize,
        convert: impl FnOnce(&mut Self, Typed) -> Result<Expr>,
    ) -> Result<()> {
        let location = query.locations.get(at).copied().unwrap_or(-1);
        let column = query.output[at].clone();
        if let LogicalPlan::Project { columns, .. } = &mut query.plan
            && let Some(computed) = columns.iter_mut().find(|computed| computed.id == column.id)
            && matches!(computed.expression, Expr::Constant { .. } | Expr::Parameter { .. })
        {
            let expr = convert(self, Typed::new(computed.expression.clone(), location))?;
            let is_literal = column.ty.oid == Oid::UNKNOWN;
            query.output[at].ty = expr.ty();
            computed.expression = expr.clone();
            if is_literal {
                query.decide_literal(at, &expr);
            }
            return Ok(());
        }
        let expr = convert(self, Typed::new(Expr::Column { id: column.id, ty: column.ty }, location))?;
        if matches!(expr, Expr::Column { .. }) {
            return Ok(());
        }
        let id = self.new_column();
        let ty = expr.ty();
        let mut columns: Vec<Computed> = query
            .output
            .iter()
            .map(|column| Computed { id: column.id, expression: Expr::Column { id: column.id, ty: column.ty } })
            .collect();
        columns[at] = Computed { id, expression: expr };
        let input = std::mem::replace(&mut query.plan, LogicalPlan::Values { rows: Vec::new(), columns: Vec::new() });
        query.plan = LogicalPlan::Project { input: Box::new(input), columns };
        query.output[at].id = id;
        query.output[at].ty = ty;
        Ok(())
    }

    /// Makes the columns that a nested query gives columns of the innermost level.
    pub(crate) fn adopt(&mut self, ids: impl IntoIterator<Item = ColumnId>) {
        let depth = self.depth();
        for id in ids {
            self.columns[id.0 as usize].depth = depth;
        }
    }
}

pub(crate) fn sorted(plan: LogicalPlan, keys: Vec<SortKey>) -> LogicalPlan {
    if keys.is_empty() { plan } else { LogicalPlan::Sort { input: Box::new(plan), keys } }
}

/// The unit row: FROM of a query without FROM.
pub(crate) fn unit() -> LogicalPlan {
    LogicalPlan::Values { rows: vec![Vec::new()], columns: Vec::new() }
}
