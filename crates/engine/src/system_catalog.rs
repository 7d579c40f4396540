//! `pg_catalog` and `information_schema` as tables computed from the catalog value and the running server.
//!
//! [`rows`] makes the rows of one system relation when a statement reads it; nothing is stored. Rows about built-in objects are facts
//! ([`facts`]); rows about users' objects come from [`catalog::Catalog`]; sessions, locks, settings and counters from [`SystemState`].
//! [`functions`] are the functions that go with them (`format_type`, `pg_get_indexdef`, ...); [`definitions`] prints objects as SQL.
//!
//! **Invariants.** A row has exactly the columns of PostgreSQL's relation, in order. A relation that would have rows in PostgreSQL for
//! objects that exist here is either provided or refused with 0A000; an empty answer means that there is nothing to show.

use std::sync::Arc;

use catalog::{builtin::SystemRelation, type_names::Names};
use types::{Datum, Error, Oid, Result, SqlType};

use crate::access::Authority;

mod acl_rows;
mod attribute_rows;
mod cluster_rows;
mod column_statistics_rows;
mod constraint_rows;
pub mod definitions;
mod dependency_rows;
mod description_rows;
mod facts;
pub mod functions;
mod information_schema;
mod relation_rows;
mod row;
mod state;
mod statement_rows;
mod system_views;
mod time_zone_rows;
mod type_rows;

pub(crate) use relation_rows::operator_class_input_of;
pub use row::Hint;
pub use state::*;

use row::Sink;
use system_views::Whose;

/// What the rows are computed from.
pub struct SystemContext<'a> {
    /// The database's catalog under the session's search path.
    pub names: Names,
    pub databases: Vec<DatabaseRow>,
    /// The roles, and what the current one may do.
    pub authority: Authority,
    pub current_database: Arc<str>,
    pub current_user: Arc<str>,
    pub state: &'a dyn SystemState,
    /// Definitions print as they would again after being read, and not quite as PostgreSQL prints them: for dumps.
    pub reparsed: bool,
}

impl SystemContext<'_> {
    /// How definitions are laid out where nobody says it.
    pub(crate) fn style(&self) -> definitions::Style {
        definitions::Style { reparsed: self.reparsed, ..definitions::Style::INDENTED }
    }
}

/// A column's type as clients are told it: domains as what they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireType {
    pub oid: Oid,
    /// pg_type.typlen
    pub length: i16,
    pub typmod: i32,
}

impl WireType {
    pub fn of(ty: SqlType, names: &Names) -> WireType {
        // Nearly all columns are of these, which are no domains.
        if let Some(known) = catalog::builtin::builtins().type_by_oid(ty.oid).filter(|known| known.oid != Oid::UNKNOWN) {
            return WireType { oid: ty.oid, length: known.length, typmod: ty.typmod };
        }
        let ty = match names.domain_base(ty.oid) {
            Some(_) => names.base_type(ty),
            // Untyped literals are sent as text.
            None if ty.oid == Oid::UNKNOWN => SqlType::TEXT,
            None => ty,
        };
        WireType { oid: ty.oid, length: type_rows::shape(names, ty.oid).length, typmod: ty.typmod }
    }
}

/// Makes rows of one relation.
type Provider = fn(&SystemContext, &mut Sink);

/// The rows of a system relation, in no particular order. Rows that the hint excludes may be left out.
///
/// Errors: 0A000 for a relation that has no provider.
pub fn rows(relation: &'static SystemRelation, context: &SystemContext, hint: Option<Hint>) -> Result<Vec<Vec<Datum>>> {
    let wanted = hint.and_then(|hint| {
        let position = relation.columns.iter().position(|column| column.name == hint.column)?;
        Some((position, hint.value.clone()))
    });
    let mut sink = Sink::new(wanted);
    match (relation.schema, relation.name) {
        ("pg_catalog", name) if is_rightly_empty(name) => {}
        ("pg_catalog", name) => match provider(name) {
            Some(provide) => provide(context, &mut sink),
            None => provide_facts_or_counters(name, context, &mut sink)?,
        },
        _ => information_schema::provide(relation, context, &mut sink)?,
    }
    let rows = sink.into_rows();
    debug_assert!(rows.iter().all(|row| row.len() == relation.columns.len()), "{} has rows of a wrong length", relation.name);
    Ok(rows)
}

