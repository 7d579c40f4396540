//! Which operator an expression means (parse_oper.c), and the expressions that apply it.

use catalog::{
    builtin::{BuiltinFunction, BuiltinOperator, builtins},
    type_names::Names,
};
use expr::{
    Expr,
    expression::{RowOperator, Written},
};
use pg_query::protobuf::Node;
use types::{Error, Oid, Result, SqlState, SqlType};

use crate::{
    ast,
    coercion::{self, Context},
    common_type, function_resolution, generic,
    state::{Binder, Typed},
    type_facts,
};

/// An operator applied to arguments of resolved types.
pub(crate) struct ResolvedOperator {
    pub(crate) operator: &'static BuiltinOperator,
    pub(crate) function: &'static BuiltinFunction,
    /// Actual parameter types, one an argument.
    pub(crate) types: Vec<Oid>,
    pub(crate) result: Oid,
}

/// The operator of a name for these argument types: one for a prefix operator, two for a binary one.
fn find(names: &Names, name: &str, arguments: &[Oid]) -> std::result::Result<&'static BuiltinOperator, bool> {
    let kind = if arguments.len() == 1 { 'l' } else { 'b' };
    let parameters = |operator: &'static BuiltinOperator| match kind {
        'l' => vec![operator.right],
        _ => vec![operator.left, operator.right],
    };
    let exact = |left: Oid, right: Oid| {
        builtins()
            .operators_named(name)
            .find(|operator| operator.kind == kind && operator.left == left && operator.right == right)
    };
    // One unknown side is first supposed to have the other's type.
    let found = match *arguments {
        [right] => exact(Oid::INVALID, right),
        [left, right] => {
            let supposed_left = if left == Oid::UNKNOWN { right } else { left };
            let supposed_right = if right == Oid::UNKNOWN { left } else { right };
            exact(supposed_left, supposed_right).or_else(|| {
                // A domain over the operator's type counts as that type when its partner is unknown.
                let base = type_facts::base(names, supposed_left);
                (left == Oid::UNKNOWN || right == Oid::UNKNOWN).then(|| exact(base, base)).flatten()
            })
        }
        _ => None,
    };
    if let Some(operator) = found {
        return Ok(operator);
    }
    let fitting: Vec<(&'static BuiltinOperator, Vec<Oid>)> = builtins()
        .operators_named(name)
        .filter(|operator| operator.kind == kind)
        .map(|operator| (operator, parameters(operator)))
        .filter(|(_, types)| coercion::can_coerce(names, arguments, types, Context::Implicit))
        .collect();
    match &fitting[..] {
        [] => Err(false),
        [(operator, _)] => Ok(operator),
        _ => {
            // A literal beside a known type is tried as that type (oper_select_candidate via func_select_candidate).
            function_resolution::select_candidate(names, arguments, &fitting, |candidate| &candidate.1)
                .map(|at| fitting[at].0)
                .ok_or(true)
        }
    }
}

/// Resolves an operator, its polymorphic parameters included. The name may be qualified with pg_catalog.
pub(crate) fn resolve(names: &Names, name: &[&str], arguments: &[Oid], location: i32) -> Result<ResolvedOperator> {
    let bare = match name {
        [] => "",
        [bare] => bare,
        ["pg_catalog", bare] => bare,
        [schema, ..] => {
            names.schema(schema).map_err(|error| error.at(ast::position(location)))?;
            return Err(undefined(names, name, arguments, false, location));
        }
    };
    let operator = find(names, bare, arguments).map_err(|ambiguous| undefined(names, name, arguments, ambiguous, location))?;
    let function = builtins().function(operator.function).ok_or_else(|| {
        Error::new(SqlState::UNDEFINED_FUNCTION, format!("operator is only a shell: {bare}")).at(ast::position(location))
    })?;
    let mut types = if arguments.len() == 1 { vec![operator.right] } else { vec![operator.left, operator.right] };
    let result = generic::enforce(names, arguments, &mut types, operator.result)?;
    Ok(ResolvedOperator { operator, function, types, result })
}

