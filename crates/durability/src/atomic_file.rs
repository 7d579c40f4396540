//! A file that has its name only once it is whole: written beside the target, flushed to the disk, renamed over it.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use types::Result;

use crate::io_error;

/// A file under way. Dropped without [`AtomicFile::commit`], it leaves nothing behind, and what was at the target stays.
pub struct AtomicFile {
    writer: BufWriter<File>,
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl AtomicFile {
    /// Errors: 58030 when the directory is not there or may not be written to.
    pub fn create(target: &Path) -> Result<AtomicFile> {
        let failed = |error: io::Error| io_error("create file", target, &error);
        let name = target.file_name().ok_or_else(|| failed(io::Error::from(io::ErrorKind::IsADirectory)))?;
        if target.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let mut temporary_name = std::ffi::OsString::from(".");
        temporary_name.push(name);
        temporary_name.push(format!(".{}.tmp", std::process::id()));
        let temporary = target.with_file_name(temporary_name);
        let file = File::create(&temporary).map_err(failed)?;
        Ok(AtomicFile { writer: BufWriter::with_capacity(1 << 18, file), temporary, target: target.to_owned(), committed: false })
    }

    /// Writes over bytes at the file's start.
    pub(crate) fn rewrite_start(&mut self, bytes: &[u8]) -> Result<()> {
        self.seek_and_write(bytes).map_err(|error| self.failed(&error))
    }

    fn seek_and_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.seek(SeekFrom::Start(0))?;
        self.writer.write_all(bytes)?;
        self.writer.flush()?;
        self.writer.seek(SeekFrom::End(0)).map(|_| ())
    }

    pub(crate) fn failed(&self, error: &io::Error) -> types::Error {
        io_error("write file", &self.target, error)
    }

    /// Puts the file, whole and on the disk, in the target's place.
    pub fn commit(mut self) -> Result<()> {
        self.finish().map_err(|error| self.failed(&error))?;
        self.committed = true;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()?;
        fs::rename(&self.temporary, &self.target)?;
        // The name is on the disk once its directory is.
        let directory = match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory)?.sync_all()
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing can be done about a file that cannot be removed; it is not the target.
            drop(fs::remove_file(&self.temporary));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_given_up_leaves_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("d.heliodump");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half of the ne").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_missing_directory_is_told_in_one_line() {
        let error = AtomicFile::create(Path::new("no/such/directory/d")).err().unwrap();
        assert_eq!(error.message(), "could not create file \"no/such/directory/d\": No such file or directory");
    }
}
