//! Casts, by every [`CastMethod`].
//!
//! The rule: NULL casts to NULL without running anything but a domain's checks.

use std::sync::Arc;

use catalog::builtin::{BuiltinFunction, builtins};
use storage::Column;
use types::{Array, Datum, Error, Oid, Physical, Record, Result, SqlState, SqlType, text_format};

use super::{Compiler, Evaluate, Node, call, folding, leaf};
use crate::{
    Batch, EvalContext, Vector,
    expression::{CastMethod, DomainName},
    functions::room::check_cast,
};

pub(crate) fn cast(operand: Node, from: SqlType, method: &CastMethod, ty: SqlType, explicit: bool) -> Result<Node> {
    match method {
        CastMethod::Relabel => Ok(relabel(operand, from, ty)),
        CastMethod::Function(function) => by_function(operand, from, function, ty, explicit),
        CastMethod::InputOutput => {
            let converted = fold_constant(Arc::new(InputOutput { operand, from, ty }), from, ty);
            if ty.typmod >= 0 { length(converted, ty, explicit) } else { Ok(converted) }
        }
        CastMethod::Length => length(operand, ty, explicit),
        CastMethod::Array(method, element) => array(operand, from, method, *element, ty, explicit),
        CastMethod::Domain { domain, not_null, checks } => {
            let compiler = Compiler { layout: &[] };
            let checks = checks
                .iter()
                .map(|(name, check)| Ok((Arc::clone(name), compiler.compile(check)?)))
                .collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(Domain { operand, not_null: *not_null, domain: Arc::clone(domain), checks, ty }))
        }
        CastMethod::Both { first, between, then } => {
            let node = cast(operand, from, first, *between, explicit)?;
            cast(node, *between, then, ty, explicit)
        }
        CastMethod::Row(methods) => Ok(Arc::new(RowCast { operand, methods: methods.clone(), ty, explicit })),
    }
}

/// A value under another type of the same representation. oid and integer are of one representation in PostgreSQL but not here.
fn relabel(operand: Node, from: SqlType, ty: SqlType) -> Node {
    let changes = from.physical != ty.physical || element_of(ty.oid).is_some_and(|element| element_of(from.oid) != Some(element));
    if !changes {
        return operand;
    }
    let node: Node = Arc::new(Relabel { operand, ty });
    match node_constant(&node) {
        Some(value) => Arc::new(leaf::Constant(value)),
        None => node,
    }
}

fn node_constant(node: &Node) -> Option<Datum> {
    let mut inputs = Vec::new();
    node.inputs(&mut inputs);
    node.constant().is_some().then(|| folding::fold(&**node)).flatten()
}

fn element_of(oid: Oid) -> Option<Oid> {
    builtins().type_by_oid(oid).filter(|ty| ty.category == 'A').map(|ty| ty.element)
}

#[derive(Debug)]
struct Relabel {
    operand: Node,
    ty: SqlType,
}

impl Relabel {
    fn convert(&self, datum: Datum) -> Datum {
        match (datum, self.ty.physical) {
            (Datum::Int4(value), Physical::Oid) => Datum::Oid(Oid(value as u32)),
            (Datum::Oid(value), Physical::Int4) => Datum::Int4(value.0 as i32),
            (Datum::Array(array), _) => match element_of(self.ty.oid) {
                Some(element) => Datum::Array(Arc::new(Array { element_type: SqlType::of(element), ..(*array).clone() })),
                None => Datum::Array(array),
            },
            (other, _) => other,
        }
    }
}

impl Evaluate for Relabel {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        map_rows(self.operand.evaluate(batch, context)?, batch.len, self.ty.physical, |datum| Ok(self.convert(datum)))
    }

    fn fallible(&self) -> bool {
        self.operand.fallible()
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
    }
}

/// Converts each value that is not NULL.
fn map_rows(vector: Vector, len: usize, physical: Physical, convert: impl Fn(Datum) -> Result<Datum>) -> Result<Vector> {
    let convert = |datum: Datum| if datum.is_null() { Ok(datum) } else { convert(datum) };
    match vector {
        Vector::Constant(datum) => Ok(Vector::Constant(convert(datum)?)),
        Vector::Column(column) if len == 1 => Ok(Vector::Constant(convert(column.datum(0))?)),
        Vector::Column(column) => {
            let mut converted = Column::with_capacity(physical, len);
            for row in 0..len {
                converted.push(&convert(column.datum(row))?);
            }
            Ok(Vector::Column(Arc::new(converted)))
        }
    }
}

