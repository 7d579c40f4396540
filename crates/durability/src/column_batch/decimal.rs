//! Numerics of one scale as whole numbers (form 103).

use storage::{Bitmap, FixedType};
use types::{Numeric, Result, SqlType};

use super::{Bytes, Column, bad};

/// The scale of all values that are not NULL, when each is a whole number of 64 bits at it.
pub(super) fn common_scale(column: &Column, rows: usize) -> Option<u16> {
    let values = Numeric::values(column);
    let mut parts = (0..rows).filter(|&row| !column.is_null(row)).map(|row| values[row].small_parts());
    let (_, scale) = parts.next()??;
    parts.all(|part| part.is_some_and(|(_, other)| other == scale)).then_some(scale)
}

/// `scale u16`, then 8 bytes a row.
pub(super) fn encode(column: &Column, rows: usize, scale: u16, out: &mut Vec<u8>) {
    out.reserve(2 + 8 * rows);
    out.extend_from_slice(&scale.to_le_bytes());
    for (row, value) in Numeric::values(column)[..rows].iter().enumerate() {
        let mantissa = if column.is_null(row) { 0 } else { value.small_parts().map_or(0, |(mantissa, _)| mantissa) };
        out.extend_from_slice(&mantissa.to_le_bytes());
    }
}

pub(super) fn decode(bytes: &mut Bytes, rows: usize, ty: SqlType, validity: Option<Bitmap>) -> Result<Column> {
    let scale = bytes.take(2)?;
    let scale = u16::from_le_bytes([scale[0], scale[1]]);
    let raw = bytes.take(rows.checked_mul(8).ok_or_else(|| bad("it has too many rows"))?)?;
    let mut values = Vec::with_capacity(rows);
    for chunk in raw.chunks_exact(8) {
        let mantissa = i64::from_le_bytes(chunk.try_into().map_err(|_| bad("it is cut short"))?);
        let value = Numeric::from_parts(mantissa, scale);
        // A scale that numerics do not have so small would change the value.
        if value.small_parts() != Some((mantissa, scale)) || !fits(mantissa, scale, ty.typmod) {
            return Err(bad("a value is out of its type's range"));
        }
        values.push(value);
    }
    Ok(Numeric::column(values, validity))
}

/// Whether the modifier, `numeric(precision, scale)`, leaves the value as it is.
fn fits(mantissa: i64, scale: u16, typmod: i32) -> bool {
    if typmod < 0 {
        return true;
    }
    let modifier = typmod - 4;
    let (precision, wanted) = ((modifier >> 16) & 0xFFFF, ((modifier & 0x7FF) ^ 1024) - 1024);
    let limit = u32::try_from(precision).ok().and_then(|precision| 10_u64.checked_pow(precision));
    i32::from(scale) == wanted && limit.is_none_or(|limit| mantissa.unsigned_abs() < limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modifier_bounds_what_is_read() {
        let typmod = |precision: i32, scale: i32| ((precision << 16) | (scale & 0x7FF)) + 4;
        assert!(fits(12345, 2, -1));
        assert!(fits(12345, 2, typmod(5, 2)));
        assert!(!fits(123_456, 2, typmod(5, 2)));
        assert!(!fits(123, 1, typmod(5, 2)));
        assert!(fits(i64::MIN, 2, typmod(30, 2)));
    }
}
