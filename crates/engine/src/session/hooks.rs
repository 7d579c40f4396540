//! What expressions and system relations ask of the session: the engine's side of `SessionHooks` and `SystemState`.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};

use catalog::{
    AclTarget, Persistence, Privileges,
    type_names::{ClusterNames, Names},
};
use expr::{
    EvalContext,
    context::{NoticeLevel, SessionHooks},
};
use optimizer::column_statistics::{ColumnStatistics, column_statistics};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use txn::SessionSequences;
use types::{Datum, Error, Oid, Result, SqlState, SqlType, TimestampTz};

use super::{environment::search_path_oids, shared::SessionShared, shared_transaction::SharedTransaction};
use crate::{
    access::Authority,
    clock,
    cluster::{Cluster, Database},
    notification::Pending,
    offload::{Here, Offload},
    settings::{UNLISTED, setting_facts},
    statement_class::without_secrets,
    system_catalog::{self, *},
};

/// Answers for one session.
pub struct Hooks {
    pub(super) shared: Arc<SessionShared>,
    pub(super) cluster: Weak<Cluster>,
    pub(super) database: Arc<Database>,
    /// The session's transaction, for functions that a running statement calls.
    pub(crate) transaction: SharedTransaction,
    sequences: Mutex<SessionSequences>,
    /// The last sequence that counted, and in which transaction: it need not be locked again.
    sequence_prepared: Mutex<Option<(u64, Oid)>>,
    random: Mutex<Option<StdRng>>,
    /// Advisory locks of the session's level, from the first one on.
    pub(super) advisory: Mutex<Option<txn::SessionLocks>>,
    pub(super) lock_memory: Mutex<super::advisory::LockMemory>,
    /// What the transaction notifies and listens to when it commits.
    pub(crate) pending_notifications: Mutex<Pending>,
    /// What the statement that runs says it reads and writes: errors show what it has written itself.
    pub(crate) described: Mutex<Option<Arc<plan::access::Access>>>,
    /// Whether the transaction's id has been shown.
    id_shown: AtomicU64,
    /// Where functions that take long by themselves run; the session's.
    pub(crate) offload: Mutex<Arc<dyn Offload>>,
}

impl Hooks {
    pub(crate) fn new(cluster: &Arc<Cluster>, database: &Arc<Database>, shared: &Arc<SessionShared>) -> Hooks {
        Hooks {
            shared: shared.clone(),
            cluster: Arc::downgrade(cluster),
            database: database.clone(),
            transaction: SharedTransaction::default(),
            sequences: Mutex::default(),
            sequence_prepared: Mutex::default(),
            random: Mutex::default(),
            advisory: Mutex::default(),
            lock_memory: Mutex::default(),
            pending_notifications: Mutex::default(),
            described: Mutex::default(),
            id_shown: AtomicU64::new(0),
            offload: Mutex::new(Arc::new(Here)),
        }
    }

    pub(crate) fn memory(&self) -> Arc<crate::memory::SessionMemory> {
        self.shared.memory.clone()
    }

    pub(crate) fn forget_sequences(&self) {
        self.sequences.lock().discard();
    }

    /// Adds the names that all databases share.
    pub(crate) fn complete_names(&self, mut names: Names) -> Names {
        names.cluster = Arc::new(ClusterNames {
            current_database: self.database.name.to_string(),
            roles: self.shared.roles().iter().map(|role| (role.oid, role.name.clone())).collect(),
        });
        names
    }

    /// The evaluated statement's catalog under the session's search path.
    fn names_of(&self, context: &EvalContext) -> Names {
        let path = self.shared.settings.lock().search_path();
        let search_path = search_path_oids(&path, &context.catalog, &self.shared.current_role().name, self.shared.pid);
        self.complete_names(Names::new(context.catalog.clone(), search_path))
    }

    /// Rows of a system relation.
    pub(crate) fn system_rows(
        &self,
        names: &Names,
        relation: &'static catalog::builtin::SystemRelation,
        hint: Option<(&str, &Datum)>,
    ) -> Result<Vec<Vec<Datum>>> {
        let hint = hint.map(|(column, value)| Hint { column, value });
        system_catalog::rows(relation, &self.system_context(names.clone()), hint)
    }

