//! Queries and data-modifying statements: planned, run over an immutable view, their writes staged.

use std::{collections::VecDeque, sync::Arc};

use catalog::{Persistence, RelationKind, StoredQuery, type_names::Names};
use executor::{Execution, MemoryBudget, Prepared, Reservation, Tables};
use expr::Batch;
use hashbrown::HashMap;
use pg_query::protobuf::Node;
use plan::{
    OutputColumn,
    logical::{LockStrength, LockWaitPolicy, LogicalPlan},
    statement::Command,
};
use storage::{TableData, TableId};
use txn::{LockMode, LockTag, ReadPredicate, Staged, StatementWrites};
use types::{Datum, Error, Oid, Result, SqlState, SqlType};

use super::{
    Outcome, Rows, Session, environment,
    hooks::Hooks,
    outcome::{RowSource, Tag},
    referential_integrity::References,
    rerun,
};
use crate::{offload::run_offloaded, plan_cache::PlanKey};

/// A statement planned and compiled: immutable, shared by executions and sessions.
pub struct Planned {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) columns: Arc<[OutputColumn]>,
    pub(crate) parameters: Vec<SqlType>,
    pub(crate) command: Command,
    /// Rows of the tables when the plan was made for them.
    made_for: Vec<(TableId, usize)>,
    /// Tables read or written, to be taken from the view when it runs.
    tables: Vec<TableId>,
    /// Relations and the locks that they need against concurrent definition changes and LOCK TABLE.
    locks: Vec<(Oid, LockMode)>,
    /// Runs again after a wait on a fresh view, and not on the one it began with.
    starts_afresh: bool,
    /// Foreign keys that its writes concern.
    references: Option<Arc<References>>,
    /// Writes rows or locks them, so that its rows go out only once the locks are held.
    stages: bool,
    /// What a read-only transaction refuses to run it as: a change, or a lock, of rows that are not temporary.
    pub(crate) writes_as: Option<&'static str>,
    /// Expected to take so long that it must not hold up a network thread.
    pub(crate) is_long: bool,
    cacheable: bool,
    pub(crate) catalog_version: u64,
    search_path: Vec<Oid>,
    /// A materialized view that it reads and that has no rows yet.
    unpopulated: Option<catalog::Name>,
    /// What whoever runs it must be allowed to do.
    access: Arc<plan::access::Access>,
}

impl Planned {
    /// Whether the plan still means what its text means under these names.
    pub(crate) fn is_valid_for(&self, names: &Names) -> bool {
        self.cacheable && self.catalog_version == names.catalog.version() && self.search_path == names.search_path
    }
}

impl Session {
    /// Plans a statement, or finds its plan. `text` is None for statements whose plans are not kept.
    pub(crate) fn plan(&mut self, node: &Node, text: Option<Arc<str>>, hints: &[Option<SqlType>]) -> Result<Arc<Planned>> {
        self.open_transaction()?;
        let names = environment::names(self)?;
        let key = text.map(|text| PlanKey {
            text,
            search_path: names.search_path.as_slice().into(),
            parameter_hints: hints.iter().map(|hint| hint.map_or(Oid::INVALID, |ty| ty.oid)).collect(),
        });
        if let Some(key) = &key
            && let Some(plan) = self.database.plans.get(key, names.catalog.version())
            && self.still_fits(&plan)
        {
            return Ok(plan);
        }
        let planned = self.plan_under(&names, node, hints)?;
        if let Some(key) = key
            && planned.cacheable
        {
            self.database.plans.put(key, planned.clone());
        }
        Ok(planned)
    }

    /// Plans a materialized view's query.
    pub(crate) fn plan_stored(&mut self, query: &StoredQuery) -> Result<Arc<Planned>> {
        self.open_transaction()?;
        let names = environment::names(self)?.of_definition(Some(&query.names));
        let parsed = binder::parse::parse(&query.text)?.pop().ok_or_else(|| Error::internal("an empty view"))?;
        self.plan_under(&Arc::new(names), &parsed.node, &[])
    }

