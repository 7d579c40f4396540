//! FROM: tables, subqueries, functions and joins, and the plan that they make (transformFromClause).

use std::sync::Arc;

use catalog::{
    Relation, RelationKind,
    builtin::{SystemRelation, builtins},
    type_names::NamedRelation,
};
use expr::{ColumnId, Expr};
use pg_query::protobuf::{Alias, Node, RangeSubselect, RangeVar, node::Node as Ast};
use plan::{
    analysed::ItemSource,
    logical::{FunctionScan, FunctionSource, Given, Join, JoinKind, LogicalPlan, SetCall},
};
use types::{Datum, Error, Result, SqlState, SqlType};

use crate::{
    ast, plan_walk,
    range_table::{EntryColumn, EntrySource, NamespaceItem, RangeEntry},
    select,
    state::Binder,
    subquery::BoundQuery,
    type_facts,
};

/// FROM as a tree over the level's entries; made into a plan once all references to them are known.
#[derive(Debug)]
pub(crate) enum FromTree {
    Entry(usize),
    Join { kind: JoinKind, left: Box<FromTree>, right: Box<FromTree>, condition: Option<Expr> },
}

/// An item of FROM while the list is being bound: its tree, what of it is visible, and the entry that stands for the whole.
pub(crate) struct FromItem {
    pub(crate) tree: FromTree,
    pub(crate) namespace: Vec<NamespaceItem>,
    pub(crate) entry: usize,
}

