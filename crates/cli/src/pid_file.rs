//! The pid file: written when the server is ready, removed when it ends, and never stolen from a server that runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, test_kill_process};

use crate::failure::Failure;

/// Removes the file when dropped.
pub(crate) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Errors: a server that still runs has written it, or it cannot be written.
    pub(crate) fn create(path: &Path) -> Result<PidFile, Failure> {
        if let Ok(pid) = read(path)
            && is_running(pid)
            && pid.as_raw_nonzero().get() as u32 != std::process::id()
        {
            return Err(Failure::operation(format!(
                "{} belongs to process {}, which runs; stop it first with heliosdb-nano stop --pid-file {0}",
                path.display(),
                pid.as_raw_nonzero()
            )));
        }
        fs::write(path, format!("{}\n", std::process::id()))
            .map_err(|error| Failure::operation(format!("could not write the pid file {}: {error}", path.display())))?;
        Ok(PidFile { path: path.to_owned() })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the pid file could not be removed");
        }
    }
}

/// The process id that a pid file holds.
pub(crate) fn read(path: &Path) -> io::Result<Pid> {
    let text = fs::read_to_string(path)?;
    text.trim()
        .parse()
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not hold a process id"))
}

pub(crate) fn is_running(pid: Pid) -> bool {
    // A process of another user may not be signalled, but it is there.
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}