    fn plan_under(&mut self, names: &Arc<Names>, node: &Node, hints: &[Option<SqlType>]) -> Result<Arc<Planned>> {
        let mut environment = self.environment(names.clone())?;
        environment.parameters = hints.to_vec();
        let bound = binder::bind(node, &environment)?;
        let touched = Touched::by(&bound.query);
        let references = References::of(&touched.written(), &names.catalog);
        let store = self.database.store.clone();
        let statistics = StoreStatistics { store: &store, state: std::cell::OnceCell::new() };
        let query = optimizer::optimize(bound.query, &names.catalog, &statistics)?;
        let command = query.command;
        let starts_afresh = rerun::starts_afresh(&query);
        Ok(Arc::new(Planned {
            columns: query.output.as_slice().into(),
            is_long: query.root.estimate.total_cost > LONG_COST,
            command,
            prepared: Arc::new(Prepared::new(Arc::new(query))?),
            parameters: bound.parameters,
            made_for: touched.tables.iter().filter_map(|&table| Some((table, store.row_count(table)?))).collect(),
            tables: touched.tables,
            writes_as: if touched.modifies_permanent { Some(command_name(command)) } else { touched.locks_as },
            stages: touched.locks_rows || touched.modifies,
            references,
            locks: touched.relations,
            starts_afresh,
            cacheable: bound.cacheable,
            catalog_version: names.catalog.version(),
            search_path: names.search_path.clone(),
            unpopulated: touched.unpopulated,
            access: Arc::new(bound.access),
        }))
    }

    /// Whether the tables are still about as large as they were when the plan was chosen for them.
    pub(crate) fn still_fits(&self, plan: &Planned) -> bool {
        plan.made_for.iter().all(|&(table, then)| {
            let now = self.database.store.row_count(table).unwrap_or(then);
            now.max(then) <= OUTGROWN_FROM || now.max(then) <= OUTGROWN_TIMES * now.min(then)
        })
    }

    /// Runs a planned statement.
    pub(crate) async fn run_planned(&mut self, planned: &Arc<Planned>, parameters: Arc<[Datum]>) -> Result<Outcome> {
        let rows =
            if planned.stages { self.run_staged(planned, parameters).await? } else { self.run_streaming(planned, parameters)? };
        let returns_rows = !planned.columns.is_empty() || planned.command == Command::Select;
        Ok(if returns_rows { Outcome::Rows(rows) } else { Outcome::Command(rows.tag()) })
    }

    /// A query that writes nothing: its rows are computed as they are pulled.
    fn run_streaming(&mut self, planned: &Arc<Planned>, parameters: Arc<[Datum]>) -> Result<Rows> {
        self.begin_statement()?;
        let execution = self.open_execution(planned, parameters)?;
        self.end_statement();
        Ok(Rows {
            columns: planned.columns.clone(),
            is_binary: false,
            source: RowSource::Streaming { execution: Box::new(execution), long: planned.is_long },
            tag: Tag::Counted("SELECT"),
            sent: 0,
            deadline: None,
            memory: None,
        })
    }

    /// A statement with writes or row locks: computed to its end, staged, and run again after every wait.
    async fn run_staged(&mut self, planned: &Arc<Planned>, parameters: Arc<[Datum]>) -> Result<Rows> {
        // The rights follow as the execution opens: PostgreSQL refuses a change in a read-only transaction first.
        if let Some(statement) = planned.writes_as {
            self.refuse_read_only(statement)?;
        }
        let mut runs_again = false;
        let notified = self.hooks.pending_notifications.lock().mark();
        loop {
            if !std::mem::replace(&mut runs_again, true) || planned.starts_afresh {
                self.begin_statement()?;
            } else {
                self.resume_statement()?;
            }
            self.hooks.pending_notifications.lock().roll_back_to(notified);
            let mut execution = self.open_execution(planned, parameters.clone())?;
            let offload = self.offload.clone();
            let mut result_memory = self.reservation();
            let batches = run_offloaded(&*offload, planned.is_long, || drain(&mut execution, &mut result_memory))?;
            let writes = execution.writes();
            let count = execution.row_count();
            let memory = execution.take_write_memory();
            drop(execution);
            self.check_owners(&writes, &memory)?;
            let txn = &self.open_transaction()?.txn;
            let staged = if planned.starts_afresh { txn.stage(&writes) } else { txn.stage_resumable(&writes) };
            match staged {
                Staged::Done => {
                    self.end_statement();
                    self.take_staged(&writes, memory)?;
                    self.follow_up_planned(planned, &writes).await?;
                    let tag = match planned.command {
                        Command::Select => Tag::Counted("SELECT"),
                        Command::Insert => Tag::Fixed(format!("INSERT 0 {count}")),
                        Command::Update => Tag::Fixed(format!("UPDATE {count}")),
                        Command::Delete => Tag::Fixed(format!("DELETE {count}")),
                    };
                    return Ok(Rows::buffered(planned.columns.clone(), batches, tag).holding(result_memory));
                }
                Staged::Wait(wait) => self.wait_for_lock(wait).await?,
                Staged::Stale => self.shared.cancellation.check()?,
                Staged::Failed(error) => return Err(error),
            }
        }
    }

