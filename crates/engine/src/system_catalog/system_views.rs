//! The views of pg_catalog over definitions and counters: pg_tables, pg_indexes, pg_stat_user_tables and their like.

use std::sync::Arc;

use catalog::{Relation, RelationKind, type_names::system_schema};
use types::{Datum, Oid};

use super::{
    SystemContext, definitions,
    relation_rows::as_index,
    row::{NULL, Row, Sink, boolean, name, oid, text, time},
};

/// Which relations a statistics view shows.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Whose {
    All,
    System,
    User,
}

impl Whose {
    pub(super) fn of(view: &str) -> Whose {
        if view.contains("_user_") {
            Whose::User
        } else if view.contains("_sys_") {
            Whose::System
        } else {
            Whose::All
        }
    }

    /// Tables of users are in schemas of users.
    fn shows(self, schema: Oid) -> bool {
        let is_system = matches!(schema, Oid::PG_CATALOG_NAMESPACE | Oid::INFORMATION_SCHEMA_NAMESPACE);
        match self {
            Whose::All => true,
            Whose::System => is_system,
            Whose::User => !is_system,
        }
    }
}

fn schema_name(context: &SystemContext, relation: &Relation) -> Datum {
    context.names.catalog.schema(relation.schema).map_or(NULL, |schema| name(&schema.name))
}

fn owner_name(context: &SystemContext, owner: Oid) -> Datum {
    match context.names.role_name(owner) {
        Some(role) => name(&role),
        None => text(format!("unknown (OID={owner})")),
    }
}

fn of_kinds<'c>(context: &'c SystemContext, kinds: &'static [char]) -> impl Iterator<Item = &'c Arc<Relation>> {
    context.names.catalog.relations().filter(move |relation| kinds.contains(&relation.relkind()))
}

pub(super) fn pg_tables(context: &SystemContext, sink: &mut Sink) {
    for relation in catalog::builtin::builtins().system_relations.iter().filter(|relation| relation.kind == 'r') {
        sink.push(vec![
            text(relation.schema),
            text(relation.name),
            owner_name(context, Oid::BOOTSTRAP_ROLE),
            NULL,
            boolean(false),
            boolean(false),
            boolean(false),
            boolean(false),
        ]);
    }
    for relation in of_kinds(context, &['r']) {
        let is_foreign_key = |constraint: &catalog::Constraint| constraint.contype() == 'f';
        sink.push(vec![
            schema_name(context, relation),
            name(&relation.name),
            owner_name(context, relation.owner),
            NULL,
            boolean(!relation.indexes.is_empty()),
            boolean(false),
            boolean(relation.constraints.iter().any(is_foreign_key)),
            boolean(false),
        ]);
    }
}

/// Views of users. The system's own have no SQL text here: they are computed.
pub(super) fn pg_views(context: &SystemContext, sink: &mut Sink) {
    for relation in catalog::builtin::builtins().system_relations.iter().filter(|relation| relation.kind == 'v') {
        sink.push(vec![text(relation.schema), text(relation.name), owner_name(context, Oid::BOOTSTRAP_ROLE), NULL]);
    }
    for relation in of_kinds(context, &['v']) {
        sink.push(vec![
            schema_name(context, relation),
            name(&relation.name),
            owner_name(context, relation.owner),
            definitions::view(context, relation, definitions::Style::INDENTED).map_or(NULL, text),
        ]);
    }
}

pub(super) fn pg_matviews(context: &SystemContext, sink: &mut Sink) {
    for relation in of_kinds(context, &['m']) {
        let populated = !matches!(relation.kind, RelationKind::MaterializedView { populated: false, .. });
        sink.push(vec![
            schema_name(context, relation),
            name(&relation.name),
            owner_name(context, relation.owner),
            NULL,
            boolean(!relation.indexes.is_empty()),
            boolean(populated),
            definitions::view(context, relation, definitions::Style::INDENTED).map_or(NULL, text),
        ]);
    }
}

