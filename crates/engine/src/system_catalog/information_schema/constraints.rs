//! table_constraints, key_column_usage, referential_constraints and what else tells of constraints.

use std::sync::Arc;

use catalog::{Constraint, ConstraintKind, Relation, UserTypeKind, dependencies::references};

use super::{NamedRow, View};
use crate::system_catalog::{
    definitions::{self, Style},
    relation_rows::as_index,
};

fn tables_with_constraints(view: &View) -> Vec<(Arc<Relation>, String)> {
    let relations = view.context.names.catalog.relations();
    let tables = relations.filter(|relation| relation.relkind() == 'r');
    tables.map(|table| (table.clone(), view.schema_name(table.schema))).collect()
}

/// Calls `add` for each constraint of each table, with the table's schema's name.
fn for_each_constraint(view: &mut View, mut add: impl FnMut(&mut View, &Relation, &str, &Constraint)) {
    for (table, schema) in tables_with_constraints(view) {
        for constraint in &table.constraints {
            add(view, &table, &schema, constraint);
        }
    }
}

/// The name under which NOT NULL shows as a constraint.
fn not_null_name(table: &Relation, position: usize) -> String {
    format!("{}_{}_{}_not_null", table.schema, table.oid, position + 1)
}

pub(super) fn table_constraints(view: &mut View) {
    for (table, schema) in tables_with_constraints(view) {
        for constraint in &table.constraints {
            let words = match constraint.kind {
                ConstraintKind::Check { .. } => "CHECK",
                ConstraintKind::PrimaryKey { .. } => "PRIMARY KEY",
                ConstraintKind::Unique { .. } => "UNIQUE",
                ConstraintKind::ForeignKey(_) => "FOREIGN KEY",
            };
            let mut row = constraint_row(view, &table, &schema, &constraint.name, words);
            row.yes_or_no("is_deferrable", constraint.deferrable);
            row.yes_or_no("initially_deferred", constraint.initially_deferred);
            if let ConstraintKind::Unique { index, .. } = &constraint.kind {
                let index = view.context.names.catalog.relation(*index).and_then(|relation| as_index(relation));
                row.yes_or_no("nulls_distinct", index.is_none_or(|index| !index.nulls_not_distinct));
            }
            view.push(row);
        }
        for (position, _) in table.live_attributes().filter(|(_, attribute)| attribute.not_null) {
            let row = constraint_row(view, &table, &schema, &not_null_name(&table, position), "CHECK");
            view.push(row);
        }
    }
}

fn constraint_row(view: &View, table: &Relation, schema: &str, name: &str, words: &str) -> NamedRow {
    let mut row = view.row();
    row.object("constraint", view.context, schema, name);
    row.object("table", view.context, schema, &table.name);
    row.text("constraint_type", words).yes_or_no("is_deferrable", false);
    row.yes_or_no("initially_deferred", false).yes_or_no("enforced", true);
    row
}

fn attribute_name(table: &Relation, position: usize) -> &str {
    table.attributes.get(position).map_or("", |attribute| &attribute.name)
}

fn number(position: usize) -> i32 {
    i32::try_from(position + 1).unwrap_or(i32::MAX)
}

pub(super) fn key_column_usage(view: &mut View) {
    for_each_constraint(view, |view, table, schema, constraint| {
        let (columns, foreign) = match &constraint.kind {
            ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => (columns, None),
            ConstraintKind::ForeignKey(key) => (&key.columns, Some(key)),
            ConstraintKind::Check { .. } => return,
        };
        for (at, position) in columns.iter().enumerate() {
            let mut row = view.row();
            row.object("constraint", view.context, schema, &constraint.name);
            row.object("table", view.context, schema, &table.name);
            row.text("column_name", attribute_name(table, *position)).number("ordinal_position", number(at));
            if let Some(key) = foreign
                && let Some(place) = place_in_unique(view, key, at)
            {
                row.number("position_in_unique_constraint", place);
            }
            view.push(row);
        }
    });
}

/// Where the column that a foreign key's column refers to stands in the unique key.
fn place_in_unique(view: &View, key: &catalog::constraint::ForeignKey, at: usize) -> Option<i32> {
    let referenced = key.referenced_columns.get(at)?;
    let index = view.context.names.catalog.relation(key.referenced_index)?;
    let place = as_index(index)?.columns.iter().position(|column| match column.key {
        catalog::IndexKey::Attribute(position) => position == *referenced,
        catalog::IndexKey::Expression(_) => false,
    });
    place.map(number)
}

