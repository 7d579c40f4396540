//! The threads that serve connections: one event loop a core, each connection on one of them for as long as it lives.
//!
//! A loop is a runtime of its own with one worker, so that no loop wakes another to share its work: with one runtime over all cores, every
//! message would wake a second core to look for more. A long statement still hands its loop's other connections to a fresh thread, which is
//! why the loops are not single-threaded runtimes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::runtime::{Builder, Runtime};

/// How long a thread that has nothing to do keeps what it has freed.
const A_WHILE: Duration = Duration::from_millis(500);

/// The loops; dropping them ends what still runs on them.
pub(crate) struct EventLoops(Vec<EventLoop>);

struct EventLoop {
    /// None only while being dropped.
    runtime: Option<Runtime>,
    connections: Arc<AtomicUsize>,
}

impl EventLoops {
    /// Starts a loop for each core.
    pub(crate) fn start() -> io::Result<EventLoops> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let start = |_| {
            let mut builder = Builder::new_multi_thread();
            // What a thread has freed goes back to the system when it ends.
            let builder = builder.worker_threads(1).thread_keep_alive(A_WHILE);
            let runtime = builder.enable_all().thread_name("heliosdb-io").build()?;
            runtime.spawn(give_back_freed_when_quiet());
            Ok(EventLoop { runtime: Some(runtime), connections: Arc::default() })
        };
        (0..count).map(start).collect::<io::Result<_>>().map(EventLoops)
    }

    /// Runs a connection on the loop that has the fewest.
    pub(crate) fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let least = self.0.iter().min_by_key(|event_loop| event_loop.connections.load(Ordering::Relaxed));
        let Some(EventLoop { runtime: Some(runtime), connections }) = least else { return };
        let serving = Serving::one_of(connections.clone());
        runtime.spawn(async move {
            let _serving = serving;
            connection.await;
        });
    }
}

impl Drop for EventLoops {
    fn drop(&mut self) {
        // What a runtime's own drop would wait for, nobody wants any more; and it may not be waited for within another runtime.
        self.0.iter_mut().filter_map(|event_loop| event_loop.runtime.take()).for_each(Runtime::shutdown_background);
    }
}

/// A loop whose connections rest keeps nothing of what their last statements needed.
async fn give_back_freed_when_quiet() {
    let (mut ticks, mut thread) = (tokio::time::interval(A_WHILE), heap::QuietThread::default());
    loop {
        ticks.tick().await;
        thread.look();
    }
}

/// Counts a connection among its loop's while it lives.
struct Serving(Arc<AtomicUsize>);

impl Serving {
    fn one_of(connections: Arc<AtomicUsize>) -> Serving {
        connections.fetch_add(1, Ordering::Relaxed);
        Serving(connections)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
