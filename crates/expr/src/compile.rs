//! Expressions made ready to run: columns as positions of a batch, functions as the code that computes them.
//!
//! Each kind of expression is a node of its own ([`Evaluate`]), in a file of `compile/`. Two rules hold everywhere. A node is evaluated only
//! over rows for which PostgreSQL would evaluate it, unless it cannot fail and has no effect. Calls of immutable functions over constants
//! are computed once, when the expression is compiled; one that fails then is left to fail when (and if) it runs.

use std::{fmt, sync::Arc};

use storage::Column;
use types::{Datum, Result, SqlType};

use crate::{Batch, ColumnId, EvalContext, Expr, Vector};

mod array;
mod array_compare;
mod call;
mod cast;
mod conditional;
pub(crate) mod folding;
mod leaf;
mod logic;
mod pieces;
mod row;
mod subquery;
mod subscript;

/// An expression compiled against the layout of its input. Immutable and shared by every execution of a plan.
#[derive(Clone, Debug)]
pub struct Compiled {
    root: Node,
    ty: SqlType,
    depth: usize,
}

pub(crate) type Node = Arc<dyn Evaluate>;

/// One node of a compiled expression.
pub(crate) trait Evaluate: fmt::Debug + Send + Sync {
    /// The values for every row of a batch that is not empty.
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector>;
    /// Whether it may raise an error or have an effect, so that it must not run for rows that do not need it.
    fn fallible(&self) -> bool;
    /// Appends the positions of the input columns that it reads.
    fn inputs(&self, found: &mut Vec<usize>);

    /// The value when it is the same whatever the rows and the session.
    fn constant(&self) -> Option<&Datum> {
        None
    }
}

/// Bytes of stack that one level of a tree may take, with margin for unoptimised builds.
const STACK_PER_LEVEL: usize = 12 * 1024;
/// Trees below this depth run on whatever stack there is.
const SHALLOW: usize = 24;

impl Compiled {
    /// Compiles an expression whose input batches hold these columns, in this order. Columns not among them are those of outer queries.
    ///
    /// Errors: 0A000 for a function that has no implementation yet, naming it.
    pub fn new(expression: &Expr, layout: &[ColumnId]) -> Result<Compiled> {
        let depth = depth(expression);
        let root = Compiler { layout }.compile(expression)?;
        Ok(Compiled { root, ty: expression.ty(), depth })
    }

    pub fn ty(&self) -> SqlType {
        self.ty
    }

    /// The value when it depends on nothing.
    pub fn constant(&self) -> Option<&Datum> {
        self.root.constant()
    }

    /// Evaluates over every row of the batch.
    pub fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        if batch.len == 0 {
            return Ok(Vector::Column(Arc::new(Column::new(self.ty.physical))));
        }
        if self.depth < SHALLOW {
            return self.root.evaluate(batch, context);
        }
        let stack = self.depth * STACK_PER_LEVEL;
        stacker::maybe_grow(stack, stack + 256 * 1024, || self.root.evaluate(batch, context))
    }

    /// The rows for which a boolean expression is true.
    pub fn select(&self, batch: &Batch, context: &EvalContext) -> Result<Vec<u32>> {
        Ok(true_rows(&self.evaluate(batch, context)?, batch.len))
    }
}

/// A value with its type's modifier applied as an assignment does: too long is an error.
pub(crate) fn coerce_length(value: Datum, ty: SqlType, context: &EvalContext) -> Result<Datum> {
    if ty.typmod < 0 || value.is_null() {
        return Ok(value);
    }
    let node = cast::length(Arc::new(leaf::Constant(value)), ty, false)?;
    Ok(node.evaluate(&Batch::unit(), context)?.datum(0))
}

/// The rows that are true, neither false nor NULL.
pub(crate) fn true_rows(vector: &Vector, len: usize) -> Vec<u32> {
    match vector {
        Vector::Constant(Datum::Bool(true)) => (0..len as u32).collect(),
        Vector::Constant(_) => Vec::new(),
        Vector::Column(column) => {
            let values = logic::booleans(column);
            match column.validity() {
                None => values.iter().enumerate().filter(|(_, value)| **value).map(|(row, _)| row as u32).collect(),
                Some(valid) => (0..len).filter(|&row| values[row] && valid.get(row)).map(|row| row as u32).collect(),
            }
        }
    }
}

/// Levels of the deepest branch, found without recursion so that any tree can be measured.
fn depth(expression: &Expr) -> usize {
    let mut deepest = 0;
    let mut pending = vec![(expression, 1)];
    while let Some((node, level)) = pending.pop() {
        deepest = deepest.max(level);
        node.for_each_child(&mut |child| pending.push((child, level + 1)));
    }
    deepest
}

/// Compiles the nodes of one expression.
pub(crate) struct Compiler<'a> {
    pub(crate) layout: &'a [ColumnId],
}

