//! Deadlines of statements and lock waits: one thread for all sessions, asleep while there are none.

use std::{
    collections::BTreeMap,
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

/// When, and which of several at that time.
type Key = (Instant, u64);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    entries: BTreeMap<Key, Entry>,
    thread_runs: bool,
    next_number: u64,
}

struct Entry {
    armed: Weak<AtomicBool>,
    action: Action,
}

/// Keeps a deadline alive; dropping it disarms the deadline, of which nothing is left then: most statements end long before theirs.
pub(crate) struct Deadline {
    _armed: Arc<AtomicBool>,
    key: Key,
    shared: Weak<Shared>,
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let entry = self.shared.upgrade().and_then(|shared| shared.queue.lock().entries.remove(&self.key));
        drop(entry);
    }
}

impl Timer {
    /// Runs `action` on the timer's thread after this time, unless the returned guard is dropped first. The action must be short.
    pub(crate) fn after(&self, time: Duration, action: impl FnOnce() + Send + 'static) -> Deadline {
        let armed = Arc::new(AtomicBool::new(true));
        let entry = Entry { armed: Arc::downgrade(&armed), action: Box::new(action) };
        let mut queue = self.shared.queue.lock();
        queue.next_number += 1;
        let key = (Instant::now() + time, queue.next_number);
        queue.entries.insert(key, entry);
        let is_first = queue.entries.first_key_value().is_some_and(|(first, _)| *first == key);
        if !queue.thread_runs {
            queue.thread_runs = true;
            let shared = Arc::downgrade(&self.shared);
            std::thread::Builder::new().name("timer".into()).spawn(move || run(&shared)).expect("a thread can be started");
        }
        drop(queue);
        if is_first {
            self.shared.changed.notify_one();
        }
        Deadline { _armed: armed, key, shared: Arc::downgrade(&self.shared) }
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
        let due = queue.entries.first_key_value().map(|((due, _), _)| *due);
        match due {
            Some(due) if due <= now => {
                let (_, entry) = queue.entries.pop_first().expect("it was just seen to have an entry");
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
        assert!(timer.shared.queue.lock().entries.is_empty(), "nothing of it is left");
        let _kept = timer.after(Duration::from_millis(10), move || sender.send("fired").unwrap());
        assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok("fired"));
    }
}
