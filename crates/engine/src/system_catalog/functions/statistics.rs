//! Counters by object: pg_stat_get_*.

use types::Datum;

use super::Arguments;
use crate::system_catalog::{SystemContext, row::NULL};

pub(super) fn call(source: &str, given: Arguments, context: &SystemContext) -> Option<Datum> {
    let name = source.strip_prefix("pg_stat_get_")?;
    let relation = || context.state.table_activity(given.oid(0));
    let index = || context.state.index_activity(given.oid(0));
    let is_index = || context.names.catalog.relation(given.oid(0)).is_some_and(|relation| relation.relkind() == 'i');
    let database = || context.state.database_activity(given.oid(0));
    if let Some(value) = backend(name, given, context) {
        return Some(value);
    }
    Some(Datum::Int8(match name {
        "numscans" if is_index() => index().scans,
        "numscans" => relation().sequential_scans,
        "tuples_returned" if is_index() => index().rows_read,
        "tuples_returned" => relation().sequential_rows,
        "tuples_fetched" if is_index() => index().rows_fetched,
        "tuples_fetched" => relation().index_rows,
        "tuples_inserted" | "ins_since_vacuum" => relation().inserted,
        "tuples_updated" => relation().updated,
        "tuples_deleted" => relation().deleted,
        "live_tuples" => relation().live_rows,
        "mod_since_analyze" => {
            let activity = relation();
            activity.inserted.saturating_add(activity.updated).saturating_add(activity.deleted)
        }
        "tuples_hot_updated" | "dead_tuples" | "blocks_fetched" | "blocks_hit" | "vacuum_count" | "autovacuum_count"
        | "analyze_count" | "autoanalyze_count" => 0,
        "db_xact_commit" => database().commits,
        "db_xact_rollback" => database().rollbacks,
        "db_tuples_returned" => database().rows_returned,
        "db_tuples_fetched" => database().rows_fetched,
        "db_tuples_inserted" => database().inserted,
        "db_tuples_updated" => database().updated,
        "db_tuples_deleted" => database().deleted,
        "db_deadlocks" => database().deadlocks,
        "db_sessions" => database().sessions,
        "db_blocks_fetched" | "db_blocks_hit" | "db_temp_files" | "db_temp_bytes" | "db_conflict_all" => 0,
        "db_numbackends" => return Some(Datum::Int4(database().sessions_now)),
        "last_vacuum_time" | "last_autovacuum_time" | "last_analyze_time" | "last_autoanalyze_time" => return Some(NULL),
        _ => return None,
    }))
}

/// Sessions by their number in the list of all of them, counted from one.
fn backend(name: &str, given: Arguments, context: &SystemContext) -> Option<Datum> {
    let name = name.strip_prefix("backend_")?;
    let sessions = context.state.sessions();
    let session = usize::try_from(given.int(0) - 1).ok().and_then(|at| sessions.get(at));
    let Some(session) = session else { return Some(NULL) };
    Some(match name {
        "pid" => Datum::Int4(session.pid),
        "dbid" => Datum::Oid(session.database),
        "userid" => Datum::Oid(session.user),
        "activity" => Datum::Text(session.query.clone()),
        "start" => Datum::TimestampTz(session.backend_start),
        "xact_start" => session.transaction_start.map_or(NULL, Datum::TimestampTz),
        "activity_start" => session.query_start.map_or(NULL, Datum::TimestampTz),
        _ => return None,
    })
}
