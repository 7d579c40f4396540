//! What an execution holds in memory, counted where it grows: hash tables, sorts, materialised rows.

use std::sync::Arc;

use expr::Batch;
use types::Result;

/// Who may hold how much; the engine implements it over its quotas.
pub trait MemoryBudget: Send + Sync {
    /// Errors: 53200 when so many more bytes are not to be had.
    fn grow(&self, bytes: usize) -> Result<()>;
    fn shrink(&self, bytes: usize);
}

/// Bytes an operator has asked for; given back when it is dropped.
pub(crate) struct Reservation {
    budget: Option<Arc<dyn MemoryBudget>>,
    bytes: usize,
}

impl Reservation {
    pub(crate) fn new(budget: Option<Arc<dyn MemoryBudget>>) -> Reservation {
        Reservation { budget, bytes: 0 }
    }

    pub(crate) fn grow(&mut self, bytes: usize) -> Result<()> {
        if let Some(budget) = &self.budget {
            budget.grow(bytes)?;
            self.bytes += bytes;
        }
        Ok(())
    }

    /// Asks for what a batch holds.
    pub(crate) fn grow_by_batch(&mut self, batch: &Batch) -> Result<()> {
        if self.budget.is_none() {
            return Ok(());
        }
        self.grow(batch.columns.iter().map(|column| column.heap_size()).sum())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.shrink(self.bytes);
        }
    }
}
