//! Aggregates that apply a binary function of the library to the state and each value: sums of intervals and of money.

use std::sync::Arc;

use catalog::builtin::{BuiltinFunction, builtins};
use storage::Column;
use types::{Datum, Error, Result, SqlType};

use super::{Accumulator, present_rows, results};
use crate::{
    EvalContext, Vector,
    functions::{self, CallSite},
};

pub(super) struct Fold {
    transition: &'static str,
    /// Applied to the state and the count at the end.
    division: Option<&'static str>,
    states: Vec<(Datum, i64)>,
    ty: SqlType,
}

impl Fold {
    pub(super) fn new(transition: &'static str, ty: SqlType) -> Fold {
        Fold { transition, division: None, states: Vec::new(), ty }
    }

    pub(super) fn average(transition: &'static str, division: &'static str, ty: SqlType) -> Fold {
        Fold { transition, division: Some(division), states: Vec::new(), ty }
    }

    fn call(&self, source: &'static str, left: Datum, right: Datum, context: &EvalContext) -> Result<Datum> {
        let function: &'static BuiltinFunction = builtins()
            .functions
            .iter()
            .find(|function| function.source == source)
            .ok_or_else(|| Error::internal(format!("no function {source}")))?;
        let Some(implementation) = functions::lookup(source) else { return Err(functions::not_implemented(function)) };
        let argument_types = function.argument_types.iter().map(|oid| SqlType::of(*oid)).collect();
        let site = CallSite { function, ty: self.ty, argument_types, collation: types::Oid::INVALID };
        let arguments = [Vector::Constant(left), Vector::Constant(right)];
        Ok(implementation.call(&arguments, 1, &site, context)?.datum(0))
    }
}

impl Accumulator for Fold {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, (Datum::Null, 0));
        for row in present_rows(&arguments[0], groups.len()) {
            let group = groups[row] as usize;
            let value = arguments[0].datum(row);
            let next = match std::mem::take(&mut self.states[group].0) {
                Datum::Null => value,
                state => self.call(self.transition, state, value, context)?,
            };
            self.states[group] = (next, self.states[group].1 + 1);
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), (Datum::Null, 0));
        results(
            self.ty.physical,
            self.states[..group_count].iter().map(|(state, count)| match self.division {
                Some(division) if !state.is_null() => self.call(division, state.clone(), Datum::Float8(*count as f64), context),
                _ => Ok(state.clone()),
            }),
        )
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * 32
    }
}
