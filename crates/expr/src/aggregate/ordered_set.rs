//! Ordered-set aggregates (mode, percentile_*) and hypothetical-set ones (rank, dense_rank, percent_rank, cume_dist).
//!
//! Their rows come in order; all of them are kept until the end.

use std::sync::Arc;

use storage::Column;
use types::{Array, Datum, Error, Interval, Physical, Result, SqlState, SqlType};

use super::{Accumulator, AggregateCall, collect::check_leap, results};
use crate::{EvalContext, SortKey, Vector, functions::compare::compare_datums};

#[derive(Clone, Default)]
struct State {
    /// One row of aggregated values each, in the order of WITHIN GROUP.
    rows: Vec<Vec<Datum>>,
    /// The direct arguments, of the group's first row.
    direct: Option<Vec<Datum>>,
}

struct OrderedSet {
    name: &'static str,
    arguments: usize,
    order: Vec<SortKey>,
    types: Vec<SqlType>,
    ty: SqlType,
    states: Vec<State>,
    held: usize,
}

pub(super) fn ordered_set(call: &AggregateCall, types: &[SqlType]) -> Box<dyn Accumulator> {
    Box::new(OrderedSet {
        name: call.function.name,
        arguments: call.arguments.len(),
        order: call.order_by.clone(),
        types: types.to_vec(),
        ty: call.ty,
        states: Vec::new(),
        held: 0,
    })
}

impl OrderedSet {
    fn is_hypothetical(&self) -> bool {
        matches!(self.name, "rank" | "dense_rank" | "percent_rank" | "cume_dist")
    }

    fn result(&self, state: &State) -> Result<Datum> {
        let direct = state.direct.as_deref().unwrap_or(&[]);
        if self.is_hypothetical() {
            return Ok(self.hypothetical(state, direct));
        }
        let values: Vec<&Datum> = state.rows.iter().filter_map(|row| row.first()).filter(|value| !value.is_null()).collect();
        if self.name == "mode" {
            return Ok(self.mode(&values));
        }
        match direct.first() {
            Some(Datum::Array(fractions)) if !values.is_empty() => {
                let elements =
                    fractions.elements.iter().map(|fraction| self.percentile(&values, fraction)).collect::<Result<_>>()?;
                let element_type = match self.name {
                    "percentile_disc" => self.types.first().copied().unwrap_or(SqlType::TEXT),
                    _ if matches!(values[0], Datum::Interval(_)) => SqlType::INTERVAL,
                    _ => SqlType::FLOAT8,
                };
                Ok(Datum::Array(Arc::new(Array { element_type, dimensions: fractions.dimensions.clone(), elements })))
            }
            Some(fraction) => self.percentile(&values, fraction),
            None => Ok(Datum::Null),
        }
    }

    fn mode(&self, values: &[&Datum]) -> Datum {
        let ty = self.types.first().map_or(types::Oid::INVALID, |ty| ty.oid);
        let (mut best, mut best_count) = (Datum::Null, 0);
        let mut start = 0;
        while start < values.len() {
            let run = values[start..].iter().take_while(|value| compare_datums(value, values[start], ty).is_eq()).count();
            if run > best_count {
                (best, best_count) = (values[start].clone(), run);
            }
            start += run.max(1);
        }
        best
    }

    fn percentile(&self, values: &[&Datum], fraction: &Datum) -> Result<Datum> {
        let Datum::Float8(fraction) = fraction else { return Ok(Datum::Null) };
        if !(0.0..=1.0).contains(fraction) {
            let message = format!("percentile value {fraction} is not between 0 and 1");
            return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
        }
        if values.is_empty() {
            return Ok(Datum::Null);
        }
        if self.name == "percentile_disc" {
            let at = (fraction * values.len() as f64).ceil() as usize;
            return Ok(values[at.max(1) - 1].clone());
        }
        let place = fraction * (values.len() - 1) as f64;
        let (lower, upper) = (values[place.floor() as usize], values[place.ceil() as usize]);
        Ok(interpolate(lower, upper, place - place.floor()))
    }

