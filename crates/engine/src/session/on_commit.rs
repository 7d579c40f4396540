//! ON COMMIT of temporary tables: what becomes of their rows, or of themselves, when a transaction commits.
//!
//! The session remembers it, as PostgreSQL does, and not the catalog: nobody else sees the tables.

use std::sync::Arc;

use catalog::{Object, Relation};
use pg_query::protobuf::{OnCommitAction, RangeVar};
use types::{Error, Oid, Result, SqlState};

use super::Session;

/// A temporary table's end of transaction; PRESERVE ROWS needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnCommit {
    DeleteRows,
    Drop,
}

/// What a definition says of its table, which must be temporary to say anything.
///
/// Errors: 42P16.
pub(crate) fn written_action(action: i32, table: &RangeVar) -> Result<Option<OnCommit>> {
    let action = OnCommitAction::try_from(action).unwrap_or(OnCommitAction::Undefined);
    let is_written = !matches!(action, OnCommitAction::OncommitNoop | OnCommitAction::Undefined);
    if is_written && table.relpersistence != "t" {
        let message = "ON COMMIT can only be used on temporary tables";
        return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    Ok(match action {
        OnCommitAction::OncommitDeleteRows => Some(OnCommit::DeleteRows),
        OnCommitAction::OncommitDrop => Some(OnCommit::Drop),
        _ => None,
    })
}

impl Session {
    pub(crate) fn remember_on_commit(&mut self, table: Oid, action: Option<OnCommit>) {
        self.on_commit.extend(action.map(|action| (table, action)));
    }

    /// Empties and drops the temporary tables that say so: the last thing that a transaction does.
    ///
    /// Errors: 0A000 for a table that is to be emptied while one that is not references it.
    pub(crate) fn run_on_commit_actions(&mut self) -> Result<()> {
        if self.on_commit.is_empty() || self.transaction.is_none() {
            return Ok(());
        }
        let names = self.names()?;
        let of = |action: OnCommit| {
            let chosen = self.on_commit.iter().filter(move |(_, found)| *found == action);
            chosen.filter_map(|(oid, _)| names.catalog.relation(*oid).cloned()).collect::<Vec<Arc<Relation>>>()
        };
        let (emptied, dropped) = (of(OnCommit::DeleteRows), of(OnCommit::Drop));
        for table in &emptied {
            let kept = |other: &&Arc<Relation>| !emptied.iter().any(|table| table.oid == other.oid);
            if let Some(other) = names.catalog.relations_referencing(table.oid).find(kept) {
                let detail = format!(
                    "Table \"{}\" references \"{}\", but they do not have the same ON COMMIT setting.",
                    other.name, table.name
                );
                let message = "unsupported ON COMMIT and foreign key combination";
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).detail(detail));
            }
        }
        let mut filled = Vec::new();
        for table in emptied {
            let Some(storage) = table.storage() else { continue };
            if !self.open_transaction()?.txn.newest_table(storage)?.rows.is_empty() {
                filled.push(table);
            }
        }
        if !filled.is_empty() {
            self.empty_tables(&filled)?;
        }
        let dropped: Vec<Object> = dropped.iter().map(|table| Object::Relation(table.oid)).collect();
        if dropped.is_empty() { Ok(()) } else { self.remove_quietly(&dropped) }
    }

    /// Forgets tables that the committed content does not have.
    pub(crate) fn forget_ended_tables(&mut self) {
        if !self.on_commit.is_empty() {
            let catalog = self.database.store.catalog();
            self.on_commit.retain(|(oid, _)| catalog.relation(*oid).is_some());
        }
    }
}
