//! Bulk output beside transactions: made on a thread of lower priority, so that where both want a core the transactions have it.
//!
//! What is made comes from an immutable value, under no lock: nobody ever waits for the thread.

/// Added to the thread's nice value: about a tenth of a core where transactions want all of it, and all of it where they do not.
#[cfg(target_os = "linux")]
const LOWER: i32 = 10;

/// Runs work on a thread of lower priority, the current thread's other connections meanwhile on another one.
pub(crate) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                lower_priority();
                work()
            });
            // A panic ends the session as it would have done here.
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
