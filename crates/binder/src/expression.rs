//! Expressions: one dispatch over the raw tree (transformExpr); each construct is in a file of its own.

use expr::{Expr, expression::SessionValue};
use pg_query::protobuf::{
    AExpr, AExprKind, CollateClause, Node, SqlValueFunction, SqlValueFunctionOp, TypeCast, TypeName, node::Node as Ast,
};
use types::{Error, Oid, Result, SqlState, SqlType};

use crate::{
    ast,
    coercion::Context,
    deparse::Mending,
    state::{Binder, Typed},
    type_facts, type_name,
};

impl Binder<'_> {
    /// Binds an expression of the innermost level, in its current clause.
    pub(crate) fn bind_expr(&mut self, node: &Node) -> Result<Typed> {
        match ast::content(node)? {
            Ast::AConst(constant) => self.bind_constant(constant),
            Ast::ColumnRef(reference) => self.bind_column_reference(reference),
            Ast::ParamRef(parameter) => self.bind_parameter(parameter.number, parameter.location),
            other => self.deeper(|binder| binder.bind_construct(other)),
        }
    }

    fn bind_construct(&mut self, ast: &Ast) -> Result<Typed> {
        match ast {
            Ast::AExpr(expression) => self.bind_operator_expression(expression),
            Ast::FuncCall(call) => self.bind_function_call(call),
            Ast::TypeCast(cast) => self.bind_cast(cast),
            Ast::BoolExpr(expression) => self.bind_boolean_expression(expression),
            Ast::NullTest(test) => self.bind_null_test(test),
            Ast::BooleanTest(test) => self.bind_boolean_test(test),
            Ast::CaseExpr(case) => self.bind_case(case),
            Ast::CoalesceExpr(coalesce) => self.bind_coalesce(coalesce),
            Ast::MinMaxExpr(extreme) => self.bind_extreme(extreme),
            Ast::SubLink(link) => self.bind_sublink(link),
            Ast::AIndirection(indirection) => self.bind_indirection(indirection),
            Ast::AArrayExpr(array) => self.bind_array(array, None),
            Ast::RowExpr(row) => self.bind_row(row),
            Ast::CollateClause(clause) => self.bind_collate(clause),
            Ast::SqlvalueFunction(function) => bind_value_function(function),
            Ast::GroupingFunc(grouping) => self.bind_grouping(grouping),
            Ast::SetToDefault(default) => {
                let message = "DEFAULT is not allowed in this context";
                Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(default.location)))
            }
            Ast::CurrentOfExpr(_) => Err(Error::unsupported("WHERE CURRENT OF")),
            Ast::MultiAssignRef(reference) => Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
            )
            .at(reference.source.as_deref().map(ast::location).and_then(ast::position))),
            Ast::NamedArgExpr(argument) => {
                Err(Error::new(SqlState::SYNTAX_ERROR, "named arguments are not allowed here")
                    .at(ast::position(argument.location)))
            }
            Ast::XmlExpr(_) | Ast::XmlSerialize(_) => Err(Error::unsupported("XML expressions")),
            Ast::JsonIsPredicate(predicate) => Err(Error::unsupported("IS JSON").at(ast::position(predicate.location))),
            Ast::JsonFuncExpr(_)
            | Ast::JsonObjectConstructor(_)
            | Ast::JsonArrayConstructor(_)
            | Ast::JsonArrayQueryConstructor(_)
            | Ast::JsonObjectAgg(_)
            | Ast::JsonArrayAgg(_)
            | Ast::JsonParseExpr(_)
            | Ast::JsonScalarExpr(_)
            | Ast::JsonSerializeExpr(_) => Err(Error::unsupported("SQL/JSON constructors and query functions")),
            Ast::MergeSupportFunc(_) => Err(Error::unsupported("MERGE_ACTION")),
            _ => Err(Error::unsupported("this kind of expression")),
        }
    }

    /// Binds an expression where one could stand in place of a default: a child the grammar always has.
    pub(crate) fn bind_child(&mut self, child: &Option<Box<Node>>) -> Result<Typed> {
        let node = ast::required(child)?;
        self.bind_expr(node)
    }

    fn bind_operator_expression(&mut self, expression: &AExpr) -> Result<Typed> {
        match expression.kind() {
            AExprKind::AexprOp => self.bind_operator(expression),
            AExprKind::AexprOpAny => self.bind_array_operator(expression, false),
            AExprKind::AexprOpAll => self.bind_array_operator(expression, true),
            AExprKind::AexprDistinct => self.bind_distinct(expression, false),
            AExprKind::AexprNotDistinct => self.bind_distinct(expression, true),
            AExprKind::AexprNullif => self.bind_nullif(expression),
            AExprKind::AexprIn => self.bind_in_list(expression),
            AExprKind::AexprLike | AExprKind::AexprIlike | AExprKind::AexprSimilar => self.bind_operator(expression),
            AExprKind::AexprBetween | AExprKind::AexprNotBetween | AExprKind::AexprBetweenSym | AExprKind::AexprNotBetweenSym => {
                self.bind_between(expression)
            }
            AExprKind::Undefined => Err(Error::internal("expression of no kind")),
        }
    }

    /// `x::type`, `CAST(x AS type)`, `type 'literal'`.
    fn bind_cast(&mut self, cast: &TypeCast) -> Result<Typed> {
        let names = self.names.clone();
        let written = ast::required(&cast.type_name)?;
        let target = type_name::resolve(written, &names)?;
        self.mend_type(written, target);
        let argument = ast::required(&cast.arg)?;
        let typed = match ast::content(argument)? {
            // ARRAY[...]::type[] makes its elements of that type at once.
            Ast::AArrayExpr(array) => {
                let base = names.base_type(target);
                match type_facts::element(&names, base.oid) {
                    Some(element) => self.bind_array(array, Some((base, element.with_typmod(base.typmod))))?,
                    None => self.bind_expr(argument)?,
                }
            }
            _ => self.bind_expr(argument)?,
        };
        let source = typed.ty();
        if source.oid == Oid::INVALID {
            return Ok(typed);
        }
        let location = if cast.location < 0 { typed.location } else { cast.location };
        // A literal that the cast makes a constant of is where it was written.
        let is_literal = source.oid == Oid::UNKNOWN && matches!(ast::content(argument)?, Ast::AConst(_));
        let start = if is_literal {
            typed.location
        } else {
            ast::leftmost(typed.location, ast::leftmost(cast.location, cast.type_name.as_ref().map_or(-1, |ty| ty.location)))
        };
        let position = typed.position().filter(|_| cast.location < 0).or(ast::position(location));
        match self.coerce_to(typed, target, Context::Explicit)? {
            Some(expr) => Ok(Typed::new(expr, start)),
            None => Err(Error::new(
                SqlState::CANNOT_COERCE,
                format!("cannot cast type {} to {}", names.format_type_oid(source.oid), names.format_type_oid(target.oid)),
            )
            .at(position)),
        }
    }

    /// Where a definition is printed, the names of users' types get their schema.
    pub(crate) fn mend_type(&mut self, written: &TypeName, ty: SqlType) {
        let location = written.location;
        if written.names.len() == 1 {
            self.mend_text(location, |binder| {
                let names = &binder.names;
                let named = if written.array_bounds.is_empty() { ty.oid } else { type_facts::element(names, ty.oid)?.oid };
                let (_, schema) = names.type_name_and_schema(named)?;
                let schema = names.schema_name(schema).filter(|schema| **schema != *"pg_catalog")?.to_string();
                Some(Mending::Qualify { location, schema })
            });
        }
    }

    /// `x COLLATE name`: collations that order bytes are taken as the default one.
    fn bind_collate(&mut self, clause: &CollateClause) -> Result<Typed> {
        let typed = self.bind_child(&clause.arg)?;
        let position = ast::position(clause.location);
        let ty = typed.ty();
        if ty.oid != Oid::UNKNOWN && !type_facts::is_collatable(&self.names, ty.oid) {
            let message = format!("collations are not supported by type {}", self.names.format_type_oid(ty.oid));
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).at(position));
        }
        let collation = collation(&ast::names(&clause.collname)).map_err(|error| error.at(position))?;
        let location = ast::leftmost(typed.location, clause.location);
        Ok(Typed::new(Expr::Collate { operand: Box::new(typed.expr), collation }, location))
    }
}

