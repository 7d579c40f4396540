//! schemata, tables, columns, views, sequences.

use std::sync::Arc;

use catalog::{Attribute, IdentityKind, Persistence, Relation, RelationKind, StoredQuery, builtin::builtins};
use types::{Oid, SqlType};

use super::{NamedRow, View, describe_collation, describe_type, limits};
use crate::system_catalog::{
    definitions::{self, Style},
    row::text,
};

pub(super) fn schemata(view: &mut View) {
    for schema in view.context.names.catalog.schemas() {
        let mut row = view.row();
        row.text("catalog_name", &view.context.current_database).text("schema_name", &schema.name);
        row.text("schema_owner", view.role_name(schema.owner));
        view.push(row);
    }
}

/// Tables and views of users, with their schemas' names.
pub(super) fn user_tables(view: &View) -> Vec<(Arc<Relation>, String)> {
    let relations = view.context.names.catalog.relations();
    let shown = relations.filter(|relation| matches!(relation.relkind(), 'r' | 'v'));
    shown.map(|relation| (relation.clone(), view.schema_name(relation.schema))).collect()
}

pub(super) fn tables(view: &mut View) {
    for (relation, schema) in user_tables(view) {
        let is_table = relation.relkind() == 'r';
        let table_type = match relation.persistence {
            Persistence::Temporary => "LOCAL TEMPORARY",
            _ if is_table => "BASE TABLE",
            _ => "VIEW",
        };
        let mut row = view.row();
        row.object("table", view.context, &schema, &relation.name).text("table_type", table_type);
        let insertable = is_table || definitions::view_is_updatable(view.context, &relation, None);
        row.yes_or_no("is_insertable_into", insertable).yes_or_no("is_typed", false);
        view.push(row);
    }
    for relation in &builtins().system_relations {
        let is_table = relation.kind == 'r';
        let mut row = view.row();
        row.object("table", view.context, relation.schema, relation.name);
        row.text("table_type", if is_table { "BASE TABLE" } else { "VIEW" });
        row.yes_or_no("is_insertable_into", is_table).yes_or_no("is_typed", false);
        view.push(row);
    }
}

pub(super) fn columns(view: &mut View) {
    for (relation, schema) in user_tables(view) {
        for (position, attribute) in relation.live_attributes() {
            let mut row = view.row();
            row.object("table", view.context, &schema, &relation.name);
            user_column(&mut row, view, &relation, position, attribute);
            view.push(row);
        }
    }
    for relation in &builtins().system_relations {
        for (column, number) in relation.columns.iter().zip(1..) {
            let mut row = view.row();
            row.object("table", view.context, relation.schema, relation.name);
            let ty = view.context.names.sql_type(column.type_oid).unwrap_or(SqlType::of(column.type_oid));
            column_head(&mut row, view, column.name, number, ty.with_typmod(column.typmod), !column.not_null);
            describe_collation(&mut row, view.context, column.collation);
            row.yes_or_no("is_identity", false).yes_or_no("identity_cycle", false).text("is_generated", "NEVER");
            row.yes_or_no("is_updatable", relation.kind == 'r');
            view.push(row);
        }
    }
}

fn column_head(row: &mut NamedRow, view: &View, name: &str, number: i32, ty: SqlType, nullable: bool) {
    let context = view.context;
    row.text("column_name", name).number("ordinal_position", number).yes_or_no("is_nullable", nullable);
    describe_type(row, context, ty, "udt");
    if context.names.domain_base(ty.oid).is_some()
        && let Some((domain, schema)) = context.names.type_name_and_schema(ty.oid)
    {
        row.object("domain", context, &view.schema_name(schema), &domain);
    }
    row.text("dtd_identifier", number.to_string()).yes_or_no("is_self_referencing", false);
}

fn user_column(row: &mut NamedRow, view: &View, relation: &Relation, position: usize, attribute: &Attribute) {
    let context = view.context;
    let number = i32::try_from(position + 1).unwrap_or(i32::MAX);
    let nullable = !attribute.not_null && !super::user_types::domain_is_not_null(view, attribute.ty.oid);
    column_head(row, view, &attribute.name, number, attribute.ty, nullable);
    describe_collation(row, context, attribute.collation);
    let expression =
        attribute.default.as_deref().map(|sql| definitions::default_value(context, sql, relation, position, Style::INDENTED));
    match (attribute.generated, expression) {
        (Some(_), Some(expression)) => {
            row.text("is_generated", "ALWAYS").text("generation_expression", expression);
        }
        (_, expression) => {
            row.text("is_generated", "NEVER");
            if let Some(expression) = expression {
                row.text("column_default", expression);
            }
        }
    }
    row.yes_or_no("is_identity", attribute.identity.is_some()).yes_or_no("identity_cycle", false);
    if let Some(identity) = attribute.identity {
        row.text("identity_generation", if identity == IdentityKind::Always { "ALWAYS" } else { "BY DEFAULT" });
        identity_sequence(row, view, relation.oid, position);
    }
    let updatable = match relation.kind {
        RelationKind::View { .. } => definitions::view_is_updatable(context, relation, Some(&attribute.name)),
        _ => relation.relkind() == 'r',
    };
    row.yes_or_no("is_updatable", updatable);
}