/// By a function of the value, perhaps the modifier, perhaps whether the cast is explicit.
fn by_function(operand: Node, from: SqlType, function: &'static BuiltinFunction, ty: SqlType, explicit: bool) -> Result<Node> {
    let mut arguments = vec![operand];
    let mut types = vec![from];
    if function.argument_types.len() > 1 {
        arguments.push(Arc::new(leaf::Constant(Datum::Int4(ty.typmod))));
        types.push(SqlType::INT4);
    }
    if function.argument_types.len() > 2 {
        arguments.push(Arc::new(leaf::Constant(Datum::Bool(explicit))));
        types.push(SqlType::BOOL);
    }
    call::call(function, arguments, types, ty, Oid::INVALID)
}

/// Applies a type modifier: by the function of the type's cast to itself.
pub(crate) fn length(operand: Node, ty: SqlType, explicit: bool) -> Result<Node> {
    if let Some(element) = element_of(ty.oid) {
        let element = SqlType::of(element).with_typmod(ty.typmod);
        return array(operand, ty, &CastMethod::Length, element, ty, explicit);
    }
    match builtins().cast(ty.oid, ty.oid).and_then(|cast| builtins().function(cast.function)) {
        Some(function) => by_function(operand, ty, function, ty, explicit),
        None => Ok(operand),
    }
}

/// Types whose text form depends on no setting and no catalog, so that a constant may be converted while compiling.
fn plain_text_form(oid: Oid) -> bool {
    matches!(
        oid,
        Oid::BOOL
            | Oid::INT2
            | Oid::INT4
            | Oid::INT8
            | Oid::NUMERIC
            | Oid::TEXT
            | Oid::VARCHAR
            | Oid::BPCHAR
            | Oid::NAME
            | Oid::UNKNOWN
            | Oid::UUID
            | Oid::JSON
            | Oid::JSONB
    )
}

fn fold_constant(node: Arc<InputOutput>, from: SqlType, ty: SqlType) -> Node {
    if node.operand.constant().is_some()
        && plain_text_form(from.oid)
        && plain_text_form(ty.oid)
        && let Some(value) = folding::fold(&*node)
    {
        return Arc::new(leaf::Constant(value));
    }
    node
}

/// Through the text form.
#[derive(Debug)]
struct InputOutput {
    operand: Node,
    from: SqlType,
    ty: SqlType,
}

impl Evaluate for InputOutput {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let (from, ty) = (self.from, self.ty.with_typmod(-1));
        let to_text = ty.is_string() && !matches!(ty.oid, Oid::NAME | Oid::CHAR);
        map_rows(self.operand.evaluate(batch, context)?, batch.len, ty.physical, |datum| {
            check_cast(&datum, from, ty, context)?;
            if let Datum::Text(text) = &datum
                && from.is_string()
            {
                return text_format::datum_from_text(text, ty, &context.format, &*context.resolver);
            }
            let mut text = String::new();
            text_format::datum_to_text(&datum, from, &context.format, &*context.resolver, &mut text);
            if to_text {
                return Ok(Datum::Text(text.into()));
            }
            text_format::datum_from_text(&text, ty, &context.format, &*context.resolver)
        })
    }

    fn fallible(&self) -> bool {
        true
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
    }
}

/// Element by element.
#[derive(Debug)]
struct ArrayCast {
    operand: Node,
    /// The element's cast, over a batch of one column.
    element: Node,
    from_element: Physical,
    element_type: SqlType,
}

fn array(operand: Node, from: SqlType, method: &CastMethod, element: SqlType, ty: SqlType, explicit: bool) -> Result<Node> {
    let from_element = element_of(from.oid).map_or(element, SqlType::of);
    let cast = cast(Arc::new(leaf::Position(0)), from_element, method, element.with_typmod(ty.typmod), explicit)?;
    Ok(Arc::new(ArrayCast { operand, element: cast, from_element: from_element.physical, element_type: element.with_typmod(-1) }))
}