fn undefined(names: &Names, name: &[&str], arguments: &[Oid], ambiguous: bool, location: i32) -> Error {
    let name = name.join(".");
    let signature = match *arguments {
        [right] => format!("{name} {}", names.format_type_oid(right)),
        [left, right] => format!("{} {name} {}", names.format_type_oid(left), names.format_type_oid(right)),
        _ => name,
    };
    let error = if ambiguous {
        Error::new(SqlState::AMBIGUOUS_FUNCTION, format!("operator is not unique: {signature}"))
            .hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
    } else {
        Error::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {signature}")).hint(match arguments.len() {
            1 => "No operator matches the given name and argument type. You might need to add an explicit type cast.",
            _ => "No operator matches the given name and argument types. You might need to add explicit type casts.",
        })
    };
    error.at(ast::position(location))
}

impl Binder<'_> {
    /// `left operator right` or `operator right` (make_op).
    pub(crate) fn apply_operator(&mut self, name: &[&str], left: Option<Typed>, right: Typed, location: i32) -> Result<Typed> {
        let names = self.names.clone();
        let start = left.as_ref().map_or(location, |left| ast::leftmost(location, left.location));
        let arguments: Vec<Typed> = left.into_iter().chain([right]).collect();
        let types: Vec<Oid> = arguments.iter().map(|argument| argument.ty().oid).collect();
        let resolved = resolve(&names, name, &types, location)?;
        if resolved.function.returns_set {
            return Err(Error::unsupported("operators that return sets").at(ast::position(location)));
        }
        let expr = self.operator_call(resolved, arguments)?;
        Ok(Typed::new(expr, start))
    }

    fn operator_call(&mut self, resolved: ResolvedOperator, arguments: Vec<Typed>) -> Result<Expr> {
        self.access.call(resolved.function.oid);
        let collation = self.collation_of(arguments.iter().map(|argument| &argument.expr));
        let arguments = self.convert_arguments(arguments, &resolved.types)?;
        Ok(Expr::Call {
            function: resolved.function,
            arguments,
            ty: type_facts::sql_type(&self.names, resolved.result),
            collation,
            written: Written::Operator(resolved.operator.oid),
            position: None,
        })
    }

    /// Converts arguments to the declared types, implicitly (make_fn_arguments).
    pub(crate) fn convert_arguments(&mut self, arguments: Vec<Typed>, declared: &[Oid]) -> Result<Vec<Expr>> {
        arguments
            .into_iter()
            .zip(declared)
            .map(|(argument, declared)| {
                if argument.ty().oid == *declared {
                    return Ok(argument.expr);
                }
                let target = type_facts::sql_type(&self.names, *declared);
                self.coerce(argument, target, Context::Implicit)
            })
            .collect()
    }

    /// The collation that a call runs under: an explicit one, the default for collatable arguments, else none.
    pub(crate) fn collation_of<'a>(&self, arguments: impl Iterator<Item = &'a Expr>) -> Oid {
        let mut collation = Oid::INVALID;
        for argument in arguments {
            if let Expr::Collate { collation, .. } = argument {
                return *collation;
            }
            if type_facts::is_collatable(&self.names, argument.ty().oid) {
                collation = Oid::DEFAULT_COLLATION;
            }
        }
        collation
    }

    /// `left operator ANY/ALL (array)` (make_scalar_array_op).
    pub(crate) fn apply_to_array(&mut self, name: &[&str], left: Typed, right: Typed, all: bool, location: i32) -> Result<Typed> {
        let names = self.names.clone();
        let start = ast::leftmost(location, left.location);
        let wrong = |message: &str| Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message).at(ast::position(location)));
        let array_type = right.ty().oid;
        let element = if array_type == Oid::UNKNOWN {
            Oid::UNKNOWN
        } else {
            match type_facts::element(&names, type_facts::base(&names, array_type)) {
                Some(element) => element.oid,
                None => return wrong("op ANY/ALL (array) requires array on right side"),
            }
        };
        let resolved = resolve(&names, name, &[left.ty().oid, element], location)?;
        if resolved.result != Oid::BOOL {
            return wrong("op ANY/ALL (array) requires operator to yield boolean");
        }
        if resolved.function.returns_set {
            return wrong("op ANY/ALL (array) requires operator not to return a set");
        }
        let Some(array) = type_facts::array(&names, resolved.types[1]) else {
            let message = format!("could not find array type for data type {}", names.format_type_oid(resolved.types[1]));
            return Err(Error::new(SqlState::UNDEFINED_OBJECT, message).at(ast::position(location)));
        };
        let collation = self.collation_of([&left.expr, &right.expr].into_iter());
        let mut arguments = self.convert_arguments(vec![left, right], &[resolved.types[0], array.oid])?.into_iter();
        let (Some(left), Some(array)) = (arguments.next(), arguments.next()) else {
            return Err(Error::internal("two arguments were converted"));
        };
        let expr = Expr::ArrayCompare {
            left: Box::new(left),
            array: Box::new(array),
            function: resolved.function,
            all,
            collation,
            operator: Some(resolved.operator.oid),
        };
        Ok(Typed::new(expr, start))
    }

    /// The equality of two values, converted to its parameter types: for IS DISTINCT, NULLIF and merged join columns.
    pub(crate) fn equality(
        &mut self,
        left: Typed,
        right: Typed,
        name: &[&str],
        location: i32,
    ) -> Result<(Expr, Expr, ResolvedOperator)> {
        let names = self.names.clone();
        let resolved = resolve(&names, name, &[left.ty().oid, right.ty().oid], location)?;
        let mut arguments = self.convert_arguments(vec![left, right], &resolved.types)?.into_iter();
        match (arguments.next(), arguments.next()) {
            (Some(left), Some(right)) => Ok((left, right, resolved)),
            _ => Err(Error::internal("two arguments were converted")),
        }
    }

    /// `left IS DISTINCT FROM right` for values that are not rows.
    pub(crate) fn distinct_from(
        &mut self,
        left: Typed,
        right: Typed,
        name: &[&str],
        negated: bool,
        location: i32,
    ) -> Result<Typed> {
        let start = ast::leftmost(location, left.location);
        let (left, right, resolved) = self.equality(left, right, name, location)?;
        if resolved.result != Oid::BOOL {
            let message = "IS DISTINCT FROM requires = operator to yield boolean";
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).at(ast::position(location)));
        }
        let expr = Expr::Distinct { left: Box::new(left), right: Box::new(right), equality: resolved.function, negated };
        Ok(Typed::new(expr, start))
    }

    /// `(a, b) operator (c, d)` (make_row_comparison_op).
    pub(crate) fn compare_rows(&mut self, name: &[&str], left: Vec<Typed>, right: Vec<Typed>, location: i32) -> Result<Typed> {
        let position = ast::position(location);
        if left.len() != right.len() {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions").at(position));
        }
        if left.is_empty() {
            let message = "cannot compare rows of zero length";
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(position));
        }
        let start = ast::leftmost(location, left[0].location);
        let bare = name.last().copied().unwrap_or("");
        if left.len() == 1 {
            let (Some(left), Some(right)) = (left.into_iter().next(), right.into_iter().next()) else {
                return Err(Error::internal("rows of one column have a column"));
            };
            let compared = self.apply_operator(name, Some(left), right, location)?;
            return self.require_boolean_comparison(compared, location);
        }
        let Some(operator) = row_operator(bare) else {
            for (left, right) in left.iter().zip(&right) {
                resolve(&self.names.clone(), name, &[left.ty().oid, right.ty().oid], location)?;
            }
            let message = format!("could not determine interpretation of row comparison operator {bare}");
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .hint("Row comparison operators must be associated with btree operator families.")
                .at(position));
        };
        let (mut lefts, mut rights, mut equality, mut ordering) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let names = self.names.clone();
        for (left, right) in left.into_iter().zip(right) {
            let types = [left.ty().oid, right.ty().oid];
            let resolved = resolve(&names, name, &types, location)?;
            if resolved.result != Oid::BOOL {
                return Err(not_boolean_operator(&names, resolved.result, position));
            }
            let actual = resolved.types.clone();
            equality.push(resolve(&names, &["="], &actual, location)?.function);
            let strict = if matches!(operator, RowOperator::Greater | RowOperator::GreaterOrEqual) { ">" } else { "<" };
            if !matches!(operator, RowOperator::Equal | RowOperator::NotEqual) {
                ordering.push(resolve(&names, &[strict], &actual, location)?.function);
            }
            let mut converted = self.convert_arguments(vec![left, right], &resolved.types)?.into_iter();
            lefts.extend(converted.next());
            rights.extend(converted.next());
        }
        Ok(Typed::new(Expr::RowCompare { left: lefts, right: rights, operator, equality, ordering }, start))
    }

    fn require_boolean_comparison(&self, compared: Typed, location: i32) -> Result<Typed> {
        match compared.ty().oid {
            Oid::BOOL => Ok(compared),
            other => Err(not_boolean_operator(&self.names, other, ast::position(location))),
        }
    }

    /// The ordering of a sort key: the `<` or `>` function's type must exist (get_sort_group_operators).
    pub(crate) fn require_ordering(&self, ty: SqlType, location: i32) -> Result<()> {
        if orderable(&self.names, ty.oid) {
            return Ok(());
        }
        Err(Error::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("could not identify an ordering operator for type {}", self.names.format_type_oid(ty.oid)),
        )
        .hint("Use an explicit ordering operator or modify the query.")
        .at(ast::position(location)))
    }

    /// Like [`Self::require_ordering`] for DISTINCT, GROUP BY and set operations, which need equality only.
    pub(crate) fn require_equality(&self, ty: SqlType, location: i32) -> Result<()> {
        if comparable(&self.names, ty.oid) {
            return Ok(());
        }
        Err(Error::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("could not identify an equality operator for type {}", self.names.format_type_oid(ty.oid)),
        )
        .at(ast::position(location)))
    }
}

