//! One aggregate call: which rows reach its accumulator, and in what order.

use std::sync::Arc;

use expr::{
    AggregateCall, Batch, ColumnId, Compiled, EvalContext, Vector,
    aggregate::{Accumulator, accumulator},
};
use storage::Column;
use types::{Physical, Result, SqlType};

use crate::{
    BATCH_ROWS,
    key_table::KeyTable,
    memory::batch_size,
    node::{Typed, compile_all},
    row_key::concatenate,
    sort_key::SortKeys,
};

/// Aggregates whose result does not depend on the order of their rows: DISTINCT need not sort for them.
const ORDERLESS: [&str; 12] =
    ["count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor", "stddev"];

/// A compiled aggregate call.
pub(crate) struct Call {
    call: AggregateCall,
    pub(crate) arguments: Vec<Typed>,
    types: Vec<SqlType>,
    filter: Option<Compiled>,
    order: SortKeys,
    /// DISTINCT can drop rows as they come; otherwise it sorts by the arguments, as PostgreSQL does.
    distinct_as_seen: bool,
}

impl Call {
    pub(crate) fn compile(call: &AggregateCall, layout: &[ColumnId]) -> Result<Call> {
        let distinct_as_seen = call.distinct && call.order_by.is_empty() && ORDERLESS.contains(&call.function.name);
        let mut keys = call.order_by.clone();
        if call.distinct && !distinct_as_seen {
            keys.extend(call.arguments.iter().map(|argument| expr::SortKey {
                expression: argument.clone(),
                descending: false,
                nulls_first: false,
                collation: types::Oid::DEFAULT_COLLATION,
            }));
        }
        let arguments = call.arguments.iter().chain(&call.direct_arguments);
        Ok(Call {
            arguments: compile_all(arguments.clone(), layout)?,
            types: arguments.map(expr::Expr::ty).collect(),
            filter: call.filter.as_ref().map(|filter| Compiled::new(filter, layout)).transpose()?,
            order: SortKeys::compile(&keys, layout)?,
            distinct_as_seen,
            call: call.clone(),
        })
    }

    pub(crate) fn accumulator(&self) -> Result<Box<dyn Accumulator>> {
        accumulator(&self.call)
    }
}

/// The running state of a call over all groups.
pub(super) struct Feed {
    accumulator: Box<dyn Accumulator>,
    seen: Option<Seen>,
    /// Rows kept back to be sorted: group, sort keys and arguments.
    kept: Vec<Batch>,
}

/// Keys of (group, arguments) already fed.
struct Seen {
    table: KeyTable,
}

impl Seen {
    fn new(call: &Call) -> Seen {
        let types: Vec<SqlType> = std::iter::once(SqlType::INT8).chain(call.types.iter().copied()).collect();
        Seen { table: KeyTable::new(&types) }
    }

    /// The rows whose group and arguments have not been seen.
    fn fresh(&mut self, groups: &[u32], arguments: &[Arc<Column>]) -> Result<Vec<u32>> {
        let groups = storage::FixedType::column(groups.iter().map(|&group| i64::from(group)).collect(), None);
        let mut key = vec![Arc::new(groups)];
        key.extend(arguments.iter().cloned());
        let mut fresh = Vec::new();
        self.table.insert(&key, key[0].len(), &mut Vec::new(), &mut fresh)?;
        Ok(fresh)
    }
}

impl Feed {
    pub(super) fn new(call: &Call) -> Result<Feed> {
        Ok(Feed { accumulator: call.accumulator()?, seen: call.call.distinct.then(|| Seen::new(call)), kept: Vec::new() })
    }

