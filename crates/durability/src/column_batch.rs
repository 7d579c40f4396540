//! Rows as columns of bytes: the layout of COPY's format `heliodump`, and so of the row blocks of a `.heliodump`.
//!
//! A stream is a sequence of batches, each preceded by its length in bytes (u32). All numbers are little endian.
//!
//! ```text
//! batch    rows u32 | columns u16 | column ...
//! column   form u8 | nulls u8 | if nulls is 1: a bit a row, 1 = not NULL, lowest bit first | values
//! values   form 1, 2, 4, 8, 16: that many bytes a row (arbitrary for a NULL)
//!          form 100: a length (u32) a row, then all bytes one after another (0 bytes for a NULL)
//!          form 101: the same, each value in PostgreSQL's text form
//!          form 102: one length and value in PostgreSQL's text form, which all rows that are not NULL have
//!          form 103: numerics of one scale ([`decimal`]); 104: lists ([`arrays`]); 105: jsonb ([`documents`])
//! ```
//!
//! Which forms a column may have follows from its type ([`is_plain`]): what a column of the type holds may be put there as it is, or it has
//! to pass through the type's input function. Whatever a reader finds, it makes only values that the type has.

mod arrays;
mod decimal;
mod documents;

use storage::{Bitmap, Column, FixedType, column::ColumnData};
use types::{Date, Datum, Error, Oid, Physical, Result, SqlState, SqlType, Timestamp, TimestampTz};

const VAR_LEN: u8 = 100;
const TEXT_FORM: u8 = 101;
const CONSTANT_FORM: u8 = 102;
const DECIMAL_FORM: u8 = 103;
const LIST_FORM: u8 = 104;
const DOCUMENT_FORM: u8 = 105;
/// Fewer rows are not looked through for a value that all have.
const FEWEST_FOR_CONSTANT: usize = 16;
/// More rows than any executor puts into a batch.
const MAX_ROWS: usize = 1 << 24;

/// Whether any bytes of the type's width are a value of it (save for a cheap check), so that a text form can be spared.
pub fn is_plain(ty: SqlType) -> bool {
    ty.typmod == -1
        && matches!(
            ty.oid,
            Oid::BOOL
                | Oid::INT2
                | Oid::INT4
                | Oid::INT8
                | Oid::FLOAT4
                | Oid::FLOAT8
                | Oid::OID
                | Oid::UUID
                | Oid::DATE
                | Oid::TIMESTAMP
                | Oid::TIMESTAMPTZ
                | Oid::TEXT
                | Oid::VARCHAR
                | Oid::BYTEA
        )
}

/// Appends the text form of a value of a type.
type Print<'p> = &'p mut dyn FnMut(SqlType, &Datum, &mut String);
/// The input function of a type.
type Input<'i> = &'i mut dyn FnMut(SqlType, &str) -> Result<Datum>;

/// Appends a batch, its length first. `print` appends the text form of a value.
pub fn encode(
    columns: &[std::sync::Arc<Column>],
    rows: usize,
    types: &[SqlType],
    mut print: impl FnMut(SqlType, &Datum, &mut String),
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(rows as u32).to_le_bytes());
    out.extend_from_slice(&(columns.len() as u16).to_le_bytes());
    for (column, ty) in columns.iter().zip(types) {
        encode_column(column, rows, *ty, &mut print, out);
    }
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn encode_column(column: &Column, rows: usize, ty: SqlType, print: Print, out: &mut Vec<u8>) {
    let form_at = out.len();
    out.push(TEXT_FORM);
    encode_nulls(column, rows, out);
    if let Some(row) = constant_of(column, rows, ty) {
        out[form_at] = CONSTANT_FORM;
        let mut value = String::new();
        print(ty, &column.datum(row), &mut value);
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
        out.extend_from_slice(value.as_bytes());
    } else if is_plain(ty) {
        out[form_at] = encode_plain(column, rows, out);
    } else if let (ColumnData::Text(values), true) = (column.data(), is_its_text(ty)) {
        encode_var_len(rows, out, |row, out| {
            if !column.is_null(row) {
                out.extend_from_slice(values.get(row));
            }
        });
    } else if let (Oid::NUMERIC, Some(scale)) = (ty.oid, scale_of(column, rows)) {
        out[form_at] = DECIMAL_FORM;
        decimal::encode(column, rows, scale, out);
    } else if arrays::encode(column, rows, ty, print, out) {
        out[form_at] = LIST_FORM;
    } else if ty.oid == Oid::JSONB && documents::encode(column, rows, out) {
        out[form_at] = DOCUMENT_FORM;
    } else {
        let mut value = String::new();
        encode_var_len(rows, out, |row, out| {
            if !column.is_null(row) {
                value.clear();
                print(ty, &column.datum(row), &mut value);
                out.extend_from_slice(value.as_bytes());
            }
        });
    }
}