impl Binder<'_> {
    /// Binds a FROM list into the level's namespace.
    pub(crate) fn bind_from(&mut self, items: &[Node]) -> Result<Option<FromTree>> {
        let mut tree = None;
        for item in items {
            let bound = self.bind_from_item(item)?;
            self.check_namespace_conflicts(&self.level().namespace, &bound.namespace)?;
            self.level_mut().shape.from.push(bound.entry);
            for visible in bound.namespace {
                self.level_mut().namespace.push(NamespaceItem { lateral_only: true, lateral_ok: true, ..visible });
            }
            tree = Some(match tree {
                None => bound.tree,
                Some(left) => {
                    FromTree::Join { kind: JoinKind::Inner, left: Box::new(left), right: Box::new(bound.tree), condition: None }
                }
            });
        }
        self.end_lateral();
        Ok(tree)
    }

    /// After FROM all its names are plainly visible.
    pub(crate) fn end_lateral(&mut self) {
        for item in &mut self.level_mut().namespace {
            item.lateral_only = false;
            item.lateral_ok = true;
        }
    }

    pub(crate) fn bind_from_item(&mut self, node: &Node) -> Result<FromItem> {
        match ast::content(node)? {
            Ast::RangeVar(range) => {
                let entry = self.bind_range_variable(range)?;
                Ok(FromItem { tree: FromTree::Entry(entry), namespace: vec![NamespaceItem::visible(entry)], entry })
            }
            Ast::RangeSubselect(subselect) => {
                let entry = self.bind_range_subselect(subselect)?;
                Ok(self.subquery_item(entry, subselect.alias.is_some()))
            }
            Ast::RangeFunction(function) => {
                let entry = self.bind_range_function(function)?;
                Ok(FromItem { tree: FromTree::Entry(entry), namespace: vec![NamespaceItem::visible(entry)], entry })
            }
            Ast::JoinExpr(join) => self.deeper(|binder| binder.bind_join(join)),
            Ast::RangeTableSample(_) => Err(Error::unsupported("TABLESAMPLE")),
            Ast::RangeTableFunc(_) => Err(Error::unsupported("XMLTABLE")),
            Ast::JsonTable(_) => Err(Error::unsupported("JSON_TABLE")),
            _ => Err(Error::unsupported("this kind of FROM item")),
        }
    }

    fn subquery_item(&self, entry: usize, named: bool) -> FromItem {
        let namespace = vec![NamespaceItem { relation_visible: named, ..NamespaceItem::visible(entry) }];
        FromItem { tree: FromTree::Entry(entry), namespace, entry }
    }

    /// 42712 when two items of one FROM have one name.
    pub(crate) fn check_namespace_conflicts(&self, before: &[NamespaceItem], added: &[NamespaceItem]) -> Result<()> {
        let entries = &self.level().entries;
        for left in before.iter().filter(|item| item.relation_visible) {
            for right in added.iter().filter(|item| item.relation_visible) {
                let (left, right) = (&entries[left.entry], &entries[right.entry]);
                if left.alias != right.alias {
                    continue;
                }
                let both_bare = !left.has_alias && !right.has_alias && left.relation.is_some() && right.relation.is_some();
                if both_bare && left.relation != right.relation {
                    continue;
                }
                let message = format!("table name \"{}\" specified more than once", left.alias);
                return Err(Error::new(SqlState::DUPLICATE_ALIAS, message));
            }
        }
        Ok(())
    }

    /// A table, view or WITH query by name.
    fn bind_range_variable(&mut self, range: &RangeVar) -> Result<usize> {
        if range.schemaname.is_empty()
            && let Some((level, at)) = self.find_with(&range.relname)
        {
            let entry = self.bind_with_reference(level, at, range)?;
            self.note_item(entry, &range.alias, false, || ItemSource::Cte(Arc::from(range.relname.as_str())));
            return Ok(entry);
        }
        let relation = self.find_relation(range)?;
        if !range.schemaname.is_empty() {
            self.require_schema(relation.schema());
        }
        if !matches!(&relation, NamedRelation::User(view) if matches!(view.kind, RelationKind::View { .. })) {
            self.require(relation.oid(), catalog::Privileges::SELECT);
        }
        let oid = relation.oid();
        let entry = match relation {
            NamedRelation::System(relation) => self.add_system_relation(relation, &range.alias)?,
            NamedRelation::User(relation) => match &relation.kind {
                RelationKind::View { query, .. } if !self.analysing() => {
                    let query = query.clone();
                    self.add_view(&relation, &query, &range.alias)?
                }
                RelationKind::Sequence(_) => self.add_sequence(&relation, &range.alias)?,
                _ => self.add_table(&relation, &range.alias)?,
            },
        };
        self.note_item(entry, &range.alias, false, || ItemSource::Relation { oid, only: !range.inh });
        Ok(entry)
    }

    /// The relation that a range variable names. Errors: 42P01, 42809.
    pub(crate) fn find_relation(&self, range: &RangeVar) -> Result<NamedRelation> {
        let position = ast::position(range.location);
        let schema = (!range.schemaname.is_empty()).then_some(range.schemaname.as_str());
        if !range.catalogname.is_empty() && range.catalogname != self.names.cluster.current_database {
            let message = format!(
                "cross-database references are not implemented: \"{}.{}.{}\"",
                range.catalogname, range.schemaname, range.relname
            );
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(position));
        }
        let Some(relation) = self.names.relation_by_name(schema, &range.relname) else {
            let written = schema.map_or_else(|| range.relname.clone(), |schema| format!("{schema}.{}", range.relname));
            let error = Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{written}\" does not exist")).at(position);
            return Err(if schema.is_none() && self.is_future_with(&range.relname) {
                error
                    .detail(format!(
                        "There is a WITH item named \"{}\", but it cannot be referenced from this part of the query.",
                        range.relname
                    ))
                    .hint("Use WITH RECURSIVE, or re-order the WITH items to remove forward references.")
            } else {
                error
            });
        };
        if let NamedRelation::User(user) = &relation {
            let kind = match user.kind {
                RelationKind::Index(_) => "indexes",
                RelationKind::Composite => "composite types",
                _ => return Ok(relation),
            };
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot open relation \"{}\"", user.name))
                .detail(format!("This operation is not supported for {kind}."))
                .at(position));
        }
        Ok(relation)
    }

    /// An entry for a table's scan.
    pub(crate) fn add_table(&mut self, relation: &Arc<Relation>, alias: &Option<Alias>) -> Result<usize> {
        let mut attributes = Vec::with_capacity(relation.attributes.len());
        let (mut columns, mut later) = (Vec::with_capacity(relation.attributes.len()), Vec::new());
        let names = self.names.clone();
        for (at, attribute) in relation.live_attributes() {
            let given = self.new_given(attribute.ty);
            attributes.push((at, given));
            let name = names.attribute_name(relation, at);
            let known = if name.is_some() { &mut columns } else { &mut later };
            known.push(EntryColumn {
                name: name.unwrap_or_else(|| attribute.name.clone()),
                expr: Expr::Column { id: given.id, ty: given.ty },
                origin: Some((relation.oid, at as i16 + 1)),
            });
        }
        let (schema, name) = names.relation_place(relation);
        let mut entry = RangeEntry::new(EntrySource::Table(relation.clone()), name, columns);
        entry.later = later;
        entry.attributes = attributes;
        entry.relation = Some((schema, relation.oid));
        entry.row_type = relation.row_type;
        rename(&mut entry, alias, "table")?;
        Ok(self.add_entry(entry))
    }

    fn add_system_relation(&mut self, relation: &'static SystemRelation, alias: &Option<Alias>) -> Result<usize> {
        let names = self.names.clone();
        let mut attributes = Vec::with_capacity(relation.columns.len());
        let mut columns = Vec::with_capacity(relation.columns.len());
        for (at, column) in relation.columns.iter().enumerate() {
            let given = self.new_given(type_facts::sql_type(&names, column.type_oid).with_typmod(column.typmod));
            attributes.push((at, given));
            columns.push(EntryColumn {
                name: Arc::from(column.name),
                expr: Expr::Column { id: given.id, ty: given.ty },
                origin: Some((relation.oid, at as i16 + 1)),
            });
        }
        let mut entry = RangeEntry::new(EntrySource::System(relation), Arc::from(relation.name), columns);
        entry.attributes = attributes;
        entry.relation = Some((catalog::type_names::system_schema(relation.schema), relation.oid));
        entry.row_type = relation.row_type;
        rename(&mut entry, alias, "table")?;
        Ok(self.add_entry(entry))
    }

    /// A sequence read as a table: one row that tells where it stands.
    fn add_sequence(&mut self, relation: &Arc<Relation>, alias: &Option<Alias>) -> Result<usize> {
        let function = builtins()
            .functions_named("pg_sequence_row")
            .next()
            .ok_or_else(|| Error::internal("pg_sequence_row is among the product's own functions"))?;
        let mut columns = Vec::new();
        let mut given = Vec::new();
        for (name, ty) in [("last_value", SqlType::INT8), ("log_cnt", SqlType::INT8), ("is_called", SqlType::BOOL)] {
            let column = self.new_given(ty);
            columns.push(EntryColumn { name: Arc::from(name), expr: Expr::Column { id: column.id, ty }, origin: None });
            given.push(column);
        }
        let arguments = vec![Expr::constant(Datum::Oid(relation.oid), SqlType::OID)];
        let call = SetCall { function, arguments, ty: SqlType::RECORD, columns: None };
        let calls = vec![(FunctionSource::Set(call), given)];
        let plan = LogicalPlan::FunctionScan(FunctionScan { calls, alias: relation.name.clone(), ordinality: None });
        let mut entry = RangeEntry::new(EntrySource::Plan(Some(Box::new(plan))), relation.name.clone(), columns);
        entry.relation = Some((relation.schema, relation.oid));
        rename(&mut entry, alias, "table")?;
        Ok(self.add_entry(entry))
    }

    fn bind_range_subselect(&mut self, subselect: &RangeSubselect) -> Result<usize> {
        let query = ast::required(&subselect.subquery)?;
        if subselect.alias.is_none() {
            let is_values = matches!(&query.node, Some(Ast::SelectStmt(select)) if !select.values_lists.is_empty());
            let (what, example) =
                if is_values { ("VALUES in FROM", "(VALUES ...)") } else { ("subquery in FROM", "(SELECT ...)") };
            let at = ast::position(subquery_location(query, is_values));
            return Err(Error::new(SqlState::SYNTAX_ERROR, format!("{what} must have an alias"))
                .hint(format!("For example, FROM {example} [AS] foo."))
                .at(at));
        }
        let before = std::mem::replace(&mut self.level_mut().lateral_active, subselect.lateral);
        let kind = std::mem::replace(&mut self.level_mut().kind, crate::ExpressionKind::FromSubselect);
        // Without LATERAL the subquery does not see its neighbours.
        let hidden = if subselect.lateral { Vec::new() } else { std::mem::take(&mut self.level_mut().namespace) };
        let bound = self.bind_nested(query);
        if !subselect.lateral {
            self.level_mut().namespace = hidden;
        }
        self.level_mut().lateral_active = before;
        self.level_mut().kind = kind;
        let mut bound = bound?;
        let analysed = bound.analysed.take();
        let entry = self.add_query(bound, &subselect.alias, "")?;
        if let Some(query) = analysed {
            self.note_item(entry, &subselect.alias, subselect.lateral, || ItemSource::Subquery(query));
        }
        Ok(entry)
    }

    /// An entry for the rows of a bound query.
    pub(crate) fn add_query(&mut self, bound: BoundQuery, alias: &Option<Alias>, name: &str) -> Result<usize> {
        let known = bound.output.len();
        self.add_known_columns(bound, known, alias, name)
    }

    /// The same with the names of its first columns only.
    pub(crate) fn add_known_columns(
        &mut self,
        bound: BoundQuery,
        known: usize,
        alias: &Option<Alias>,
        name: &str,
    ) -> Result<usize> {
        self.adopt(bound.ids());
        let columns = bound
            .output
            .iter()
            .take(known)
            .map(|column| {
                let mut offered = EntryColumn::of_output(column);
                if self.analysing() {
                    // It is another than the one that the query has it from.
                    offered.expr = Expr::Column { id: self.new_column(), ty: column.ty };
                }
                offered
            })
            .collect();
        let mut entry = RangeEntry::new(EntrySource::Plan(Some(Box::new(bound.plan))), Arc::from(name), columns);
        rename(&mut entry, alias, "table")?;
        Ok(self.add_entry(entry))
    }

    /// The plan of a FROM tree; no FROM is the unit row.
    pub(crate) fn build_from(&mut self, tree: Option<FromTree>) -> Result<LogicalPlan> {
        match tree {
            None => Ok(select::unit()),
            Some(tree) => self.build_tree(tree),
        }
    }

    fn build_tree(&mut self, tree: FromTree) -> Result<LogicalPlan> {
        match tree {
            FromTree::Entry(entry) => self.build_entry(entry),
            FromTree::Join { kind, left, right, condition } => {
                let left = crate::deep::step(|| self.build_tree(*left))?;
                let first = self.depth();
                let right = crate::deep::step(|| self.build_tree(*right))?;
                let given = given_columns(&left);
                let lateral = reads_any(&right, &given, first, self);
                Ok(LogicalPlan::Join(Join {
                    kind,
                    left: Box::new(left),
                    right: Box::new(right),
                    condition,
                    lateral,
                    null_aware: false,
                }))
            }
        }
    }

    fn build_entry(&mut self, entry: usize) -> Result<LogicalPlan> {
        let scan = self.level().entries[entry].scan(|id| self.is_used(id));
        if let Some(scan) = scan {
            return Ok(scan);
        }
        match &mut self.level_mut().entries[entry].source {
            EntrySource::Plan(plan) => {
                plan.take().map(|plan| *plan).ok_or_else(|| Error::internal("an entry's plan was taken twice"))
            }
            _ => Err(Error::internal("this entry has no plan")),
        }
    }
}