    /// Where the direct arguments would stand among the rows.
    fn hypothetical(&self, state: &State, direct: &[Datum]) -> Datum {
        let (mut before, mut equal, mut distinct_before) = (0_i64, 0_i64, 0_i64);
        let mut last: Option<&Vec<Datum>> = None;
        for row in &state.rows {
            match self.compare(row, direct) {
                std::cmp::Ordering::Less => {
                    before += 1;
                    if last.is_none_or(|last| self.compare(last, row).is_ne()) {
                        distinct_before += 1;
                    }
                    last = Some(row);
                }
                std::cmp::Ordering::Equal => equal += 1,
                std::cmp::Ordering::Greater => {}
            }
        }
        let rows = state.rows.len() as f64;
        match self.name {
            "rank" => Datum::Int8(before + 1),
            "dense_rank" => Datum::Int8(distinct_before + 1),
            "percent_rank" => Datum::Float8(if rows == 0.0 { 0.0 } else { before as f64 / rows }),
            _ => Datum::Float8((before + equal + 1) as f64 / (rows + 1.0)),
        }
    }

    fn compare(&self, left: &[Datum], right: &[Datum]) -> std::cmp::Ordering {
        for (at, (left, right)) in left.iter().zip(right).enumerate() {
            let (descending, nulls_first) = self.order.get(at).map_or((false, false), |key| (key.descending, key.nulls_first));
            let ty = self.types.get(at).map_or(types::Oid::INVALID, |ty| ty.oid);
            let order = match (left.is_null(), right.is_null()) {
                (true, true) => std::cmp::Ordering::Equal,
                (true, false) if nulls_first => std::cmp::Ordering::Less,
                (true, false) => std::cmp::Ordering::Greater,
                (false, true) if nulls_first => std::cmp::Ordering::Greater,
                (false, true) => std::cmp::Ordering::Less,
                (false, false) if descending => compare_datums(right, left, ty),
                (false, false) => compare_datums(left, right, ty),
            };
            if order.is_ne() {
                return order;
            }
        }
        std::cmp::Ordering::Equal
    }
}

fn interpolate(lower: &Datum, upper: &Datum, part: f64) -> Datum {
    match (lower, upper) {
        (Datum::Float8(lower), Datum::Float8(upper)) => {
            Datum::Float8(if part == 0.0 { *lower } else { lower + part * (upper - lower) })
        }
        (Datum::Interval(lower), Datum::Interval(upper)) => Datum::Interval(between(lower, upper, part)),
        _ => lower.clone(),
    }
}

/// lower + (upper - lower) * part, fractions of months and days spilling into the smaller unit.
fn between(lower: &Interval, upper: &Interval, part: f64) -> Interval {
    let months = (upper.months as f64 - lower.months as f64) * part;
    let days = (upper.days as f64 - lower.days as f64) * part + months.fract() * 30.0;
    let microseconds = (upper.microseconds as f64 - lower.microseconds as f64) * part + days.fract() * 86_400_000_000.0;
    Interval {
        months: lower.months.saturating_add(months.trunc() as i32),
        days: lower.days.saturating_add(days.trunc() as i32),
        microseconds: lower.microseconds.saturating_add(microseconds.round_ties_even() as i64),
    }
}

impl Accumulator for OrderedSet {
    fn update(&mut self, groups: &[u32], group_count: usize, arguments: &[Vector], context: &EvalContext) -> Result<()> {
        self.states.resize(group_count, State::default());
        let (aggregated, direct) = arguments.split_at(self.arguments.min(arguments.len()));
        for (row, &group) in groups.iter().enumerate() {
            let state = &mut self.states[group as usize];
            let values: Vec<Datum> = aggregated.iter().map(|vector| vector.datum(row)).collect();
            self.held += 112 + values.iter().map(|value| size_of::<Datum>() + value.heap_size()).sum::<usize>();
            check_leap(state.rows.capacity(), state.rows.len() + 1, size_of::<Vec<Datum>>(), context)?;
            state.rows.push(values);
            state.direct.get_or_insert_with(|| direct.iter().map(|vector| vector.datum(row)).collect());
        }
        Ok(())
    }

    fn finish(&mut self, group_count: usize, _context: &EvalContext) -> Result<Arc<Column>> {
        self.states.resize(group_count.max(self.states.len()), State::default());
        let physical = if self.ty.physical == Physical::Any { Physical::Any } else { self.ty.physical };
        results(physical, self.states[..group_count].iter().map(|state| self.result(state)))
    }

    fn heap_size(&self) -> usize {
        self.states.capacity() * size_of::<State>() + self.held
    }
}
