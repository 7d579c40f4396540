//! Constraint checks that wait for the end of the transaction: DEFERRABLE INITIALLY DEFERRED and SET CONSTRAINTS.

use std::{collections::HashMap, sync::Arc};

use catalog::{Constraint, type_names::Names};
use pg_query::{NodeEnum, protobuf::ConstraintsSetStmt};
use types::{Error, Oid, Result, SqlState};

use super::{Outcome, Session, referential_integrity::FollowUp, utility::command};

/// A transaction's deferred checks and what SET CONSTRAINTS has said in it.
#[derive(Clone, Default)]
pub(crate) struct DeferredConstraints {
    all: Option<bool>,
    named: HashMap<Oid, bool>,
    checks: Vec<FollowUp>,
    /// At SERIALIZABLE, keys taken away, which the commit looks at again.
    certified: Vec<FollowUp>,
}

/// What ROLLBACK TO restores.
#[derive(Clone)]
pub(crate) struct DeferredMark {
    all: Option<bool>,
    named: HashMap<Oid, bool>,
    checks: usize,
    certified: usize,
}

impl DeferredConstraints {
    pub(crate) fn mark(&self) -> DeferredMark {
        DeferredMark { all: self.all, named: self.named.clone(), checks: self.checks.len(), certified: self.certified.len() }
    }

    pub(crate) fn roll_back_to(&mut self, mark: &DeferredMark) {
        (self.all, self.named) = (mark.all, mark.named.clone());
        self.checks.truncate(mark.checks);
        self.certified.truncate(mark.certified);
    }

    fn is_deferred(&self, constraint: &Constraint) -> bool {
        let said = self.named.get(&constraint.oid).copied().or(self.all);
        constraint.deferrable && said.unwrap_or(constraint.initially_deferred)
    }
}

impl Session {
    /// Whether a constraint is checked only at the end of the transaction as things are.
    pub(crate) fn is_deferred(&self, constraint: &Constraint) -> bool {
        self.transaction.as_ref().is_some_and(|open| open.deferred.is_deferred(constraint))
    }

    pub(crate) fn defer(&mut self, check: FollowUp) -> Result<()> {
        self.open_transaction()?.deferred.checks.push(check);
        Ok(())
    }

    pub(crate) fn certify_at_commit(&mut self, check: FollowUp) -> Result<()> {
        self.open_transaction()?.deferred.certified.push(check);
        Ok(())
    }

    /// Makes the checks that the end of the transaction has come for.
    ///
    /// Errors: 23503, 23505.
    pub(crate) async fn check_deferred_constraints(&mut self) -> Result<()> {
        self.check_deferred_keys(true)?;
        let Some(open) = &mut self.transaction else { return Ok(()) };
        for check in std::mem::take(&mut open.deferred.checks) {
            if self.still_exists(&check)? {
                self.check_deferred(&check).await?;
            }
        }
        Ok(())
    }

    /// Looks again, with the rows locked for a SERIALIZABLE commit, at the keys that the transaction takes away.
    ///
    /// Errors: 40001 when somebody has come to reference one.
    pub(crate) async fn certify_references(&mut self) -> Result<()> {
        let Some(open) = &mut self.transaction else { return Ok(()) };
        for check in std::mem::take(&mut open.deferred.certified) {
            if self.still_exists(&check)? && self.is_referenced_by_newer(&check).await? {
                let message = "could not serialize access due to read/write dependencies among transactions";
                return Err(Error::new(SqlState::T_R_SERIALIZATION_FAILURE, message));
            }
        }
        Ok(())
    }

    /// The constraint may have been dropped since.
    fn still_exists(&mut self, check: &FollowUp) -> Result<bool> {
        let names = self.names()?;
        Ok(check.reference.is_in(&names.catalog))
    }

    /// SET CONSTRAINTS. IMMEDIATE makes the checks put off so far at once.
    ///
    /// Errors: 42704, 42809 for a constraint that is not deferrable, 23503.
    pub(crate) async fn set_constraints(&mut self, statement: &ConstraintsSetStmt) -> Result<Outcome> {
        let names = self.names()?;
        let mut chosen = Vec::new();
        for node in &statement.constraints {
            if let Some(NodeEnum::RangeVar(range)) = &node.node {
                chosen.extend(deferrable_constraints(&names, &range.schemaname, &range.relname)?);
            }
        }
        let deferred = &mut self.open_transaction()?.deferred;
        if statement.constraints.is_empty() {
            deferred.all = Some(statement.deferred);
            deferred.named.clear();
        } else {
            deferred.named.extend(chosen.into_iter().map(|oid| (oid, statement.deferred)));
        }
        if !statement.deferred {
            self.check_those_now_immediate().await?;
        }
        Ok(command("SET CONSTRAINTS"))
    }

    async fn check_those_now_immediate(&mut self) -> Result<()> {
        self.check_deferred_keys(false)?;
        let deferred = &self.open_transaction()?.deferred;
        let due = deferred.checks.iter().filter(|check| !deferred.is_deferred(&check.reference.constraint));
        // They stay in the list: a savepoint rolled back to may have had them, and to check twice harms nobody.
        for check in due.cloned().collect::<Vec<_>>() {
            if self.still_exists(&check)? {
                self.check_deferred(&check).await?;
            }
        }
        Ok(())
    }
}

/// The constraints that a name means: those of the first schema of the search path that has any.
fn deferrable_constraints(names: &Arc<Names>, schema: &str, name: &str) -> Result<Vec<Oid>> {
    let schemas = match schema {
        "" => names.search_path.clone(),
        schema => {
            let found = names
                .catalog
                .schema_named(schema)
                .ok_or_else(|| Error::new(SqlState::UNDEFINED_SCHEMA, format!("schema \"{schema}\" does not exist")))?;
            vec![found.oid]
        }
    };
    for schema in schemas {
        let relations = names.catalog.relations().filter(|relation| relation.schema == schema);
        let found: Vec<&Constraint> =
            relations.flat_map(|relation| relation.constraints.iter().filter(|constraint| &*constraint.name == name)).collect();
        if found.is_empty() {
            continue;
        }
        let deferrable: Vec<Oid> =
            found.iter().filter(|constraint| constraint.deferrable).map(|constraint| constraint.oid).collect();
        if deferrable.is_empty() {
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("constraint \"{name}\" is not deferrable")));
        }
        return Ok(deferrable);
    }
    Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("constraint \"{name}\" does not exist")))
}
