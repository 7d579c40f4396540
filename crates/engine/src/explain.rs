//! EXPLAIN [ANALYZE].

use std::{collections::VecDeque, sync::Arc, time::Instant};

use executor::{Instrumentation, Prepared};
use expr::Batch;
use pg_query::{
    NodeEnum,
    protobuf::{ExplainStmt, Node},
};
use plan::{
    explain::{Actual, ExplainOptions, Explained, explain_text},
    physical::PhysicalPlan,
};
use txn::Staged;
use types::{Datum, Error, Result, SqlState, SqlType};

use crate::session::{
    Outcome, Rows, Session,
    outcome::Tag,
    query::Planned,
    statement::{Parameters, is_planned, without_into},
    utility::{columns, option_flag, option_text},
};

/// Runs EXPLAIN and returns the plan's lines. With ANALYZE the statement runs to its end, and its changes are kept.
pub(crate) async fn execute(session: &mut Session, statement: &ExplainStmt, arguments: &Parameters) -> Result<Outcome> {
    let options = read_options(statement)?;
    let query = statement.query.as_deref().ok_or_else(|| Error::internal("EXPLAIN without a statement"))?;
    let (node, arguments) = explained(session, query, arguments)?;
    session.begin_statement()?;
    let started = Instant::now();
    let planned = session.plan(&node, None, &arguments.hints())?;
    session.check_access(&planned)?;
    if let Some(statement) = planned.writes_as.filter(|_| options.analyze) {
        session.refuse_read_only(statement)?;
    }
    let planning_ms = milliseconds(started);
    let started = Instant::now();
    let instrumentation = if options.analyze { run_instrumented(session, &planned, arguments.values).await? } else { None };
    let execution_ms = milliseconds(started);
    session.begin_statement()?;
    let names = session.names()?;
    let (format, _) = session.formats()?;
    session.end_statement();
    let actual = |plan: &PhysicalPlan| {
        let statistics = instrumentation.as_ref()?.of(plan)?;
        Some(Actual {
            startup_ms: statistics.startup.as_secs_f64() * 1000.0,
            total_ms: statistics.total.as_secs_f64() * 1000.0,
            rows: statistics.rows,
            loops: statistics.loops,
            held_bytes: statistics.held.bytes,
            held_rows: statistics.held.rows,
            bounded: statistics.held.bounded,
        })
    };
    let times_ms = options.analyze.then_some((planning_ms, execution_ms));
    let lines = explain_text(
        planned.prepared.query(),
        &options,
        &Explained { names: &names, format: &format, actual: &actual, times_ms },
    );
    let ty = if options.format_json { SqlType::JSON } else { SqlType::TEXT };
    let rows: Vec<Vec<Datum>> = match options.format_json {
        true => vec![vec![Datum::text(&lines.join("\n"))]],
        false => lines.iter().map(|line| vec![Datum::text(line)]).collect(),
    };
    Ok(Outcome::Rows(Rows::of_datums(columns(&[("QUERY PLAN", ty)]), &rows, Tag::Fixed("EXPLAIN".into()))))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Runs a plan to its end with every operator timed; its changes are staged like any statement's.
async fn run_instrumented(
    session: &mut Session,
    planned: &Arc<Planned>,
    parameters: Arc<[Datum]>,
) -> Result<Option<Arc<Instrumentation>>> {
    let instrumented = Arc::new(Prepared::instrumented(planned.prepared.query().clone())?);
    loop {
        session.begin_statement()?;
        let mut execution = session.open_prepared(&instrumented, planned, parameters.clone())?;
        let mut thrown_away: VecDeque<Batch> = VecDeque::new();
        while let Some(batch) = execution.next_batch()? {
            thrown_away.push_back(batch);
            thrown_away.clear();
        }
        let writes = execution.writes();
        let instrumentation = execution.instrumentation();
        let memory = execution.take_write_memory();
        drop(execution);
        let staged = session.open_transaction()?.txn.stage(&writes);
        session.end_statement();
        match staged {
            Staged::Done => {
                session.take_staged(&writes, memory)?;
                session.follow_up_planned(planned, &writes).await?;
                return Ok(instrumentation);
            }
            Staged::Wait(wait) => session.wait_for_lock(wait).await?,
            Staged::Stale => session.shared().cancellation.check()?,
            Staged::Failed(error) => return Err(error),
        }
    }
}

/// The statement that has the plan, with its parameters: EXECUTE and CREATE TABLE AS stand for another.
fn explained(session: &mut Session, query: &Node, arguments: &Parameters) -> Result<(Node, Parameters)> {
    match &query.node {
        Some(NodeEnum::ExecuteStmt(execute)) => session.executed(execute),
        Some(NodeEnum::CreateTableAsStmt(create)) => {
            let inner = create.query.as_deref().ok_or_else(|| Error::internal("CREATE TABLE AS without a query"))?;
            explained(session, inner, arguments)
        }
        Some(NodeEnum::DeclareCursorStmt(declare)) => {
            let inner = declare.query.as_deref().ok_or_else(|| Error::internal("DECLARE without a query"))?;
            Ok((inner.clone(), arguments.clone()))
        }
        Some(NodeEnum::SelectStmt(select)) if select.into_clause.is_some() => Ok((without_into(select), arguments.clone())),
        _ if is_planned(query) => Ok((query.clone(), arguments.clone())),
        _ => Err(Error::unsupported("EXPLAIN of a statement without a plan")),
    }
}

fn read_options(statement: &ExplainStmt) -> Result<ExplainOptions> {
    let mut options = ExplainOptions::default();
    let (mut summary, mut timing, mut wal) = (None, None, false);
    for node in &statement.options {
        let Some(NodeEnum::DefElem(option)) = &node.node else { continue };
        match option.defname.as_str() {
            "analyze" => options.analyze = option_flag(option)?,
            "verbose" => options.verbose = option_flag(option)?,
            "costs" => options.costs = option_flag(option)?,
            "summary" => summary = Some(option_flag(option)?),
            "timing" => timing = Some(option_flag(option)?),
            "wal" => wal = option_flag(option)?,
            // Nothing is read from disk or written to a log, and no setting changes plans: there are no such figures to add.
            "buffers" | "settings" => {
                option_flag(option)?;
            }
            "format" => match option.arg.as_deref().and_then(option_text).unwrap_or_default().to_ascii_lowercase().as_str() {
                "text" => options.format_json = false,
                "json" => options.format_json = true,
                other @ ("xml" | "yaml") => return Err(Error::unsupported(format!("EXPLAIN (FORMAT {other})"))),
                other => {
                    return Err(Error::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        format!("unrecognized value for EXPLAIN option \"format\": \"{other}\""),
                    ));
                }
            },
            other => {
                return Err(Error::new(SqlState::SYNTAX_ERROR, format!("unrecognized EXPLAIN option \"{other}\""))
                    .at(crate::ddl::position(option.location)));
            }
        }
    }
    if wal && !options.analyze {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "EXPLAIN option WAL requires ANALYZE"));
    }
    if timing == Some(true) && !options.analyze {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "EXPLAIN option TIMING requires ANALYZE"));
    }
    options.timing = timing.unwrap_or(true);
    options.summary = summary.unwrap_or(options.analyze);
    Ok(options)
}
