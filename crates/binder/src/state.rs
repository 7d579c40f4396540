//! The binder's state while it works on one statement: column ids, subplans, parameters, and the stack of query levels.
//!
//! A level is one SELECT (or one data-modifying statement) being bound: what its FROM offers, and the aggregates, window calls and set
//! calls found in its expressions so far. Inner levels see the outer ones; a column knows the depth of the level it belongs to, so that
//! correlation is a comparison of numbers.

use std::sync::Arc;

use catalog::type_names::Names;
use expr::{ColumnId, Expr, SubplanId};
use pg_query::protobuf::Node;
use plan::{
    Subplan,
    logical::{Given, LogicalPlan, SetCall},
    statement::{Cte, CteId},
};
use types::{Error, Result, SqlType};

use crate::{
    Environment, ExpressionKind,
    aggregate::PendingAggregate,
    analysis::{Analysis, LevelShape},
    ast,
    coercion::Context,
    parameter::Parameters,
    range_table::{NamespaceItem, RangeEntry},
    window::{PendingWindowCall, WindowDefinition},
    with::WithEntry,
};

/// A bound expression and where it begins in the text (-1: unknown).
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) location: i32,
}

impl Typed {
    pub(crate) fn new(expr: Expr, location: i32) -> Typed {
        Typed { expr, location }
    }

    pub(crate) fn ty(&self) -> SqlType {
        self.expr.ty()
    }

    pub(crate) fn position(&self) -> Option<usize> {
        ast::position(self.location)
    }
}

/// What is known of a column id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnFacts {
    /// Depth of the level it belongs to.
    pub(crate) depth: u32,
    /// Some expression mentions it.
    pub(crate) used: bool,
}

/// One query level.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) entries: Vec<RangeEntry>,
    pub(crate) namespace: Vec<NamespaceItem>,
    pub(crate) with: Vec<WithEntry>,
    pub(crate) kind: ExpressionKind,
    /// A LATERAL item of FROM is being bound: names of its left neighbours are visible.
    pub(crate) lateral_active: bool,
    pub(crate) aggregates: Vec<PendingAggregate>,
    /// GROUPING(...) calls: their column, arguments and location.
    pub(crate) groupings: Vec<(ColumnId, Vec<Typed>, i32)>,
    pub(crate) windows: Vec<WindowDefinition>,
    pub(crate) window_calls: Vec<PendingWindowCall>,
    /// Set-returning calls of the target list, inner ones first.
    pub(crate) sets: Vec<(ColumnId, SetCall)>,
    /// Columns of this level mentioned outside aggregates, in order of binding, with where.
    pub(crate) references: Vec<(ColumnId, i32)>,
    /// How many aggregate calls the expression being bound is inside of.
    pub(crate) inside_aggregate: u32,
    /// What VALUE is in a domain's check.
    pub(crate) domain_value: Option<SqlType>,
    /// Unknown literals in the target list become text.
    pub(crate) resolve_unknowns: bool,
    /// What only analysis keeps.
    pub(crate) shape: LevelShape,
}

impl Level {
    pub(crate) fn new() -> Level {
        Level {
            entries: Vec::new(),
            namespace: Vec::new(),
            with: Vec::new(),
            kind: ExpressionKind::Other,
            lateral_active: false,
            aggregates: Vec::new(),
            groupings: Vec::new(),
            windows: Vec::new(),
            window_calls: Vec::new(),
            sets: Vec::new(),
            references: Vec::new(),
            inside_aggregate: 0,
            domain_value: None,
            resolve_unknowns: true,
            shape: LevelShape::default(),
        }
    }
}

/// A WITH query while the statement is being bound.
#[derive(Debug)]
pub(crate) struct CteRecord {
    pub(crate) cte: Cte<LogicalPlan>,
    pub(crate) references: u32,
    /// It may be put in the place of its only reference.
    pub(crate) inlineable: bool,
}

