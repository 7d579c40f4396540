//! `x operator ANY/ALL (array)`: by a hash set when the array is a long constant and the operator is equality, else by the operator.

use std::sync::Arc;

use catalog::builtin::BuiltinFunction;
use hashbrown::HashSet;
use storage::{Column, FixedType, column::ColumnData};
use types::{Array, Datum, Oid, Physical, Result, SqlType};

use super::{Compiler, Evaluate, Node, call, leaf, logic::truth};
use crate::{Batch, EvalContext, Expr, Vector};

/// Arrays shorter than this are compared element by element.
const WORTH_HASHING: usize = 9;

#[derive(Debug)]
struct ArrayCompare {
    left: Node,
    left_type: SqlType,
    array: Node,
    /// The operator over a batch of two columns: left values and elements.
    operator: Node,
    all: bool,
    set: Option<Set>,
}

/// The elements of a constant array, hashed.
#[derive(Debug)]
struct Set {
    keys: HashSet<Key, foldhash::fast::RandomState>,
    has_null: bool,
    /// For `<> ALL`: the answer is the opposite of membership.
    negated: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Integer(i64),
    Bytes(Box<[u8]>),
}

pub(crate) fn array_compare(
    compiler: &Compiler<'_>,
    left: &Expr,
    array: &Expr,
    function: &'static BuiltinFunction,
    all: bool,
    collation: Oid,
) -> Result<Node> {
    let left_type = left.ty();
    let array_node = compiler.compile(array)?;
    let element_type = SqlType::of(function.argument_types[1]);
    let arguments: Vec<Node> = vec![Arc::new(leaf::Position(0)), Arc::new(leaf::Position(1))];
    let operator = call::call(function, arguments, vec![left_type, element_type], SqlType::BOOL, collation)?;
    let set = array_node.constant().and_then(|value| set_of(value, function, all));
    Ok(Arc::new(ArrayCompare { left: compiler.compile(left)?, left_type, array: array_node, operator, all, set }))
}

/// A set when the operator is a plain equality (with ANY) or inequality (with ALL) of hashable values.
fn set_of(array: &Datum, function: &BuiltinFunction, all: bool) -> Option<Set> {
    let Datum::Array(array) = array else { return None };
    let equality = [
        "int2eq",
        "int4eq",
        "int8eq",
        "int24eq",
        "int42eq",
        "int28eq",
        "int82eq",
        "int48eq",
        "int84eq",
        "texteq",
        "uuid_eq",
        "oideq",
        "nameeqtext",
    ];
    let inequality = [
        "int2ne",
        "int4ne",
        "int8ne",
        "int24ne",
        "int42ne",
        "int28ne",
        "int82ne",
        "int48ne",
        "int84ne",
        "textne",
        "uuid_ne",
        "oidne",
        "namenetext",
    ];
    let wanted = if all { &inequality } else { &equality };
    if array.elements.len() < WORTH_HASHING || !wanted.contains(&function.source) {
        return None;
    }
    let mut set = Set { keys: HashSet::default(), has_null: false, negated: all };
    for element in &array.elements {
        match key_of(element) {
            Some(key) => {
                set.keys.insert(key);
            }
            None if element.is_null() => set.has_null = true,
            None => return None,
        }
    }
    Some(set)
}

fn key_of(datum: &Datum) -> Option<Key> {
    Some(match datum {
        Datum::Int2(value) => Key::Integer(*value as i64),
        Datum::Int4(value) => Key::Integer(*value as i64),
        Datum::Int8(value) => Key::Integer(*value),
        Datum::Oid(value) => Key::Integer(value.0 as i64),
        Datum::Text(value) => Key::Bytes(value.as_bytes().into()),
        Datum::Uuid(value) => Key::Bytes(value.as_slice().into()),
        _ => return None,
    })
}

impl Set {
    fn answer(&self, found: bool) -> Option<bool> {
        if found {
            Some(!self.negated)
        } else if self.has_null {
            None
        } else {
            Some(self.negated)
        }
    }

