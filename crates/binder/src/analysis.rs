//! Analysis: binding that keeps the shape of what was written, for printing (`plan::analysed`).
//!
//! The plan that such a binding makes is thrown away, so that it may differ from one that runs: views are not expanded, constants not
//! folded, defaults of arguments left out, and what has no expression of its own - a whole row, a merged column of a full join - is a
//! column that [`Meaning`] explains.

use std::{collections::HashMap, sync::Arc};

use catalog::StoredQuery;
use expr::{ColumnId, Expr, SubplanId, expression::Written};
use pg_query::protobuf::{Alias, Node, node::Node as Ast};
use plan::{
    access::Access,
    analysed::{
        Analysed, AnalysedCte, AnalysedQuery, AnalysedSubquery, ItemCall, ItemColumn, ItemJoin, ItemSource, LevelId, Meaning,
        RangeItem, SetTree,
    },
    logical::{FunctionSource, JoinKind, LockStrength, LockWaitPolicy, SetCall, SystemAttribute},
};
use types::{Error, Result, SqlType};

use crate::{
    Environment, ExpressionKind, ast,
    from::FromItem,
    parse,
    range_table::{EntryColumn, EntrySource, RangeEntry},
    same,
    state::{Binder, Level, Typed},
    subquery::BoundQuery,
};

/// What has been found out so far.
#[derive(Debug, Default)]
pub(crate) struct Analysis {
    columns: HashMap<ColumnId, Meaning>,
    subqueries: HashMap<SubplanId, AnalysedSubquery>,
    levels: u32,
}

/// What analysis keeps of a level beside what every binding does.
#[derive(Debug, Default)]
pub(crate) struct LevelShape {
    /// The items of FROM, as entries.
    pub(crate) from: Vec<usize>,
    pub(crate) ctes: Vec<AnalysedCte>,
    pub(crate) recursive: bool,
    pub(crate) locks: Vec<(usize, LockStrength, LockWaitPolicy)>,
}

/// What analysis keeps of an entry.
#[derive(Debug)]
pub(crate) struct EntryShape {
    alias: Option<Arc<str>>,
    column_aliases: Vec<Arc<str>>,
    lateral: bool,
    source: ItemSource,
}

/// An expression, analysed over columns that have names.
#[derive(Clone, Debug)]
pub struct AnalysedExpression {
    pub expression: Expr,
    /// Meanings of the columns in it that are not the given ones.
    pub columns: HashMap<ColumnId, Meaning>,
}

/// Analyses the query of a view, whose names mean what they meant when it was written.
pub fn analyse_view(query: &StoredQuery, environment: &Environment) -> Result<Analysed> {
    let names = environment.names.of_definition(Some(&query.names));
    let environment = Environment::new(Arc::new(names), environment.format.clone());
    let statement = parse::stored_query(&query.text)?;
    analyse_statement(&statement, &environment).map(|(analysed, _)| analysed)
}

/// A query analysed, and what it reads.
fn analyse_statement(statement: &Node, environment: &Environment) -> Result<(Analysed, Access)> {
    crate::deep::roomy(crate::deep::is_deep(statement), || {
        let Ast::SelectStmt(select) = ast::content(statement)? else {
            return Err(Error::internal("only queries are analysed"));
        };
        let mut binder = Binder::new(environment);
        binder.analysis = Some(Box::default());
        binder.levels.push(Level::new());
        let bound = binder.bind_select_statement(select)?;
        let analysis = binder.analysis.take().ok_or_else(|| Error::internal("an analysis ends once"))?;
        let query = bound.analysed.ok_or_else(|| Error::internal("every query is analysed"))?;
        let analysed = Analysed { query: *query, columns: analysis.columns, subqueries: analysis.subqueries };
        Ok((analysed, binder.access))
    })
}

/// What is kept of a query that becomes a view: its text, and what the names in it mean.
pub fn store_query(node: &Node, environment: &Environment) -> Result<StoredQuery> {
    let text = crate::deparse::print(node)?;
    let statement = parse::parse(&text)?.into_iter().next().ok_or_else(|| Error::internal("a printed query parses"))?;
    let recorder = Arc::new(catalog::NameRecorder::default());
    let names = environment.names.recorded_by(recorder.clone());
    let environment = Environment { names: Arc::new(names), ..environment.clone() };
    let (_, access) = analyse_statement(&statement.node, &environment)?;
    let read = access.relations.iter().flat_map(|access| access.selected.iter().map(|at| (access.relation, *at)));
    Ok(StoredQuery { text: text.into(), names: Arc::new(recorder.recorded()), columns_read: read.collect() })
}

