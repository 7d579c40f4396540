//! `array[1]`, `array[1:2]`, `json['key']`, and assignment to them.

use std::sync::Arc;

use storage::Column;
use types::{Array, Datum, Error, Jsonb, Oid, Result, SqlState, SqlType, array::SliceBounds};

use super::{Compiler, Evaluate, Node};
use crate::{Batch, EvalContext, Expr, Vector, expression::Subscript};

/// A subscript's expressions: the upper bound or index last.
#[derive(Debug)]
enum Part {
    Index(Node),
    Slice(Option<Node>, Option<Node>),
}

fn parts(compiler: &Compiler<'_>, subscripts: &[Subscript]) -> Result<Vec<Part>> {
    let optional = |bound: &Option<Expr>| bound.as_ref().map(|bound| compiler.compile(bound)).transpose();
    subscripts
        .iter()
        .map(|subscript| {
            Ok(match subscript {
                Subscript::Index(index) => Part::Index(compiler.compile(index)?),
                Subscript::Slice(lower, upper) => Part::Slice(optional(lower)?, optional(upper)?),
            })
        })
        .collect()
}

impl Part {
    fn nodes(&self) -> impl Iterator<Item = &Node> {
        let (first, second) = match self {
            Part::Index(index) => (Some(index), None),
            Part::Slice(lower, upper) => (lower.as_ref(), upper.as_ref()),
        };
        first.into_iter().chain(second)
    }

    fn vectors(&self, batch: &Batch, context: &EvalContext) -> Result<PartVectors> {
        let optional = |node: &Option<Node>| node.as_ref().map(|node| node.evaluate(batch, context)).transpose();
        Ok(match self {
            Part::Index(index) => PartVectors::Index(index.evaluate(batch, context)?),
            Part::Slice(lower, upper) => PartVectors::Slice(optional(lower)?, optional(upper)?),
        })
    }
}

/// The bounds of one subscript in one row.
enum Bounds {
    Index(i32),
    Slice(Option<i32>, Option<i32>),
}

/// Bounds for a slice; among slices, a single subscript n means 1:n.
fn slice_bounds(bounds: &[Bounds]) -> Vec<SliceBounds> {
    bounds
        .iter()
        .map(|bounds| match bounds {
            Bounds::Index(index) => SliceBounds { lower: Some(1), upper: Some(*index) },
            Bounds::Slice(lower, upper) => SliceBounds { lower: *lower, upper: *upper },
        })
        .collect()
}

/// The subscripts when none of them is a slice.
fn indexes(bounds: &[Bounds]) -> Option<Vec<i32>> {
    bounds
        .iter()
        .map(|bounds| match bounds {
            Bounds::Index(index) => Some(*index),
            Bounds::Slice(..) => None,
        })
        .collect()
}

enum PartVectors {
    Index(Vector),
    Slice(Option<Vector>, Option<Vector>),
}

impl PartVectors {
    /// The bounds of one row; None when a subscript is NULL.
    fn bounds(&self, row: usize) -> Option<Bounds> {
        let number = |vector: &Vector| match vector.datum(row) {
            Datum::Int4(value) => Some(value),
            Datum::Int2(value) => Some(value as i32),
            _ => None,
        };
        match self {
            PartVectors::Index(vector) => number(vector).map(Bounds::Index),
            PartVectors::Slice(lower, upper) => {
                let lower = match lower {
                    Some(vector) => Some(number(vector)?),
                    None => None,
                };
                let upper = match upper {
                    Some(vector) => Some(number(vector)?),
                    None => None,
                };
                Some(Bounds::Slice(lower, upper))
            }
        }
    }

    /// A key of a json path; None when NULL.
    fn key(&self, row: usize) -> Option<Arc<str>> {
        match self {
            PartVectors::Index(vector) => match vector.datum(row) {
                Datum::Text(text) => Some(text),
                Datum::Int4(value) => Some(value.to_string().into()),
                _ => None,
            },
            PartVectors::Slice(..) => None,
        }
    }
}

#[derive(Debug)]
struct Fetch {
    operand: Node,
    parts: Vec<Part>,
    json: bool,
    ty: SqlType,
}

pub(crate) fn fetch(compiler: &Compiler<'_>, operand: &Expr, subscripts: &[Subscript], ty: SqlType) -> Result<Node> {
    let json = operand.ty().oid == Oid::JSONB;
    Ok(Arc::new(Fetch { operand: compiler.compile(operand)?, parts: parts(compiler, subscripts)?, json, ty }))
}