    pub(super) fn add(&mut self, call: &Call, groups: &[u32], count: usize, batch: &Batch, context: &EvalContext) -> Result<()> {
        let (mut filtered, mut filtered_groups) = (None, Vec::new());
        if let Some(filter) = &call.filter {
            let rows = filter.select(batch, context)?;
            if rows.len() < batch.len {
                filtered_groups.extend(rows.iter().map(|&row| groups[row as usize]));
                filtered = Some(batch.take(&rows));
            }
        }
        let (batch, groups) = match &filtered {
            Some(filtered) => (filtered, &filtered_groups[..]),
            None => (batch, groups),
        };
        if call.order.is_empty() && !call.distinct_as_seen {
            let arguments = call.arguments.iter().map(|argument| argument.vector(batch, context)).collect::<Result<Vec<_>>>()?;
            return self.accumulator.update(groups, count, &arguments, context);
        }
        let arguments = crate::node::columns(&call.arguments, batch, context)?;
        if !call.order.is_empty() {
            let group_column = storage::FixedType::column(groups.iter().map(|&group| i64::from(group)).collect(), None);
            let mut columns = vec![Arc::new(group_column)];
            columns.extend(call.order.evaluate(batch, context)?);
            columns.extend(arguments);
            self.kept.push(Batch { columns, len: batch.len });
            return Ok(());
        }
        let Some(seen) = &mut self.seen else { return Ok(()) };
        // Tables double as they grow, by leaps that only they know of.
        context.session.check_memory(seen.table.size_with(batch.len, 0).saturating_sub(seen.table.heap_size()))?;
        let rows = seen.fresh(groups, &arguments)?;
        let groups: Vec<u32> = rows.iter().map(|&row| groups[row as usize]).collect();
        let arguments: Vec<Vector> = arguments.iter().map(|column| Vector::Column(Arc::new(column.take(&rows)))).collect();
        self.accumulator.update(&groups, count, &arguments, context)
    }

    pub(super) fn finish(&mut self, call: &Call, count: usize, context: &EvalContext) -> Result<Arc<Column>> {
        if !self.kept.is_empty() {
            self.feed_sorted(call, count, context)?;
        }
        self.accumulator.finish(count, context)
    }

    /// Feeds the rows kept back, in order; with DISTINCT each arguments' first only.
    fn feed_sorted(&mut self, call: &Call, count: usize, context: &EvalContext) -> Result<()> {
        let keys = call.order.physical();
        let physical: Vec<Physical> = std::iter::once(Physical::Int8)
            .chain(keys.iter().copied())
            .chain(call.arguments.iter().map(|argument| argument.physical))
            .collect();
        // While they are put together the rows are there twice; then come the keys.
        let check_memory = |bytes: usize| context.session.check_memory(bytes);
        check_memory(self.kept.iter().map(batch_size).sum())?;
        let all = concatenate(std::mem::take(&mut self.kept), &physical);
        check_memory(call.order.working_memory(&all.columns[1..=keys.len()], all.len))?;
        let order = call.order.order(&all.columns[1..=keys.len()], all.len, context)?;
        for rows in order.chunks(BATCH_ROWS) {
            context.check_cancelled()?;
            check_memory(0)?;
            let mut part = all.take(rows);
            let group_numbers = |part: &Batch| -> Vec<u32> {
                <i64 as storage::FixedType>::values(&part.columns[0]).iter().map(|&group| group as u32).collect()
            };
            let mut groups = group_numbers(&part);
            if let Some(seen) = &mut self.seen {
                let fresh = seen.fresh(&groups, &part.columns[1 + keys.len()..])?;
                part = part.take(&fresh);
                groups = group_numbers(&part);
            }
            let arguments: Vec<Vector> = part.columns[1 + keys.len()..].iter().cloned().map(Vector::Column).collect();
            self.accumulator.update(&groups, count, &arguments, context)?;
        }
        Ok(())
    }

    pub(super) fn heap_size(&self) -> usize {
        let kept = self.kept.iter().flat_map(|batch| &batch.columns).map(|column| column.heap_size()).sum::<usize>();
        self.accumulator.heap_size() + self.seen.as_ref().map_or(0, |seen| seen.table.heap_size()) + kept
    }
}
