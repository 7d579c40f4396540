//! Functions that return rows: pg_get_keywords and those behind the system views.

use catalog::{builtin::builtins, type_names::quoting::keywords};
use types::{Datum, Result};

use super::Arguments;
use crate::system_catalog::{
    SystemContext, acl_rows, cluster_rows,
    row::{NULL, collect, letter, text},
    rows,
};

/// The rows of the set-returning function of this source; None when it is none of ours.
pub fn call_set(source: &str, arguments: &[Datum], context: &SystemContext) -> Option<Result<Vec<Vec<Datum>>>> {
    let given = Arguments(arguments);
    let view = |name: &str| builtins().system_relation_named("pg_catalog", name).map(|relation| rows(relation, context, None));
    Some(Ok(match source {
        "pg_get_keywords" => keyword_rows(),
        "pg_options_to_table" => options(given),
        "pg_sequence_row" => return Some(super::sequence_row(context, given.oid(0)).map(|row| vec![row])),
        "_pg_expandarray" => expand_array(given),
        "pg_lock_status" => collect(|sink| cluster_rows::pg_locks(context, sink)),
        "show_all_settings" => collect(|sink| cluster_rows::pg_settings(context, sink)),
        "pg_prepared_statement" => collect(|sink| cluster_rows::pg_prepared_statements(context, sink)),
        "pg_cursor" => collect(|sink| cluster_rows::pg_cursors(context, sink)),
        "pg_timezone_names" | "pg_timezone_abbrevs" => return view(source),
        "pg_stat_get_backend_idset" => (1..).zip(context.state.sessions()).map(|(number, _)| vec![Datum::Int4(number)]).collect(),
        "pg_tablespace_databases" => context.databases.iter().map(|database| vec![Datum::Oid(database.oid)]).collect(),
        // None of these exist here.
        "pg_partition_ancestors"
        | "pg_partition_tree"
        | "pg_get_publication_tables"
        | "pg_prepared_xact"
        | "pg_available_extensions"
        | "pg_available_extension_versions"
        | "pg_extension_update_paths" => Vec::new(),
        "aclexplode" => acl_rows::explode(&context.parse_acl(given.0.first())),
        _ => return None,
    }))
}

fn keyword_rows() -> Vec<Vec<Datum>> {
    let row = |word: &catalog::type_names::quoting::Keyword| {
        vec![
            text(word.word),
            letter(word.category),
            Datum::Bool(word.bare_label),
            text(word.category_description),
            text(word.bare_description),
        ]
    };
    keywords().iter().map(row).collect()
}

/// `{a=b,c}` as (a, b), (c, NULL).
fn options(given: Arguments) -> Vec<Vec<Datum>> {
    let Some(Datum::Array(array)) = given.0.first() else { return Vec::new() };
    let split = |option: &Datum| match option {
        Datum::Text(option) => match option.split_once('=') {
            Some((name, value)) => Some(vec![text(name), text(value)]),
            None => Some(vec![text(option), NULL]),
        },
        _ => None,
    };
    array.elements.iter().filter_map(split).collect()
}

/// Elements with their numbers, counted from one.
fn expand_array(given: Arguments) -> Vec<Vec<Datum>> {
    let Some(Datum::Array(array)) = given.0.first() else { return Vec::new() };
    array.elements.iter().zip(1..).map(|(element, number)| vec![element.clone(), Datum::Int4(number)]).collect()
}