fn scale_of(column: &Column, rows: usize) -> Option<u16> {
    if column.physical() == Physical::Numeric { decimal::common_scale(column, rows) } else { None }
}

/// Types whose text form is what a column of them holds.
fn is_its_text(ty: SqlType) -> bool {
    matches!(ty.oid, Oid::TEXT | Oid::VARCHAR | Oid::BPCHAR | Oid::NAME | Oid::JSON)
}

/// A row whose text all others that are not NULL have too; of columns of texts only, where that spares something.
fn constant_of(column: &Column, rows: usize, ty: SqlType) -> Option<usize> {
    let ColumnData::Text(values) = column.data() else { return None };
    if rows < FEWEST_FOR_CONSTANT || !is_its_text(ty) {
        return None;
    }
    if column.validity().is_none() {
        return values.is_constant().then_some(0);
    }
    let first = (0..rows).find(|&row| !column.is_null(row))?;
    let value = values.get(first);
    (first + 1..rows).all(|row| column.is_null(row) || values.get(row) == value).then_some(first)
}

fn encode_nulls(column: &Column, rows: usize, out: &mut Vec<u8>) {
    let nulls = column.validity().filter(|bits| !bits.all_set());
    out.push(u8::from(nulls.is_some()));
    if let Some(bits) = nulls {
        let start = out.len();
        out.resize(start + rows.div_ceil(8), 0);
        for row in (0..rows).filter(|&row| bits.get(row)) {
            out[start + row / 8] |= 1 << (row % 8);
        }
    }
}

fn encode_var_len(rows: usize, out: &mut Vec<u8>, mut value: impl FnMut(usize, &mut Vec<u8>)) {
    let lengths = out.len();
    out.resize(lengths + 4 * rows, 0);
    for row in 0..rows {
        let start = out.len();
        value(row, out);
        let length = (out.len() - start) as u32;
        out[lengths + 4 * row..lengths + 4 * row + 4].copy_from_slice(&length.to_le_bytes());
    }
}

fn encode_fixed<T, const WIDTH: usize>(values: &[T], out: &mut Vec<u8>, bytes: impl Fn(&T) -> [u8; WIDTH]) -> u8 {
    let start = out.len();
    out.resize(start + values.len() * WIDTH, 0);
    for (place, value) in out[start..].chunks_exact_mut(WIDTH).zip(values) {
        place.copy_from_slice(&bytes(value));
    }
    WIDTH as u8
}

