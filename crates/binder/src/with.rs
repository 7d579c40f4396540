//! WITH: common table expressions, recursive and data-modifying ones included (parse_cte.c).

use std::sync::Arc;

use expr::{ColumnId, Expr};
use pg_query::{
    NodeRef,
    protobuf::{CommonTableExpr, CteMaterialize, Node, RangeVar, SelectStmt, SetOperation, WithClause, node::Node as Ast},
};
use plan::{
    OutputColumn,
    analysed::{AnalysedCte, AnalysedQuery, SetTree},
    logical::{Computed, Given, LogicalPlan, SetOperator},
    statement::CteId,
};
use types::{Error, Result, SqlState, SqlType};

use crate::{
    ExpressionKind,
    analysis::set_side,
    ast,
    from::rename,
    plan_walk,
    range_table::{EntryColumn, EntrySource, RangeEntry},
    set_operation::is_leaf,
    state::Binder,
    subquery::BoundQuery,
};

/// A WITH query as references to it see it.
#[derive(Debug)]
pub(crate) struct WithEntry {
    name: Arc<str>,
    state: WithState,
}

#[derive(Debug)]
enum WithState {
    /// Listed, not yet bound.
    Later,
    Bound {
        cte: CteId,
        columns: Vec<(Arc<str>, ColumnId, SqlType)>,
        returns: bool,
    },
    /// The recursive term is being bound: references read the previous round.
    Recursing {
        cte: CteId,
        columns: Vec<(Arc<str>, SqlType)>,
        mentioned: bool,
    },
    /// It reads columns of the queries around it, so that every reference gets a plan of its own.
    Correlated {
        expression: Box<CommonTableExpr>,
        plan: Option<Box<BoundQuery>>,
    },
}

