//! The file's header and its blocks, which are all that follows it.

use std::io::{Read, Write};

use types::{Error, Result, SqlState};

use super::{Compression, FORMAT_VERSION};

pub(crate) const MAGIC: &[u8; 8] = b"HELIODMP";
pub(crate) const FILE_HEADER: usize = 28;
pub(crate) const BLOCK_HEADER: usize = 20;
/// A block's payload is shorter than this, compressed or not.
const MAX_PAYLOAD: u32 = 1 << 30;

pub(crate) fn corrupted(what: impl Into<String>) -> Error {
    Error::new(SqlState::DATA_CORRUPTED, what)
}

/// magic 8 | format version u16 | zero u16 | segments u32 | length of the file u64 | checksum u32
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub segments: u32,
    pub length: u64,
}

impl FileHeader {
    pub(crate) fn bytes(&self) -> [u8; FILE_HEADER] {
        let mut bytes = [0; FILE_HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.segments.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.length.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Errors: XX001 for what is no dump, damaged, or of a newer format.
    pub(crate) fn read(bytes: &[u8]) -> Result<FileHeader> {
        let Some(bytes) = bytes.first_chunk::<FILE_HEADER>() else {
            return Err(corrupted("the file is not a heliodump, or cut short within its header"));
        };
        let is_whole = crc32fast::hash(&bytes[..24]) == number(&bytes[24..]);
        if &bytes[..8] != MAGIC {
            let error = corrupted("the file is not a heliodump: it does not begin with HELIODMP");
            return Err(error.hint("A dump as SQL text is loaded by psql, or by SOURCE in the shell."));
        }
        if !is_whole {
            return Err(corrupted("the file header is damaged: its checksum does not match"));
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version == 0 || version > FORMAT_VERSION {
            return Err(corrupted(format!(
                "the dump has format version {version}; this program reads versions up to {FORMAT_VERSION}"
            ))
            .hint("Restore it with the version of heliosdb-nano that wrote it, or a newer one."));
        }
        let length = u64::from(number(&bytes[16..])) | u64::from(number(&bytes[20..])) << 32;
        Ok(FileHeader { segments: number(&bytes[12..]), length })
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Segment = 1,
    Script = 2,
    Rows = 3,
    Footer = 4,
}

impl BlockKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            BlockKind::Segment => "segment",
            BlockKind::Script => "script",
            BlockKind::Rows => "rows",
            BlockKind::Footer => "footer",
        }
    }
}

/// number u32 | kind u8 | compression u8 | zero u16 | stored length u32 | raw length u32 | checksum of these u32, then the stored
/// bytes, then their checksum u32
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockHeader {
    pub number: u32,
    pub kind: BlockKind,
    pub compression: Compression,
    pub stored: u32,
    pub raw: u32,
}

impl BlockHeader {
    fn bytes(&self) -> [u8; BLOCK_HEADER] {
        let mut bytes = [0; BLOCK_HEADER];
        bytes[..4].copy_from_slice(&self.number.to_le_bytes());
        bytes[4] = self.kind as u8;
        bytes[5] = self.compression as u8;
        bytes[8..12].copy_from_slice(&self.stored.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.raw.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..16]);
        bytes[16..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8; BLOCK_HEADER], expected: u32) -> Result<BlockHeader> {
        let damaged = |what: &str| corrupted(format!("block {expected} is damaged: {what}"));
        if crc32fast::hash(&bytes[..16]) != number(&bytes[16..]) {
            return Err(damaged("the checksum of its header does not match"));
        }
        if number(bytes) != expected {
            return Err(damaged(&format!("it is numbered {}", number(bytes))));
        }
        let kind = [BlockKind::Segment, BlockKind::Script, BlockKind::Rows, BlockKind::Footer];
        let kind = kind.into_iter().find(|kind| *kind as u8 == bytes[4]).ok_or_else(|| damaged("its kind is unknown"))?;
        let compression = Compression::from_number(bytes[5]).ok_or_else(|| damaged("its compression is unknown"))?;
        let header = BlockHeader { number: expected, kind, compression, stored: number(&bytes[8..]), raw: number(&bytes[12..]) };
        if header.stored >= MAX_PAYLOAD || header.raw >= MAX_PAYLOAD || bytes[6..8] != [0, 0] {
            return Err(damaged("its header makes no sense"));
        }
        Ok(header)
    }
}

/// Writes a block; returns how many bytes it took and the checksum of its payload.
pub(crate) fn write_block(
    out: &mut dyn Write,
    number: u32,
    kind: BlockKind,
    compression: Compression,
    raw: &[u8],
) -> Result<std::io::Result<(u64, u32)>> {
    let too_long = || Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("a {} block would exceed 1 GB", kind.name()));
    let stored = compression.compress(raw)?;
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).ok().filter(|length| *length < MAX_PAYLOAD).ok_or_else(too_long);
    let header = BlockHeader { number, kind, compression, stored: length(&stored)?, raw: length(raw)? };
    let checksum = crc32fast::hash(&stored);
    let written = out
        .write_all(&header.bytes())
        .and_then(|()| out.write_all(&stored))
        .and_then(|()| out.write_all(&checksum.to_le_bytes()));
    Ok(written.map(|()| ((BLOCK_HEADER + stored.len() + 4) as u64, checksum)))
}

/// Reads the block that is to have this number, and checks it; its stored bytes and their checksum.
///
/// Errors: XX001 naming the block.
pub(crate) fn read_block(input: &mut dyn Read, number: u32) -> Result<(BlockHeader, Vec<u8>, u32)> {
    let cut = |_| corrupted(format!("block {number} is damaged: the file ends within it"));
    let mut header = [0; BLOCK_HEADER];
    input.read_exact(&mut header).map_err(cut)?;
    let header = BlockHeader::parse(&header, number)?;
    let mut stored = Vec::new();
    let read = input.take(u64::from(header.stored)).read_to_end(&mut stored).map_err(cut)?;
    let mut checksum = [0; 4];
    input.read_exact(&mut checksum).map_err(cut)?;
    let checksum = u32::from_le_bytes(checksum);
    if read != header.stored as usize || crc32fast::hash(&stored) != checksum {
        let kind = header.kind.name();
        return Err(corrupted(format!("block {number} ({kind}) is damaged: the checksum of its content does not match")));
    }
    Ok((header, stored, checksum))
}
