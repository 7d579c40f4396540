//! FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE, FOR KEY SHARE.

use std::sync::Arc;

use catalog::Relation;
use expr::{ColumnId, Expr};
use pg_query::protobuf::{LockClauseStrength, LockWaitPolicy as AstPolicy, LockingClause, Node, SelectStmt, node::Node as Ast};
use plan::logical::{Computed, JoinKind, LockStrength, LockWaitPolicy, LogicalPlan, RowLock};
use types::{Error, Result, SqlState, SqlType};

use crate::{
    ast,
    distinct::Distinct,
    group_by::Grouping,
    range_table::{EntrySource, NamespaceItem},
    state::Binder,
};

/// The row locks of a SELECT.
#[derive(Debug, Default)]
pub(crate) struct Locks(Vec<RowLock>);

impl Locks {
    pub(crate) fn rows(&self) -> &[RowLock] {
        &self.0
    }

    pub(crate) fn over(self, input: LogicalPlan) -> LogicalPlan {
        if self.0.is_empty() { input } else { LogicalPlan::LockRows { input: Box::new(input), locks: self.0 } }
    }
}

/// The clause as messages name it.
fn clause_name(clause: &LockingClause) -> &'static str {
    match clause.strength() {
        LockClauseStrength::LcsForkeyshare => "FOR KEY SHARE",
        LockClauseStrength::LcsForshare => "FOR SHARE",
        LockClauseStrength::LcsFornokeyupdate => "FOR NO KEY UPDATE",
        _ => "FOR UPDATE",
    }
}

fn locking_clause(node: &Node) -> Result<&LockingClause> {
    match ast::content(node)? {
        Ast::LockingClause(clause) => Ok(clause),
        _ => Err(Error::internal("a locking list holds locking clauses")),
    }
}