    fn system_context(&self, names: Names) -> SystemContext<'_> {
        let cluster = self.cluster.upgrade();
        let databases = cluster.as_ref().map(|cluster| cluster.databases()).unwrap_or_default();
        let role = self.shared.current_role();
        let roles = self.shared.roles();
        let authority = Authority::new(roles.clone(), names.catalog.clone(), self.database.oid, role.oid);
        SystemContext {
            names,
            authority,
            databases: databases
                .iter()
                .map(|database| DatabaseRow {
                    oid: database.oid,
                    name: database.name.clone(),
                    facts: roles.database(database.oid),
                })
                .collect(),
            current_database: self.database.name.clone(),
            current_user: role.name.clone(),
            state: self,
            reparsed: self.shared.settings.lock().is_dump(),
        }
    }

    /// 42501 unless the current role has one of these rights on a sequence.
    fn check_sequence(&self, sequence: Oid, any_of: Privileges) -> Result<()> {
        let role = self.shared.current_role();
        if role.superuser {
            return Ok(());
        }
        let catalog = self.transaction.try_catalog().unwrap_or_else(|| self.database.store.catalog());
        let authority = Authority::new(self.shared.roles(), catalog, self.database.oid, role.oid);
        match authority.privileges(AclTarget::Relation(sequence)).has_any(any_of) {
            true => Ok(()),
            false => Err(authority.denied_relation(sequence)),
        }
    }

    /// Whether the current role may end or cancel what another role's session does.
    fn check_signal(&self, session: &SessionShared, verb: &str) -> Result<()> {
        let (roles, role) = (self.shared.roles(), self.shared.current_role());
        let denied = |message: String| Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        let target = session.role.oid;
        if roles.is_superuser(target) && !role.superuser {
            return denied(format!(
                "must be a superuser to {verb} superuser {}",
                if verb == "cancel" { "query" } else { "process" }
            ));
        }
        if !roles.has_rights_of(role.oid, target) && !roles.has_rights_of(role.oid, Oid::SIGNAL_BACKEND_ROLE) {
            let what = if verb == "cancel" { "whose query is being canceled" } else { "whose process is being terminated" };
            return denied(format!("must be a member of the role {what} or member of pg_signal_backend"));
        }
        Ok(())
    }

    /// What comes before a sequence counts: a read-only transaction refuses it, and ALTER SEQUENCE is waited for.
    fn prepare_sequence(&self, sequence: Oid, function: &str) -> Result<()> {
        let Some((transaction, _)) = self.transaction.identity() else { return Ok(()) };
        if self.sequence_prepared.lock().replace((transaction, sequence)) == Some((transaction, sequence)) {
            return Ok(());
        }
        let is_temporary =
            self.transaction.catalog().relation(sequence).is_some_and(|relation| relation.persistence == Persistence::Temporary);
        if self.transaction.options().read_only && !is_temporary {
            *self.sequence_prepared.lock() = None;
            return Err(Error::new(
                SqlState::READ_ONLY_SQL_TRANSACTION,
                format!("cannot execute {function} in a read-only transaction"),
            ));
        }
        while let Some(wait) = self.transaction.try_to_lock(txn::LockTag::Relation(sequence), txn::LockMode::RowExclusive)? {
            self.wait_in_place(wait)?;
            self.transaction.refresh_catalog();
        }
        Ok(())
    }

    fn sequence_name(&self, sequence: Oid) -> String {
        self.database
            .store
            .catalog()
            .relation(sequence)
            .map_or_else(|| sequence.to_string(), |relation| relation.name.to_string())
    }
}

impl SessionHooks for Hooks {
    fn current_user(&self) -> Arc<str> {
        self.shared.current_role().name.clone()
    }

    fn session_user(&self) -> Arc<str> {
        self.shared.session_role().name.clone()
    }

    fn current_database(&self) -> Arc<str> {
        self.database.name.clone()
    }

    fn run_long(&self, work: &mut dyn FnMut()) {
        let offload = self.offload.lock().clone();
        offload.run(work);
    }

    fn check_memory(&self, bytes: usize) -> Result<()> {
        self.shared.memory.check(bytes)
    }

