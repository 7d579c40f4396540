//! The locks of one owner, in the order they were won: what is released at its end, or back to a savepoint.

use std::sync::Arc;

use types::Result;

use super::{LockMode, LockTable, LockWait, Owner, queue::Asked, tag::Tag, wait::Waiter};
use crate::planted_faults::PlantedFault;

/// The locks of one transaction or session. Dropping it releases them all.
#[derive(Debug)]
pub(crate) struct HeldLocks {
    table: Arc<LockTable>,
    owner: Owner,
    held: Vec<(Tag, LockMode)>,
    /// A request that was queued and may have been granted since.
    pending: Option<Arc<Waiter>>,
}

impl HeldLocks {
    pub(crate) fn new(table: Arc<LockTable>, owner: Owner) -> HeldLocks {
        HeldLocks { table, owner, held: Vec::new(), pending: None }
    }

    /// Asks for a lock: Ok(Err(wait)) when it must be waited for.
    ///
    /// Errors: 40P01.
    pub(crate) fn lock(&mut self, tag: Tag, mode: LockMode) -> Result<std::result::Result<Asked, LockWait>> {
        match self.try_lock(tag, mode) {
            Asked::Conflict => {}
            won => return Ok(Ok(won)),
        }
        let waiter = self.table.wait(tag, self.owner, mode)?;
        self.pending = Some(Arc::clone(&waiter));
        Ok(Err(LockWait::new(waiter, Arc::clone(&self.table))))
    }

    /// Asks for a lock without waiting (NOWAIT, SKIP LOCKED, pg_try_advisory_lock).
    pub(crate) fn try_lock(&mut self, tag: Tag, mode: LockMode) -> Asked {
        self.settle();
        let asked = self.table.try_lock(tag, self.owner, mode);
        if asked == Asked::New {
            self.held.push((tag, mode));
        }
        asked
    }

    /// Books a request that was granted while nobody looked; one that still waits is given up.
    pub(crate) fn settle(&mut self) {
        let Some(waiter) = self.pending.take() else { return };
        let cancelled = || types::Error::new(types::SqlState::QUERY_CANCELED, "canceling statement due to user request");
        if waiter.is_granted() || (!self.table.leave_queue(&waiter, cancelled()) && waiter.is_granted()) {
            self.held.push((waiter.tag, waiter.mode));
        }
    }

    /// How many locks are held: the mark of a savepoint.
    pub(crate) fn mark(&mut self) -> usize {
        self.settle();
        self.held.len()
    }

    /// Whether a lock that is held was won after the mark.
    pub(crate) fn was_won_after(&self, mark: usize, tag: Tag) -> bool {
        self.held.get(mark..).is_some_and(|later| later.iter().any(|held| held.0 == tag))
    }

    /// Releases what was won after the mark, the newest first.
    pub(crate) fn release_to(&mut self, mark: usize) {
        self.settle();
        while self.held.len() > mark
            && let Some((tag, mode)) = self.held.pop()
        {
            self.table.release(tag, self.owner, mode);
        }
    }

    /// Releases one lock before its owner's end; false when it is not held.
    pub(crate) fn release(&mut self, tag: Tag, mode: LockMode) -> bool {
        self.settle();
        let Some(place) = self.held.iter().rposition(|&held| held == (tag, mode)) else { return false };
        self.held.swap_remove(place);
        self.table.release(tag, self.owner, mode);
        true
    }
}

impl Drop for HeldLocks {
    fn drop(&mut self) {
        if self.table.faults.has(PlantedFault::LockLeak) {
            self.held.pop();
        }
        self.release_to(0);
    }
}
