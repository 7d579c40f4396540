//! Calls of functions and operators.

use std::sync::Arc;

use catalog::builtin::BuiltinFunction;
use storage::Column;
use types::{Datum, Oid, Result, SqlType};

use super::{Evaluate, Node, folding, leaf};
use crate::{
    Batch, EvalContext, Vector,
    functions::{self, CallSite, Function},
};

/// A call of a function this crate computes.
#[derive(Debug)]
struct Call {
    function: &'static Function,
    arguments: Vec<Node>,
    site: CallSite,
    fallible: bool,
}

/// A call of a function that only the engine may know.
#[derive(Debug)]
struct EngineCall {
    arguments: Vec<Node>,
    site: CallSite,
}

pub(crate) fn call(
    function: &'static BuiltinFunction,
    arguments: Vec<Node>,
    argument_types: Vec<SqlType>,
    ty: SqlType,
    collation: Oid,
) -> Result<Node> {
    let site = CallSite { function, ty, argument_types, collation };
    let Some(implementation) = functions::lookup(function.source) else {
        return Ok(Arc::new(EngineCall { arguments, site }));
    };
    // As PostgreSQL folds it: the other arguments are not computed, so they cannot fail.
    if function.strict && arguments.iter().any(|argument| argument.constant().is_some_and(Datum::is_null)) {
        return Ok(Arc::new(leaf::Constant(Datum::Null)));
    }
    let all_constant = arguments.iter().all(|argument| argument.constant().is_some());
    let fallible = implementation.fallible || function.volatility == 'v' || arguments.iter().any(|argument| argument.fallible());
    let node = Call { function: implementation, arguments, site, fallible };
    if all_constant
        && function.volatility == 'i'
        // PostgreSQL calls it immutable, but it asks for the session's time zone.
        && function.source != "timestamptz_age"
        && let Some(value) = folding::fold(&node)
    {
        return Ok(Arc::new(leaf::Constant(value)));
    }
    Ok(Arc::new(node))
}

impl Evaluate for Call {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        match self.arguments.as_slice() {
            [one] => {
                let vectors = [one.evaluate(batch, context)?];
                self.function.call(&vectors, batch.len, &self.site, context)
            }
            [left, right] => {
                let vectors = [left.evaluate(batch, context)?, right.evaluate(batch, context)?];
                self.function.call(&vectors, batch.len, &self.site, context)
            }
            many => {
                let vectors = many.iter().map(|argument| argument.evaluate(batch, context)).collect::<Result<Vec<_>>>()?;
                self.function.call(&vectors, batch.len, &self.site, context)
            }
        }
    }

    fn fallible(&self) -> bool {
        self.fallible
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.arguments.iter().for_each(|argument| argument.inputs(found));
    }
}

impl EngineCall {
    fn row(&self, vectors: &[Vector], row: usize, context: &EvalContext) -> Result<Datum> {
        if self.site.function.strict && vectors.iter().any(|vector| vector.is_null(row)) {
            return Ok(Datum::Null);
        }
        let arguments: Vec<Datum> = vectors.iter().map(|vector| vector.datum(row)).collect();
        context
            .session
            .engine_function(self.site.function.source, &arguments, context)
            .unwrap_or_else(|| Err(functions::not_implemented(self.site.function)))
    }
}

impl Evaluate for EngineCall {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let vectors = self.arguments.iter().map(|argument| argument.evaluate(batch, context)).collect::<Result<Vec<_>>>()?;
        let constant = vectors.iter().all(|vector| matches!(vector, Vector::Constant(_)));
        if batch.len == 1 || (constant && self.site.function.volatility != 'v') {
            return self.row(&vectors, 0, context).map(Vector::Constant);
        }
        let mut column = Column::with_capacity(self.site.ty.physical, batch.len);
        for row in 0..batch.len {
            column.push(&self.row(&vectors, row, context)?);
        }
        Ok(Vector::Column(Arc::new(column)))
    }

    fn fallible(&self) -> bool {
        true
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.arguments.iter().for_each(|argument| argument.inputs(found));
    }
}
