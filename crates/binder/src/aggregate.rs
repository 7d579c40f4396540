//! Aggregate calls and GROUPING: which query level they belong to, and what they may not contain (parse_agg.c).

use catalog::builtin::builtins;
use expr::{AggregateCall, ColumnId, Expr, SortKey};
use pg_query::protobuf::{FuncCall, GroupingFunc};
use types::{Error, Oid, Result, SqlState, SqlType};

use crate::{
    ExpressionKind, ast,
    expression_kind::Construct,
    function_call::Arguments,
    function_resolution::Candidate,
    same,
    state::{Binder, Typed},
};

/// An aggregate call of a level and the column it becomes.
#[derive(Clone, Debug)]
pub(crate) struct PendingAggregate {
    pub(crate) column: ColumnId,
    pub(crate) call: AggregateCall,
    pub(crate) location: i32,
}

impl Binder<'_> {
    pub(crate) fn bind_aggregate(
        &mut self,
        call: &FuncCall,
        candidate: Candidate,
        arguments: Arguments,
        marks: Vec<usize>,
        start: i32,
    ) -> Result<Typed> {
        let aggregate = self.aggregate_call(call, candidate, arguments)?;
        let location = call.location;
        let level = self.aggregate_level(&aggregate, location)?;
        for (at, mark) in marks.iter().enumerate().take(level + 1).skip(level) {
            self.levels[at].references.truncate(*mark);
        }
        if let Some(refusal) = self.levels[level].kind.refusal(Construct::Aggregate) {
            return Err(Error::new(SqlState::GROUPING_ERROR, refusal).at(ast::position(location)));
        }
        let ty = aggregate.ty;
        // The same call written twice is computed once.
        let known = self.levels[level]
            .aggregates
            .iter()
            .find(|pending| same::same_call(&pending.call, &aggregate) && !is_volatile(&aggregate))
            .map(|pending| pending.column);
        let column = match known {
            Some(column) => column,
            None => {
                let depth = self.depth_of(level);
                let column = self.new_column_at(depth);
                self.levels[level].aggregates.push(PendingAggregate { column, call: aggregate, location });
                column
            }
        };
        Ok(Typed::new(Expr::Column { id: column, ty }, start))
    }

    /// The call with its arguments converted, ORDER BY, DISTINCT and FILTER bound.
    pub(crate) fn aggregate_call(
        &mut self,
        call: &FuncCall,
        candidate: Candidate,
        arguments: Arguments,
    ) -> Result<AggregateCall> {
        let function = candidate.function;
        let facts = builtins().aggregate(function.oid);
        let ordered_set = facts.is_some_and(|facts| facts.kind != 'n');
        let ordered = arguments.ordered;
        let hypothetical = facts.is_some_and(|facts| facts.kind == 'h');
        let values = if hypothetical { self.unify_hypothetical(call, arguments)? } else { arguments.values };
        let locations: Vec<i32> = values.iter().map(|value| value.location).collect();
        let variadic_any = function.variadic == Oid::ANY;
        let (mut converted, ty, _) = if hypothetical && variadic_any {
            (values.into_iter().map(|value| value.expr).collect(), SqlType::of(function.return_type), Oid::INVALID)
        } else {
            self.finish_arguments(call, &candidate, values)?
        };
        for (expr, location) in converted.iter_mut().zip(&locations) {
            if expr.ty().oid == Oid::UNKNOWN {
                let placeholder = std::mem::replace(expr, Expr::null(SqlType::TEXT));
                *expr = self.unknown_to_text(Typed::new(placeholder, *location))?.expr;
            }
        }
        let filter = match ast::present(&call.agg_filter) {
            Some(node) => Some(self.bind_condition(node, ExpressionKind::Filter, "FILTER")?),
            None => None,
        };
        let mut bound = AggregateCall {
            function,
            arguments: converted,
            direct_arguments: Vec::new(),
            distinct: call.agg_distinct,
            filter,
            order_by: Vec::new(),
            ty,
        };
        if ordered_set {
            let aggregated = bound.arguments.split_off(bound.arguments.len().saturating_sub(ordered));
            bound.direct_arguments = std::mem::replace(&mut bound.arguments, aggregated);
            bound.order_by = self.sort_keys_over(&call.agg_order, &bound.arguments.clone())?;
            return Ok(bound);
        }
        self.aggregate_order(call, &mut bound)?;
        if bound.distinct {
            for (argument, location) in bound.arguments.iter().zip(&locations) {
                self.require_ordering(argument.ty(), *location).map_err(|_| {
                    let ty = self.names.format_type_oid(argument.ty().oid);
                    Error::new(SqlState::UNDEFINED_FUNCTION, format!("could not identify an equality operator for type {ty}"))
                        .at(ast::position(*location))
                })?;
            }
        }
        Ok(bound)
    }

    /// ORDER BY inside the call.
    fn aggregate_order(&mut self, call: &FuncCall, bound: &mut AggregateCall) -> Result<()> {
        for node in &call.agg_order {
            let (typed, mut key) = self.bind_sort_item(node)?;
            // With the arguments converted, the key must be matched against them as they are.
            if bound.distinct {
                let matching = bound.arguments.iter().find(|argument| same::same(same::strip_implicit(argument), &typed.expr));
                match matching {
                    Some(argument) => key.expression = argument.clone(),
                    None => {
                        let message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
                        return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(typed.position()));
                    }
                }
            }
            bound.order_by.push(key);
        }
        Ok(())
    }

    /// The sort keys of WITHIN GROUP over the aggregated arguments, already converted.
    fn sort_keys_over(&mut self, nodes: &[pg_query::protobuf::Node], arguments: &[Expr]) -> Result<Vec<SortKey>> {
        nodes.iter().zip(arguments).map(|(node, argument)| self.sort_key(node, argument.clone(), -1)).collect()
    }

    /// Hypothetical-set aggregates: each direct argument takes the common type with its sort column.
    fn unify_hypothetical(&mut self, call: &FuncCall, arguments: Arguments) -> Result<Vec<Typed>> {
        let direct = arguments.values.len() - arguments.ordered;
        let name = ast::names(&call.funcname).join(".");
        if direct != arguments.ordered {
            let types: Vec<String> = arguments.values.iter().map(|value| self.names.format_type_oid(value.ty().oid)).collect();
            let message = format!("function {name}({}) does not exist", types.join(", "));
            return Err(Error::new(SqlState::UNDEFINED_FUNCTION, message)
                .hint(format!(
                    "To use the hypothetical-set aggregate {name}, the number of hypothetical direct arguments (here {direct}) must match \
                     the number of ordering columns (here {}).",
                    arguments.ordered
                ))
                .at(ast::position(call.location)));
        }
        let mut values = arguments.values;
        for at in 0..direct {
            // The sorted column is asked first for the common type.
            let pair = vec![values[at + direct].clone(), values[at].clone()];
            let locations = [pair[0].location, pair[1].location];
            let (unified, _) = self.unify(pair, "WITHIN GROUP")?;
            for (offset, expr) in unified.into_iter().enumerate() {
                values[at + (1 - offset) * direct] = Typed::new(expr, locations[offset]);
            }
        }
        Ok(values)
    }

    /// The level an aggregate belongs to: that of the innermost column in it; the current one when it has none.
    fn aggregate_level(&self, call: &AggregateCall, location: i32) -> Result<usize> {
        let mut columns = Vec::new();
        for expr in call.arguments.iter().chain(&call.filter).chain(call.order_by.iter().map(|key| &key.expression)) {
            columns.extend(expr.columns());
        }
        let current = self.levels.len() - 1;
        let depth = columns.iter().map(|id| self.column_depth(*id)).max();
        let level = depth.map_or(current, |depth| depth.saturating_sub(self.base_depth) as usize).min(current);
        let direct: Vec<ColumnId> = call.direct_arguments.iter().flat_map(Expr::columns).collect();
        for id in columns.iter().chain(&direct) {
            if let Some(inner) = self.levels[level].aggregates.iter().find(|pending| pending.column == *id) {
                let message = "aggregate function calls cannot be nested";
                return Err(Error::new(SqlState::GROUPING_ERROR, message).at(ast::position(inner.location)));
            }
            if self.levels[level].window_calls.iter().any(|pending| pending.column == *id) {
                let message = "aggregate function calls cannot contain window function calls";
                return Err(Error::new(SqlState::GROUPING_ERROR, message).at(ast::position(location)));
            }
        }
        for direct in direct {
            if self.column_depth(direct) > self.depth_of(level) {
                let message = "outer-level aggregate cannot contain a lower-level variable in its direct arguments";
                return Err(Error::new(SqlState::GROUPING_ERROR, message).at(ast::position(location)));
            }
        }
        Ok(level)
    }

    /// `GROUPING(a, b)`: a column that the aggregation gives.
    pub(crate) fn bind_grouping(&mut self, grouping: &GroupingFunc) -> Result<Typed> {
        /// One bit of the integer result an argument.
        const MOST_ARGUMENTS: usize = 31;
        let position = ast::position(grouping.location);
        if grouping.args.len() > MOST_ARGUMENTS {
            return Err(Error::new(SqlState::TOO_MANY_ARGUMENTS, "GROUPING must have fewer than 32 arguments").at(position));
        }
        let mark = self.level().references.len();
        let arguments = self.bind_all(&grouping.args)?;
        self.level_mut().references.truncate(mark);
        if let Some(refusal) = self.level().kind.refusal(Construct::Grouping) {
            return Err(Error::new(SqlState::GROUPING_ERROR, refusal).at(position));
        }
        let given = self.new_given(SqlType::INT4);
        self.level_mut().groupings.push((given.id, arguments, grouping.location));
        Ok(Typed::new(Expr::Column { id: given.id, ty: given.ty }, grouping.location))
    }
}

fn is_volatile(call: &AggregateCall) -> bool {
    call.arguments.iter().chain(&call.filter).any(Expr::is_volatile)
}
