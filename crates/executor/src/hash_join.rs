//! Hash join: the right side is built into a table by key, the left side probes it.
//!
//! Rows of one key form a chain, newest first. One more row of NULLs at the end of the build side stands for "no match" in outer joins.

use std::sync::Arc;

use expr::{Batch, ColumnId, Compiled};
use plan::{
    logical::JoinKind,
    physical::{HashJoin as Plan, PhysicalPlan},
};
use storage::Column;
use types::{Datum, Physical, Result, SqlType};

use crate::{
    BATCH_ROWS,
    key_table::{KeyTable, NONE},
    memory::{Reservation, columns_size},
    nested_loop::nulls,
    node::{Compiler, Held, Node, Operator, Typed, columns, compile_all, layout},
    row_key::{any_null, concatenate},
    run::Run,
};

struct HashJoinNode {
    kind: JoinKind,
    left: Arc<dyn Node>,
    right: Arc<dyn Node>,
    left_keys: Vec<Typed>,
    right_keys: Vec<Typed>,
    key_types: Vec<SqlType>,
    residual: Option<Compiled>,
    null_aware: bool,
    left_physical: Vec<Physical>,
    right_physical: Vec<Physical>,
}

pub(crate) fn compile(compiler: &Compiler<'_>, join: &Plan) -> Result<Arc<dyn Node>> {
    let (left_layout, right_layout) = (layout(&join.left), layout(&join.right));
    let both: Vec<ColumnId> = left_layout.iter().chain(&right_layout).copied().collect();
    let physical = |plan: &PhysicalPlan| plan.columns.iter().map(|column| column.ty.physical).collect();
    Ok(Arc::new(HashJoinNode {
        kind: join.kind,
        left_keys: compile_all(join.keys.iter().map(|(left, _)| left), &left_layout)?,
        right_keys: compile_all(join.keys.iter().map(|(_, right)| right), &right_layout)?,
        key_types: join.keys.iter().map(|(left, _)| left.ty()).collect(),
        residual: join.residual.as_ref().map(|residual| Compiled::new(residual, &both)).transpose()?,
        null_aware: join.null_aware,
        left_physical: physical(&join.left),
        right_physical: physical(&join.right),
        left: compiler.node(&join.left)?,
        right: compiler.node(&join.right)?,
    }))
}

/// The build side.
struct Built {
    table: KeyTable,
    /// First row of a key's chain, and the next row of each row's chain.
    heads: Vec<u32>,
    next: Vec<u32>,
    /// With the row of NULLs at the end.
    rows: Batch,
    count: usize,
    has_null_key: bool,
    /// Rows that have met a left row, kept for right and full joins.
    matched: Vec<bool>,
}

/// A left batch being probed.
struct Probe {
    batch: Batch,
    /// Number of each row's key.
    keys: Vec<u32>,
    row: usize,
    /// Next build row of the current row's chain, NONE when it has not begun.
    at: u32,
    begun: bool,
    matched: Vec<bool>,
}

struct HashJoin {
    node: Arc<HashJoinNode>,
    left: Box<dyn Operator>,
    built: Option<Built>,
    probe: Option<Probe>,
    /// Position among the unmatched build rows, once the left side is exhausted.
    unmatched: Option<usize>,
    memory: Reservation,
}

impl Node for HashJoinNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        let left = self.left.clone().open(run)?;
        Ok(Box::new(HashJoin { node: self, left, built: None, probe: None, unmatched: None, memory: run.reservation() }))
    }
}

