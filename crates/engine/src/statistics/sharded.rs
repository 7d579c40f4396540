//! A value for each of a few threads, so that threads that write do not take one cache line from each other.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

/// More would cost memory and readers' time; threads beyond share.
const SHARDS: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Sharded<T>([Line<T>; SHARDS]);

/// Two cache lines, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line<T>(T);

impl<T> Sharded<T> {
    /// How many there are.
    pub(super) const COUNT: usize = SHARDS;

    /// The one that this thread writes.
    pub(super) fn own(&self) -> &T {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static OWN: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        &self.0[OWN.get()].0
    }

    /// All of them, for readers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|line| &line.0)
    }
}
