//! Variance and standard deviation: exact for integers and numerics, by the Youngs-Cramer recurrence for floats, as in PostgreSQL.

use std::sync::Arc;

use storage::Column;
use types::{
    Datum, Numeric, Physical, Result,
    numeric::{self, NumericSum},
};

use super::{Accumulator, present_rows, results};
use crate::{EvalContext, Vector, functions::float, functions::lift};

/// Which of the six functions.
#[derive(Clone, Copy)]
struct Kind {
    sample: bool,
    root: bool,
}

pub(super) fn variance(name: &str, argument: Physical) -> Option<Box<dyn Accumulator>> {
    let kind = Kind { sample: !name.ends_with("_pop"), root: name.starts_with("stddev") };
    Some(match argument {
        Physical::Int2 | Physical::Int4 | Physical::Int8 | Physical::Numeric => Box::new(Exact { states: Vec::new(), kind }),
        Physical::Float4 | Physical::Float8 => Box::new(Floating { states: Vec::new(), kind }),
        _ => return None,
    })
}

#[derive(Clone, Default)]
struct Sums {
    values: NumericSum,
    squares: NumericSum,
}

struct Exact {
    states: Vec<Sums>,
    kind: Kind,
}

impl Accumulator for Exact {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, Sums::default());
        for row in present_rows(&arguments[0], groups.len()) {
            let value = match arguments[0].datum(row) {
                Datum::Int2(value) => Numeric::from(value as i64),
                Datum::Int4(value) => Numeric::from(value as i64),
                Datum::Int8(value) => Numeric::from(value),
                Datum::Numeric(value) => value,
                _ => continue,
            };
            let state = &mut self.states[groups[row] as usize];
            state.values.add(&value);
            state.squares.add(&value.mul(&value)?);
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), Sums::default());
        let kind = self.kind;
        let result = |state: &Sums| {
            let variance = numeric::variance(&state.values, &state.squares, kind.sample, kind.root).transpose()?;
            Ok(variance.map_or(Datum::Null, Datum::Numeric))
        };
        results(Physical::Numeric, self.states[..group_count].iter().map(result))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * size_of::<Sums>()
    }
}

/// Count, sum, and sum of squared differences from the mean.
#[derive(Clone, Copy, Default)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) -> Result<()> {
        let before = *self;
        self.count += 1.0;
        self.sum += value;
        if before.count > 0.0 {
            let difference = value * self.count - self.sum;
            self.squares += difference * difference / (self.count * before.count);
            if self.sum.is_infinite() || self.squares.is_infinite() {
                if !before.sum.is_infinite() && !value.is_infinite() {
                    return Err(float::overflow());
                }
                self.squares = f64::NAN;
            }
        } else if value.is_nan() || value.is_infinite() {
            self.squares = f64::NAN;
        }
        Ok(())
    }
}

struct Floating {
    states: Vec<Moments>,
    kind: Kind,
}

impl Accumulator for Floating {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, Moments::default());
        for row in present_rows(&arguments[0], groups.len()) {
            let value = match &arguments[0] {
                Vector::Column(column) if column.physical() == Physical::Float4 => lift::read::<f32>(&arguments[0], row) as f64,
                Vector::Constant(Datum::Float4(value)) => *value as f64,
                _ => lift::read::<f64>(&arguments[0], row),
            };
            self.states[groups[row] as usize].add(value)?;
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), Moments::default());
        let kind = self.kind;
        let result = |state: &Moments| {
            let divisor = if kind.sample { state.count - 1.0 } else { state.count };
            if divisor <= 0.0 {
                return Ok(Datum::Null);
            }
            let variance = state.squares / divisor;
            Ok(Datum::Float8(if kind.root { variance.sqrt() } else { variance }))
        };
        results(Physical::Float8, self.states[..group_count].iter().map(result))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * size_of::<Moments>()
    }
}
