//! Views that INSERT, UPDATE and DELETE write through (auto-updatable views): the view's columns as expressions over its base table,
//! its WHERE as a further condition, and WITH CHECK OPTION.

use std::sync::Arc;

use catalog::{Relation, RelationKind, type_names::NamedRelation};
use expr::{ColumnId, Expr};
use pg_query::protobuf::{Alias, SelectStmt, SetOperation, node::Node as Ast};
use plan::logical::{Check, Given};
use types::{Error, Result, SqlState};

use crate::{
    ExpressionKind, ast,
    from::rename,
    parse, plan_walk,
    range_table::{EntryColumn, EntrySource, NamespaceItem, RangeEntry},
    same,
    state::Binder,
    table_expression::Modification,
};

/// What a statement writes: a table, perhaps through a view.
#[derive(Debug)]
pub(crate) struct WriteTarget {
    /// The table whose rows change.
    pub(crate) relation: Arc<Relation>,
    /// Its entry in the level.
    pub(crate) base: usize,
    /// The entry whose names the statement uses: the view's, or the table's own.
    pub(crate) visible: usize,
    pub(crate) view: Option<WrittenView>,
    pub(crate) modification: Modification,
    /// As whom the table is written: the owner of the view over it.
    pub(crate) base_check_as: Option<types::Oid>,
}

/// The view that a statement names.
#[derive(Debug)]
pub(crate) struct WrittenView {
    pub(crate) relation: Arc<Relation>,
    /// Its columns over the base table's.
    columns: Vec<EntryColumn>,
    /// For columns that cannot be written: the view, and its column, that computes them.
    blocked: Vec<Option<(Arc<str>, Arc<str>)>>,
    /// Conditions of it and the views below.
    pub(crate) conditions: Vec<Expr>,
    /// Conditions that written rows must meet, those of inner views first.
    checks: Vec<Check>,
}

impl WrittenView {
    /// The view's own attribute that is this attribute of the base table.
    pub(crate) fn attribute_over(&self, binder: &Binder<'_>, base: usize, attribute: usize) -> Option<usize> {
        let place = self.columns.iter().position(|column| binder.base_attribute(base, &column.expr) == Some(attribute))?;
        self.relation.live_attributes().nth(place).map(|(position, _)| position)
    }
}

/// A view taken apart.
struct Expanded {
    relation: Arc<Relation>,
    base: usize,
    columns: Vec<EntryColumn>,
    blocked: Vec<Option<(Arc<str>, Arc<str>)>>,
    /// Some column is one of the relation directly below.
    any_direct: bool,
    conditions: Vec<Expr>,
    checks: Vec<Check>,
    base_check_as: Option<types::Oid>,
}

