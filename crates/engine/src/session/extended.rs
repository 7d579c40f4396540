//! Prepared statements and portals: the extended protocol, SQL PREPARE, and embedded prepared statements.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use binder::parse::ParsedStatement;
use executor::Reservation;
use expr::Batch;
use pg_query::NodeEnum;
use plan::OutputColumn;
use types::{Datum, Error, Oid, Result, SqlState, SqlType, TimestampTz};

use super::{Outcome, Rows, Session, query::Planned, statement::Parameters};
use crate::{clock, statement_text::StatementName};

/// What a prepared statement takes, about, and for each byte of its text a tree and a plan.
const STATEMENT_BYTES: usize = 1024;
const TREE_BYTES: usize = 32;

/// A statement parsed and analysed once, run many times.
pub struct PreparedStatement {
    pub name: Arc<str>,
    pub text: Arc<str>,
    /// What statistics know it by.
    statement_name: StatementName,
    /// None for an empty query string.
    pub(crate) statement: Option<Arc<ParsedStatement>>,
    pub parameters: Vec<SqlType>,
    /// None when it returns no rows.
    pub columns: Option<Arc<[OutputColumn]>>,
    /// The plan as of preparation; made anew when the catalog has changed since.
    planned: parking_lot::Mutex<Option<Arc<Planned>>>,
    pub prepared_at: TimestampTz,
    pub from_sql: bool,
    runs: Arc<PlanUses>,
    _memory: Reservation,
}

impl PreparedStatement {
    /// 08P01 for a number of parameters that is not the statement's.
    pub fn check_parameter_count(&self, given: usize) -> Result<()> {
        if given == self.parameters.len() {
            return Ok(());
        }
        let (name, wanted) = (&self.name, self.parameters.len());
        let message = format!("bind message supplies {given} parameters, but prepared statement \"{name}\" requires {wanted}");
        Err(Error::new(SqlState::PROTOCOL_VIOLATION, message))
    }
}

/// How often a prepared statement has run, as PostgreSQL would plan it: generic without parameters and after five runs with them.
#[derive(Debug, Default)]
pub struct PlanUses {
    generic: AtomicI64,
    custom: AtomicI64,
}

/// Runs that PostgreSQL plans with the parameters' values before it compares costs.
const CUSTOM_PLANS: i64 = 5;

impl PlanUses {
    fn count(&self, has_parameters: bool) {
        let custom = has_parameters && self.custom.load(Ordering::Relaxed) < CUSTOM_PLANS;
        if custom { &self.custom } else { &self.generic }.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn generic(&self) -> i64 {
        self.generic.load(Ordering::Relaxed)
    }

    pub(crate) fn custom(&self) -> i64 {
        self.custom.load(Ordering::Relaxed)
    }
}

/// A statement with its parameters, being run.
pub struct Portal {
    pub statement: Arc<PreparedStatement>,
    parameters: Arc<[Datum]>,
    /// Result formats as the client asked: 0 text, 1 binary; none, one for all, or one a column.
    pub formats: Vec<i16>,
    state: PortalState,
    _memory: Reservation,
}

enum PortalState {
    Ready,
    /// Rows left over from the last Execute with a row limit, then the rest.
    Open {
        rows: Rows,
        pending: Option<Batch>,
    },
    Done {
        tag: String,
    },
    /// The statement did not return rows.
    Finished,
}

/// What one Execute message gave.
pub enum PortalStep {
    /// A batch of rows to send; ask again.
    Rows(Batch),
    /// The row limit was reached and there may be more.
    Suspended,
    Complete(String),
    CopyIn(Box<crate::copy::CopyIn>),
    CopyOut(Box<crate::copy::CopyOut>),
    Empty,
}

impl Session {
    /// Parses and analyses a statement (Parse). An empty name is the unnamed statement, replaced at will.
    ///
    /// Errors: 42601, 42P05 for a name in use, 42P18, and whatever binding finds.
    pub fn prepare(&mut self, name: &str, sql: &str, parameter_types: &[Oid]) -> Result<Arc<PreparedStatement>> {
        let prepared = self.prepare_statement(name, sql, parameter_types, false);
        prepared.map_err(|error| self.failed(error, sql))
    }

