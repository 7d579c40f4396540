//! Which path a statement takes: planned (queries and data changes) or utility (everything else).

use std::{borrow::Cow, sync::Arc, time::Duration};

use binder::parse::ParsedStatement;
use expr::context::CancelReason;
use pg_query::{
    NodeEnum,
    protobuf::{Node, SelectStmt, TransactionStmtKind},
};
use types::{Datum, Result, SqlType};

use super::{Outcome, Session};
use crate::timer::Deadline;

/// Whether the statement is one that gets a plan.
pub(crate) fn is_planned(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::SelectStmt(select)) => select.into_clause.is_none(),
        Some(NodeEnum::InsertStmt(_) | NodeEnum::UpdateStmt(_) | NodeEnum::DeleteStmt(_) | NodeEnum::MergeStmt(_)) => true,
        _ => false,
    }
}

/// The planned statement within EXPLAIN, DECLARE, CREATE TABLE AS or SELECT INTO, whose parameters are theirs.
pub(crate) fn planned_within(node: &Node) -> Option<Cow<'_, Node>> {
    let query = match &node.node {
        Some(NodeEnum::ExplainStmt(explain)) => explain.query.as_deref()?,
        Some(NodeEnum::DeclareCursorStmt(declare)) => declare.query.as_deref()?,
        Some(NodeEnum::CreateTableAsStmt(create)) => create.query.as_deref()?,
        Some(NodeEnum::SelectStmt(select)) if select.into_clause.is_some() => return Some(Cow::Owned(without_into(select))),
        _ => return None,
    };
    if is_planned(query) { Some(Cow::Borrowed(query)) } else { planned_within(query) }
}

/// The query of SELECT ... INTO.
pub(crate) fn without_into(select: &SelectStmt) -> Node {
    let query = SelectStmt { into_clause: None, ..select.clone() };
    Node { node: Some(NodeEnum::SelectStmt(Box::new(query))) }
}

/// What a statement's parameters are.
#[derive(Clone, Default)]
pub(crate) struct Parameters {
    pub values: Arc<[Datum]>,
    /// As announced when the statement was prepared; empty for those that its text decides.
    pub types: Vec<SqlType>,
}

impl Parameters {
    pub(crate) fn untyped(values: Arc<[Datum]>) -> Parameters {
        Parameters { values, types: Vec::new() }
    }

    pub(crate) fn hints(&self) -> Vec<Option<SqlType>> {
        self.types.iter().copied().map(Some).collect()
    }
}

/// Whether the statement may run in a failed block.
pub(crate) fn is_way_out(node: &Node) -> bool {
    matches!(
        &node.node,
        Some(NodeEnum::TransactionStmt(statement)) if matches!(
            statement.kind(),
            TransactionStmtKind::TransStmtCommit | TransactionStmtKind::TransStmtRollback | TransactionStmtKind::TransStmtRollbackTo
                | TransactionStmtKind::TransStmtPrepare
        )
    )
}

impl Session {
    /// Runs one statement of a query text. Its implicit transaction stays open until [`Session::finish_statement`], because its rows
    /// are yet to be pulled.
    pub async fn execute(&mut self, sql: &str, statement: &ParsedStatement, parameters: Arc<[Datum]>) -> Result<Outcome> {
        let end = statement.location.saturating_add(statement.length);
        self.note_statement_text(sql.get(statement.location..end).unwrap_or(sql));
        let outcome = self.execute_node(&statement.node, sql, parameters).await.inspect(|outcome| self.note_outcome(outcome));
        outcome.map_err(|error| self.failed(error, sql))
    }

    pub(crate) async fn execute_node(&mut self, node: &Node, sql: &str, parameters: Arc<[Datum]>) -> Result<Outcome> {
        self.refuse_in_failed_block(is_way_out(node))?;
        if !is_planned(node) {
            let _deadline = self.start_statement_deadline();
            return self.execute_utility(node, sql, &Parameters::untyped(parameters)).await;
        }
        let deadline = self.start_statement_deadline();
        self.await_snapshot().await?;
        let planned = loop {
            self.begin_statement()?;
            let planned = self.plan(node, None, &[])?;
            if !self.lock_plan(&planned).await? {
                break planned;
            }
        };
        Ok(self.run_planned(&planned, parameters).await?.until(deadline))
    }

    /// Ends a statement whose result has been consumed; after the `last` one of a query text, an implicit transaction commits.
    ///
    /// Errors: those of COMMIT.
    pub async fn finish_statement(&mut self, last: bool) -> Result<()> {
        if last {
            return self.finish_script().await;
        }
        self.statement_done();
        Ok(())
    }

    /// Ends a query text, also after an error.
    pub async fn finish_script(&mut self) -> Result<()> {
        let ended = self.end_implicit_transaction().await;
        match &ended {
            Ok(()) => self.statement_done(),
            Err(error) => self.note_error(error),
        }
        self.in_script = false;
        self.note_idle();
        ended
    }

    /// Arms statement_timeout for the statement that runs while the guard lives.
    pub(crate) fn start_statement_deadline(&self) -> Option<Deadline> {
        let timeout_ms = self.shared.settings.lock().every_statement().statement_timeout_ms;
        if let Some(left) = self.transaction_time_left()
            && (timeout_ms == 0 || left < Duration::from_millis(timeout_ms))
        {
            let shared = self.shared.clone();
            return Some(self.cluster.timer.after(left, move || shared.cancel(CancelReason::TransactionTimeout)));
        }
        (timeout_ms > 0).then(|| {
            let shared = self.shared.clone();
            self.cluster.timer.after(Duration::from_millis(timeout_ms), move || shared.cancel(CancelReason::StatementTimeout))
        })
    }
}