/// The state of binding one statement.
pub(crate) struct Binder<'e> {
    pub(crate) environment: &'e Environment,
    /// The names in force: the session's, or those of a stored view.
    pub(crate) names: Arc<Names>,
    pub(crate) columns: Vec<ColumnFacts>,
    pub(crate) subplans: Vec<Subplan<LogicalPlan>>,
    pub(crate) ctes: Vec<CteRecord>,
    pub(crate) parameters: Parameters,
    pub(crate) cacheable: bool,
    pub(crate) levels: Vec<Level>,
    /// Depth of `levels[0]`: above zero inside a view.
    pub(crate) base_depth: u32,
    /// How deep the recursion is.
    pub(crate) nesting: usize,
    /// Views being expanded, to end a chain of them that refers to itself.
    pub(crate) views: Vec<types::Oid>,
    /// What the statement must be allowed to do, so far.
    pub(crate) access: plan::access::Access,
    /// As whom what is being bound runs: the owner of the view around it.
    pub(crate) check_as: Option<types::Oid>,
    /// Changes to the text being printed, when this binding serves printing.
    pub(crate) mendings: Option<Vec<crate::deparse::Mending>>,
    /// What is found out about the text, when this binding serves analysis.
    pub(crate) analysis: Option<Box<Analysis>>,
}

impl<'e> Binder<'e> {
    pub(crate) fn new(environment: &'e Environment) -> Binder<'e> {
        Binder {
            environment,
            names: environment.names.clone(),
            columns: Vec::new(),
            subplans: Vec::new(),
            ctes: Vec::new(),
            parameters: Parameters::new(&environment.parameters),
            cacheable: true,
            levels: Vec::new(),
            base_depth: 0,
            nesting: 0,
            views: Vec::new(),
            access: plan::access::Access::default(),
            check_as: None,
            mendings: None,
            analysis: None,
        }
    }

    /// A binder with one level that offers the given columns, for a stand-alone expression.
    pub(crate) fn for_expression(
        environment: &'e Environment,
        kind: ExpressionKind,
        columns: &[(&str, Given)],
        domain_value: Option<SqlType>,
    ) -> Result<Binder<'e>> {
        let mut binder = Binder::new(environment);
        let highest = columns.iter().map(|(_, given)| given.id.0 + 1).max().unwrap_or(0);
        binder.columns.resize(highest as usize, ColumnFacts { depth: 0, used: false });
        let mut level = Level::new();
        level.kind = kind;
        level.domain_value = domain_value;
        if !columns.is_empty() {
            let pairs = columns.iter().map(|(name, given)| (Arc::from(*name), *given));
            level.entries.push(RangeEntry::of_columns("", pairs));
            level.show(0);
        }
        binder.levels.push(level);
        Ok(binder)
    }

    pub(crate) fn standalone(mut self, node: &Node) -> Result<Expr> {
        let kind = self.level().kind;
        let bound = self.bind_kind(node, kind)?;
        let bound = self.unknown_to_text(bound)?;
        self.finish_standalone(bound.expr)
    }

    pub(crate) fn standalone_condition(mut self, node: &Node) -> Result<Expr> {
        let kind = self.level().kind;
        let construct = match kind {
            ExpressionKind::CheckConstraint | ExpressionKind::DomainCheck => "CHECK",
            ExpressionKind::IndexPredicate => "WHERE",
            kind => kind.clause(),
        };
        let bound = self.bind_condition(node, kind, construct)?;
        self.finish_standalone(bound)
    }

    pub(crate) fn standalone_assignment(mut self, node: &Node, column: &str, target: SqlType) -> Result<Expr> {
        let kind = self.level().kind;
        let bound = self.bind_kind(node, kind)?;
        let source = bound.ty();
        let position = bound.position();
        let names = self.names.clone();
        let converted = self.coerce_to(bound, target, Context::Assignment)?.ok_or_else(|| {
            let what = match kind {
                ExpressionKind::GeneratedColumn | ExpressionKind::ColumnDefault => "default expression",
                _ => "expression",
            };
            Error::new(
                types::SqlState::DATATYPE_MISMATCH,
                format!(
                    "column \"{column}\" is of type {} but {what} is of type {}",
                    names.format_type_oid(target.oid),
                    names.format_type_oid(source.oid)
                ),
            )
            .hint("You will need to rewrite or cast the expression.")
            .at(position.filter(|_| kind == ExpressionKind::AlterColumnTransform))
        })?;
        self.finish_standalone(converted)
    }