impl HashJoinNode {
    fn build(&self, memory: &mut Reservation, run: &Run) -> Result<Built> {
        let mut input = self.right.clone().open(run)?;
        let mut table = KeyTable::new(&self.key_types);
        let (mut heads, mut next, mut batches) = (Vec::new(), Vec::new(), Vec::new());
        let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
        let (mut count, mut has_null_key) = (0_usize, false);
        let mut table_memory = memory.beside();
        while let Some(batch) = input.next(run)? {
            run.context.check_cancelled()?;
            memory.grow_by_batch(&batch)?;
            let keys = columns(&self.right_keys, &batch, &run.context)?;
            // Chains and heads are vectors that double as they grow.
            table_memory.grow_to(table.size_with(batch.len, columns_size(&keys)) + 12 * (count + batch.len))?;
            table.insert(&keys, batch.len, &mut numbers, &mut fresh)?;
            heads.resize(table.len(), NONE);
            for (row, &number) in numbers.iter().enumerate() {
                if any_null(&keys, row) {
                    has_null_key = true;
                    next.push(NONE);
                    continue;
                }
                let head = &mut heads[number as usize];
                next.push(*head);
                *head = (count + row) as u32;
            }
            count += batch.len;
            batches.push(batch);
        }
        // The rows are copied as they are put together, a column at a time.
        let mut twice = memory.beside();
        twice.grow(memory.bytes())?;
        memory.grow(count)?;
        let mut rows = concatenate(batches, &self.right_physical);
        for (column, physical) in rows.columns.iter_mut().zip(&self.right_physical) {
            let mut padded = Column::with_capacity(*physical, count + 1);
            padded.append(column);
            padded.push(&Datum::Null);
            *column = Arc::new(padded);
        }
        rows.len += 1;
        memory.absorb(table_memory);
        let matched = if self.keeps_right() { vec![false; count] } else { Vec::new() };
        Ok(Built { table, heads, next, rows, count, has_null_key, matched })
    }

    fn keeps_right(&self) -> bool {
        matches!(self.kind, JoinKind::Right | JoinKind::Full)
    }

    fn keeps_left(&self) -> bool {
        matches!(self.kind, JoinKind::Left | JoinKind::Full)
    }
}

impl Operator for HashJoin {
    fn held(&self, _run: &Run) -> Held {
        Held { bytes: self.memory.peak(), rows: self.built.as_ref().map_or(0, |built| built.count), bounded: false }
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        if self.built.is_none() {
            self.built = Some(stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.node.build(&mut self.memory, run))?);
        }
        loop {
            run.context.check_cancelled()?;
            if self.unmatched.is_some() {
                return Ok(self.unmatched_right());
            }
            if self.probe.is_none() && !self.next_probe(run)? {
                self.unmatched = Some(0);
                continue;
            }
            let output = match self.node.kind {
                JoinKind::Semi | JoinKind::Anti => self.probe_existence(run)?,
                _ => self.probe_pairs(run)?,
            };
            if output.is_some() {
                return Ok(output);
            }
        }
    }
}

impl HashJoin {
    fn next_probe(&mut self, run: &Run) -> Result<bool> {
        let Some(built) = &self.built else { return Ok(false) };
        // Without build rows nothing can match; an inner join need not even read its left side.
        if built.count == 0 && matches!(self.node.kind, JoinKind::Inner | JoinKind::Right | JoinKind::Semi) {
            return Ok(false);
        }
        let Some(batch) = self.left.next(run)? else { return Ok(false) };
        let key_columns = columns(&self.node.left_keys, &batch, &run.context)?;
        let mut keys = Vec::new();
        built.table.find(&key_columns, batch.len, false, &mut keys)?;
        if self.node.null_aware {
            let excluded = |row: usize| built.has_null_key || (built.count > 0 && any_null(&key_columns, row));
            let rows: Vec<u32> =
                (0..batch.len).filter(|&row| keys[row] == NONE && !excluded(row)).map(|row| row as u32).collect();
            let len = rows.len();
            self.probe = Some(Probe::new(batch.take(&rows), vec![NONE; len]));
            return Ok(true);
        }
        self.probe = Some(Probe::new(batch, keys));
        Ok(true)
    }

