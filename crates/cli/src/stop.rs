//! `stop`: asks the server that wrote a pid file to end, and waits for it.

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};

use crate::{failure::Failure, pid_file};

/// How long a server may take to end its sessions.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn stop(path: &Path) -> Result<(), Failure> {
    let pid = pid_file::read(path)
        .map_err(|error| Failure::operation(format!("{}: {error}; is the server running?", path.display())))?;
    if !pid_file::is_running(pid) {
        return Err(Failure::operation(format!(
            "process {} does not run any more; remove {}",
            pid.as_raw_nonzero(),
            path.display()
        )));
    }
    kill_process(pid, Signal::TERM)
        .map_err(|error| Failure::operation(format!("process {} cannot be stopped: {error}", pid.as_raw_nonzero())))?;
    let asked = Instant::now();
    while pid_file::is_running(pid) {
        if asked.elapsed() > PATIENCE {
            return Err(Failure::operation(format!(
                "process {} is still ending after {} s",
                pid.as_raw_nonzero(),
                PATIENCE.as_secs()
            )));
        }
        sleep(Duration::from_millis(10));
    }
    println!("stopped");
    Ok(())
}
