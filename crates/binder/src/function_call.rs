//! Function calls (ParseFuncOrColumn): plain, aggregate, window and set-returning ones, conversions in function form, and `field(row)`.

use std::sync::Arc;

use catalog::builtin::{BuiltinFunction, builtins};
use expr::{Expr, expression::Written};
use pg_query::protobuf::{CoercionForm, FuncCall, Node, node::Node as Ast};
use plan::logical::SetCall;
use types::{Datum, Error, Oid, Result, SqlState, SqlType};

use crate::{
    ExpressionKind, ast,
    coercion::Context,
    expression_kind::Construct,
    function_resolution::{self, Candidate, Resolution},
    generic, same,
    state::{Binder, Typed},
    type_facts,
};

/// What a call turned out to be.
pub(crate) enum Called {
    Value(Typed),
    Set(SetCall, i32),
}

/// A call's arguments, bound.
pub(crate) struct Arguments {
    pub(crate) values: Vec<Typed>,
    /// Names of the trailing named ones.
    pub(crate) names: Vec<String>,
    /// How many of `values` come from WITHIN GROUP (ORDER BY ...).
    pub(crate) ordered: usize,
}

impl Arguments {
    fn types(&self) -> Vec<Oid> {
        self.values.iter().map(|value| value.ty().oid).collect()
    }
}

