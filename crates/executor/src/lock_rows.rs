//! Lock rows (FOR UPDATE and its kin): names the row locks the statement needs; the engine takes them.

use std::sync::Arc;

use expr::Batch;
use plan::{
    logical::{LockStrength, LockWaitPolicy, RowLock},
    physical::PhysicalPlan,
};
use storage::{RowId, TableId};
use txn::{LockMode, LockTag};
use types::{Datum, Error, Result};

use crate::{
    node::{Compiler, Node, Operator, head, layout, position},
    run::Run,
};

struct LockRowsNode {
    input: Arc<dyn Node>,
    locks: Vec<Lock>,
}

struct Lock {
    table: TableId,
    name: Arc<str>,
    row_id: usize,
    mode: LockMode,
    wait: LockWaitPolicy,
}

pub(crate) fn compile(compiler: &Compiler<'_>, input: &PhysicalPlan, locks: &[RowLock]) -> Result<Arc<dyn Node>> {
    let layout = layout(input);
    let locks = locks
        .iter()
        .map(|lock| {
            Ok(Lock {
                table: lock.relation.storage().ok_or_else(|| Error::internal("rows of a relation without rows are locked"))?,
                name: lock.relation.name.clone(),
                row_id: position(lock.row_id, &layout)?,
                mode: match lock.strength {
                    LockStrength::KeyShare => LockMode::KeyShare,
                    LockStrength::Share => LockMode::Share,
                    LockStrength::NoKeyUpdate => LockMode::NoKeyUpdate,
                    LockStrength::Update => LockMode::Update,
                },
                wait: lock.wait,
            })
        })
        .collect::<Result<_>>()?;
    Ok(Arc::new(LockRowsNode { input: compiler.node(input)?, locks }))
}

struct LockRows {
    node: Arc<LockRowsNode>,
    input: Box<dyn Operator>,
    /// Rows that may still be asked for: no others are to be locked.
    wanted: usize,
}

impl Node for LockRowsNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(LockRows { input: self.input.clone().open(run)?, node: self, wanted: usize::MAX }))
    }
}

impl LockRows {
    /// Names the locks of one row; false when the row is to be skipped.
    fn lock(&self, batch: &Batch, row: usize, run: &Run) -> Result<bool> {
        let mut tags = Vec::with_capacity(self.node.locks.len());
        for lock in &self.node.locks {
            // The NULL side of an outer join has no row to lock.
            let Datum::Int8(id) = batch.datum(lock.row_id, row) else { continue };
            let tag = LockTag::Row(lock.table, RowId(id as u64));
            if lock.wait != LockWaitPolicy::Wait
                && !run.shared.tables.row_lock_available(&tag, lock.mode, lock.wait, &lock.name)?
            {
                return Ok(false);
            }
            tags.push((tag, lock.mode));
        }
        run.shared.writes.lock().locks.extend(tags);
        Ok(true)
    }
}

impl Operator for LockRows {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        while self.wanted > 0 {
            let Some(batch) = self.input.next(run)? else { break };
            run.context.check_cancelled()?;
            let mut kept = Vec::new();
            for row in 0..batch.len {
                if kept.len() == self.wanted {
                    break;
                }
                if self.lock(&batch, row, run)? {
                    kept.push(row as u32);
                }
            }
            self.wanted -= kept.len();
            match kept.len() {
                0 => {}
                count if kept[count - 1] as usize == count - 1 => return Ok(Some(head(batch, count))),
                _ => return Ok(Some(batch.take(&kept))),
            }
        }
        Ok(None)
    }

    fn bound(&mut self, rows: usize) {
        self.wanted = rows;
    }
}
