//! What is in the blocks that are not rows, and how it is laid out.
//!
//! Numbers are little endian; a text is its length in bytes (u32) and its UTF-8; a list is its length (u32) and its elements.

use types::Result;

use super::block::corrupted;
use crate::schema::{Entry, Schema, Section, Table, TableName};

/// The content of a SEGMENT block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The same for all segments of a file, another for every file.
    pub dump_id: [u8; 16],
    pub number: u32,
    /// Microseconds since 1970-01-01 00:00:00 UTC.
    pub created_us: u64,
    /// 0: whole database, 1: the tables named only.
    pub partial: bool,
    /// Transactions from the first number (excluded) to the second are in this segment and in none before.
    pub from_sequence: u64,
    pub to_sequence: u64,
    pub database: String,
    /// What `version()` said.
    pub server: String,
}

/// The rows of a table: the blocks that hold them, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableBlocks {
    pub name: TableName,
    pub rows: u64,
    pub blocks: Vec<u32>,
}

/// The content of a FOOTER block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    pub tables: Vec<TableBlocks>,
    /// Checksum over the checksums of all payloads of the segment before the footer, in order.
    pub checksum: u32,
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_name(out: &mut Vec<u8>, name: &TableName) {
    put_text(out, &name.schema);
    put_text(out, &name.name);
}

impl Segment {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.dump_id);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.created_us.to_le_bytes());
        out.push(u8::from(self.partial));
        out.extend_from_slice(&self.from_sequence.to_le_bytes());
        out.extend_from_slice(&self.to_sequence.to_le_bytes());
        put_text(&mut out, &self.database);
        put_text(&mut out, &self.server);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Segment> {
        let mut content = Content(bytes);
        let segment = Segment {
            dump_id: content.array()?,
            number: content.u32()?,
            created_us: content.u64()?,
            partial: content.u8()? == 1,
            from_sequence: content.u64()?,
            to_sequence: content.u64()?,
            database: content.text()?,
            server: content.text()?,
        };
        content.end()?;
        Ok(segment)
    }
}

impl Footer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&(self.tables.len() as u32).to_le_bytes());
        for table in &self.tables {
            put_name(&mut out, &table.name);
            out.extend_from_slice(&table.rows.to_le_bytes());
            out.extend_from_slice(&(table.blocks.len() as u32).to_le_bytes());
            table.blocks.iter().for_each(|block| out.extend_from_slice(&block.to_le_bytes()));
        }
        out.extend_from_slice(&self.checksum.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Footer> {
        let mut content = Content(bytes);
        let tables = content.list(|content| {
            Ok(TableBlocks { name: content.name()?, rows: content.u64()?, blocks: content.list(Content::u32)? })
        })?;
        let footer = Footer { tables, checksum: content.u32()? };
        content.end()?;
        Ok(footer)
    }
}

/// The content of a SCRIPT block.
pub(super) fn encode_schema(schema: &Schema) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&(schema.entries.len() as u32).to_le_bytes());
    for entry in &schema.entries {
        out.push(entry.section as u8);
        put_text(&mut out, entry.kind);
        put_text(&mut out, &entry.name);
        out.push(u8::from(entry.table.is_some()));
        if let Some(table) = &entry.table {
            put_name(&mut out, table);
        }
        put_text(&mut out, &entry.sql);
    }
    out.extend_from_slice(&(schema.tables.len() as u32).to_le_bytes());
    for table in &schema.tables {
        put_name(&mut out, &table.name);
        out.extend_from_slice(&(table.columns.len() as u32).to_le_bytes());
        table.columns.iter().for_each(|column| put_text(&mut out, column));
    }
    out
}

pub(super) fn decode_schema(bytes: &[u8]) -> Result<Schema> {
    let mut content = Content(bytes);
    let entries = content.list(|content| {
        let section = content.u8()?;
        let section = Section::ALL
            .into_iter()
            .find(|known| *known as u8 == section)
            .ok_or_else(|| corrupted("a script has an unknown section"))?;
        let kind = content.text()?;
        let kind = crate::schema::KINDS
            .iter()
            .find(|known| **known == kind)
            .ok_or_else(|| corrupted(format!("a script holds an object of an unknown kind: {kind}")))?;
        let name = content.text()?;
        let table = if content.u8()? == 1 { Some(content.name()?) } else { None };
        Ok(Entry { section, kind, name, table, sql: content.text()? })
    })?;
    let tables = content.list(|content| Ok(Table { name: content.name()?, columns: content.list(Content::text)? }))?;
    content.end()?;
    Ok(Schema { entries, tables })
}

/// What is left of a block's content.
struct Content<'a>(&'a [u8]);

impl<'a> Content<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| corrupted("a block's content is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH]> {
        self.take(LENGTH)?.try_into().map_err(|_| corrupted("a block's content is cut short"))
    }

    fn u8(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<String> {
        let length = self.u32()? as usize;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| corrupted("a text of a block is not UTF-8"))
    }

    fn name(&mut self) -> Result<TableName> {
        Ok(TableName { schema: self.text()?, name: self.text()? })
    }

    fn list<T>(&mut self, mut element: impl FnMut(&mut Content<'a>) -> Result<T>) -> Result<Vec<T>> {
        let length = self.u32()?;
        (0..length).map(|_| element(self)).collect()
    }

    fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(corrupted("a block's content goes on after its end")) }
    }
}
