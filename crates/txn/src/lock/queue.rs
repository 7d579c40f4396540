//! One lock: who holds it and who waits for it, in order.

use std::{collections::VecDeque, sync::Arc};

use smallvec::SmallVec;

use super::{LockMode, Owner, mode::ModeSet, tag::Tag, wait::Waiter};

#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) owner: Owner,
    pub(super) modes: ModeSet,
}

/// A lock that somebody holds or waits for.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) tag: Tag,
    pub(super) holders: SmallVec<[Holder; 1]>,
    /// None while nobody waits, which is nearly always.
    #[expect(clippy::box_collection, reason = "a pointer's size in each of perhaps a million locks")]
    queue: Option<Box<VecDeque<Arc<Waiter>>>>,
}

/// What came of asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Granted, and the owner held nothing that covers it before.
    New,
    /// The owner had it already.
    Held,
    Conflict,
}

impl Lock {
    pub(super) fn new(tag: Tag, owner: Owner, mode: LockMode) -> Lock {
        let mut holders = SmallVec::new();
        holders.push(Holder { owner, modes: ModeSet::of(mode) });
        Lock { tag, holders, queue: None }
    }

    pub(super) fn queue(&self) -> impl Iterator<Item = &Arc<Waiter>> {
        self.queue.iter().flat_map(|queue| queue.iter())
    }

    pub(super) fn is_free(&self) -> bool {
        self.holders.is_empty() && self.queue.is_none()
    }

    /// Grants the mode when nobody who holds it, or who waits for it and came before, objects.
    pub(super) fn ask(&mut self, owner: Owner, mode: LockMode) -> Asked {
        let mut own = None;
        let mut conflict = false;
        for (position, holder) in self.holders.iter().enumerate() {
            if holder.owner == owner {
                own = Some(position);
            } else {
                conflict |= holder.modes.conflicts_with(mode) && !holder.owner.is_same_party(owner, self.tag);
            }
        }
        if own.is_some_and(|own| self.holders[own].modes.covers(mode)) {
            return Asked::Held;
        }
        // Who holds the lock already goes first: making it wait behind those who wait for it would be a deadlock.
        let overtakes = own.is_none() && self.queue().any(|waiter| waiter.mode.conflicts_with(mode));
        if conflict || overtakes {
            return Asked::Conflict;
        }
        self.grant(owner, mode);
        Asked::New
    }

    fn grant(&mut self, owner: Owner, mode: LockMode) {
        match self.holders.iter_mut().find(|holder| holder.owner == owner) {
            Some(holder) => holder.modes.insert(mode),
            None => self.holders.push(Holder { owner, modes: ModeSet::of(mode) }),
        }
    }

    pub(super) fn release(&mut self, owner: Owner, mode: LockMode) {
        if let Some(position) = self.holders.iter().position(|holder| holder.owner == owner) {
            let holder = &mut self.holders[position];
            holder.modes.remove(mode);
            if holder.modes.is_empty() {
                self.holders.swap_remove(position);
            }
        }
    }

    /// Puts a request into the queue: at its end, or, when its owner holds the lock in another mode, before the first that this excludes.
    pub(super) fn enqueue(&mut self, waiter: Arc<Waiter>) {
        let held = self.holders.iter().find(|holder| holder.owner == waiter.owner).map_or(ModeSet::EMPTY, |holder| holder.modes);
        let queue = self.queue.get_or_insert_default();
        let place = queue.iter().position(|other| held.conflicts_with(other.mode)).unwrap_or(queue.len());
        queue.insert(place, waiter);
    }

    /// Takes a request out; false when it is not in the queue (any more).
    pub(super) fn dequeue(&mut self, waiter: &Arc<Waiter>) -> bool {
        let Some(queue) = &mut self.queue else { return false };
        let Some(place) = queue.iter().position(|other| Arc::ptr_eq(other, waiter)) else { return false };
        queue.remove(place);
        if queue.is_empty() {
            self.queue = None;
        }
        true
    }

    /// Moves a request to just before another.
    pub(super) fn move_before(&mut self, waiter: &Arc<Waiter>, other: &Arc<Waiter>) {
        let Some(queue) = &mut self.queue else { return };
        let Some(from) = queue.iter().position(|queued| Arc::ptr_eq(queued, waiter)) else { return };
        let Some(to) = queue.iter().position(|queued| Arc::ptr_eq(queued, other)) else { return };
        if to < from
            && let Some(moved) = queue.remove(from)
        {
            queue.insert(to, moved);
        }
    }

    /// Grants what can be granted, in order of the queue, nobody overtaking a request that excludes his own.
    pub(super) fn grant_queued(&mut self, granted: &mut Vec<Arc<Waiter>>) {
        let Some(mut queue) = self.queue.take() else { return };
        let mut ahead = ModeSet::EMPTY;
        let mut position = 0;
        while position < queue.len() {
            let waiter = &queue[position];
            let free = !ahead.conflicts_with(waiter.mode) && self.blocking_holders(waiter).next().is_none();
            if free && let Some(waiter) = queue.remove(position) {
                self.grant(waiter.owner, waiter.mode);
                granted.push(waiter);
            } else {
                ahead.insert(queue[position].mode);
                position += 1;
            }
        }
        if !queue.is_empty() {
            self.queue = Some(queue);
        }
    }

    /// Those whose holding it keeps a request waiting.
    pub(super) fn blocking_holders<'a>(&'a self, waiter: &'a Waiter) -> impl Iterator<Item = &'a Holder> {
        self.holders
            .iter()
            .filter(move |holder| holder.modes.conflicts_with(waiter.mode) && !holder.owner.is_same_party(waiter.owner, self.tag))
    }

    /// Those ahead in the queue for whom a request waits.
    pub(super) fn blocking_waiters<'a>(&'a self, waiter: &'a Arc<Waiter>) -> impl Iterator<Item = &'a Arc<Waiter>> {
        self.queue()
            .take_while(move |other| !Arc::ptr_eq(other, waiter))
            .filter(move |other| other.mode.conflicts_with(waiter.mode) && !other.owner.is_same_party(waiter.owner, self.tag))
    }
}