fn not_boolean_operator(names: &Names, result: Oid, position: Option<usize>) -> Error {
    let message = format!("row comparison operator must yield type boolean, not type {}", names.format_type_oid(result));
    Error::new(SqlState::DATATYPE_MISMATCH, message).at(position)
}

pub(crate) fn row_operator(name: &str) -> Option<RowOperator> {
    Some(match name {
        "=" => RowOperator::Equal,
        "<>" | "!=" => RowOperator::NotEqual,
        "<" => RowOperator::Less,
        "<=" => RowOperator::LessOrEqual,
        ">" => RowOperator::Greater,
        ">=" => RowOperator::GreaterOrEqual,
        _ => return None,
    })
}

/// Types that have no btree operator class.
fn unordered(oid: Oid) -> bool {
    matches!(
        oid,
        Oid::JSON
            | Oid::XML
            | Oid::POINT
            | Oid::LSEG
            | Oid::PATH
            | Oid::BOX
            | Oid::POLYGON
            | Oid::LINE
            | Oid::CIRCLE
            | Oid::XID
            | Oid::CID
            | Oid::ACLITEM
            | Oid::PG_NODE_TREE
            | Oid::JSONPATH
            | Oid::VOID
    )
}

fn orderable(names: &Names, oid: Oid) -> bool {
    let base = type_facts::base(names, oid);
    !unordered(base) && type_facts::element(names, base).is_none_or(|element| orderable(names, element.oid))
}

fn comparable(names: &Names, oid: Oid) -> bool {
    let base = type_facts::base(names, oid);
    matches!(base, Oid::XID | Oid::CID | Oid::ACLITEM)
        || (!unordered(base) && type_facts::element(names, base).is_none_or(|element| comparable(names, element.oid)))
}

/// The name of an operator as a node list gives it.
pub(crate) fn operator_name(nodes: &[Node]) -> Vec<&str> {
    ast::names(nodes)
}

/// The sort direction that `ORDER BY x USING operator` means.
pub(crate) fn ordering_direction(name: &[&str]) -> Option<bool> {
    match name.last().copied() {
        Some("<" | "~<~") => Some(false),
        Some(">" | "~>~") => Some(true),
        _ => None,
    }
}

/// The common type of two sides of a merged join column.
pub(crate) fn merged_type(names: &Names, left: SqlType, right: SqlType) -> std::result::Result<SqlType, usize> {
    let oid = common_type::select(names, &[left.oid, right.oid])?;
    let typmod = common_type::common_modifier([left, right].into_iter(), oid);
    Ok(type_facts::sql_type(names, oid).with_typmod(typmod))
}
