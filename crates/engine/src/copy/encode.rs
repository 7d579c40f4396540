//! COPY's layouts written: from rows to bytes.

use expr::{Batch, EvalContext};
use types::{
    FormatSettings, Result, SqlType,
    binary_format::datum_to_binary,
    text_format::{TypeResolver, datum_to_text},
};

use super::{
    decode::BINARY_SIGNATURE,
    json_lines,
    options::{CopyFormat, CopyOptions},
    parquet,
};

/// Appends rows in the layout that the options ask for.
pub(super) struct Encoder {
    pub(super) options: CopyOptions,
    pub(super) types: Vec<SqlType>,
    pub(super) force_quote: Vec<bool>,
    text: String,
    /// How values become JSON, and the keys before them.
    context: EvalContext,
    keys: Vec<String>,
    parquet: Option<parquet::Writer>,
}

impl Encoder {
    pub(super) fn new(options: CopyOptions, types: Vec<SqlType>, force_quote: Vec<bool>, context: EvalContext) -> Encoder {
        Encoder { options, types, force_quote, text: String::new(), context, keys: Vec::new(), parquet: None }
    }

    /// What precedes all rows: a header line, or the binary signature.
    pub(super) fn start(&mut self, names: &[&str], out: &mut Vec<u8>) -> Result<()> {
        match self.options.format {
            CopyFormat::Json => self.keys = json_lines::keys(names),
            CopyFormat::Parquet => self.parquet = Some(parquet::Writer::new(names, &self.types)?),
            CopyFormat::Binary => {
                out.extend_from_slice(BINARY_SIGNATURE);
                out.extend_from_slice(&[0; 8]);
            }
            _ if self.options.header != super::options::Header::None => {
                for (at, name) in names.iter().enumerate() {
                    if at > 0 {
                        out.push(self.options.delimiter);
                    }
                    match self.options.format {
                        CopyFormat::Csv => quote_csv(name, &self.options, false, names.len() == 1, out),
                        _ => escape_text(name, self.options.delimiter, out),
                    }
                }
                out.push(b'\n');
            }
            _ => {}
        }
        Ok(())
    }

    /// One row.
    pub(super) fn row(
        &mut self,
        batch: &Batch,
        row: usize,
        settings: &FormatSettings,
        resolver: &dyn TypeResolver,
        out: &mut Vec<u8>,
    ) {
        if self.options.format == CopyFormat::Binary {
            return self.binary_row(batch, row, out);
        }
        if self.options.format == CopyFormat::Json {
            return json_lines::encode_row(batch, row, &self.keys, &self.types, &self.context, out);
        }
        let single = batch.columns.len() == 1;
        for (at, column) in batch.columns.iter().enumerate() {
            if at > 0 {
                out.push(self.options.delimiter);
            }
            if column.is_null(row) {
                out.extend_from_slice(self.options.null.as_bytes());
                continue;
            }
            self.text.clear();
            datum_to_text(&column.datum(row), self.types[at], settings, resolver, &mut self.text);
            match self.options.format {
                CopyFormat::Csv => quote_csv(&self.text, &self.options, self.force_quote[at], single, out),
                _ => escape_text(&self.text, self.options.delimiter, out),
            }
        }
        out.push(b'\n');
    }

    /// A batch of rows as columns, for the formats that are made of them.
    pub(super) fn batch(
        &mut self,
        batch: &Batch,
        settings: &FormatSettings,
        resolver: &dyn TypeResolver,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if let Some(writer) = &mut self.parquet {
            return writer.batch(batch, &parquet::Forms { settings, resolver }, out);
        }
        let text = |ty: SqlType, datum: &types::Datum, text: &mut String| datum_to_text(datum, ty, settings, resolver, text);
        durability::column_batch::encode(&batch.columns, batch.len, &self.types, text, out);
        Ok(())
    }

    fn binary_row(&self, batch: &Batch, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&(batch.columns.len() as i16).to_be_bytes());
        for (column, ty) in batch.columns.iter().zip(&self.types) {
            if column.is_null(row) {
                out.extend_from_slice(&(-1_i32).to_be_bytes());
                continue;
            }
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            datum_to_binary(&column.datum(row), *ty, out);
            let length = (out.len() - start - 4) as i32;
            out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
    }

    /// What follows all rows.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.options.format == CopyFormat::Binary {
            out.extend_from_slice(&(-1_i16).to_be_bytes());
        }
        self.parquet.as_mut().map_or(Ok(()), |writer| writer.finish(out))
    }
}

fn escape_text(text: &str, delimiter: u8, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        let letter = match byte {
            b'\\' => b'\\',
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            11 => b'v',
            byte if byte == delimiter => byte,
            byte => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
}

fn quote_csv(text: &str, options: &CopyOptions, force: bool, single_column: bool, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let special = |byte: &u8| *byte == options.delimiter || *byte == options.quote || matches!(byte, b'\n' | b'\r');
    let needs_quotes = force || text == options.null || (single_column && text == "\\.") || bytes.iter().any(special);
    if !needs_quotes {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(options.quote);
    for &byte in bytes {
        if byte == options.quote || byte == options.escape {
            out.push(options.escape);
        }
        out.push(byte);
    }
    out.push(options.quote);
}
