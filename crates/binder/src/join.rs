//! JOIN: conditions, USING and NATURAL with their merged columns.

use std::sync::Arc;

use expr::Expr;
use pg_query::protobuf::{JoinExpr, JoinType};
use plan::{analysed::ItemSource, logical::JoinKind};
use types::{Error, Result, SqlState, SqlType};

use crate::{
    ExpressionKind, ast,
    coercion::Context,
    from::{FromItem, FromTree, rename},
    operator,
    range_table::{EntryColumn, EntrySource, NamespaceItem, RangeEntry},
    state::{Binder, Typed},
};

impl Binder<'_> {
    pub(crate) fn bind_join(&mut self, join: &JoinExpr) -> Result<FromItem> {
        let kind = match join.jointype() {
            JoinType::JoinInner => JoinKind::Inner,
            JoinType::JoinLeft => JoinKind::Left,
            JoinType::JoinRight => JoinKind::Right,
            JoinType::JoinFull => JoinKind::Full,
            _ => return Err(Error::internal("join of no kind")),
        };
        let left = self.bind_from_item(ast::required(&join.larg)?)?;
        // The left side is visible to LATERAL items of the right.
        let before = self.level().namespace.len();
        let lateral_ok = matches!(kind, JoinKind::Inner | JoinKind::Left);
        for item in &left.namespace {
            self.level_mut().namespace.push(NamespaceItem { lateral_only: true, lateral_ok, ..*item });
        }
        let right = self.bind_from_item(ast::required(&join.rarg)?);
        self.level_mut().namespace.truncate(before);
        let right = right?;
        self.check_namespace_conflicts(&left.namespace, &right.namespace)?;
        self.mark_nullable(kind, &left, &right)?;
        let names = self.using_names(join, &left, &right)?;
        let (merged, mut conditions) = self.merge_columns(&names, kind, &left, &right)?;
        if let Some(on) = ast::present(&join.quals) {
            conditions.push(self.bind_on(on, &left, &right)?);
        }
        let condition = match conditions.len() {
            0 => None,
            1 => conditions.pop(),
            _ => Some(Expr::And(conditions)),
        };
        self.finish_join(join, kind, left, right, merged, condition)
    }

    fn mark_nullable(&mut self, kind: JoinKind, left: &FromItem, right: &FromItem) -> Result<()> {
        let mut mark = |item: &FromItem| -> Result<()> {
            let mut entries = Vec::new();
            collect_entries(&item.tree, &mut entries);
            for entry in entries {
                let entry = &mut self.level_mut().entries[entry];
                entry.nullable = true;
                if entry.recursive_reference >= 0 {
                    let message =
                        format!("recursive reference to query \"{}\" must not appear within an outer join", entry.source_name);
                    return Err(Error::new(SqlState::INVALID_RECURSION, message).at(ast::position(entry.recursive_reference)));
                }
            }
            Ok(())
        };
        if matches!(kind, JoinKind::Left | JoinKind::Full) {
            mark(right)?;
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            mark(left)?;
        }
        Ok(())
    }

    /// The columns that USING lists or NATURAL finds.
    fn using_names(&self, join: &JoinExpr, left: &FromItem, right: &FromItem) -> Result<Vec<Arc<str>>> {
        let entries = &self.level().entries;
        if !join.is_natural {
            return Ok(join.using_clause.iter().filter_map(ast::text).map(Arc::from).collect());
        }
        let right = &entries[right.entry];
        let common =
            entries[left.entry].columns.iter().filter(|column| right.columns.iter().any(|other| other.name == column.name));
        Ok(common.map(|column| column.name.clone()).collect())
    }

    /// The column of a side that USING names.
    fn using_column(&self, item: &FromItem, name: &str, side: &str) -> Result<(usize, Expr)> {
        let columns = &self.level().entries[item.entry].columns;
        let mut matching = columns.iter().enumerate().filter(|(_, column)| *column.name == *name);
        match (matching.next(), matching.next()) {
            (Some((at, column)), None) => Ok((at, column.expr.clone())),
            (Some(_), Some(_)) => {
                let message = format!("common column name \"{name}\" appears more than once in {side} table");
                Err(Error::new(SqlState::AMBIGUOUS_COLUMN, message))
            }
            (None, _) => {
                let message = format!("column \"{name}\" specified in USING clause does not exist in {side} table");
                Err(Error::new(SqlState::UNDEFINED_COLUMN, message))
            }
        }
    }

    /// Merged columns, and the equalities that join them.
    fn merge_columns(
        &mut self,
        names: &[Arc<str>],
        kind: JoinKind,
        left: &FromItem,
        right: &FromItem,
    ) -> Result<(Vec<(EntryColumn, usize, usize)>, Vec<Expr>)> {
        let mut merged: Vec<(EntryColumn, usize, usize)> = Vec::with_capacity(names.len());
        let mut conditions = Vec::with_capacity(names.len());
        for name in names {
            if merged.iter().any(|(column, ..)| column.name == *name) {
                let message = format!("column name \"{name}\" appears more than once in USING clause");
                return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
            }
            let (left_at, left_expr) = self.using_column(left, name, "left")?;
            let (right_at, right_expr) = self.using_column(right, name, "right")?;
            let level = self.levels.len() - 1;
            self.note_read(level, left.entry, left_at);
            self.note_read(level, right.entry, right_at);
            self.note_reference(level, &left_expr, -1);
            self.note_reference(level, &right_expr, -1);
            let (left_typed, right_typed) = (Typed::new(left_expr.clone(), -1), Typed::new(right_expr.clone(), -1));
            let condition = self.apply_operator(&["="], Some(left_typed), right_typed, -1)?;
            conditions.push(self.coerce_to_boolean(condition, "JOIN/USING")?);
            let expr = self.merged_column(kind, left_expr, right_expr)?;
            let expr = self.analysed_merge(expr);
            merged.push((EntryColumn { name: name.clone(), expr, origin: None }, left_at, right_at));
        }
        Ok((merged, conditions))
    }

    /// The value of a merged column (buildMergedJoinVar).
    fn merged_column(&mut self, kind: JoinKind, left: Expr, right: Expr) -> Result<Expr> {
        let names = self.names.clone();
        let (left_type, right_type) = (left.ty(), right.ty());
        let common = operator::merged_type(&names, left_type, right_type).map_err(|_| {
            let message = format!(
                "JOIN/USING types {} and {} cannot be matched",
                names.format_type_oid(left_type.oid),
                names.format_type_oid(right_type.oid)
            );
            Error::new(SqlState::DATATYPE_MISMATCH, message)
        })?;
        let plain = [left_type.oid == common.oid, right_type.oid == common.oid];
        let left = self.convert_to_common(left, common)?;
        let right = self.convert_to_common(right, common)?;
        Ok(match kind {
            JoinKind::Left => left,
            JoinKind::Right => right,
            JoinKind::Full => Expr::Coalesce { arguments: vec![left, right], ty: common },
            // Either would do; one that needs no conversion is better.
            _ if !plain[0] && plain[1] => right,
            _ => left,
        })
    }

    fn convert_to_common(&mut self, expr: Expr, common: SqlType) -> Result<Expr> {
        if expr.ty().oid == common.oid {
            return Ok(self.apply_modifier(expr, common, Context::Implicit));
        }
        self.coerce_to_common(Typed::new(expr, -1), common, "JOIN/USING")
    }

    /// ON sees the two sides and nothing else of this FROM.
    fn bind_on(&mut self, on: &pg_query::protobuf::Node, left: &FromItem, right: &FromItem) -> Result<Expr> {
        let visible = left.namespace.iter().chain(&right.namespace);
        let sides = visible.map(|item| NamespaceItem { lateral_only: false, lateral_ok: true, ..*item }).collect();
        let before = std::mem::replace(&mut self.level_mut().namespace, sides);
        let condition = self.bind_condition(on, ExpressionKind::JoinOn, "JOIN/ON");
        self.level_mut().namespace = before;
        condition
    }

    fn finish_join(
        &mut self,
        join: &JoinExpr,
        kind: JoinKind,
        left: FromItem,
        right: FromItem,
        merged: Vec<(EntryColumn, usize, usize)>,
        condition: Option<Expr>,
    ) -> Result<FromItem> {
        let entries = &self.level().entries;
        let mut columns: Vec<EntryColumn> = merged.iter().map(|(column, ..)| column.clone()).collect();
        for (at, column) in entries[left.entry].columns.iter().enumerate() {
            if !merged.iter().any(|(_, left_at, _)| *left_at == at) {
                columns.push(column.clone());
            }
        }
        for (at, column) in entries[right.entry].columns.iter().enumerate() {
            if !merged.iter().any(|(.., right_at)| *right_at == at) {
                columns.push(column.clone());
            }
        }
        let sides = (&left, &right);
        let known = if self.analysing() { merged.clone() } else { Vec::new() };
        let shape = |binder: &Self| binder.join_shape(kind, sides, &known, condition.clone(), &join.join_using_alias);
        let mut namespace = Vec::new();
        if join.alias.is_none() {
            let sides = left.namespace.iter().chain(&right.namespace);
            namespace.extend(sides.map(|item| NamespaceItem { columns_visible: false, ..*item }));
        }
        if let (Some(alias), None) = (&join.join_using_alias, &join.alias) {
            let merged_columns = merged.into_iter().map(|(column, ..)| column).collect();
            let mut entry = RangeEntry::new(EntrySource::Join, Arc::from(alias.aliasname.as_str()), merged_columns);
            entry.has_alias = true;
            let entry = self.add_entry(entry);
            let item = NamespaceItem { columns_visible: false, ..NamespaceItem::visible(entry) };
            self.check_namespace_conflicts(&namespace, &[item])?;
            namespace.push(item);
        }
        let shape = self.analysing().then(|| shape(self));
        let mut entry = RangeEntry::new(EntrySource::Join, Arc::from("unnamed_join"), columns);
        rename(&mut entry, &join.alias, "join expression")?;
        self.rename_join_columns(&mut entry);
        let entry = self.add_entry(entry);
        if let Some(shape) = shape {
            self.note_item(entry, &join.alias, false, || ItemSource::Join(shape));
        }
        namespace.push(NamespaceItem { relation_visible: join.alias.is_some(), ..NamespaceItem::visible(entry) });
        let tree = FromTree::Join { kind, left: Box::new(left.tree), right: Box::new(right.tree), condition };
        Ok(FromItem { tree, namespace, entry })
    }
}

fn collect_entries(tree: &FromTree, found: &mut Vec<usize>) {
    match tree {
        FromTree::Entry(entry) => found.push(*entry),
        FromTree::Join { left, right, .. } => {
            collect_entries(left, found);
            collect_entries(right, found);
        }
    }
}
