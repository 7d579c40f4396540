//! A place in a lock's queue, as a future that needs no runtime.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use types::{Error, Result};

use super::{LockMode, LockTable, Owner, tag::Tag};
use crate::sync::Mutex;

/// One request in a queue. It waits once: its outcome, when set, is final.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) owner: Owner,
    pub(crate) tag: Tag,
    pub(crate) mode: LockMode,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    outcome: Option<Result<()>>,
    waker: Option<Waker>,
}

impl Waiter {
    pub(crate) fn new(owner: Owner, tag: Tag, mode: LockMode) -> Arc<Waiter> {
        Arc::new(Waiter { owner, tag, mode, progress: Mutex::default() })
    }

    /// Sets the outcome unless there is one already, and gives back whom to wake: after the lock table's mutexes are let go.
    pub(crate) fn finish(&self, outcome: Result<()>) -> Option<Waker> {
        let mut progress = self.progress.lock();
        progress.outcome.get_or_insert(outcome);
        progress.waker.take()
    }

    pub(crate) fn is_granted(&self) -> bool {
        matches!(self.progress.lock().outcome, Some(Ok(())))
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Result<()>> {
        let mut progress = self.progress.lock();
        match &progress.outcome {
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                if !progress.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    progress.waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

/// A place in a lock's queue. A future that is ready when the lock is ours, or fails: 40P01 deadlock, 55P03 time-out, 57014 cancelled.
/// Dropping it leaves the queue; a lock that was already granted stays with the transaction. Runtime-independent: works under tokio
/// and under a blocking executor.
#[derive(Debug)]
pub struct LockWait {
    waiter: Arc<Waiter>,
    locks: Arc<LockTable>,
}

impl LockWait {
    pub(crate) fn new(waiter: Arc<Waiter>, locks: Arc<LockTable>) -> LockWait {
        LockWait { waiter, locks }
    }

    /// A handle with which another thread, a timer or a cancel request, may end the wait.
    pub fn handle(&self) -> WaitHandle {
        WaitHandle { waiter: Arc::clone(&self.waiter), locks: Arc::clone(&self.locks) }
    }

    /// Whether the wait is over, without waiting.
    pub fn is_over(&self) -> bool {
        self.waiter.progress.lock().outcome.is_some()
    }
}

impl Future for LockWait {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.waiter.poll(context)
    }
}

impl Drop for LockWait {
    fn drop(&mut self) {
        if !self.is_over() {
            self.locks.leave_queue(
                &self.waiter,
                Error::new(types::SqlState::QUERY_CANCELED, "canceling statement due to user request"),
            );
        }
    }
}

/// Ends somebody's wait from elsewhere. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct WaitHandle {
    waiter: Arc<Waiter>,
    locks: Arc<LockTable>,
}

impl WaitHandle {
    /// Makes the wait fail with this error (lock_timeout, statement_timeout, a cancel request). False when it was over already.
    pub fn fail(&self, error: Error) -> bool {
        self.locks.leave_queue(&self.waiter, error)
    }

    /// What lock_timeout fails a wait with.
    pub fn time_out(&self) -> bool {
        self.fail(Error::new(types::SqlState::LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout"))
    }
}
