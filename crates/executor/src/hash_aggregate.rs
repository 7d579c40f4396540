//! Hash aggregate: groups rows by key and feeds each group's accumulators; GROUPING SETS are aggregated side by side.
//!
//! FILTER, DISTINCT and ORDER BY inside a call are applied here, before the accumulator sees a row.

mod feed;

use std::sync::Arc;

use expr::{Batch, Expr};
use plan::physical::{AggregateSpec, PhysicalPlan};
use storage::Column;
use types::{Datum, Physical, Result, SqlType};

use crate::{
    BATCH_ROWS,
    key_table::KeyTable,
    memory::{Reservation, columns_size},
    node::{Compiler, Held, Node, Operator, Typed, columns, compile_all, layout, slice},
    run::Run,
};
pub(crate) use feed::Call;
use feed::Feed;

struct AggregateNode {
    input: Arc<dyn Node>,
    keys: Vec<Typed>,
    key_types: Vec<SqlType>,
    /// Positions in `keys` that each grouping set groups by.
    sets: Vec<Vec<usize>>,
    calls: Vec<Call>,
    /// GROUPING(...): positions in `keys`.
    grouping: Vec<Vec<usize>>,
}

pub(crate) fn compile(compiler: &Compiler<'_>, input: &PhysicalPlan, spec: &AggregateSpec) -> Result<Arc<dyn Node>> {
    let layout = layout(input);
    let expressions: Vec<&Expr> = spec.group_by.iter().map(|key| &key.expression).collect();
    let all = (0..expressions.len()).collect();
    Ok(Arc::new(AggregateNode {
        input: compiler.node(input)?,
        keys: compile_all(expressions.iter().copied(), &layout)?,
        key_types: expressions.iter().map(|key| key.ty()).collect(),
        sets: spec.sets.clone().unwrap_or_else(|| vec![all]),
        calls: spec.aggregates.iter().map(|(_, call)| Call::compile(call, &layout)).collect::<Result<_>>()?,
        grouping: spec.grouping.iter().map(|(_, keys)| keys.clone()).collect(),
    }))
}

/// The groups of one grouping set.
struct Groups {
    set: Vec<usize>,
    /// None for the empty set: one group of all rows.
    table: Option<KeyTable>,
    /// Values of the set's keys, one row a group.
    keys: Vec<Column>,
    feeds: Vec<Feed>,
    accounted: usize,
    /// Rows since then.
    unaccounted: usize,
    /// For the table of keys.
    table_memory: Reservation,
    /// For how many groups there is a place.
    places: usize,
}

impl Groups {
    fn new(set: &[usize], node: &AggregateNode, run: &Run) -> Result<Groups> {
        let types: Vec<SqlType> = set.iter().map(|&key| node.key_types[key]).collect();
        Ok(Groups {
            set: set.to_vec(),
            table: (!set.is_empty()).then(|| KeyTable::new(&types)),
            keys: types.iter().map(|ty| Column::new(ty.physical)).collect(),
            feeds: node.calls.iter().map(Feed::new).collect::<Result<_>>()?,
            accounted: 0,
            unaccounted: 0,
            table_memory: run.reservation(),
            places: 0,
        })
    }

    fn len(&self) -> usize {
        self.table.as_ref().map_or(1, KeyTable::len)
    }

    fn add(&mut self, node: &AggregateNode, batch: &Batch, keys: &[Arc<Column>], run: &Run) -> Result<()> {
        let (mut groups, mut fresh) = (Vec::new(), Vec::new());
        match &mut self.table {
            None => groups.resize(batch.len, 0),
            Some(table) => {
                let own: Vec<Arc<Column>> = self.set.iter().map(|&key| keys[key].clone()).collect();
                self.table_memory.grow_to(table.size_with(batch.len, columns_size(&own)))?;
                table.insert(&own, batch.len, &mut groups, &mut fresh)?;
                if !fresh.is_empty() {
                    for (kept, column) in self.keys.iter_mut().zip(&own) {
                        fresh.iter().for_each(|&row| kept.push_from(column, row as usize));
                    }
                }
            }
        }
        let count = self.len();
        if count > self.places {
            // The places of the groups' states double now: they are there twice while they move.
            self.places = count.max(2 * self.places);
            self.table_memory.beside().grow(2 * self.heap_size())?;
        }
        for (feed, call) in self.feeds.iter_mut().zip(&node.calls) {
            feed.add(call, &groups, count, batch, &run.context)?;
        }
        Ok(())
    }

