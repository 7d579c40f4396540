//! Expressions and queries of definitions: bound to check them, kept as SQL text, and rewritten when what they name is renamed.
//!
//! Kept text qualifies every relation, so that it binds again under any search path.

use std::sync::Arc;

use binder::{Environment, ExpressionKind};
use catalog::{Relation, type_names::Names};
use expr::Expr;
use pg_query::{
    NodeEnum, NodeMut,
    protobuf::{Node, TypeName},
};
use plan::logical::Given;
use types::{Error, FormatSettings, Result, SqlState, SqlType};

/// Columns that an expression may name.
pub(crate) type Columns = [(Arc<str>, Given)];

fn borrowed(columns: &Columns) -> Vec<(&str, Given)> {
    columns.iter().map(|(name, given)| (&**name, *given)).collect()
}

/// The type that a syntax tree names.
pub(crate) fn resolve_type(name: &TypeName, names: &Arc<Names>) -> Result<SqlType> {
    binder::resolve_type(name, &Environment::new(names.clone(), Arc::new(FormatSettings::default())))
}

/// An expression without columns, cast to a type as in an assignment: EXECUTE's parameters.
pub(crate) fn bind_constant(node: &Node, ty: SqlType, environment: &Environment) -> Result<Expr> {
    binder::bind_assignment(node, ExpressionKind::ExecuteParameter, ("parameter", ty), &[], environment)
}

pub(crate) fn parse_expression(text: &str) -> Result<Node> {
    binder::parse::parse_expression(text)
}

pub(crate) fn bind_expression(node: &Node, columns: &Columns, kind: ExpressionKind, environment: &Environment) -> Result<Expr> {
    binder::bind_expression(node, kind, &borrowed(columns), environment)
}

pub(crate) fn bind_expression_text(text: &str, columns: &Columns, environment: &Environment) -> Result<Expr> {
    binder::bind_expression_text(text, ExpressionKind::Other, &borrowed(columns), environment)
}

/// A boolean expression: CHECK, an index predicate, COPY's WHERE.
pub(crate) fn bind_condition(node: &Node, columns: &Columns, kind: ExpressionKind, environment: &Environment) -> Result<Expr> {
    binder::bind_condition(node, kind, &borrowed(columns), environment)
}

pub(crate) fn bind_domain_check(node: &Node, base: SqlType, environment: &Environment) -> Result<Expr> {
    binder::bind_domain_check(node, base, environment)
}

/// An expression over a table's columns, cast to a column's type as in an assignment.
pub(crate) fn bind_assignment_text(
    text: &str,
    column: &str,
    ty: SqlType,
    columns: &Columns,
    environment: &Environment,
) -> Result<Expr> {
    let node = parse_expression(text)?;
    binder::bind_assignment(&node, ExpressionKind::AlterColumnTransform, (column, ty), &borrowed(columns), environment)
}

/// Checks a DEFAULT expression and gives the text to keep. NULL by itself is no default, but where it stands before a domain's.
pub(crate) fn check_default(node: &Node, column: &str, ty: SqlType, environment: &Environment) -> Result<Option<Arc<str>>> {
    binder::bind_assignment(node, ExpressionKind::ColumnDefault, (column, ty), &[], environment)?;
    let is_null = matches!(&node.node, Some(NodeEnum::AConst(constant)) if constant.isnull);
    let names = &environment.names;
    // A modifier is applied by a conversion, which makes it one.
    if is_null && names.base_type(ty).oid == ty.oid && ty.typmod < 0 {
        return Ok(None);
    }
    Ok(Some(deparse_expression(node, &[], ExpressionKind::ColumnDefault, environment)?.into()))
}

/// Checks a default against a column's new type.
pub(crate) fn recast_default(text: &Arc<str>, column: &str, ty: SqlType, environment: &Environment) -> Result<Arc<str>> {
    let node = parse_expression(text)?;
    match binder::bind_assignment(&node, ExpressionKind::ColumnDefault, (column, ty), &[], environment) {
        Ok(_) => Ok(text.clone()),
        Err(error) if error.sqlstate() == SqlState::DATATYPE_MISMATCH => Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!("default for column \"{column}\" cannot be cast automatically to type {}", environment.names.format_type(ty)),
        )),
        Err(error) => Err(error),
    }
}

/// Checks the expression of a generated column.
///
/// Errors: 42P17 when it is not immutable or mentions another generated column.
pub(crate) fn check_generated(
    node: &Node,
    column: &str,
    ty: SqlType,
    relation: &Relation,
    columns: &Columns,
    environment: &Environment,
) -> Result<()> {
    let bound = binder::bind_assignment(node, ExpressionKind::GeneratedColumn, (column, ty), &borrowed(columns), environment)?;
    for id in bound.columns() {
        if let Some(attribute) = relation.attributes.get(id.0 as usize)
            && attribute.generated.is_some()
        {
            return Err(Error::new(
                SqlState::INVALID_OBJECT_DEFINITION,
                format!("cannot use generated column \"{}\" in column generation expression", attribute.name),
            )
            .detail("A generated column cannot reference another generated column."));
        }
    }
    if !crate::immutable::is_immutable(&bound, &environment.names) {
        return Err(Error::new(SqlState::INVALID_OBJECT_DEFINITION, "generation expression is not immutable"));
    }
    Ok(())
}

