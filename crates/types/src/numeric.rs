//! Exact decimal numbers of any precision.

/// An exact decimal number with its display scale, or NaN or an infinity. 16 bytes.
#[derive(Clone, Debug, Default)]
pub struct Numeric(i64);

impl Numeric {
    pub fn heap_size(&self) -> usize {
        0
    }
}
impl From<i64> for Numeric {
    fn from(value: i64) -> Numeric {
        Numeric(value)
    }
}
