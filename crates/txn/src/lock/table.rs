//! The lock table: locks spread over shards by hash, each shard a small mutex.
//!
//! Nobody holds two shards' mutexes at once, and wakers run after all are let go. The list of waiting requests is beside the shards and
//! is touched only by those who wait, so that a lock nobody contends costs one mutex and no allocation.

use std::sync::Arc;

use hashbrown::{HashMap, HashTable};
use types::Error;

use super::{
    LockMode, LockTarget, Owner,
    key_claim::{CLAIMED, KeyClaim},
    queue::{Asked, Lock},
    tag::Tag,
    wait::Waiter,
};
use crate::{
    planted_faults::PlantedFaults,
    sync::{
        Mutex, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

const SHARDS: usize = 64;

/// The locks of one store.
#[derive(Debug)]
pub(crate) struct LockTable {
    pub(super) shards: Box<[Shard]>,
    /// Keys locked by the thousand. Asked for after a key's shard, whose mutex is held meanwhile.
    pub(super) claims: RwLock<Vec<Arc<KeyClaim>>>,
    /// How many there are: mostly none.
    pub(super) claim_count: AtomicUsize,
    /// The request that each process waits for.
    waiting: Mutex<HashMap<i32, Arc<Waiter>>>,
    /// One search for deadlocks at a time, so that of a cycle's members only one gives up.
    pub(super) detection: Mutex<()>,
    /// How many relations are locked, or wanted, in ACCESS EXCLUSIVE mode.
    exclusive: AtomicUsize,
    /// Those of the whole store.
    pub(crate) faults: PlantedFaults,
}

/// On cache lines of its own, so that shards do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Shard(pub(super) Mutex<HashTable<Lock>>);

/// A lock held or waited for, as pg_locks shows it.
#[derive(Clone, Debug)]
pub struct ListedLock {
    pub target: LockTarget,
    pub mode: LockMode,
    pub granted: bool,
    pub pid: i32,
    /// The transaction that holds it; None for locks of a session.
    pub transaction: Option<storage::TxnId>,
}

impl LockTable {
    pub(crate) fn new() -> Arc<LockTable> {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Arc::new(LockTable {
            shards,
            claims: RwLock::default(),
            claim_count: AtomicUsize::new(0),
            waiting: Mutex::default(),
            detection: Mutex::default(),
            exclusive: AtomicUsize::new(0),
            faults: PlantedFaults::default(),
        })
    }

    /// The bits that choose a shard are not those that choose a place within it.
    fn shard(&self, hash: u64) -> &Mutex<HashTable<Lock>> {
        &self.shards[(hash >> 40) as usize % SHARDS].0
    }

    pub(crate) fn has_exclusive(&self) -> bool {
        self.exclusive.load(Ordering::SeqCst) > 0
    }

    /// Asks for a lock without waiting for it.
    pub(crate) fn try_lock(&self, tag: Tag, owner: Owner, mode: LockMode) -> Asked {
        let hash = tag.hash();
        let asked = self.ask(&mut self.shard(hash).lock(), hash, tag, owner, mode);
        if asked == Asked::New {
            self.count_exclusive(mode);
        }
        asked
    }

    /// Asks in the lock's shard, whose mutex is held.
    fn ask(&self, shard: &mut HashTable<Lock>, hash: u64, tag: Tag, owner: Owner, mode: LockMode) -> Asked {
        let hash_of = |lock: &Lock| lock.tag.hash();
        if let Some(lock) = shard.find_mut(hash, |lock| lock.tag == tag) {
            return lock.ask(owner, mode);
        }
        if let Some(lock) = self.claimed_lock(tag) {
            return shard.insert_unique(hash, lock, hash_of).get_mut().ask(owner, mode);
        }
        shard.insert_unique(hash, Lock::new(tag, owner, mode), hash_of);
        Asked::New
    }

    fn count_exclusive(&self, mode: LockMode) {
        if mode == LockMode::AccessExclusive {
            self.exclusive.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn uncount_exclusive(&self, mode: LockMode) {
        if mode == LockMode::AccessExclusive {
            self.exclusive.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Takes a place in the queue of a lock that was just refused. When it has become free meanwhile the wait is over at once.
    ///
    /// Errors: 40P01 when waiting would never end.
    pub(crate) fn wait(&self, tag: Tag, owner: Owner, mode: LockMode) -> Result<Arc<Waiter>, Error> {
        let waiter = Waiter::new(owner, tag, mode);
        self.waiting.lock().insert(owner.pid, Arc::clone(&waiter));
        let hash = tag.hash();
        {
            let mut shard = self.shard(hash).lock();
            let asked = self.ask(&mut shard, hash, tag, owner, mode);
            if asked != Asked::Held {
                self.count_exclusive(mode);
            }
            if asked != Asked::Conflict {
                drop(shard);
                self.forget_waiting(&waiter);
                waiter.finish(Ok(()));
                return Ok(waiter);
            }
            let lock = shard.find_mut(hash, |lock| lock.tag == tag).expect("it was found conflicting under this mutex");
            lock.enqueue(Arc::clone(&waiter));
            // Every cycle leads on through a holder who waits. Each member is among those who wait before it looks, so that the last of
            // them sees all others.
            let waiting = self.waiting.lock();
            if !lock.holders.iter().any(|holder| waiting.contains_key(&holder.owner.pid)) {
                return Ok(waiter);
            }
        }
        self.break_deadlock(&waiter)?;
        Ok(waiter)
    }

    /// Gives a lock back and lets those who waited for it go on.
    pub(crate) fn release(&self, tag: Tag, owner: Owner, mode: LockMode) {
        self.change(tag, |lock| lock.release(owner, mode));
        self.uncount_exclusive(mode);
    }

    /// Ends a wait with an error. False when it had ended before.
    pub(crate) fn leave_queue(&self, waiter: &Arc<Waiter>, error: Error) -> bool {
        let left = self.change(waiter.tag, |lock| lock.dequeue(waiter)).unwrap_or(false);
        if left {
            self.uncount_exclusive(waiter.mode);
            self.forget_waiting(waiter);
            if let Some(waker) = waiter.finish(Err(error)) {
                waker.wake();
            }
        }
        left
    }

    /// Changes a lock that is in the table, then grants what became free.
    pub(super) fn change<T>(&self, tag: Tag, change: impl FnOnce(&mut Lock) -> T) -> Option<T> {
        let hash = tag.hash();
        let mut granted = Vec::new();
        let result = {
            let mut shard = self.shard(hash).lock();
            let Ok(mut entry) = shard.find_entry(hash, |lock| lock.tag == tag) else { return None };
            let lock = entry.get_mut();
            let result = change(lock);
            lock.grant_queued(&mut granted);
            if lock.is_free() {
                entry.remove();
            }
            result
        };
        for waiter in granted {
            self.forget_waiting(&waiter);
            if let Some(waker) = waiter.finish(Ok(())) {
                waker.wake();
            }
        }
        Some(result)
    }

    /// Looks at a lock.
    pub(super) fn inspect<T>(&self, tag: Tag, look: impl FnOnce(&Lock) -> T) -> Option<T> {
        let hash = tag.hash();
        let shard = self.shard(hash).lock();
        shard.find(hash, |lock| lock.tag == tag).map(look)
    }

    fn forget_waiting(&self, waiter: &Arc<Waiter>) {
        let mut waiting = self.waiting.lock();
        if waiting.get(&waiter.owner.pid).is_some_and(|other| Arc::ptr_eq(other, waiter)) {
            waiting.remove(&waiter.owner.pid);
        }
    }

    /// What a process waits for.
    pub(super) fn waiting_of(&self, pid: i32) -> Option<Arc<Waiter>> {
        self.waiting.lock().get(&pid).cloned()
    }

    /// The processes for which one waits: those that hold what it wants and those ahead of it in the queue (pg_blocking_pids).
    pub(crate) fn blocking_pids(&self, pid: i32) -> Vec<i32> {
        let Some(waiter) = self.waiting_of(pid) else { return Vec::new() };
        let blockers = self.inspect(waiter.tag, |lock| {
            let holders = lock.blocking_holders(&waiter).map(|holder| holder.owner.pid);
            let waiters = lock.blocking_waiters(&waiter).map(|other| other.owner.pid);
            let mut pids: Vec<i32> = Vec::new();
            for pid in holders.chain(waiters) {
                if !pids.contains(&pid) {
                    pids.push(pid);
                }
            }
            pids
        });
        blockers.unwrap_or_default()
    }

    /// All locks held and waited for, shard after shard, and claims of keys as one lock each.
    pub(crate) fn list(&self) -> Vec<ListedLock> {
        let mut listed = Vec::new();
        for shard in &self.shards {
            for lock in shard.0.lock().iter() {
                let target = lock.tag.target();
                let entry = |owner: Owner, mode, granted| ListedLock {
                    target,
                    mode,
                    granted,
                    pid: owner.pid,
                    transaction: owner.transaction(),
                };
                for holder in &lock.holders {
                    listed.extend(holder.modes.iter().map(|mode| entry(holder.owner, mode, true)));
                }
                listed.extend(lock.queue().map(|waiter| entry(waiter.owner, waiter.mode, false)));
            }
        }
        for claim in self.claims.read().iter() {
            let (target, transaction) = (LockTarget::Key(claim.index), claim.owner.transaction());
            listed.push(ListedLock { target, mode: CLAIMED, granted: true, pid: claim.owner.pid, transaction });
        }
        listed
    }
}
