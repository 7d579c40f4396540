//! SQL cursors: DECLARE, FETCH, MOVE, CLOSE.
//!
//! A cursor's rows come from an immutable view, so a scrollable cursor simply keeps those it has passed.

use std::{collections::HashMap, sync::Arc};

use executor::{Reservation, batch_size};
use pg_query::{
    NodeEnum,
    protobuf::{DeclareCursorStmt, FetchDirection, FetchStmt, LockClauseStrength, Node},
};
use plan::OutputColumn;
use types::{Datum, Error, Result, SqlState, TimestampTz};

use super::{Outcome, Rows, Session, extended::PortalStep, outcome::Tag, statement::Parameters, utility::command};
use crate::clock;

/// An open cursor.
pub(crate) struct Cursor {
    pub statement: Arc<str>,
    pub is_holdable: bool,
    pub is_scrollable: bool,
    pub is_binary: bool,
    pub created: TimestampTz,
    rows: Rows,
    /// Rows read so far; all of them once `complete`.
    passed: Vec<Vec<Datum>>,
    complete: bool,
    memory: Reservation,
    /// 0: before the first row; n: on the n-th; passed.len() + 1: after the last.
    position: usize,
}

/// Cursors of a session, by name.
pub(crate) type Cursors = HashMap<String, Cursor>;

/// PostgreSQL's CURSOR_OPT bits.
const OPTION_BINARY: i32 = 0x0001;
const OPTION_SCROLL: i32 = 0x0002;
const OPTION_NO_SCROLL: i32 = 0x0004;
const OPTION_INSENSITIVE: i32 = 0x0008;
const OPTION_HOLD: i32 = 0x0020;

/// A query that locks rows locks them as they are fetched, for its transaction, and forwards only.
///
/// Errors: 0A000, 42P11.
fn refuse_locking(statement: &DeclareCursorStmt, query: &Node) -> Result<()> {
    let Some(NodeEnum::SelectStmt(select)) = &query.node else { return Ok(()) };
    let Some(NodeEnum::LockingClause(clause)) = select.locking_clause.first().and_then(|clause| clause.node.as_ref()) else {
        return Ok(());
    };
    let strength = match clause.strength() {
        LockClauseStrength::LcsForkeyshare => "FOR KEY SHARE",
        LockClauseStrength::LcsForshare => "FOR SHARE",
        LockClauseStrength::LcsFornokeyupdate => "FOR NO KEY UPDATE",
        _ => "FOR UPDATE",
    };
    let refused = |sqlstate, what: &str, how: &str, kind: &str| {
        let message = format!("DECLARE {what} ... {strength} is not {how}");
        Err(Error::new(sqlstate, message).detail(format!("{kind} cursors must be READ ONLY.")))
    };
    match statement.options {
        options if options & OPTION_HOLD != 0 => {
            refused(SqlState::FEATURE_NOT_SUPPORTED, "CURSOR WITH HOLD", "supported", "Holdable")
        }
        options if options & OPTION_SCROLL != 0 => {
            refused(SqlState::FEATURE_NOT_SUPPORTED, "SCROLL CURSOR", "supported", "Scrollable")
        }
        options if options & OPTION_INSENSITIVE != 0 => {
            refused(SqlState::INVALID_CURSOR_DEFINITION, "INSENSITIVE CURSOR", "valid", "Insensitive")
        }
        _ => Ok(()),
    }
}

