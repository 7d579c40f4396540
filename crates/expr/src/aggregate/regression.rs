//! corr, covar_* and regr_*: statistics of pairs (y, x), by PostgreSQL's recurrence.

use std::sync::Arc;

use storage::Column;
use types::{Datum, Result, SqlType};

use super::{Accumulator, results};
use crate::{EvalContext, Vector, functions::float};

#[derive(Clone, Copy, Default)]
struct State {
    count: f64,
    sum_x: f64,
    sxx: f64,
    sum_y: f64,
    syy: f64,
    sxy: f64,
}

impl State {
    fn add(&mut self, y: f64, x: f64) -> Result<()> {
        let before = *self;
        self.count += 1.0;
        self.sum_x += x;
        self.sum_y += y;
        if before.count > 0.0 {
            let dx = x * self.count - self.sum_x;
            let dy = y * self.count - self.sum_y;
            let scale = 1.0 / (self.count * before.count);
            self.sxx += dx * dx * scale;
            self.syy += dy * dy * scale;
            self.sxy += dx * dy * scale;
            self.check(&before, y, x)?;
        } else {
            if x.is_nan() || x.is_infinite() {
                (self.sxx, self.sxy) = (f64::NAN, f64::NAN);
            }
            if y.is_nan() || y.is_infinite() {
                (self.syy, self.sxy) = (f64::NAN, f64::NAN);
            }
        }
        Ok(())
    }

    /// Overflow from finite values is an error; what comes of infinite ones is NaN.
    fn check(&mut self, before: &State, y: f64, x: f64) -> Result<()> {
        let finite_x = !before.sum_x.is_infinite() && !x.is_infinite();
        let finite_y = !before.sum_y.is_infinite() && !y.is_infinite();
        let overflow = ((self.sum_x.is_infinite() || self.sxx.is_infinite()) && finite_x)
            || ((self.sum_y.is_infinite() || self.syy.is_infinite()) && finite_y)
            || (self.sxy.is_infinite() && finite_x && finite_y);
        if overflow {
            return Err(float::overflow());
        }
        for sum in [&mut self.sxx, &mut self.syy, &mut self.sxy] {
            if sum.is_infinite() {
                *sum = f64::NAN;
            }
        }
        Ok(())
    }

    fn result(&self, name: &str) -> Option<f64> {
        if name == "covar_samp" {
            return (self.count >= 2.0).then(|| self.sxy / (self.count - 1.0));
        }
        if self.count < 1.0 {
            return None;
        }
        match name {
            "covar_pop" => Some(self.sxy / self.count),
            "regr_avgx" => Some(self.sum_x / self.count),
            "regr_avgy" => Some(self.sum_y / self.count),
            "regr_sxx" => Some(self.sxx),
            "regr_syy" => Some(self.syy),
            "regr_sxy" => Some(self.sxy),
            "corr" => (self.sxx != 0.0 && self.syy != 0.0).then(|| self.sxy / (self.sxx * self.syy).sqrt()),
            "regr_r2" if self.sxx == 0.0 => None,
            "regr_r2" if self.syy == 0.0 => Some(1.0),
            "regr_r2" => Some((self.sxy * self.sxy) / (self.sxx * self.syy)),
            "regr_slope" => (self.sxx != 0.0).then(|| self.sxy / self.sxx),
            _ => (self.sxx != 0.0).then(|| (self.sum_y - self.sum_x * self.sxy / self.sxx) / self.count),
        }
    }
}

struct Regression {
    name: &'static str,
    states: Vec<State>,
    ty: SqlType,
}

pub(super) fn regression(name: &'static str, ty: SqlType) -> Box<dyn Accumulator> {
    Box::new(Regression { name, states: Vec::new(), ty })
}

impl Accumulator for Regression {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], _context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, State::default());
        for (row, &group) in groups.iter().enumerate() {
            if let (Datum::Float8(y), Datum::Float8(x)) = (arguments[0].datum(row), arguments[1].datum(row)) {
                self.states[group as usize].add(y, x)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), State::default());
        let result = |state: &State| {
            Ok(if self.name == "regr_count" {
                Datum::Int8(state.count as i64)
            } else {
                state.result(self.name).map_or(Datum::Null, Datum::Float8)
            })
        };
        results(self.ty.physical, self.states[..group_count].iter().map(result))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }
}
