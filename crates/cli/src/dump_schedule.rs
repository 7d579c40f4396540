//! Dumps that a server makes by itself, at the times of a cron schedule: `--dump-schedule`.
//!
//! Each goes to a file of its own, the dump file's name with the time in it; when it is whole the oldest of them beyond the number to keep
//! go. One that fails is logged, and the next time is waited for; so is one that is due while another still runs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use engine::{Cluster, DEFAULT_DATABASE};
use jiff::{Timestamp, tz::TimeZone};

use crate::{connection::local::Local, cron::Cron, dump, failure::Failure, progress::ProgressBar};

#[derive(Clone, Debug)]
pub(crate) struct DumpSchedule {
    pub cron: Cron,
    pub file: PathBuf,
    /// How many files to keep; 0: all.
    pub keep: usize,
}

/// The clock may be set meanwhile, or the machine sleep: so often it is looked at.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl DumpSchedule {
    /// Runs until the server ends.
    pub(crate) async fn run(self, cluster: Arc<Cluster>) {
        while let Some(due) = self.cron.next_after(Timestamp::now()) {
            while let Ok(left) = Duration::try_from(due.duration_since(Timestamp::now()))
                && !left.is_zero()
            {
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
            let (schedule, cluster) = (self.clone(), cluster.clone());
            let done = tokio::task::spawn_blocking(move || schedule.dump(&cluster, due)).await;
            match done {
                Ok(Ok(path)) => tracing::info!(file = %path.display(), "the scheduled dump is done"),
                Ok(Err(failure)) => tracing::error!("the scheduled dump failed: {}", failure.message()),
                Err(error) => tracing::error!("the scheduled dump failed: {error}"),
            }
        }
    }

    fn dump(&self, cluster: &Arc<Cluster>, due: Timestamp) -> Result<PathBuf, Failure> {
        let path = self.path_at(due);
        let mut connection = Local::connect(cluster, super::start::USER, DEFAULT_DATABASE)?;
        let format = dump::format_of(&path);
        let compression = durability::Compression::Zstd;
        // A thread of its own: that of a pool would keep the low priority.
        std::thread::scope(|scope| {
            let dumping = scope.spawn(|| {
                dump::give_way();
                dump::dump(&mut connection, &path, format, false, compression, &[], &mut ProgressBar::hidden())
            });
            dumping.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        self.drop_old()?;
        Ok(path)
    }

    /// `backup.heliodump` at a time is `backup-20251208T030000Z.heliodump`.
    fn path_at(&self, due: Timestamp) -> PathBuf {
        let (stem, extension) = self.name_parts();
        let time = due.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
        self.file.with_file_name(format!("{stem}-{time}{extension}"))
    }

    fn name_parts(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
        let extension = text(self.file.extension());
        (text(self.file.file_stem()), if extension.is_empty() { extension } else { format!(".{extension}") })
    }

    /// Removes the oldest scheduled dumps beyond those to keep. What has another name is left alone.
    fn drop_old(&self) -> Result<(), Failure> {
        if self.keep == 0 {
            return Ok(());
        }
        let directory = match self.file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let failed = |path: &Path, error: std::io::Error| {
            Failure::operation(format!("an old dump could not be removed: {}: {error}", path.display()))
        };
        let (stem, extension) = self.name_parts();
        let mut old: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(|error| failed(directory, error))? {
            let path = entry.map_err(|error| failed(directory, error))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let time = name.strip_prefix(&format!("{stem}-")).and_then(|rest| rest.strip_suffix(&extension));
            if time.is_some_and(is_time) {
                old.push(path);
            }
        }
        // Their names sort as their times do.
        old.sort();
        let surplus = old.len().saturating_sub(self.keep);
        old.iter().take(surplus).try_for_each(|path| std::fs::remove_file(path).map_err(|error| failed(path, error)))
    }
}

/// Whether a text is a time as the names of scheduled dumps have it.
fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "00000000T000000Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_newest_are_kept_and_others_files_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("b.heliodump");
        let schedule = DumpSchedule { cron: Cron::parse("@daily").unwrap(), file, keep: 2 };
        std::fs::write(directory.path().join("b-20250101.heliodump"), "mine").unwrap();
        std::fs::write(directory.path().join("other-20250101T000000Z.heliodump"), "mine").unwrap();
        let cluster = Arc::new(Cluster::new());
        for day in ["2025-12-08T03:00:00Z", "2025-12-09T03:00:00Z", "2025-12-10T03:00:00Z"] {
            schedule.dump(&cluster, time(day)).unwrap();
        }
        let mut names: Vec<String> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let expected = [
            "b-20250101.heliodump",
            "b-20251209T030000Z.heliodump",
            "b-20251210T030000Z.heliodump",
            "other-20250101T000000Z.heliodump",
        ];
        assert_eq!(names, expected);
        durability::Archive::open(&directory.path().join(expected[2])).unwrap().verify().unwrap();
    }

    #[test]
    fn a_dump_that_fails_says_why_and_removes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("missing/b.sql");
        let schedule = DumpSchedule { cron: Cron::parse("@daily").unwrap(), file, keep: 1 };
        let failure = schedule.dump(&Arc::new(Cluster::new()), time("2025-12-08T03:00:00Z")).unwrap_err();
        assert!(failure.message().contains("No such file or directory"), "{}", failure.message());
    }
}
