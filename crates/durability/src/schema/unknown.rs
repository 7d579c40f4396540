//! Refuses what a dump would leave out.
//!
//! Every catalog of PostgreSQL 15 in which a user's definition can be a row is either read by this module's siblings or asked about here.

use types::{Error, Result};

use crate::Link;

/// Catalogs whose rows are dumped, or are parts of rows that are.
#[cfg(test)]
pub(super) const READ: &[&str] = &[
    "pg_attrdef",
    "pg_attribute",
    "pg_auth_members",
    "pg_authid",
    "pg_class",
    "pg_constraint",
    "pg_database",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_depend",
    "pg_description",
    "pg_enum",
    "pg_index",
    "pg_namespace",
    "pg_proc",
    "pg_rewrite",
    "pg_sequence",
    "pg_shdepend",
    "pg_shdescription",
    "pg_trigger",
    "pg_type",
];

/// Catalogs that hold no user's definitions: what comes with the server, statistics, and things that live no longer than it.
#[cfg(test)]
pub(super) const NOT_DEFINITIONS: &[&str] = &[
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_init_privs",
    "pg_language",
    "pg_replication_origin",
    "pg_statistic",
    "pg_statistic_ext_data",
    "pg_subscription_rel",
    "pg_tablespace",
    "pg_largeobject",
    "pg_seclabel",
    "pg_shseclabel",
    "pg_parameter_acl",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_foreign_table",
    "pg_partitioned_table",
    "pg_aggregate",
    "pg_range",
    "pg_ts_config_map",
];

/// Kinds of objects that have no statement here, and how one is found: its name in the first column.
pub(super) const REFUSED: &[(&str, &str, &str)] = &[
    (
        "pg_inherits",
        "inheritance and partitions",
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind IN ('r', 'p')",
    ),
    ("pg_operator", "operators", "SELECT oprname FROM pg_operator WHERE oid >= 16384"),
    ("pg_opclass", "operator classes", "SELECT opcname FROM pg_opclass WHERE oid >= 16384"),
    ("pg_opfamily", "operator families", "SELECT opfname FROM pg_opfamily WHERE oid >= 16384"),
    ("pg_cast", "casts", "SELECT castsource::regtype::text FROM pg_cast WHERE oid >= 16384"),
    (
        "pg_collation",
        "collations",
        "SELECT c.collname FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE n.nspname <> 'pg_catalog'",
    ),
    ("pg_conversion", "conversions", "SELECT conname FROM pg_conversion WHERE oid >= 16384"),
    ("pg_event_trigger", "event triggers", "SELECT evtname FROM pg_event_trigger"),
    ("pg_extension", "extensions", "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'"),
    ("pg_foreign_data_wrapper", "foreign data wrappers", "SELECT fdwname FROM pg_foreign_data_wrapper"),
    ("pg_foreign_server", "foreign servers", "SELECT srvname FROM pg_foreign_server"),
    ("pg_user_mapping", "user mappings", "SELECT 'of a foreign server' FROM pg_user_mapping"),
    ("pg_largeobject_metadata", "large objects", "SELECT oid::text FROM pg_largeobject_metadata"),
    ("pg_policy", "row security policies", "SELECT polname FROM pg_policy"),
    ("pg_publication", "publications", "SELECT pubname FROM pg_publication"),
    ("pg_subscription", "subscriptions", "SELECT oid::text FROM pg_subscription"),
    ("pg_statistic_ext", "extended statistics", "SELECT stxname FROM pg_statistic_ext"),
    ("pg_transform", "transforms", "SELECT oid::text FROM pg_transform"),
    ("pg_ts_config", "text search configurations", "SELECT cfgname FROM pg_ts_config WHERE oid >= 16384"),
    ("pg_ts_dict", "text search dictionaries", "SELECT dictname FROM pg_ts_dict WHERE oid >= 16384"),
    ("pg_ts_parser", "text search parsers", "SELECT prsname FROM pg_ts_parser WHERE oid >= 16384"),
    ("pg_ts_template", "text search templates", "SELECT tmplname FROM pg_ts_template WHERE oid >= 16384"),
];

pub(super) fn refuse(link: &mut dyn Link) -> Result<()> {
    let counts: Vec<String> = REFUSED.iter().map(|(_, _, query)| format!("EXISTS ({query})")).collect();
    let rows = link.query(&format!("SELECT {}", counts.join(", ")))?;
    let row = rows.into_iter().next().unwrap_or_default();
    for ((_, kind, query), there) in REFUSED.iter().zip(row) {
        if there.as_deref() != Some("t") {
            continue;
        }
        let named = link.query(query)?.into_iter().flatten().flatten().next().unwrap_or_default();
        return Err(Error::unsupported(format!("dumping {kind} (\"{named}\")")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_catalog_is_dumped_refused_or_known_to_hold_no_definitions() {
        let refused: Vec<&str> = REFUSED.iter().map(|(catalog, _, _)| *catalog).collect();
        let known = |name: &str| [READ, NOT_DEFINITIONS, &refused].iter().any(|names| names.contains(&name));
        let mut seen = 0;
        for relation in &catalog::builtin::builtins().system_relations {
            let is_catalog = relation.kind == 'r' && relation.schema == "pg_catalog";
            assert!(!is_catalog || known(relation.name), "{} is neither dumped nor refused", relation.name);
            seen += usize::from(is_catalog);
        }
        assert!(seen > 50, "only {seen} catalogs");
    }
}
