//! Index scan: rows by key, in key order: one key, a list of keys, a range, or all.
//!
//! Wanted attributes are gathered straight from the chunks that hold the rows; no row is built.

use std::{
    ops::Bound,
    sync::{Arc, OnceLock},
};

use expr::{Batch, Compiled, Expr};
use plan::physical::{IndexScan as Plan, PhysicalPlan};
use storage::{
    IndexActivity, IndexId, IndexShape, IndexTree, RowId, TableActivity, TableData, TableId,
    key::{KeyOrder, encode_key_part, prefix_successor},
};
use txn::ReadPredicate;
use types::{Datum, Error, Physical, Result};

use crate::{
    BATCH_ROWS,
    node::{Node, Operator},
    run::Run,
    scan_columns::ScanColumns,
};

struct IndexScanNode {
    table: TableId,
    index: IndexId,
    columns: ScanColumns,
    key_types: Vec<Physical>,
    unique: bool,
    equal: Vec<Compiled>,
    any_of: Option<Compiled>,
    lower: Option<(Compiled, bool)>,
    upper: Option<(Compiled, bool)>,
    reverse: bool,
    filter: Option<Compiled>,
    /// The counters of the index when it was first scanned, and of which table: looked up once and not by every scan.
    activity: OnceLock<(Arc<TableActivity>, Arc<IndexActivity>)>,
}

pub(crate) fn compile(scan: &Plan, plan: &PhysicalPlan) -> Result<Arc<dyn Node>> {
    let columns = ScanColumns::new(plan, &scan.sources, &scan.hidden, &scan.relation);
    let key = |expression: &Expr| Compiled::new(expression, &[]);
    let bound = |bound: &Option<(Expr, bool)>| {
        bound.as_ref().map(|(expression, inclusive)| Ok::<_, Error>((key(expression)?, *inclusive))).transpose()
    };
    Ok(Arc::new(IndexScanNode {
        table: scan.relation.storage().ok_or_else(|| Error::internal("a relation without rows is scanned"))?,
        index: IndexId(scan.index.0),
        key_types: scan.key_types.iter().map(|ty| ty.physical).collect(),
        unique: scan.unique,
        equal: scan.equal.iter().map(key).collect::<Result<_>>()?,
        any_of: scan.any_of.as_ref().map(key).transpose()?,
        lower: bound(&scan.lower)?,
        upper: bound(&scan.upper)?,
        reverse: scan.reverse,
        filter: scan.filter.as_ref().map(|filter| Compiled::new(filter, &columns.layout)).transpose()?,
        columns,
        activity: OnceLock::new(),
    }))
}

struct IndexScan {
    node: Arc<IndexScanNode>,
    table: TableData,
    /// Where the node's own is another's.
    activity: Option<Arc<IndexActivity>>,
    /// None until the keys are evaluated.
    ranges: Option<Ranges>,
    rows: Rows,
    wanted: usize,
}

/// The key ranges still to be read, last first.
struct Ranges {
    prefixes: Vec<Vec<u8>>,
    lower: Option<(Datum, bool)>,
    upper: Option<(Datum, bool)>,
}

enum Rows {
    None,
    One(RowId),
    Many(Box<dyn Iterator<Item = RowId> + Send>),
}

impl Node for IndexScanNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        let table = run.shared.table(self.table)?;
        let activity = match self.activity.get_or_init(|| (table.activity.clone(), table.activity.index(self.index))) {
            (known, _) if Arc::ptr_eq(known, &table.activity) => None,
            // The table has got other content (TRUNCATE) that the plan still fits.
            _ => Some(table.activity.index(self.index)),
        };
        let scan = IndexScan { node: self, table, activity, ranges: None, rows: Rows::None, wanted: usize::MAX };
        scan.activity().scans.add(1);
        Ok(Box::new(scan))
    }
}

impl IndexScan {
    /// What counts the scans of the index.
    fn activity(&self) -> &IndexActivity {
        match (&self.activity, self.node.activity.get()) {
            (Some(activity), _) | (None, Some((_, activity))) => activity,
            (None, None) => unreachable!("opening has set it"),
        }
    }
}

