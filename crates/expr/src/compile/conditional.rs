//! CASE, COALESCE, NULLIF, GREATEST, LEAST and IS DISTINCT FROM.

use std::sync::Arc;

use catalog::builtin::BuiltinFunction;
use storage::{Column, FixedType};
use types::{Datum, Oid, Result, SqlType};

use super::{Compiler, Evaluate, Node, Partial, call, leaf, logic::truth, pieces::Pieces, true_rows};
use crate::{Batch, EvalContext, Expr, Vector, functions::compare::compare_datums};

#[derive(Debug)]
struct Case {
    branches: Vec<(Partial, Partial)>,
    otherwise: Partial,
    ty: SqlType,
}

pub(crate) fn case(compiler: &Compiler<'_>, branches: &[(Expr, Expr)], otherwise: &Expr, ty: SqlType) -> Result<Node> {
    let mut compiled = Vec::with_capacity(branches.len());
    for (condition, result) in branches {
        let condition = compiler.compile(condition)?;
        match condition.constant().map(truth) {
            Some(Some(true)) if compiled.is_empty() => return compiler.compile(result),
            Some(Some(true)) => {
                let otherwise = Partial::new(compiler.compile(result)?);
                return Ok(Arc::new(Case { branches: compiled, otherwise, ty }));
            }
            Some(_) => {}
            None => compiled.push((Partial::new(condition), Partial::new(compiler.compile(result)?))),
        }
    }
    let otherwise = compiler.compile(otherwise)?;
    if compiled.is_empty() {
        return Ok(otherwise);
    }
    Ok(Arc::new(Case { branches: compiled, otherwise: Partial::new(otherwise), ty }))
}

/// The rows of `pending` at the positions of `within`, and those that are not.
fn divide(pending: &[u32], within: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut chosen = within.iter().peekable();
    let mut rest = Vec::with_capacity(pending.len() - within.len());
    let mut taken = Vec::with_capacity(within.len());
    for (at, &row) in pending.iter().enumerate() {
        if chosen.next_if(|&&next| next as usize == at).is_some() {
            taken.push(row);
        } else {
            rest.push(row);
        }
    }
    (taken, rest)
}

impl Case {
    fn one_row(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        for (condition, result) in &self.branches {
            if matches!(condition.node.evaluate(batch, context)?.datum(0), Datum::Bool(true)) {
                return result.node.evaluate(batch, context);
            }
        }
        self.otherwise.node.evaluate(batch, context)
    }
}

impl Evaluate for Case {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        if batch.len == 1 {
            return self.one_row(batch, context);
        }
        let mut pieces = Pieces::new(self.ty.physical, batch.len);
        let mut pending: Vec<u32> = (0..batch.len as u32).collect();
        for (condition, result) in &self.branches {
            let truths = condition.evaluate(batch, &pending, context)?;
            let (taken, rest) = divide(&pending, &true_rows(&truths, pending.len()));
            if !taken.is_empty() {
                let values = result.evaluate(batch, &taken, context)?;
                pieces.add(taken, values);
            }
            pending = rest;
            if pending.is_empty() {
                return Ok(pieces.assemble());
            }
        }
        let values = self.otherwise.evaluate(batch, &pending, context)?;
        pieces.add(pending, values);
        Ok(pieces.assemble())
    }

    fn fallible(&self) -> bool {
        self.otherwise.node.fallible()
            || self.branches.iter().any(|(condition, result)| condition.node.fallible() || result.node.fallible())
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        for (condition, result) in &self.branches {
            condition.add_inputs(found);
            result.add_inputs(found);
        }
        self.otherwise.add_inputs(found);
    }
}

#[derive(Debug)]
pub(crate) struct Coalesce {
    arguments: Vec<Partial>,
    ty: SqlType,
}

pub(crate) fn coalesce(arguments: Vec<Node>, ty: SqlType) -> Node {
    Arc::new(Coalesce { arguments: arguments.into_iter().map(Partial::new).collect(), ty })
}

impl Coalesce {
    fn one_row(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        for argument in &self.arguments {
            let value = argument.node.evaluate(batch, context)?;
            if !value.is_null(0) {
                return Ok(value);
            }
        }
        Ok(Vector::Constant(Datum::Null))
    }
}

impl Evaluate for Coalesce {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        if batch.len == 1 {
            return self.one_row(batch, context);
        }
        let mut pieces = Pieces::new(self.ty.physical, batch.len);
        let mut pending: Vec<u32> = (0..batch.len as u32).collect();
        for argument in &self.arguments {
            let values = argument.evaluate(batch, &pending, context)?;
            match &values {
                Vector::Constant(Datum::Null) => continue,
                Vector::Constant(_) => {
                    pieces.add(std::mem::take(&mut pending), values);
                    break;
                }
                Vector::Column(column) if column.validity().is_none_or(storage::Bitmap::all_set) => {
                    pieces.add(std::mem::take(&mut pending), values);
                    break;
                }
                Vector::Column(column) => {
                    let present: Vec<u32> = (0..pending.len() as u32).filter(|&at| !column.is_null(at as usize)).collect();
                    let (taken, rest) = divide(&pending, &present);
                    pieces.add(taken, Vector::Column(Arc::new(column.take(&present))));
                    pending = rest;
                }
            }
        }
        Ok(pieces.assemble())
    }

    fn fallible(&self) -> bool {
        self.arguments.iter().any(|argument| argument.node.fallible())
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.arguments.iter().for_each(|argument| argument.add_inputs(found));
    }
}