impl Session {
    pub(crate) async fn execute_declare(&mut self, statement: &DeclareCursorStmt, arguments: &Parameters) -> Result<Outcome> {
        let query = statement.query.as_deref().ok_or_else(|| Error::internal("DECLARE without a query"))?;
        refuse_locking(statement, query)?;
        let is_holdable = statement.options & OPTION_HOLD != 0;
        if !is_holdable {
            self.require_block("DECLARE CURSOR")?;
        }
        if self.cursors.contains_key(&statement.portalname) {
            return Err(Error::new(SqlState::DUPLICATE_CURSOR, format!("cursor \"{}\" already exists", statement.portalname)));
        }
        self.await_snapshot().await?;
        let planned = loop {
            self.begin_statement()?;
            let planned = self.plan(query, None, &arguments.hints())?;
            if !self.lock_plan(&planned).await? {
                break planned;
            }
        };
        let Outcome::Rows(rows) = self.run_planned(&planned, arguments.values.clone()).await? else {
            return Err(Error::new(SqlState::INVALID_CURSOR_DEFINITION, "DECLARE CURSOR must be of a query"));
        };
        let mut cursor = Cursor {
            statement: self.shared.activity().query,
            is_holdable,
            is_binary: statement.options & OPTION_BINARY != 0,
            is_scrollable: statement.options & OPTION_SCROLL != 0 || statement.options & OPTION_NO_SCROLL == 0,
            created: clock::now(),
            rows,
            passed: Vec::new(),
            complete: false,
            memory: self.reservation(),
            position: 0,
        };
        if is_holdable {
            // Read to the end now, while its transaction lasts.
            cursor.read_until(self, usize::MAX)?;
        }
        self.cursors.insert(statement.portalname.clone(), cursor);
        self.list_cursors();
        Ok(command("DECLARE CURSOR"))
    }

    /// The columns of the SQL cursor of this name, which Describe takes for a portal's.
    pub fn cursor_columns(&self, name: &str) -> Option<Arc<[OutputColumn]>> {
        self.cursors.get(name).map(|cursor| cursor.rows.columns.clone())
    }

    pub(crate) async fn execute_fetch(&mut self, statement: &FetchStmt) -> Result<Outcome> {
        if !self.cursors.contains_key(&statement.portalname) && self.portals.contains_key(&*statement.portalname) {
            let (columns, rows) = Box::pin(self.fetch_from_portal(statement)).await?;
            return Ok(fetched(statement, columns, &rows, false));
        }
        let mut cursor = self.cursors.remove(&statement.portalname).ok_or_else(|| undefined(&statement.portalname))?;
        let rows = cursor.fetch(self, statement.direction(), statement.how_many);
        let (columns, is_binary) = (cursor.rows.columns.clone(), cursor.is_binary);
        self.cursors.insert(statement.portalname.clone(), cursor);
        Ok(fetched(statement, columns, &rows?, is_binary))
    }

    /// FETCH and MOVE of a portal that the client has bound: cursors and portals have their names in common.
    ///
    /// Errors: 55000 backwards; 34000 for the portal of a statement without rows.
    async fn fetch_from_portal(&mut self, statement: &FetchStmt) -> Result<(Arc<[OutputColumn]>, Vec<Vec<Datum>>)> {
        let name = &*statement.portalname;
        let wanted = match (statement.direction(), usize::try_from(statement.how_many)) {
            (FetchDirection::FetchForward, Ok(wanted)) => wanted,
            _ => return Err(forward_only()),
        };
        let columns = self.portal(name)?.statement.columns.clone().ok_or_else(|| undefined(name))?;
        let mut rows = Vec::new();
        while rows.len() < wanted
            && let PortalStep::Rows(batch) = self.execute_portal(name, wanted, rows.len()).await?
        {
            rows.extend((0..batch.len).map(|row| batch.row(row)));
        }
        Ok((columns, rows))
    }

    pub(crate) fn execute_close(&mut self, name: &str) -> Result<Outcome> {
        if name.is_empty() {
            self.close_all_cursors();
            return Ok(command("CLOSE CURSOR ALL"));
        }
        if self.cursors.remove(name).is_none() && self.portals.remove(name).is_none() {
            return Err(undefined(name));
        }
        self.list_cursors();
        Ok(command("CLOSE CURSOR"))
    }

    pub(crate) fn close_all_cursors(&mut self) {
        self.cursors.clear();
        self.list_cursors();
    }

    /// Shows the open cursors in pg_cursors.
    fn list_cursors(&self) {
        let listed = self.cursors.iter().map(|(name, cursor)| crate::system_catalog::CursorFacts {
            name: name.as_str().into(),
            statement: cursor.statement.clone(),
            holdable: cursor.is_holdable,
            binary: cursor.is_binary,
            scrollable: cursor.is_scrollable,
            created_at: cursor.created,
        });
        self.shared.listed.lock().cursors = listed.collect();
    }

