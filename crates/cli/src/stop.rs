//! `stop`: asks a server to end, by the signal of its pid file or over a connection, and waits for it.

use std::{
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use clap::Args;
use rustix::process::{Signal, kill_process};
use types::SqlState;

use crate::{
    connection::{Connection, Handler, target::ConnectionArguments, wire::Wire},
    failure::Failure,
    pid_file,
};

/// How long a server may take to end its sessions.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct StopArguments {
    /// The file that the server was started with; without it the server is asked over a connection, as an administrator
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    #[command(flatten)]
    connection: ConnectionArguments,
}

impl StopArguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match &self.pid_file {
            Some(path) => stop_process(path)?,
            None => stop_over_connection(&self.connection)?,
        }
        println!("stopped");
        Ok(())
    }
}

fn stop_process(path: &Path) -> Result<(), Failure> {
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
    wait_until(|| !pid_file::is_running(pid), &format!("process {}", pid.as_raw_nonzero()))
}

fn stop_over_connection(arguments: &ConnectionArguments) -> Result<(), Failure> {
    struct Ignore;
    impl Handler for Ignore {}
    let target = arguments.target()?;
    let mut connection = Wire::connect(&target)?;
    match connection.run("SELECT pg_catalog.pg_stop_server()", &mut Ignore) {
        // The server may be quicker to end this session than to answer.
        Err(error) if ![SqlState::ADMIN_SHUTDOWN, SqlState::CONNECTION_FAILURE].contains(&error.sqlstate()) => {
            return Err(error.into());
        }
        _ => {}
    }
    // The server ends this session with the others, and is gone when nobody answers any more.
    wait_until(
        || connection.run("", &mut Ignore).is_err() && Wire::connect(&target).is_err(),
        &format!("the server on {}", target.place()),
    )
}

fn wait_until(is_done: impl FnMut() -> bool, who: &str) -> Result<(), Failure> {
    let mut is_done = is_done;
    let asked = Instant::now();
    while !is_done() {
        if asked.elapsed() > PATIENCE {
            return Err(Failure::operation(format!("{who} is still ending after {} s", PATIENCE.as_secs())));
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}