/// The values of a column of a plain type; returns their form.
fn encode_plain(column: &Column, rows: usize, out: &mut Vec<u8>) -> u8 {
    match column.data() {
        ColumnData::Bool(values) => encode_fixed(values, out, |value| [u8::from(*value)]),
        ColumnData::Int2(values) => encode_fixed(values, out, |value| value.to_le_bytes()),
        ColumnData::Int4(values) => encode_fixed(values, out, |value| value.to_le_bytes()),
        ColumnData::Int8(values) => encode_fixed(values, out, |value| value.to_le_bytes()),
        ColumnData::Float4(values) => encode_fixed(values, out, |value| value.to_le_bytes()),
        ColumnData::Float8(values) => encode_fixed(values, out, |value| value.to_le_bytes()),
        ColumnData::Oid(values) => encode_fixed(values, out, |value| value.0.to_le_bytes()),
        ColumnData::Date(values) => encode_fixed(values, out, |value| value.0.to_le_bytes()),
        ColumnData::Timestamp(values) => encode_fixed(values, out, |value| value.0.to_le_bytes()),
        ColumnData::TimestampTz(values) => encode_fixed(values, out, |value| value.0.to_le_bytes()),
        ColumnData::Uuid(values) => encode_fixed(values, out, |value| *value),
        ColumnData::Text(values) | ColumnData::Bytes(values) => {
            encode_var_len(rows, out, |row, out| {
                if !column.is_null(row) {
                    out.extend_from_slice(values.get(row));
                }
            });
            VAR_LEN
        }
        other => unreachable!("a plain type held as {:?}", std::mem::discriminant(other)),
    }
}

fn bad(what: &str) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, format!("invalid heliodump batch: {what}"))
}

/// Cuts the next batch off a stream: its bytes without the length. None while it has not come whole.
pub fn next_batch(stream: &[u8]) -> Option<&[u8]> {
    let length = u32::from_le_bytes(*stream.first_chunk()?) as usize;
    stream[4..].get(..length)
}

/// How many rows a batch has.
pub fn row_count(batch: &[u8]) -> Result<usize> {
    batch.first_chunk().map(|rows| u32::from_le_bytes(*rows) as usize).ok_or_else(|| bad("it is cut short"))
}

/// The columns of a batch. `input` is the input function of a type.
///
/// Errors: 22P04 when the bytes are no batch of these types, and what the input functions raise.
pub fn decode(
    batch: &[u8],
    types: &[SqlType],
    mut input: impl FnMut(SqlType, &str) -> Result<Datum>,
) -> Result<(usize, Vec<Column>)> {
    let mut bytes = Bytes(batch);
    let rows = bytes.u32()? as usize;
    if rows > MAX_ROWS {
        return Err(bad("it has too many rows"));
    }
    let count = bytes.take(2)?;
    if usize::from(u16::from_le_bytes([count[0], count[1]])) != types.len() {
        return Err(bad("it has another number of columns"));
    }
    let mut columns = Vec::with_capacity(types.len());
    for ty in types {
        columns.push(decode_column(&mut bytes, rows, *ty, &mut input)?);
    }
    if !bytes.0.is_empty() {
        return Err(bad("it goes on after its last column"));
    }
    Ok((rows, columns))
}

fn decode_column(bytes: &mut Bytes, rows: usize, ty: SqlType, input: Input) -> Result<Column> {
    let form = bytes.take(1)?[0];
    let validity = decode_nulls(bytes, rows)?;
    let is_null = |row: usize| validity.as_ref().is_some_and(|bits| !bits.get(row));
    match (form, is_plain(ty)) {
        (TEXT_FORM, _) => {
            let mut column = Column::with_capacity(ty.physical, rows);
            decode_var_len(bytes, rows, |row, value| {
                if is_null(row) {
                    column.push(&Datum::Null);
                } else {
                    column.push(&input(ty, text(value)?)?);
                }
                Ok(())
            })?;
            Ok(column)
        }
        (CONSTANT_FORM, _) => {
            let length = bytes.u32()? as usize;
            let value = input(ty, text(bytes.take(length)?)?)?;
            if validity.is_none() {
                return Ok(Column::repeat(ty.physical, &value, rows));
            }
            let mut column = Column::with_capacity(ty.physical, rows);
            (0..rows).for_each(|row| column.push(if is_null(row) { &Datum::Null } else { &value }));
            Ok(column)
        }
        (DECIMAL_FORM, _) if ty.oid == Oid::NUMERIC => decimal::decode(bytes, rows, ty, validity),
        (LIST_FORM, _) => arrays::decode(bytes, &is_null, rows, ty, input),
        (DOCUMENT_FORM, _) if ty.oid == Oid::JSONB => documents::decode(bytes, &is_null, rows, ty),
        (form, true) => decode_plain(bytes, rows, form, ty.physical, validity),
        _ => Err(bad("a column has the form of another type")),
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad("a text is not UTF-8"))?;
    if text.contains('\0') { Err(bad("a text holds a zero byte")) } else { Ok(text) }
}