impl Fetch {
    fn row(&self, value: Datum, parts: &[PartVectors], row: usize) -> Result<Datum> {
        if self.json {
            let path: Option<Vec<Arc<str>>> = parts.iter().map(|part| part.key(row)).collect();
            return match (value, path) {
                (Datum::Jsonb(json), Some(path)) => {
                    let found = json.path(path.iter().map(|key| &**key));
                    Ok(found.map_or(Datum::Null, |found| Datum::Jsonb(Arc::new(found.clone()))))
                }
                _ => Ok(Datum::Null),
            };
        }
        let bounds: Option<Vec<Bounds>> = parts.iter().map(|part| part.bounds(row)).collect();
        match (value, bounds) {
            (Datum::Array(array), Some(bounds)) => Ok(match indexes(&bounds) {
                Some(indexes) => array.element(&indexes).cloned().unwrap_or(Datum::Null),
                None => Datum::Array(Arc::new(array.slice(&slice_bounds(&bounds)))),
            }),
            _ => Ok(Datum::Null),
        }
    }
}

impl Evaluate for Fetch {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let values = self.operand.evaluate(batch, context)?;
        let parts = self.parts.iter().map(|part| part.vectors(batch, context)).collect::<Result<Vec<_>>>()?;
        if batch.len == 1 {
            return self.row(values.datum(0), &parts, 0).map(Vector::Constant);
        }
        let mut column = Column::with_capacity(self.ty.physical, batch.len);
        for row in 0..batch.len {
            column.push(&self.row(values.datum(row), &parts, row)?);
        }
        Ok(Vector::Column(Arc::new(column)))
    }

    fn fallible(&self) -> bool {
        self.operand.fallible() || self.parts.iter().flat_map(Part::nodes).any(|node| node.fallible())
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
        self.parts.iter().flat_map(Part::nodes).for_each(|node| node.inputs(found));
    }
}

#[derive(Debug)]
struct Assign {
    operand: Node,
    parts: Vec<Part>,
    value: Node,
    json: bool,
    ty: SqlType,
    value_type: SqlType,
}

pub(crate) fn assign(
    compiler: &Compiler<'_>,
    operand: &Expr,
    subscripts: &[Subscript],
    value: &Expr,
    ty: SqlType,
) -> Result<Node> {
    Ok(Arc::new(Assign {
        operand: compiler.compile(operand)?,
        parts: parts(compiler, subscripts)?,
        value: compiler.compile(value)?,
        json: ty.oid == Oid::JSONB,
        ty,
        value_type: value.ty(),
    }))
}

impl Assign {
    fn row(&self, old: Datum, value: Datum, parts: &[PartVectors], row: usize, context: &EvalContext) -> Result<Datum> {
        let null_subscript =
            |what: &str| Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, format!("{what} subscript in assignment must not be null"));
        if self.json {
            let path: Option<Vec<Arc<str>>> = parts.iter().map(|part| part.key(row)).collect();
            let Some(path) = path else { return Err(null_subscript("jsonb")) };
            return assign_json(old, &path, &value);
        }
        let bounds: Option<Vec<Bounds>> = parts.iter().map(|part| part.bounds(row)).collect();
        let Some(bounds) = bounds else { return Err(null_subscript("array")) };
        let element_type = context.resolver.array_element(self.ty.oid).unwrap_or(self.value_type);
        let array = match old {
            Datum::Array(array) => array,
            _ => Arc::new(Array::empty(element_type)),
        };
        let changed = match indexes(&bounds) {
            Some(indexes) => array.with_element(&indexes, value)?,
            None => match value {
                Datum::Array(source) => array.with_slice(&slice_bounds(&bounds), &source)?,
                // A NULL leaves the array as it is.
                _ => return Ok(Datum::Array(array)),
            },
        };
        Ok(Datum::Array(Arc::new(changed)))
    }
}

/// `json[path] := value`. What was NULL becomes an array or an object, as the first key suggests; a NULL value is a JSON null.
fn assign_json(old: Datum, path: &[Arc<str>], value: &Datum) -> Result<Datum> {
    let old = match old {
        Datum::Jsonb(old) => old,
        _ if path.first().is_some_and(|key| types::json::parse_path_index(key).is_some()) => Arc::new(Jsonb::array(Vec::new())),
        _ => Arc::new(Jsonb::object(Vec::new())),
    };
    let path: Vec<Option<&str>> = path.iter().map(|key| Some(&**key)).collect();
    let value = match value {
        Datum::Jsonb(value) => (**value).clone(),
        _ => Jsonb::Null,
    };
    Ok(Datum::Jsonb(Arc::new(old.assign_path(&path, &value)?)))
}

impl Evaluate for Assign {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let values = self.operand.evaluate(batch, context)?;
        let parts = self.parts.iter().map(|part| part.vectors(batch, context)).collect::<Result<Vec<_>>>()?;
        let new = self.value.evaluate(batch, context)?;
        let mut column = Column::with_capacity(self.ty.physical, batch.len);
        for row in 0..batch.len {
            column.push(&self.row(values.datum(row), new.datum(row), &parts, row, context)?);
        }
        Ok(Vector::Column(Arc::new(column)))
    }

    fn fallible(&self) -> bool {
        true
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
        self.value.inputs(found);
        self.parts.iter().flat_map(Part::nodes).for_each(|node| node.inputs(found));
    }
}