    /// Cursors WITHOUT HOLD end with their transaction.
    pub(crate) fn close_transaction_cursors(&mut self) {
        if !self.cursors.is_empty() {
            self.cursors.retain(|_, cursor| cursor.is_holdable);
            self.list_cursors();
        }
    }
}

impl Cursor {
    /// Reads on until this many rows have been passed, or all.
    fn read_until(&mut self, session: &mut Session, count: usize) -> Result<()> {
        while !self.complete && self.passed.len() < count {
            match session.next_batch(&mut self.rows)? {
                Some(batch) => {
                    self.memory.grow(batch_size(&batch) + batch.len * (24 + size_of::<Datum>() * batch.columns.len()))?;
                    self.passed.extend((0..batch.len).map(|row| batch.row(row)));
                }
                None => self.complete = true,
            }
        }
        Ok(())
    }

    /// FETCH in any direction; PostgreSQL's FETCH_ALL is the largest count.
    fn fetch(&mut self, session: &mut Session, direction: FetchDirection, how_many: i64) -> Result<Vec<Vec<Datum>>> {
        match direction {
            FetchDirection::FetchForward if how_many >= 0 => self.forward(session, how_many as u64),
            FetchDirection::FetchForward => self.backward(session, how_many.unsigned_abs()),
            FetchDirection::FetchBackward if how_many >= 0 => self.backward(session, how_many as u64),
            FetchDirection::FetchBackward => self.forward(session, how_many.unsigned_abs()),
            FetchDirection::FetchAbsolute => {
                let target = if how_many >= 0 {
                    usize::try_from(how_many).unwrap_or(usize::MAX)
                } else {
                    self.read_until(session, usize::MAX)?;
                    (self.passed.len() + 1).saturating_sub(how_many.unsigned_abs() as usize)
                };
                self.go_to(session, target)
            }
            FetchDirection::FetchRelative => {
                let target = (self.position as i64).saturating_add(how_many).max(0);
                self.go_to(session, usize::try_from(target).unwrap_or(usize::MAX))
            }
            FetchDirection::Undefined => Err(Error::internal("FETCH without a direction")),
        }
    }

    fn forward(&mut self, session: &mut Session, count: u64) -> Result<Vec<Vec<Datum>>> {
        if count == 0 {
            return self.go_to(session, self.position);
        }
        let wanted = self.position.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
        self.read_until(session, wanted)?;
        let start = self.position.min(self.passed.len());
        let end = wanted.min(self.passed.len());
        let rows = self.passed[start..end].to_vec();
        self.position = if wanted > self.passed.len() { self.passed.len() + 1 } else { wanted };
        Ok(rows)
    }

    fn backward(&mut self, session: &mut Session, count: u64) -> Result<Vec<Vec<Datum>>> {
        self.require_scroll()?;
        if count == 0 {
            return self.go_to(session, self.position);
        }
        let end = self.position.saturating_sub(1).min(self.passed.len());
        let start = end.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
        let rows: Vec<Vec<Datum>> = self.passed[start..end].iter().rev().cloned().collect();
        self.position = if (rows.len() as u64) < count { 0 } else { start + 1 };
        Ok(rows)
    }

    fn go_to(&mut self, session: &mut Session, target: usize) -> Result<Vec<Vec<Datum>>> {
        if target < self.position {
            self.require_scroll()?;
        }
        self.read_until(session, target)?;
        self.position = target.min(self.passed.len() + 1);
        Ok(match self.position {
            0 => Vec::new(),
            position => self.passed.get(position - 1).cloned().into_iter().collect(),
        })
    }

    fn require_scroll(&self) -> Result<()> {
        if self.is_scrollable {
            return Ok(());
        }
        Err(forward_only())
    }
}

/// What FETCH or MOVE gives the client.
fn fetched(statement: &FetchStmt, columns: Arc<[OutputColumn]>, rows: &[Vec<Datum>], is_binary: bool) -> Outcome {
    if statement.ismove {
        return Outcome::Command(format!("MOVE {}", rows.len()));
    }
    Outcome::Rows(Rows { is_binary, ..Rows::of_datums(columns, rows, Tag::Counted("FETCH")) })
}

fn forward_only() -> Error {
    Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
        .hint("Declare it with SCROLL option to enable backward scan.")
}

fn undefined(name: &str) -> Error {
    Error::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}