fn decode_nulls(bytes: &mut Bytes, rows: usize) -> Result<Option<Bitmap>> {
    match bytes.take(1)?[0] {
        0 => Ok(None),
        1 => {
            let bits = bytes.take(rows.div_ceil(8))?;
            let mut validity = Bitmap::default();
            (0..rows).for_each(|row| validity.push(bits[row / 8] >> (row % 8) & 1 == 1));
            Ok(Some(validity))
        }
        _ => Err(bad("a column says neither that it has NULLs nor that it has none")),
    }
}

fn decode_var_len<'a>(bytes: &mut Bytes<'a>, rows: usize, mut value: impl FnMut(usize, &'a [u8]) -> Result<()>) -> Result<()> {
    let lengths = bytes.take(rows.checked_mul(4).ok_or_else(|| bad("it has too many rows"))?)?;
    for (row, length) in lengths.chunks_exact(4).enumerate() {
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        value(row, bytes.take(length as usize)?)?;
    }
    Ok(())
}

fn decode_fixed<T: FixedType, const WIDTH: usize>(
    bytes: &mut Bytes,
    rows: usize,
    form: u8,
    validity: Option<Bitmap>,
    value: impl Fn([u8; WIDTH]) -> Option<T>,
) -> Result<Column> {
    if usize::from(form) != WIDTH {
        return Err(bad("a column has the form of another type"));
    }
    let raw = bytes.take(rows.checked_mul(WIDTH).ok_or_else(|| bad("it has too many rows"))?)?;
    let values: Option<Vec<T>> = raw.chunks_exact(WIDTH).map(|chunk| value(chunk.try_into().ok()?)).collect();
    Ok(T::column(values.ok_or_else(|| bad("a value is out of its type's range"))?, validity))
}

fn decode_plain(bytes: &mut Bytes, rows: usize, form: u8, physical: Physical, validity: Option<Bitmap>) -> Result<Column> {
    let is_null = |row: usize| validity.as_ref().is_some_and(|bits| !bits.get(row));
    match physical {
        Physical::Bool => decode_fixed(bytes, rows, form, validity, |[byte]| (byte < 2).then_some(byte == 1)),
        Physical::Int2 => decode_fixed(bytes, rows, form, validity, |raw| Some(i16::from_le_bytes(raw))),
        Physical::Int4 => decode_fixed(bytes, rows, form, validity, |raw| Some(i32::from_le_bytes(raw))),
        Physical::Int8 => decode_fixed(bytes, rows, form, validity, |raw| Some(i64::from_le_bytes(raw))),
        Physical::Float4 => decode_fixed(bytes, rows, form, validity, |raw| Some(f32::from_le_bytes(raw))),
        Physical::Float8 => decode_fixed(bytes, rows, form, validity, |raw| Some(f64::from_le_bytes(raw))),
        Physical::Oid => decode_fixed(bytes, rows, form, validity, |raw| Some(Oid(u32::from_le_bytes(raw)))),
        Physical::Uuid => decode_fixed(bytes, rows, form, validity, |raw: [u8; 16]| Some(raw)),
        Physical::Date => decode_fixed(bytes, rows, form, validity, |raw| date(i32::from_le_bytes(raw))),
        Physical::Timestamp => decode_fixed(bytes, rows, form, validity, |raw| {
            let raw = i64::from_le_bytes(raw);
            if matches!(raw, i64::MIN | i64::MAX) { Some(Timestamp(raw)) } else { Timestamp::from_microseconds(raw) }
        }),
        Physical::TimestampTz => decode_fixed(bytes, rows, form, validity, |raw| {
            let raw = i64::from_le_bytes(raw);
            if matches!(raw, i64::MIN | i64::MAX) { Some(TimestampTz(raw)) } else { TimestampTz::from_microseconds(raw) }
        }),
        Physical::Text | Physical::Bytes if form == VAR_LEN => {
            let mut column = Column::with_capacity(physical, rows);
            decode_var_len(bytes, rows, |row, value| {
                match physical {
                    _ if is_null(row) => column.push(&Datum::Null),
                    Physical::Text => column.push_text(text(value)?),
                    _ => column.push_bytes(value),
                }
                Ok(())
            })?;
            Ok(column)
        }
        _ => Err(bad("a column has the form of another type")),
    }
}

