//! sum() and avg(). Integers are summed in 128 bits and checked at the end, numerics exactly, floats as PostgreSQL adds them.

use std::sync::Arc;

use storage::{Column, FixedType};
use types::{Datum, Error, Numeric, Physical, Result, SqlState, SqlType, numeric::NumericSum};

use super::{Accumulator, fold, present_rows, results};
use crate::{EvalContext, Vector, functions::float, functions::lift};

pub(super) fn sum(argument: Physical, ty: SqlType) -> Option<Box<dyn Accumulator>> {
    Some(match argument {
        Physical::Int2 => Box::new(Integers::<i16>::new(IntegerResult::Bigint)),
        Physical::Int4 => Box::new(Integers::<i32>::new(IntegerResult::Bigint)),
        Physical::Int8 if ty.physical == Physical::Numeric => Box::new(Integers::<i64>::new(IntegerResult::Numeric)),
        Physical::Int8 => Box::new(fold::Fold::new("cash_pl", ty)),
        Physical::Float4 => Box::new(Floats::<f32>::new(false)),
        Physical::Float8 => Box::new(Floats::<f64>::new(false)),
        Physical::Numeric => Box::new(Numerics { sums: Vec::new(), average: false }),
        Physical::Interval => Box::new(fold::Fold::new("interval_pl", ty)),
        Physical::Time => Box::new(fold::Fold::new("interval_pl", ty)),
        _ => return None,
    })
}

pub(super) fn average(argument: Physical, ty: SqlType) -> Option<Box<dyn Accumulator>> {
    Some(match argument {
        Physical::Int2 => Box::new(Integers::<i16>::new(IntegerResult::Average)),
        Physical::Int4 => Box::new(Integers::<i32>::new(IntegerResult::Average)),
        Physical::Int8 => Box::new(Integers::<i64>::new(IntegerResult::Average)),
        Physical::Float4 => Box::new(Floats::<f32>::new(true)),
        Physical::Float8 => Box::new(Floats::<f64>::new(true)),
        Physical::Numeric => Box::new(Numerics { sums: Vec::new(), average: true }),
        Physical::Interval => Box::new(fold::Fold::average("interval_pl", "interval_div", ty)),
        _ => return None,
    })
}

/// What the sum of integers becomes.
#[derive(Clone, Copy, PartialEq)]
enum IntegerResult {
    Bigint,
    Numeric,
    Average,
}

#[derive(Clone, Copy, Default)]
struct IntegerState {
    sum: i128,
    count: i64,
}

struct Integers<T> {
    states: Vec<IntegerState>,
    result: IntegerResult,
    of: std::marker::PhantomData<T>,
}

impl<T> Integers<T> {
    fn new(result: IntegerResult) -> Integers<T> {
        Integers { states: Vec::new(), result, of: std::marker::PhantomData }
    }

    fn result(&self, state: IntegerState) -> Result<Datum> {
        if state.count == 0 {
            return Ok(Datum::Null);
        }
        Ok(match self.result {
            IntegerResult::Bigint => Datum::Int8(
                i64::try_from(state.sum).map_err(|_| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))?,
            ),
            IntegerResult::Numeric => Datum::Numeric(Numeric::from(state.sum)),
            IntegerResult::Average => Datum::Numeric(Numeric::from(state.sum).div(&Numeric::from(state.count))?),
        })
    }
}

impl<T: FixedType + Copy + Into<i64>> Accumulator for Integers<T> {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, IntegerState::default());
        let column = match &arguments[0] {
            Vector::Constant(datum) => {
                let Some(value) = T::from_datum(datum) else { return Ok(()) };
                for &group in groups {
                    let state = &mut self.states[group as usize];
                    state.sum += value.into() as i128;
                    state.count += 1;
                }
                return Ok(());
            }
            Vector::Column(column) => column,
        };
        let values = T::values(column);
        match column.validity() {
            None if group_count == 1 => {
                // Each value is below 2^63, and a batch is far shorter than 2^64.
                self.states[0].sum += values.iter().map(|&value| value.into() as i128).sum::<i128>();
                self.states[0].count += values.len() as i64;
            }
            None => {
                for (&group, &value) in groups.iter().zip(values) {
                    let state = &mut self.states[group as usize];
                    state.sum += value.into() as i128;
                    state.count += 1;
                }
            }
            Some(valid) => {
                for row in valid.ones() {
                    let state = &mut self.states[groups[row] as usize];
                    state.sum += values[row].into() as i128;
                    state.count += 1;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), IntegerState::default());
        let physical = if self.result == IntegerResult::Bigint { Physical::Int8 } else { Physical::Numeric };
        results(physical, self.states[..group_count].iter().map(|state| self.result(*state)))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * size_of::<IntegerState>()
    }
}

#[derive(Clone, Copy, Default)]
struct FloatState {
    sum: f64,
    count: f64,
}

/// sum(real) adds in real, sum(double precision) in double; avg adds both in double.
struct Floats<T> {
    states: Vec<FloatState>,
    average: bool,
    of: std::marker::PhantomData<T>,
}

impl<T> Floats<T> {
    fn new(average: bool) -> Floats<T> {
        Floats { states: Vec::new(), average, of: std::marker::PhantomData }
    }
}

impl<T: FixedType + Copy + Into<f64>> Accumulator for Floats<T> {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, FloatState::default());
        let single = T::PHYSICAL == Physical::Float4 && !self.average;
        let constant = match &arguments[0] {
            Vector::Constant(datum) => T::from_datum(datum),
            Vector::Column(_) => None,
        };
        for row in present_rows(&arguments[0], groups.len()) {
            let value: f64 = match (&arguments[0], constant) {
                (Vector::Column(column), _) => T::values(column)[row].into(),
                (_, Some(value)) => value.into(),
                _ => continue,
            };
            let state = &mut self.states[groups[row] as usize];
            let sum = if state.count == 0.0 { value } else { state.sum + value };
            let sum = if single { sum as f32 as f64 } else { sum };
            if sum.is_infinite() && !state.sum.is_infinite() && !value.is_infinite() {
                return Err(float::overflow());
            }
            state.sum = sum;
            state.count += 1.0;
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), FloatState::default());
        let single = T::PHYSICAL == Physical::Float4 && !self.average;
        let result = |state: &FloatState| {
            Ok(if state.count == 0.0 {
                Datum::Null
            } else if self.average {
                Datum::Float8(state.sum / state.count)
            } else if single {
                Datum::Float4(state.sum as f32)
            } else {
                Datum::Float8(state.sum)
            })
        };
        let physical = if single { Physical::Float4 } else { Physical::Float8 };
        results(physical, self.states[..group_count].iter().map(result))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * size_of::<FloatState>()
    }
}

struct Numerics {
    sums: Vec<NumericSum>,
    average: bool,
}

impl Accumulator for Numerics {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.sums.resize(group_count, NumericSum::default());
        for row in present_rows(&arguments[0], groups.len()) {
            self.sums[groups[row] as usize].add(lift::read::<Numeric>(&arguments[0], row));
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.sums.resize(group_count.max(self.sums.len()), NumericSum::default());
        let average = self.average;
        let result = move |sum: &NumericSum| {
            Ok(match (sum.count(), average) {
                (0, _) => Datum::Null,
                (_, true) => sum.average().transpose()?.map_or(Datum::Null, Datum::Numeric),
                (_, false) => Datum::Numeric(sum.total()?),
            })
        };
        results(Physical::Numeric, self.sums[..group_count].iter().map(result))
    }

    fn heap_size(&self) -> usize {
        self.sums.capacity() * size_of::<NumericSum>()
    }
}
