//! Rows that COPY FROM has read and not yet inserted, with the beginning of each line for the context of errors.

use std::sync::Arc;

use expr::Batch;
use storage::Column;
use types::SqlType;

/// As much of a line as an error may show of it, in bytes.
const KEPT_OF_LINE: usize = 400;

/// Rows read and not yet inserted. The room that a batch took is used for the next.
pub(super) struct PendingRows {
    pub(super) columns: Vec<Column>,
    /// Number of each row's line, and where its part of `bytes` ends.
    lines: Vec<(u64, usize)>,
    bytes: Vec<u8>,
    /// Of the lines, whole.
    read: usize,
}

impl PendingRows {
    pub(super) fn new(types: &[SqlType]) -> PendingRows {
        let columns = types.iter().map(|ty| Column::new(ty.physical)).collect();
        PendingRows { columns, lines: Vec::new(), bytes: Vec::new(), read: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether lines of so many bytes have come that the rows had better go on.
    pub(super) fn is_large(&self) -> bool {
        const LARGE: usize = 1024 * 1024;
        self.read >= LARGE
    }

    /// A row is complete in the columns, read from this line.
    pub(super) fn end_row(&mut self, number: u64, line: &[u8]) {
        self.bytes.extend_from_slice(&line[..line.len().min(KEPT_OF_LINE)]);
        self.lines.push((number, self.bytes.len()));
        self.read += line.len();
    }

    /// Number and beginning of the line that a row was read from.
    pub(super) fn line(&self, row: usize) -> (u64, &[u8]) {
        let start = if row == 0 { 0 } else { self.lines[row - 1].1 };
        let (number, end) = self.lines[row];
        (number, &self.bytes[start..end])
    }

    /// The rows, as columns that storage can keep as they are. Their lines stay until [`PendingRows::forget_lines`].
    pub(super) fn take(&mut self) -> Batch {
        let columns = self.columns.iter_mut().map(|column| Arc::new(column.take_compact())).collect();
        Batch::new(columns, self.lines.len())
    }

    pub(super) fn forget_lines(&mut self) {
        self.lines.clear();
        self.read = 0;
        self.bytes.clear();
    }
}
