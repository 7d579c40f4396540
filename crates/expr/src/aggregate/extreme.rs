//! min() and max() of every ordered type.

use std::sync::Arc;

use storage::{Bitmap, Column, FixedType};
use types::{
    Date, Datum, Oid, Physical, Result, SqlType, Timestamp, TimestampTz,
    datum_order::{compare_f32, compare_f64},
};

use super::{Accumulator, present_rows, results};
use crate::{EvalContext, Vector, functions::compare::compare_datums};

pub(super) fn extreme(ty: Option<SqlType>, greatest: bool) -> Option<Box<dyn Accumulator>> {
    let ty = ty?;
    Some(match ty.physical {
        Physical::Int2 => Box::new(Plain::<i16>::new(greatest)),
        Physical::Int4 => Box::new(Plain::<i32>::new(greatest)),
        Physical::Int8 => Box::new(Plain::<i64>::new(greatest)),
        Physical::Float4 => Box::new(Plain::<f32>::new(greatest)),
        Physical::Float8 => Box::new(Plain::<f64>::new(greatest)),
        Physical::Oid => Box::new(Plain::<Oid>::new(greatest)),
        Physical::Date => Box::new(Plain::<Date>::new(greatest)),
        Physical::Timestamp => Box::new(Plain::<Timestamp>::new(greatest)),
        Physical::TimestampTz => Box::new(Plain::<TimestampTz>::new(greatest)),
        _ => Box::new(General { states: Vec::new(), greatest, ty }),
    })
}

/// Values that compare by themselves.
trait Ordered: FixedType + Copy {
    fn exceeds(self, other: Self) -> bool;
}

macro_rules! ordered {
    ($($ty:ty),*) => {
        $(impl Ordered for $ty {
            fn exceeds(self, other: $ty) -> bool {
                self > other
            }
        })*
    };
}

ordered!(i16, i32, i64, Oid, Date, Timestamp, TimestampTz);

impl Ordered for f32 {
    fn exceeds(self, other: f32) -> bool {
        compare_f32(self, other).is_gt()
    }
}

impl Ordered for f64 {
    fn exceeds(self, other: f64) -> bool {
        compare_f64(self, other).is_gt()
    }
}

/// Of two equal values, such as 0 and -0, the later.
fn greater<T: Ordered>(best: T, value: T) -> T {
    if best.exceeds(value) { best } else { value }
}

fn lesser<T: Ordered>(best: T, value: T) -> T {
    if value.exceeds(best) { best } else { value }
}

/// Of values that compare by themselves.
struct Plain<T> {
    states: Vec<Option<T>>,
    greatest: bool,
}

impl<T: Ordered> Plain<T> {
    fn new(greatest: bool) -> Plain<T> {
        Plain { states: Vec::new(), greatest }
    }

    fn add(&mut self, group: u32, value: T) {
        let state = &mut self.states[group as usize];
        *state = Some(match *state {
            None => value,
            Some(best) if self.greatest => greater(best, value),
            Some(best) => lesser(best, value),
        });
    }
}

impl<T: Ordered> Accumulator for Plain<T> {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, None);
        match &arguments[0] {
            Vector::Constant(datum) => {
                if let Some(value) = T::from_datum(datum) {
                    groups.iter().for_each(|&group| self.add(group, value));
                }
            }
            Vector::Column(column) => {
                let values = T::values(column);
                match column.validity() {
                    None if group_count == 1 => {
                        let values = values.iter().copied();
                        let best = if self.greatest { values.reduce(greater) } else { values.reduce(lesser) };
                        if let Some(best) = best {
                            self.add(0, best);
                        }
                    }
                    None => groups.iter().zip(values).for_each(|(&group, &value)| self.add(group, value)),
                    Some(valid) => valid.ones().for_each(|row| self.add(groups[row], values[row])),
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), None);
        let states = &self.states[..group_count];
        let mut valid = Bitmap::default();
        states.iter().for_each(|state| valid.push(state.is_some()));
        let values = states.iter().map(|state| state.unwrap_or_default()).collect();
        Ok(Arc::new(T::column(values, (!valid.all_set()).then_some(valid))))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * size_of::<Option<T>>()
    }
}

/// Of values that compare as datums.
struct General {
    states: Vec<Datum>,
    greatest: bool,
    ty: SqlType,
}

impl Accumulator for General {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, Datum::Null);
        for row in present_rows(&arguments[0], groups.len()) {
            let value = arguments[0].datum(row);
            let state = &mut self.states[groups[row] as usize];
            let order = compare_datums(&value, state, self.ty.oid);
            if state.is_null() || (if self.greatest { order.is_gt() } else { order.is_lt() }) {
                *state = value;
            }
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), Datum::Null);
        results(self.ty.physical, self.states[..group_count].iter().map(|state| Ok(state.clone())))
    }

    fn heap_size(&self) -> usize {
        self.states.iter().map(|state| 24 + state.heap_size()).sum()
    }
}

/// The first value that is not NULL.
pub(super) struct First {
    states: Vec<Datum>,
    ty: SqlType,
}

impl First {
    pub(super) fn new(ty: SqlType) -> First {
        First { states: Vec::new(), ty }
    }
}

impl Accumulator for First {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, Datum::Null);
        for row in present_rows(&arguments[0], groups.len()) {
            let state = &mut self.states[groups[row] as usize];
            if state.is_null() {
                *state = arguments[0].datum(row);
            }
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), Datum::Null);
        results(self.ty.physical, self.states[..group_count].iter().map(|state| Ok(state.clone())))
    }

    fn heap_size(&self) -> usize {
        self.states.iter().map(|state| 24 + state.heap_size()).sum()
    }
}
