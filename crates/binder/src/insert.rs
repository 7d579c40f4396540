//! INSERT.

use std::sync::Arc;

use catalog::Relation;
use expr::Expr;
use pg_query::protobuf::{InsertStmt, Node, OverridingKind, SelectStmt, node::Node as Ast};
use plan::logical::{Insert, LogicalPlan};
use types::{Error, Result, SqlState, SqlType};

use crate::{
    ExpressionKind, ast, select,
    state::{Binder, Typed},
    subquery::BoundQuery,
    table_expression::Modification,
    writable_view::WriteTarget,
};

/// A column of the target list: its attribute, the part of it that is assigned, and where it is written.
#[derive(Debug)]
struct InsertColumn<'n> {
    at: usize,
    steps: &'n [Node],
    location: i32,
}

/// The target list.
#[derive(Debug)]
struct InsertColumns<'n> {
    columns: Vec<InsertColumn<'n>>,
    /// It is written in the statement.
    listed: bool,
    /// Why the column after the last cannot be written.
    blocked: Option<Error>,
}

impl Binder<'_> {
    pub(crate) fn bind_insert(&mut self, insert: &InsertStmt) -> Result<BoundQuery> {
        if let Some(with) = &insert.with_clause {
            self.bind_with(with)?;
        }
        let range = ast::required(&insert.relation)?;
        let target = self.bind_write_target(range, Modification::Insert)?;
        let relation = target.relation.clone();
        let mut columns = self.insert_columns(insert, &target)?;
        let (source, given) = match ast::present(&insert.select_stmt) {
            None => (select::unit(), Vec::new()),
            Some(node) => {
                let Ast::SelectStmt(select) = ast::content(node)? else { return Err(Error::internal("INSERT reads a SELECT")) };
                self.bind_insert_source(node, select, insert.r#override(), &target, &mut columns)?
            }
        };
        let written: Vec<usize> = columns.columns.iter().map(|column| column.at).collect();
        self.note_written(&target, &written, Modification::Insert);
        let values = self.insert_values(&target, &columns.columns, given, insert)?;
        let mut row = self.bind_new_row(&relation)?;
        row.view_checks = self.view_checks(&target, &row.columns);
        let named = target.view.as_ref().map_or(&relation, |view| &view.relation);
        let alias: Arc<str> =
            range.alias.as_ref().map_or_else(|| named.name.clone(), |alias| Arc::from(alias.aliasname.as_str()));
        let on_conflict = match &insert.on_conflict_clause {
            Some(clause) => Some(self.bind_on_conflict(clause, &target, &alias, range.alias.is_some())?),
            None => None,
        };
        let entry = self.add_names(&target, &alias, range.alias.is_some(), &row.columns);
        self.level_mut().namespace.clear();
        self.level_mut().show(entry);
        let (returning, bound) = self.bind_returning(&insert.returning_clause)?;
        Ok(bound.over(LogicalPlan::Insert(Insert { relation, source: Box::new(source), values, row, on_conflict, returning })))
    }

    /// The target columns: those listed, else all that can be written.
    fn insert_columns<'n>(&self, insert: &'n InsertStmt, target: &WriteTarget) -> Result<InsertColumns<'n>> {
        if insert.cols.is_empty() {
            let mut columns = InsertColumns { columns: Vec::new(), listed: false, blocked: None };
            for name in Self::written_names(target) {
                match self.written_attribute(target, &name, -1) {
                    Ok(at) => columns.columns.push(InsertColumn { at, steps: &[], location: -1 }),
                    Err(error) => {
                        columns.blocked = Some(error);
                        break;
                    }
                }
            }
            return Ok(columns);
        }
        let mut columns: Vec<InsertColumn<'n>> = Vec::with_capacity(insert.cols.len());
        for node in &insert.cols {
            let Ast::ResTarget(column) = ast::content(node)? else { return Err(Error::internal("a column list holds columns")) };
            let at = self.written_attribute(target, &column.name, column.location)?;
            let whole_before =
                columns.iter().any(|other| other.at == at && (other.steps.is_empty() || column.indirection.is_empty()));
            if whole_before {
                let message = format!("column \"{}\" specified more than once", column.name);
                return Err(Error::new(SqlState::DUPLICATE_COLUMN, message).at(ast::position(column.location)));
            }
            columns.push(InsertColumn { at, steps: &column.indirection, location: column.location });
        }
        // A column of the view that has a default is written too, if it can be.
        if let Some(view) = &target.view {
            let named = |name: &str| {
                insert.cols.iter().any(|node| matches!(ast::content(node), Ok(Ast::ResTarget(column)) if column.name == name))
            };
            for (_, attribute) in view.relation.live_attributes() {
                if attribute.default.is_some() && !named(&attribute.name) {
                    self.written_attribute(target, &attribute.name, -1)?;
                }
            }
        }
        Ok(InsertColumns { columns, listed: true, blocked: None })
    }

    /// The rows to insert: a plan, and one expression a target column over what the plan gives (None: DEFAULT).
    fn bind_insert_source<'n>(
        &mut self,
        node: &Node,
        select: &'n SelectStmt,
        overriding: OverridingKind,
        target: &WriteTarget,
        columns: &mut InsertColumns<'n>,
    ) -> Result<(LogicalPlan, Vec<Option<Typed>>)> {
        let general = select.values_lists.is_empty()
            || !select.sort_clause.is_empty()
            || select.limit_count.is_some()
            || select.limit_offset.is_some()
            || !select.locking_clause.is_empty()
            || select.with_clause.is_some();
        if general {
            let bound = self.bind_nested_with(node, false)?;
            let depth_columns = bound.ids();
            self.adopt(depth_columns);
            let is_row = matches!(&bound.plan, LogicalPlan::Project { columns, .. } if columns.len() == 1 && matches!(columns[0].expression, Expr::Row { .. }));
            let firsts: Vec<i32> = bound.locations.clone();
            self.check_insert_width(columns, firsts.len(), |at| firsts.get(at).copied().unwrap_or(-1), is_row)?;
            return self.insert_from_query(bound, &target.relation, &columns.columns);
        }
        if let [only] = &select.values_lists[..] {
            let row = self.bind_insert_row(ast::list_items(only), ExpressionKind::ValuesSingle)?;
            let is_row = matches!(row.first(), Some(Some(Typed { expr: Expr::Row { .. }, .. })));
            self.check_insert_row(columns, &row, ast::list_items(only), is_row)?;
            let sets = std::mem::take(&mut self.level_mut().sets);
            let plan = self.expand_sets(select::unit(), sets);
            return Ok((plan, row));
        }
        self.bind_insert_rows(&select.values_lists, overriding, target, columns)
    }

    /// INSERT ... SELECT: literals of the target list take the columns' types at once.
    fn insert_from_query(
        &mut self,
        mut bound: BoundQuery,
        relation: &Arc<Relation>,
        columns: &[InsertColumn<'_>],
    ) -> Result<(LogicalPlan, Vec<Option<Typed>>)> {
        let mut values = Vec::with_capacity(bound.output.len());
        for (at, column) in columns.iter().enumerate().take(bound.output.len()) {
            let literal = bound.output[at].ty.oid == types::Oid::UNKNOWN;
            if literal && column.steps.is_empty() {
                let target = column.at;
                self.convert_output(&mut bound, at, |binder, typed| binder.assign(typed, relation, target))?;
            }
            let column = &bound.output[at];
            let location = bound.locations.get(at).copied().unwrap_or(-1);
            values.push(Some(Typed::new(Expr::Column { id: column.id, ty: column.ty }, location)));
        }
        Ok((bound.plan, values))
    }

    /// A VALUES row with DEFAULT as None.
    fn bind_insert_row(&mut self, nodes: &[Node], kind: ExpressionKind) -> Result<Vec<Option<Typed>>> {
        let before = std::mem::replace(&mut self.level_mut().kind, kind);
        let mut row = Vec::with_capacity(nodes.len());
        let mut bind = || -> Result<()> {
            for node in nodes {
                match (&node.node, self.expand_star(node)?) {
                    (Some(Ast::SetToDefault(_)), _) => row.push(None),
                    (_, Some(columns)) => row.extend(columns.into_iter().map(|(_, typed)| Some(typed))),
                    (_, None) => row.push(Some(self.bind_expr(node)?)),
                }
            }
            Ok(())
        };
        let result = bind();
        self.level_mut().kind = before;
        result.map(|()| row)
    }

    /// Several rows: a Values plan whose columns have the target columns' types.
    fn bind_insert_rows(
        &mut self,
        lists: &[Node],
        overriding: OverridingKind,
        target: &WriteTarget,
        columns: &mut InsertColumns<'_>,
    ) -> Result<(LogicalPlan, Vec<Option<Typed>>)> {
        let relation = &target.relation;
        let mut rows: Vec<Vec<Expr>> = Vec::with_capacity(lists.len());
        let mut width = None;
        let mut part_types: Vec<Option<SqlType>> = Vec::new();
        for list in lists {
            let nodes = ast::list_items(list);
            let row = self.bind_insert_row(nodes, ExpressionKind::Values)?;
            if *width.get_or_insert(row.len()) != row.len() {
                let at = nodes.first().map_or(-1, ast::location);
                return Err(Error::new(SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length").at(ast::position(at)));
            }
            if rows.is_empty() {
                let is_row = matches!(row.first(), Some(Some(Typed { expr: Expr::Row { .. }, .. })));
                self.check_insert_row(columns, &row, nodes, is_row)?;
                part_types = vec![None; row.len()];
            }
            let mut converted = Vec::with_capacity(row.len());
            for (at, (value, column)) in row.into_iter().zip(columns.columns.iter()).enumerate() {
                let user_value =
                    overriding == OverridingKind::OverridingUserValue && relation.attributes[column.at].identity.is_some();
                converted.push(match value {
                    Some(value) if column.steps.is_empty() && !user_value => {
                        self.refuse_generated(relation, column.at, false, overriding == OverridingKind::OverridingSystemValue)?;
                        self.assign(value, relation, column.at)?
                    }
                    // Parts of columns are assigned above the rows; here their values take the parts' types.
                    Some(value) if !user_value => {
                        let attribute = &relation.attributes[column.at];
                        let part = self.part_type(attribute.ty, column.steps).filter(|_| value.ty().oid == types::Oid::UNKNOWN);
                        let value = match part {
                            Some(part) => {
                                let location = value.location;
                                let name = attribute.name.clone();
                                let base = Expr::null(part);
                                Typed::new(self.assign_part(base, part, &[], value, &name, location)?, location)
                            }
                            None => self.unknown_to_text(value)?,
                        };
                        part_types[at] = Some(value.ty());
                        value.expr
                    }
                    _ => {
                        Self::refuse_part_default(column.steps, column.location)?;
                        self.written_default(target, column.at)?
                    }
                });
            }
            rows.push(converted);
        }
        let types: Vec<SqlType> = columns
            .columns
            .iter()
            .zip(&part_types)
            .map(|(column, part)| part.unwrap_or(relation.attributes[column.at].ty))
            .collect();
        let given: Vec<_> = types.iter().map(|ty| self.new_given(*ty)).collect();
        let values = given.iter().map(|given| Some(Typed::new(Expr::Column { id: given.id, ty: given.ty }, -1))).collect();
        Ok((LogicalPlan::Values { rows, columns: given }, values))
    }

    fn check_insert_row(
        &self,
        columns: &mut InsertColumns<'_>,
        row: &[Option<Typed>],
        nodes: &[Node],
        is_row: bool,
    ) -> Result<()> {
        let place = |at: usize| match row.get(at) {
            Some(Some(typed)) => typed.location,
            _ => nodes.get(at).map_or(-1, ast::location),
        };
        self.check_insert_width(columns, row.len(), place, is_row)
    }

    /// 42601 unless there is a value for every listed column and no more.
    fn check_insert_width(
        &self,
        target: &mut InsertColumns<'_>,
        width: usize,
        place: impl Fn(usize) -> i32,
        is_row: bool,
    ) -> Result<()> {
        let (listed, columns) = (target.listed, &mut target.columns);
        if width > columns.len()
            && let Some(error) = target.blocked.take()
        {
            return Err(error);
        }
        if width > columns.len() {
            let message = "INSERT has more expressions than target columns";
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(place(columns.len()))));
        }
        if listed && width < columns.len() {
            let message = "INSERT has more target columns than expressions";
            let error = Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(columns[width].location));
            return Err(if is_row && width == 1 {
                error.hint(
                    "The insertion source is a row expression containing the same number of columns expected by the INSERT. Did you \
                     accidentally use extra parentheses?",
                )
            } else {
                error
            });
        }
        columns.truncate(width);
        Ok(())
    }

    /// One expression an attribute.
    fn insert_values(
        &mut self,
        target: &WriteTarget,
        columns: &[InsertColumn<'_>],
        given: Vec<Option<Typed>>,
        insert: &InsertStmt,
    ) -> Result<Vec<Expr>> {
        let relation = &target.relation;
        let overriding = insert.r#override();
        let from_rows = matches!(insert.select_stmt.as_deref().and_then(|node| node.node.as_ref()),
            Some(Ast::SelectStmt(select)) if select.values_lists.len() > 1);
        let mut values: Vec<Option<Expr>> = vec![None; relation.attributes.len()];
        for (column, value) in columns.iter().zip(given) {
            let Some(value) = value else {
                Self::refuse_part_default(column.steps, column.location)?;
                continue;
            };
            let at = column.at;
            if overriding == OverridingKind::OverridingUserValue && relation.attributes[at].identity.is_some() {
                continue;
            }
            if !from_rows {
                self.refuse_generated(relation, at, false, overriding == OverridingKind::OverridingSystemValue)?;
            }
            if column.steps.is_empty() && values[at].is_some() {
                let message = format!("multiple assignments to same column \"{}\"", relation.attributes[at].name);
                return Err(Error::new(SqlState::SYNTAX_ERROR, message));
            }
            values[at] = Some(if column.steps.is_empty() {
                self.assign(value, relation, at)?
            } else {
                let attribute = &relation.attributes[at];
                let base = values[at].take().unwrap_or_else(|| Expr::null(attribute.ty));
                self.assign_part(base, attribute.ty, column.steps, value, &attribute.name, column.location)?
            });
        }
        values
            .into_iter()
            .enumerate()
            .map(|(at, value)| match value {
                Some(value) => Ok(value),
                None => self.written_default(target, at),
            })
            .collect()
    }

    /// The value of an attribute that is not given: the view's default, else the table's.
    fn written_default(&mut self, target: &WriteTarget, at: usize) -> Result<Expr> {
        match self.view_default(target, at)? {
            Some(default) => Ok(default),
            None => self.column_default(&target.relation, at),
        }
    }
}
