//! Row values: constructors, fields, and row-wise comparison.

use std::sync::Arc;

use catalog::builtin::BuiltinFunction;
use storage::Column;
use types::{Datum, Error, Oid, Physical, Record, Result, SqlState, SqlType};

use super::{Compiler, Evaluate, Node, call, logic, logic::truth};
use crate::{Batch, EvalContext, Expr, Vector, expression::RowOperator, functions::room::check_copies};

#[derive(Debug)]
struct Constructor {
    fields: Vec<Node>,
    types: Arc<[SqlType]>,
    names: Arc<[Arc<str>]>,
    ty: SqlType,
}

pub(crate) fn constructor(compiler: &Compiler<'_>, fields: &[Expr], names: &Arc<[Arc<str>]>, ty: SqlType) -> Result<Node> {
    let types = fields.iter().map(Expr::ty).collect();
    Ok(Arc::new(Constructor { fields: compiler.compile_all(fields)?, types, names: Arc::clone(names), ty }))
}

impl Evaluate for Constructor {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let vectors = self.fields.iter().map(|field| field.evaluate(batch, context)).collect::<Result<Vec<_>>>()?;
        check_copies(&vectors, batch.len, context)?;
        let record = |row: usize| {
            Datum::Record(Arc::new(Record {
                type_oid: self.ty.oid,
                fields: vectors.iter().map(|vector| vector.datum(row)).collect(),
                field_types: Arc::clone(&self.types),
                field_names: Arc::clone(&self.names),
            }))
        };
        if batch.len == 1 {
            return Ok(Vector::Constant(record(0)));
        }
        let mut column = Column::with_capacity(Physical::Any, batch.len);
        (0..batch.len).for_each(|row| column.push(&record(row)));
        Ok(Vector::Column(Arc::new(column)))
    }

    fn fallible(&self) -> bool {
        self.fields.iter().any(|field| field.fallible())
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.fields.iter().for_each(|field| field.inputs(found));
    }
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) operand: Node,
    pub(crate) field: usize,
    pub(crate) ty: SqlType,
}

impl Evaluate for Field {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let records = self.operand.evaluate(batch, context)?;
        let field = |row: usize| match records.datum(row) {
            Datum::Record(record) => record.fields.get(self.field).cloned().unwrap_or(Datum::Null),
            _ => Datum::Null,
        };
        if batch.len == 1 || matches!(records, Vector::Constant(_)) {
            return Ok(Vector::Constant(field(0)));
        }
        let mut column = Column::with_capacity(self.ty.physical, batch.len);
        (0..batch.len).for_each(|row| column.push(&field(row)));
        Ok(Vector::Column(Arc::new(column)))
    }

    fn fallible(&self) -> bool {
        self.operand.fallible()
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
    }
}

#[derive(Debug)]
pub(crate) struct FieldAssign {
    pub(crate) operand: Node,
    pub(crate) field: usize,
    pub(crate) value: Node,
    pub(crate) ty: SqlType,
    pub(crate) value_type: SqlType,
}

impl FieldAssign {
    fn assign(&self, record: Datum, value: Datum, context: &EvalContext) -> Result<Datum> {
        let mut record = match record {
            Datum::Record(record) => (*record).clone(),
            _ => {
                let Some((names, types)) = context.resolver.composite_fields(self.ty.oid) else {
                    return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, "the value is not of a composite type"));
                };
                Record { type_oid: self.ty.oid, fields: vec![Datum::Null; types.len()], field_types: types, field_names: names }
            }
        };
        match record.fields.get_mut(self.field) {
            Some(field) => *field = value,
            None => return Err(Error::internal(format!("no field {} of type {:?}", self.field, self.value_type))),
        }
        Ok(Datum::Record(Arc::new(record)))
    }
}

impl Evaluate for FieldAssign {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let records = self.operand.evaluate(batch, context)?;
        let values = self.value.evaluate(batch, context)?;
        if batch.len == 1 {
            return self.assign(records.datum(0), values.datum(0), context).map(Vector::Constant);
        }
        let mut column = Column::with_capacity(Physical::Any, batch.len);
        for row in 0..batch.len {
            column.push(&self.assign(records.datum(row), values.datum(row), context)?);
        }
        Ok(Vector::Column(Arc::new(column)))
    }

    fn fallible(&self) -> bool {
        true
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
        self.value.inputs(found);
    }
}

/// `(a, b) < (c, d)`: the first pair that is not equal decides; a NULL met before that makes the answer NULL.
#[derive(Debug)]
struct Ordering {
    equality: Vec<Node>,
    ordering: Vec<Node>,
    when_equal: bool,
}

pub(crate) fn compare(
    compiler: &Compiler<'_>,
    left: &[Expr],
    right: &[Expr],
    operator: RowOperator,
    equality: &[&'static BuiltinFunction],
    ordering: &[&'static BuiltinFunction],
) -> Result<Node> {
    let calls = |functions: &[&'static BuiltinFunction]| -> Result<Vec<Node>> {
        left.iter()
            .zip(right)
            .zip(functions)
            .map(|((left, right), function)| {
                let arguments = vec![compiler.compile(left)?, compiler.compile(right)?];
                call::call(function, arguments, vec![left.ty(), right.ty()], SqlType::BOOL, Oid::INVALID)
            })
            .collect()
    };
    Ok(match operator {
        RowOperator::Equal => logic::junction(calls(equality)?, false),
        RowOperator::NotEqual => {
            let unequal = calls(equality)?.into_iter().map(|equal| Arc::new(logic::Not(equal)) as Node).collect();
            logic::junction(unequal, true)
        }
        RowOperator::Less | RowOperator::Greater | RowOperator::LessOrEqual | RowOperator::GreaterOrEqual => {
            let when_equal = matches!(operator, RowOperator::LessOrEqual | RowOperator::GreaterOrEqual);
            Arc::new(Ordering { equality: calls(equality)?, ordering: calls(ordering)?, when_equal })
        }
    })
}

impl Evaluate for Ordering {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let mut answers: Vec<Option<Option<bool>>> = vec![None; batch.len];
        for (equality, ordering) in self.equality.iter().zip(&self.ordering) {
            let equal = equality.evaluate(batch, context)?;
            let order = ordering.evaluate(batch, context)?;
            for (row, answer) in answers.iter_mut().enumerate().filter(|(_, answer)| answer.is_none()) {
                *answer = match truth(&equal.datum(row)) {
                    None => Some(None),
                    Some(false) => Some(truth(&order.datum(row))),
                    Some(true) => None,
                };
            }
        }
        let datum = |answer: Option<Option<bool>>| answer.unwrap_or(Some(self.when_equal)).map_or(Datum::Null, Datum::Bool);
        if let [answer] = answers.as_slice() {
            return Ok(Vector::Constant(datum(*answer)));
        }
        let datums: Vec<Datum> = answers.into_iter().map(datum).collect();
        Ok(Vector::Column(Arc::new(Column::from_datums(Physical::Bool, &datums))))
    }

    fn fallible(&self) -> bool {
        self.equality.iter().chain(&self.ordering).any(|node| node.fallible())
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.equality.iter().for_each(|node| node.inputs(found));
    }
}
