//! AND, OR, NOT and the tests for NULL and truth: three-valued logic over vectors.

use std::sync::Arc;

use storage::{Bitmap, Column, FixedType, column::ColumnData};
use types::{Datum, Result};

use super::{Evaluate, Node, Partial, leaf};
use crate::{Batch, EvalContext, Vector};

/// The values of a boolean column.
pub(crate) fn booleans(column: &Column) -> &[bool] {
    <bool as FixedType>::values(column)
}

/// The truth of one value.
pub(crate) fn truth(datum: &Datum) -> Option<bool> {
    match datum {
        Datum::Bool(value) => Some(*value),
        _ => None,
    }
}

/// AND (`decisive` false) or OR (`decisive` true): a term that is decisive settles a row, and the terms after it do not run for it.
#[derive(Debug)]
struct Junction {
    terms: Vec<Partial>,
    decisive: bool,
}

pub(crate) fn junction(terms: Vec<Node>, decisive: bool) -> Node {
    let mut kept: Vec<Node> = Vec::with_capacity(terms.len());
    for term in terms {
        match term.constant().map(truth) {
            // Nothing after it runs; what came before may still fail.
            Some(Some(value)) if value == decisive => {
                kept.push(term);
                break;
            }
            Some(Some(_)) => {}
            _ => kept.push(term),
        }
    }
    match kept.len() {
        0 => Arc::new(leaf::Constant(Datum::Bool(!decisive))),
        1 => kept.remove(0),
        _ => Arc::new(Junction { terms: kept.into_iter().map(Partial::new).collect(), decisive }),
    }
}

/// What is known of the rows so far.
enum State {
    /// The same for all rows.
    One(Option<bool>),
    Many {
        values: Vec<bool>,
        valid: Option<Bitmap>,
    },
}

impl State {
    fn of(vector: Vector, len: usize) -> State {
        match vector {
            Vector::Constant(datum) => State::One(truth(&datum)),
            Vector::Column(column) if len == 1 => State::One(truth(&column.datum(0))),
            Vector::Column(column) => State::Many { values: booleans(&column).to_vec(), valid: column.validity().cloned() },
        }
    }

    fn row(&self, row: usize) -> Option<bool> {
        match self {
            State::One(value) => *value,
            State::Many { values, valid } => valid.as_ref().is_none_or(|bits| bits.get(row)).then(|| values[row]),
        }
    }

    /// Rows that a further term may change.
    fn undecided(&self, len: usize, decisive: bool) -> Vec<u32> {
        (0..len as u32).filter(|&row| self.row(row as usize) != Some(decisive)).collect()
    }

    fn into_vector(self) -> Vector {
        match self {
            State::One(None) => Vector::Constant(Datum::Null),
            State::One(Some(value)) => Vector::Constant(Datum::Bool(value)),
            State::Many { values, valid } => Vector::Column(Arc::new(<bool as FixedType>::column(values, valid))),
        }
    }

    /// Combines with a term evaluated over all rows.
    fn combine(self, term: State, len: usize, decisive: bool) -> State {
        match (self, term) {
            (State::One(a), State::One(b)) => State::One(combine(a, b, decisive)),
            (State::One(a), many) | (many, State::One(a)) if a == Some(!decisive) => many,
            (State::Many { values: mut a, valid: None }, State::Many { values: b, valid: None }) => {
                if decisive {
                    a.iter_mut().zip(&b).for_each(|(a, b)| *a |= b);
                } else {
                    a.iter_mut().zip(&b).for_each(|(a, b)| *a &= b);
                }
                State::Many { values: a, valid: None }
            }
            (a, b) => State::collect((0..len).map(|row| combine(a.row(row), b.row(row), decisive))),
        }
    }

    fn collect(rows: impl Iterator<Item = Option<bool>>) -> State {
        let mut values = Vec::new();
        let mut valid = Bitmap::default();
        for row in rows {
            values.push(row.unwrap_or(false));
            valid.push(row.is_some());
        }
        State::Many { values, valid: (!valid.all_set()).then_some(valid) }
    }
}

fn combine(a: Option<bool>, b: Option<bool>, decisive: bool) -> Option<bool> {
    if a == Some(decisive) || b == Some(decisive) {
        Some(decisive)
    } else if a.is_none() || b.is_none() {
        None
    } else {
        Some(!decisive)
    }
}

