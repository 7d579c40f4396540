//! Lists - arrays of one dimension, counted from 1 - as their lengths and a column of all their elements (form 104).

use storage::{Column, column::ColumnData};
use types::{Array, Datum, Oid, Result, SqlType};

use super::{Bytes, Input, MAX_ROWS, Print, bad, decode_column, encode_column};

/// The element type of the array types that can have the form.
fn element_of(ty: SqlType) -> Option<SqlType> {
    let element = match ty.oid.0 {
        1000 => Oid::BOOL,
        1001 => Oid::BYTEA,
        1005 => Oid::INT2,
        1007 => Oid::INT4,
        1016 => Oid::INT8,
        1009 => Oid::TEXT,
        1015 => Oid::VARCHAR,
        1021 => Oid::FLOAT4,
        1022 => Oid::FLOAT8,
        1115 => Oid::TIMESTAMP,
        1182 => Oid::DATE,
        1185 => Oid::TIMESTAMPTZ,
        1231 => Oid::NUMERIC,
        2951 => Oid::UUID,
        _ => return None,
    };
    (ty.typmod == -1).then(|| SqlType::of(element))
}

/// `length u32` a row (0 for a NULL), then the elements as a column; false, and nothing written, when it cannot be done.
pub(super) fn encode(column: &Column, rows: usize, ty: SqlType, print: Print, out: &mut Vec<u8>) -> bool {
    let (Some(element), ColumnData::Any(values)) = (element_of(ty), column.data()) else { return false };
    let mut elements = Column::new(element.physical);
    let mut lengths = Vec::with_capacity(4 * rows);
    for (row, value) in values[..rows].iter().enumerate() {
        if column.is_null(row) {
            lengths.extend_from_slice(&[0; 4]);
            continue;
        }
        let Datum::Array(array) = value else { return false };
        let is_list = match &array.dimensions[..] {
            [] => array.elements.is_empty(),
            [only] => only.lower_bound == 1,
            _ => false,
        };
        if !is_list || array.element_type != element || elements.len() + array.elements.len() > MAX_ROWS {
            return false;
        }
        lengths.extend_from_slice(&(array.elements.len() as u32).to_le_bytes());
        array.elements.iter().for_each(|value| elements.push(value));
    }
    out.extend_from_slice(&lengths);
    encode_column(&elements, elements.len(), element, print, out);
    true
}

pub(super) fn decode(
    bytes: &mut Bytes,
    is_null: &dyn Fn(usize) -> bool,
    rows: usize,
    ty: SqlType,
    input: Input,
) -> Result<Column> {
    let element = element_of(ty).ok_or_else(|| bad("a column has the form of another type"))?;
    let lengths = bytes.take(rows.checked_mul(4).ok_or_else(|| bad("it has too many rows"))?)?;
    let lengths: Vec<usize> =
        lengths.chunks_exact(4).map(|length| u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize).collect();
    let total = lengths.iter().try_fold(0_usize, |total, length| total.checked_add(*length).filter(|total| *total <= MAX_ROWS));
    let total = total.ok_or_else(|| bad("its arrays are too long"))?;
    let elements = decode_column(bytes, total, element, input)?;
    let mut column = Column::with_capacity(ty.physical, rows);
    let mut start = 0;
    for (row, length) in lengths.into_iter().enumerate() {
        let end = start + length;
        if is_null(row) {
            column.push(&Datum::Null);
        } else {
            let values = (start..end).map(|at| elements.datum(at)).collect();
            column.push(&Datum::Array(std::sync::Arc::new(Array::one_dimensional(element, values))));
        }
        start = end;
    }
    Ok(column)
}