pub(super) fn constraint_column_usage(view: &mut View) {
    for_each_constraint(view, |view, table, schema, constraint| {
        let catalog = view.context.names.catalog.clone();
        let (used, columns) = match &constraint.kind {
            ConstraintKind::Check { columns, .. }
            | ConstraintKind::PrimaryKey { columns, .. }
            | ConstraintKind::Unique { columns, .. } => (Some(table), columns),
            ConstraintKind::ForeignKey(key) => (catalog.relation(key.referenced).map(|table| &**table), &key.referenced_columns),
        };
        let Some(used) = used else { return };
        for position in columns {
            let mut row = view.row();
            row.object("table", view.context, &view.schema_name(used.schema), &used.name);
            row.text("column_name", attribute_name(used, *position));
            row.object("constraint", view.context, schema, &constraint.name);
            view.push(row);
        }
    });
}

pub(super) fn constraint_table_usage(view: &mut View) {
    for_each_constraint(view, |view, table, schema, constraint| {
        let catalog = view.context.names.catalog.clone();
        let used = match &constraint.kind {
            ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. } => Some(table),
            ConstraintKind::ForeignKey(key) => catalog.relation(key.referenced).map(|table| &**table),
            ConstraintKind::Check { .. } => None,
        };
        if let Some(used) = used {
            let mut row = view.row();
            row.object("table", view.context, &view.schema_name(used.schema), &used.name);
            row.object("constraint", view.context, schema, &constraint.name);
            view.push(row);
        }
    });
}

pub(super) fn referential_constraints(view: &mut View) {
    for_each_constraint(view, |view, _, schema, constraint| {
        let ConstraintKind::ForeignKey(key) = &constraint.kind else { return };
        let mut row = view.row();
        row.object("constraint", view.context, schema, &constraint.name);
        let referenced = view.context.names.catalog.relation(key.referenced);
        let unique = referenced.and_then(|table| {
            let unique = table.constraints.iter().find(|unique| unique.index() == Some(key.referenced_index))?;
            Some((view.schema_name(table.schema), unique.name.clone()))
        });
        if let Some((schema, name)) = unique {
            row.object("unique_constraint", view.context, &schema, &name);
        }
        row.text("match_option", if key.match_type == 'f' { "FULL" } else { "NONE" });
        row.text("update_rule", rule(key.on_update)).text("delete_rule", rule(key.on_delete));
        view.push(row);
    });
}

fn rule(action: char) -> &'static str {
    match action {
        'r' => "RESTRICT",
        'c' => "CASCADE",
        'n' => "SET NULL",
        'd' => "SET DEFAULT",
        _ => "NO ACTION",
    }
}

pub(super) fn check_constraints(view: &mut View) {
    for (table, schema) in tables_with_constraints(view) {
        for constraint in table.constraints.iter().filter(|constraint| constraint.contype() == 'c') {
            let definition = definitions::constraint(view.context, Some(&table), constraint, Style::INDENTED);
            push_check(view, &schema, &constraint.name, &definition);
        }
        for (position, attribute) in table.live_attributes().filter(|(_, attribute)| attribute.not_null) {
            let mut row = view.row();
            row.object("constraint", view.context, &schema, &not_null_name(&table, position));
            row.text("check_clause", format!("{} IS NOT NULL", attribute.name));
            view.push(row);
        }
    }
    let catalog = view.context.names.catalog.clone();
    for ty in catalog.user_types() {
        if let UserTypeKind::Domain { constraints, base, .. } = &ty.kind {
            for constraint in constraints {
                let definition = definitions::domain_constraint(view.context, *base, constraint, Style::INDENTED);
                let schema = view.schema_name(ty.schema);
                push_check(view, &schema, &constraint.name, &definition);
            }
        }
    }
}

fn push_check(view: &mut View, schema: &str, name: &str, definition: &str) {
    let mut row = view.row();
    row.object("constraint", view.context, schema, name);
    row.text("check_clause", definition.trim_start_matches("CHECK "));
    view.push(row);
}

/// Columns that generated columns are computed from.
pub(super) fn column_column_usage(view: &mut View) {
    for (table, schema) in tables_with_constraints(view) {
        for (_, generated) in table.live_attributes().filter(|(_, attribute)| attribute.generated.is_some()) {
            let sql = generated.default.as_deref().unwrap_or_default();
            let mentioned = references(&view.context.names.catalog, sql);
            for (_, used) in table.live_attributes().filter(|(_, used)| mentioned.words.contains(&*used.name)) {
                let mut row = view.row();
                row.object("table", view.context, &schema, &table.name);
                row.text("column_name", &used.name).text("dependent_column", &generated.name);
                view.push(row);
            }
        }
    }
}