impl Binder<'_> {
    /// Binds a WITH clause into the innermost level.
    pub(crate) fn bind_with(&mut self, with: &WithClause) -> Result<()> {
        let mut expressions = Vec::with_capacity(with.ctes.len());
        for node in &with.ctes {
            let Ast::CommonTableExpr(expression) = ast::content(node)? else { return Err(Error::internal("WITH holds queries")) };
            if expressions.iter().any(|other: &&CommonTableExpr| other.ctename == expression.ctename) {
                let message = format!("WITH query name \"{}\" specified more than once", expression.ctename);
                return Err(Error::new(SqlState::DUPLICATE_ALIAS, message).at(ast::position(expression.location)));
            }
            if expression.search_clause.is_some() || expression.cycle_clause.is_some() {
                return Err(Error::unsupported("SEARCH and CYCLE clauses of WITH").at(ast::position(expression.location)));
            }
            let query = ast::required(&expression.ctequery)?;
            if !matches!(query.node, Some(Ast::SelectStmt(_))) && self.levels.len() > 1 {
                let message = "WITH clause containing a data-modifying statement must be at the top level";
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(ast::position(expression.location)));
            }
            expressions.push(&**expression);
        }
        self.level_mut().shape.recursive = with.recursive;
        let first = self.level().with.len();
        for expression in &expressions {
            self.level_mut().with.push(WithEntry { name: Arc::from(expression.ctename.as_str()), state: WithState::Later });
        }
        let order = if with.recursive { recursion_order(&expressions)? } else { (0..expressions.len()).collect() };
        for at in order {
            let expression = expressions[at];
            let recursive = with.recursive && mentions(expression, &expression.ctename);
            let state = if recursive { self.bind_recursive(expression, first + at)? } else { self.bind_common(expression)? };
            self.level_mut().with[first + at].state = state;
        }
        Ok(())
    }

    fn bind_common(&mut self, expression: &CommonTableExpr) -> Result<WithState> {
        let query = ast::required(&expression.ctequery)?;
        let (mut bound, modifies) = match ast::content(query)? {
            Ast::SelectStmt(_) => (self.bind_nested(query)?, false),
            _ => (self.nested_level(|binder| binder.bind_modification(query))?, true),
        };
        name_columns(expression, &mut bound.output)?;
        self.note_cte(expression, bound.analysed.take());
        let inner = self.depth() + 1;
        if !modifies && !plan_walk::columns_read(&bound.plan, &|id| self.column_depth(id) < inner).is_empty() {
            return Ok(WithState::Correlated { expression: Box::new(expression.clone()), plan: Some(Box::new(bound)) });
        }
        let name: Arc<str> = Arc::from(expression.ctename.as_str());
        let cte = self.new_cte(name);
        let wanted = expression.ctematerialized() != CteMaterialize::Always;
        let inlineable = wanted && !modifies && !self.is_volatile_plan(&bound.plan) && !locks_rows(query);
        let columns = bound.output.iter().map(|column| (column.name.clone(), column.id, column.ty)).collect();
        let record = &mut self.ctes[cte.0 as usize];
        record.cte.output = bound.ids();
        record.cte.plan = bound.plan;
        record.cte.modifies = modifies;
        record.inlineable = inlineable;
        Ok(WithState::Bound { cte, columns, returns: !modifies || !bound.output.is_empty() })
    }

    /// `WITH RECURSIVE name AS (initial UNION [ALL] recursive)`
    fn bind_recursive(&mut self, expression: &CommonTableExpr, at: usize) -> Result<WithState> {
        let name = &expression.ctename;
        let position = ast::position(expression.location);
        let recursion = |message: String| Error::new(SqlState::INVALID_RECURSION, message).at(position);
        let Ast::SelectStmt(select) = ast::content(ast::required(&expression.ctequery)?)? else {
            return Err(recursion(format!("recursive query \"{name}\" must not contain data-modifying statements")));
        };
        if select.op() != SetOperation::SetopUnion {
            return Err(recursion(format!(
                "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
            )));
        }
        refuse_in_recursive(select)?;
        let (initial, recursive) = (ast::required(&select.larg)?, ast::required(&select.rarg)?);
        if let Some(location) = mention_in_select(initial, name) {
            let message = format!("recursive reference to query \"{name}\" must not appear within its non-recursive term");
            return Err(Error::new(SqlState::INVALID_RECURSION, message).at(ast::position(location)));
        }
        let cte = self.new_cte(Arc::from(name.as_str()));
        let mut first = self.nested_level(|binder| {
            if let Some(with) = &select.with_clause {
                binder.bind_with(with)?;
            }
            binder.bind_select_statement(initial)
        })?;
        name_columns(expression, &mut first.output)?;
        let columns = first.output.iter().map(|column| (column.name.clone(), column.ty)).collect();
        self.level_mut().with[at].state = WithState::Recursing { cte, columns, mentioned: false };
        let mut second = self.nested_level(|binder| {
            binder.level_mut().resolve_unknowns = false;
            if let Some(with) = &select.with_clause {
                binder.bind_with(with)?;
            }
            binder.bind_select_statement(recursive)
        })?;
        if first.output.len() != second.output.len() {
            let at = second.locations.first().copied().unwrap_or(-1);
            let message = "each UNION query must have the same number of columns";
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(at)));
        }
        let mut given = Vec::with_capacity(first.output.len());
        for column in 0..first.output.len() {
            given.push(self.recursive_column(name, &mut first, &mut second, column, select.all)?);
        }
        let columns: Vec<_> =
            first.output.iter().zip(&given).map(|(column, given)| (column.name.clone(), given.id, given.ty)).collect();
        let (initial_columns, recursive_columns) = (first.ids(), second.ids());
        let record = &mut self.ctes[cte.0 as usize];
        record.cte.output = given.iter().map(|given| given.id).collect();
        record.cte.plan = LogicalPlan::RecursiveUnion {
            cte,
            initial: Box::new(std::mem::replace(&mut first.plan, crate::select::unit())),
            recursive: Box::new(second.plan),
            initial_columns,
            recursive_columns,
            columns: given,
            all: select.all,
        };
        let analysed = recursive_shape(select, first.analysed.take(), second.analysed.take());
        self.note_cte(expression, analysed);
        let depth = self.depth() + 1;
        let plan = &self.ctes[cte.0 as usize].cte.plan;
        if !plan_walk::columns_read(plan, &|id| self.column_depth(id) < depth).is_empty() {
            // The recursion takes the place of its reference.
            first.plan = std::mem::replace(&mut self.ctes[cte.0 as usize].cte.plan, crate::select::unit());
            for (column, (_, id, ty)) in first.output.iter_mut().zip(&columns) {
                (column.id, column.ty) = (*id, *ty);
            }
            return Ok(WithState::Correlated { expression: Box::new(expression.clone()), plan: Some(Box::new(first)) });
        }
        Ok(WithState::Bound { cte, columns, returns: true })
    }

    /// Keeps what a WITH query was written as.
    fn note_cte(&mut self, expression: &CommonTableExpr, query: Option<Box<AnalysedQuery>>) {
        let Some(query) = query else { return };
        let materialized = match expression.ctematerialized() {
            CteMaterialize::Always => Some(true),
            CteMaterialize::Never => Some(false),
            _ => None,
        };
        let column_names = ast::names(&expression.aliascolnames).into_iter().map(Arc::from).collect();
        let name = Arc::from(expression.ctename.as_str());
        self.level_mut().shape.ctes.push(AnalysedCte { name, column_names, materialized, query: *query });
    }

    fn recursive_column(
        &mut self,
        name: &str,
        first: &mut BoundQuery,
        second: &mut BoundQuery,
        at: usize,
        all: bool,
    ) -> Result<Given> {
        let initial = first.output[at].ty;
        let location = first.locations.get(at).copied().unwrap_or(-1);
        let overall = self.unify_sides(first, second, at, "UNION", all)?;
        let mismatch = |left: String, right: String| {
            let message = format!(
                "recursive query \"{name}\" column {} has type {left} in non-recursive term but type {right} overall",
                at + 1
            );
            Error::new(SqlState::DATATYPE_MISMATCH, message)
                .hint("Cast the output of the non-recursive term to the correct type.")
                .at(ast::position(location))
        };
        if overall.oid != initial.oid {
            return Err(mismatch(self.names.format_type_oid(initial.oid), self.names.format_type_oid(overall.oid)));
        }
        if overall.typmod != initial.typmod {
            return Err(mismatch(self.names.format_type(initial), self.names.format_type(overall)));
        }
        let depth = self.depth() + 1;
        Ok(Given { id: self.new_column_at(depth), ty: overall })
    }

    /// The WITH query of a bare name, from the innermost level out.
    pub(crate) fn find_with(&self, name: &str) -> Option<(usize, usize)> {
        self.levels.iter().enumerate().rev().find_map(|(level, at)| {
            let position = at.with.iter().rposition(|entry| *entry.name == *name && !matches!(entry.state, WithState::Later));
            position.map(|entry| (level, entry))
        })
    }

    /// Whether the name is one of a WITH query that comes later.
    pub(crate) fn is_future_with(&self, name: &str) -> bool {
        self.levels
            .iter()
            .any(|level| level.with.iter().any(|entry| *entry.name == *name && matches!(entry.state, WithState::Later)))
    }

    /// A reference to a WITH query in FROM.
    pub(crate) fn bind_with_reference(&mut self, level: usize, at: usize, range: &RangeVar) -> Result<usize> {
        let name = self.levels[level].with[at].name.clone();
        // Between the query and the reference may stand subqueries of FROM, not of expressions.
        let between = self.levels.len().saturating_sub(level + 2);
        let in_expression = self
            .levels
            .iter()
            .skip(level + 1)
            .take(between)
            .any(|between| !matches!(between.kind, ExpressionKind::Other | ExpressionKind::FromSubselect));
        let mut recursive_reference = -1;
        let mut columns = Vec::new();
        let plan = match &mut self.levels[level].with[at].state {
            WithState::Later => return Err(Error::internal("a WITH query is bound before it is found")),
            WithState::Bound { returns: false, .. } => {
                let message = format!("WITH query \"{name}\" does not have a RETURNING clause");
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(ast::position(range.location)));
            }
            WithState::Bound { cte, columns: known, .. } => {
                let (cte, known) = (*cte, known.clone());
                self.ctes[cte.0 as usize].references += 1;
                let mut pairs = Vec::with_capacity(known.len());
                for (column, id, ty) in known {
                    let given = self.new_given(ty);
                    pairs.push((id, given));
                    columns.push((column, given));
                }
                LogicalPlan::CteScan { cte, name: name.clone(), columns: pairs }
            }
            WithState::Recursing { cte, columns: known, mentioned } => {
                let wrong_place = if in_expression { Some("within a subquery") } else { mentioned.then_some("more than once") };
                if let Some(place) = wrong_place {
                    let message = format!("recursive reference to query \"{name}\" must not appear {place}");
                    return Err(Error::new(SqlState::INVALID_RECURSION, message).at(ast::position(range.location)));
                }
                *mentioned = true;
                recursive_reference = range.location;
                let (cte, known) = (*cte, known.clone());
                let mut given = Vec::with_capacity(known.len());
                for (column, ty) in known {
                    let one = self.new_given(ty);
                    given.push(one);
                    columns.push((column, one));
                }
                LogicalPlan::WorkTable { cte, columns: given }
            }
            WithState::Correlated { expression, plan } => {
                let bound = match plan.take() {
                    Some(bound) => *bound,
                    None if mentions(expression, &expression.ctename) => {
                        let what = "a second reference to a recursive WITH query that reads columns of the query around it";
                        return Err(Error::unsupported(what).at(ast::position(range.location)));
                    }
                    None => {
                        let expression = expression.clone();
                        let mut bound = self.bind_nested(ast::required(&expression.ctequery)?)?;
                        name_columns(&expression, &mut bound.output)?;
                        bound
                    }
                };
                return self.add_query(bound, &range.alias, &name);
            }
        };
        let columns = columns
            .into_iter()
            .map(|(name, given)| EntryColumn { name, expr: Expr::Column { id: given.id, ty: given.ty }, origin: None })
            .collect();
        let mut entry = RangeEntry::new(EntrySource::Plan(Some(Box::new(plan))), name, columns);
        entry.recursive_reference = recursive_reference;
        rename(&mut entry, &range.alias, "table")?;
        Ok(self.add_entry(entry))
    }

    fn is_volatile_plan(&self, plan: &LogicalPlan) -> bool {
        plan_walk::any_expression(plan, &|expr| {
            expr.any(&|node| match node {
                Expr::Call { function, .. } => function.volatility == 'v',
                Expr::Subquery(subquery) => self.is_volatile_plan(&self.subplans[subquery.plan.0 as usize].plan),
                _ => false,
            })
        }) || plan_walk::calls_volatile_set(plan)
    }

    /// Puts the plans of WITH queries that are read once in their places, drops those that nobody reads, and renumbers the rest.
    pub(crate) fn settle_ctes(&mut self, root: &mut LogicalPlan) -> Vec<plan::statement::Cte<LogicalPlan>> {
        if self.ctes.is_empty() {
            return Vec::new();
        }
        for at in 0..self.ctes.len() {
            let record = &mut self.ctes[at];
            if !record.inlineable || record.references != 1 {
                continue;
            }
            let taken = std::mem::replace(&mut record.cte.plan, crate::select::unit());
            record.references = 0;
            let mut body = Some(taken);
            let id = CteId(at as u32);
            replace_scan(root, id, &mut body);
            for subplan in &mut self.subplans {
                replace_scan(&mut subplan.plan, id, &mut body);
            }
            for record in &mut self.ctes {
                replace_scan(&mut record.cte.plan, id, &mut body);
            }
        }
        let mut numbers = vec![None; self.ctes.len()];
        let mut kept = Vec::new();
        for (at, record) in std::mem::take(&mut self.ctes).into_iter().enumerate() {
            if record.references > 0 || record.cte.modifies {
                numbers[at] = Some(CteId(kept.len() as u32));
                kept.push(record.cte);
            }
        }
        renumber(root, &numbers);
        self.subplans.iter_mut().for_each(|subplan| renumber(&mut subplan.plan, &numbers));
        kept.iter_mut().for_each(|cte| renumber(&mut cte.plan, &numbers));
        kept
    }
}