    fn finish_standalone(self, expr: Expr) -> Result<Expr> {
        if !self.subplans.is_empty() || !self.level().aggregates.is_empty() || !self.level().sets.is_empty() {
            return Err(Error::unsupported("a subquery, aggregate or set-returning function in a stand-alone expression"));
        }
        self.parameters.check()?;
        Ok(expr)
    }

    /// The innermost level.
    pub(crate) fn level(&self) -> &Level {
        self.levels.last().expect("a level is pushed before anything is bound")
    }

    pub(crate) fn level_mut(&mut self) -> &mut Level {
        self.levels.last_mut().expect("a level is pushed before anything is bound")
    }

    /// Depth of the innermost level.
    pub(crate) fn depth(&self) -> u32 {
        self.base_depth + self.levels.len() as u32 - 1
    }

    /// Depth of the level at this place of the stack.
    pub(crate) fn depth_of(&self, index: usize) -> u32 {
        self.base_depth + index as u32
    }

    /// A new column of the innermost level.
    pub(crate) fn new_column(&mut self) -> ColumnId {
        let depth = self.depth();
        self.new_column_at(depth)
    }

    pub(crate) fn new_column_at(&mut self, depth: u32) -> ColumnId {
        self.columns.push(ColumnFacts { depth, used: false });
        ColumnId(self.columns.len() as u32 - 1)
    }

    pub(crate) fn new_given(&mut self, ty: SqlType) -> Given {
        Given { id: self.new_column(), ty }
    }

    pub(crate) fn column_depth(&self, id: ColumnId) -> u32 {
        self.columns[id.0 as usize].depth
    }

    pub(crate) fn mark_used(&mut self, expr: &Expr) {
        if let Expr::Column { id, .. } = expr {
            self.columns[id.0 as usize].used = true;
        }
        expr.for_each_child(&mut |child| self.mark_used(child));
    }

    pub(crate) fn is_used(&self, id: ColumnId) -> bool {
        self.columns[id.0 as usize].used
    }

    /// Files the plan of a subquery.
    pub(crate) fn new_subplan(&mut self, plan: LogicalPlan, output: Vec<ColumnId>) -> SubplanId {
        self.subplans.push(Subplan { plan, output });
        SubplanId(self.subplans.len() as u32 - 1)
    }

    pub(crate) fn new_cte(&mut self, name: Arc<str>) -> CteId {
        self.ctes.push(CteRecord {
            cte: Cte {
                name,
                plan: LogicalPlan::Values { rows: Vec::new(), columns: Vec::new() },
                output: Vec::new(),
                modifies: false,
            },
            references: 0,
            inlineable: false,
        });
        CteId(self.ctes.len() as u32 - 1)
    }

    /// Runs a recursive step with its depth counted and its stack assured.
    pub(crate) fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.nesting += 1;
        let result = match crate::deep::check(self.nesting) {
            Ok(()) => crate::deep::step(|| run(self)),
            Err(error) => Err(error),
        };
        self.nesting -= 1;
        result
    }

    /// Binds an expression of a clause.
    pub(crate) fn bind_kind(&mut self, node: &Node, kind: ExpressionKind) -> Result<Typed> {
        let before = std::mem::replace(&mut self.level_mut().kind, kind);
        let bound = self.bind_expr(node);
        self.level_mut().kind = before;
        bound
    }

    /// Binds a boolean clause (transformWhereClause): `construct` is how the error names it.
    pub(crate) fn bind_condition(&mut self, node: &Node, kind: ExpressionKind, construct: &str) -> Result<Expr> {
        let bound = self.bind_kind(node, kind)?;
        self.coerce_to_boolean(bound, construct)
    }
}