    /// Does what foreign keys ask for after a statement's writes are staged.
    pub(crate) async fn follow_up_planned(&mut self, planned: &Planned, writes: &StatementWrites) -> Result<()> {
        self.check_statement_keys()?;
        match &planned.references {
            Some(references) => Box::pin(self.follow_up(references, writes)).await,
            None => Ok(()),
        }
    }

    /// Opens an execution over the current statement's view.
    pub(crate) fn open_execution(&mut self, planned: &Arc<Planned>, parameters: Arc<[Datum]>) -> Result<Execution> {
        self.open_prepared(&planned.prepared, planned, parameters)
    }

    /// The same for another compilation of the plan.
    pub(crate) fn open_prepared(
        &mut self,
        prepared: &Arc<Prepared>,
        planned: &Planned,
        parameters: Arc<[Datum]>,
    ) -> Result<Execution> {
        self.check_access(planned)?;
        if let Some(view) = &planned.unpopulated {
            let message = format!("materialized view \"{view}\" has not been populated");
            let error = Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
            return Err(error.hint("Use the REFRESH MATERIALIZED VIEW command."));
        }
        let context = environment::eval_context(self, parameters)?;
        let tables = self.statement_tables(&planned.tables)?;
        self.open_transaction()?.has_run_query = true;
        prepared.open(tables, context)
    }

    /// 42501 unless the current role may do all that the plan does, views as their owners.
    pub(crate) fn check_access(&mut self, planned: &Planned) -> Result<()> {
        if self.is_internal {
            return Ok(());
        }
        let access = &planned.access;
        let as_self = self.shared.is_superuser();
        if as_self && access.relations.iter().all(|relation| relation.check_as.is_none()) {
            return Ok(());
        }
        *self.hooks.described.lock() = Some(access.clone());
        self.authority()?.check(access)
    }

    /// These tables as the current statement sees them.
    pub(crate) fn statement_tables(&mut self, wanted: &[TableId]) -> Result<Arc<StatementTables>> {
        let names = environment::names(self)?;
        let hooks = self.hooks.clone();
        let newest = self.reads_newest;
        let open = self.open_transaction()?;
        let mut tables = HashMap::with_capacity(wanted.len());
        for &table in wanted {
            let content = if newest { open.txn.newest_table(table)? } else { open.txn.table_to_note(table)? };
            tables.insert(table, content);
        }
        let notes_reads = !newest && open.txn.notes_reads();
        Ok(Arc::new(StatementTables { tables, names, hooks, notes_reads }))
    }

    /// The next rows of a result; None when there are no more.
    pub fn next_batch(&mut self, rows: &mut Rows) -> Result<Option<Batch>> {
        let batch = match &mut rows.source {
            RowSource::Streaming { execution, long } => match run_offloaded(&*self.offload, *long, || execution.next_batch()) {
                Ok(None) => self.hooks.transaction.check_dependencies().map(|()| None),
                batch => batch,
            },
            RowSource::Buffered(batches) => Ok(batches.pop_front()),
        };
        // A statement may cancel or terminate its own session.
        match batch.and_then(|batch| self.shared.cancellation.check().map(|()| batch)) {
            Ok(batch) => {
                let count = batch.as_ref().map_or(0, |batch| batch.len);
                rows.sent += count as u64;
                self.note_rows(count);
                Ok(batch)
            }
            Err(error) => {
                self.note_error(&error);
                self.fail_transaction();
                Err(error)
            }
        }
    }

    /// 25006 for a statement that writes in a read-only transaction.
    pub(crate) fn refuse_read_only(&mut self, statement: &str) -> Result<()> {
        if self.open_transaction()?.txn.options().read_only {
            return Err(Error::new(
                SqlState::READ_ONLY_SQL_TRANSACTION,
                format!("cannot execute {statement} in a read-only transaction"),
            ));
        }
        Ok(())
    }

    /// Locks the relations of a plan. True when it waited: the plan may no longer mean what its text means.
    ///
    /// Who only reads, outside a block, needs no lock of its own, for what it reads cannot change under it; it only does not overtake those
    /// who have the relation for themselves.
    pub(crate) async fn lock_plan(&mut self, planned: &Planned) -> Result<bool> {
        let mut waited = false;
        for &(relation, mode) in &planned.locks {
            let store = &self.database.store;
            let open = self.transaction.as_ref().expect("planning has begun one");
            if mode == LockMode::AccessShare && !open.explicit && !store.has_exclusive_relation_locks() {
                continue;
            }
            if let Some(wait) = open.txn.lock(LockTag::Relation(relation), mode)? {
                self.end_statement();
                waited = true;
                self.wait_for_lock(wait).await?;
            }
        }
        Ok(waited)
    }