/// Replaces the scan of a WITH query by its plan.
fn replace_scan(plan: &mut LogicalPlan, id: CteId, body: &mut Option<LogicalPlan>) {
    if body.is_none() {
        return;
    }
    if let LogicalPlan::CteScan { cte, columns, .. } = plan
        && *cte == id
        && let Some(input) = body.take()
    {
        let columns = columns
            .iter()
            .map(|(source, given)| Computed { id: given.id, expression: Expr::Column { id: *source, ty: given.ty } })
            .collect();
        *plan = LogicalPlan::Project { input: Box::new(input), columns };
        return;
    }
    for input in plan_walk::inputs_mut(plan) {
        crate::deep::step(|| replace_scan(input, id, body));
    }
}

const UNLISTED: u32 = 1 << 31;

fn renumber(plan: &mut LogicalPlan, numbers: &[Option<CteId>]) {
    match plan {
        LogicalPlan::CteScan { cte, .. } | LogicalPlan::WorkTable { cte, .. } | LogicalPlan::RecursiveUnion { cte, .. } => {
            match numbers.get(cte.0 as usize) {
                Some(Some(new)) => *cte = *new,
                // A recursion in the place of its reference is in no list; its number only has to be its own.
                Some(None) => *cte = CteId(cte.0 | UNLISTED),
                None => {}
            }
        }
        _ => {}
    }
    for input in plan_walk::inputs_mut(plan) {
        crate::deep::step(|| renumber(input, numbers));
    }
}