fn identity_sequence(row: &mut NamedRow, view: &View, table: Oid, position: usize) {
    let mut relations = view.context.names.catalog.relations();
    let sequence = relations.find_map(|relation| match (&relation.kind, relation.owned_by) {
        (RelationKind::Sequence(sequence), Some((owner, at, _))) if (owner, at) == (table, position) => Some(sequence),
        _ => None,
    });
    if let Some(sequence) = sequence {
        row.text("identity_start", sequence.start.to_string());
        row.text("identity_increment", sequence.increment.to_string());
        row.text("identity_maximum", sequence.maximum.to_string());
        row.text("identity_minimum", sequence.minimum.to_string());
        row.yes_or_no("identity_cycle", sequence.cycle);
    }
}

pub(super) fn views(view: &mut View) {
    for (relation, schema) in user_tables(view) {
        let RelationKind::View { check_option, .. } = &relation.kind else { continue };
        let mut row = view.row();
        row.object("table", view.context, &schema, &relation.name);
        row.set("view_definition", definitions::view(view.context, &relation, Style::INDENTED).map_or(types::Datum::Null, text));
        row.text("check_option", check_option.as_deref().unwrap_or("none").to_ascii_uppercase());
        let updatable = definitions::view_is_updatable(view.context, &relation, None);
        row.yes_or_no("is_updatable", updatable).yes_or_no("is_insertable_into", updatable);
        for column in ["is_trigger_updatable", "is_trigger_deletable", "is_trigger_insertable_into"] {
            row.yes_or_no(column, false);
        }
        view.push(row);
    }
}

/// The users' relations that a view reads.
fn relations_read(view: &View, query: &StoredQuery) -> Vec<Arc<Relation>> {
    let catalog = &view.context.names.catalog;
    query.names.relations().iter().filter_map(|oid| catalog.relation(*oid).cloned()).collect()
}

pub(super) fn view_table_usage(view: &mut View) {
    for (relation, schema) in user_tables(view) {
        let RelationKind::View { query, .. } = &relation.kind else { continue };
        for read in relations_read(view, query) {
            let mut row = view.row();
            row.object("view", view.context, &schema, &relation.name);
            row.object("table", view.context, &view.schema_name(read.schema), &read.name);
            view.push(row);
        }
    }
}

pub(super) fn view_column_usage(view: &mut View) {
    for (relation, schema) in user_tables(view) {
        let RelationKind::View { query, .. } = &relation.kind else { continue };
        for read in relations_read(view, query) {
            for (_, attribute) in read.live_attributes().filter(|(at, _)| query.columns_read.contains(&(read.oid, *at))) {
                let mut row = view.row();
                row.object("view", view.context, &schema, &relation.name);
                row.object("table", view.context, &view.schema_name(read.schema), &read.name);
                row.text("column_name", &attribute.name);
                view.push(row);
            }
        }
    }
}

/// Sequences, those of identity columns left out.
pub(super) fn sequences(view: &mut View) {
    let catalog = view.context.names.catalog.clone();
    for relation in catalog.relations() {
        let RelationKind::Sequence(sequence) = &relation.kind else { continue };
        if matches!(relation.owned_by, Some((_, _, true))) {
            continue;
        }
        let mut row = view.row();
        row.object("sequence", view.context, &view.schema_name(relation.schema), &relation.name);
        row.text("data_type", view.context.names.format_type_oid(sequence.ty.oid));
        limits(&mut row, view.context, sequence.ty);
        row.text("start_value", sequence.start.to_string()).text("minimum_value", sequence.minimum.to_string());
        row.text("maximum_value", sequence.maximum.to_string()).text("increment", sequence.increment.to_string());
        row.yes_or_no("cycle_option", sequence.cycle);
        view.push(row);
    }
}
