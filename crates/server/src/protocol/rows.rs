//! DataRow messages: values of a batch in the formats the client asked for.

use std::sync::Arc;

use expr::Batch;
use plan::OutputColumn;
use storage::{Column, column::ColumnData};
use types::{
    FormatSettings, SqlType,
    binary_format::datum_to_binary,
    text_format::{TypeResolver, datum_to_text},
};

use super::backend::format_of;

/// How a result's rows are encoded: fixed for one result.
pub(crate) struct RowEncoder {
    columns: Vec<(SqlType, i16)>,
    settings: Arc<FormatSettings>,
    resolver: Arc<dyn TypeResolver + Send + Sync>,
    text: String,
}

impl RowEncoder {
    pub(crate) fn new(
        columns: &[OutputColumn],
        formats: &[i16],
        settings: Arc<FormatSettings>,
        resolver: Arc<dyn TypeResolver + Send + Sync>,
    ) -> RowEncoder {
        let columns = columns.iter().enumerate().map(|(at, column)| (column.ty, format_of(formats, at))).collect();
        RowEncoder { columns, settings, resolver, text: String::new() }
    }

    /// Appends a DataRow.
    fn encode_row(&mut self, batch: &Batch, row: usize, out: &mut Vec<u8>) {
        debug_assert_eq!(batch.columns.len(), self.columns.len());
        out.push(b'D');
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(self.columns.len() as i16).to_be_bytes());
        for (at, column) in batch.columns.iter().enumerate() {
            if column.is_null(row) {
                out.extend_from_slice(&(-1_i32).to_be_bytes());
                continue;
            }
            let value = out.len();
            out.extend_from_slice(&[0; 4]);
            let (ty, format) = self.columns[at];
            if format == 1 {
                put_binary(column, row, ty, out);
            } else {
                self.put_text(column, row, ty, out);
            }
            let length = (out.len() - value - 4) as i32;
            out[value..value + 4].copy_from_slice(&length.to_be_bytes());
        }
        let length = (out.len() - start) as i32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// Encodes what fits into a buffer: all rows from `from` on, or as many as make it full. The next row to be encoded.
    pub(crate) fn encode_some(&mut self, batch: &Batch, from: usize, room: usize, out: &mut Vec<u8>) -> usize {
        let end = out.len() + room;
        let mut row = from;
        while row < batch.len && (out.len() < end || row == from) {
            self.encode_row(batch, row, out);
            row += 1;
        }
        row
    }

    fn put_text(&mut self, column: &Column, row: usize, ty: SqlType, out: &mut Vec<u8>) {
        match column.data() {
            ColumnData::Int4(values) => out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes()),
            ColumnData::Int2(values) => out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes()),
            ColumnData::Int8(values) if ty.oid == types::Oid::INT8 => {
                out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes());
            }
            ColumnData::Bool(values) => out.push(if values[row] { b't' } else { b'f' }),
            ColumnData::Text(_) => out.extend_from_slice(column.text(row).as_bytes()),
            _ => {
                self.text.clear();
                datum_to_text(&column.datum(row), ty, &self.settings, &*self.resolver, &mut self.text);
                out.extend_from_slice(self.text.as_bytes());
            }
        }
    }
}

fn put_binary(column: &Column, row: usize, ty: SqlType, out: &mut Vec<u8>) {
    match column.data() {
        ColumnData::Int4(values) => out.extend_from_slice(&values[row].to_be_bytes()),
        ColumnData::Int2(values) => out.extend_from_slice(&values[row].to_be_bytes()),
        ColumnData::Int8(values) if ty.oid == types::Oid::INT8 => out.extend_from_slice(&values[row].to_be_bytes()),
        ColumnData::Bool(values) => out.push(u8::from(values[row])),
        ColumnData::Text(_) if !matches!(ty.oid, types::Oid::CHAR | types::Oid::TID) => {
            out.extend_from_slice(column.text(row).as_bytes())
        }
        _ => datum_to_binary(&column.datum(row), ty, out),
    }
}