impl Evaluate for Junction {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let mut state = State::of(self.terms[0].node.evaluate(batch, context)?, batch.len);
        for term in &self.terms[1..] {
            match &state {
                State::One(value) if *value == Some(self.decisive) => break,
                State::One(_) => {
                    let next = State::of(term.node.evaluate(batch, context)?, batch.len);
                    state = state.combine(next, batch.len, self.decisive);
                }
                State::Many { .. } if !term.node.fallible() => {
                    let next = State::of(term.node.evaluate(batch, context)?, batch.len);
                    state = state.combine(next, batch.len, self.decisive);
                }
                State::Many { .. } => {
                    let rows = state.undecided(batch.len, self.decisive);
                    if rows.is_empty() {
                        break;
                    }
                    let next = State::of(term.evaluate(batch, &rows, context)?, rows.len());
                    state = scatter(state, &rows, &next, batch.len, self.decisive);
                }
            }
        }
        Ok(state.into_vector())
    }

    fn fallible(&self) -> bool {
        self.terms.iter().any(|term| term.node.fallible())
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.terms.iter().for_each(|term| term.add_inputs(found));
    }
}

/// Combines with a term evaluated over some rows.
fn scatter(state: State, rows: &[u32], term: &State, len: usize, decisive: bool) -> State {
    let mut merged: Vec<Option<bool>> = (0..len).map(|row| state.row(row)).collect();
    for (at, &row) in rows.iter().enumerate() {
        merged[row as usize] = combine(merged[row as usize], term.row(at), decisive);
    }
    State::collect(merged.into_iter())
}

#[derive(Debug)]
pub(crate) struct Not(pub(crate) Node);

impl Evaluate for Not {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        Ok(match self.0.evaluate(batch, context)? {
            Vector::Constant(datum) => Vector::Constant(truth(&datum).map_or(Datum::Null, |value| Datum::Bool(!value))),
            Vector::Column(column) => {
                let values = booleans(&column).iter().map(|value| !value).collect();
                Vector::Column(Arc::new(<bool as FixedType>::column(values, column.validity().cloned())))
            }
        })
    }

    fn fallible(&self) -> bool {
        self.0.fallible()
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.0.inputs(found);
    }
}

/// `IS [NOT] NULL`; a row value is NULL when all its fields are, and not NULL when none is.
#[derive(Debug)]
pub(crate) struct IsNull {
    pub(crate) operand: Node,
    pub(crate) negated: bool,
}

impl IsNull {
    fn test(&self, datum: &Datum) -> bool {
        match datum {
            Datum::Null => !self.negated,
            Datum::Record(record) => record.fields.iter().all(|field| field.is_null() != self.negated),
            _ => self.negated,
        }
    }
}

impl Evaluate for IsNull {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let column = match self.operand.evaluate(batch, context)? {
            Vector::Constant(datum) => return Ok(Vector::Constant(Datum::Bool(self.test(&datum)))),
            Vector::Column(column) => column,
        };
        if batch.len == 1 {
            let value = if column.is_null(0) { !self.negated } else { self.test_column(&column, 0) };
            return Ok(Vector::Constant(Datum::Bool(value)));
        }
        if column.validity().is_none() && !matches!(column.data(), ColumnData::Any(_)) {
            return Ok(Vector::Constant(Datum::Bool(self.negated)));
        }
        let values = (0..batch.len).map(|row| self.test_column(&column, row)).collect();
        Ok(Vector::Column(Arc::new(<bool as FixedType>::column(values, None))))
    }

    fn fallible(&self) -> bool {
        self.operand.fallible()
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
    }
}

impl IsNull {
    fn test_column(&self, column: &Column, row: usize) -> bool {
        match column.data() {
            ColumnData::Any(values) if !column.is_null(row) => self.test(&values[row]),
            _ => column.is_null(row) != self.negated,
        }
    }
}

#[derive(Debug)]
pub(crate) struct BooleanTest {
    pub(crate) operand: Node,
    pub(crate) value: Option<bool>,
    pub(crate) negated: bool,
}

impl Evaluate for BooleanTest {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let test = |value: Option<bool>| (value == self.value) != self.negated;
        Ok(match State::of(self.operand.evaluate(batch, context)?, batch.len) {
            State::One(value) => Vector::Constant(Datum::Bool(test(value))),
            state => {
                let values = (0..batch.len).map(|row| test(state.row(row))).collect();
                Vector::Column(Arc::new(<bool as FixedType>::column(values, None)))
            }
        })
    }

    fn fallible(&self) -> bool {
        self.operand.fallible()
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
    }
}
