//! The thread that writes the audit trail, its queue, and the rotation of its files.
//!
//! The queue holds at most [`LARGEST_QUEUE`] bytes. What finds it full is dropped and counted, and so is what the disk does not take; a
//! record `{"event":"lost","count":n}` tells of it as soon as writing works again. `audit` becomes `audit.1` when it has grown to its limit,
//! `audit.1` becomes `audit.2`, and the oldest beyond the number to keep goes.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
};

use types::{Error, Result, SqlState};

/// Bytes of records that may wait for the thread.
const LARGEST_QUEUE: usize = 16 << 20;

/// When a new file is begun, and how many old ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// 0: never.
    pub largest_bytes: u64,
    pub keep: u64,
}

enum Order {
    Write(String),
    /// Opens the file again: somebody has moved it away.
    Reopen(Rotation),
    /// Tells when everything before it is in the file.
    Flush(Sender<()>),
}

/// The near end of the queue.
pub(super) struct Writer {
    orders: Sender<Order>,
    queued: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn start(path: &Path, rotation: Rotation) -> Result<Writer> {
        let (queued, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let file = open(path).map_err(|error| {
            let message =
                format!("{}: the audit file cannot be opened: {error}; check audit.file and its rights", path.display());
            Error::new(SqlState::CONFIG_FILE_ERROR, message)
        })?;
        let (orders, received) = channel();
        let mut trail = Trail {
            path: path.to_owned(),
            rotation,
            written: length_of(&file),
            file: Some(BufWriter::new(file)),
            is_broken: false,
            lost: lost.clone(),
            queued: queued.clone(),
        };
        let started = std::thread::Builder::new().name("heliosdb-audit".to_owned()).spawn(move || trail.run(&received));
        started
            .map_err(|error| Error::new(SqlState::INSUFFICIENT_RESOURCES, format!("no thread for the audit trail: {error}")))?;
        Ok(Writer { orders, queued, lost })
    }

    /// Hands a record over, or counts it as lost.
    pub(super) fn write(&self, record: String) {
        let bytes = record.len();
        if self.queued.fetch_add(bytes, Ordering::Relaxed) + bytes > LARGEST_QUEUE {
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::error!("the audit trail cannot keep up: records are being lost");
            }
            return;
        }
        self.send(Order::Write(record));
    }

    pub(super) fn reopen(&self, rotation: Rotation) {
        self.send(Order::Reopen(rotation));
    }

    pub(super) fn finish(&self) {
        let (done, is_done) = channel();
        self.send(Order::Flush(done));
        // An error is the thread's end, after which there is nothing to wait for.
        let _ = is_done.recv();
    }

    fn send(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::error!("the thread of the audit trail has gone");
        }
    }
}

/// Only the server's own user may read it.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn length_of(file: &File) -> u64 {
    file.metadata().map_or(0, |facts| facts.len())
}

/// The far end: the file.
struct Trail {
    path: PathBuf,
    rotation: Rotation,
    /// None after it could not be opened again.
    file: Option<BufWriter<File>>,
    written: u64,
    /// The last thing written failed: its line may be there in part.
    is_broken: bool,
    lost: Arc<AtomicU64>,
    queued: Arc<AtomicUsize>,
}

impl Trail {
    fn run(&mut self, orders: &Receiver<Order>) {
        loop {
            let order = match orders.try_recv() {
                Ok(order) => order,
                Err(TryRecvError::Disconnected) => break,
                // Nothing more for now: what there is goes to the disk before the thread sleeps.
                Err(TryRecvError::Empty) => {
                    self.flush();
                    let Ok(order) = orders.recv() else { break };
                    order
                }
            };
            match order {
                Order::Write(record) => {
                    self.queued.fetch_sub(record.len(), Ordering::Relaxed);
                    self.write(&record);
                }
                Order::Reopen(rotation) => {
                    self.rotation = rotation;
                    self.reopen();
                }
                Order::Flush(done) => {
                    self.flush();
                    // Nobody waits any more when this fails.
                    let _ = done.send(());
                }
            }
        }
        self.flush();
    }

