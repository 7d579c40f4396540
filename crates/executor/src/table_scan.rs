//! Table scan: a table's chunks in row id order, with a filter fused in.
//!
//! A chunk without deleted slots lends its columns by reference count; columns that only the filter reads are never copied.

use std::sync::Arc;

use expr::{Batch, Compiled};
use plan::physical::{PhysicalPlan, TableScan as Plan};
use storage::{Chunk, Shared, TableActivity, TableId};
use types::{Error, Result};

use crate::{
    node::{Node, Operator, head},
    read_notes::{is_repeatable, note_scan},
    run::Run,
    scan_columns::ScanColumns,
};

struct TableScanNode {
    table: TableId,
    columns: ScanColumns,
    filter: Option<Compiled>,
    /// Whether the filter tells what is read, as opposed to the whole table.
    is_repeatable: bool,
}

pub(crate) fn compile(scan: &Plan, plan: &PhysicalPlan) -> Result<Arc<dyn Node>> {
    let columns = ScanColumns::new(plan, &scan.sources, &scan.hidden, &scan.relation);
    Ok(Arc::new(TableScanNode {
        table: scan.relation.storage().ok_or_else(|| Error::internal("a relation without rows is scanned"))?,
        filter: scan.filter.as_ref().map(|filter| Compiled::new(filter, &columns.layout)).transpose()?,
        is_repeatable: scan.filter.as_ref().is_some_and(is_repeatable),
        columns,
    }))
}

struct TableScan {
    node: Arc<TableScanNode>,
    chunks: Box<dyn Iterator<Item = Shared<Chunk>> + Send>,
    activity: Arc<TableActivity>,
    wanted: usize,
}

impl Node for TableScanNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        note_scan(run, self.table, &self.columns, self.filter.as_ref().filter(|_| self.is_repeatable));
        let table = run.shared.table(self.table)?;
        table.activity.sequential_scans.add(1);
        Ok(Box::new(TableScan {
            node: self,
            chunks: Box::new(table.rows.chunks()),
            activity: table.activity,
            wanted: usize::MAX,
        }))
    }
}

impl Operator for TableScan {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        while self.wanted > 0
            && let Some(chunk) = self.chunks.next()
        {
            run.context.check_cancelled()?;
            self.activity.sequential_rows.add(chunk.live());
            if let Some(batch) = self.node.read(&chunk, run)? {
                let batch = if batch.len > self.wanted { head(batch, self.wanted) } else { batch };
                self.wanted -= batch.len;
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn bound(&mut self, rows: usize) {
        self.wanted = rows;
    }
}

impl TableScanNode {
    fn read(&self, chunk: &Chunk, run: &Run) -> Result<Option<Batch>> {
        let presence = chunk.presence();
        let live: Option<Vec<u32>> = (!presence.all_set()).then(|| presence.ones().map(|slot| slot as u32).collect());
        let len = live.as_ref().map_or(presence.len(), Vec::len);
        if len == 0 {
            return Ok(None);
        }
        let columns = |count: usize| (0..count).map(|at| self.columns.chunk_column(at, chunk, live.as_deref())).collect();
        let Some(filter) = &self.filter else {
            return Ok(Some(Batch { columns: columns(self.columns.given), len }));
        };
        let mut batch = Batch { columns: columns(self.columns.sources.len()), len };
        let rows = filter.select(&batch, &run.context)?;
        batch.columns.truncate(self.columns.given);
        Ok(match rows.len() {
            0 => None,
            all if all == len => Some(batch),
            _ => Some(batch.take(&rows)),
        })
    }
}