    fn probe(&self, vector: &Vector, len: usize) -> Vector {
        let one = |datum: &Datum| match key_of(datum) {
            Some(key) => self.answer(self.keys.contains(&key)).map_or(Datum::Null, Datum::Bool),
            None => Datum::Null,
        };
        let column = match vector {
            Vector::Constant(datum) => return Vector::Constant(one(datum)),
            Vector::Column(column) if len == 1 => return Vector::Constant(one(&column.datum(0))),
            Vector::Column(column) => column,
        };
        let contains: Box<dyn Fn(usize) -> bool> = match column.data() {
            ColumnData::Int2(values) => Box::new(|row| self.keys.contains(&Key::Integer(values[row] as i64))),
            ColumnData::Int4(values) => Box::new(|row| self.keys.contains(&Key::Integer(values[row] as i64))),
            ColumnData::Int8(values) => Box::new(|row| self.keys.contains(&Key::Integer(values[row]))),
            _ => Box::new(|row| key_of(&column.datum(row)).is_some_and(|key| self.keys.contains(&key))),
        };
        if column.validity().is_none() && !self.has_null {
            let values = (0..len).map(|row| contains(row) != self.negated).collect();
            return Vector::Column(Arc::new(<bool as FixedType>::column(values, None)));
        }
        let mut answers = Column::with_capacity(Physical::Bool, len);
        for row in 0..len {
            let answer = if column.is_null(row) { None } else { self.answer(contains(row)) };
            answers.push(&answer.map_or(Datum::Null, Datum::Bool));
        }
        Vector::Column(Arc::new(answers))
    }
}

impl ArrayCompare {
    /// One constant array for all rows: the operator runs over the whole batch once an element, for rows still undecided by value.
    fn same_array(&self, left: &Vector, array: &Array, len: usize, context: &EvalContext) -> Result<Vector> {
        let column = left.clone().into_column(self.left_type.physical, len);
        let mut answers: Vec<Option<bool>> = vec![Some(self.all); len];
        for element in &array.elements {
            let physical = datum_physical(element, array.element_type);
            let elements = Arc::new(Column::repeat(physical, element, len));
            let batch = Batch { columns: vec![Arc::clone(&column), elements], len };
            let results = self.operator.evaluate(&batch, context)?;
            for (row, answer) in answers.iter_mut().enumerate() {
                *answer = self.combine(*answer, truth(&results.datum(row)));
            }
        }
        let datums: Vec<Datum> = answers.into_iter().map(|answer| answer.map_or(Datum::Null, Datum::Bool)).collect();
        Ok(Vector::Column(Arc::new(Column::from_datums(Physical::Bool, &datums))))
    }

    fn combine(&self, so_far: Option<bool>, next: Option<bool>) -> Option<bool> {
        let decisive = Some(!self.all);
        if so_far == decisive || next == decisive {
            decisive
        } else if so_far.is_none() || next.is_none() {
            None
        } else {
            Some(self.all)
        }
    }

    /// One row: its value against all elements at once.
    fn one(&self, value: &Datum, array: &Datum, context: &EvalContext) -> Result<Datum> {
        let Datum::Array(array) = array else { return Ok(Datum::Null) };
        let len = array.elements.len();
        if len == 0 {
            return Ok(Datum::Bool(self.all));
        }
        let elements = Arc::new(Column::from_datums(array.element_type.physical, &array.elements));
        let left = Arc::new(Column::repeat(self.left_type.physical, value, len));
        let results = self.operator.evaluate(&Batch { columns: vec![left, elements], len }, context)?;
        let mut answer = Some(self.all);
        for at in 0..len {
            answer = self.combine(answer, truth(&results.datum(at)));
        }
        Ok(answer.map_or(Datum::Null, Datum::Bool))
    }
}

fn datum_physical(datum: &Datum, ty: SqlType) -> Physical {
    match datum {
        Datum::Text(_) if ty.physical == Physical::Any => Physical::Any,
        _ => ty.physical,
    }
}

impl Evaluate for ArrayCompare {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let left = self.left.evaluate(batch, context)?;
        if let Some(set) = &self.set {
            return Ok(set.probe(&left, batch.len));
        }
        let array = self.array.evaluate(batch, context)?;
        if batch.len == 1 {
            return self.one(&left.datum(0), &array.datum(0), context).map(Vector::Constant);
        }
        match &array {
            Vector::Constant(Datum::Array(array)) => self.same_array(&left, array, batch.len, context),
            Vector::Constant(_) => Ok(Vector::Constant(Datum::Null)),
            Vector::Column(arrays) => {
                let mut answers = Column::with_capacity(Physical::Bool, batch.len);
                for row in 0..batch.len {
                    answers.push(&self.one(&left.datum(row), &arrays.datum(row), context)?);
                }
                Ok(Vector::Column(Arc::new(answers)))
            }
        }
    }

    fn fallible(&self) -> bool {
        self.left.fallible() || self.array.fallible() || self.operator.fallible()
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.left.inputs(found);
        self.array.inputs(found);
    }
}
