//! Deadlines of statements and lock waits: one thread for all sessions, asleep while there are none.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

/// Runs actions at their time unless they are dropped before.
#[derive(Default)]
pub(crate) struct Timer {
    shared: Arc<Shared>,
}

type Action = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    entries: BinaryHeap<Reverse<Entry>>,
    thread_runs: bool,
    next_number: u64,
}

struct Entry {
    due: Instant,
    number: u64,
    armed: Weak<AtomicBool>,
    action: Action,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

/// Keeps a deadline alive; dropping it disarms the deadline.
pub(crate) struct Deadline {
    _armed: Arc<AtomicBool>,
}

impl Timer {
    /// Runs `action` on the timer's thread after this time, unless the returned guard is dropped first. The action must be short.
    pub(crate) fn after(&self, time: Duration, action: impl FnOnce() + Send + 'static) -> Deadline {
        let armed = Arc::new(AtomicBool::new(true));
        let mut queue = self.shared.queue.lock();
        queue.next_number += 1;
        let entry = Entry {
            due: Instant::now() + time,
            number: queue.next_number,
            armed: Arc::downgrade(&armed),
            action: Box::new(action),
        };
        queue.entries.push(Reverse(entry));
        if !queue.thread_runs {
            queue.thread_runs = true;
            let shared = Arc::downgrade(&self.shared);
            std::thread::Builder::new().name("timer".into()).spawn(move || run(&shared)).expect("a thread can be started");
        }
        drop(queue);
        self.shared.changed.notify_one();
        Deadline { _armed: armed }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.changed.notify_one();
    }
}

/// The thread's loop; ends when the timer is gone or has had nothing to do for a while.
fn run(shared: &Weak<Shared>) {
    const IDLE: Duration = Duration::from_secs(10);
    loop {
        let Some(shared) = shared.upgrade() else { return };
        let mut queue = shared.queue.lock();
        let now = Instant::now();
        let due = queue.entries.peek().map(|Reverse(entry)| entry.due);
        match due {
            Some(due) if due <= now => {
                let Reverse(entry) = queue.entries.pop().expect("the heap was just seen to have an entry");
                drop(queue);
                if entry.armed.upgrade().is_some_and(|armed| armed.swap(false, Ordering::AcqRel)) {
                    (entry.action)();
                }
            }
            Some(due) => {
                shared.changed.wait_until(&mut queue, due.min(now + IDLE));
            }
            None => {
                if shared.changed.wait_for(&mut queue, IDLE).timed_out() && queue.entries.is_empty() {
                    queue.thread_runs = false;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_fire_unless_dropped() {
        let timer = Timer::default();
        let (sender, receiver) = std::sync::mpsc::channel();
        let dropped = sender.clone();
        let gone = timer.after(Duration::from_millis(5), move || dropped.send("dropped").unwrap());
        drop(gone);
        let _kept = timer.after(Duration::from_millis(10), move || sender.send("fired").unwrap());
        assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok("fired"));
    }
}
