//! Reading a `.heliodump`: the whole of it is checked when it is opened.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use types::{Error, Result};

use super::{
    block::{BLOCK_HEADER, BlockHeader, BlockKind, FILE_HEADER, FileHeader, corrupted, read_block},
    contents::{Footer, Segment, TableBlocks, decode_schema},
};
use crate::{io_error, schema::Schema};

/// A file that has been checked from its first byte to its last.
pub struct Archive {
    file: BufReader<File>,
    path: PathBuf,
    pub length: u64,
    /// Where each block begins.
    pub(super) blocks: Vec<(u64, BlockHeader)>,
    pub segments: Vec<Segment>,
    /// As of the last segment.
    pub schema: Schema,
    pub footer: Footer,
}

impl Archive {
    /// Opens a file and checks every block of it. Errors: 58030, XX001 naming the block.
    pub fn open(path: &Path) -> Result<Archive> {
        let file = File::open(path).map_err(|error| io_error("open file", path, &error))?;
        let length = file.metadata().map_err(|error| io_error("open file", path, &error))?.len();
        let mut archive = Archive {
            file: BufReader::with_capacity(1 << 18, file),
            path: path.to_owned(),
            length,
            blocks: Vec::new(),
            segments: Vec::new(),
            schema: Schema::default(),
            footer: Footer::default(),
        };
        archive.check().map_err(|error| archive.about_file(error))?;
        Ok(archive)
    }

    fn about_file(&self, error: Error) -> Error {
        let message = format!("cannot read \"{}\": {}", self.path.display(), error.message());
        let about = Error::new(error.sqlstate(), message);
        match &error.fields().hint {
            Some(hint) => about.hint(hint.clone()),
            None => about,
        }
    }

    fn check(&mut self) -> Result<()> {
        let mut start = Vec::new();
        let mut first = (&mut self.file).take(FILE_HEADER as u64);
        first.read_to_end(&mut start).map_err(|error| io_error("read file", &self.path, &error))?;
        let header = FileHeader::read(&start)?;
        if header.length != self.length {
            let (says, is) = (header.length, self.length);
            return Err(corrupted(format!("the file is {is} bytes long, but was written with {says}")));
        }
        let mut position = FILE_HEADER as u64;
        while position < self.length {
            position = self.check_segment(position)?;
        }
        if self.segments.len() != header.segments as usize || self.segments.is_empty() {
            let (found, says) = (self.segments.len(), header.segments);
            return Err(corrupted(format!("the file has {found} segments, but was written with {says}")));
        }
        Ok(())
    }

    /// Checks the segment that begins here; where it ends.
    fn check_segment(&mut self, mut position: u64) -> Result<u64> {
        let mut checksums = crc32fast::Hasher::new();
        let first = self.blocks.len();
        loop {
            let number = u32::try_from(self.blocks.len()).map_err(|_| corrupted("the file has too many blocks"))?;
            let (header, stored, checksum) = read_block(&mut self.file, number)?;
            let at = self.blocks.len() - first;
            let in_place = match header.kind {
                BlockKind::Segment => at == 0,
                BlockKind::Script => at == 1,
                BlockKind::Rows | BlockKind::Footer => at >= 2,
            };
            if !in_place {
                return Err(corrupted(format!("block {number} ({}) is not where it belongs", header.kind.name())));
            }
            self.blocks.push((position, header));
            position += (BLOCK_HEADER + stored.len() + 4) as u64;
            match header.kind {
                BlockKind::Segment => {
                    let segment = Segment::decode(&content(&header, stored)?)?;
                    if segment.number as usize != self.segments.len() {
                        return Err(corrupted(format!("block {number} begins a segment out of order")));
                    }
                    self.segments.push(segment);
                }
                BlockKind::Script => self.schema = decode_schema(&content(&header, stored)?)?,
                BlockKind::Rows => {}
                BlockKind::Footer => {
                    let footer = Footer::decode(&content(&header, stored)?)?;
                    if footer.checksum != checksums.finalize() {
                        return Err(corrupted(format!("block {number} (footer) does not belong to the blocks before it")));
                    }
                    self.check_footer(&footer)?;
                    self.footer = footer;
                    return Ok(position);
                }
            }
            checksums.update(&checksum.to_le_bytes());
        }
    }

    fn check_footer(&self, footer: &Footer) -> Result<()> {
        let is_rows = |block: &u32| self.blocks.get(*block as usize).is_some_and(|(_, header)| header.kind == BlockKind::Rows);
        match footer.tables.iter().find(|table| !table.blocks.iter().all(is_rows)) {
            Some(table) => Err(corrupted(format!("the footer lists blocks of table {} that are not there", table.name))),
            None => Ok(()),
        }
    }

    /// The content of a block.
    pub fn block(&mut self, number: u32) -> Result<Vec<u8>> {
        let (position, _) =
            *self.blocks.get(number as usize).ok_or_else(|| corrupted(format!("there is no block {number} in the file")))?;
        self.read_at(position, number).map_err(|error| self.about_file(error))
    }

    fn read_at(&mut self, position: u64, number: u32) -> Result<Vec<u8>> {
        let here = self.file.stream_position().map_err(|error| io_error("read file", &self.path, &error))?;
        if here != position {
            let moved = i64::try_from(position).and_then(|to| i64::try_from(here).map(|here| to - here));
            let sought = match moved {
                // Stays within what is buffered when it can.
                Ok(offset) => self.file.seek_relative(offset),
                Err(_) => self.file.seek(SeekFrom::Start(position)).map(|_| ()),
            };
            sought.map_err(|error| io_error("read file", &self.path, &error))?;
        }
        let (header, stored, _) = read_block(&mut self.file, number)?;
        content(&header, stored)
    }

    /// The blocks of a table's rows.
    pub fn table(&self, name: &crate::TableName) -> Option<&TableBlocks> {
        self.footer.tables.iter().find(|table| table.name == *name)
    }

    /// Decompresses every block and counts the rows of every table, as `--verify` does.
    pub fn verify(&mut self) -> Result<()> {
        for table in self.footer.tables.clone() {
            let mut rows = 0;
            for &block in &table.blocks {
                rows += crate::column_batch::row_count(&self.block(block)?)? as u64;
            }
            if rows != table.rows {
                let error = corrupted(format!("table {} has {rows} rows, but was written with {}", table.name, table.rows));
                return Err(self.about_file(error));
            }
        }
        Ok(())
    }

    pub(super) fn file(&mut self) -> &mut BufReader<File> {
        &mut self.file
    }
}

fn content(header: &BlockHeader, stored: Vec<u8>) -> Result<Vec<u8>> {
    let (number, kind) = (header.number, header.kind.name());
    header
        .compression
        .decompress(stored, header.raw as usize)
        .ok_or_else(|| corrupted(format!("block {number} ({kind}) is damaged: it does not decompress")))
}
