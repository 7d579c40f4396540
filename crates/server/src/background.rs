//! Bulk output beside transactions: made on a thread of lower priority, so that where both want a core the transactions have it.
//!
//! What is made comes from an immutable value, under no lock: nobody ever waits for the thread. Priorities count only within what the system
//! schedules as one - with autogroups a terminal's session -, so that a dump, whose client has work of its own, also rests between its pieces, the
//! longer the more the process does for others.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// Added to the thread's nice value: about a tenth of a core where transactions want all of it, and all of it where they do not.
#[cfg(target_os = "linux")]
const LOWER: i32 = 10;

/// The CPU time, in nanoseconds, that all bulk output has taken.
static TAKEN_NS: AtomicU64 = AtomicU64::new(0);

/// Runs work on a thread of lower priority, the current thread's other connections meanwhile on another one. Also gives the CPU time it took.
pub(crate) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> (T, Duration) {
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                lower_priority();
                let done = work();
                (done, cpu_time(ClockId::ThreadCPUTime))
            });
            // A panic ends the session as it would have done here.
            let (done, taken) = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            TAKEN_NS.fetch_add(taken.as_nanos() as u64, Relaxed);
            (done, taken)
        })
    })
}

/// Linux has a priority for each thread. Where the whole process has one, the work runs as everything else does.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        // Without the right to do so nothing is lost but the courtesy.
        rustix::process::nice(LOWER).ok();
    }
}

fn cpu_time(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// A dump's share of the machine, beside what else the process does.
pub struct Pace {
    at: Instant,
    /// CPU time that the process had used then, bulk output left out.
    others: Duration,
    cores: f64,
    /// CPU time that this thread had taken then, for one that does the work by itself.
    own: Duration,
}

impl Pace {
    pub fn begin() -> Pace {
        let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
        Pace { at: Instant::now(), others: others(), cores, own: cpu_time(ClockId::ThreadCPUTime) }
    }

    /// Rests after what this thread has done, when it is worth while.
    pub fn rest_here(&mut self) {
        /// Shorter rests would be less exact than long.
        const PIECE: Duration = Duration::from_millis(2);
        let own = cpu_time(ClockId::ThreadCPUTime);
        let worked = own.saturating_sub(self.own);
        if worked > PIECE {
            self.own = own;
            TAKEN_NS.fetch_add(worked.as_nanos() as u64, Relaxed);
            std::thread::sleep(self.rest_after(worked));
        }
    }

    /// How long to rest after a piece of work that took so much CPU time.
    pub fn rest_after(&mut self, worked: Duration) -> Duration {
        let (now, others) = (Instant::now(), others());
        let elapsed = now.duration_since(self.at).as_secs_f64();
        let busy = others.saturating_sub(self.others).as_secs_f64() / elapsed.max(1e-6);
        (self.at, self.others) = (now, others);
        worked.mul_f64(rests(busy, self.cores))
    }
}

fn others() -> Duration {
    cpu_time(ClockId::ProcessCPUTime).saturating_sub(Duration::from_nanos(TAKEN_NS.load(Relaxed)))
}

/// How many times as long as it worked a dump rests, where others keep so many cores busy.
fn rests(busy_cores: f64, cores: f64) -> f64 {
    /// What sending the output and looking after the server take.
    const OF_NO_ACCOUNT: f64 = 0.5;
    /// Its client works about as long again as it does; together they are to take less than a tenth of a busy machine.
    const MOST: f64 = 20.0;
    /// From this share of the cores on it rests the longest: a client that is close by takes the others.
    const BUSY: f64 = 0.3;
    let share = (busy_cores - OF_NO_ACCOUNT).max(0.0) / cores;
    MOST * (share / BUSY).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_rests_the_longer_the_more_others_do() {
        assert_eq!(rests(0.0, 2.0), 0.0);
        assert_eq!(rests(0.3, 2.0), 0.0);
        assert!(rests(0.6, 2.0) > 2.0);
        assert!(rests(0.9, 2.0) > rests(0.6, 2.0));
        assert_eq!(rests(1.9, 2.0), 20.0);
        // The same on more cores leaves more.
        assert!(rests(1.9, 16.0) < 10.0);
    }

    #[test]
    fn what_others_do_is_seen_and_bulk_output_is_not() {
        const PIECE: Duration = Duration::from_millis(40);
        let spin = || {
            let started = cpu_time(ClockId::ThreadCPUTime);
            while cpu_time(ClockId::ThreadCPUTime) - started < PIECE {
                std::hint::spin_loop();
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let before = others();
        let ((), worked) = runtime.block_on(async { tokio::spawn(async move { run(spin) }).await.unwrap() });
        assert!(worked >= PIECE);
        let between = others();
        spin();
        assert!(others() - between >= PIECE);
        // Other tests run beside this one, and only add.
        assert!(cpu_time(ClockId::ProcessCPUTime) >= before + 2 * PIECE);
        assert!(Duration::from_nanos(TAKEN_NS.load(Relaxed)) >= PIECE);
    }
}
