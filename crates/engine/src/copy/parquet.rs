//! COPY's format `parquet`: columns matched by name, types as Parquet has them, text for those that it has none for.

use std::sync::Arc;

use expr::Batch;
use interchange::{BatchBuilder, ParquetReader, ParquetWriter, Purpose, from_arrow};
use storage::Column;
use types::{
    Datum, FormatSettings, Result, SqlType,
    text_format::{TypeResolver, datum_to_text},
};

/// Text forms as a session has them.
pub(super) struct Forms<'a> {
    pub(super) settings: &'a FormatSettings,
    pub(super) resolver: &'a dyn TypeResolver,
}

impl from_arrow::TextForms for Forms<'_> {
    fn to_text(&self, value: &Datum, ty: SqlType) -> String {
        let mut text = String::new();
        datum_to_text(value, ty, self.settings, self.resolver, &mut text);
        text
    }

    fn parse(&self, text: &str, ty: SqlType) -> Result<Datum> {
        super::value_from_text(text, ty, self.settings, self.resolver)
    }
}

/// A file under way to the client.
pub(super) struct Writer {
    builder: BatchBuilder,
    file: Option<ParquetWriter>,
    types: Vec<SqlType>,
}

impl Writer {
    pub(super) fn new(names: &[&str], types: &[SqlType]) -> Result<Writer> {
        let builder = BatchBuilder::new(names.iter().copied().zip(types.iter().copied()), Purpose::Parquet);
        Ok(Writer { file: Some(ParquetWriter::new(&builder)?), builder, types: types.to_vec() })
    }

    pub(super) fn batch(&mut self, batch: &Batch, forms: &Forms<'_>, out: &mut Vec<u8>) -> Result<()> {
        use from_arrow::TextForms;
        let mut values = Vec::with_capacity(batch.columns.len());
        for row in 0..batch.len {
            values.clear();
            values.extend(batch.columns.iter().map(|column| if column.is_null(row) { Datum::Null } else { column.datum(row) }));
            self.builder.add(&values, &mut |at, value| forms.to_text(value, self.types[at]))?;
        }
        if let Some(file) = &mut self.file {
            file.write(&self.builder.take()?)?;
            file.take(out);
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.file.take().map_or(Ok(()), |file| file.finish(out))
    }
}

/// Reads a whole file; hands over its rows batch by batch. `copy` begins the contexts of errors.
pub(super) fn read(
    file: Vec<u8>,
    names: &[&str],
    types: &[SqlType],
    forms: &Forms<'_>,
    copy: &str,
    mut take: impl FnMut(Batch) -> Result<()>,
) -> Result<()> {
    let reader = ParquetReader::open(file)?;
    let places = reader.columns(names)?;
    let mut before = 0_usize;
    for batch in reader {
        let batch = batch?;
        let mut columns: Vec<Column> = types.iter().map(|ty| Column::with_capacity(ty.physical, batch.num_rows())).collect();
        for row in 0..batch.num_rows() {
            for (at, column) in columns.iter_mut().enumerate() {
                let value = from_arrow::value(batch.column(places[at]).as_ref(), row, types[at], forms);
                let value =
                    value.map_err(|error| error.context(format!("{copy}, row {}, column {}", before + row + 1, names[at])))?;
                column.push(&value);
            }
        }
        let first = before + 1;
        before += batch.num_rows();
        let columns = columns.into_iter().map(Arc::new).collect();
        take(Batch::new(columns, batch.num_rows())).map_err(|error| error.context(format!("{copy}, rows from {first}")))?;
    }
    Ok(())
}
