//! Logical plans: relational algebra over named columns.

use std::sync::Arc;

use catalog::{Relation, builtin::SystemRelation};
use expr::{AggregateCall, ColumnId, Expr, SortKey};
use types::{Oid, SqlType};

use crate::statement::CteId;

/// A column that an operator computes.
#[derive(Clone, Debug)]
pub struct Computed {
    pub id: ColumnId,
    pub expression: Expr,
}

/// A column that an operator merely gives out, with its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Given {
    pub id: ColumnId,
    pub ty: SqlType,
}

#[derive(Clone, Debug)]
pub enum LogicalPlan {
    Scan(Scan),
    SystemScan {
        relation: &'static SystemRelation,
        alias: Arc<str>,
        columns: Vec<(usize, Given)>,
    },
    /// Rows of expressions; no FROM is one row of no columns.
    Values {
        rows: Vec<Vec<Expr>>,
        columns: Vec<Given>,
    },
    /// Set-returning or plain functions in FROM.
    FunctionScan(FunctionScan),
    CteScan {
        cte: CteId,
        name: Arc<str>,
        /// The CTE's output columns and the ids under which this reference gives them.
        columns: Vec<(ColumnId, Given)>,
    },
    /// Inside the recursive term: the rows of the previous round.
    WorkTable {
        cte: CteId,
        columns: Vec<Given>,
    },
    Filter {
        input: Box<LogicalPlan>,
        predicate: Expr,
    },
    /// Gives exactly these columns; a plain column keeps its id when it is only passed on.
    Project {
        input: Box<LogicalPlan>,
        columns: Vec<Computed>,
    },
    /// Set-returning functions in a target list: input columns pass through, the sets are expanded in lock step.
    ProjectSet {
        input: Box<LogicalPlan>,
        sets: Vec<(ColumnId, SetCall)>,
    },
    Join(Join),
    Aggregate(Aggregate),
    Window {
        input: Box<LogicalPlan>,
        calls: Vec<(ColumnId, WindowCall)>,
    },
    Sort {
        input: Box<LogicalPlan>,
        keys: Vec<SortKey>,
    },
    /// DISTINCT over all given columns, or DISTINCT ON some expressions, keeping the first row in input order.
    Distinct {
        input: Box<LogicalPlan>,
        on: Option<Vec<Expr>>,
    },
    Limit {
        input: Box<LogicalPlan>,
        limit: Option<Expr>,
        offset: Option<Expr>,
        with_ties: Option<Vec<SortKey>>,
    },
    SetOperation(SetOperation),
    RecursiveUnion {
        cte: CteId,
        initial: Box<LogicalPlan>,
        recursive: Box<LogicalPlan>,
        initial_columns: Vec<ColumnId>,
        recursive_columns: Vec<ColumnId>,
        columns: Vec<Given>,
        all: bool,
    },
    /// FOR UPDATE / SHARE: locks the rows its input names.
    LockRows {
        input: Box<LogicalPlan>,
        locks: Vec<RowLock>,
    },
    Insert(Insert),
    Update(Update),
    Delete(Delete),
}