impl Binder<'_> {
    pub(crate) fn analysing(&self) -> bool {
        self.analysis.is_some()
    }

    fn mean(&mut self, id: ColumnId, meaning: Meaning) {
        if let Some(analysis) = &mut self.analysis {
            analysis.columns.entry(id).or_insert(meaning);
        }
    }

    /// A column that stands for a call with named arguments.
    pub(crate) fn named_call(&mut self, call: Expr, names: Vec<Arc<str>>) -> Expr {
        let ty = call.ty();
        let known = self.analysis.iter().flat_map(|analysis| &analysis.columns).find_map(|(id, meaning)| match meaning {
            Meaning::NamedCall { call: other, names: other_names } => {
                (*other_names == names && same::same(other, &call)).then_some(*id)
            }
            _ => None,
        });
        let id = known.unwrap_or_else(|| {
            let id = self.new_column();
            self.mean(id, Meaning::NamedCall { call, names });
            id
        });
        Expr::Column { id, ty }
    }

    /// Keeps what an entry was written as.
    pub(crate) fn note_item(&mut self, entry: usize, alias: &Option<Alias>, lateral: bool, source: impl FnOnce() -> ItemSource) {
        if !self.analysing() {
            return;
        }
        let names = alias.iter().flat_map(|alias| ast::names(&alias.colnames)).map(Arc::from).collect();
        let shape = EntryShape {
            alias: alias.as_ref().map(|alias| Arc::from(alias.aliasname.as_str())),
            column_aliases: names,
            lateral,
            source: source(),
        };
        self.level_mut().entries[entry].shape = Some(Box::new(shape));
    }

    /// Functions in FROM, before their sources go into the plan.
    pub(crate) fn note_functions<'s>(&self, sources: impl Iterator<Item = &'s FunctionSource>) -> Vec<ItemCall> {
        let item = |source: &FunctionSource| match source {
            FunctionSource::Set(call) => {
                ItemCall { call: set_call(call), columns: call.columns.as_ref().map(|columns| columns.to_vec()) }
            }
            FunctionSource::Expression(call) => ItemCall { call: call.clone(), columns: None },
        };
        if self.analysing() { sources.map(item).collect() } else { Vec::new() }
    }

    /// Whether calls of FROM read columns of their neighbours, which makes them LATERAL.
    pub(crate) fn reads_own_level(&self, calls: &[ItemCall]) -> bool {
        let depth = self.depth();
        calls.iter().flat_map(|call| call.call.columns()).any(|id| self.column_depth(id) == depth)
    }

    /// The whole row of an entry as a column of its own.
    pub(crate) fn analysed_row(&mut self, level: usize, entry: usize, ty: SqlType) -> Expr {
        if let Some(id) = self.levels[level].entries[entry].whole {
            return Expr::Column { id, ty };
        }
        let depth = self.depth_of(level);
        let id = self.new_column_at(depth);
        self.levels[level].entries[entry].whole = Some(id);
        Expr::Column { id, ty }
    }

    /// Level and entry whose whole row this is.
    fn analysed_entry(&self, expr: &Expr) -> Option<(usize, usize)> {
        let Expr::Column { id, .. } = expr else { return None };
        self.analysing().then_some(())?;
        let is_row = |entry: &RangeEntry| entry.whole == Some(*id);
        let levels = self.levels.iter().enumerate();
        levels.into_iter().find_map(|(at, level)| Some((at, level.entries.iter().position(is_row)?)))
    }

    /// The columns of the entry whose whole row this is.
    pub(crate) fn analysed_fields(&self, expr: &Expr) -> Option<&[EntryColumn]> {
        let (level, entry) = self.analysed_entry(expr)?;
        Some(&self.levels[level].entries[entry].columns)
    }

    /// One of them, which is then read.
    pub(crate) fn analysed_field(&mut self, row: &Expr, field: usize) -> Option<Expr> {
        let (level, entry) = self.analysed_entry(row)?;
        self.note_read(level, entry, field);
        self.levels[level].entries[entry].columns.get(field).map(|column| column.expr.clone())
    }

    /// The same row as the values of its fields.
    pub(crate) fn spread_row(&self, typed: Typed) -> Typed {
        let Some(columns) = self.analysed_fields(&typed.expr) else { return typed };
        let names = columns.iter().map(|column| column.name.clone()).collect();
        let fields = columns.iter().map(|column| column.expr.clone()).collect();
        Typed::new(Expr::Row { fields, names, ty: typed.ty() }, typed.location)
    }

    /// A column of a join that is not simply a column of one side.
    pub(crate) fn analysed_merge(&mut self, expr: Expr) -> Expr {
        match expr {
            Expr::Column { .. } => expr,
            computed if self.analysing() => Expr::Column { id: self.new_column(), ty: computed.ty() },
            computed => computed,
        }
    }

    /// A named join offers its columns under its own name.
    pub(crate) fn rename_join_columns(&mut self, entry: &mut RangeEntry) {
        if self.analysing() && entry.has_alias {
            for column in &mut entry.columns {
                column.expr = Expr::Column { id: self.new_column(), ty: column.expr.ty() };
            }
        }
    }

    /// The shape of a join whose merged columns come first and the sides' other columns behind them.
    pub(crate) fn join_shape(
        &self,
        kind: JoinKind,
        sides: (&FromItem, &FromItem),
        merged: &[(EntryColumn, usize, usize)],
        condition: Option<Expr>,
        using_alias: &Option<Alias>,
    ) -> ItemJoin {
        let entries = &self.level().entries;
        let (left, right) = (sides.0.entry, sides.1.entry);
        let own = |entry: usize| 0..entries[entry].columns.len();
        let mut columns: Vec<_> = merged.iter().map(|(_, left, right)| (Some(*left), Some(*right))).collect();
        columns.extend(own(left).filter(|at| !merged.iter().any(|(_, left, _)| left == at)).map(|at| (Some(at), None)));
        columns.extend(own(right).filter(|at| !merged.iter().any(|(.., right)| right == at)).map(|at| (None, Some(at))));
        let is_side = |(column, left_at, right_at): &(EntryColumn, usize, usize)| {
            let sides = [(left, *left_at), (right, *right_at)];
            sides.iter().any(|(side, at)| same::same(&entries[*side].columns[*at].expr, &column.expr))
        };
        ItemJoin {
            kind,
            left,
            right,
            using: merged.iter().map(|(column, ..)| column.name.clone()).collect(),
            using_alias: using_alias.as_ref().map(|alias| Arc::from(alias.aliasname.as_str())),
            computes: !merged.iter().all(is_side),
            condition,
            columns,
        }
    }

    /// Files the query of a subquery expression.
    pub(crate) fn note_subquery(&mut self, expr: &Expr, query: Option<Box<AnalysedQuery>>, operator: Option<&str>) {
        if let (Some(analysis), Expr::Subquery(subquery), Some(query)) = (&mut self.analysis, expr, query) {
            let known = AnalysedSubquery { query: *query, operator: operator.map(Arc::from) };
            analysis.subqueries.insert(subquery.plan, known);
        }
    }

    /// The query that a level has become, with the meanings of its columns filed. The clauses are the caller's to add.
    pub(crate) fn analyse_level(&mut self) -> Option<AnalysedQuery> {
        let analysis = self.analysis.as_mut()?;
        analysis.levels += 1;
        let id = LevelId(analysis.levels);
        let entries = std::mem::take(&mut self.level_mut().entries);
        let mut items = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            self.mean_entry(id, at, entry);
            items.push(range_item(entry));
        }
        let level = self.level_mut();
        level.entries = entries;
        let aggregates: Vec<_> = level.aggregates.iter().map(|pending| (pending.column, pending.call.clone())).collect();
        let groupings: Vec<_> = level.groupings.iter().map(|(id, arguments, _)| (*id, arguments.clone())).collect();
        let sets: Vec<_> = level.sets.iter().map(|(id, call)| (*id, set_call(call))).collect();
        let shape = std::mem::take(&mut level.shape);
        for (column, call) in aggregates {
            self.mean(column, Meaning::Aggregate(call));
        }
        for (column, arguments) in groupings {
            self.mean(column, Meaning::Grouping(arguments.into_iter().map(|argument| argument.expr).collect()));
        }
        for (column, call) in sets {
            self.mean(column, Meaning::Expression(call));
        }
        Some(AnalysedQuery {
            level: id,
            items,
            from: shape.from,
            ctes: shape.ctes,
            recursive: shape.recursive,
            ..AnalysedQuery::default()
        })
    }

    fn mean_entry(&mut self, level: LevelId, at: usize, entry: &RangeEntry) {
        if entry.shape.is_none() {
            return;
        }
        for (column, offered) in entry.columns.iter().enumerate() {
            if let Expr::Column { id, .. } = offered.expr {
                self.mean(id, Meaning::Item { level, item: at, column });
            }
        }
        for (attribute, given) in &entry.system {
            self.mean(given.id, Meaning::System { level, item: at, name: system_name(*attribute) });
        }
        if let Some(id) = entry.whole {
            self.mean(id, Meaning::WholeRow { level, item: at });
        }
    }

    /// Notes window calls before they are joined with their windows.
    pub(crate) fn note_window_calls(&mut self) {
        if !self.analysing() {
            return;
        }
        let calls: Vec<_> =
            self.level().window_calls.iter().map(|pending| (pending.column, pending.call.clone(), pending.window)).collect();
        for (column, call, window) in calls {
            self.mean(column, Meaning::Window { call, window });
        }
    }

    /// An expression over the given columns, unfolded.
    pub(crate) fn end_expression_analysis(&mut self) -> HashMap<ColumnId, Meaning> {
        self.analysis.take().map(|analysis| analysis.columns).unwrap_or_default()
    }
}