/// 42804 when no assignment cast leads from one type to another.
pub(crate) fn check_assignable(column: &str, from: SqlType, to: SqlType, environment: &Environment) -> Result<()> {
    let given = [(column, Given { id: expr::ColumnId(0), ty: from })];
    let node = parse_expression(&catalog::type_names::quote_identifier(column))?;
    match binder::bind_assignment(&node, ExpressionKind::AlterColumnTransform, (column, to), &given, environment) {
        Ok(_) => Ok(()),
        Err(error) if error.sqlstate() == SqlState::DATATYPE_MISMATCH => {
            let to = environment.names.format_type(to);
            Err(Error::new(SqlState::DATATYPE_MISMATCH, format!("column \"{column}\" cannot be cast automatically to type {to}"))
                .hint(format!("You might need to specify \"USING {}::{to}\".", catalog::type_names::quote_identifier(column))))
        }
        Err(error) => Err(error),
    }
}

/// An expression as text that binds under any search path.
pub(crate) fn deparse_expression(
    node: &Node,
    columns: &Columns,
    kind: ExpressionKind,
    environment: &Environment,
) -> Result<String> {
    binder::deparse_expression(node, kind, &borrowed(columns), environment)
}

/// An expression as it was written, for those whose columns are not known yet.
pub(crate) fn print_expression(node: &Node) -> Result<String> {
    let target = pg_query::protobuf::ResTarget { val: Some(Box::new(node.clone())), ..Default::default() };
    let select = pg_query::protobuf::SelectStmt {
        target_list: vec![Node { node: Some(NodeEnum::ResTarget(Box::new(target))) }],
        limit_option: pg_query::protobuf::LimitOption::Default as i32,
        op: pg_query::protobuf::SetOperation::SetopNone as i32,
        ..Default::default()
    };
    let text = Node { node: Some(NodeEnum::SelectStmt(Box::new(select))) }
        .deparse(pg_query::DeparseOptions::default())
        .map_err(|error| Error::internal(format!("a syntax tree does not print: {error}")))?;
    Ok(text.strip_prefix("SELECT ").map(str::to_owned).unwrap_or(text))
}

pub(crate) fn deparse_domain_check(node: &Node, base: SqlType, environment: &Environment) -> Result<String> {
    binder::deparse_domain_check(node, base, environment)
}

/// The name PostgreSQL gives an unnamed column of this expression.
pub(crate) fn column_name(node: &Node) -> String {
    binder::figure_column_name(node).to_string()
}

/// Whether stored text mentions a column of this name.
pub(crate) fn mentions_column(text: &str, column: &str) -> bool {
    let Some(mut parsed) = parse_stored(text) else { return false };
    let mut found = false;
    for_each_column(&mut parsed.tree, &mut |name| found |= name.sval == column);
    found
}

/// Stored text parsed, with whether it was wrapped to be a statement.
struct Stored {
    tree: pg_query::ParseResult,
    is_expression: bool,
}

fn parse_stored(text: &str) -> Option<Stored> {
    if let Ok(tree) = pg_query::parse(text, 0)
        && !tree.protobuf.stmts.is_empty()
    {
        return Some(Stored { tree, is_expression: false });
    }
    pg_query::parse(&format!("SELECT {text}"), 0).ok().map(|tree| Stored { tree, is_expression: true })
}

impl Stored {
    fn print(&self) -> Result<String> {
        let text = self
            .tree
            .deparse(pg_query::DeparseOptions::default())
            .map_err(|error| Error::internal(format!("stored text cannot be printed: {error}")))?;
        Ok(match self.is_expression {
            true => text.strip_prefix("SELECT ").map(str::to_owned).unwrap_or(text),
            false => text,
        })
    }
}

/// Calls `edit` on the last name of every column reference.
#[expect(unsafe_code, reason = "pg_query gives mutable access to a tree's nodes only through raw pointers")]
fn for_each_column(tree: &mut pg_query::ParseResult, edit: &mut dyn FnMut(&mut pg_query::protobuf::String)) {
    // SAFETY: the tree is borrowed mutably for the whole loop, and no node is added, removed or kept.
    for (node, _, _) in unsafe { tree.protobuf.nodes_mut() } {
        if let NodeMut::ColumnRef(reference) = node {
            // SAFETY: as above; each pointer is used alone.
            let reference = unsafe { &mut *reference };
            if let Some(NodeEnum::String(name)) = reference.fields.last_mut().and_then(|field| field.node.as_mut()) {
                edit(name);
            }
        }
    }
}

/// `nextval('schema.sequence'::regclass)` names a sequence in a literal.
pub(crate) fn rename_in_literals(text: &str, old: &(String, String), new: &(String, String)) -> Option<String> {
    let literal = |name: &(String, String)| {
        catalog::type_names::quote_literal(&catalog::type_names::quote_qualified(Some(&name.0), &name.1))
    };
    let (old, new) = (literal(old), literal(new));
    text.contains(&old).then(|| text.replace(&old, &new))
}

/// An expression over a table's own columns with one of them renamed.
pub(crate) fn rename_own_column(text: &str, old: &str, new: &str) -> Result<Option<String>> {
    let Some(mut stored) = parse_stored(text) else { return Ok(None) };
    let mut changed = false;
    for_each_column(&mut stored.tree, &mut |name| {
        if name.sval == old {
            changed = true;
            new.clone_into(&mut name.sval);
        }
    });
    if changed { stored.print().map(Some) } else { Ok(None) }
}