/// Applies `WITH name (columns)`.
fn name_columns(expression: &CommonTableExpr, output: &mut [OutputColumn]) -> Result<()> {
    let names = ast::names(&expression.aliascolnames);
    if names.len() > output.len() {
        let message = format!(
            "WITH query \"{}\" has {} columns available but {} columns specified",
            expression.ctename,
            output.len(),
            names.len()
        );
        return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(ast::position(expression.location)));
    }
    for (column, name) in output.iter_mut().zip(names) {
        column.name = Arc::from(name);
    }
    Ok(())
}

fn refuse_in_recursive(select: &SelectStmt) -> Result<()> {
    let clause = if let Some(node) = select.sort_clause.first() {
        ("ORDER BY", ast::location(node))
    } else if let Some(node) = ast::present(&select.limit_offset) {
        ("OFFSET", ast::location(node))
    } else if let Some(node) = ast::present(&select.limit_count) {
        ("LIMIT", ast::location(node))
    } else if !select.locking_clause.is_empty() {
        ("FOR UPDATE/SHARE", -1)
    } else {
        return Ok(());
    };
    let message = format!("{} in a recursive query is not implemented", clause.0);
    Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(ast::position(clause.1)))
}

/// A recursive query as the union that it is. A WITH clause before it has been bound with either side, and belongs to the whole.
fn recursive_shape(
    select: &SelectStmt,
    initial: Option<Box<AnalysedQuery>>,
    recursive: Option<Box<AnalysedQuery>>,
) -> Option<Box<AnalysedQuery>> {
    let (mut initial, mut recursive) = (initial?, recursive?);
    let mut whole = AnalysedQuery::default();
    if select.with_clause.is_some() {
        let own = |side: &Option<Box<SelectStmt>>| {
            side.as_ref().and_then(|side| side.with_clause.as_ref()).map_or(0, |with| with.ctes.len())
        };
        let shared = |query: &mut AnalysedQuery, own: usize| {
            let kept = query.ctes.len() - own.min(query.ctes.len());
            query.ctes.drain(..kept).collect()
        };
        whole.recursive = initial.recursive;
        whole.ctes = shared(&mut initial, own(&select.larg));
        let _: Vec<AnalysedCte> = shared(&mut recursive, own(&select.rarg));
    }
    let is_leaf = |side: &Option<Box<SelectStmt>>| side.as_ref().is_none_or(|side| is_leaf(side));
    let left = set_side(Some(initial), is_leaf(&select.larg))?;
    let right = set_side(Some(recursive), is_leaf(&select.rarg))?;
    whole.set_operations = Some(SetTree::Operation { operator: SetOperator::Union, all: select.all, left, right });
    Some(Box::new(whole))
}

