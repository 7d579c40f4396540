//! ON CONFLICT: which indexes arbitrate, and what DO UPDATE does.

use std::sync::Arc;

use catalog::{IndexDefinition, IndexKey, Relation, RelationKind};
use expr::Expr;
use pg_query::protobuf::{InferClause, OnConflictAction, OnConflictClause, node::Node as Ast};
use plan::logical::{ConflictAction, Given, OnConflict};
use types::{Error, Oid, Result, SqlState};

use crate::{
    ExpressionKind, ast, parse,
    range_table::{EntrySource, RangeEntry},
    same,
    state::Binder,
    writable_view::WriteTarget,
};

impl Binder<'_> {
    pub(crate) fn bind_on_conflict(
        &mut self,
        clause: &OnConflictClause,
        target: &WriteTarget,
        alias: &Arc<str>,
        has_alias: bool,
    ) -> Result<OnConflict> {
        let relation = &target.relation;
        let updates = clause.action() == OnConflictAction::OnconflictUpdate;
        if updates && clause.infer.is_none() {
            let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
            return Err(Error::new(SqlState::SYNTAX_ERROR, message)
                .hint("For example, ON CONFLICT (column_name).")
                .at(ast::position(clause.location)));
        }
        let existing = self.row_columns(relation);
        let entry = self.add_names(target, alias, has_alias, &existing);
        self.level_mut().namespace.clear();
        self.level_mut().show(entry);
        let arbiters = match &clause.infer {
            Some(infer) => self.infer_arbiters(infer, target, &existing)?,
            None => Vec::new(),
        };
        if !updates {
            return Ok(OnConflict { arbiters, action: ConflictAction::Nothing });
        }
        let excluded = self.row_columns(relation);
        let excluded_entry = self.add_names(target, &Arc::from("excluded"), true, &excluded);
        self.level_mut().show(excluded_entry);
        let old: Vec<Option<Given>> = existing.iter().copied().map(Some).collect();
        let assignments = self.bind_assignments(&clause.target_list, target, &old)?;
        let predicate = match ast::present(&clause.where_clause) {
            Some(node) => Some(self.bind_condition(node, ExpressionKind::Where, "WHERE")?),
            None => None,
        };
        Ok(OnConflict { arbiters, action: ConflictAction::Update { existing, excluded, assignments, predicate } })
    }

    /// An entry that offers the target's names over the given columns of its row.
    pub(crate) fn add_names(&mut self, target: &WriteTarget, alias: &Arc<str>, has_alias: bool, given: &[Given]) -> usize {
        let columns = self.columns_over(target, given);
        let named = target.view.as_ref().map_or(&target.relation, |view| &view.relation);
        let (relation, row_type) = ((named.schema, named.oid), named.row_type);
        let mut entry = RangeEntry::new(EntrySource::Names, alias.clone(), columns);
        entry.has_alias = has_alias;
        entry.relation = Some(relation);
        entry.row_type = row_type;
        self.add_entry(entry)
    }

    /// The unique indexes that an inference clause or constraint name means (infer_arbiter_indexes).
    fn infer_arbiters(&mut self, infer: &InferClause, target: &WriteTarget, existing: &[Given]) -> Result<Vec<Oid>> {
        let relation = &target.relation;
        if !infer.conname.is_empty() {
            return self.arbiter_of_constraint(infer, target);
        }
        let mut attributes = Vec::new();
        let mut expressions = Vec::new();
        for node in &infer.index_elems {
            let Ast::IndexElem(element) = ast::content(node)? else {
                return Err(Error::internal("inference holds index elements"));
            };
            if element.ordering > 1 {
                let message = "ASC/DESC is not allowed in ON CONFLICT clause";
                return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(ast::position(infer.location)));
            }
            if element.nulls_ordering > 1 {
                let message = "NULLS FIRST/LAST is not allowed in ON CONFLICT clause";
                return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(ast::position(infer.location)));
            }
            match ast::present(&element.expr) {
                Some(node) => expressions.push(self.bind_kind(node, ExpressionKind::IndexExpression)?.expr),
                None => match self.written_attribute(target, &element.name, -1) {
                    Ok(at) => attributes.push(at),
                    Err(_) => return Err(self.missing_column(None, &element.name, infer.location)),
                },
            }
        }
        // An expression that is a plain column is that column.
        expressions.retain(|expr| match expr {
            Expr::Column { id, .. } => {
                let at = existing.iter().position(|given| given.id == *id);
                attributes.extend(at);
                at.is_none()
            }
            _ => true,
        });
        attributes.sort_unstable();
        attributes.dedup();
        // Whoever learns what conflicts must be allowed to read it.
        attributes.iter().for_each(|&attribute| self.access.of(relation.oid, target.base_check_as).select(attribute));
        let predicate = match ast::present(&infer.where_clause) {
            Some(node) => Some(self.bind_condition(node, ExpressionKind::IndexPredicate, "WHERE")?),
            None => None,
        };
        let mut found = Vec::new();
        for oid in &relation.indexes {
            let Some(index) = self.names.catalog.relation(*oid).cloned() else { continue };
            let RelationKind::Index(definition) = &index.kind else { continue };
            if definition.unique
                && self.index_matches(definition, relation, existing, &attributes, &expressions, predicate.as_ref())?
            {
                found.push(*oid);
            }
        }
        if found.is_empty() {
            let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
            return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
        Ok(found)
    }

    fn arbiter_of_constraint(&mut self, infer: &InferClause, target: &WriteTarget) -> Result<Vec<Oid>> {
        let relation = &target.relation;
        let missing = || {
            let message = format!("constraint \"{}\" for table \"{}\" does not exist", infer.conname, relation.name);
            Error::new(SqlState::UNDEFINED_OBJECT, message)
        };
        let constraint = relation.constraints.iter().find(|constraint| *constraint.name == *infer.conname).ok_or_else(missing)?;
        let Some(index) = constraint.index() else {
            let message = "constraint in ON CONFLICT clause has no associated index";
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
        };
        if constraint.deferrable {
            let message = "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters";
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        if let Some(RelationKind::Index(definition)) = self.names.catalog.relation(index).map(|index| index.kind.clone()) {
            let access = self.access.of(relation.oid, target.base_check_as);
            definition.attribute_positions().into_iter().for_each(|attribute| access.select(attribute));
        }
        Ok(vec![index])
    }

    /// Whether an index has exactly these columns and expressions, and a predicate that the given one implies.
    fn index_matches(
        &self,
        definition: &IndexDefinition,
        relation: &Relation,
        existing: &[Given],
        attributes: &[usize],
        expressions: &[Expr],
        predicate: Option<&Expr>,
    ) -> Result<bool> {
        let mut own = definition.attribute_positions();
        own.sort_unstable();
        own.dedup();
        if own != attributes {
            return Ok(false);
        }
        let environment = self.stored_environment();
        let offered: Vec<(&str, Given)> =
            relation.live_attributes().map(|(at, attribute)| (&*attribute.name, existing[at])).collect();
        let mut own_expressions = Vec::new();
        for column in &definition.columns {
            if let IndexKey::Expression(text) = &column.key {
                let node = parse::stored_expression(text)?;
                own_expressions.push(crate::bind_expression(&node, ExpressionKind::IndexExpression, &offered, &environment)?);
            }
        }
        let covers = |left: &[Expr], right: &[Expr]| left.iter().all(|one| right.iter().any(|other| same::same(one, other)));
        if !covers(&own_expressions, expressions) || !covers(expressions, &own_expressions) {
            return Ok(false);
        }
        match (&definition.predicate, predicate) {
            (None, _) => Ok(true),
            (Some(_), None) => Ok(false),
            (Some(text), Some(given)) => {
                let node = parse::stored_expression(text)?;
                let own = crate::bind_condition(&node, ExpressionKind::IndexPredicate, &offered, &environment)?;
                let terms: &[Expr] = match given {
                    Expr::And(terms) => terms,
                    one => std::slice::from_ref(one),
                };
                let wanted: &[Expr] = match &own {
                    Expr::And(terms) => terms,
                    one => std::slice::from_ref(one),
                };
                Ok(covers(wanted, terms))
            }
        }
    }
}