impl Compiler<'_> {
    pub(crate) fn compile(&self, expression: &Expr) -> Result<Node> {
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.node(expression))
    }

    pub(crate) fn compile_all(&self, expressions: &[Expr]) -> Result<Vec<Node>> {
        expressions.iter().map(|expression| self.compile(expression)).collect()
    }

    fn node(&self, expression: &Expr) -> Result<Node> {
        match expression {
            Expr::Constant { value, .. } => Ok(Arc::new(leaf::Constant(value.clone()))),
            Expr::Column { id, ty } => Ok(leaf::column(self, *id, *ty)),
            Expr::Parameter { index, .. } => Ok(Arc::new(leaf::Parameter(*index))),
            Expr::Session { value, ty } => leaf::session_value(*value, *ty),
            Expr::DomainValue { .. } => Ok(Arc::new(leaf::Position(0))),
            Expr::Collate { operand, .. } => self.compile(operand),
            Expr::Call { function, arguments, ty, collation, .. } => {
                let types = arguments.iter().map(Expr::ty).collect();
                call::call(function, self.compile_all(arguments)?, types, *ty, *collation)
            }
            Expr::And(terms) => Ok(logic::junction(self.compile_all(terms)?, false)),
            Expr::Or(terms) => Ok(logic::junction(self.compile_all(terms)?, true)),
            Expr::Not(operand) => Ok(Arc::new(logic::Not(self.compile(operand)?))),
            Expr::IsNull { operand, negated } => {
                Ok(Arc::new(logic::IsNull { operand: self.compile(operand)?, negated: *negated }))
            }
            Expr::BooleanTest { operand, value, negated } => {
                Ok(Arc::new(logic::BooleanTest { operand: self.compile(operand)?, value: *value, negated: *negated }))
            }
            Expr::Distinct { left, right, equality, negated } => conditional::distinct(self, left, right, equality, *negated),
            Expr::Case { branches, otherwise, ty, .. } => conditional::case(self, branches, otherwise, *ty),
            Expr::Coalesce { arguments, ty } => Ok(conditional::coalesce(self.compile_all(arguments)?, *ty)),
            Expr::NullIf { left, right, equality } => conditional::null_if(self, left, right, equality),
            Expr::Extreme { arguments, greatest, ty } => {
                Ok(Arc::new(conditional::Extreme { arguments: self.compile_all(arguments)?, greatest: *greatest, ty: *ty }))
            }
            Expr::Array { elements, element_type, multidimensional, .. } => Ok(Arc::new(array::Constructor {
                elements: self.compile_all(elements)?,
                element_type: *element_type,
                multidimensional: *multidimensional,
            })),
            Expr::Row { fields, names, ty } => row::constructor(self, fields, names, *ty),
            Expr::ArrayCompare { left, array, function, all, collation, .. } => {
                array_compare::array_compare(self, left, array, function, *all, *collation)
            }
            Expr::RowCompare { left, right, operator, equality, ordering } => {
                row::compare(self, left, right, *operator, equality, ordering)
            }
            Expr::Cast { operand, method, ty, explicit, .. } => {
                cast::cast(self.compile(operand)?, operand.ty(), method, *ty, *explicit)
            }
            Expr::Subscript { operand, subscripts, ty } => subscript::fetch(self, operand, subscripts, *ty),
            Expr::SubscriptAssign { operand, subscripts, value, ty } => subscript::assign(self, operand, subscripts, value, *ty),
            Expr::Field { operand, field, ty } => {
                Ok(Arc::new(row::Field { operand: self.compile(operand)?, field: *field, ty: *ty }))
            }
            Expr::FieldAssign { operand, field, value, ty } => Ok(Arc::new(row::FieldAssign {
                operand: self.compile(operand)?,
                field: *field,
                value: self.compile(value)?,
                ty: *ty,
                value_type: value.ty(),
            })),
            Expr::Subquery(subquery) => subquery::subquery(self, subquery),
        }
    }
}

/// The rows of a batch at these positions, with only the columns that will be read; the others are left empty.
pub(crate) fn narrowed(batch: &Batch, rows: &[u32], inputs: &[usize]) -> Batch {
    thread_local! {
        static UNREAD: Arc<Column> = Arc::new(Column::new(types::Physical::Bool));
    }
    let mut columns = vec![UNREAD.with(Arc::clone); batch.columns.len()];
    for &input in inputs {
        if columns[input].is_empty() {
            columns[input] = Arc::new(batch.columns[input].take(rows));
        }
    }
    Batch { columns, len: rows.len() }
}

/// A node with the columns it reads, to be evaluated over some rows of a batch.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) node: Node,
    inputs: Vec<usize>,
}

impl Partial {
    pub(crate) fn new(node: Node) -> Partial {
        let mut inputs = Vec::new();
        node.inputs(&mut inputs);
        Partial { node, inputs }
    }

    /// Evaluates over these rows, ascending; the result has one value for each of them.
    pub(crate) fn evaluate(&self, batch: &Batch, rows: &[u32], context: &EvalContext) -> Result<Vector> {
        if rows.len() == batch.len {
            return self.node.evaluate(batch, context);
        }
        self.node.evaluate(&narrowed(batch, rows, &self.inputs), context)
    }

    pub(crate) fn add_inputs(&self, found: &mut Vec<usize>) {
        found.extend_from_slice(&self.inputs);
    }
}

#[cfg(test)]
mod tests;
