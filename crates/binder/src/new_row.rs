//! What every statement that writes rows needs: columns for the row as written, generated columns, CHECK conditions.

use std::sync::Arc;

use catalog::{ConstraintKind, Relation};
use plan::logical::{Check, Given, NewRow};
use types::Result;

use crate::{Environment, ExpressionKind, parse, state::Binder};

impl Binder<'_> {
    /// The environment in which stored expressions bind.
    pub(crate) fn stored_environment(&self) -> Environment {
        let names = self.names.of_definition(None);
        Environment { names: Arc::new(names), format: self.environment.format.clone(), parameters: Vec::new() }
    }

    /// One column an attribute, dropped ones too.
    pub(crate) fn row_columns(&mut self, relation: &Relation) -> Vec<Given> {
        relation.attributes.iter().map(|attribute| self.new_given(attribute.ty)).collect()
    }

    /// Generated columns and CHECK constraints over the row as written.
    pub(crate) fn bind_new_row(&mut self, relation: &Arc<Relation>) -> Result<NewRow> {
        let columns = self.row_columns(relation);
        let mut row = NewRow { columns, generated: Vec::new(), checks: Vec::new(), view_checks: Vec::new() };
        let has_generated = relation.attributes.iter().any(|attribute| attribute.generated.is_some() && !attribute.dropped);
        let has_checks = relation.constraints.iter().any(|constraint| matches!(constraint.kind, ConstraintKind::Check { .. }));
        if !has_generated && !has_checks {
            return Ok(row);
        }
        let environment = self.stored_environment();
        let offered: Vec<(&str, Given)> =
            relation.live_attributes().map(|(at, attribute)| (&*attribute.name, row.columns[at])).collect();
        for (at, attribute) in relation.live_attributes().filter(|(_, attribute)| attribute.generated.is_some()) {
            if let Some(text) = &attribute.default {
                let node = parse::stored_expression(text)?;
                let target = (&*attribute.name, attribute.ty);
                let expr = crate::bind_assignment(&node, ExpressionKind::GeneratedColumn, target, &offered, &environment)?;
                row.generated.push((at, expr));
            }
        }
        // PostgreSQL checks constraints in order of their names.
        let mut checks: Vec<_> = relation
            .constraints
            .iter()
            .filter_map(|constraint| match &constraint.kind {
                ConstraintKind::Check { expression, .. } => Some((constraint.name.clone(), expression.clone())),
                _ => None,
            })
            .collect();
        checks.sort();
        for (name, text) in checks {
            let node = parse::stored_expression(&text)?;
            let expression = crate::bind_condition(&node, ExpressionKind::CheckConstraint, &offered, &environment)?;
            row.checks.push(Check { name, expression });
        }
        Ok(row)
    }
}