    /// Pairs of the current left batch, up to a batch of them. None when the left batch gave none.
    fn probe_pairs(&mut self, run: &Run) -> Result<Option<Batch>> {
        let (Some(built), Some(probe)) = (&mut self.built, &mut self.probe) else { return Ok(None) };
        let null_row = built.count as u32;
        let inline_nulls = self.node.keeps_left() && self.node.residual.is_none();
        let (mut left_rows, mut right_rows) = (Vec::with_capacity(BATCH_ROWS), Vec::with_capacity(BATCH_ROWS));
        while probe.row < probe.batch.len && left_rows.len() < BATCH_ROWS {
            if !probe.begun {
                probe.begun = true;
                let key = probe.keys[probe.row];
                probe.at = if key == NONE { NONE } else { built.heads[key as usize] };
                if probe.at == NONE && inline_nulls {
                    left_rows.push(probe.row as u32);
                    right_rows.push(null_row);
                }
            }
            while probe.at != NONE && left_rows.len() < BATCH_ROWS {
                left_rows.push(probe.row as u32);
                right_rows.push(probe.at);
                probe.at = built.next[probe.at as usize];
            }
            if probe.at == NONE {
                probe.row += 1;
                probe.begun = false;
            }
        }
        let done = probe.row >= probe.batch.len;
        let mut output = None;
        if !left_rows.is_empty() {
            let mut pairs = probe.batch.take(&left_rows);
            pairs.columns.extend(built.rows.take(&right_rows).columns);
            if let Some(residual) = &self.node.residual {
                let kept = residual.select(&pairs, &run.context)?;
                kept.iter().for_each(|&pair| probe.matched[left_rows[pair as usize] as usize] = true);
                if !built.matched.is_empty() {
                    kept.iter().for_each(|&pair| built.matched[right_rows[pair as usize] as usize] = true);
                }
                if kept.len() < pairs.len {
                    pairs = pairs.take(&kept);
                }
            } else if !built.matched.is_empty() {
                right_rows.iter().filter(|row| **row != null_row).for_each(|&row| built.matched[row as usize] = true);
            }
            output = (pairs.len > 0).then_some(pairs);
        }
        if done {
            let unmatched: Vec<u32> = if self.node.keeps_left() && self.node.residual.is_some() {
                (0..probe.batch.len as u32).filter(|row| !probe.matched[*row as usize]).collect()
            } else {
                Vec::new()
            };
            if !unmatched.is_empty() {
                let mut rows = probe.batch.take(&unmatched);
                rows.columns.extend(nulls(&self.node.right_physical, unmatched.len()));
                output = Some(match output {
                    None => rows,
                    Some(pairs) => {
                        let physical: Vec<Physical> =
                            self.node.left_physical.iter().chain(&self.node.right_physical).copied().collect();
                        concatenate(vec![pairs, rows], &physical)
                    }
                });
            }
            self.probe = None;
        }
        Ok(output)
    }

    /// The left rows that have (semi) or have not (anti) a match.
    fn probe_existence(&mut self, run: &Run) -> Result<Option<Batch>> {
        let (Some(built), Some(mut probe)) = (&self.built, self.probe.take()) else { return Ok(None) };
        match &self.node.residual {
            None => probe.keys.iter().zip(&mut probe.matched).for_each(|(key, matched)| {
                *matched = *key != NONE && built.heads[*key as usize] != NONE;
            }),
            Some(residual) => {
                let mut chains: Vec<(u32, u32)> = (probe.keys.iter().enumerate())
                    .filter(|(_, key)| **key != NONE)
                    .map(|(row, key)| (row as u32, built.heads[*key as usize]))
                    .filter(|(_, head)| *head != NONE)
                    .collect();
                // Each round tries one more row of every chain that has not matched yet.
                while !chains.is_empty() {
                    run.context.check_cancelled()?;
                    let (left_rows, right_rows): (Vec<u32>, Vec<u32>) = chains.iter().copied().unzip();
                    let mut pairs = probe.batch.take(&left_rows);
                    pairs.columns.extend(built.rows.take(&right_rows).columns);
                    for pair in residual.select(&pairs, &run.context)? {
                        probe.matched[left_rows[pair as usize] as usize] = true;
                    }
                    chains.retain_mut(|(row, at)| {
                        *at = built.next[*at as usize];
                        *at != NONE && !probe.matched[*row as usize]
                    });
                }
            }
        }
        let wanted = self.node.kind == JoinKind::Semi;
        let rows: Vec<u32> = (0..probe.batch.len as u32).filter(|row| probe.matched[*row as usize] == wanted).collect();
        Ok(match rows.len() {
            0 => None,
            all if all == probe.batch.len => Some(probe.batch),
            _ => Some(probe.batch.take(&rows)),
        })
    }

    /// The next build rows without a match, for right and full joins.
    fn unmatched_right(&mut self) -> Option<Batch> {
        let (Some(built), Some(position)) = (&self.built, &mut self.unmatched) else { return None };
        let mut rows = Vec::new();
        while *position < built.matched.len() && rows.len() < BATCH_ROWS {
            if !built.matched[*position] {
                rows.push(*position as u32);
            }
            *position += 1;
        }
        if rows.is_empty() {
            return None;
        }
        let mut columns = nulls(&self.node.left_physical, rows.len());
        columns.extend(built.rows.take(&rows).columns);
        Some(Batch { columns, len: rows.len() })
    }
}

impl Probe {
    fn new(batch: Batch, keys: Vec<u32>) -> Probe {
        Probe { matched: vec![false; batch.len], batch, keys, row: 0, at: NONE, begun: false }
    }
}