    /// Waits for the snapshot of a SERIALIZABLE READ ONLY DEFERRABLE transaction.
    pub(crate) async fn await_snapshot(&mut self) -> Result<()> {
        if self.open_transaction()?.has_run_query {
            return Ok(());
        }
        while let Some(wait) = self.open_transaction()?.txn.prepare_snapshot()? {
            self.wait_for_lock(wait).await?;
        }
        Ok(())
    }

    /// Takes a lock on a relation, waiting for it. With `no_wait`, 55P03 instead of waiting.
    pub(crate) async fn lock_relation(&mut self, relation: Oid, mode: LockMode, no_wait: bool) -> Result<()> {
        let open = self.open_transaction()?;
        match open.txn.lock(LockTag::Relation(relation), mode)? {
            None => Ok(()),
            Some(wait) if no_wait => {
                drop(wait);
                let name =
                    open.txn.catalog().relation(relation).map_or_else(|| relation.to_string(), |found| found.name.to_string());
                Err(Error::new(SqlState::LOCK_NOT_AVAILABLE, format!("could not obtain lock on relation \"{name}\"")))
            }
            Some(wait) => self.wait_for_lock(wait).await,
        }
    }

    /// Awaits a lock; cancellation, deadlock detection and lock_timeout end the wait with an error.
    pub(crate) async fn wait_for_lock(&mut self, wait: txn::LockWait) -> Result<()> {
        let _deadline = self.shared.begin_lock_wait(&wait, &self.cluster.timer, self.cluster.limits().lock_wait_ms);
        let waited = match self.shared.cancellation.check() {
            Ok(()) => wait.await,
            Err(error) => Err(error),
        };
        self.shared.set_waiting(None);
        waited
    }
}

fn command_name(command: Command) -> &'static str {
    match command {
        Command::Select => "SELECT",
        Command::Insert => "INSERT",
        Command::Update => "UPDATE",
        Command::Delete => "DELETE",
    }
}

/// Plans that cost more than this many of the optimizer's units (about a microsecond each) leave the network threads.
const LONG_COST: f64 = 2_000.0;

/// A plan is made anew when a table has become this many times larger or smaller, unless it is small all the same.
const OUTGROWN_TIMES: usize = 4;
const OUTGROWN_FROM: usize = 1_000;

/// All rows of an execution.
fn drain(execution: &mut Execution, memory: &mut Reservation) -> Result<VecDeque<Batch>> {
    let mut batches = VecDeque::new();
    while let Some(batch) = execution.next_batch()? {
        memory.grow_by_batch(&batch)?;
        batches.push_back(batch);
    }
    Ok(batches)
}

/// The tables of one statement's view.
pub(crate) struct StatementTables {
    tables: HashMap<TableId, TableData>,
    names: Arc<Names>,
    hooks: Arc<Hooks>,
    notes_reads: bool,
}

impl Tables for StatementTables {
    fn table(&self, id: TableId) -> Result<TableData> {
        self.tables.get(&id).cloned().ok_or_else(|| Error::internal(format!("table {} is not among its plan's", id.0)))
    }

    fn system_rows(
        &self,
        relation: &'static catalog::builtin::SystemRelation,
        hint: Option<(&str, &Datum)>,
    ) -> Result<Vec<Vec<Datum>>> {
        self.hooks.system_rows(&self.names, relation, hint)
    }

    fn notes_reads(&self) -> bool {
        self.notes_reads
    }

    fn memory(&self) -> Option<Arc<dyn MemoryBudget>> {
        Some(self.hooks.memory())
    }

    fn note_read(&self, table: TableId, predicate: ReadPredicate) {
        self.hooks.transaction.note_read(table, predicate);
    }

    fn row_lock_available(&self, tag: &LockTag, mode: LockMode, policy: LockWaitPolicy, relation: &str) -> Result<bool> {
        if self.hooks.transaction.try_lock(tag, mode)? {
            return Ok(true);
        }
        match policy {
            LockWaitPolicy::SkipLocked => Ok(false),
            LockWaitPolicy::NoWait => {
                Err(Error::new(SqlState::LOCK_NOT_AVAILABLE, format!("could not obtain lock on row in relation \"{relation}\"")))
            }
            // Asked for again when the statement's locks are staged, where waiting is possible.
            LockWaitPolicy::Wait => Ok(true),
        }
    }
}