impl Binder<'_> {
    /// The target of a statement that names a view.
    pub(crate) fn write_through_view(
        &mut self,
        view: &Arc<Relation>,
        alias: &Option<Alias>,
        modification: Modification,
    ) -> Result<WriteTarget> {
        let hidden = std::mem::take(&mut self.level_mut().namespace);
        let expanded = self.expand_written_view(view, modification, false);
        self.level_mut().namespace = hidden;
        let Expanded { relation, base, columns, blocked, any_direct, conditions, checks, base_check_as } = expanded?;
        if modification != Modification::Delete && !any_direct {
            return Err(self.view_refusal(
                view,
                modification,
                "Views that have no updatable columns are not automatically updatable.",
            ));
        }
        let mut entry = RangeEntry::new(EntrySource::Join, view.name.clone(), columns.clone());
        entry.relation = Some((view.schema, view.oid));
        entry.row_type = view.row_type;
        entry.is_target = true;
        rename(&mut entry, alias, "table")?;
        let visible = self.add_entry(entry);
        let view = WrittenView { relation: view.clone(), columns, blocked, conditions, checks };
        Ok(WriteTarget { relation, base, visible, view: Some(view), modification, base_check_as })
    }

    fn expand_written_view(&mut self, view: &Arc<Relation>, modification: Modification, forced: bool) -> Result<Expanded> {
        let RelationKind::View { query, check_option } = &view.kind else { return Err(Error::internal("not a view")) };
        if self.views.contains(&view.oid) {
            let message = format!("infinite recursion detected in rules for relation \"{}\"", view.name);
            return Err(Error::new(SqlState::INVALID_OBJECT_DEFINITION, message));
        }
        let statement = parse::stored_query(&query.text)?;
        let Ast::SelectStmt(select) = ast::content(&statement)? else {
            return Err(Error::internal("a view's query is a SELECT"));
        };
        if let Some(detail) = obstacle(select) {
            return Err(self.view_refusal(view, modification, detail));
        }
        let cascaded = check_option.as_ref().is_some_and(|option| option.eq_ignore_ascii_case("cascaded"));
        let checked = check_option.is_some() || forced;
        let stored = self.names.of_definition(Some(&query.names));
        let names = std::mem::replace(&mut self.names, Arc::new(stored));
        self.views.push(view.oid);
        let check_as = self.enter_view(view);
        let bound = self.bind_written_query(view, select, modification, cascaded || forced);
        self.check_as = check_as;
        self.views.pop();
        self.names = names;
        let (mut expanded, condition) = bound?;
        if let Some(condition) = condition {
            if checked {
                expanded.checks.push(Check { name: view.name.clone(), expression: condition.clone() });
            }
            expanded.conditions.push(condition);
        }
        Ok(expanded)
    }

    /// Binds a view's target list and WHERE over its base, in the current level.
    fn bind_written_query(
        &mut self,
        view: &Arc<Relation>,
        select: &SelectStmt,
        modification: Modification,
        forced: bool,
    ) -> Result<(Expanded, Option<Expr>)> {
        let (mut expanded, visible) = self.bind_written_base(view, select, modification, forced)?;
        let outside = std::mem::replace(&mut self.level_mut().namespace, vec![NamespaceItem::visible(visible)]);
        let before = (self.level().aggregates.len(), self.level().window_calls.len(), self.level().sets.len());
        let targets = self.bind_targets(&select.target_list, ExpressionKind::SelectTarget);
        let condition = self.bind_where(&select.where_clause);
        self.level_mut().namespace = outside;
        let (targets, condition) = (targets?, condition?);
        let level = self.level();
        let detail = if level.aggregates.len() > before.0 {
            Some("Views that return aggregate functions are not automatically updatable.")
        } else if level.window_calls.len() > before.1 {
            Some("Views that return window functions are not automatically updatable.")
        } else if level.sets.len() > before.2 {
            Some("Views that return set-returning functions are not automatically updatable.")
        } else {
            None
        };
        if let Some(detail) = detail {
            return Err(self.view_refusal(view, modification, detail));
        }
        let offered = self.level().entries[visible].columns.clone();
        let below = std::mem::take(&mut expanded.blocked);
        expanded.any_direct = false;
        for ((_, attribute), target) in view.live_attributes().zip(&targets) {
            let own = (view.name.clone(), attribute.name.clone());
            let direct = offered.iter().position(|column| same::same(&column.expr, &target.expr));
            expanded.any_direct |= direct.is_some();
            // A column passed on is blocked where it is blocked below.
            expanded.blocked.push(match direct {
                Some(at) => below.get(at).cloned().flatten(),
                None => Some(own),
            });
        }
        let attributes = view.live_attributes().map(|(at, attribute)| (at, attribute.name.clone()));
        expanded.columns = attributes
            .zip(targets)
            .map(|((at, name), target)| EntryColumn { name, expr: target.expr, origin: Some((view.oid, at as i16 + 1)) })
            .collect();
        Ok((expanded, condition))
    }

    /// Binds what a view selects from: the base and the number of the entry through which the view sees it.
    fn bind_written_base(
        &mut self,
        view: &Arc<Relation>,
        select: &SelectStmt,
        modification: Modification,
        forced: bool,
    ) -> Result<(Expanded, usize)> {
        let not_single = "Views that do not select from a single table or view are not automatically updatable.";
        let [Ast::RangeVar(range)] = &select.from_clause.iter().filter_map(|node| node.node.as_ref()).collect::<Vec<_>>()[..]
        else {
            return Err(self.view_refusal(view, modification, not_single));
        };
        match self.find_relation(range)? {
            NamedRelation::User(below) if matches!(below.kind, RelationKind::Table { .. }) => {
                self.require_modification(below.oid, modification);
                let base = self.add_table(&below, &range.alias)?;
                let expanded = Expanded {
                    relation: below,
                    base,
                    columns: Vec::new(),
                    blocked: Vec::new(),
                    any_direct: false,
                    conditions: Vec::new(),
                    checks: Vec::new(),
                    base_check_as: self.check_as,
                };
                Ok((expanded, base))
            }
            NamedRelation::User(below) if matches!(below.kind, RelationKind::View { .. }) => {
                self.require_modification(below.oid, modification);
                let expanded = self.expand_written_view(&below, modification, forced)?;
                let mut columns = expanded.columns.clone();
                for (at, column) in columns.iter_mut().enumerate() {
                    if let Some(name) = self.names.attribute_name(&below, at) {
                        column.name = name;
                    }
                }
                let (schema, name) = self.names.relation_place(&below);
                let mut entry = RangeEntry::new(EntrySource::Join, name, columns);
                entry.row_type = below.row_type;
                entry.relation = Some((schema, below.oid));
                rename(&mut entry, &range.alias, "table")?;
                let visible = self.add_entry(entry);
                Ok((expanded, visible))
            }
            _ => Err(self.view_refusal(view, modification, not_single)),
        }
    }

    /// The base attribute that an expression is, when it is one directly.
    fn base_attribute(&self, base: usize, expr: &Expr) -> Option<usize> {
        let Expr::Column { id, .. } = expr else { return None };
        self.level().entries[base].attributes.iter().find(|(_, given)| given.id == *id).map(|(at, _)| *at)
    }

    /// The attribute of the base table that a column of the target means.
    pub(crate) fn written_attribute(&self, target: &WriteTarget, name: &str, location: i32) -> Result<usize> {
        let Some(view) = &target.view else { return self.target_attribute(&target.relation, name, location) };
        let Some(place) = view.columns.iter().position(|column| *column.name == *name) else {
            return self.target_attribute(&view.relation, name, location);
        };
        let column = &view.columns[place];
        self.base_attribute(target.base, &column.expr).ok_or_else(|| {
            let verb = if target.modification == Modification::Insert { "insert into" } else { "update" };
            let own = || (view.relation.name.clone(), Arc::from(name));
            let (blocking, column_name) = view.blocked.get(place).cloned().flatten().unwrap_or_else(own);
            let message = format!("cannot {verb} column \"{column_name}\" of view \"{blocking}\"");
            let detail = match &column.expr {
                Expr::Column { .. } => "View columns that refer to system columns are not updatable.",
                Expr::Row { ty, .. } if ty.oid != types::Oid::RECORD => {
                    "View columns that return whole-row references are not updatable."
                }
                _ => "View columns that are not columns of their base relation are not updatable.",
            };
            Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).detail(detail)
        })
    }

    /// The names that an INSERT without a column list fills, in order.
    pub(crate) fn written_names(target: &WriteTarget) -> Vec<Arc<str>> {
        match &target.view {
            Some(view) => view.columns.iter().map(|column| column.name.clone()).collect(),
            None => target.relation.live_attributes().map(|(_, attribute)| attribute.name.clone()).collect(),
        }
    }

    /// The default that the view itself gives for an attribute of the base table.
    pub(crate) fn view_default(&mut self, target: &WriteTarget, at: usize) -> Result<Option<Expr>> {
        let Some(view) = &target.view else { return Ok(None) };
        let column = view.columns.iter().position(|column| self.base_attribute(target.base, &column.expr) == Some(at));
        let own = column.and_then(|column| view.relation.live_attributes().nth(column));
        match own {
            Some((own, attribute)) if attribute.default.is_some() => {
                let relation = view.relation.clone();
                self.column_default(&relation, own).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The target's columns over other columns for the base's row: those of the row as written, of EXCLUDED.
    pub(crate) fn columns_over(&mut self, target: &WriteTarget, given: &[Given]) -> Vec<EntryColumn> {
        match &target.view {
            None => target
                .relation
                .live_attributes()
                .map(|(at, attribute)| EntryColumn {
                    name: attribute.name.clone(),
                    expr: Expr::Column { id: given[at].id, ty: given[at].ty },
                    origin: Some((target.relation.oid, at as i16 + 1)),
                })
                .collect(),
            Some(view) => {
                let map = self.base_to(target.base, given);
                let columns = view.columns.clone();
                columns.into_iter().map(|column| EntryColumn { expr: self.remap(column.expr, &map), ..column }).collect()
            }
        }
    }

    /// WITH CHECK OPTION conditions over the row as written.
    pub(crate) fn view_checks(&mut self, target: &WriteTarget, given: &[Given]) -> Vec<Check> {
        let Some(view) = &target.view else { return Vec::new() };
        let map = self.base_to(target.base, given);
        let checks = view.checks.clone();
        checks.into_iter().map(|check| Check { name: check.name, expression: self.remap(check.expression, &map) }).collect()
    }

    fn base_to(&self, base: usize, given: &[Given]) -> Vec<(ColumnId, ColumnId)> {
        self.level().entries[base].attributes.iter().map(|(at, own)| (own.id, given[*at].id)).collect()
    }

    /// An expression with columns replaced; its subqueries get plans of their own.
    fn remap(&mut self, mut expr: Expr, map: &[(ColumnId, ColumnId)]) -> Expr {
        self.remap_in_place(&mut expr, map);
        expr
    }

    fn remap_in_place(&mut self, expr: &mut Expr, map: &[(ColumnId, ColumnId)]) {
        match expr {
            Expr::Column { id, .. } => {
                if let Some((_, new)) = map.iter().find(|(old, _)| old == id) {
                    *id = *new;
                }
            }
            Expr::Subquery(subquery) => {
                let copy = self.subplans[subquery.plan.0 as usize].clone();
                subquery.plan = self.new_subplan(copy.plan, copy.output);
                for (id, _) in &mut subquery.outer {
                    let Some((old, new)) = map.iter().find(|(old, _)| old == id) else { continue };
                    *id = *new;
                    let mut nested = Vec::new();
                    plan_walk::rename_column(&mut self.subplans[subquery.plan.0 as usize].plan, *old, *new, &mut nested);
                }
            }
            _ => {}
        }
        expr.for_each_child_mut(&mut |child| self.remap_in_place(child, map));
    }

    /// 55000 for a view that cannot be written through.
    fn view_refusal(&self, relation: &Relation, modification: Modification, detail: &str) -> Error {
        let (verb, gerund, command) = modification.words();
        Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, format!("cannot {verb} view \"{}\"", relation.name))
            .detail(detail)
            .hint(format!(
                "To enable {gerund} the view, provide an INSTEAD OF {command} trigger or an unconditional ON {command} DO INSTEAD rule."
            ))
    }
}

/// What in a view's query rules out writing through it (view_query_is_auto_updatable).
fn obstacle(select: &SelectStmt) -> Option<&'static str> {
    Some(if !select.distinct_clause.is_empty() {
        "Views containing DISTINCT are not automatically updatable."
    } else if !select.group_clause.is_empty() {
        "Views containing GROUP BY are not automatically updatable."
    } else if ast::present(&select.having_clause).is_some() {
        "Views containing HAVING are not automatically updatable."
    } else if select.op() != SetOperation::SetopNone {
        "Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable."
    } else if select.with_clause.is_some() {
        "Views containing WITH are not automatically updatable."
    } else if select.limit_count.is_some() || select.limit_offset.is_some() {
        "Views containing LIMIT or OFFSET are not automatically updatable."
    } else {
        return None;
    })
}
