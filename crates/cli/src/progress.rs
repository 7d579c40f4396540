//! A line on the terminal that tells how far a dump or restore is; nothing when standard error is no terminal.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use durability::Progress;

pub(crate) struct ProgressBar {
    doing: &'static str,
    visible: bool,
    shown: Option<Instant>,
    started: Instant,
    last: Progress,
}

const EVERY: Duration = Duration::from_millis(100);
const WIDTH: usize = 24;

impl ProgressBar {
    pub(crate) fn new(doing: &'static str) -> ProgressBar {
        let visible = std::io::stderr().is_terminal();
        ProgressBar { doing, visible, shown: None, started: Instant::now(), last: Progress::default() }
    }

    /// One that shows nothing.
    pub(crate) fn hidden() -> ProgressBar {
        ProgressBar { visible: false, ..ProgressBar::new("") }
    }

    pub(crate) fn show(&mut self, done: &Progress) {
        self.last.clone_from(done);
        let is_due = self.shown.is_none_or(|shown| shown.elapsed() >= EVERY);
        // A short one leaves the terminal as it is.
        if self.visible && is_due && self.started.elapsed() > 2 * EVERY {
            self.shown = Some(Instant::now());
            let filled = WIDTH * done.tables_done / done.tables.max(1);
            let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH - filled));
            let rate = done.rows as f64 / self.started.elapsed().as_secs_f64();
            let line = format!(
                "{} [{bar}] {}/{} tables, {} rows, {rate:.0} rows/s  {}",
                self.doing, done.tables_done, done.tables, done.rows, done.table
            );
            // A terminal that cannot be written to misses nothing that matters.
            drop(write!(std::io::stderr(), "\r\x1b[K{line:.100}"));
        }
    }

    /// Takes the line away; what was done.
    pub(crate) fn finish(self) -> Progress {
        if self.shown.is_some() {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
        self.last
    }
}