    /// Without the table of keys.
    fn heap_size(&self) -> usize {
        let keys: usize = self.keys.iter().map(Column::heap_size).sum();
        keys + self.feeds.iter().map(Feed::heap_size).sum::<usize>()
    }

    /// Asks for what has come since; with many groups not after every batch, for all of them are looked at.
    fn account(&mut self, rows: usize, memory: &mut Reservation) -> Result<()> {
        self.unaccounted += rows;
        if self.unaccounted * 4 < self.len() {
            return Ok(());
        }
        self.unaccounted = 0;
        let held = self.heap_size();
        memory.grow(held.saturating_sub(self.accounted))?;
        self.accounted = self.accounted.max(held);
        Ok(())
    }

    /// One row a group: all keys (NULL for those not of this set), the results, the grouping bits.
    fn finish(mut self, node: &AggregateNode, run: &Run) -> Result<Batch> {
        let len = self.len();
        let mut kept: Vec<Option<Column>> = node.keys.iter().map(|_| None).collect();
        for (&key, column) in self.set.iter().zip(self.keys) {
            kept[key] = Some(column);
        }
        let mut columns: Vec<Arc<Column>> = kept
            .into_iter()
            .zip(&node.keys)
            .map(|(column, key)| Arc::new(column.unwrap_or_else(|| Column::repeat(key.physical, &Datum::Null, len))))
            .collect();
        for (feed, call) in self.feeds.iter_mut().zip(&node.calls) {
            columns.push(feed.finish(call, len, &run.context)?);
        }
        for keys in &node.grouping {
            let bits = keys.iter().fold(0_i32, |bits, key| bits << 1 | i32::from(!self.set.contains(key)));
            columns.push(Arc::new(Column::repeat(Physical::Int4, &Datum::Int4(bits), len)));
        }
        Ok(Batch { columns, len })
    }
}

struct Aggregate {
    node: Arc<AggregateNode>,
    /// Results still to be given, last first; None until computed.
    results: Option<Vec<Batch>>,
    at: usize,
    memory: Reservation,
}

impl Node for AggregateNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Aggregate { node: self, results: None, at: 0, memory: run.reservation() }))
    }
}

impl Aggregate {
    fn compute(&mut self, run: &Run) -> Result<Vec<Batch>> {
        let node = &self.node;
        let mut sets = node.sets.iter().map(|set| Groups::new(set, node, run)).collect::<Result<Vec<_>>>()?;
        let mut input = node.input.clone().open(run)?;
        while let Some(batch) = input.next(run)? {
            run.context.check_cancelled()?;
            let keys = columns(&node.keys, &batch, &run.context)?;
            for groups in &mut sets {
                groups.add(node, &batch, &keys, run)?;
                groups.account(batch.len, &mut self.memory)?;
            }
        }
        drop(input);
        let mut results = Vec::with_capacity(sets.len());
        for groups in sets {
            // The results, and those of texts and arrays once more while they are made.
            let mut working = self.memory.beside();
            working.grow(groups.feeds.iter().map(Feed::heap_size).sum())?;
            self.memory.grow(groups.feeds.iter().map(Feed::heap_size).sum())?;
            let batch = groups.finish(node, run)?;
            if batch.len > 0 {
                results.push(batch);
            }
        }
        results.reverse();
        Ok(results)
    }
}

impl Operator for Aggregate {
    fn held(&self, _run: &Run) -> Held {
        Held::bytes(self.memory.peak())
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        if self.results.is_none() {
            self.results = Some(self.compute(run)?);
        }
        let Some(results) = &mut self.results else { return Ok(None) };
        let Some(batch) = results.last() else { return Ok(None) };
        if self.at == 0 && batch.len <= BATCH_ROWS {
            return Ok(results.pop());
        }
        let count = (batch.len - self.at).min(BATCH_ROWS);
        let part = slice(batch.clone(), self.at, count);
        self.at += count;
        if self.at >= batch.len {
            results.pop();
            self.at = 0;
        }
        Ok(Some(part))
    }
}
