//! pg_stat_statements: what has been run, statement by statement, as PostgreSQL's extension of this name shows it.

use types::Datum;

use super::{
    SystemContext,
    row::{NULL, Sink, boolean, oid, text},
};

pub(super) fn pg_stat_statements(context: &SystemContext, sink: &mut Sink) {
    for statement in context.state.statements() {
        let mean_ms = if statement.calls > 0 { statement.total_ms / statement.calls as f64 } else { 0.0 };
        let mut row = vec![
            oid(statement.user),
            oid(statement.database),
            boolean(true),
            statement.query_id.map_or(NULL, Datum::Int8),
            text(&*statement.query),
            // Plans are kept, and their making is not timed by itself.
            Datum::Int8(0),
        ];
        row.extend([0.0; 5].map(Datum::Float8));
        row.push(Datum::Int8(statement.calls));
        row.extend(
            [statement.total_ms, statement.least_ms, statement.most_ms, mean_ms, statement.deviation_ms].map(Datum::Float8),
        );
        row.push(Datum::Int8(statement.rows));
        sink.push(row);
    }
}