    fn prepare_statement(
        &mut self,
        name: &str,
        sql: &str,
        parameter_types: &[Oid],
        from_sql: bool,
    ) -> Result<Arc<PreparedStatement>> {
        self.shared.cancellation.clear();
        self.shared.statement_started(sql, clock::now());
        if !name.is_empty() && self.prepared.contains_key(name) {
            return Err(Error::new(SqlState::DUPLICATE_PSTATEMENT, format!("prepared statement \"{name}\" already exists")));
        }
        self.check_room_to_parse(sql)?;
        let statement = Session::parse_one(sql)?;
        let hints = self.parameter_hints(parameter_types)?;
        let prepared = self.analyse(name, sql.into(), statement, &hints, from_sql)?;
        self.prepared.insert(prepared.name.clone(), prepared.clone());
        if !name.is_empty() {
            self.list_prepared();
        }
        Ok(prepared)
    }

    /// The only statement of a text; None when it is empty.
    fn parse_one(sql: &str) -> Result<Option<Arc<ParsedStatement>>> {
        let mut statements = binder::parse::parse(sql)?;
        if statements.len() > 1 {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "cannot insert multiple commands into a prepared statement"));
        }
        Ok(statements.pop().map(Arc::new))
    }

    fn parameter_hints(&mut self, parameter_types: &[Oid]) -> Result<Vec<Option<SqlType>>> {
        if parameter_types.iter().all(|oid| *oid == Oid::INVALID || *oid == Oid::UNKNOWN) {
            return Ok(vec![None; parameter_types.len()]);
        }
        let names = self.names()?;
        parameter_types
            .iter()
            .map(|&oid| match oid {
                Oid::INVALID | Oid::UNKNOWN => Ok(None),
                oid => names
                    .sql_type(oid)
                    .map(Some)
                    .ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("type with OID {oid} does not exist"))),
            })
            .collect()
    }

    /// Analyses one statement: its parameters and the columns it returns.
    pub(crate) fn analyse(
        &mut self,
        name: &str,
        text: Arc<str>,
        statement: Option<Arc<ParsedStatement>>,
        hints: &[Option<SqlType>],
        from_sql: bool,
    ) -> Result<Arc<PreparedStatement>> {
        let mut memory = self.reservation();
        memory.grow(STATEMENT_BYTES + TREE_BYTES * text.len())?;
        let mut prepared = PreparedStatement {
            name: name.into(),
            statement_name: StatementName::new(&text, false),
            text: text.clone(),
            statement: None,
            parameters: hints.iter().map(|hint| hint.unwrap_or(SqlType::TEXT)).collect(),
            columns: None,
            planned: parking_lot::Mutex::new(None),
            prepared_at: clock::now(),
            from_sql,
            runs: Arc::default(),
            _memory: memory,
        };
        if let Some(statement) = statement {
            self.refuse_in_failed_block(super::statement::is_way_out(&statement.node))?;
            if super::statement::is_planned(&statement.node) {
                let planned = self.plan(&statement.node, Some(text), hints)?;
                prepared.parameters = planned.parameters.clone();
                let returns_rows = !planned.columns.is_empty() || matches!(statement.node.node, Some(NodeEnum::SelectStmt(_)));
                prepared.columns = returns_rows.then(|| planned.columns.clone());
                *prepared.planned.lock() = Some(planned);
            } else {
                if let Some(query) = super::statement::planned_within(&statement.node) {
                    prepared.parameters = self.plan(&query, None, hints)?.parameters.clone();
                }
                prepared.columns = self.utility_columns(&statement.node)?;
            }
            prepared.statement = Some(statement);
        }
        Ok(Arc::new(prepared))
    }

    /// The statement of this name.
    ///
    /// Errors: 26000.
    pub fn prepared_statement(&self, name: &str) -> Result<Arc<PreparedStatement>> {
        self.prepared.get(name).cloned().ok_or_else(|| {
            let message = match name {
                "" => "unnamed prepared statement does not exist".to_owned(),
                name => format!("prepared statement \"{name}\" does not exist"),
            };
            Error::new(SqlState::INVALID_SQL_STATEMENT_NAME, message)
        })
    }

    /// Forgets a prepared statement; none of this name is no error (Close).
    pub fn close_statement(&mut self, name: &str) {
        if self.prepared.remove(name).is_some() && !name.is_empty() {
            self.list_prepared();
        }
    }

    /// Shows the named statements in pg_prepared_statements.
    pub(crate) fn list_prepared(&self) {
        let named = self.prepared.values().filter(|statement| !statement.name.is_empty());
        let listed = named.map(|statement| crate::system_catalog::PreparedFacts {
            name: statement.name.clone(),
            statement: statement.text.clone(),
            prepared_at: statement.prepared_at,
            parameter_types: statement.parameters.iter().map(|ty| ty.oid).collect(),
            from_sql: statement.from_sql,
            plans: statement.runs.clone(),
        });
        self.shared.listed.lock().prepared = listed.collect();
    }

    /// Makes a portal (Bind). Parameters are values already, of the statement's types.
    ///
    /// Errors: 26000, 08P01 for a wrong number of parameters, 42P03 for a portal name in use.
    pub fn bind(&mut self, portal: &str, statement: &str, parameters: Vec<Datum>, formats: Vec<i16>) -> Result<()> {
        let statement = self.prepared_statement(statement)?;
        statement.check_parameter_count(parameters.len())?;
        if let Some(parsed) = &statement.statement {
            self.refuse_in_failed_block(super::statement::is_way_out(&parsed.node))?;
        }
        if !portal.is_empty() && self.portals.contains_key(portal) {
            return Err(Error::new(SqlState::DUPLICATE_CURSOR, format!("cursor \"{portal}\" already exists")));
        }
        let mut memory = self.reservation();
        let values = parameters.iter().map(|value| size_of::<Datum>() + value.heap_size()).sum::<usize>();
        memory.grow(size_of::<Portal>() + values)?;
        let opened = Portal { statement, parameters: parameters.into(), formats, state: PortalState::Ready, _memory: memory };
        self.portals.insert(portal.into(), opened);
        Ok(())
    }

    /// The portal of this name.
    ///
    /// Errors: 34000.
    pub fn portal(&self, name: &str) -> Result<&Portal> {
        self.portals.get(name).ok_or_else(|| undefined_portal(name))
    }

    pub fn close_portal(&mut self, name: &str) {
        self.portals.remove(name);
    }

    /// Runs a portal on, giving at most `limit` rows (0: all) since the last [`PortalStep::Suspended`]; `given` is how many of them the
    /// caller has had already. To be called until it answers something other than rows.
    pub async fn execute_portal(&mut self, name: &str, limit: usize, given: usize) -> Result<PortalStep> {
        let mut portal = self.portals.remove(name).ok_or_else(|| undefined_portal(name))?;
        let text = portal.statement.text.clone();
        let step = self.step_portal(&mut portal, limit, given).await;
        match step {
            Ok(step) => {
                if matches!(step, PortalStep::Complete(_)) {
                    self.statement_done();
                }
                if !matches!(portal.state, PortalState::Finished) || !name.is_empty() {
                    self.portals.insert(name.into(), portal);
                }
                Ok(step)
            }
            Err(error) => Err(self.failed(error, &text)),
        }
    }

    async fn step_portal(&mut self, portal: &mut Portal, limit: usize, given: usize) -> Result<PortalStep> {
        if matches!(portal.state, PortalState::Ready) {
            self.shared.cancellation.clear();
            self.shared.statement_started(&portal.statement.text, clock::now());
            self.note_statement(&portal.statement.statement_name);
            let outcome = self.run_prepared(&portal.statement, portal.parameters.clone()).await?;
            self.note_outcome(&outcome);
            match outcome {
                Outcome::Rows(rows) => portal.state = PortalState::Open { rows, pending: None },
                other => {
                    portal.state = PortalState::Finished;
                    return Ok(match other {
                        Outcome::Command(tag) => PortalStep::Complete(tag),
                        Outcome::CopyIn(copy) => PortalStep::CopyIn(copy),
                        Outcome::CopyOut(copy) => PortalStep::CopyOut(copy),
                        Outcome::Empty | Outcome::Rows(_) => PortalStep::Empty,
                    });
                }
            }
        }
        match &mut portal.state {
            PortalState::Open { rows, pending } => {
                let room = if limit == 0 { usize::MAX } else { limit - given };
                if room == 0 {
                    // The client's time is not the statement's.
                    rows.deadline = None;
                    return Ok(PortalStep::Suspended);
                }
                let batch = match pending.take() {
                    Some(batch) => Some(batch),
                    None => self.next_batch(rows)?,
                };
                let Some(batch) = batch else {
                    let tag = rows.tag();
                    portal.state = PortalState::Done { tag: tag.clone() };
                    return Ok(PortalStep::Complete(tag));
                };
                if batch.len > room {
                    let positions: Vec<u32> = (0..batch.len as u32).collect();
                    let (now, later) = positions.split_at(room);
                    *pending = Some(batch.take(later));
                    return Ok(PortalStep::Rows(batch.take(now)));
                }
                Ok(PortalStep::Rows(batch))
            }
            PortalState::Done { tag } => Ok(PortalStep::Complete(empty_tag(tag))),
            PortalState::Finished => Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "portal cannot be run anymore")),
            PortalState::Ready => Err(Error::internal("a portal neither ready nor run")),
        }
    }

    /// Runs a prepared statement with its plan, made anew if the catalog or the search path has changed.
    pub(crate) async fn run_prepared(&mut self, statement: &Arc<PreparedStatement>, parameters: Arc<[Datum]>) -> Result<Outcome> {
        let Some(parsed) = &statement.statement else { return Ok(Outcome::Empty) };
        self.refuse_in_failed_block(super::statement::is_way_out(&parsed.node))?;
        if !super::statement::is_planned(&parsed.node) {
            let _deadline = self.start_statement_deadline();
            let arguments = Parameters { values: parameters, types: statement.parameters.to_vec() };
            return self.execute_utility(&parsed.node, &statement.text, &arguments).await;
        }
        let deadline = self.start_statement_deadline();
        let hints: Vec<Option<SqlType>> = statement.parameters.iter().copied().map(Some).collect();
        self.await_snapshot().await?;
        let planned = loop {
            let planned = self.current_plan(statement, parsed, &hints)?;
            if !self.lock_plan(&planned).await? {
                break planned;
            }
        };
        statement.runs.count(!parameters.is_empty());
        Ok(self.run_planned(&planned, parameters).await?.until(deadline))
    }

    /// A prepared statement's plan under the newest catalog.
    ///
    /// Errors: 0A000 when its result has other columns than announced.
    fn current_plan(
        &mut self,
        statement: &PreparedStatement,
        parsed: &ParsedStatement,
        hints: &[Option<SqlType>],
    ) -> Result<Arc<super::query::Planned>> {
        self.begin_statement()?;
        let names = super::environment::names(self)?;
        let kept = statement.planned.lock().clone();
        Ok(match kept.filter(|plan| plan.is_valid_for(&names) && self.still_fits(plan)) {
            Some(plan) => plan,
            None => {
                let plan = self.plan(&parsed.node, Some(statement.text.clone()), hints)?;
                if let Some(columns) = &statement.columns
                    && !same_shape(columns, &plan.columns)
                {
                    let error = Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type");
                    // Drivers that keep statements prepare them anew when they see this.
                    return Err(error.routine("RevalidateCachedQuery"));
                }
                *statement.planned.lock() = Some(plan.clone());
                plan
            }
        })
    }

    /// The end of a pipeline (Sync): commits the implicit transaction.
    ///
    /// Errors: those of COMMIT.
    pub async fn sync(&mut self) -> Result<()> {
        let ended = self.end_implicit_transaction().await;
        if let Err(error) = &ended {
            self.note_error(error);
        }
        self.in_script = false;
        self.note_idle();
        ended
    }

    /// Portals end with their transaction.
    pub(crate) fn close_transaction_portals(&mut self) {
        self.portals.clear();
        self.close_transaction_cursors();
    }

    /// After ROLLBACK TO: what was opened since has gone. All portals are closed, which PostgreSQL does for those of the subtransaction.
    pub(crate) fn close_failed_portals(&mut self) {
        self.portals.clear();
    }

    pub(crate) fn prepare_from_sql(
        &mut self,
        name: &str,
        statement: ParsedStatement,
        text: Arc<str>,
        hints: &[Option<SqlType>],
    ) -> Result<()> {
        if self.prepared.contains_key(name) {
            return Err(Error::new(SqlState::DUPLICATE_PSTATEMENT, format!("prepared statement \"{name}\" already exists")));
        }
        let prepared = self.analyse(name, text, Some(Arc::new(statement)), hints, true)?;
        self.prepared.insert(prepared.name.clone(), prepared);
        self.list_prepared();
        Ok(())
    }
}

/// PostgreSQL counts nothing when a finished portal is run again.
fn empty_tag(tag: &str) -> String {
    match tag.rsplit_once(' ') {
        Some((word, _)) => format!("{word} 0"),
        None => tag.to_owned(),
    }
}

fn same_shape(left: &[OutputColumn], right: &[OutputColumn]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| left.ty.oid == right.ty.oid && left.name == right.name)
}

fn undefined_portal(name: &str) -> Error {
    Error::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}