/// What a plan touches.
#[derive(Default)]
struct Touched {
    tables: Vec<TableId>,
    relations: Vec<(Oid, LockMode)>,
    modifies: bool,
    modifies_permanent: bool,
    locks_rows: bool,
    locks_as: Option<&'static str>,
    unpopulated: Option<catalog::Name>,
}

impl Touched {
    fn by(query: &plan::Query<LogicalPlan>) -> Touched {
        let mut touched = Touched::default();
        let plans = std::iter::once(&query.root)
            .chain(query.subplans.iter().map(|subplan| &subplan.plan))
            .chain(query.ctes.iter().map(|cte| &cte.plan));
        for plan in plans {
            touched.visit(plan);
        }
        touched
    }

    fn written(&self) -> Vec<Oid> {
        self.relations.iter().filter(|(_, mode)| *mode == LockMode::RowExclusive).map(|(relation, _)| *relation).collect()
    }

    /// The strongest of the modes in which a statement needs a relation.
    fn locked(&mut self, relation: Oid, mode: LockMode) {
        match self.relations.iter_mut().find(|(known, _)| *known == relation) {
            Some((_, known)) => *known = mode.max(*known),
            None => self.relations.push((relation, mode)),
        }
    }

    fn visit(&mut self, plan: &LogicalPlan) {
        let relation = match plan {
            LogicalPlan::Scan(scan) => Some(&scan.relation),
            LogicalPlan::Insert(insert) => Some(&insert.relation),
            LogicalPlan::Update(update) => Some(&update.relation),
            LogicalPlan::Delete(delete) => Some(&delete.relation),
            LogicalPlan::LockRows { .. } => {
                self.locks_rows = true;
                None
            }
            _ => None,
        };
        if let Some(relation) = relation
            && matches!(relation.kind, RelationKind::MaterializedView { populated: false, .. })
        {
            self.unpopulated.get_or_insert_with(|| relation.name.clone());
        }
        let mode = match plan {
            LogicalPlan::Scan(_) => LockMode::AccessShare,
            _ => LockMode::RowExclusive,
        };
        if let LogicalPlan::LockRows { locks, .. } = plan {
            for lock in locks {
                self.locked(lock.relation.oid, LockMode::RowShare);
                if lock.relation.persistence != Persistence::Temporary {
                    self.locks_as.get_or_insert(match lock.strength {
                        LockStrength::KeyShare => "SELECT FOR KEY SHARE",
                        LockStrength::Share => "SELECT FOR SHARE",
                        LockStrength::NoKeyUpdate => "SELECT FOR NO KEY UPDATE",
                        LockStrength::Update => "SELECT FOR UPDATE",
                    });
                }
            }
        }
        if let Some(relation) = relation {
            self.locked(relation.oid, mode);
            self.modifies |= mode == LockMode::RowExclusive;
            if mode == LockMode::RowExclusive && relation.persistence != Persistence::Temporary {
                self.modifies_permanent = true;
            }
            if let Some(table) = relation.storage()
                && !self.tables.contains(&table)
            {
                self.tables.push(table);
            }
        }
        plan.inputs().into_iter().for_each(|input| self.visit(input));
    }
}

/// For plans that read no table worth counting.
pub(crate) struct NoStatistics;

impl optimizer::Statistics for NoStatistics {
    fn row_count(&self, _table: TableId) -> Option<f64> {
        None
    }

    fn distinct(&self, _table: TableId, _attribute: usize) -> Option<f64> {
        None
    }

    fn share_below(&self, _table: TableId, _attribute: usize, _value: &Datum) -> Option<f64> {
        None
    }
}

/// Row counts for the optimizer, from the newest committed value.
struct StoreStatistics<'a> {
    store: &'a Arc<txn::Store>,
    state: std::cell::OnceCell<txn::DatabaseState>,
}

impl optimizer::Statistics for StoreStatistics<'_> {
    fn row_count(&self, table: TableId) -> Option<f64> {
        let state = self.state.get_or_init(|| self.store.snapshot());
        state.tables.get(&table).map(|data| data.rows.len() as f64)
    }

    fn distinct(&self, table: TableId, attribute: usize) -> Option<f64> {
        let state = self.state.get_or_init(|| self.store.snapshot());
        optimizer::sampling::distinct_values(state.tables.get(&table)?, attribute)
    }

    fn share_below(&self, table: TableId, attribute: usize, value: &Datum) -> Option<f64> {
        let state = self.state.get_or_init(|| self.store.snapshot());
        optimizer::sampling::share_below(state.tables.get(&table)?, attribute, value)
    }
}
