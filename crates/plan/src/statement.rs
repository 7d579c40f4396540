//! A bound statement: a plan, the plans of its subqueries, and what it returns.

use std::sync::Arc;

use expr::ColumnId;
use types::{Oid, SqlType};

use crate::logical::LogicalPlan;

/// What a statement returns in one column (RowDescription).
#[derive(Clone, Debug, PartialEq)]
pub struct OutputColumn {
    pub id: ColumnId,
    pub name: Arc<str>,
    pub ty: SqlType,
    /// The table attribute it is, when it is one directly: relation and attnum.
    pub origin: Option<(Oid, i16)>,
}

/// The plan of one subquery of an expression.
#[derive(Clone, Debug)]
pub struct Subplan<P> {
    pub plan: P,
    /// What it returns, in order.
    pub output: Vec<ColumnId>,
}

/// A query or a data-modifying statement, bound. `P` is the logical or the physical plan type.
#[derive(Clone, Debug)]
pub struct Query<P> {
    pub root: P,
    /// Empty for a data-modifying statement without RETURNING.
    pub output: Vec<OutputColumn>,
    /// By `SubplanId`.
    pub subplans: Vec<Subplan<P>>,
    /// WITH queries that are not inlined, in order of definition; by `CteId`. Data-modifying ones run to the end whether read or not.
    pub ctes: Vec<Cte<P>>,
    pub command: Command,
    /// The next free column id, for rules that add columns.
    pub next_column: u32,
}

/// A WITH query that is computed once and read through `CteScan`.
#[derive(Clone, Debug)]
pub struct Cte<P> {
    pub name: Arc<str>,
    pub plan: P,
    pub output: Vec<ColumnId>,
    pub modifies: bool,
}

/// Names a WITH query of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CteId(pub u32);

/// The statement's kind: decides its command tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Select,
    Insert,
    Update,
    Delete,
}

/// What the binder returns for a query or data-modifying statement.
#[derive(Clone, Debug)]
pub struct Bound {
    pub query: Query<LogicalPlan>,
    /// Types of `$1, $2, ...`, given or inferred.
    pub parameters: Vec<SqlType>,
    /// Whether the plan may be kept for later executions: false when it depends on session state other than catalog, search_path and parameters.
    pub cacheable: bool,
    /// What whoever runs it must be allowed to do.
    pub access: crate::access::Access,
}
