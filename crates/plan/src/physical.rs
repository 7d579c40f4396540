//! Physical plans: which algorithm computes each operator. One variant an operator of the executor.

use std::sync::Arc;

use catalog::{Relation, builtin::SystemRelation};
use expr::{AggregateCall, ColumnId, Expr, SortKey};
use types::{Oid, SqlType};

use crate::{
    logical::{
        Aggregate, Computed, ConflictAction, FunctionScan, Given, JoinKind, NewRow, RowLock, SetCall, SetOperator,
        SystemAttribute, WindowCall,
    },
    statement::CteId,
};

/// A physical operator with the planner's estimates.
#[derive(Clone, Debug)]
pub struct PhysicalPlan {
    pub operator: Operator,
    /// The columns its batches hold, in order.
    pub columns: Vec<Given>,
    pub estimate: Estimate,
}

/// What the planner expects, as EXPLAIN prints it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    pub startup_cost: f64,
    pub total_cost: f64,
    pub rows: f64,
    /// bytes a row
    pub width: i32,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a plan has few nodes, each of them boxed in its parent")]
pub enum Operator {
    TableScan(TableScan),
    IndexScan(IndexScan),
    SystemScan {
        relation: &'static SystemRelation,
        alias: Arc<str>,
        attributes: Vec<usize>,
        /// `attribute = expression` among the conditions: the relation may be able to give only those rows.
        hint: Option<(usize, Expr)>,
        filter: Option<Expr>,
    },
    Values {
        rows: Vec<Vec<Expr>>,
    },
    FunctionScan(FunctionScan),
    CteScan {
        cte: CteId,
        name: Arc<str>,
        source: Vec<ColumnId>,
    },
    WorkTable {
        cte: CteId,
    },
    Filter {
        input: Box<PhysicalPlan>,
        predicate: Expr,
    },
    Project {
        input: Box<PhysicalPlan>,
        columns: Vec<Computed>,
    },
    ProjectSet {
        input: Box<PhysicalPlan>,
        sets: Vec<(ColumnId, SetCall)>,
    },
    NestedLoopJoin {
        kind: JoinKind,
        left: Box<PhysicalPlan>,
        right: Box<PhysicalPlan>,
        condition: Option<Expr>,
        /// The right side is run again for every left row, whose columns it sees as outer ones.
        lateral: bool,
    },
    HashJoin(HashJoin),
    HashAggregate {
        input: Box<PhysicalPlan>,
        aggregate: AggregateSpec,
    },
    Window {
        input: Box<PhysicalPlan>,
        calls: Vec<(ColumnId, WindowCall)>,
    },
    Sort {
        input: Box<PhysicalPlan>,
        keys: Vec<SortKey>,
    },
    Distinct {
        input: Box<PhysicalPlan>,
        on: Option<Vec<Expr>>,
    },
    Limit {
        input: Box<PhysicalPlan>,
        limit: Option<Expr>,
        offset: Option<Expr>,
        with_ties: Option<Vec<SortKey>>,
    },
    /// The inputs one after another, each with its columns in the order of the output.
    Append {
        inputs: Vec<(PhysicalPlan, Vec<ColumnId>)>,
    },
    /// INTERSECT and EXCEPT [ALL]; UNION is Append below Distinct.
    HashSetOperation {
        operator: SetOperator,
        all: bool,
        left: Box<PhysicalPlan>,
        right: Box<PhysicalPlan>,
        left_columns: Vec<ColumnId>,
        right_columns: Vec<ColumnId>,
    },
    RecursiveUnion {
        cte: CteId,
        initial: Box<PhysicalPlan>,
        recursive: Box<PhysicalPlan>,
        initial_columns: Vec<ColumnId>,
        recursive_columns: Vec<ColumnId>,
        all: bool,
    },
    LockRows {
        input: Box<PhysicalPlan>,
        locks: Vec<RowLock>,
    },
    Insert(Insert),
    Update(Update),
    Delete(Delete),
}

#[derive(Clone, Debug)]
pub struct TableScan {
    pub relation: Arc<Relation>,
    pub alias: Arc<str>,
    /// What each output column is read from.
    pub sources: Vec<ScanSource>,
    /// Columns that only the filter reads.
    pub hidden: Vec<(ScanSource, Given)>,
    pub filter: Option<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanSource {
    Attribute(usize),
    RowId,
    System(SystemAttribute),
}

#[derive(Clone, Debug)]
pub struct IndexScan {
    pub relation: Arc<Relation>,
    pub alias: Arc<str>,
    pub index: Oid,
    pub sources: Vec<ScanSource>,
    /// Columns that only the filter reads.
    pub hidden: Vec<(ScanSource, Given)>,
    /// Types of the index's key columns, in order.
    pub key_types: Vec<SqlType>,
    /// Every key column has an equality and the index is unique: at most one row.
    pub unique: bool,
    /// Equality on leading key columns: expressions of outer columns, parameters and constants; NULL finds nothing.
    pub equal: Vec<Expr>,
    /// `key = ANY(array)` on the next column: looked up one by one.
    pub any_of: Option<Expr>,
    /// Bounds on the key column after those: (expression, inclusive).
    pub lower: Option<(Expr, bool)>,
    pub upper: Option<(Expr, bool)>,
    pub reverse: bool,
    /// What the index conditions do not already guarantee.
    pub filter: Option<Expr>,
    /// The index conditions as written, for EXPLAIN, and the columns that only they mention, which are not read.
    pub condition: Option<Expr>,
    pub unread: Vec<(ScanSource, Given)>,
}

#[derive(Clone, Debug)]
pub struct HashJoin {
    pub kind: JoinKind,
    /// Probe side.
    pub left: Box<PhysicalPlan>,
    /// Build side.
    pub right: Box<PhysicalPlan>,
    /// Pairs of equal keys: over the left, over the right; both of one physical type.
    pub keys: Vec<(Expr, Expr)>,
    /// What must also hold for a pair.
    pub residual: Option<Expr>,
    pub null_aware: bool,
}

/// What an aggregation computes; the input is the operator's.
#[derive(Clone, Debug)]
pub struct AggregateSpec {
    pub group_by: Vec<Computed>,
    pub sets: Option<Vec<Vec<usize>>>,
    pub aggregates: Vec<(ColumnId, AggregateCall)>,
    pub grouping: Vec<(ColumnId, Vec<usize>)>,
}

impl From<Aggregate> for AggregateSpec {
    fn from(aggregate: Aggregate) -> AggregateSpec {
        AggregateSpec {
            group_by: aggregate.group_by,
            sets: aggregate.sets,
            aggregates: aggregate.aggregates,
            grouping: aggregate.grouping,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Insert {
    pub relation: Arc<Relation>,
    pub source: Box<PhysicalPlan>,
    pub values: Vec<Expr>,
    pub row: NewRow,
    pub on_conflict: Option<(Vec<Oid>, ConflictAction)>,
    pub returning: Option<Vec<Computed>>,
}

#[derive(Clone, Debug)]
pub struct Update {
    pub relation: Arc<Relation>,
    pub source: Box<PhysicalPlan>,
    pub row_id: ColumnId,
    pub old_row: Vec<Option<Given>>,
    pub assignments: Vec<(usize, Expr)>,
    pub row: NewRow,
    pub returning: Option<Vec<Computed>>,
}

#[derive(Clone, Debug)]
pub struct Delete {
    pub relation: Arc<Relation>,
    pub source: Box<PhysicalPlan>,
    pub row_id: ColumnId,
    pub old_row: Vec<Option<Given>>,
    pub returning: Option<Vec<Computed>>,
}