/// A scan of a table.
#[derive(Clone, Debug)]
pub struct Scan {
    pub relation: Arc<Relation>,
    /// Name in the query, for EXPLAIN.
    pub alias: Arc<str>,
    /// Attribute positions read and the columns they become.
    pub columns: Vec<(usize, Given)>,
    /// When asked for: the row's identity (int8), for UPDATE, DELETE and FOR UPDATE.
    pub row_id: Option<ColumnId>,
    /// System columns asked for.
    pub system: Vec<(SystemAttribute, Given)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemAttribute {
    Ctid,
    Xmin,
    Xmax,
    Cmin,
    Cmax,
    TableOid,
}

/// A call of a set-returning function, or of a plain one as a set of one row.
#[derive(Clone, Debug)]
pub struct SetCall {
    pub function: &'static catalog::builtin::BuiltinFunction,
    pub arguments: Vec<Expr>,
    /// The call's resolved return type.
    pub ty: SqlType,
    /// The column definition list of `AS t (a int, ...)`, for a function that returns record.
    pub columns: Option<Arc<[(Arc<str>, SqlType)]>>,
}

/// `FROM f(...)`, `ROWS FROM (f(...), g(...))`: calls side by side, short ones padded with NULL.
#[derive(Clone, Debug)]
pub struct FunctionScan {
    /// Set-returning calls with the columns each gives (several for one that returns a record), or a plain expression as one row.
    pub calls: Vec<(FunctionSource, Vec<Given>)>,
    pub alias: Arc<str>,
    /// WITH ORDINALITY
    pub ordinality: Option<ColumnId>,
}

#[derive(Clone, Debug)]
pub enum FunctionSource {
    Set(SetCall),
    Expression(Expr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    /// Left rows with a match; made by decorrelation, gives only the left columns.
    Semi,
    /// Left rows without a match.
    Anti,
}

#[derive(Clone, Debug)]
pub struct Join {
    pub kind: JoinKind,
    pub left: Box<LogicalPlan>,
    pub right: Box<LogicalPlan>,
    /// None for a cross join.
    pub condition: Option<Expr>,
    /// The right side mentions columns of the left.
    pub lateral: bool,
    /// An anti join made from NOT IN: a NULL on either side of the comparison excludes the row.
    pub null_aware: bool,
}

#[derive(Clone, Debug)]
pub struct Aggregate {
    pub input: Box<LogicalPlan>,
    /// Grouping expressions and the columns they become.
    pub group_by: Vec<Computed>,
    /// GROUPING SETS as positions in `group_by`; None is one set of all.
    pub sets: Option<Vec<Vec<usize>>>,
    pub aggregates: Vec<(ColumnId, AggregateCall)>,
    /// GROUPING(...) results: positions in `group_by`.
    pub grouping: Vec<(ColumnId, Vec<usize>)>,
}

/// A window function call, with its window.
#[derive(Clone, Debug)]
pub struct WindowCall {
    pub call: AggregateCall,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<SortKey>,
    pub frame: Frame,
}

#[derive(Clone, Debug)]
pub struct Frame {
    pub mode: FrameMode,
    pub start: FrameBound,
    pub end: FrameBound,
    pub exclusion: FrameExclusion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameMode {
    Rows,
    Range,
    Groups,
}

#[derive(Clone, Debug)]
pub enum FrameBound {
    UnboundedPreceding,
    /// For RANGE, also the in_range arithmetic: the functions `key - offset` / `key + offset`.
    Preceding(Expr, Option<&'static catalog::builtin::BuiltinFunction>),
    CurrentRow,
    Following(Expr, Option<&'static catalog::builtin::BuiltinFunction>),
    UnboundedFollowing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameExclusion {
    NoOthers,
    CurrentRow,
    Group,
    Ties,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    Union,
    Intersect,
    Except,
}

#[derive(Clone, Debug)]
pub struct SetOperation {
    pub operator: SetOperator,
    pub all: bool,
    pub left: Box<LogicalPlan>,
    pub right: Box<LogicalPlan>,
    /// The sides' columns in order (already cast to the common types).
    pub left_columns: Vec<ColumnId>,
    pub right_columns: Vec<ColumnId>,
    pub columns: Vec<Given>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockStrength {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWaitPolicy {
    Wait,
    NoWait,
    SkipLocked,
}

#[derive(Clone, Debug)]
pub struct RowLock {
    pub relation: Arc<Relation>,
    pub row_id: ColumnId,
    pub strength: LockStrength,
    pub wait: LockWaitPolicy,
}

/// A CHECK constraint over the new row's columns.
#[derive(Clone, Debug)]
pub struct Check {
    pub name: Arc<str>,
    pub expression: Expr,
}

/// What every statement that writes rows has.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// The ids under which checks, ON CONFLICT and RETURNING see the attributes of the row as written; one an attribute, dropped ones too.
    pub columns: Vec<Given>,
    /// Stored generated columns, computed over `columns` after everything else.
    pub generated: Vec<(usize, Expr)>,
    pub checks: Vec<Check>,
    /// WITH CHECK OPTION conditions of the views written through: view name, condition.
    pub view_checks: Vec<Check>,
}

#[derive(Clone, Debug)]
pub struct Insert {
    pub relation: Arc<Relation>,
    pub source: Box<LogicalPlan>,
    /// One expression an attribute over the source's columns: casts and defaults included, NULL for dropped and generated ones.
    pub values: Vec<Expr>,
    pub row: NewRow,
    pub on_conflict: Option<OnConflict>,
    pub returning: Option<Vec<Computed>>,
}

#[derive(Clone, Debug)]
pub struct OnConflict {
    /// Indexes that arbitrate (pg_class.oid); empty: any unique index (DO NOTHING without a target).
    pub arbiters: Vec<Oid>,
    pub action: ConflictAction,
}

#[derive(Clone, Debug)]
pub enum ConflictAction {
    Nothing,
    Update {
        /// Ids under which the assignments see the existing row's attributes and those of EXCLUDED.
        existing: Vec<Given>,
        excluded: Vec<Given>,
        /// Attribute position and new value.
        assignments: Vec<(usize, Expr)>,
        predicate: Option<Expr>,
    },
}

#[derive(Clone, Debug)]
pub struct Update {
    pub relation: Arc<Relation>,
    /// Gives the row id, all live attributes of the old row, and whatever the assignments read.
    pub source: Box<LogicalPlan>,
    pub row_id: ColumnId,
    /// One an attribute; None for dropped ones.
    pub old_row: Vec<Option<Given>>,
    pub assignments: Vec<(usize, Expr)>,
    pub row: NewRow,
    pub returning: Option<Vec<Computed>>,
}

#[derive(Clone, Debug)]
pub struct Delete {
    pub relation: Arc<Relation>,
    pub source: Box<LogicalPlan>,
    pub row_id: ColumnId,
    pub old_row: Vec<Option<Given>>,
    pub returning: Option<Vec<Computed>>,
}