/// The collation of a name. Errors: 42704.
pub(crate) fn collation(name: &[&str]) -> Result<Oid> {
    match name {
        ["C" | "POSIX" | "ucs_basic"] | ["pg_catalog", "C" | "POSIX" | "ucs_basic"] => Ok(Oid::C_COLLATION),
        ["default"] | ["pg_catalog", "default"] => Ok(Oid::DEFAULT_COLLATION),
        _ => {
            let message = format!("collation \"{}\" for encoding \"UTF8\" does not exist", name.join("."));
            Err(Error::new(SqlState::UNDEFINED_OBJECT, message))
        }
    }
}

/// CURRENT_DATE, CURRENT_USER and the other functions without parentheses.
fn bind_value_function(function: &SqlValueFunction) -> Result<Typed> {
    use SqlValueFunctionOp as Op;
    let (value, ty) = match function.op() {
        Op::SvfopCurrentDate => (SessionValue::CurrentDate, SqlType::DATE),
        Op::SvfopCurrentTime | Op::SvfopCurrentTimeN => (SessionValue::CurrentTime, SqlType::TIMETZ),
        Op::SvfopCurrentTimestamp | Op::SvfopCurrentTimestampN => (SessionValue::CurrentTimestamp, SqlType::TIMESTAMPTZ),
        Op::SvfopLocaltime | Op::SvfopLocaltimeN => (SessionValue::LocalTime, SqlType::TIME),
        Op::SvfopLocaltimestamp | Op::SvfopLocaltimestampN => (SessionValue::LocalTimestamp, SqlType::TIMESTAMP),
        Op::SvfopCurrentUser => (SessionValue::CurrentUser, SqlType::NAME),
        Op::SvfopCurrentRole => (SessionValue::CurrentRole, SqlType::NAME),
        Op::SvfopUser => (SessionValue::User, SqlType::NAME),
        Op::SvfopSessionUser => (SessionValue::SessionUser, SqlType::NAME),
        Op::SvfopCurrentCatalog => (SessionValue::CurrentCatalog, SqlType::NAME),
        Op::SvfopCurrentSchema => (SessionValue::CurrentSchema, SqlType::NAME),
        Op::SqlvalueFunctionOpUndefined => return Err(Error::internal("value function of no kind")),
    };
    let with_precision = matches!(
        function.op(),
        Op::SvfopCurrentTimeN | Op::SvfopCurrentTimestampN | Op::SvfopLocaltimeN | Op::SvfopLocaltimestampN
    );
    let typmod = match (with_precision, function.typmod) {
        (true, precision) if precision >= 0 => precision.min(6),
        _ => -1,
    };
    Ok(Typed::new(Expr::Session { value, ty: ty.with_typmod(typmod) }, function.location))
}