    fn write(&mut self, record: &str) {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            let time = jiff::Timestamp::now();
            if !self.put(&format!("{{\"time\":\"{time}\",\"event\":\"lost\",\"count\":{lost}}}\n")) || !self.flush() {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            self.lost.fetch_sub(lost, Ordering::Relaxed);
        }
        if !self.put(record) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        if self.rotation.largest_bytes > 0 && self.written >= self.rotation.largest_bytes {
            self.rotate();
        }
    }

    fn put(&mut self, record: &str) -> bool {
        let is_broken = self.is_broken;
        let Some(file) = &mut self.file else {
            self.reopen();
            return false;
        };
        // What is left of a line that failed is ended first.
        let done = if is_broken {
            file.write_all(b"\n").and_then(|()| file.write_all(record.as_bytes()))
        } else {
            file.write_all(record.as_bytes())
        };
        self.written += record.len() as u64;
        self.is_broken = false;
        self.check(done)
    }

    fn flush(&mut self) -> bool {
        let done = self.file.as_mut().map_or(Ok(()), BufWriter::flush);
        self.check(done)
    }

    /// Logs a failure once, and forgets what the buffer holds: it is lost.
    fn check(&mut self, done: io::Result<()>) -> bool {
        let Err(error) = done else { return true };
        let held = self.file.take().map(|file| file.into_parts());
        let (file, buffer) = held.unzip();
        let lines =
            buffer.and_then(|buffer| buffer.ok()).map_or(0, |buffer| buffer.iter().filter(|byte| **byte == b'\n').count());
        if self.lost.fetch_add(lines as u64, Ordering::Relaxed) == 0 {
            tracing::error!(file = %self.path.display(), %error, "the audit trail cannot be written: records are being lost");
        }
        self.file = file.map(BufWriter::new);
        self.is_broken = true;
        false
    }

    fn reopen(&mut self) {
        self.flush();
        match open(&self.path) {
            Ok(file) => {
                self.written = length_of(&file);
                self.file = Some(BufWriter::new(file));
            }
            Err(error) => {
                tracing::error!(file = %self.path.display(), %error, "the audit file cannot be opened again");
            }
        }
    }

    fn numbered(&self, number: u64) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    fn rotate(&mut self) {
        let is_file = self.file.as_ref().and_then(|file| file.get_ref().metadata().ok()).is_some_and(|facts| facts.is_file());
        // Counted anew in any case: a rotation that fails is not tried again at every record.
        self.written = 0;
        if !is_file || !self.flush() {
            return;
        }
        let moved = match self.rotation.keep {
            0 => std::fs::remove_file(&self.path),
            keep => {
                for number in (1..keep).rev() {
                    // There may be none of this number yet.
                    let _ = std::fs::rename(self.numbered(number), self.numbered(number + 1));
                }
                std::fs::rename(&self.path, self.numbered(1))
            }
        };
        match moved {
            Ok(()) => self.reopen(),
            Err(error) => tracing::error!(file = %self.path.display(), %error, "the audit file cannot be rotated"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_rotated_and_the_oldest_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let writer = Writer::start(&path, Rotation { largest_bytes: 30, keep: 2 }).unwrap();
        (0..10).for_each(|number| writer.write(format!("{{\"record\":{number}}}\n")));
        writer.finish();
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(
            (read("audit"), read("audit.1")),
            ("{\"record\":9}\n".to_owned(), "{\"record\":6}\n{\"record\":7}\n{\"record\":8}\n".to_owned())
        );
        assert!(read("audit.2").starts_with("{\"record\":3}") && !directory.path().join("audit.3").exists());
    }

    #[test]
    fn a_file_moved_away_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (path, moved) = (directory.path().join("audit"), directory.path().join("moved"));
        let writer = Writer::start(&path, Rotation { largest_bytes: 0, keep: 1 }).unwrap();
        writer.write("one\n".to_owned());
        writer.finish();
        std::fs::rename(&path, &moved).unwrap();
        writer.reopen(Rotation { largest_bytes: 0, keep: 1 });
        writer.write("two\n".to_owned());
        writer.finish();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\n");
    }

    #[test]
    fn a_full_disk_loses_records_and_nothing_else() {
        let writer = Writer::start(Path::new("/dev/full"), Rotation { largest_bytes: 1, keep: 1 }).unwrap();
        (0..5).for_each(|_| writer.write("record\n".to_owned()));
        writer.finish();
        assert!(writer.lost.load(Ordering::Relaxed) >= 4, "{:?}", writer.lost);
    }
}
