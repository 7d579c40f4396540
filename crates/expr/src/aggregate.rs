//! Aggregate functions.
//!
//! An [`Accumulator`] holds the states of all groups of one call and is fed vectors. It skips NULLs itself where PostgreSQL's aggregate
//! does. An ordered-set aggregate is fed its aggregated arguments in their order, then its direct arguments.

use std::sync::Arc;

use catalog::builtin::BuiltinFunction;
use storage::Column;
use types::{Datum, Oid, Physical, Result, SqlType};

use crate::{EvalContext, Expr, SortKey, Vector, functions};

mod bits;
mod collect;
mod count;
mod extreme;
mod fold;
mod ordered_set;
mod regression;
mod statistics;
mod sum;

/// An aggregate call as bound.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    pub function: &'static BuiltinFunction,
    /// Aggregated arguments; empty for count(*).
    pub arguments: Vec<Expr>,
    /// Direct arguments of an ordered-set aggregate (percentile_cont(0.5) WITHIN GROUP ...).
    pub direct_arguments: Vec<Expr>,
    pub distinct: bool,
    pub filter: Option<Expr>,
    pub order_by: Vec<SortKey>,
    pub ty: SqlType,
}

/// The running states of one aggregate call, one a group, fed by vectors.
pub trait Accumulator: Send {
    /// Adds rows: row i belongs to group `groups[i]`. Groups are numbered from 0; `group_count` says how many exist by now.
    /// `arguments` are the vectors of [`AggregateCall::arguments`], then those of [`AggregateCall::direct_arguments`].
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], context: &EvalContext) -> Result<()>;
    /// The results of groups 0..group_count. The states stay, so that a window may go on adding rows.
    fn finish(&mut self, group_count: usize, context: &EvalContext) -> Result<Arc<Column>>;
    /// Bytes held, for memory accounting.
    fn heap_size(&self) -> usize;
}

/// New states for a call; DISTINCT, FILTER and ORDER BY are the operator's to apply before [`Accumulator::update`].
///
/// Errors: 0A000 for an aggregate that has no implementation yet, naming it.
pub fn accumulator(call: &AggregateCall) -> Result<Box<dyn Accumulator>> {
    let types: Vec<SqlType> = call.arguments.iter().map(Expr::ty).collect();
    let first = types.first().map_or(Physical::Any, |ty| ty.physical);
    let found: Option<Box<dyn Accumulator>> = match call.function.name {
        "count" => Some(Box::new(count::Count::new(!types.is_empty()))),
        "sum" => sum::sum(first, call.ty),
        "avg" => sum::average(first, call.ty),
        "min" => extreme::extreme(types.first().copied(), false),
        "max" => extreme::extreme(types.first().copied(), true),
        "any_value" => Some(Box::new(extreme::First::new(call.ty))),
        "bool_and" | "every" => Some(bits::booleans(false)),
        "bool_or" => Some(bits::booleans(true)),
        "bit_and" | "bit_or" | "bit_xor" => bits::bits(call.function.name, call.ty),
        "string_agg" => Some(collect::strings(call.ty)),
        "array_agg" => Some(collect::arrays(types.first().copied())),
        "json_agg" | "jsonb_agg" | "json_object_agg" | "jsonb_object_agg" => collect::json(call.function.name, &types),
        "var_pop" | "var_samp" | "variance" | "stddev_pop" | "stddev_samp" | "stddev" => {
            statistics::variance(call.function.name, first)
        }
        "corr" | "covar_pop" | "covar_samp" | "regr_avgx" | "regr_avgy" | "regr_count" | "regr_intercept" | "regr_r2"
        | "regr_slope" | "regr_sxx" | "regr_sxy" | "regr_syy" => Some(regression::regression(call.function.name, call.ty)),
        "mode" | "percentile_disc" | "percentile_cont" | "rank" | "dense_rank" | "percent_rank" | "cume_dist" => {
            Some(ordered_set::ordered_set(call, &types))
        }
        _ => None,
    };
    found.ok_or_else(|| functions::not_implemented(call.function))
}

/// The rows of a vector that are not NULL.
fn present_rows(vector: &Vector, len: usize) -> Box<dyn Iterator<Item = usize> + '_> {
    match vector {
        Vector::Constant(Datum::Null) => Box::new(std::iter::empty()),
        Vector::Constant(_) => Box::new(0..len),
        Vector::Column(column) => match column.validity() {
            None => Box::new(0..len),
            Some(valid) => Box::new(valid.ones()),
        },
    }
}

/// A column of one result a group.
fn results(physical: Physical, results: impl Iterator<Item = Result<Datum>>) -> Result<Arc<Column>> {
    let mut column = Column::new(physical);
    for result in results {
        column.push(&result?);
    }
    Ok(Arc::new(column))
}

/// Whether an array's elements are arrays themselves, so that array_agg makes one more dimension.
fn is_array_type(ty: SqlType) -> bool {
    catalog::builtin::builtins().type_by_oid(ty.oid).is_some_and(|ty| ty.category == 'A' && ty.element != Oid::INVALID)
}

#[cfg(test)]
mod tests;