    fn search_path(&self, include_implicit: bool) -> Vec<Arc<str>> {
        let path = self.shared.settings.lock().search_path();
        let catalog = self.database.store.catalog();
        let mut names: Vec<Arc<str>> = search_path_oids(&path, &catalog, &self.shared.current_role().name, self.shared.pid)
            .into_iter()
            .filter_map(|oid| catalog.schema(oid).map(|schema| schema.name.clone()))
            .collect();
        let has_implicit_temporary =
            names.first().is_some_and(|name| name.starts_with("pg_temp_")) && !path.iter().any(|name| name == "pg_temp");
        if has_implicit_temporary && !include_implicit {
            names.remove(0);
        }
        if include_implicit && !names.iter().any(|name| &**name == "pg_catalog") {
            names.insert(usize::from(has_implicit_temporary), "pg_catalog".into());
        }
        names
    }

    fn backend_pid(&self) -> i32 {
        self.shared.pid
    }

    fn attributes_to_show(&self, relation: Oid) -> Option<Vec<usize>> {
        let catalog = self.transaction.try_catalog().unwrap_or_else(|| self.database.store.catalog());
        if txn::KeyText::may_show(self, &catalog, relation, &[None]) {
            return None;
        }
        let mut shown: Vec<usize> = Vec::new();
        if let Some(access) = &*self.described.lock() {
            let written = access.relations.iter().filter(|access| access.relation == relation);
            shown.extend(written.flat_map(|access| access.inserted.iter().chain(&access.updated)));
        }
        let count = catalog.relation(relation).map_or(0, |relation| relation.attributes.len());
        shown.extend((0..count).filter(|at| txn::KeyText::may_show(self, &catalog, relation, &[Some(*at)])));
        Some(shown)
    }

    fn next_value(&self, sequence: Oid) -> Result<i64> {
        self.check_sequence(sequence, Privileges::USAGE.or(Privileges::UPDATE))?;
        self.prepare_sequence(sequence, "nextval()")?;
        self.transaction.next_value(&mut self.sequences.lock(), sequence)
    }

    fn current_value(&self, sequence: Oid) -> Result<i64> {
        self.check_sequence(sequence, Privileges::USAGE.or(Privileges::SELECT))?;
        self.sequences.lock().currval(sequence, &self.sequence_name(sequence))
    }

    fn last_value(&self) -> Result<i64> {
        let (sequence, value) = self.sequences.lock().lastval()?;
        self.check_sequence(sequence, Privileges::USAGE.or(Privileges::SELECT))?;
        Ok(value)
    }

    fn set_value(&self, sequence: Oid, value: i64, is_called: bool) -> Result<()> {
        self.check_sequence(sequence, Privileges::UPDATE)?;
        self.prepare_sequence(sequence, "setval()")?;
        self.transaction.set_value(&mut self.sequences.lock(), sequence, value, is_called).map(|_| ())
    }

