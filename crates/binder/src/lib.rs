//! The binder: from PostgreSQL's raw syntax tree to a logical plan in which every name, type and overload is decided.
//!
//! A pure function of (syntax tree, catalog, search path, settings): [`bind`] takes a parsed statement and an [`Environment`].
//! One clause or statement per file; the rules are PostgreSQL's parse analysis, and so are the error texts, codes and positions.
//!
//! **Invariants.** Column ids are unique within a statement, subqueries included; a subquery's `outer` names exactly the columns of the
//! queries around it that it reads. `Error.position` is byte offset + 1 within the SQL text.
//! **Does not know** rows, transactions, costs or how anything is executed.

use std::sync::Arc;

use catalog::type_names::Names;
use expr::Expr;
use pg_query::protobuf::{Node, TypeName};
use plan::{Bound, logical::Given};
use types::{FormatSettings, Result, SqlType};

mod access;
mod aggregate;
mod analysed_clauses;
mod analysis;
mod ast;
mod boolean;
mod case;
mod coercion;
mod column_name;
mod column_reference;
mod common_type;
mod constant;
mod deep;
mod default_value;
mod delete;
mod deparse;
mod distinct;
mod domain_checks;
mod expression;
mod expression_kind;
mod from;
mod function_call;
mod function_resolution;
mod generic;
mod group_by;
mod grouped;
mod indirection;
mod insert;
mod join;
mod limit;
mod locking;
mod new_row;
mod on_conflict;
mod operator;
mod order_by;
mod parameter;
pub mod parse;
#[cfg(test)]
mod plan_text;
mod plan_walk;
mod range_function;
mod range_table;
mod row;
mod same;
mod select;
mod set_operation;
mod special_form;
mod state;
mod statement;
mod subquery;
mod table_expression;
mod target_list;
#[cfg(test)]
mod tests;
mod type_facts;
mod type_name;
mod update;
mod values;
mod view;
mod window;
mod with;
mod writable_view;

pub use analysis::{AnalysedExpression, analyse_expression, analyse_view, store_query};
pub use column_name::figure_column_name;
pub use deparse::{deparse_domain_check, deparse_expression};
pub use expression_kind::ExpressionKind;
pub use parse::{ParsedStatement, parse};
pub use type_facts::{is_collatable, is_enum};

/// What binding depends on beside the statement.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The catalog under the session's search path.
    pub names: Arc<Names>,
    /// How literals of date and time types read.
    pub format: Arc<FormatSettings>,
    /// Types of `$1, $2, ...` that the client has given; absent or None: to be inferred.
    pub parameters: Vec<Option<SqlType>>,
}

impl Environment {
    pub fn new(names: Arc<Names>, format: Arc<FormatSettings>) -> Environment {
        Environment { names, format, parameters: Vec::new() }
    }
}

/// Binds SELECT, VALUES, TABLE, INSERT, UPDATE or DELETE.
pub fn bind(node: &Node, environment: &Environment) -> Result<Bound> {
    statement::bind(node, environment)
}

/// Binds one expression over the given columns.
pub fn bind_expression(node: &Node, kind: ExpressionKind, columns: &[(&str, Given)], environment: &Environment) -> Result<Expr> {
    state::Binder::for_expression(environment, kind, columns, None)?.standalone(node)
}

/// The same for stored text.
pub fn bind_expression_text(
    sql: &str,
    kind: ExpressionKind,
    columns: &[(&str, Given)],
    environment: &Environment,
) -> Result<Expr> {
    bind_expression(&parse::parse_expression(sql)?, kind, columns, environment)
}

/// Binds an expression and converts it to boolean (CHECK, index predicates, policies).
pub fn bind_condition(node: &Node, kind: ExpressionKind, columns: &[(&str, Given)], environment: &Environment) -> Result<Expr> {
    state::Binder::for_expression(environment, kind, columns, None)?.standalone_condition(node)
}

/// Binds an expression and converts it to a column's type as an assignment does (DEFAULT, USING, generated columns).
pub fn bind_assignment(
    node: &Node,
    kind: ExpressionKind,
    target: (&str, SqlType),
    columns: &[(&str, Given)],
    environment: &Environment,
) -> Result<Expr> {
    state::Binder::for_expression(environment, kind, columns, None)?.standalone_assignment(node, target.0, target.1)
}

/// Binds a domain's CHECK condition, in which VALUE is of the given type.
pub fn bind_domain_check(node: &Node, value: SqlType, environment: &Environment) -> Result<Expr> {
    state::Binder::for_expression(environment, ExpressionKind::DomainCheck, &[], Some(value))?.standalone_condition(node)
}

/// The type that a syntax tree names, with its modifier.
pub fn resolve_type(name: &TypeName, environment: &Environment) -> Result<SqlType> {
    type_name::resolve(name, &environment.names)
}
