//! The locks of one owner, in the order they were won: what is released at its end, or back to a savepoint.

use std::sync::Arc;

use storage::IndexId;
use types::Result;

use super::{
    LockMode, LockTable, LockWait, Owner,
    key_claim::KeyClaim,
    queue::Asked,
    tag::{KeyHash, Tag},
    wait::Waiter,
};
use crate::planted_faults::PlantedFault;

/// The locks of one transaction or session. Dropping it releases them all.
#[derive(Debug)]
pub(crate) struct HeldLocks {
    table: Arc<LockTable>,
    owner: Owner,
    held: Vec<Held>,
    /// A request that was queued and may have been granted since.
    pending: Option<Arc<Waiter>>,
}

#[derive(Debug)]
enum Held {
    Lock(Tag, LockMode),
    Keys(Arc<KeyClaim>),
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
            self.held.push(Held::Lock(tag, mode));
        }
        asked
    }

    /// Locks all of these keys of an index at once; false when somebody has one of them, this owner included, and none is locked.
    pub(crate) fn claim_keys(&mut self, index: IndexId, hashes: Vec<KeyHash>) -> bool {
        self.settle();
        let claim = self.table.claim(index, self.owner, hashes);
        let claimed = claim.is_some();
        self.held.extend(claim.map(Held::Keys));
        claimed
    }

    /// Books a request that was granted while nobody looked; one that still waits is given up.
    pub(crate) fn settle(&mut self) {
        let Some(waiter) = self.pending.take() else { return };
        let cancelled = || types::Error::new(types::SqlState::QUERY_CANCELED, "canceling statement due to user request");
        if waiter.is_granted() || (!self.table.leave_queue(&waiter, cancelled()) && waiter.is_granted()) {
            self.held.push(Held::Lock(waiter.tag, waiter.mode));
        }
    }

    /// Bytes that the next lock allocates at once because the list is full.
    pub(super) fn leap(&self) -> usize {
        if self.held.len() < self.held.capacity() { 0 } else { 2 * self.held.capacity() * size_of::<Held>() }
    }

    /// How many locks are held: the mark of a savepoint.
    pub(crate) fn mark(&mut self) -> usize {
        self.settle();
        self.held.len()
    }

    /// Whether a lock that is held, other than one of a claim's, was won after the mark.
    pub(crate) fn was_won_after(&self, mark: usize, tag: Tag) -> bool {
        self.held.get(mark..).is_some_and(|later| later.iter().any(|held| matches!(held, Held::Lock(later, _) if *later == tag)))
    }

    /// Releases what was won after the mark, the newest first.
    pub(crate) fn release_to(&mut self, mark: usize) {
        self.settle();
        while self.held.len() > mark
            && let Some(last) = self.held.pop()
        {
            match last {
                Held::Lock(tag, mode) => self.table.release(tag, self.owner, mode),
                Held::Keys(claim) => self.table.release_claim(&claim),
            }
        }
    }

    /// Releases one lock before its owner's end; false when it is not held.
    pub(crate) fn release(&mut self, tag: Tag, mode: LockMode) -> bool {
        self.settle();
        let is_it = |held: &Held| matches!(held, Held::Lock(other, in_mode) if (*other, *in_mode) == (tag, mode));
        let Some(place) = self.held.iter().rposition(is_it) else { return false };
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