impl Operator for IndexScan {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        loop {
            run.context.check_cancelled()?;
            let ids = self.ids(run)?;
            if ids.is_empty() {
                return Ok(None);
            }
            self.activity().rows.add(ids.len());
            let count = self.node.columns.sources.len();
            let columns = (0..count).map(|at| self.node.columns.gather(at, &self.table.rows, &ids)).collect();
            let mut batch = Batch { columns, len: ids.len() };
            let Some(filter) = &self.node.filter else {
                self.wanted -= batch.len;
                return Ok(Some(batch));
            };
            let rows = filter.select(&batch, &run.context)?;
            batch.columns.truncate(self.node.columns.given);
            match rows.len() {
                0 => {}
                all if all == batch.len => return Ok(Some(batch)),
                _ => return Ok(Some(batch.take(&rows))),
            }
        }
    }

    fn bound(&mut self, rows: usize) {
        if self.node.filter.is_none() {
            self.wanted = rows;
        }
    }
}

impl IndexScan {
    /// Up to a batch of row ids; none at the end.
    fn ids(&mut self, run: &Run) -> Result<Vec<RowId>> {
        if self.ranges.is_none() {
            let ranges = self.node.ranges(self.shape()?, run)?;
            self.ranges = Some(ranges);
        }
        let wanted = BATCH_ROWS.min(self.wanted);
        let mut ids = Vec::new();
        while ids.len() < wanted {
            match &mut self.rows {
                Rows::One(row) => {
                    ids.push(*row);
                    self.rows = Rows::None;
                }
                Rows::Many(rows) => {
                    ids.extend(rows.by_ref().take(wanted - ids.len()));
                    if ids.len() < wanted {
                        self.rows = Rows::None;
                    }
                }
                Rows::None => {
                    let Some(prefix) = self.ranges.as_mut().and_then(|ranges| ranges.prefixes.pop()) else { break };
                    self.rows = self.start(&prefix, run)?;
                }
            }
        }
        Ok(ids)
    }

    fn entry(&self) -> Result<&(Arc<IndexShape>, IndexTree)> {
        self.table
            .indexes
            .iter()
            .find(|(shape, _)| shape.id == self.node.index)
            .ok_or_else(|| Error::internal("a plan names an index that its table does not have"))
    }

    fn shape(&self) -> Result<&IndexShape> {
        Ok(&self.entry()?.0)
    }

    /// The rows of one prefix, between the bounds on the column after it.
    fn start(&self, prefix: &[u8], run: &Run) -> Result<Rows> {
        let node = &self.node;
        let (shape, tree) = self.entry()?;
        if node.unique {
            node.note_range(run, Bound::Included(prefix), Bound::Included(prefix));
            return Ok(tree.get(prefix).map_or(Rows::None, Rows::One));
        }
        let Some(ranges) = &self.ranges else { return Ok(Rows::None) };
        if ranges.lower.is_none() && ranges.upper.is_none() {
            let end = prefix_successor(prefix);
            node.note_range(run, Bound::Included(prefix), end.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
            return Ok(Rows::Many(if prefix.is_empty() {
                Box::new(tree.range(Bound::Unbounded, Bound::Unbounded, node.reverse))
            } else {
                Box::new(tree.prefix(prefix, node.reverse))
            }));
        }
        let column = node.equal.len() + usize::from(node.any_of.is_some());
        let (lower, upper) = key_range(shape, column, prefix, ranges.lower.as_ref(), ranges.upper.as_ref())?;
        let upper = upper.as_ref().map_or(Bound::Unbounded, |upper| Bound::Excluded(upper.as_slice()));
        node.note_range(run, Bound::Included(&lower), upper);
        Ok(Rows::Many(Box::new(tree.range(Bound::Included(&lower), upper, node.reverse))))
    }
}

impl IndexScanNode {
    /// Tells which keys are read, of rows that are not there yet too.
    fn note_range(&self, run: &Run, lower: Bound<&[u8]>, upper: Bound<&[u8]>) {
        if run.shared.tables.notes_reads() {
            let (lower, upper) = (lower.map(Box::from), upper.map(Box::from));
            run.shared.tables.note_read(self.table, ReadPredicate::Keys { index: self.index, lower, upper });
        }
    }