    fn setting(&self, name: &str, missing_ok: bool) -> Result<Option<String>> {
        match self.shared.settings.lock().show(name) {
            Ok(value) => Ok(Some(value)),
            Err(_) if missing_ok => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_setting(&self, name: &str, value: &str, local: bool) -> Result<String> {
        self.transaction.set_within_query(name, value)?;
        self.shared.check_setting(name, Some(value))?;
        self.shared.settings.lock().set(name, value, local)?;
        self.shared.sync_identity();
        self.shared.settings.lock().show(name)
    }

    fn notice(&self, level: NoticeLevel, notice: Error) {
        self.shared.add_notice(level, notice);
    }

    fn random(&self) -> f64 {
        self.random.lock().get_or_insert_with(StdRng::from_os_rng).random()
    }

    fn set_seed(&self, seed: f64) {
        *self.random.lock() = Some(StdRng::seed_from_u64(seed.to_bits()));
    }

    fn engine_function(&self, source: &str, arguments: &[Datum], context: &EvalContext) -> Option<Result<Datum>> {
        if let Some(locked) = self.advisory_function(source, arguments) {
            return Some(locked);
        }
        if let Some(notified) = self.notify_function(source, arguments) {
            return Some(notified);
        }
        system_catalog::functions::call(source, arguments, &self.system_context(self.names_of(context)))
    }

    fn engine_rows(&self, source: &str, arguments: &[Datum], context: &EvalContext) -> Option<Result<Vec<Vec<Datum>>>> {
        if let Some(rows) = self.listening_rows(source) {
            return Some(rows);
        }
        system_catalog::functions::call_set(source, arguments, &self.system_context(self.names_of(context)))
    }

    fn clock_timestamp(&self) -> TimestampTz {
        clock::now()
    }
}

impl SystemState for Hooks {
    fn sessions(&self) -> Vec<SessionActivity> {
        let Some(cluster) = self.cluster.upgrade() else { return Vec::new() };
        let (roles, role) = (self.shared.roles(), self.shared.current_role().oid);
        let sees_all = roles.has_rights_of(role, Oid::READ_ALL_STATS_ROLE);
        let visible = |session: &SessionShared| sees_all || roles.has_rights_of(role, session.role.oid);
        cluster.sessions().iter().map(|session| session_activity(session, visible(session))).collect()
    }

    fn locks(&self) -> Vec<LockActivity> {
        let Some(cluster) = self.cluster.upgrade() else { return Vec::new() };
        cluster
            .databases()
            .iter()
            .flat_map(|database| {
                let state = database.store.snapshot();
                let locks = database.store.list_locks().into_iter();
                locks.map(|lock| super::lock_rows::lock_activity(database.oid, lock, &state)).collect::<Vec<_>>()
            })
            .chain(cluster.sessions().iter().filter_map(|session| super::lock_rows::virtual_transaction_lock(session)))
            .collect()
    }

    fn settings(&self) -> Vec<SettingFacts> {
        let settings = self.shared.settings.lock();
        setting_facts()
            .values()
            .filter(|fact| fact.category != UNLISTED)
            .map(|fact| SettingFacts {
                name: fact.name.into(),
                setting: settings.get(fact.name).unwrap_or_default().to_owned(),
                unit: fact.unit.map(Into::into),
                category: fact.category.into(),
                context: fact.context.into(),
                kind: fact.kind.into(),
                source: settings.source(fact.name).into(),
                minimum: fact.minimum.map(|number| number.to_string().into()),
                maximum: fact.maximum.map(|number| number.to_string().into()),
                choices: (fact.kind == "enum").then(|| fact.choices.iter().map(|choice| (*choice).into()).collect()),
                boot_value: Some(fact.boot.clone()),
                reset_value: Some(settings.reset_value(fact.name)),
            })
            .collect()
    }

    fn prepared_statements(&self) -> Vec<PreparedFacts> {
        self.shared.listed.lock().prepared.clone()
    }

    fn cursors(&self) -> Vec<CursorFacts> {
        self.shared.listed.lock().cursors.clone()
    }

    fn sequence(&self, sequence: Oid) -> Option<SequenceState> {
        let value = self.transaction.sequence_value(sequence).ok()?;
        Some(SequenceState { last_value: value.last_value, is_called: value.is_called })
    }

    fn table_activity(&self, table: Oid) -> TableActivity {
        let state = self.database.store.snapshot();
        let found = state.catalog.relation(table).and_then(|relation| state.tables.get(&relation.storage()?));
        found.map(|version| table_activity(&version.data)).unwrap_or_default()
    }

    fn index_activity(&self, index: Oid) -> IndexActivity {
        let state = self.database.store.snapshot();
        let table = match state.catalog.relation(index).map(|relation| &relation.kind) {
            Some(catalog::RelationKind::Index(definition)) => state.catalog.relation(definition.table),
            _ => None,
        };
        let Some(version) = table.and_then(|table| state.tables.get(&table.storage()?)) else { return IndexActivity::default() };
        let activity = version.data.activity.index(storage::IndexId(index.0));
        let rows = count(activity.rows.get());
        IndexActivity { scans: count(activity.scans.get()), rows_read: rows, rows_fetched: rows }
    }

    fn column_statistics(&self, table: Oid, wanted: &[WantedColumn]) -> Vec<Option<ColumnStatistics>> {
        let state = self.database.store.snapshot();
        let found = state.catalog.relation(table).and_then(|relation| state.tables.get(&relation.storage()?));
        let Some(data) = found.map(|version| version.data.clone()) else { return wanted.iter().map(|_| None).collect() };
        drop(state);
        wanted.iter().map(|column| column_statistics(&data, column.attribute, column.fixed_width, column.is_ordered)).collect()
    }

    fn database_activity(&self, database: Oid) -> DatabaseActivity {
        let found =
            self.cluster.upgrade().and_then(|cluster| cluster.databases().into_iter().find(|known| known.oid == database));
        let Some(found) = found else { return DatabaseActivity::default() };
        let sessions = self.sessions().iter().filter(|session| session.database == database).count();
        let statistics = &found.statistics;
        let mut activity = DatabaseActivity {
            sessions_now: sessions as i32,
            commits: count(statistics.commits.get()),
            rollbacks: count(statistics.rollbacks.get()),
            deadlocks: count(statistics.deadlocks.get()),
            sessions: count(statistics.sessions.get()),
            ..DatabaseActivity::default()
        };
        for version in found.store.snapshot().tables.values() {
            let table = table_activity(&version.data);
            activity.rows_returned += table.sequential_rows + table.index_rows;
            activity.rows_fetched += table.index_rows;
            activity.inserted += table.inserted;
            activity.updated += table.updated;
            activity.deleted += table.deleted;
        }
        activity
    }

    fn statements(&self) -> Vec<StatementFacts> {
        let Some(cluster) = self.cluster.upgrade() else { return Vec::new() };
        let (roles, role) = (self.shared.roles(), self.shared.current_role().oid);
        let sees_all = roles.has_rights_of(role, Oid::READ_ALL_STATS_ROLE);
        let mut statements = cluster.statistics.statements.all();
        for statement in &mut statements {
            if !sees_all && !roles.has_rights_of(role, statement.user) {
                (statement.query, statement.query_id) = ("<insufficient privilege>".into(), None);
            }
        }
        statements
    }

    fn forget_statements(&self) -> Result<()> {
        if !self.shared.current_role().superuser {
            let message = "permission denied for function pg_stat_statements_reset";
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        if let Some(cluster) = self.cluster.upgrade() {
            cluster.statistics.statements.reset();
        }
        Ok(())
    }

    fn server_memory(&self) -> (i64, i64) {
        let Some(cluster) = self.cluster.upgrade() else { return (0, 0) };
        (count(cluster.memory.used() as u64), count(cluster.memory.limit() as u64))
    }

    fn relation_size(&self, relation: Oid) -> i64 {
        super::lock_rows::relation_size(&self.database.store.snapshot(), relation)
    }

    fn database_size(&self, database: Oid) -> i64 {
        let Some(cluster) = self.cluster.upgrade() else { return 0 };
        let found = cluster.databases().into_iter().find(|known| known.oid == database);
        found.map_or(0, |database| super::lock_rows::database_size(&database.store.snapshot()))
    }

    fn server_start(&self) -> TimestampTz {
        self.cluster.upgrade().map_or(TimestampTz(0), |cluster| cluster.started)
    }

    fn settings_loaded(&self) -> TimestampTz {
        self.cluster.upgrade().map_or(TimestampTz(0), |cluster| cluster.limits_set())
    }

    fn now(&self) -> TimestampTz {
        clock::now()
    }

    fn transaction_id(&self) -> Result<u64> {
        let (id, _) = self.transaction.identity().ok_or_else(|| Error::internal("a function outside of a transaction"))?;
        self.id_shown.store(id, Ordering::Relaxed);
        Ok(id)
    }

    fn transaction_id_if_assigned(&self) -> Option<u64> {
        let (id, has_written) = self.transaction.identity()?;
        (has_written || self.id_shown.load(Ordering::Relaxed) == id).then_some(id)
    }

    fn backend_pid(&self) -> i32 {
        self.shared.pid
    }

    fn blocking_pids(&self, pid: i32) -> Vec<i32> {
        let Some(cluster) = self.cluster.upgrade() else { return Vec::new() };
        let Some(session) = cluster.session(pid) else { return Vec::new() };
        cluster.database(&session.database).map(|database| database.store.blocking_pids(pid)).unwrap_or_default()
    }

    fn cancel_backend(&self, pid: i32) -> Result<bool> {
        let session = self.cluster.upgrade().and_then(|cluster| cluster.session(pid));
        if let Some(session) = &session {
            self.check_signal(session, "cancel")?;
            session.cancel(expr::context::CancelReason::UserRequest);
        }
        Ok(session.is_some())
    }

    fn terminate_backend(&self, pid: i32) -> Result<bool> {
        let session = self.cluster.upgrade().and_then(|cluster| cluster.session(pid));
        if let Some(session) = &session {
            self.check_signal(session, "terminate")?;
            session.terminate();
        }
        Ok(session.is_some())
    }

    fn ask_process(&self, request: crate::process::Request) -> Result<bool> {
        let role = self.shared.current_role();
        let catalog = self.transaction.try_catalog().unwrap_or_else(|| self.database.store.catalog());
        Authority::new(self.shared.roles(), catalog, self.database.oid, role.oid).check_function(request.function())?;
        Ok(self.cluster.upgrade().is_some_and(|cluster| cluster.ask_process(request)))
    }

    fn temporary_schema(&self) -> Oid {
        let name = format!("pg_temp_{}", self.shared.pid);
        self.database.store.catalog().schema_named(&name).map_or(Oid::INVALID, |schema| schema.oid)
    }

    fn session_memory(&self, pid: i32) -> Option<i64> {
        let session = self.cluster.upgrade()?.session(pid)?;
        Some(session.memory_bytes())
    }

    fn dirty(&self) -> txn::ChangeCount {
        self.database.store.dirty()
    }

    fn change_count(&self) -> txn::ChangeCount {
        self.transaction.change_count()
    }

    fn note_saved(&self, count: txn::ChangeCount, restored: bool) -> Result<()> {
        if !self.shared.current_role().superuser {
            let message = "must be superuser to tell what has been dumped or restored";
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        match restored {
            true => self.transaction.note_restored(count),
            false => self.database.store.mark_saved(count),
        }
        Ok(())
    }
}

fn count(counter: u64) -> i64 {
    i64::try_from(counter).unwrap_or(i64::MAX)
}

fn table_activity(data: &storage::TableData) -> TableActivity {
    let activity = &data.activity;
    let (index_scans, index_rows) = activity.of_indexes();
    TableActivity {
        sequential_scans: count(activity.sequential_scans.get()),
        sequential_rows: count(activity.sequential_rows.get()),
        index_scans: count(index_scans),
        index_rows: count(index_rows),
        inserted: count(activity.inserted.get()),
        updated: count(activity.updated.get()),
        deleted: count(activity.deleted.get()),
        live_rows: data.rows.len() as i64,
    }
}

impl txn::KeyText for Hooks {
    fn key_text(&self, catalog: &catalog::Catalog, value: &Datum, ty: SqlType) -> String {
        let format = self.shared.settings.lock().format().clone();
        let names = self.complete_names(Names::new(Arc::new(catalog.clone()), Vec::new()));
        let mut text = String::new();
        types::text_format::datum_to_text(value, ty, &format, &names, &mut text);
        text
    }

    fn may_show(&self, catalog: &catalog::Catalog, table: Oid, attributes: &[Option<usize>]) -> bool {
        let role = self.shared.current_role();
        if role.superuser {
            return true;
        }
        let authority = Authority::new(self.shared.roles(), Arc::new(catalog.clone()), self.database.oid, role.oid);
        let may_select = |target| authority.privileges(target).has(Privileges::SELECT);
        may_select(AclTarget::Relation(table))
            || attributes.iter().all(|attribute| attribute.is_some_and(|at| may_select(AclTarget::Column(table, at))))
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("pid", &self.shared.pid).finish_non_exhaustive()
    }
}

/// What others do is told only to those with the rights of their role, or of pg_read_all_stats.
fn session_activity(session: &SessionShared, is_visible: bool) -> SessionActivity {
    let activity = session.activity();
    let is_active = activity.state == super::shared::ActivityState::Active;
    SessionActivity {
        pid: session.pid,
        database: session.database_oid,
        database_name: session.database.clone(),
        user: session.role.oid,
        user_name: session.role.name.clone(),
        application_name: session.application_name().into(),
        client_address: session.client.filter(|_| is_visible).map(|address| address.ip().to_string()),
        client_port: session.client.filter(|_| is_visible).map(|address| i32::from(address.port())),
        backend_start: session.backend_start,
        transaction_start: activity.transaction_start.filter(|_| is_visible),
        query_start: activity.query_start.filter(|_| is_visible),
        state_change: is_visible.then_some(activity.state_change),
        wait: match (activity.waiting, is_active) {
            _ if !is_visible => None,
            (true, _) => Some(("Lock", "transactionid")),
            (false, false) => Some(("Client", "ClientRead")),
            _ => None,
        },
        state: if is_visible { activity.state.name() } else { "" },
        transaction_id: None,
        query: match is_visible {
            true => Arc::from(&*without_secrets(&activity.query, None)),
            false => "<insufficient privilege>".into(),
        },
        tls: session.tls.clone(),
        is_visible,
    }
}
