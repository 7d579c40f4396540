//! What an execution holds in memory, asked for before it is allocated: hash tables, sorts, materialised rows, collected changes.

use std::sync::Arc;

use expr::Batch;
use types::Result;

/// Who may hold how much; the engine implements it over its quotas.
pub trait MemoryBudget: Send + Sync {
    /// Errors: 53200 when so many more bytes are not to be had.
    fn grow(&self, bytes: usize) -> Result<()>;
    /// The same for a statement that only deletes, and so makes room: it may use a reserve.
    fn grow_to_delete(&self, bytes: usize) -> Result<()> {
        self.grow(bytes)
    }
    fn shrink(&self, bytes: usize);
}

/// Bytes somebody has asked for; given back when it is dropped.
pub struct Reservation {
    budget: Option<Arc<dyn MemoryBudget>>,
    bytes: usize,
    peak: usize,
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reservation").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Reservation {
    /// Without a budget everything is granted, and counted all the same.
    pub fn new(budget: Option<Arc<dyn MemoryBudget>>) -> Reservation {
        Reservation { budget, bytes: 0, peak: 0 }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The most it has held.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    /// Errors: 53200; it then holds what it held before.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        self.grow_by(bytes, |budget| budget.grow(bytes))
    }

    /// The same for a statement that only deletes.
    pub(crate) fn grow_to_delete(&mut self, bytes: usize) -> Result<()> {
        self.grow_by(bytes, |budget| budget.grow_to_delete(bytes))
    }

    fn grow_by(&mut self, bytes: usize, ask: impl FnOnce(&dyn MemoryBudget) -> Result<()>) -> Result<()> {
        if let Some(budget) = &self.budget {
            ask(&**budget)?;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.peak = self.peak.max(self.bytes);
        Ok(())
    }

    /// Asks for what is missing to hold so much.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<()> {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// Asks for what a batch holds.
    pub fn grow_by_batch(&mut self, batch: &Batch) -> Result<()> {
        self.grow(batch_size(batch))
    }

    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        if let Some(budget) = &self.budget {
            budget.shrink(bytes);
        }
        self.bytes -= bytes;
    }

    /// Takes over what another one holds, of the same budget.
    pub fn absorb(&mut self, mut other: Reservation) {
        self.bytes = self.bytes.saturating_add(std::mem::take(&mut other.bytes));
        self.peak = self.peak.max(self.bytes);
    }

    /// Another one of the same budget that holds nothing: for what is needed only for a while.
    pub(crate) fn beside(&self) -> Reservation {
        Reservation::new(self.budget.clone())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

/// Bytes of a batch, whether or not others share its columns.
pub fn batch_size(batch: &Batch) -> usize {
    size_of::<Batch>() + columns_size(&batch.columns)
}

pub(crate) fn columns_size(columns: &[Arc<storage::Column>]) -> usize {
    // A column stands behind a pointer, with its counts of references.
    columns.iter().map(|column| column.heap_size() + size_of::<storage::Column>() + 24).sum()
}
