//! `array[1]`, `array[1:2]`, `json['key']`, `(row).field`.

use expr::{
    Expr,
    expression::{Subscript, Written},
};
use pg_query::protobuf::{AIndices, AIndirection, Node, node::Node as Ast};
use types::{Datum, Error, Oid, Result, SqlState, SqlType};

use crate::{
    ast,
    coercion::{self, Context},
    state::{Binder, Typed},
    type_facts,
};

impl Binder<'_> {
    pub(crate) fn bind_indirection(&mut self, indirection: &AIndirection) -> Result<Typed> {
        let mut value = self.bind_child(&indirection.arg)?;
        let mut subscripts: Vec<&AIndices> = Vec::new();
        for step in &indirection.indirection {
            match ast::content(step)? {
                Ast::AIndices(indices) => subscripts.push(indices),
                Ast::String(field) => {
                    value = self.subscript(value, &std::mem::take(&mut subscripts))?;
                    value = self.select_field(value, &field.sval)?;
                }
                Ast::AStar(_) => {
                    let message = "row expansion via \"*\" is not supported here";
                    return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(value.position()));
                }
                _ => return Err(Error::unsupported("this kind of indirection")),
            }
        }
        self.subscript(value, &subscripts)
    }

    /// Applies subscripts to a container.
    fn subscript(&mut self, value: Typed, indices: &[&AIndices]) -> Result<Typed> {
        if indices.is_empty() {
            return Ok(value);
        }
        let location = value.location;
        if let ([index], Oid::NAME) = (indices, self.names.base_type(value.ty()).oid)
            && !index.is_slice
        {
            return self.character_of_name(value, index);
        }
        let (subscripts, ty) = self.bind_subscripts(value.ty(), indices, value.position())?;
        let base = self.names.base_type(value.ty());
        let mut operand = value.expr;
        if base.oid != operand.ty().oid {
            operand = Expr::Cast {
                operand: Box::new(operand),
                method: expr::expression::CastMethod::Relabel,
                ty: base,
                explicit: false,
                position: None,
            };
        }
        Ok(Typed::new(Expr::Subscript { operand: Box::new(operand), subscripts, ty }, location))
    }

    /// `name[i]`: the character at a place counted from zero, empty past the end.
    fn character_of_name(&mut self, value: Typed, index: &AIndices) -> Result<Typed> {
        let location = value.location;
        let place = self.bind_array_subscript(&index.uidx)?.ok_or_else(|| Error::internal("an index has a value"))?;
        let call = |name: &str, arguments: Vec<Expr>, ty: SqlType| -> Result<Expr> {
            let types: Vec<Oid> = arguments.iter().map(|argument| argument.ty().oid).collect();
            let function = catalog::builtin::builtins()
                .functions_named(name)
                .find(|function| function.argument_types == types)
                .ok_or_else(|| Error::internal(format!("{name} is built in")))?;
            Ok(Expr::Call { function, arguments, ty, collation: Oid::INVALID, written: Written::Call, position: None })
        };
        let relabel = |operand: Expr, ty: SqlType| Expr::Cast {
            operand: Box::new(operand),
            method: expr::expression::CastMethod::Relabel,
            ty,
            explicit: false,
            position: None,
        };
        let one = || Expr::constant(Datum::Int4(1), SqlType::INT4);
        let start = call("int4pl", vec![place, one()], SqlType::INT4)?;
        let character = call("substr", vec![relabel(value.expr, SqlType::TEXT), start, one()], SqlType::TEXT)?;
        Ok(Typed::new(relabel(character, SqlType::CHAR), location))
    }

    /// Subscripts of a container type and the type that they select.
    pub(crate) fn bind_subscripts(
        &mut self,
        container: SqlType,
        indices: &[&AIndices],
        position: Option<usize>,
    ) -> Result<(Vec<Subscript>, SqlType)> {
        let names = self.names.clone();
        let base = names.base_type(container);
        if base.oid == Oid::JSONB {
            return Ok((self.bind_json_subscripts(indices)?, SqlType::JSONB));
        }
        let Some(element) = type_facts::element(&names, base.oid) else {
            let message = format!(
                "cannot subscript type {} because it does not support subscripting",
                names.format_type_oid(container.oid)
            );
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).at(position));
        };
        /// MAXDIM
        const MOST_DIMENSIONS: usize = 6;
        if indices.len() > MOST_DIMENSIONS {
            let message =
                format!("number of array dimensions ({}) exceeds the maximum allowed ({MOST_DIMENSIONS})", indices.len());
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        let slice = indices.iter().any(|index| index.is_slice);
        let mut subscripts = Vec::with_capacity(indices.len());
        for index in indices {
            let upper = self.bind_array_subscript(&index.uidx)?;
            subscripts.push(match (slice, index.is_slice) {
                (false, _) => Subscript::Index(upper.ok_or_else(|| Error::internal("an index has a value"))?),
                (true, true) => Subscript::Slice(self.bind_array_subscript(&index.lidx)?, upper),
                // Beside a slice, a plain index means the elements up to it.
                (true, false) => Subscript::Slice(Some(Expr::constant(Datum::Int4(1), SqlType::INT4)), upper),
            });
        }
        let ty = if slice { base } else { element.with_typmod(base.typmod) };
        Ok((subscripts, ty))
    }

    fn bind_array_subscript(&mut self, node: &Option<Box<Node>>) -> Result<Option<Expr>> {
        let Some(node) = ast::present(node) else { return Ok(None) };
        let typed = self.bind_expr(node)?;
        let position = typed.position();
        self.coerce_to(typed, SqlType::INT4, Context::Assignment)?
            .map(Some)
            .ok_or_else(|| Error::new(SqlState::DATATYPE_MISMATCH, "array subscript must have type integer").at(position))
    }

    fn bind_json_subscripts(&mut self, indices: &[&AIndices]) -> Result<Vec<Subscript>> {
        let mut subscripts = Vec::with_capacity(indices.len());
        for index in indices {
            if index.is_slice {
                let at = index.uidx.as_deref().or(index.lidx.as_deref()).map_or(-1, ast::location);
                let message = "jsonb subscript does not support slices";
                return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).at(ast::position(at)));
            }
            let typed = self.bind_child(&index.uidx)?;
            let (source, position) = (typed.ty().oid, typed.position());
            let to = |target| coercion::can_coerce(&self.names, &[source], &[target], Context::Implicit);
            let target = match (source, to(Oid::INT4), to(Oid::TEXT)) {
                (Oid::UNKNOWN, ..) => SqlType::TEXT,
                (_, true, false) => SqlType::INT4,
                (_, false, true) => SqlType::TEXT,
                (_, true, true) => {
                    let message = format!("subscript type {} is not supported", self.names.format_type_oid(source));
                    return Err(Error::new(SqlState::DATATYPE_MISMATCH, message)
                        .hint("jsonb subscript must be coercible to only one type, integer or text.")
                        .at(position));
                }
                _ => {
                    let message = format!("subscript type {} is not supported", self.names.format_type_oid(source));
                    return Err(Error::new(SqlState::DATATYPE_MISMATCH, message)
                        .hint("jsonb subscript must be coercible to either integer or text.")
                        .at(position));
                }
            };
            subscripts.push(Subscript::Index(self.coerce(typed, target, Context::Implicit)?));
        }
        Ok(subscripts)
    }

    /// `(row).field`, else `field(row)`.
    pub(crate) fn select_field(&mut self, value: Typed, field: &str) -> Result<Typed> {
        let location = value.location;
        let position = value.position();
        if let Some((names, types)) = self.row_fields(&value.expr)
            && let Some(at) = names.iter().position(|name| **name == *field)
        {
            return Ok(Typed::new(self.field_of(value.expr, at, types[at]), location));
        }
        let ty = value.ty().oid;
        if let Some(called) = self.try_function_on_row(field, value, location)? {
            return Ok(called);
        }
        let names = &self.names;
        Err(if type_facts::is_composite(names, type_facts::base(names, ty)) {
            let message = format!("column \"{field}\" not found in data type {}", names.format_type_oid(ty));
            Error::new(SqlState::UNDEFINED_COLUMN, message)
        } else if ty == Oid::RECORD {
            Error::new(SqlState::UNDEFINED_COLUMN, format!("could not identify column \"{field}\" in record data type"))
        } else {
            let message =
                format!("column notation .{field} applied to type {}, which is not a composite type", names.format_type_oid(ty));
            Error::new(SqlState::WRONG_OBJECT_TYPE, message)
        }
        .at(position))
    }
}

impl Binder<'_> {
    /// A field of a row value; of a row that is being made here, or of a whole row of FROM, the field's own expression.
    pub(crate) fn field_of(&mut self, value: Expr, field: usize, ty: SqlType) -> Expr {
        if let Some(column) = self.analysed_field(&value, field) {
            return column;
        }
        match value {
            Expr::Row { mut fields, .. } if field < fields.len() && !self.analysing() => fields.swap_remove(field),
            other => Expr::Field { operand: Box::new(other), field, ty },
        }
    }
}