/// Analyses an expression over the given columns. With `target`, it is converted to a column's type as an assignment does; `value` is
/// the type of VALUE in a domain's check.
pub fn analyse_expression(
    sql: &str,
    columns: &[(&str, plan::logical::Given)],
    target: Option<(&str, SqlType)>,
    value: Option<SqlType>,
    environment: &Environment,
) -> Result<AnalysedExpression> {
    let node = parse::parse_expression(sql)?;
    let kind = match (value, target) {
        (Some(_), _) => ExpressionKind::DomainCheck,
        // Generated columns may mention others, so that the kind cannot be that of a plain default.
        (_, Some(_)) => ExpressionKind::GeneratedColumn,
        _ => ExpressionKind::Other,
    };
    let mut binder = Binder::for_expression(environment, kind, columns, value)?;
    binder.analysis = Some(Box::default());
    let bound = binder.bind_kind(&node, kind)?;
    let expression = match target {
        Some((_, ty)) => {
            let converted = binder.coerce_to(bound.clone(), ty, crate::coercion::Context::Assignment)?;
            converted.unwrap_or(bound.expr)
        }
        None if value.is_some() => binder.coerce_to_boolean(bound, "CHECK")?,
        None => binder.unknown_to_text(bound)?.expr,
    };
    let columns = binder.end_expression_analysis();
    Ok(AnalysedExpression { expression, columns })
}