pub(super) fn pg_indexes(context: &SystemContext, sink: &mut Sink) {
    for relation in context.names.catalog.relations() {
        let Some(index) = as_index(relation) else { continue };
        let Some(table) = context.names.catalog.relation(index.table) else { continue };
        sink.push(vec![
            schema_name(context, table),
            name(&table.name),
            name(&relation.name),
            NULL,
            text(definitions::index(context, relation, index, definitions::Qualify::Always, definitions::Style::INDENTED)),
        ]);
    }
}

pub(super) fn pg_sequences(context: &SystemContext, sink: &mut Sink) {
    for relation in context.names.catalog.relations() {
        let RelationKind::Sequence(sequence) = &relation.kind else { continue };
        let last_value = context.state.sequence(relation.oid).filter(|state| state.is_called).map(|state| state.last_value);
        sink.push(vec![
            schema_name(context, relation),
            name(&relation.name),
            owner_name(context, relation.owner),
            oid(sequence.ty.oid),
            Datum::Int8(sequence.start),
            Datum::Int8(sequence.minimum),
            Datum::Int8(sequence.maximum),
            Datum::Int8(sequence.increment),
            boolean(sequence.cycle),
            Datum::Int8(sequence.cache),
            last_value.map_or(NULL, Datum::Int8),
        ]);
    }
}

/// pg_rewrite: the SELECT rule of every view, its action as SQL text.
pub(super) fn pg_rewrite(context: &SystemContext, sink: &mut Sink) {
    for relation in of_kinds(context, &['v', 'm']) {
        if let Some(query) = relation.query() {
            sink.push(vec![
                oid(super::relation_rows::rewrite_oid(relation.oid)),
                text("_RETURN"),
                oid(relation.oid),
                text("1"),
                text("O"),
                boolean(true),
                text("<>"),
                name(&query.text),
            ]);
        }
    }
}

fn count(value: i64) -> Datum {
    Datum::Int8(value)
}

/// Oid, schema and name of the tables that a statistics view shows.
fn statistics_tables(context: &SystemContext, whose: Whose) -> Vec<(Oid, Datum, Datum)> {
    let mut tables = Vec::new();
    for relation in &catalog::builtin::builtins().system_relations {
        if relation.kind == 'r' && whose.shows(system_schema(relation.schema)) {
            tables.push((relation.oid, text(relation.schema), text(relation.name)));
        }
    }
    for relation in of_kinds(context, &['r', 'm']) {
        if whose.shows(relation.schema) {
            tables.push((relation.oid, schema_name(context, relation), name(&relation.name)));
        }
    }
    tables
}

pub(super) fn pg_stat_tables(context: &SystemContext, sink: &mut Sink, whose: Whose) {
    for (table, schema, its_name) in statistics_tables(context, whose) {
        if !sink.wants(0, table) {
            continue;
        }
        let activity = context.state.table_activity(table);
        let changed = activity.inserted.saturating_add(activity.updated).saturating_add(activity.deleted);
        sink.push(vec![
            oid(table),
            schema,
            its_name,
            count(activity.sequential_scans),
            count(activity.sequential_rows),
            count(activity.index_scans),
            count(activity.index_rows),
            count(activity.inserted),
            count(activity.updated),
            count(activity.deleted),
            count(0),
            count(activity.live_rows),
            count(0),
            count(changed),
            count(activity.inserted),
            NULL,
            NULL,
            NULL,
            NULL,
            count(0),
            count(0),
            count(0),
            count(0),
        ]);
    }
}

fn statistics_indexes(context: &SystemContext, whose: Whose) -> Vec<(Oid, Row)> {
    let mut indexes = Vec::new();
    for relation in context.names.catalog.relations() {
        let Some(index) = as_index(relation) else { continue };
        let Some(table) = context.names.catalog.relation(index.table) else { continue };
        if whose.shows(table.schema) {
            let head =
                vec![oid(table.oid), oid(relation.oid), schema_name(context, table), name(&table.name), name(&relation.name)];
            indexes.push((relation.oid, head));
        }
    }
    indexes
}

