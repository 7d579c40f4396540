//! Advisory locks of a session: counted, and kept over the ends of its transactions.

use hashbrown::HashMap;
use types::Result;

use super::{LockMode, LockTag, LockWait, held::HeldLocks, queue::Asked, tag::Tag};

/// The session-level advisory locks of one backend. Dropping it releases them.
#[derive(Debug)]
pub struct SessionLocks {
    held: HeldLocks,
    /// How many times each was taken; it is released when it has been unlocked as often.
    counts: HashMap<(Tag, LockMode), u32>,
    waiting: Option<(Tag, LockMode)>,
}

impl SessionLocks {
    pub(crate) fn new(held: HeldLocks) -> SessionLocks {
        SessionLocks { held, counts: HashMap::new(), waiting: None }
    }

    /// Bytes that the next lock allocates at once because what remembers the locks is full: twice what it is.
    pub fn leap(&self) -> usize {
        let counts = if self.counts.len() < self.counts.capacity() {
            0
        } else {
            2 * self.counts.capacity() * (size_of::<((Tag, LockMode), u32)>() + 1) * 8 / 7
        };
        counts + self.held.leap()
    }

    /// pg_advisory_lock and, with [`LockMode::ShareTable`], pg_advisory_lock_shared. After a wait, ask again: the lock is then there.
    ///
    /// Errors: 40P01.
    pub fn lock(&mut self, tag: &LockTag, mode: LockMode) -> Result<Option<LockWait>> {
        let tag = Tag::from(tag);
        if self.waiting != Some((tag, mode)) {
            self.forget_wait();
        }
        match self.held.lock(tag, mode)? {
            Ok(_) => {
                *self.counts.entry((tag, mode)).or_default() += 1;
                self.waiting = None;
                Ok(None)
            }
            Err(wait) => {
                self.waiting = Some((tag, mode));
                Ok(Some(wait))
            }
        }
    }

    /// pg_try_advisory_lock.
    pub fn try_lock(&mut self, tag: &LockTag, mode: LockMode) -> bool {
        self.forget_wait();
        let tag = Tag::from(tag);
        let won = self.held.try_lock(tag, mode) != Asked::Conflict;
        if won {
            *self.counts.entry((tag, mode)).or_default() += 1;
        }
        won
    }

    /// pg_advisory_unlock: false when the lock was not held, for which PostgreSQL warns.
    pub fn unlock(&mut self, tag: &LockTag, mode: LockMode) -> bool {
        self.forget_wait();
        let tag = Tag::from(tag);
        let Some(count) = self.counts.get_mut(&(tag, mode)) else { return false };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&(tag, mode));
            self.held.release(tag, mode);
        }
        true
    }

    /// pg_advisory_unlock_all.
    pub fn unlock_all(&mut self) {
        self.counts.clear();
        self.waiting = None;
        self.held.release_to(0);
    }

    /// Gives back a lock that was granted to a wait which nobody came back for.
    fn forget_wait(&mut self) {
        self.held.settle();
        if let Some((tag, mode)) = self.waiting.take()
            && !self.counts.contains_key(&(tag, mode))
        {
            self.held.release(tag, mode);
        }
    }
}