impl Binder<'_> {
    pub(crate) fn bind_function_call(&mut self, call: &FuncCall) -> Result<Typed> {
        match self.resolve_call(call)? {
            Called::Value(typed) => Ok(typed),
            Called::Set(set, location) => self.place_set(set, location),
        }
    }

    /// A set-returning call inside an expression: its rows come from a ProjectSet below.
    fn place_set(&mut self, set: SetCall, location: i32) -> Result<Typed> {
        let position = ast::position(location);
        let refuse = |message: &str| Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(position));
        if self.level().kind == ExpressionKind::FromFunction {
            return refuse("set-returning functions must appear at top level of FROM");
        }
        if let Some(refusal) = self.level().kind.refusal(Construct::SetReturning) {
            return refuse(&refusal);
        }
        if self.level().inside_aggregate > 0 {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "aggregate function calls cannot contain set-returning function calls",
            )
            .hint("You might be able to move the set-returning function into a LATERAL FROM item.")
            .at(position));
        }
        // A clause that repeats a call of the target list means it.
        let repeats = matches!(self.level().kind, ExpressionKind::GroupBy | ExpressionKind::OrderBy | ExpressionKind::DistinctOn);
        let known = self.level().sets.iter().find(|(_, other)| repeats && same::same_set_call(other, &set));
        if let Some((id, _)) = known {
            return Ok(Typed::new(Expr::Column { id: *id, ty: set.ty }, location));
        }
        let given = self.new_given(set.ty);
        self.level_mut().sets.push((given.id, set));
        Ok(Typed::new(Expr::Column { id: given.id, ty: given.ty }, location))
    }

    /// Binds the arguments and decides what the call means.
    pub(crate) fn resolve_call(&mut self, call: &FuncCall) -> Result<Called> {
        let name = ast::names(&call.funcname);
        let (schema, bare) = ast::qualified(&name);
        let may_aggregate = builtins().functions_named(bare).any(|function| matches!(function.kind, 'a' | 'w'));
        let marks: Vec<usize> =
            if may_aggregate { self.levels.iter().map(|level| level.references.len()).collect() } else { Vec::new() };
        if may_aggregate && call.over.is_none() {
            self.level_mut().inside_aggregate += 1;
        }
        let arguments = self.bind_arguments(call);
        if may_aggregate && call.over.is_none() {
            self.level_mut().inside_aggregate -= 1;
        }
        let arguments = arguments?;
        let start = arguments.values.first().map_or(call.location, |first| match call.args.is_empty() {
            true => call.location,
            false => ast::leftmost(call.location, first.location),
        });
        // All functions of one name are in one schema: pg_catalog, or information_schema for its few.
        let mut of_name = builtins().functions_named(bare);
        let in_catalog = match schema {
            None => of_name.next().is_none_or(|function| self.names.function_is_visible(function)),
            Some("pg_catalog") => true,
            Some(schema) => {
                let schema = self.names.schema(schema).map_err(|error| error.at(ast::position(call.location)))?;
                of_name.any(|function| function.schema == schema)
            }
        };
        let types = arguments.types();
        let named: Vec<&str> = arguments.names.iter().map(String::as_str).collect();
        let plain =
            !call.agg_star && !call.agg_distinct && call.agg_order.is_empty() && call.agg_filter.is_none() && call.over.is_none();
        let castable = plain && !call.func_variadic && in_catalog;
        let resolution = if in_catalog {
            function_resolution::resolve(&self.names, bare, &types, &named, !call.func_variadic, castable)
        } else {
            Resolution::NotFound
        };
        match resolution {
            Resolution::Found(candidate) => {
                self.check_decorations(call, candidate.function, &name)?;
                self.access.call(candidate.function.oid);
                match (candidate.function.kind, &call.over) {
                    ('a', None) => self.bind_aggregate(call, candidate, arguments, marks, start).map(Called::Value),
                    ('a' | 'w', Some(over)) => self.bind_window_call(call, over, candidate, arguments, start).map(Called::Value),
                    _ => self.plain_call(call, candidate, arguments, start),
                }
            }
            Resolution::Coercion(target) => {
                let argument =
                    arguments.values.into_iter().next().ok_or_else(|| Error::internal("a conversion has an argument"))?;
                let converted = self.coerce(argument, target, Context::Explicit)?;
                Ok(Called::Value(Typed::new(converted, start)))
            }
            Resolution::NotFound | Resolution::Ambiguous => {
                let ambiguous = matches!(resolution, Resolution::Ambiguous);
                if plain
                    && !ambiguous
                    && schema.is_none()
                    && let [argument] = &arguments.values[..]
                    && let Some((names, types)) = self.row_fields(&argument.expr)
                    && let Some(at) = names.iter().position(|known| **known == *bare)
                {
                    let field = self.field_of(argument.expr.clone(), at, types[at]);
                    return Ok(Called::Value(Typed::new(field, start)));
                }
                Err(self.undefined_function(call, &name, &arguments, ambiguous))
            }
        }
    }

    fn bind_arguments(&mut self, call: &FuncCall) -> Result<Arguments> {
        let mut arguments = Arguments { values: Vec::with_capacity(call.args.len()), names: Vec::new(), ordered: 0 };
        for node in &call.args {
            match ast::content(node)? {
                Ast::NamedArgExpr(named) => {
                    if arguments.names.contains(&named.name) {
                        let message = format!("argument name \"{}\" used more than once", named.name);
                        return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(named.location)));
                    }
                    let value = self.bind_child(&named.arg)?;
                    arguments.values.push(value);
                    arguments.names.push(named.name.clone());
                }
                _ => {
                    if !arguments.names.is_empty() {
                        let message = "positional argument cannot follow named argument";
                        return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(ast::location(node))));
                    }
                    arguments.values.push(self.bind_expr(node)?);
                }
            }
        }
        if call.agg_within_group {
            for node in &call.agg_order {
                let Ast::SortBy(sort) = ast::content(node)? else { return Err(Error::internal("ORDER BY holds sort items")) };
                let value = self.bind_child(&sort.node)?;
                arguments.values.push(value);
                arguments.ordered += 1;
            }
        }
        Ok(arguments)
    }

    /// 42809 for aggregate or window syntax on a function of another kind.
    fn check_decorations(&self, call: &FuncCall, function: &BuiltinFunction, name: &[&str]) -> Result<()> {
        let name = name.join(".");
        let position = ast::position(call.location);
        let wrong = |message: String| Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message).at(position));
        match function.kind {
            'p' => {
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("{name}({}) is a procedure", ""))
                    .hint("To call a procedure, use CALL.")
                    .at(position));
            }
            'a' => {
                let ordered_set = builtins().aggregate(function.oid).is_some_and(|aggregate| aggregate.kind != 'n');
                if ordered_set && !call.agg_within_group {
                    return wrong(format!("WITHIN GROUP is required for ordered-set aggregate {name}"));
                }
                if ordered_set && call.over.is_some() {
                    let message = format!("OVER is not supported for ordered-set aggregate {name}");
                    return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(position));
                }
                if !ordered_set && call.agg_within_group {
                    return wrong(format!("{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP"));
                }
                if call.args.is_empty() && !call.agg_star && !call.agg_within_group {
                    return wrong(format!("{name}(*) must be used to call a parameterless aggregate function"));
                }
            }
            'w' => {
                if call.over.is_none() {
                    return wrong(format!("window function {name} requires an OVER clause"));
                }
                if call.agg_within_group {
                    return wrong(format!("window function {name} cannot have WITHIN GROUP"));
                }
            }
            _ => {
                let specified = if call.agg_star {
                    format!("{name}(*)")
                } else if call.agg_distinct {
                    "DISTINCT".to_string()
                } else if call.agg_within_group {
                    "WITHIN GROUP".to_string()
                } else if !call.agg_order.is_empty() {
                    "ORDER BY".to_string()
                } else if call.agg_filter.is_some() {
                    "FILTER".to_string()
                } else if call.over.is_some() {
                    return wrong(format!("OVER specified, but {name} is not a window function nor an aggregate function"));
                } else {
                    return Ok(());
                };
                return wrong(format!("{specified} specified, but {name} is not an aggregate function"));
            }
        }
        Ok(())
    }

    fn plain_call(&mut self, call: &FuncCall, candidate: Candidate, arguments: Arguments, start: i32) -> Result<Called> {
        let function = candidate.function;
        let argument_names = arguments.names;
        let (arguments, ty, collation) = self.finish_arguments(call, &candidate, arguments.values)?;
        if function.returns_set {
            return Ok(Called::Set(SetCall { function, arguments, ty, columns: None }, call.location));
        }
        let gathered = candidate.expanded > 0 && function.variadic != Oid::ANY;
        let written = match call.funcformat() {
            CoercionForm::CoerceSqlSyntax => Written::Syntax,
            _ if call.func_variadic || gathered => Written::Variadic,
            _ => Written::Call,
        };
        let expr = Expr::Call { function, arguments, ty, collation, written, position: None };
        if self.analysing() && !argument_names.is_empty() {
            let names = argument_names.iter().map(|name| name.as_str().into()).collect();
            return Ok(Called::Value(Typed::new(self.named_call(expr, names), start)));
        }
        Ok(Called::Value(Typed::new(expr, start)))
    }

    /// Adds defaults, resolves polymorphic types, converts, and gathers VARIADIC: final arguments, result type and collation.
    pub(crate) fn finish_arguments(
        &mut self,
        call: &FuncCall,
        candidate: &Candidate,
        mut values: Vec<Typed>,
    ) -> Result<(Vec<Expr>, SqlType, Oid)> {
        let names = self.names.clone();
        let function = candidate.function;
        let position = ast::position(call.location);
        // What is printed has the arguments that were written.
        if !self.analysing() {
            values.extend(self.default_arguments(candidate, values.len())?);
        }
        let actual: Vec<Oid> = values.iter().map(|value| value.ty().oid).collect();
        let mut declared = candidate.types.clone();
        declared.truncate(actual.len());
        let result = generic::enforce(&names, &actual, &mut declared, function.return_type)?;
        let collation = self.collation_of(values.iter().map(|value| &value.expr));
        if call.func_variadic && function.variadic == Oid::ANY {
            let array = values.last().map_or(Oid::INVALID, |value| type_facts::base(&names, value.ty().oid));
            if type_facts::element(&names, array).is_none() && array != Oid::UNKNOWN {
                let at = values.last().and_then(Typed::position);
                return Err(Error::new(SqlState::DATATYPE_MISMATCH, "VARIADIC argument must be an array").at(at));
            }
            if !self.analysing() {
                values = self.spread_variadic(function, values, position)?;
            }
            declared.resize(values.len(), Oid::ANY);
        }
        let mut converted = Vec::with_capacity(values.len());
        for (value, declared) in values.into_iter().zip(&declared) {
            // A literal for an "any" parameter stays unknown, which pg_typeof shows; so does a parameter, which something else has to decide.
            let is_literal = matches!(value.expr, Expr::Constant { .. });
            let decide = *declared == Oid::ANY && function.kind != 'a' && !is_literal;
            let value = if decide && !Self::is_open_parameter(&value) { self.unknown_to_text(value)? } else { value };
            let target = type_facts::sql_type(&names, *declared);
            converted.push(if value.ty().oid == *declared || *declared == Oid::ANY {
                value.expr
            } else {
                self.coerce(value, target, Context::Implicit)?
            });
        }
        if candidate.expanded > 0 && function.variadic != Oid::ANY {
            let first = converted.len() - candidate.expanded;
            let elements = converted.split_off(first);
            let element = type_facts::sql_type(&names, declared[first]);
            let array = type_facts::array(&names, element.oid).ok_or_else(|| {
                let message = format!("could not find array type for data type {}", names.format_type_oid(element.oid));
                Error::new(SqlState::UNDEFINED_OBJECT, message).at(position)
            })?;
            converted.push(self.array_of(elements, array, element));
        }
        if let Some(order) = candidate.order.as_ref().filter(|_| !self.analysing()) {
            let mut slots: Vec<Option<Expr>> = converted.iter().map(|_| None).collect();
            for (expr, at) in converted.into_iter().zip(order) {
                slots[*at] = Some(expr);
            }
            converted = slots.into_iter().flatten().collect();
        }
        Ok((converted, type_facts::sql_type(&names, result), collation))
    }

    /// VARIADIC "any" takes an array that is written out as its elements.
    fn spread_variadic(&self, function: &BuiltinFunction, mut values: Vec<Typed>, position: Option<usize>) -> Result<Vec<Typed>> {
        let array = values.pop().ok_or_else(|| Error::internal("VARIADIC marks an argument"))?;
        let location = array.location;
        let element = type_facts::element(&self.names, type_facts::base(&self.names, array.ty().oid)).unwrap_or(SqlType::TEXT);
        match array.expr {
            Expr::Array { elements, multidimensional: false, .. } => {
                values.extend(elements.into_iter().map(|element| Typed::new(element, location)));
            }
            Expr::Constant { value: Datum::Array(array), .. } => {
                values.extend(array.elements.iter().map(|value| Typed::new(Expr::constant(value.clone(), element), location)))
            }
            _ => return Err(Error::unsupported(format!("a computed VARIADIC array argument of {}", function.name)).at(position)),
        }
        Ok(values)
    }

    /// The default expressions of the parameters that the call leaves out.
    fn default_arguments(&mut self, candidate: &Candidate, given: usize) -> Result<Vec<Typed>> {
        if candidate.defaults == 0 {
            return Ok(Vec::new());
        }
        let function = candidate.function;
        let text = function.defaults.ok_or_else(|| Error::internal("defaults are counted but not there"))?;
        let nodes = crate::parse::parse_expressions(text)?;
        let parameters = function.argument_types.len();
        let first_default = parameters - function.default_count;
        let wanted: Vec<usize> = match &candidate.order {
            Some(order) => order[given..].to_vec(),
            None => (given..parameters).collect(),
        };
        let mut values = Vec::with_capacity(wanted.len());
        for parameter in wanted {
            let node = nodes.get(parameter - first_default).ok_or_else(|| Error::internal("a default is missing"))?;
            let mut value = self.bind_expr(node)?;
            value.location = -1;
            values.push(value);
        }
        Ok(values)
    }

    fn undefined_function(&self, call: &FuncCall, name: &[&str], arguments: &Arguments, ambiguous: bool) -> Error {
        let positional = arguments.values.len() - arguments.names.len() - arguments.ordered;
        let printed: Vec<String> = arguments
            .values
            .iter()
            .enumerate()
            .map(|(at, value)| {
                let ty = self.names.format_type_oid(value.ty().oid);
                match at.checked_sub(positional).and_then(|at| arguments.names.get(at)) {
                    Some(name) => format!("{name} => {ty}"),
                    None => ty,
                }
            })
            .collect();
        let signature = format!("{}({})", name.join("."), printed.join(", "));
        let error = if ambiguous {
            Error::new(SqlState::AMBIGUOUS_FUNCTION, format!("function {signature} is not unique"))
                .hint("Could not choose a best candidate function. You might need to add explicit type casts.")
        } else if call.agg_order.len() > 1 && !call.agg_within_group {
            Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {signature} does not exist")).hint(
                "No aggregate function matches the given name and argument types. Perhaps you misplaced ORDER BY; ORDER BY must appear \
                 after all regular arguments of the aggregate.",
            )
        } else {
            Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {signature} does not exist"))
                .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
        };
        error.at(ast::position(call.location))
    }

    /// `row.name` when it is no field: the function of that name applied to the row, if there is one.
    pub(crate) fn try_function_on_row(&mut self, name: &str, row: Typed, location: i32) -> Result<Option<Typed>> {
        let castable = row.ty().oid != Oid::RECORD;
        match function_resolution::resolve(&self.names, name, &[row.ty().oid], &[], true, castable) {
            Resolution::Found(candidate) if candidate.function.kind == 'f' && !candidate.function.returns_set => {
                let call = FuncCall { location, ..FuncCall::default() };
                let (arguments, ty, collation) = self.finish_arguments(&call, &candidate, vec![row])?;
                let function = candidate.function;
                let expr = Expr::Call { function, arguments, ty, collation, written: Written::Call, position: None };
                Ok(Some(Typed::new(expr, location)))
            }
            Resolution::Coercion(target) if type_facts::category(&self.names, target.oid).0 == 'S' => {
                Ok(Some(Typed::new(self.coerce(row, target, Context::Explicit)?, location)))
            }
            _ => Ok(None),
        }
    }
}

/// Names and types of the OUT parameters of a function that returns a record.
pub(crate) fn out_columns(function: &BuiltinFunction) -> Option<Vec<(Arc<str>, Oid)>> {
    let (types, modes) = (function.all_argument_types.as_ref()?, function.argument_modes.as_ref()?);
    let columns: Vec<_> = types
        .iter()
        .zip(modes)
        .enumerate()
        .filter(|(_, (_, mode))| matches!(mode, 'o' | 'b' | 't'))
        .map(|(at, (ty, _))| {
            let name = function.argument_names.as_ref().and_then(|names| names.get(at)).copied().filter(|name| !name.is_empty());
            (name.map_or_else(|| Arc::from(format!("column{}", at + 1)), Arc::from), *ty)
        })
        .collect();
    (!columns.is_empty()).then_some(columns)
}

/// The nodes of an argument list, for callers that only look.
pub(crate) fn is_plain_call(node: &Node) -> Option<&FuncCall> {
    match &node.node {
        Some(Ast::FuncCall(call)) => Some(call),
        _ => None,
    }
}
