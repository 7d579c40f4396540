//! Parquet: rows written as row groups, and read back a batch at a time.

use std::{collections::HashMap, panic::AssertUnwindSafe};

use arrow_array::RecordBatch;
use bytes::Bytes;
use parquet::{
    arrow::{
        ArrowWriter,
        arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    },
    basic::{Compression, ZstdLevel},
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData},
        properties::WriterProperties,
    },
};
use types::{Error, Result, SqlState};

use crate::BatchBuilder;

/// Rows of a row group: what a reader decompresses at a time.
const ROW_GROUP_ROWS: usize = 1 << 17;
/// Rows that a reader gives at a time.
const BATCH_ROWS: usize = 1024;

fn bad(error: impl std::fmt::Display) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, "invalid Parquet data").detail(error.to_string())
}

/// Runs what reads a file. The library takes some damaged files for whole ones and panics over what follows from it; nothing of its state
/// is used after that.
fn guarded<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(bad("the file is damaged")))
}

/// 22P04 unless the directory's places are within the file: the library believes them.
fn refuse_damaged(directory: &ParquetMetaData, length: usize) -> Result<()> {
    let is_within = |column: &ColumnChunkMetaData| {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = u64::try_from(start).ok()?.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
        (end <= length as u64 && column.num_values() >= 0).then_some(())
    };
    let columns = || directory.row_groups().iter().flat_map(|group| group.columns());
    match columns().all(|column| is_within(column).is_some()) {
        true => Ok(()),
        false => Err(bad("the file is damaged")),
    }
}

/// A file in the making. What is ready is taken piece by piece.
pub struct ParquetWriter {
    writer: ArrowWriter<Vec<u8>>,
}

impl ParquetWriter {
    /// Begins a file whose columns are those of an (empty) builder.
    pub fn new(like: &BatchBuilder) -> Result<ParquetWriter> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_created_by(concat!("heliosdb-nano ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), like.schema(), Some(properties)).map_err(bad)?;
        Ok(ParquetWriter { writer })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(bad)
    }

    /// Moves the bytes that are ready to the end of `out`.
    pub fn take(&mut self, out: &mut Vec<u8>) {
        out.append(self.writer.inner_mut());
    }

    /// Writes what is left and the file's end.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<()> {
        out.append(&mut self.writer.into_inner().map_err(bad)?);
        Ok(())
    }
}

/// The batches of a file that has come whole: its directory is at its end.
pub struct ParquetReader {
    /// None after an error.
    batches: Option<ParquetRecordBatchReader>,
    names: Vec<String>,
}

impl ParquetReader {
    /// Errors: 22P04 for what is no Parquet file.
    pub fn open(file: Vec<u8>) -> Result<ParquetReader> {
        guarded(|| {
            // What the file says of Arrow types is only how its writer kept them; the Parquet types suffice.
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            let length = file.len();
            let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(file), options).map_err(bad)?;
            refuse_damaged(builder.metadata(), length)?;
            let names = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
            Ok(ParquetReader { batches: Some(builder.with_batch_size(BATCH_ROWS).build().map_err(bad)?), names })
        })
    }

    /// Where each of the wanted columns is in the file.
    ///
    /// Errors: 22P04 for one that is missing, twice there, or there and not wanted.
    pub fn columns(&self, wanted: &[&str]) -> Result<Vec<usize>> {
        let mut at: HashMap<&str, usize> = HashMap::new();
        let refused = |message: String| Error::new(SqlState::BAD_COPY_FILE_FORMAT, message);
        for (position, name) in self.names.iter().enumerate() {
            if !wanted.contains(&name.as_str()) {
                return Err(refused(format!("column \"{name}\" of the Parquet file is not among the columns to copy"))
                    .hint("Columns are matched by name."));
            }
            if at.insert(name, position).is_some() {
                return Err(refused(format!("the Parquet file has two columns \"{name}\"")));
            }
        }
        let place = |name: &&str| {
            at.get(name)
                .copied()
                .ok_or_else(|| refused(format!("missing data for column \"{name}\"")).hint("Columns are matched by name."))
        };
        wanted.iter().map(place).collect()
    }
}

impl Iterator for ParquetReader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let batches = self.batches.as_mut()?;
        let next = guarded(|| batches.next().transpose().map_err(bad)).transpose();
        if next.as_ref().is_none_or(Result::is_err) {
            self.batches = None;
        }
        next
    }
}