pub(super) fn pg_stat_indexes(context: &SystemContext, sink: &mut Sink, whose: Whose) {
    for (index, mut row) in statistics_indexes(context, whose) {
        let activity = context.state.index_activity(index);
        row.extend([count(activity.scans), count(activity.rows_read), count(activity.rows_fetched)]);
        sink.push(row);
    }
}

/// Everything is in memory: each row read is a hit and no block is ever read from a disk.
pub(super) fn pg_statio_tables(context: &SystemContext, sink: &mut Sink, whose: Whose) {
    for (table, schema, its_name) in statistics_tables(context, whose) {
        let zeros = std::iter::repeat_n(count(0), 8);
        sink.push([oid(table), schema, its_name].into_iter().chain(zeros).collect());
    }
}

pub(super) fn pg_statio_indexes(context: &SystemContext, sink: &mut Sink, whose: Whose) {
    for (_, mut row) in statistics_indexes(context, whose) {
        row.extend([count(0), count(0)]);
        sink.push(row);
    }
}

pub(super) fn pg_statio_sequences(context: &SystemContext, sink: &mut Sink, whose: Whose) {
    for relation in of_kinds(context, &['S']).filter(|relation| whose.shows(relation.schema)) {
        sink.push(vec![oid(relation.oid), schema_name(context, relation), name(&relation.name), count(0), count(0)]);
    }
}

pub(super) fn pg_stat_database(context: &SystemContext, sink: &mut Sink) {
    for database in &context.databases {
        let activity = context.state.database_activity(database.oid);
        sink.push(vec![
            oid(database.oid),
            name(&database.name),
            Datum::Int4(activity.sessions_now),
            count(activity.commits),
            count(activity.rollbacks),
            count(0),
            count(activity.rows_fetched),
            count(activity.rows_returned),
            count(activity.rows_fetched),
            count(activity.inserted),
            count(activity.updated),
            count(activity.deleted),
            count(0),
            count(0),
            count(0),
            count(activity.deadlocks),
            NULL,
            NULL,
            Datum::Float8(0.0),
            Datum::Float8(0.0),
            Datum::Float8(0.0),
            Datum::Float8(0.0),
            Datum::Float8(0.0),
            count(activity.sessions),
            count(0),
            count(0),
            count(0),
            time(Some(context.state.server_start())),
        ]);
    }
}

pub(super) fn pg_stat_database_conflicts(context: &SystemContext, sink: &mut Sink) {
    for database in &context.databases {
        let zeros = std::iter::repeat_n(count(0), 5);
        sink.push([oid(database.oid), name(&database.name)].into_iter().chain(zeros).collect());
    }
}

/// Nothing is archived, checkpointed or logged ahead: the counters stand at zero since the server started.
pub(super) fn pg_stat_archiver(context: &SystemContext, sink: &mut Sink) {
    sink.push(vec![count(0), NULL, NULL, count(0), NULL, NULL, time(Some(context.state.server_start()))]);
}

pub(super) fn pg_stat_bgwriter(context: &SystemContext, sink: &mut Sink) {
    let mut row = vec![count(0); 10];
    row[2] = Datum::Float8(0.0);
    row[3] = Datum::Float8(0.0);
    row.push(time(Some(context.state.server_start())));
    sink.push(row);
}

pub(super) fn pg_stat_wal(context: &SystemContext, sink: &mut Sink) {
    let start = time(Some(context.state.server_start()));
    let bytes = Datum::Numeric(types::Numeric::from(0));
    let zero = || Datum::Float8(0.0);
    sink.push(vec![count(0), count(0), bytes, count(0), count(0), count(0), zero(), zero(), start]);
}
