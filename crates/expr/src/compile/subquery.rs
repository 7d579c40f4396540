//! Subqueries inside expressions, run by the executor: once when they read nothing from outside, else once a row.

use std::sync::Arc;

use storage::Column;
use types::{Datum, Result, SqlType};

use super::{Compiler, Evaluate, Node, leaf};
use crate::{
    Batch, ColumnId, EvalContext, Vector,
    expression::{Subquery, SubqueryKind},
    functions::room::{Growth, shallow_bytes},
};

#[derive(Debug)]
struct SubqueryNode {
    subquery: Subquery,
    left: Vec<Node>,
    /// Where the outer columns' values come from: columns of the batch or of queries further out.
    outer: Vec<(ColumnId, Node)>,
    ty: SqlType,
}

pub(crate) fn subquery(compiler: &Compiler<'_>, subquery: &Subquery) -> Result<Node> {
    let left = match &subquery.kind {
        SubqueryKind::Compare { left, .. } => compiler.compile_all(left)?,
        SubqueryKind::Scalar | SubqueryKind::Exists | SubqueryKind::Array { .. } | SubqueryKind::Row => Vec::new(),
    };
    let outer = subquery.outer.iter().map(|(id, ty)| (*id, leaf::column(compiler, *id, *ty))).collect();
    Ok(Arc::new(SubqueryNode { subquery: subquery.clone(), left, outer, ty: subquery.ty }))
}

impl SubqueryNode {
    fn once_a_row(&self, left: &[Vector], batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let outer = self
            .outer
            .iter()
            .map(|(id, node)| Ok((*id, node.evaluate(batch, context)?)))
            .collect::<Result<Vec<(ColumnId, Vector)>>>()?;
        let mut inner = context.clone();
        let base = inner.outer.len();
        inner.outer.extend(outer.iter().map(|(id, _)| (*id, Datum::Null)));
        let mut results = Column::with_capacity(self.ty.physical, batch.len);
        let (mut bytes, mut growth) = (0, Growth::new(context));
        for row in 0..batch.len {
            context.check_cancelled()?;
            for (slot, (_, vector)) in inner.outer[base..].iter_mut().zip(&outer) {
                slot.1 = vector.datum(row);
            }
            let left: Vec<Datum> = left.iter().map(|vector| vector.datum(row)).collect();
            let value = context.subplans.run(&self.subquery, &left, &inner)?;
            if batch.len == 1 {
                return Ok(Vector::Constant(value));
            }
            bytes += shallow_bytes(&value);
            growth.check(bytes)?;
            results.push(&value);
        }
        Ok(Vector::Column(Arc::new(results)))
    }
}

impl Evaluate for SubqueryNode {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let left = self.left.iter().map(|left| left.evaluate(batch, context)).collect::<Result<Vec<_>>>()?;
        if !self.outer.is_empty() {
            return self.once_a_row(&left, batch, context);
        }
        if matches!(self.subquery.kind, SubqueryKind::Compare { .. }) {
            return context.subplans.run_batch(&self.subquery, &left, batch.len, context);
        }
        context.subplans.run(&self.subquery, &[], context).map(Vector::Constant)
    }

    fn fallible(&self) -> bool {
        true
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.left.iter().for_each(|left| left.inputs(found));
        self.outer.iter().for_each(|(_, node)| node.inputs(found));
    }
}
