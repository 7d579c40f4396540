//! Aggregate functions.

use std::sync::Arc;

use catalog::builtin::BuiltinFunction;
use storage::Column;
use types::{Result, SqlType};

use crate::{EvalContext, Expr, SortKey, Vector};

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
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], context: &EvalContext) -> Result<()>;
    /// The results of groups 0..group_count.
    fn finish(&mut self, group_count: usize, context: &EvalContext) -> Result<Arc<Column>>;
    /// Bytes held, for memory accounting.
    fn heap_size(&self) -> usize;
}

/// New states for a call; DISTINCT, FILTER and ORDER BY are the operator's to apply before [`Accumulator::update`].
///
/// Errors: 0A000 for an aggregate that has no implementation yet, naming it.
pub fn accumulator(_call: &AggregateCall) -> Result<Box<dyn Accumulator>> {
    unreachable!("written with the aggregates")
}