fn date(raw: i32) -> Option<Date> {
    if matches!(raw, i32::MIN | i32::MAX) { Some(Date(raw)) } else { Date::from_days(i64::from(raw)) }
}

/// What is left of a batch.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| bad("it is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| bad("it is cut short"))?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn list(elements: Vec<Datum>) -> Datum {
        Datum::Array(Arc::new(types::Array::one_dimensional(SqlType::TEXT, elements)))
    }

    fn document(number: &str) -> Datum {
        let number = types::Jsonb::Number(types::Numeric::parse(number).unwrap());
        let inner = types::Jsonb::Array(vec![number, types::Jsonb::Null, types::Jsonb::Bool(true)].into());
        Datum::Jsonb(Arc::new(types::Jsonb::object(vec![("ä".into(), inner), ("k".into(), types::Jsonb::String("s".into()))])))
    }

    fn batch() -> (Vec<Arc<Column>>, Vec<SqlType>) {
        let ints = [Datum::Int4(1), Datum::Null, Datum::Int4(i32::MIN)];
        let texts = [Datum::Text("ä".into()), Datum::Text("".into()), Datum::Null];
        let numerics = [
            Datum::Numeric(types::Numeric::from_parts(-12345, 2)),
            Datum::Null,
            Datum::Numeric(types::Numeric::from_parts(100, 2)),
        ];
        let lists = [list(vec![Datum::Text("a,b".into()), Datum::Null]), list(Vec::new()), Datum::Null];
        let documents = [document("0.00000000000000000000001"), document("-1.50"), Datum::Null];
        let columns = vec![
            Arc::new(Column::from_datums(Physical::Int4, &ints)),
            Arc::new(Column::from_datums(Physical::Text, &texts)),
            Arc::new(Column::from_datums(Physical::Text, &texts)),
            Arc::new(Column::from_datums(Physical::Numeric, &numerics)),
            Arc::new(Column::from_datums(Physical::Any, &lists)),
            Arc::new(Column::from_datums(Physical::Any, &documents)),
        ];
        let varchar = SqlType { typmod: 14, ..SqlType::VARCHAR };
        let numeric = SqlType { typmod: ((5 << 16) | 2) + 4, ..SqlType::of(Oid::NUMERIC) };
        (columns, vec![SqlType::INT4, SqlType::TEXT, varchar, numeric, SqlType::of(Oid(1009)), SqlType::of(Oid::JSONB)])
    }

    fn encoded() -> Vec<u8> {
        let (columns, types) = batch();
        let mut out = Vec::new();
        encode(
            &columns,
            3,
            &types,
            |_, datum, text| {
                if let Datum::Text(value) = datum {
                    text.push_str(value)
                }
            },
            &mut out,
        );
        out
    }

    #[test]
    fn a_value_that_all_rows_have_is_written_once() {
        let mut texts = vec![Datum::Text("the same".into()); 100];
        texts[0] = Datum::Null;
        let column = Arc::new(Column::from_datums(Physical::Text, &texts));
        for ty in [SqlType::TEXT, SqlType { typmod: 24, ..SqlType::VARCHAR }] {
            let mut out = Vec::new();
            let print = |_: SqlType, datum: &Datum, text: &mut String| {
                if let Datum::Text(value) = datum {
                    text.push_str(value)
                }
            };
            encode(std::slice::from_ref(&column), 100, &[ty], print, &mut out);
            assert!(out.len() < 50, "{}", out.len());
            let (rows, back) = decode(next_batch(&out).unwrap(), &[ty], |_, text| Ok(Datum::Text(text.into()))).unwrap();
            assert_eq!(rows, 100);
            (0..100).for_each(|row| assert_eq!(format!("{:?}", back[0].datum(row)), format!("{:?}", texts[row])));
        }
    }

    fn forms(batch: &[u8], types: &[SqlType]) -> Vec<u8> {
        let mut bytes = Bytes(&batch[6..]);
        let mut input = |_: SqlType, text: &str| Ok(Datum::Text(text.into()));
        types
            .iter()
            .map(|ty| {
                let form = bytes.0[0];
                decode_column(&mut bytes, 3, *ty, &mut input).unwrap();
                form
            })
            .collect()
    }

    #[test]
    fn what_has_no_form_of_its_own_is_text() {
        let nan = [Datum::Numeric(types::Numeric::NAN), Datum::Numeric(types::Numeric::ONE)];
        let scales = [Datum::Numeric(types::Numeric::from_parts(10, 1)), Datum::Numeric(types::Numeric::ONE)];
        let bounds = types::array::Dimension { length: 1, lower_bound: 0 };
        let from_zero =
            types::Array { element_type: SqlType::TEXT, dimensions: vec![bounds], elements: vec![Datum::Text("x".into())] };
        let from_zero = [Datum::Array(Arc::new(from_zero)), Datum::Null];
        let deep = (0..70).fold(types::Jsonb::Null, |inner, _| types::Jsonb::Array(vec![inner].into()));
        let deep = [Datum::Jsonb(Arc::new(deep)), Datum::Null];
        for (physical, oid, values) in [
            (Physical::Numeric, Oid::NUMERIC, nan),
            (Physical::Numeric, Oid::NUMERIC, scales),
            (Physical::Any, Oid(1009), from_zero),
            (Physical::Any, Oid::JSONB, deep),
        ] {
            let mut out = Vec::new();
            let mut print = |_: SqlType, _: &Datum, text: &mut String| text.push('x');
            encode_column(&Column::from_datums(physical, &values), 2, SqlType::of(oid), &mut print, &mut out);
            assert_eq!(out[0], TEXT_FORM);
        }
    }

    #[test]
    fn a_batch_comes_back() {
        let (columns, types) = batch();
        let stream = encoded();
        let body = next_batch(&stream).unwrap();
        assert_eq!(body.len() + 4, stream.len());
        let (rows, back) = decode(body, &types, |_, text| Ok(Datum::Text(text.into()))).unwrap();
        assert_eq!(rows, 3);
        assert_eq!(forms(body, &types), [4, VAR_LEN, TEXT_FORM, DECIMAL_FORM, LIST_FORM, DOCUMENT_FORM]);
        for (column, back) in columns.iter().zip(&back) {
            for row in 0..3 {
                assert_eq!(format!("{:?}", column.datum(row)), format!("{:?}", back.datum(row)));
            }
        }
    }

    #[test]
    fn no_prefix_and_no_other_byte_panics() {
        let (_, types) = batch();
        let stream = encoded();
        let body = &stream[4..];
        let from_text = |_: SqlType, text: &str| Ok(Datum::Text(text.into()));
        for end in 0..body.len() {
            assert!(decode(&body[..end], &types, from_text).is_err());
        }
        for at in 0..body.len() {
            for flip in [1_u8, 0x80, 0xff] {
                let mut other = body.to_vec();
                other[at] ^= flip;
                drop(decode(&other, &types, from_text));
            }
        }
    }
}
