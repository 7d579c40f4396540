//! How long a statement has been running: a line on the terminal, from the first second on, gone when there is something to show.

use std::{
    io::{IsTerminal, Write},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

const EVERY: Duration = Duration::from_secs(1);

/// Counts until it is dropped.
pub(super) struct Elapsed {
    shared: Arc<Shared>,
    counter: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    drawn: bool,
    ended: bool,
}

impl State {
    fn hide(&mut self) {
        if std::mem::take(&mut self.drawn) {
            write("");
        }
    }
}

/// A terminal that cannot be written to misses nothing that matters.
fn write(line: &str) {
    drop(write!(std::io::stderr(), "\r\x1b[K{line}"));
}

impl Elapsed {
    /// None where nobody watches.
    pub(super) fn begin() -> Option<Elapsed> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let shared = Arc::<Shared>::default();
        let counted = shared.clone();
        let counter = std::thread::Builder::new().name("elapsed".into()).spawn(move || count(&counted)).ok()?;
        Some(Elapsed { shared, counter: Some(counter) })
    }

    /// Takes the line away before something else is written; it comes back.
    pub(super) fn hide(&self) {
        self.shared.state.lock().hide();
    }
}

fn count(shared: &Shared) {
    let started = Instant::now();
    let mut state = shared.state.lock();
    while !state.ended {
        if shared.ended.wait_for(&mut state, EVERY).timed_out() && !state.ended {
            state.drawn = true;
            write(&format!("\x1b[2m{} s; Ctrl-C cancels\x1b[0m", started.elapsed().as_secs()));
        }
    }
    state.hide();
}

impl Drop for Elapsed {
    fn drop(&mut self) {
        self.shared.state.lock().ended = true;
        self.shared.ended.notify_all();
        if let Some(counter) = self.counter.take() {
            drop(counter.join());
        }
    }
}