    /// Evaluates the keys: prefixes in reading order, last first.
    fn ranges(&self, shape: &IndexShape, run: &Run) -> Result<Ranges> {
        let nothing = || Ok(Ranges { prefixes: Vec::new(), lower: None, upper: None });
        let unit = Batch::unit();
        let value = |key: &Compiled| Ok::<_, Error>(key.evaluate(&unit, &run.context)?.datum(0));
        let mut prefix = Vec::new();
        for (column, key) in self.equal.iter().enumerate() {
            match fit(value(key)?, self.key_types[column]) {
                Fit::Within(datum) => shape.append_part(column, &datum, &mut prefix)?,
                _ => return nothing(),
            }
        }
        let mut prefixes = vec![prefix];
        let mut column = self.equal.len();
        if let Some(any_of) = &self.any_of {
            prefixes = self.listed(shape, column, &prefixes[0], value(any_of)?)?;
            column += 1;
        }
        if !self.reverse {
            prefixes.reverse();
        }
        let (mut lower, mut upper) = (None, None);
        if let Some((key, inclusive)) = &self.lower {
            match fit(value(key)?, self.key_types[column]) {
                Fit::Within(datum) => lower = Some((datum, *inclusive)),
                Fit::Below => lower = Some((Datum::Null, false)),
                Fit::Above | Fit::Never => return nothing(),
            }
        }
        if let Some((key, inclusive)) = &self.upper {
            match fit(value(key)?, self.key_types[column]) {
                Fit::Within(datum) => upper = Some((datum, *inclusive)),
                Fit::Above => upper = Some((Datum::Null, false)),
                Fit::Below | Fit::Never => return nothing(),
            }
        }
        Ok(Ranges { prefixes, lower, upper })
    }

    /// One prefix an element of the list, ascending, each once.
    fn listed(&self, shape: &IndexShape, column: usize, prefix: &[u8], list: Datum) -> Result<Vec<Vec<u8>>> {
        let Datum::Array(array) = list else { return Ok(Vec::new()) };
        let mut prefixes = Vec::with_capacity(array.elements.len());
        for element in &array.elements {
            if let Fit::Within(datum) = fit(element.clone(), self.key_types[column]) {
                let mut key = prefix.to_vec();
                shape.append_part(column, &datum, &mut key)?;
                prefixes.push(key);
            }
        }
        prefixes.sort_unstable();
        prefixes.dedup();
        Ok(prefixes)
    }
}

/// A value as one of the key column's type.
enum Fit {
    Within(Datum),
    /// Smaller than every value of the key's type, or greater.
    Below,
    Above,
    /// NULL: no comparison with it is true.
    Never,
}

/// Comparisons of integers of different widths are served by an index of either.
fn fit(datum: Datum, physical: Physical) -> Fit {
    let value = match (&datum, physical) {
        (Datum::Null, _) => return Fit::Never,
        (Datum::Int2(_), Physical::Int2) | (Datum::Int4(_), Physical::Int4) | (Datum::Int8(_), Physical::Int8) => {
            return Fit::Within(datum);
        }
        (Datum::Int2(value), _) => i64::from(*value),
        (Datum::Int4(value), _) => i64::from(*value),
        (Datum::Int8(value), _) => *value,
        _ => return Fit::Within(datum),
    };
    let outside = if value < 0 { Fit::Below } else { Fit::Above };
    match physical {
        Physical::Int2 => i16::try_from(value).map_or(outside, |value| Fit::Within(Datum::Int2(value))),
        Physical::Int4 => i32::try_from(value).map_or(outside, |value| Fit::Within(Datum::Int4(value))),
        Physical::Int8 => Fit::Within(Datum::Int8(value)),
        _ => Fit::Within(datum),
    }
}

type Bounds<'a> = Option<&'a (Datum, bool)>;

/// The first key and the first key after the range. A bound of NULL only says that the column is not NULL.
fn key_range(
    shape: &IndexShape,
    column: usize,
    prefix: &[u8],
    lower: Bounds<'_>,
    upper: Bounds<'_>,
) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
    let (first, last) = if shape.order[column].descending { (upper, lower) } else { (lower, upper) };
    let with = |datum: &Datum| {
        let mut key = prefix.to_vec();
        shape.append_part(column, datum, &mut key).map(|()| key)
    };
    let null = |nulls_first: bool| {
        let mut key = prefix.to_vec();
        encode_key_part(&Datum::Null, KeyOrder { descending: false, nulls_first }, &mut key).map(|()| key)
    };
    let start = match first {
        Some((datum, inclusive)) if !datum.is_null() => {
            let key = with(datum)?;
            if *inclusive { key } else { prefix_successor(&key).unwrap_or(key) }
        }
        _ => {
            let nulls = null(true)?;
            prefix_successor(&nulls).unwrap_or(nulls)
        }
    };
    let end = match last {
        Some((datum, inclusive)) if !datum.is_null() => {
            let key = with(datum)?;
            if *inclusive { prefix_successor(&key) } else { Some(key) }
        }
        _ => Some(null(false)?),
    };
    Ok((start, end))
}