fn locks_rows(query: &Node) -> bool {
    matches!(&query.node, Some(Ast::SelectStmt(select)) if !select.locking_clause.is_empty())
}

/// Locations of the unqualified table names below a query.
fn mentions_below(ast: &Ast, name: &str) -> Vec<i32> {
    ast.nodes()
        .into_iter()
        .filter_map(|(node, ..)| match node {
            NodeRef::RangeVar(range) if range.schemaname.is_empty() && range.relname == name => Some(range.location),
            _ => None,
        })
        .collect()
}

fn mentions(expression: &CommonTableExpr, name: &str) -> bool {
    let query = expression.ctequery.as_deref().and_then(|query| query.node.as_ref());
    // A WITH clause of its own can give the name another meaning.
    if let Some(Ast::SelectStmt(select)) = query
        && let Some(with) = &select.with_clause
    {
        let names = |node: &Node| matches!(&node.node, Some(Ast::CommonTableExpr(inner)) if inner.ctename == name);
        if with.ctes.iter().any(names) {
            return false;
        }
    }
    query.is_some_and(|query| !mentions_below(query, name).is_empty())
}

fn mentions_in_select(select: &SelectStmt, name: &str) -> Vec<i32> {
    mentions_below(&Ast::SelectStmt(Box::new(select.clone())), name)
}

fn mention_in_select(select: &SelectStmt, name: &str) -> Option<i32> {
    mentions_in_select(select, name).into_iter().next()
}

/// The order in which the queries of WITH RECURSIVE can be bound. Errors: 0A000 for mutual recursion.
fn recursion_order(expressions: &[&CommonTableExpr]) -> Result<Vec<usize>> {
    let depends: Vec<Vec<usize>> = expressions
        .iter()
        .enumerate()
        .map(|(at, expression)| {
            (0..expressions.len()).filter(|other| *other != at && mentions(expression, &expressions[*other].ctename)).collect()
        })
        .collect();
    let mut order: Vec<usize> = Vec::with_capacity(expressions.len());
    while order.len() < expressions.len() {
        let ready =
            (0..expressions.len()).find(|at| !order.contains(at) && depends[*at].iter().all(|other| order.contains(other)));
        match ready {
            Some(at) => order.push(at),
            None => {
                let stuck = (0..expressions.len()).find(|at| !order.contains(at)).unwrap_or(0);
                let message = "mutual recursion between WITH items is not implemented";
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(ast::position(expressions[stuck].location)));
            }
        }
    }
    Ok(order)
}
