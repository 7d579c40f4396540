//! Writing a `.heliodump`, whole or by a segment more.

use std::{
    collections::HashMap,
    io::{self, Seek, SeekFrom, Write},
    path::Path,
};

use sha2::{Digest, Sha256};
use types::{Error, Result, SqlState};

use super::{
    Archive, Compression,
    block::{BlockKind, FILE_HEADER, FileHeader, write_block},
    contents::{Footer, Segment, TableBlocks, encode_schema},
};
use crate::{AtomicFile, Link, Position, Progress, column_batch, schema, schema::Schema};

/// Whether the file is made anew or extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Full,
    /// Adds what has changed since the file's last segment; a file that is not there is made.
    Append,
}

/// Identifies a batch of rows by its content.
type BatchHash = [u8; 32];

/// Dumps a database, or some tables of it, into a file. The link must be outside a transaction.
///
/// Errors: 58030, 0A000 for a kind of object that cannot be dumped, whatever the database raises. The file is as before then.
pub fn write(
    link: &mut dyn Link,
    path: &Path,
    mode: Mode,
    compression: Compression,
    tables: &[String],
    progress: &mut dyn FnMut(&Progress),
) -> Result<Footer> {
    schema::begin_snapshot(link)?;
    let written = Position::read(link)
        .and_then(|position| write_segment(link, path, mode, compression, tables, progress).map(|footer| (footer, position)));
    let ended = link.execute("ROLLBACK");
    let (footer, position) = written?;
    ended?;
    if tables.is_empty() {
        position.dumped(link);
    }
    Ok(footer)
}

fn write_segment(
    link: &mut dyn Link,
    path: &Path,
    mode: Mode,
    compression: Compression,
    tables: &[String],
    progress: &mut dyn FnMut(&Progress),
) -> Result<Footer> {
    let schema = schema::read(link, tables)?;
    let facts = link.query("SELECT current_database(), version(), txid_current()")?;
    let fact = |at: usize| facts.first().and_then(|row| row.get(at).cloned().flatten()).unwrap_or_default();
    let mut before = match mode {
        Mode::Append if path.exists() => Some(Archive::open(path)?),
        _ => None,
    };
    let mut writer = Writer::begin(path, compression, before.as_mut())?;
    let last = before.as_ref().and_then(|archive| archive.segments.last());
    let created_us =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let segment = Segment {
        dump_id: last.map_or_else(|| *uuid::Uuid::new_v4().as_bytes(), |last| last.dump_id),
        number: writer.segments,
        created_us,
        partial: !tables.is_empty(),
        from_sequence: last.map_or(0, |last| last.to_sequence),
        to_sequence: fact(2).parse().unwrap_or(0),
        database: fact(0),
        server: fact(1),
    };
    if last.is_some_and(|last| last.partial != segment.partial) {
        let error = Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "cannot append to a dump of other tables");
        return Err(error.hint("Dump into another file, or append with the same --table."));
    }
    writer.block(BlockKind::Segment, Compression::None, &segment.encode())?;
    writer.block(BlockKind::Script, compression, &encode_schema(&schema))?;
    let footer = writer.rows(link, &schema, progress)?;
    writer.finish(footer)
}

struct Writer {
    file: AtomicFile,
    compression: Compression,
    segments: u32,
    next_block: u32,
    length: u64,
    checksums: crc32fast::Hasher,
    /// Where a batch has been written before; kept only while appending.
    known: Option<HashMap<BatchHash, u32>>,
}

impl Writer {
    fn begin(path: &Path, compression: Compression, before: Option<&mut Archive>) -> Result<Writer> {
        let mut writer = Writer {
            file: AtomicFile::create(path)?,
            compression,
            segments: 0,
            next_block: 0,
            length: FILE_HEADER as u64,
            checksums: crc32fast::Hasher::new(),
            known: None,
        };
        let Some(before) = before else {
            let header = FileHeader { segments: 0, length: 0 }.bytes();
            writer.file.write_all(&header).map_err(|error| writer.file.failed(&error))?;
            return Ok(writer);
        };
        let mut known = HashMap::new();
        for number in 0..before.blocks.len() as u32 {
            if before.blocks[number as usize].1.kind == BlockKind::Rows {
                known.insert(hash(&before.block(number)?), number);
            }
        }
        writer.known = Some(known);
        writer.segments = before.segments.len() as u32;
        writer.next_block = before.blocks.len() as u32;
        writer.length = before.length;
        let copied = before.file().seek(SeekFrom::Start(0)).and_then(|_| io::copy(before.file(), &mut writer.file));
        copied.map_err(|error| writer.file.failed(&error))?;
        Ok(writer)
    }

    /// Writes a block; its number.
    fn block(&mut self, kind: BlockKind, compression: Compression, raw: &[u8]) -> Result<u32> {
        let number = self.next_block;
        let written = write_block(&mut self.file, number, kind, compression, raw)?;
        let (bytes, checksum) = written.map_err(|error| self.file.failed(&error))?;
        self.next_block += 1;
        self.length += bytes;
        self.checksums.update(&checksum.to_le_bytes());
        Ok(number)
    }

    fn rows(&mut self, link: &mut dyn Link, schema: &Schema, progress: &mut dyn FnMut(&Progress)) -> Result<Footer> {
        let mut done = Progress { tables: schema.tables.len(), ..Progress::default() };
        let mut footer = Footer::default();
        for table in &schema.tables {
            done.table = table.name.to_string();
            let mut blocks = TableBlocks { name: table.name.clone(), rows: 0, blocks: Vec::new() };
            let sql = format!("COPY {} TO STDOUT (FORMAT heliodump)", table.target());
            let mut stream = Vec::new();
            link.copy_out(&sql, &mut |piece| {
                stream.extend_from_slice(piece);
                let mut taken = 0;
                while let Some(batch) = column_batch::next_batch(&stream[taken..]) {
                    let rows = column_batch::row_count(batch)? as u64;
                    blocks.blocks.push(self.batch(batch)?);
                    blocks.rows += rows;
                    done.rows += rows;
                    done.bytes = self.length;
                    taken += 4 + batch.len();
                    progress(&done);
                }
                stream.drain(..taken);
                Ok(())
            })?;
            if !stream.is_empty() {
                return Err(Error::internal(format!("the rows of table {} ended within a batch", table.name)));
            }
            done.tables_done += 1;
            footer.tables.push(blocks);
        }
        progress(&done);
        Ok(footer)
    }

    /// Writes a batch unless the file holds it already; the block that does.
    fn batch(&mut self, batch: &[u8]) -> Result<u32> {
        let Some(known) = &self.known else { return self.block(BlockKind::Rows, self.compression, batch) };
        let hash = hash(batch);
        if let Some(&block) = known.get(&hash) {
            return Ok(block);
        }
        let block = self.block(BlockKind::Rows, self.compression, batch)?;
        if let Some(known) = &mut self.known {
            known.insert(hash, block);
        }
        Ok(block)
    }

    fn finish(mut self, mut footer: Footer) -> Result<Footer> {
        footer.checksum = self.checksums.clone().finalize();
        self.block(BlockKind::Footer, self.compression, &footer.encode())?;
        let header = FileHeader { segments: self.segments + 1, length: self.length };
        self.file.rewrite_start(&header.bytes())?;
        self.file.commit()?;
        Ok(footer)
    }
}

fn hash(batch: &[u8]) -> BatchHash {
    Sha256::digest(batch).into()
}