/// Whether a right side reads columns of the left one.
fn reads_any(right: &LogicalPlan, left: &[ColumnId], depth: u32, binder: &Binder<'_>) -> bool {
    // A plain scan reads nothing; the common case costs nothing.
    if matches!(right, LogicalPlan::Scan(_) | LogicalPlan::SystemScan { .. } | LogicalPlan::CteScan { .. }) {
        return false;
    }
    !plan_walk::columns_read(right, &|id| binder.column_depth(id) == depth && left.contains(&id)).is_empty()
}

/// The columns that a FROM plan gives.
fn given_columns(plan: &LogicalPlan) -> Vec<ColumnId> {
    let ids = |columns: &[Given]| columns.iter().map(|given| given.id).collect::<Vec<_>>();
    match plan {
        LogicalPlan::Scan(scan) => {
            let system = scan.system.iter().map(|(_, given)| given.id);
            scan.columns.iter().map(|(_, given)| given.id).chain(scan.row_id).chain(system).collect()
        }
        LogicalPlan::SystemScan { columns, .. } => columns.iter().map(|(_, given)| given.id).collect(),
        LogicalPlan::Values { columns, .. } | LogicalPlan::WorkTable { columns, .. } => ids(columns),
        LogicalPlan::FunctionScan(scan) => {
            scan.calls.iter().flat_map(|(_, columns)| ids(columns)).chain(scan.ordinality).collect()
        }
        LogicalPlan::CteScan { columns, .. } => columns.iter().map(|(_, given)| given.id).collect(),
        LogicalPlan::Project { columns, .. } => columns.iter().map(|column| column.id).collect(),
        LogicalPlan::Join(join) => [given_columns(&join.left), given_columns(&join.right)].concat(),
        LogicalPlan::Aggregate(aggregate) => {
            let groups = aggregate.group_by.iter().map(|column| column.id);
            groups.chain(aggregate.aggregates.iter().map(|(id, _)| *id)).collect()
        }
        LogicalPlan::SetOperation(operation) => ids(&operation.columns),
        LogicalPlan::RecursiveUnion { columns, .. } => ids(columns),
        LogicalPlan::Filter { input, .. }
        | LogicalPlan::Sort { input, .. }
        | LogicalPlan::Distinct { input, .. }
        | LogicalPlan::Limit { input, .. }
        | LogicalPlan::LockRows { input, .. } => given_columns(input),
        LogicalPlan::ProjectSet { input, sets } => {
            given_columns(input).into_iter().chain(sets.iter().map(|(id, _)| *id)).collect()
        }
        LogicalPlan::Window { input, calls } => given_columns(input).into_iter().chain(calls.iter().map(|(id, _)| *id)).collect(),
        LogicalPlan::Insert(_) | LogicalPlan::Update(_) | LogicalPlan::Delete(_) => Vec::new(),
    }
}

/// Applies an alias and its column names. `what` is how the error names the item.
pub(crate) fn rename(entry: &mut RangeEntry, alias: &Option<Alias>, what: &str) -> Result<()> {
    let Some(alias) = alias else { return Ok(()) };
    entry.alias = Arc::from(alias.aliasname.as_str());
    entry.has_alias = true;
    let names = ast::names(&alias.colnames);
    if names.len() > entry.columns.len() {
        let message = format!(
            "{what} \"{}\" has {} columns available but {} columns specified",
            alias.aliasname,
            entry.columns.len(),
            names.len()
        );
        return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message));
    }
    for (column, name) in entry.columns.iter_mut().zip(names) {
        column.name = Arc::from(name);
    }
    Ok(())
}

/// Where the parenthesis before a subquery stands. The tree does not have it: it is taken to be written as `(SELECT x` or `(VALUES (x`.
fn subquery_location(query: &Node, is_values: bool) -> i32 {
    let before = if is_values { "(VALUES (".len() } else { "(SELECT ".len() };
    (ast::location(query) - before as i32).max(-1)
}
