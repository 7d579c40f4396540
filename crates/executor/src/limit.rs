//! Limit: so many rows after so many, with the ties of the last one when asked.

use std::sync::Arc;

use expr::{Batch, Expr, SortKey};
use plan::physical::PhysicalPlan;
use types::{Datum, Error, Result, SqlState};

use crate::{
    node::{Compiler, Node, Operator, Typed, layout, slice},
    run::Run,
    sort_key::SortKeys,
};

struct LimitNode {
    input: Arc<dyn Node>,
    limit: Option<Typed>,
    offset: Option<Typed>,
    ties: Option<SortKeys>,
}

pub(crate) fn compile(
    compiler: &Compiler<'_>,
    input: &PhysicalPlan,
    limit: Option<&Expr>,
    offset: Option<&Expr>,
    with_ties: Option<&[SortKey]>,
) -> Result<Arc<dyn Node>> {
    Ok(Arc::new(LimitNode {
        input: compiler.node(input)?,
        limit: limit.map(|limit| Typed::new(limit, &[])).transpose()?,
        offset: offset.map(|offset| Typed::new(offset, &[])).transpose()?,
        ties: with_ties.map(|keys| SortKeys::compile(keys, &layout(input))).transpose()?,
    }))
}

struct Limit {
    node: Arc<LimitNode>,
    input: Box<dyn Operator>,
    skip: usize,
    left: usize,
    /// The sort key of the last row within the limit.
    last: Option<Vec<u8>>,
    done: bool,
}

impl Node for LimitNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        let skip = count(self.offset.as_ref(), run, "OFFSET", SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE)?.unwrap_or(0);
        let limit = count(self.limit.as_ref(), run, "LIMIT", SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE)?;
        let mut input = self.input.clone().open(run)?;
        if let Some(limit) = limit
            && self.ties.is_none()
        {
            input.bound(limit.saturating_add(skip));
        }
        Ok(Box::new(Limit { node: self, input, skip, left: limit.unwrap_or(usize::MAX), last: None, done: false }))
    }
}

/// NULL is no limit.
fn count(expression: Option<&Typed>, run: &Run, clause: &str, sqlstate: SqlState) -> Result<Option<usize>> {
    let Some(expression) = expression else { return Ok(None) };
    match expression.vector(&Batch::unit(), &run.context)?.datum(0) {
        Datum::Int8(count) if count < 0 => Err(Error::new(sqlstate, format!("{clause} must not be negative"))),
        Datum::Int8(count) => Ok(Some(usize::try_from(count).unwrap_or(usize::MAX))),
        _ => Ok(None),
    }
}

impl Operator for Limit {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        while !self.done {
            if self.left == 0 && self.last.is_none() {
                self.done = true;
                break;
            }
            let Some(batch) = self.input.next(run)? else {
                self.done = true;
                break;
            };
            run.context.check_cancelled()?;
            let start = self.skip.min(batch.len);
            self.skip -= start;
            if start == batch.len {
                continue;
            }
            let mut taken = (batch.len - start).min(self.left);
            self.left -= taken;
            if self.node.ties.is_some() && self.left == 0 {
                taken = self.with_ties(&batch, start, taken, run)?;
            }
            if taken > 0 {
                return Ok(Some(slice(batch, start, taken)));
            }
        }
        Ok(None)
    }
}

impl Limit {
    /// How many rows to take from `start`, those included that tie with the last one within the limit.
    fn with_ties(&mut self, batch: &Batch, start: usize, mut taken: usize, run: &Run) -> Result<usize> {
        let Some(ties) = &self.node.ties else { return Ok(taken) };
        let columns = ties.evaluate(batch, &run.context)?;
        let key_of = |row: usize| {
            let mut key = Vec::new();
            ties.append(&columns, row, &mut key).map(|()| key)
        };
        if self.last.is_none() {
            self.last = Some(key_of(start + taken - 1)?);
        }
        while start + taken < batch.len {
            if Some(key_of(start + taken)?) != self.last {
                self.done = true;
                break;
            }
            taken += 1;
        }
        Ok(taken)
    }
}