#[derive(Debug)]
pub(crate) struct Extreme {
    pub(crate) arguments: Vec<Node>,
    pub(crate) greatest: bool,
    pub(crate) ty: SqlType,
}

impl Extreme {
    fn row(&self, vectors: &[Vector], row: usize) -> Datum {
        let mut best = Datum::Null;
        for vector in vectors.iter().filter(|vector| !vector.is_null(row)) {
            let value = vector.datum(row);
            let order = compare_datums(&value, &best, self.ty.oid);
            if best.is_null() || (if self.greatest { order.is_gt() } else { order.is_lt() }) {
                best = value;
            }
        }
        best
    }
}

impl Evaluate for Extreme {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let vectors = self.arguments.iter().map(|argument| argument.evaluate(batch, context)).collect::<Result<Vec<_>>>()?;
        if batch.len == 1 || vectors.iter().all(|vector| matches!(vector, Vector::Constant(_))) {
            return Ok(Vector::Constant(self.row(&vectors, 0)));
        }
        let mut column = Column::with_capacity(self.ty.physical, batch.len);
        (0..batch.len).for_each(|row| column.push(&self.row(&vectors, row)));
        Ok(Vector::Column(Arc::new(column)))
    }

    fn fallible(&self) -> bool {
        self.arguments.iter().any(|argument| argument.fallible())
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.arguments.iter().for_each(|argument| argument.inputs(found));
    }
}

/// Compares two values already computed: a call over columns 0 and 1 of a batch.
fn equality_of(left: SqlType, right: SqlType, equality: &'static BuiltinFunction) -> Result<Node> {
    let arguments: Vec<Node> = vec![Arc::new(leaf::Position(0)), Arc::new(leaf::Position(1))];
    call::call(equality, arguments, vec![left, right], SqlType::BOOL, Oid::INVALID)
}

/// A pair of expressions, each evaluated once, with an equality over them.
#[derive(Debug)]
struct Pair {
    left: Node,
    right: Node,
    left_type: SqlType,
    right_type: SqlType,
    equality: Node,
}

impl Pair {
    fn compile(compiler: &Compiler<'_>, left: &Expr, right: &Expr, equality: &'static BuiltinFunction) -> Result<Pair> {
        Ok(Pair {
            left: compiler.compile(left)?,
            right: compiler.compile(right)?,
            left_type: left.ty(),
            right_type: right.ty(),
            equality: equality_of(left.ty(), right.ty(), equality)?,
        })
    }

    /// Both sides, and the rows for which they are equal (NULLs are not).
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<(Arc<Column>, Arc<Column>, Vec<u32>)> {
        let left = self.left.evaluate(batch, context)?.into_column(self.left_type.physical, batch.len);
        let right = self.right.evaluate(batch, context)?.into_column(self.right_type.physical, batch.len);
        let pair = Batch { columns: vec![Arc::clone(&left), Arc::clone(&right)], len: batch.len };
        let equal = true_rows(&self.equality.evaluate(&pair, context)?, batch.len);
        Ok((left, right, equal))
    }

    fn fallible(&self) -> bool {
        self.left.fallible() || self.right.fallible() || self.equality.fallible()
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.left.inputs(found);
        self.right.inputs(found);
    }
}

#[derive(Debug)]
struct NullIf(Pair);

pub(crate) fn null_if(compiler: &Compiler<'_>, left: &Expr, right: &Expr, equality: &'static BuiltinFunction) -> Result<Node> {
    Ok(Arc::new(NullIf(Pair::compile(compiler, left, right, equality)?)))
}

impl Evaluate for NullIf {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let (left, _, equal) = self.0.evaluate(batch, context)?;
        if equal.is_empty() {
            return Ok(Vector::Column(left));
        }
        let mut values = (*left).clone();
        equal.into_iter().for_each(|row| values.set(row as usize, &Datum::Null));
        Ok(Vector::Column(Arc::new(values)))
    }

    fn fallible(&self) -> bool {
        self.0.fallible()
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.0.inputs(found);
    }
}

#[derive(Debug)]
struct Distinct {
    pair: Pair,
    negated: bool,
}

pub(crate) fn distinct(
    compiler: &Compiler<'_>,
    left: &Expr,
    right: &Expr,
    equality: &'static BuiltinFunction,
    negated: bool,
) -> Result<Node> {
    Ok(Arc::new(Distinct { pair: Pair::compile(compiler, left, right, equality)?, negated }))
}

impl Evaluate for Distinct {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let (left, right, equal) = self.pair.evaluate(batch, context)?;
        let mut values: Vec<bool> = (0..batch.len).map(|row| (left.is_null(row) && right.is_null(row)) == self.negated).collect();
        equal.into_iter().for_each(|row| values[row as usize] = self.negated);
        if batch.len == 1 {
            return Ok(Vector::Constant(Datum::Bool(values[0])));
        }
        Ok(Vector::Column(Arc::new(<bool as FixedType>::column(values, None))))
    }

    fn fallible(&self) -> bool {
        self.pair.fallible()
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.pair.inputs(found);
    }
}
