//! A small file, damaged in every way that one byte or one cut can damage it.

use std::{fs, path::Path};

use types::{Error, Result};

use super::*;
use crate::{Link, Row, column_batch};

/// A database of one table whose rows are these numbers.
struct Numbers {
    values: Vec<i32>,
    batch: usize,
}

impl Link for Numbers {
    fn query(&mut self, sql: &str) -> Result<Vec<Row>> {
        let rows: Vec<Vec<&str>> = if sql.starts_with("SELECT EXISTS") {
            vec![vec!["f"; 30]]
        } else if sql.starts_with("SELECT current_database") {
            vec![vec!["d", "a server", "7"]]
        } else if sql.starts_with("SELECT c.oid, n.nspname, c.relname") {
            vec![vec!["16384", "public", "t", "r", "p", "postgres"]]
        } else if sql.starts_with("SELECT a.attrelid, a.attname, pg_catalog.format_type") {
            vec![vec!["16384", "n", "integer", "f", "", ""]]
        } else {
            Vec::new()
        };
        Ok(rows.into_iter().map(|row| row.into_iter().map(|text| Some(text.to_owned())).collect()).collect())
    }

    fn execute(&mut self, _sql: &str) -> Result<()> {
        Ok(())
    }

    fn copy_out(&mut self, _sql: &str, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        for chunk in self.values.chunks(self.batch) {
            let column = storage::Column::from_datums(
                types::Physical::Int4,
                &chunk.iter().map(|n| types::Datum::Int4(*n)).collect::<Vec<_>>(),
            );
            let mut out = Vec::new();
            column_batch::encode(&[std::sync::Arc::new(column)], chunk.len(), &[types::SqlType::INT4], |_, _, _| {}, &mut out);
            take(&out)?;
        }
        Ok(self.values.len() as u64)
    }

    fn copy_in(&mut self, _sql: &str, _give: &mut dyn FnMut(&mut Vec<u8>) -> Result<bool>) -> Result<u64> {
        Err(Error::internal("nothing is restored here"))
    }
}

fn dump(path: &Path, mode: Mode, compression: Compression, values: impl IntoIterator<Item = i32>) {
    let mut link = Numbers { values: values.into_iter().collect(), batch: 4 };
    write(&mut link, path, mode, compression, &[], &mut |_| {}).unwrap();
}

#[test]
fn every_flipped_byte_and_every_cut_is_detected() {
    let directory = tempfile::tempdir().unwrap();
    let (path, damaged) = (directory.path().join("a"), directory.path().join("b"));
    dump(&path, Mode::Full, Compression::Zstd, 0..9);
    dump(&path, Mode::Append, Compression::None, 0..11);
    let whole = fs::read(&path).unwrap();
    Archive::open(&path).unwrap().verify().unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&damaged, &bytes).unwrap();
        assert!(Archive::open(&damaged).is_err(), "byte {at} of {}", whole.len());
        fs::write(&damaged, &whole[..at]).unwrap();
        assert!(Archive::open(&damaged).is_err(), "cut at {at}");
    }
    fs::write(&damaged, [&whole[..], b"x"].concat()).unwrap();
    assert!(Archive::open(&damaged).is_err(), "longer than it was");
}

#[test]
fn an_appended_segment_holds_what_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    for compression in [Compression::None, Compression::Lz4, Compression::Gzip, Compression::Zstd] {
        dump(&path, Mode::Full, compression, 0..8);
        dump(&path, Mode::Append, compression, [0, 1, 2, 3, 40, 5, 6, 7, 8]);
        let mut archive = Archive::open(&path).unwrap();
        archive.verify().unwrap();
        let table = &archive.footer.tables[0];
        assert_eq!(table.rows, 9);
        assert_eq!(table.blocks, [2, 7, 8], "segment, script, rows, rows, footer; segment, script, rows, rows, footer");
        assert_eq!(archive.segments.len(), 2);
        assert_eq!(archive.segments[0].dump_id, archive.segments[1].dump_id);
    }
}

#[test]
fn a_newer_format_and_a_text_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    dump(&path, Mode::Full, Compression::None, 0..1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    let checksum = crc32fast::hash(&bytes[..24]);
    bytes[24..28].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = Archive::open(&path).err().unwrap();
    assert!(error.message().contains("format version 2; this program reads versions up to 1"), "{}", error.message());
    fs::write(&path, "-- a dump as SQL text, long enough for a header").unwrap();
    let error = Archive::open(&path).err().unwrap();
    assert!(error.message().contains("not a heliodump"), "{}", error.message());
}

#[test]
fn a_damaged_block_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    dump(&path, Mode::Full, Compression::None, 0..9);
    let mut bytes = fs::read(&path).unwrap();
    let archive = Archive::open(&path).unwrap();
    let (position, _) = archive.blocks[3];
    bytes[position as usize + block::BLOCK_HEADER + 2] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = Archive::open(&path).err().unwrap();
    assert!(error.message().contains("block 3 (rows) is damaged"), "{}", error.message());
}