impl Evaluate for ArrayCast {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        map_rows(self.operand.evaluate(batch, context)?, batch.len, Physical::Any, |datum| {
            check_cast(&datum, self.element_type, self.element_type, context)?;
            let Datum::Array(array) = datum else { unreachable!("an array cast over {datum:?}") };
            let len = array.elements.len();
            let mut converted = Array { element_type: self.element_type, ..(*array).clone() };
            if len > 0 {
                let elements = Column::from_datums(self.from_element, &array.elements);
                let values = self.element.evaluate(&Batch::new(vec![Arc::new(elements)], len), context)?;
                converted.elements = (0..len).map(|at| values.datum(at)).collect();
            }
            Ok(Datum::Array(Arc::new(converted)))
        })
    }

    fn fallible(&self) -> bool {
        self.operand.fallible() || self.element.fallible()
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
    }
}

/// To a domain: the value is the base type's already; the constraints are checked, over NULLs too.
#[derive(Debug)]
struct Domain {
    operand: Node,
    not_null: bool,
    domain: Arc<DomainName>,
    checks: Vec<(Arc<str>, Node)>,
    ty: SqlType,
}

impl Domain {
    fn violation(&self, sqlstate: SqlState, message: String) -> Error {
        let mut error = Error::new(sqlstate, message);
        let fields = error.fields_mut();
        fields.schema = Some(self.domain.schema.clone());
        fields.data_type = Some(self.domain.name.clone());
        error
    }
}

impl Evaluate for Domain {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        let column = self.operand.evaluate(batch, context)?.into_column(self.ty.physical, batch.len);
        if self.not_null && (0..batch.len).any(|row| column.is_null(row)) {
            let message = format!("domain {} does not allow null values", self.domain.printed);
            return Err(self.violation(SqlState::NOT_NULL_VIOLATION, message));
        }
        let values = Batch { columns: vec![Arc::clone(&column)], len: batch.len };
        for (name, check) in &self.checks {
            let result = check.evaluate(&values, context)?;
            if (0..batch.len).any(|row| matches!(result.datum(row), Datum::Bool(false))) {
                let message = format!("value for domain {} violates check constraint \"{name}\"", self.domain.printed);
                return Err(self.violation(SqlState::CHECK_VIOLATION, message).of_constraint(&**name));
            }
        }
        Ok(Vector::Column(column))
    }

    fn fallible(&self) -> bool {
        true
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
    }
}

/// A row value to another row type, field by field.
#[derive(Debug)]
struct RowCast {
    operand: Node,
    methods: Vec<CastMethod>,
    ty: SqlType,
    explicit: bool,
}

impl RowCast {
    fn convert(&self, record: &Record, context: &EvalContext) -> Result<Datum> {
        let (names, types) = match context.resolver.composite_fields(self.ty.oid) {
            Some(fields) => fields,
            None => (Arc::clone(&record.field_names), Arc::clone(&record.field_types)),
        };
        let mut fields = Vec::with_capacity(self.methods.len());
        for (at, method) in self.methods.iter().enumerate() {
            let (Some(value), Some(from), Some(to)) = (record.fields.get(at), record.field_types.get(at), types.get(at)) else {
                return Err(Error::new(SqlState::CANNOT_COERCE, "cannot cast a row value of another number of fields"));
            };
            let node = cast(Arc::new(leaf::Constant(value.clone())), *from, method, *to, self.explicit)?;
            fields.push(node.evaluate(&Batch::unit(), context)?.datum(0));
        }
        Ok(Datum::Record(Arc::new(Record { type_oid: self.ty.oid, fields, field_types: types, field_names: names })))
    }
}

impl Evaluate for RowCast {
    fn evaluate(&self, batch: &Batch, context: &EvalContext) -> Result<Vector> {
        map_rows(self.operand.evaluate(batch, context)?, batch.len, Physical::Any, |datum| match datum {
            Datum::Record(record) => self.convert(&record, context),
            other => Ok(other),
        })
    }

    fn fallible(&self) -> bool {
        true
    }

    fn inputs(&self, found: &mut Vec<usize>) {
        self.operand.inputs(found);
    }
}