fn provider(name: &str) -> Option<Provider> {
    Some(match name {
        "pg_attrdef" => relation_rows::pg_attrdef,
        "pg_attribute" => attribute_rows::pg_attribute,
        "pg_auth_members" => cluster_rows::pg_auth_members,
        "pg_authid" => cluster_rows::pg_authid,
        "pg_class" => relation_rows::pg_class,
        "pg_constraint" => constraint_rows::pg_constraint,
        "pg_db_role_setting" => cluster_rows::pg_db_role_setting,
        "pg_default_acl" => acl_rows::pg_default_acl,
        "pg_init_privs" => acl_rows::pg_init_privs,
        "pg_proc" => acl_rows::pg_proc,
        "pg_cursors" => cluster_rows::pg_cursors,
        "pg_database" => cluster_rows::pg_database,
        "pg_depend" => dependency_rows::pg_depend,
        "pg_shdepend" => dependency_rows::pg_shdepend,
        "pg_description" => description_rows::pg_description,
        "pg_enum" => type_rows::pg_enum,
        "pg_group" => cluster_rows::pg_group,
        "pg_index" => relation_rows::pg_index,
        "pg_indexes" => system_views::pg_indexes,
        "pg_locks" => cluster_rows::pg_locks,
        "pg_matviews" => system_views::pg_matviews,
        "pg_namespace" => cluster_rows::pg_namespace,
        "pg_prepared_statements" => cluster_rows::pg_prepared_statements,
        "pg_rewrite" => system_views::pg_rewrite,
        "pg_roles" => cluster_rows::pg_roles,
        "pg_sequence" => relation_rows::pg_sequence,
        "pg_sequences" => system_views::pg_sequences,
        "pg_settings" => cluster_rows::pg_settings,
        "pg_shadow" => cluster_rows::pg_shadow,
        "pg_shdescription" => cluster_rows::pg_shdescription,
        "pg_stat_archiver" => system_views::pg_stat_archiver,
        "pg_stat_bgwriter" => system_views::pg_stat_bgwriter,
        "pg_stat_wal" => system_views::pg_stat_wal,
        "pg_stat_activity" => cluster_rows::pg_stat_activity,
        "pg_stat_database" => system_views::pg_stat_database,
        "pg_stat_database_conflicts" => system_views::pg_stat_database_conflicts,
        "pg_stat_gssapi" => cluster_rows::pg_stat_gssapi,
        "pg_stat_statements" => statement_rows::pg_stat_statements,
        "pg_stat_ssl" => cluster_rows::pg_stat_ssl,
        "pg_stats" => column_statistics_rows::pg_stats,
        "pg_tables" => system_views::pg_tables,
        "pg_tablespace" => cluster_rows::pg_tablespace,
        "pg_timezone_abbrevs" => time_zone_rows::pg_timezone_abbrevs,
        "pg_timezone_names" => time_zone_rows::pg_timezone_names,
        "pg_type" => type_rows::pg_type,
        "pg_user" => cluster_rows::pg_user,
        "pg_views" => system_views::pg_views,
        _ => return None,
    })
}

fn provide_facts_or_counters(name: &str, context: &SystemContext, sink: &mut Sink) -> Result<()> {
    let whose = Whose::of(name);
    match name {
        "pg_stat_all_tables" | "pg_stat_sys_tables" | "pg_stat_user_tables" => {
            system_views::pg_stat_tables(context, sink, whose);
        }
        "pg_stat_all_indexes" | "pg_stat_sys_indexes" | "pg_stat_user_indexes" => {
            system_views::pg_stat_indexes(context, sink, whose);
        }
        "pg_statio_all_tables" | "pg_statio_sys_tables" | "pg_statio_user_tables" => {
            system_views::pg_statio_tables(context, sink, whose);
        }
        "pg_statio_all_indexes" | "pg_statio_sys_indexes" | "pg_statio_user_indexes" => {
            system_views::pg_statio_indexes(context, sink, whose);
        }
        "pg_statio_all_sequences" | "pg_statio_sys_sequences" | "pg_statio_user_sequences" => {
            system_views::pg_statio_sequences(context, sink, whose);
        }
        _ => match facts::fact_rows(name) {
            Some(rows) => sink.extend(rows),
            None => return Err(Error::unsupported(format_args!("relation pg_catalog.{name}"))),
        },
    }
    Ok(())
}

/// Relations about what cannot exist here: inheritance, triggers, policies, publications, extensions, foreign tables, large objects,
/// replication, and progress of work that is never seen half done. Statistics are not stored (`pg_stats` takes a sample when it is read),
/// nor are configuration files.
fn is_rightly_empty(name: &str) -> bool {
    const EMPTY: &[&str] = &[
        "pg_available_extension_versions",
        "pg_available_extensions",
        "pg_event_trigger",
        "pg_extension",
        "pg_file_settings",
        "pg_foreign_data_wrapper",
        "pg_foreign_server",
        "pg_foreign_table",
        "pg_hba_file_rules",
        "pg_ident_file_mappings",
        "pg_inherits",
        "pg_largeobject",
        "pg_largeobject_metadata",
        "pg_parameter_acl",
        "pg_partitioned_table",
        "pg_policies",
        "pg_policy",
        "pg_prepared_xacts",
        "pg_publication",
        "pg_publication_namespace",
        "pg_publication_rel",
        "pg_publication_tables",
        "pg_replication_origin",
        "pg_replication_origin_status",
        "pg_replication_slots",
        "pg_rules",
        "pg_seclabel",
        "pg_seclabels",
        "pg_shseclabel",
        "pg_stat_progress_analyze",
        "pg_stat_progress_basebackup",
        "pg_stat_progress_cluster",
        "pg_stat_progress_copy",
        "pg_stat_progress_create_index",
        "pg_stat_progress_vacuum",
        "pg_stat_recovery_prefetch",
        "pg_stat_replication",
        "pg_stat_replication_slots",
        "pg_stat_subscription",
        "pg_stat_subscription_stats",
        "pg_stat_user_functions",
        "pg_stat_wal_receiver",
        "pg_stat_xact_user_functions",
        "pg_statistic",
        "pg_statistic_ext",
        "pg_statistic_ext_data",
        "pg_stats_ext",
        "pg_stats_ext_exprs",
        "pg_subscription",
        "pg_subscription_rel",
        "pg_transform",
        "pg_trigger",
        "pg_user_mapping",
        "pg_user_mappings",
    ];
    EMPTY.contains(&name)
}

#[cfg(test)]
mod tests;