impl Binder<'_> {
    pub(crate) fn locking_refusal(&self, node: &Node, with: &str) -> Error {
        let name = locking_clause(node).map_or("FOR UPDATE", clause_name);
        Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{name} is not allowed with {with}"))
    }

    /// Binds the locking clauses, after everything that could forbid them.
    pub(crate) fn bind_locking(&mut self, select: &SelectStmt, grouping: &Grouping, distinct: &Distinct) -> Result<Locks> {
        let mut locks = Locks::default();
        for node in &select.locking_clause {
            let clause = locking_clause(node)?;
            let level = self.level();
            let obstacle = if !select.values_lists.is_empty() {
                return Err(Error::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!("{} cannot be applied to VALUES", clause_name(clause)),
                ));
            } else if !matches!(distinct, Distinct::None) {
                "DISTINCT clause"
            } else if grouping.present {
                "GROUP BY clause"
            } else if ast::present(&select.having_clause).is_some() {
                "HAVING clause"
            } else if !level.aggregates.is_empty() {
                "aggregate functions"
            } else if !level.windows.is_empty() {
                "window functions"
            } else if !level.sets.is_empty() {
                "set-returning functions in the target list"
            } else {
                self.bind_locking_clause(clause, &mut locks)?;
                continue;
            };
            return Err(self.locking_refusal(node, obstacle));
        }
        Ok(locks)
    }

    fn bind_locking_clause(&mut self, clause: &LockingClause, locks: &mut Locks) -> Result<()> {
        if clause.locked_rels.is_empty() {
            for entry in 0..self.level().entries.len() {
                match self.level().entries[entry].source {
                    EntrySource::Table(_) => self.lock_entry(clause, entry, locks)?,
                    EntrySource::Plan(Some(_)) => self.lock_subquery(clause, entry, locks)?,
                    _ => {}
                }
            }
            return Ok(());
        }
        for node in &clause.locked_rels {
            let Ast::RangeVar(range) = ast::content(node)? else { return Err(Error::internal("OF holds table names")) };
            let position = ast::position(range.location);
            let name = clause_name(clause);
            if !range.schemaname.is_empty() || !range.catalogname.is_empty() {
                let message = format!("{name} must specify unqualified relation names");
                return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(position));
            }
            let level = self.level();
            let named = |item: &&NamespaceItem| item.relation_visible && *level.entries[item.entry].alias == *range.relname;
            let Some(entry) = level.namespace.iter().find(named).map(|item| item.entry) else {
                let message = format!("relation \"{}\" in {name} clause not found in FROM clause", range.relname);
                return Err(Error::new(SqlState::UNDEFINED_TABLE, message).at(position));
            };
            let refuse = |what: &str| {
                Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{name} cannot be applied to {what}")).at(position))
            };
            match &self.level().entries[entry].source {
                EntrySource::Table(_) => self.lock_entry(clause, entry, locks)?,
                EntrySource::System(_) => {}
                EntrySource::Join => return refuse("a join"),
                EntrySource::Plan(Some(plan)) => match **plan {
                    LogicalPlan::FunctionScan(_) => return refuse("a function"),
                    LogicalPlan::CteScan { .. } | LogicalPlan::WorkTable { .. } => return refuse("a WITH query"),
                    LogicalPlan::Values { .. } => return refuse("VALUES"),
                    _ => self.lock_subquery(clause, entry, locks)?,
                },
                EntrySource::Plan(None) | EntrySource::Names => {}
            }
        }
        Ok(())
    }

    fn lock_entry(&mut self, clause: &LockingClause, entry: usize, locks: &mut Locks) -> Result<()> {
        let level = self.levels.len() - 1;
        let row_id = self.row_identity(level, entry);
        let range = &self.level().entries[entry];
        if range.nullable {
            let message = format!("{} cannot be applied to the nullable side of an outer join", clause_name(clause));
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let EntrySource::Table(relation) = &range.source else { return Ok(()) };
        if matches!(relation.kind, catalog::RelationKind::MaterializedView { .. }) {
            let message = format!("cannot lock rows in materialized view \"{}\"", relation.name);
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        let relation = relation.clone();
        self.level_mut().shape.locks.push((entry, strength(clause), wait_policy(clause)));
        self.require(relation.oid, catalog::Privileges::UPDATE);
        add_lock(clause, relation, row_id, locks);
        Ok(())
    }

    /// Locks the rows of the tables that a subquery or view reads.
    fn lock_subquery(&mut self, clause: &LockingClause, entry: usize, locks: &mut Locks) -> Result<()> {
        let name = clause_name(clause);
        if self.level().entries[entry].nullable {
            let message = format!("{name} cannot be applied to the nullable side of an outer join");
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let EntrySource::Plan(plan) = &mut self.level_mut().entries[entry].source else { return Ok(()) };
        let Some(mut taken) = plan.take() else { return Ok(()) };
        if let Some((_, view)) = self.level().entries[entry].relation {
            self.require(view, catalog::Privileges::UPDATE);
        }
        self.level_mut().shape.locks.push((entry, strength(clause), wait_policy(clause)));
        let mut rows = Vec::new();
        let exposed = self.expose_rows(&mut taken, name, &mut rows);
        self.level_mut().entries[entry].source = EntrySource::Plan(Some(taken));
        exposed?;
        for (relation, row_id) in rows {
            add_lock(clause, relation, row_id, locks);
        }
        Ok(())
    }

    /// Lets the row identities of a plan's tables through to its top.
    fn expose_rows(&mut self, plan: &mut LogicalPlan, name: &str, rows: &mut Vec<(Arc<Relation>, ColumnId)>) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{name} is not allowed with {what}")));
        match plan {
            LogicalPlan::Scan(scan) => {
                let id = match scan.row_id {
                    Some(id) => id,
                    None => self.new_column(),
                };
                scan.row_id = Some(id);
                rows.push((scan.relation.clone(), id));
                Ok(())
            }
            LogicalPlan::Project { input, columns } => {
                let before = rows.len();
                self.expose_rows(input, name, rows)?;
                for (_, id) in &rows[before..] {
                    if !columns.iter().any(|column| column.id == *id) {
                        columns.push(Computed { id: *id, expression: Expr::Column { id: *id, ty: SqlType::INT8 } });
                    }
                }
                Ok(())
            }
            LogicalPlan::Filter { input, .. }
            | LogicalPlan::Sort { input, .. }
            | LogicalPlan::Limit { input, .. }
            | LogicalPlan::LockRows { input, .. } => self.expose_rows(input, name, rows),
            LogicalPlan::Join(join) if join.kind == JoinKind::Inner => {
                self.expose_rows(&mut join.left, name, rows)?;
                self.expose_rows(&mut join.right, name, rows)
            }
            LogicalPlan::Join(_) => Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("{name} cannot be applied to the nullable side of an outer join"),
            )),
            LogicalPlan::Distinct { .. } => refuse("DISTINCT clause"),
            LogicalPlan::Aggregate(aggregate) if aggregate.group_by.is_empty() && aggregate.sets.is_none() => {
                refuse("aggregate functions")
            }
            LogicalPlan::Aggregate(_) => refuse("GROUP BY clause"),
            LogicalPlan::Window { .. } => refuse("window functions"),
            LogicalPlan::ProjectSet { .. } => refuse("set-returning functions in the target list"),
            LogicalPlan::SetOperation(_) => refuse("UNION/INTERSECT/EXCEPT"),
            _ => Ok(()),
        }
    }
}

fn strength(clause: &LockingClause) -> LockStrength {
    match clause.strength() {
        LockClauseStrength::LcsForkeyshare => LockStrength::KeyShare,
        LockClauseStrength::LcsForshare => LockStrength::Share,
        LockClauseStrength::LcsFornokeyupdate => LockStrength::NoKeyUpdate,
        _ => LockStrength::Update,
    }
}

fn wait_policy(clause: &LockingClause) -> LockWaitPolicy {
    match clause.wait_policy() {
        AstPolicy::LockWaitSkip => LockWaitPolicy::SkipLocked,
        AstPolicy::LockWaitError => LockWaitPolicy::NoWait,
        _ => LockWaitPolicy::Wait,
    }
}

/// Adds a lock; a row locked by two clauses takes the stronger lock and the less patient policy.
fn add_lock(clause: &LockingClause, relation: Arc<Relation>, row_id: ColumnId, locks: &mut Locks) {
    let (strength, wait) = (strength(clause), wait_policy(clause));
    match locks.0.iter_mut().find(|lock| lock.row_id == row_id) {
        Some(known) => {
            known.strength = known.strength.max(strength);
            known.wait = match (known.wait, wait) {
                (LockWaitPolicy::NoWait, _) | (_, LockWaitPolicy::NoWait) => LockWaitPolicy::NoWait,
                (LockWaitPolicy::SkipLocked, _) | (_, LockWaitPolicy::SkipLocked) => LockWaitPolicy::SkipLocked,
                _ => LockWaitPolicy::Wait,
            };
        }
        None => locks.0.push(RowLock { relation, row_id, strength, wait }),
    }
}
