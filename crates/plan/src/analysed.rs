//! A query as analysed: every name resolved, nothing planned. What definitions are printed from.
//!
//! The binder makes it beside the plan, when asked to (`binder::analyse`). A level keeps the shape of the text - joins, WITH, grouping
//! sets, windows - with bound expressions in it. Those name columns by [`ColumnId`] as everywhere; [`Analysed::columns`] says what each
//! is, and [`Analysed::subqueries`] holds the queries inside expressions.
//!
//! **Rule.** Relations are identifiers and their columns positions, so that a printer gives them the names of its own catalog.

use std::{collections::HashMap, sync::Arc};

use expr::{AggregateCall, ColumnId, Expr, SubplanId};
use types::{Oid, SqlType};

use crate::logical::{Frame, JoinKind, LockStrength, LockWaitPolicy, SetOperator};

/// Names one level (one SELECT) of an analysed statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LevelId(pub u32);

/// A statement's query and what its expressions mention.
#[derive(Clone, Debug, Default)]
pub struct Analysed {
    pub query: AnalysedQuery,
    pub columns: HashMap<ColumnId, Meaning>,
    pub subqueries: HashMap<SubplanId, AnalysedSubquery>,
}

/// What a column of an expression is.
#[derive(Clone, Debug)]
pub enum Meaning {
    /// A column of an item of FROM, by position in both.
    Item {
        level: LevelId,
        item: usize,
        column: usize,
    },
    /// A system column of an item.
    System {
        level: LevelId,
        item: usize,
        name: &'static str,
    },
    /// All columns of an item as one value.
    WholeRow {
        level: LevelId,
        item: usize,
    },
    Aggregate(AggregateCall),
    /// A window call and its window in the level.
    Window {
        call: AggregateCall,
        window: usize,
    },
    /// GROUPING(...)
    Grouping(Vec<Expr>),
    /// What stands for itself: a set-returning call, or one with named arguments.
    Expression(Expr),
    /// `f(a, name => b)`: the names of the trailing arguments.
    NamedCall {
        call: Expr,
        names: Vec<Arc<str>>,
    },
}

/// A query inside an expression.
#[derive(Clone, Debug)]
pub struct AnalysedSubquery {
    pub query: AnalysedQuery,
    /// The comparison operator of ANY and ALL.
    pub operator: Option<Arc<str>>,
}

/// One SELECT, VALUES or tree of set operations.
#[derive(Clone, Debug, Default)]
pub struct AnalysedQuery {
    pub level: LevelId,
    pub recursive: bool,
    pub ctes: Vec<AnalysedCte>,
    /// The range table: the items of FROM and the joins over them, in the order PostgreSQL makes them.
    pub items: Vec<RangeItem>,
    /// The comma-separated items of FROM.
    pub from: Vec<usize>,
    pub targets: Vec<AnalysedTarget>,
    /// When there, `targets` only names the columns and their types.
    pub set_operations: Option<SetTree>,
    pub distinct: AnalysedDistinct,
    pub filter: Option<Expr>,
    pub group_by: AnalysedGrouping,
    pub having: Option<Expr>,
    pub windows: Vec<AnalysedWindow>,
    pub order_by: Vec<AnalysedSort>,
    /// LIMIT ALL is a NULL.
    pub limit: Option<Expr>,
    pub with_ties: bool,
    pub offset: Option<Expr>,
    pub locks: Vec<AnalysedLock>,
}

#[derive(Clone, Debug)]
pub struct AnalysedCte {
    pub name: Arc<str>,
    pub column_names: Vec<Arc<str>>,
    pub materialized: Option<bool>,
    pub query: AnalysedQuery,
}

#[derive(Clone, Debug)]
pub struct AnalysedTarget {
    pub expression: Expr,
    pub name: Arc<str>,
    pub junk: bool,
}

#[derive(Clone, Debug)]
pub enum SetTree {
    Leaf(Box<AnalysedQuery>),
    Operation { operator: SetOperator, all: bool, left: Box<SetTree>, right: Box<SetTree> },
}

#[derive(Clone, Debug, Default)]
pub enum AnalysedDistinct {
    #[default]
    None,
    All,
    /// Targets by position.
    On(Vec<usize>),
}

#[derive(Clone, Debug)]
pub enum AnalysedGrouping {
    Plain(Vec<Expr>),
    Sets { distinct: bool, items: Vec<GroupItem> },
}

impl Default for AnalysedGrouping {
    fn default() -> AnalysedGrouping {
        AnalysedGrouping::Plain(Vec::new())
    }
}

#[derive(Clone, Debug)]
pub enum GroupItem {
    Simple(Vec<Expr>),
    Empty,
    Rollup(Vec<GroupItem>),
    Cube(Vec<GroupItem>),
    Sets(Vec<GroupItem>),
}

/// A window of the WINDOW clause, or of one OVER; what it takes over from another is not repeated.
#[derive(Clone, Debug)]
pub struct AnalysedWindow {
    pub name: Option<Arc<str>>,
    pub based_on: Option<Arc<str>>,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<expr::SortKey>,
    /// None: the default one.
    pub frame: Option<Frame>,
    /// Written as BETWEEN ... AND ...
    pub between: bool,
}

/// A sort key: a target by position.
#[derive(Clone, Copy, Debug)]
pub struct AnalysedSort {
    pub target: usize,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct AnalysedLock {
    pub item: usize,
    pub strength: LockStrength,
    pub wait: LockWaitPolicy,
}

/// An entry of the range table.
#[derive(Clone, Debug)]
pub struct RangeItem {
    /// As written.
    pub alias: Option<Arc<str>>,
    /// The column names of the alias, as written.
    pub column_aliases: Vec<Arc<str>>,
    /// What it is called without an alias.
    pub name: Arc<str>,
    pub columns: Vec<ItemColumn>,
    pub lateral: bool,
    pub source: ItemSource,
}

#[derive(Clone, Debug)]
pub struct ItemColumn {
    pub name: Arc<str>,
    /// The position of the relation's attribute.
    pub attribute: Option<usize>,
}

#[derive(Clone, Debug)]
pub enum ItemSource {
    Relation {
        oid: Oid,
        only: bool,
    },
    Subquery(Box<AnalysedQuery>),
    Functions {
        calls: Vec<ItemCall>,
        ordinality: bool,
    },
    Values(Vec<Vec<Expr>>),
    Cte(Arc<str>),
    Join(ItemJoin),
    /// Serves the binder only.
    Hidden,
}

#[derive(Clone, Debug)]
pub struct ItemCall {
    pub call: Expr,
    /// The column definition list.
    pub columns: Option<Vec<(Arc<str>, SqlType)>>,
}

#[derive(Clone, Debug)]
pub struct ItemJoin {
    pub kind: JoinKind,
    pub left: usize,
    pub right: usize,
    /// The merged columns, which are the join's first ones.
    pub using: Vec<Arc<str>>,
    pub using_alias: Option<Arc<str>>,
    pub condition: Option<Expr>,
    /// Which columns of the sides each column is.
    pub columns: Vec<(Option<usize>, Option<usize>)>,
    /// Some merged column is not simply one side's.
    pub computes: bool,
}