impl BoundQuery {
    /// Gives a target that was a literal of no known type the expression that it has become.
    pub(crate) fn decide_literal(&mut self, at: usize, expr: &Expr) {
        let Some(query) = &mut self.analysed else { return };
        if query.set_operations.is_none()
            && let Some(target) = query.targets.iter_mut().filter(|target| !target.junk).nth(at)
        {
            target.expression = expr.clone();
        }
    }
}

/// One side of a set operation.
pub(crate) fn set_side(query: Option<Box<AnalysedQuery>>, is_leaf: bool) -> Option<Box<SetTree>> {
    let query = query?;
    match (is_leaf, query.set_operations.is_some()) {
        (false, true) => query.set_operations.map(Box::new),
        _ => Some(Box::new(SetTree::Leaf(query))),
    }
}

fn set_call(call: &SetCall) -> Expr {
    Expr::Call {
        function: call.function,
        arguments: call.arguments.clone(),
        ty: call.ty,
        collation: types::Oid::INVALID,
        written: Written::Call,
        position: None,
    }
}

fn range_item(entry: &RangeEntry) -> RangeItem {
    let attribute = |at: usize| match entry.source {
        EntrySource::Table(_) | EntrySource::System(_) => entry.attributes.get(at).map(|(position, _)| *position),
        _ => None,
    };
    let columns = entry.columns.iter().enumerate();
    let columns = columns.map(|(at, column)| ItemColumn { name: column.name.clone(), attribute: attribute(at) }).collect();
    let (alias, column_aliases, lateral, source) = match &entry.shape {
        Some(shape) => (shape.alias.clone(), shape.column_aliases.clone(), shape.lateral, shape.source.clone()),
        None => (None, Vec::new(), false, ItemSource::Hidden),
    };
    RangeItem { alias, column_aliases, name: entry.alias.clone(), columns, lateral, source }
}

fn system_name(attribute: SystemAttribute) -> &'static str {
    match attribute {
        SystemAttribute::Ctid => "ctid",
        SystemAttribute::Xmin => "xmin",
        SystemAttribute::Xmax => "xmax",
        SystemAttribute::Cmin => "cmin",
        SystemAttribute::Cmax => "cmax",
        SystemAttribute::TableOid => "tableoid",
    }
}
