//! Nodes without children: constants, columns of the input and of outer queries, parameters, values of the session.

use std::sync::Arc;

use types::{Datum, Error, Result, SqlState, SqlType, text_format::datum_from_text};

use super::{Compiler, Evaluate, Node, cast};
use crate::{Batch, ColumnId, EvalContext, Vector, expression::SessionValue};

#[derive(Debug)]
pub(crate) struct Constant(pub(crate) Datum);

impl Evaluate for Constant {
    fn evaluate(&self, _batch: &Batch, _context: &EvalContext) -> Result<Vector> {
        Ok(Vector::Constant(self.0.clone()))
    }

    fn fallible(&self) -> bool {
        false
    }

    fn inputs(&self, _found: &mut Vec<usize>) {}

    fn constant(&self) -> Option<&Datum> {
        Some(&self.0)
    }
}

/// A column of the input by its position.
#[derive(Debug)]
pub(crate) struct Position(pub(crate) usize);

impl Evaluate for Position {
    fn evaluate(&self, batch: &Batch, _context: &EvalContext) -> Result<Vector> {
        Ok(Vector::Column(Arc::clone(&batch.columns[self.0])))
    }

    fn fallible(&self) -> bool {
        false
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        found.push(self.0);
    }
}

/// A column of a query around this one.
#[derive(Debug)]
struct Outer(ColumnId);

impl Evaluate for Outer {
    fn evaluate(&self, _batch: &Batch, context: &EvalContext) -> Result<Vector> {
        match context.outer_value(self.0) {
            Some(value) => Ok(Vector::Constant(value.clone())),
            None => Err(Error::internal(format!("column {} is neither in the input nor in an outer query", self.0.0))),
        }
    }

    fn fallible(&self) -> bool {
        false
    }

    fn inputs(&self, _found: &mut Vec<usize>) {}
}

pub(crate) fn column(compiler: &Compiler<'_>, id: ColumnId, _ty: SqlType) -> Node {
    match compiler.layout.iter().position(|column| *column == id) {
        Some(position) => Arc::new(Position(position)),
        None => Arc::new(Outer(id)),
    }
}

#[derive(Debug)]
pub(crate) struct Parameter(pub(crate) usize);

impl Evaluate for Parameter {
    fn evaluate(&self, _batch: &Batch, context: &EvalContext) -> Result<Vector> {
        match context.parameters.get(self.0) {
            Some(value) => Ok(Vector::Constant(value.clone())),
            None => Err(Error::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter ${}", self.0 + 1))),
        }
    }

    fn fallible(&self) -> bool {
        false
    }

    fn inputs(&self, _found: &mut Vec<usize>) {}
}

#[derive(Debug)]
struct Session {
    value: SessionValue,
}

/// CURRENT_USER and the like; CURRENT_TIMESTAMP(p) is the moment cut to p digits.
pub(crate) fn session_value(value: SessionValue, ty: SqlType) -> Result<Node> {
    let node: Node = Arc::new(Session { value });
    if ty.typmod < 0 { Ok(node) } else { cast::length(node, ty, true) }
}

impl Evaluate for Session {
    fn evaluate(&self, _batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let moment = |text: &str, ty: SqlType| datum_from_text(text, ty, &context.format, &*context.resolver);
        let value = match self.value {
            SessionValue::CurrentDate => moment("today", SqlType::DATE)?,
            SessionValue::CurrentTime => moment("now", SqlType::TIMETZ)?,
            SessionValue::CurrentTimestamp => Datum::TimestampTz(context.format.now),
            SessionValue::LocalTime => moment("now", SqlType::TIME)?,
            SessionValue::LocalTimestamp => moment("now", SqlType::TIMESTAMP)?,
            SessionValue::CurrentUser | SessionValue::CurrentRole | SessionValue::User => {
                Datum::Text(context.session.current_user())
            }
            SessionValue::SessionUser => Datum::Text(context.session.session_user()),
            SessionValue::CurrentCatalog => Datum::Text(context.session.current_database()),
            SessionValue::CurrentSchema => context.session.search_path(false).into_iter().next().map_or(Datum::Null, Datum::Text),
        };
        Ok(Vector::Constant(value))
    }

    fn fallible(&self) -> bool {
        false
    }

    fn inputs(&self, _found: &mut Vec<usize>) {}
}
