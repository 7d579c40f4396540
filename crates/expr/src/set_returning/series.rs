//! generate_series over numbers.

use types::{Datum, Error, Numeric, Result, SqlState};

use super::{Call, Rows, single};

pub(super) fn zero_step() -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero")
}

pub(super) fn integers(call: &Call<'_>) -> Result<Rows> {
    let number = |at: usize| match call.datum(at) {
        Datum::Int4(value) => *value as i64,
        Datum::Int8(value) => *value,
        _ => 1,
    };
    let (start, stop, step) = (number(0), number(1), number(2));
    if step == 0 {
        return Err(zero_step());
    }
    let narrow = matches!(call.datum(0), Datum::Int4(_));
    let within = move |value: i64| if step > 0 { value <= stop } else { value >= stop };
    // The series ends, without an error, where the next value would overflow.
    let next = move |value: &i64| {
        let next = value.checked_add(step)?;
        (!narrow || i32::try_from(next).is_ok()).then_some(next)
    };
    let values = std::iter::successors(Some(start), next).take_while(move |value| within(*value));
    Ok(single(values.map(move |value| if narrow { Datum::Int4(value as i32) } else { Datum::Int8(value) })))
}

pub(super) fn numerics(call: &Call<'_>) -> Result<Rows> {
    let number = |at: usize| match call.datum(at) {
        Datum::Numeric(value) => value.clone(),
        _ => Numeric::ONE,
    };
    let (start, stop, step) = (number(0), number(1), number(2));
    for (value, name) in [(&start, "start value"), (&stop, "stop value"), (&step, "step size")] {
        if !value.is_finite() {
            let what = if value.is_nan() { "NaN" } else { "infinity" };
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{name} cannot be {what}")));
        }
    }
    if step.is_zero() {
        return Err(zero_step());
    }
    let up = step.signum() > 0;
    let mut next = Some(start);
    Ok(Box::new(std::iter::from_fn(move || {
        let value = next.take()?;
        if if up { value > stop } else { value < stop } {
            return None;
        }
        match value.add(&step) {
            Ok(following) => next = Some(following),
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(vec![Datum::Numeric(value)]))
    })))
}
