//! bool_and, bool_or, bit_and, bit_or and bit_xor.

use std::sync::Arc;

use storage::Column;
use types::{BitString, Datum, Error, Physical, Result, SqlState, SqlType};

use super::{Accumulator, present_rows, results};
use crate::{EvalContext, Vector};

/// How two values become one.
type Combine = fn(&Datum, &Datum) -> Result<Datum>;

struct Combined {
    states: Vec<Datum>,
    combine: Combine,
    physical: Physical,
}

pub(super) fn booleans(or: bool) -> Box<dyn Accumulator> {
    let combine: Combine = if or {
        |a, b| Ok(Datum::Bool(matches!(a, Datum::Bool(true)) || matches!(b, Datum::Bool(true))))
    } else {
        |a, b| Ok(Datum::Bool(matches!(a, Datum::Bool(true)) && matches!(b, Datum::Bool(true))))
    };
    Box::new(Combined { states: Vec::new(), combine, physical: Physical::Bool })
}

pub(super) fn bits(name: &str, ty: SqlType) -> Option<Box<dyn Accumulator>> {
    let combine: Combine = match name {
        "bit_and" => |a, b| combine(a, b, |a, b| a & b, "AND"),
        "bit_or" => |a, b| combine(a, b, |a, b| a | b, "OR"),
        _ => |a, b| combine(a, b, |a, b| a ^ b, "XOR"),
    };
    Some(Box::new(Combined { states: Vec::new(), combine, physical: ty.physical }))
}

fn combine(a: &Datum, b: &Datum, operator: fn(i64, i64) -> i64, name: &str) -> Result<Datum> {
    Ok(match (a, b) {
        (Datum::Int2(a), Datum::Int2(b)) => Datum::Int2(operator(*a as i64, *b as i64) as i16),
        (Datum::Int4(a), Datum::Int4(b)) => Datum::Int4(operator(*a as i64, *b as i64) as i32),
        (Datum::Int8(a), Datum::Int8(b)) => Datum::Int8(operator(*a, *b)),
        (Datum::Bit(a), Datum::Bit(b)) => {
            if a.len() != b.len() {
                let message = format!("cannot {name} bit strings of different sizes");
                return Err(Error::new(SqlState::STRING_DATA_LENGTH_MISMATCH, message));
            }
            let bytes: Vec<u8> = a.bytes().iter().zip(b.bytes()).map(|(a, b)| operator(*a as i64, *b as i64) as u8).collect();
            Datum::Bit(Arc::new(BitString::new(a.len() as u32, &bytes)))
        }
        _ => return Err(Error::unsupported(format_args!("bit aggregation of {a:?}"))),
    })
}

impl Accumulator for Combined {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, Datum::Null);
        for row in present_rows(&arguments[0], groups.len()) {
            let state = &mut self.states[groups[row] as usize];
            let value = arguments[0].datum(row);
            *state = if state.is_null() { value } else { (self.combine)(state, &value)? };
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), Datum::Null);
        results(self.physical, self.states[..group_count].iter().map(|state| Ok(state.clone())))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * 24
    }
}
