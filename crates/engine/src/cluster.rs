//! What all sessions of a process share: databases, roles, the list of sessions, deadlines.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI32, AtomicU32, Ordering},
    },
};

use catalog::{Catalog, Privileges, Role, Roles, role::DatabaseFacts};
use parking_lot::{Mutex, RwLock};
use txn::Store;
use types::{Error, Oid, Result, SqlState, TimestampTz};

use crate::{
    access::{self, Authority},
    clock,
    limits::{SessionLimits, SilenceLimits},
    memory::{ServerMemory, SessionMemory, TableMemory},
    notification::NotificationQueue,
    plan_cache::PlanCache,
    process::{Process, Request},
    published_roles::PublishedRoles,
    session::{Session, identity::RoleChanges, shared::SessionShared},
    settings::Settings,
    shape_cache::ShapeCache,
    statistics::{DatabaseStatistics, ServerStatistics},
    timer::Timer,
};

/// One database of the cluster (pg_database).
pub struct Database {
    pub oid: Oid,
    pub name: Arc<str>,
    pub store: Arc<Store>,
    pub(crate) plans: Arc<PlanCache>,
    pub(crate) shapes: Arc<ShapeCache>,
    pub(crate) notifications: Arc<NotificationQueue>,
    pub(crate) table_memory: Arc<TableMemory>,
    pub statistics: Arc<DatabaseStatistics>,
}

/// Everything that sessions share.
pub struct Cluster {
    databases: RwLock<BTreeMap<Arc<str>, Arc<Database>>>,
    roles: Arc<PublishedRoles>,
    next_oid: AtomicU32,
    sessions: Mutex<BTreeMap<i32, Arc<SessionShared>>>,
    next_pid: AtomicI32,
    limits: RwLock<Arc<SessionLimits>>,
    pub(crate) silence_limits: SilenceLimits,
    /// When they were set last (pg_conf_load_time).
    limits_set: Mutex<TimestampTz>,
    process: OnceLock<Process>,
    pub(crate) timer: Timer,
    pub memory: Arc<ServerMemory>,
    pub statistics: ServerStatistics,
    pub started: TimestampTz,
}

/// What a client says when it connects.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    pub user: String,
    /// The user's name when absent.
    pub database: Option<String>,
    /// Settings of the start-up packet.
    pub settings: Vec<(String, String)>,
    /// Address and port, when it came over TCP.
    pub client: Option<std::net::SocketAddr>,
    /// How its connection is encrypted, if it is.
    pub tls: Option<Arc<TlsFacts>>,
    /// The client has proved to be this user, who must exist; otherwise it is trusted, and the user made when first seen.
    pub authenticated: bool,
}

/// How a connection is encrypted (pg_stat_ssl), in OpenSSL's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    pub version: &'static str,
    pub cipher: String,
    pub bits: i32,
}

/// The database that clients get when they name none of their own.
pub const DEFAULT_DATABASE: &str = "heliosdb";

impl Default for Cluster {
    fn default() -> Cluster {
        Cluster::new()
    }
}

impl Cluster {
    /// A fresh cluster with the databases that tools expect.
    pub fn new() -> Cluster {
        let cluster = Cluster {
            databases: RwLock::default(),
            roles: Arc::new(PublishedRoles::new(Roles::new())),
            next_oid: AtomicU32::new(Oid::FIRST_NORMAL.0),
            sessions: Mutex::default(),
            next_pid: AtomicI32::new(101),
            limits: RwLock::default(),
            silence_limits: SilenceLimits::default(),
            limits_set: Mutex::new(clock::now()),
            process: OnceLock::new(),
            timer: Timer::default(),
            memory: Arc::default(),
            statistics: ServerStatistics::default(),
            started: clock::now(),
        };
        for (oid, name, is_template, allow_connections) in [
            (1, "template1", true, true),
            (4, "template0", true, false),
            (5, "postgres", false, true),
            (6, DEFAULT_DATABASE, false, true),
        ] {
            cluster.put_database(Oid(oid), name, Store::new(Catalog::new()));
            let facts = DatabaseFacts { is_template, allow_connections, ..DatabaseFacts::default() };
            cluster.change_roles(|shared| shared.put_database(Oid(oid), facts));
        }
        cluster
    }

    fn put_database(&self, oid: Oid, name: &str, store: Arc<Store>) {
        let database = Database {
            oid,
            name: name.into(),
            store,
            plans: Arc::default(),
            shapes: Arc::default(),
            notifications: Arc::default(),
            table_memory: Arc::default(),
            statistics: Arc::default(),
        };
        self.memory.watch_cache(&database.plans);
        self.memory.watch_cache(&database.shapes);
        self.databases.write().insert(name.into(), Arc::new(database));
    }

    pub fn database(&self, name: &str) -> Option<Arc<Database>> {
        self.databases.read().get(name).cloned()
    }

    /// All databases in order of name.
    pub fn databases(&self) -> Vec<Arc<Database>> {
        self.databases.read().values().cloned().collect()
    }

    /// CREATE DATABASE: a clone of the template's newest value, O(1) in its rows.
    ///
    /// Errors: 42P04 when it exists, 3D000 when the template does not.
    pub fn create_database(&self, name: &str, template: &str) -> Result<Oid> {
        let template = self.database(template).ok_or_else(|| {
            Error::new(SqlState::UNDEFINED_DATABASE, format!("template database \"{template}\" does not exist"))
        })?;
        if self.databases.read().contains_key(name) {
            return Err(Error::new(SqlState::DUPLICATE_DATABASE, format!("database \"{name}\" already exists")));
        }
        let oid = Oid(self.next_oid.fetch_add(1, Ordering::Relaxed));
        self.put_database(oid, name, template.store.fork());
        Ok(oid)
    }

    /// DROP DATABASE. `session_database` is the one the asking session is connected to.
    ///
    /// Errors: 3D000, 55006 while somebody is connected to it (unless `force`, which ends their sessions).
    pub fn drop_database(&self, name: &str, session_database: &str, force: bool) -> Result<()> {
        let in_use = |message: &str| Error::new(SqlState::OBJECT_IN_USE, message);
        let Some(database) = self.database(name) else {
            return Err(Error::new(SqlState::UNDEFINED_DATABASE, format!("database \"{name}\" does not exist")));
        };
        if name == session_database {
            return Err(in_use("cannot drop the currently open database"));
        }
        if self.roles().database(database.oid).is_template {
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, "cannot drop a template database"));
        }
        let others: Vec<Arc<SessionShared>> =
            self.sessions.lock().values().filter(|session| session.database == database.name).cloned().collect();
        if !others.is_empty() && !force {
            let count = others.len();
            let detail = match count {
                1 => "There is 1 other session using the database.".to_owned(),
                _ => format!("There are {count} other sessions using the database."),
            };
            return Err(in_use(&format!("database \"{name}\" is being accessed by other users")).detail(detail));
        }
        others.iter().for_each(|session| session.terminate());
        self.databases.write().remove(name);
        self.change_roles(|shared| shared.remove_database(database.oid));
        Ok(())
    }

    /// ALTER DATABASE ... RENAME TO
    pub fn rename_database(&self, name: &str, new_name: &str, session_database: &str) -> Result<()> {
        if name == session_database {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "current database cannot be renamed"));
        }
        let mut databases = self.databases.write();
        if databases.contains_key(new_name) {
            return Err(Error::new(SqlState::DUPLICATE_DATABASE, format!("database \"{new_name}\" already exists")));
        }
        let old = databases
            .remove(name)
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_DATABASE, format!("database \"{name}\" does not exist")))?;
        let renamed = Database {
            oid: old.oid,
            name: new_name.into(),
            store: old.store.clone(),
            plans: old.plans.clone(),
            shapes: old.shapes.clone(),
            notifications: old.notifications.clone(),
            table_memory: old.table_memory.clone(),
            statistics: old.statistics.clone(),
        };
        databases.insert(new_name.into(), Arc::new(renamed));
        Ok(())
    }

    /// The committed roles.
    pub fn roles(&self) -> Arc<Roles> {
        self.roles.get()
    }

    /// An identifier for what all databases share.
    pub fn allocate_oid(&self) -> Oid {
        Oid(self.next_oid.fetch_add(1, Ordering::Relaxed))
    }

    /// Changes the roles outside of any transaction: at start, and for what cannot be rolled back.
    pub fn change_roles<T>(&self, change: impl FnOnce(&mut Roles) -> T) -> T {
        let Ok(result) = self.roles.replace(|published| {
            let mut roles = published.clone();
            let result = change(&mut roles);
            Ok::<_, std::convert::Infallible>((roles, result))
        });
        result
    }

    /// Publishes what a transaction did to the roles, together with its commit: both happen or neither.
    pub(crate) fn commit_roles<T>(&self, changes: RoleChanges, commit: impl FnOnce() -> Result<T>) -> Result<T> {
        self.roles.replace(|published| {
            let merged = Roles::merge(&changes.base, &changes.mine, published)?;
            Ok((merged, commit()?))
        })
    }

    /// The role of this name, made when first seen: under trust any name may connect, with an administrator's rights.
    fn role(&self, name: &str) -> Arc<Role> {
        if let Some(role) = self.roles().named(name) {
            return role.clone();
        }
        let oid = self.allocate_oid();
        self.change_roles(|roles| match roles.named(name) {
            Some(role) => role.clone(),
            None => {
                roles.put(Role::administrator(oid, name));
                Arc::new(Role::administrator(oid, name))
            }
        })
    }

    pub fn limits(&self) -> Arc<SessionLimits> {
        self.limits.read().clone()
    }

    /// Sets what the configuration grants, for sessions that are open too.
    ///
    /// Errors: 22023 for a default that is no value of its setting.
    pub fn set_limits(&self, limits: SessionLimits) -> Result<()> {
        let mut settings = Settings::default();
        for (name, value) in &limits.defaults {
            settings.set_default(name, value)?;
        }
        let limits = Arc::new(limits);
        let before = std::mem::replace(&mut *self.limits.write(), limits.clone());
        self.silence_limits.set(&limits);
        *self.limits_set.lock() = clock::now();
        for session in self.sessions() {
            session.settings.lock().follow_server(&before, &limits);
        }
        self.memory.set_limits(limits.memory_per_user, limits.memory);
        Ok(())
    }

    pub(crate) fn limits_set(&self) -> TimestampTz {
        *self.limits_set.lock()
    }

    /// Names who takes the wishes of sessions that concern the process; the first to be named stays.
    pub fn serve_by(&self, process: Process) {
        let _ = self.process.set(process);
    }

    /// False without a process to ask.
    pub(crate) fn ask_process(&self, request: Request) -> bool {
        let process = self.process.get();
        process.inspect(|ask| ask(request)).is_some()
    }

    /// The role that connects, when it may.
    fn login_role(&self, options: &ConnectOptions, database: &Database) -> Result<Arc<Role>> {
        let role = match options.authenticated {
            true => self.roles().named(&options.user).cloned().ok_or_else(|| {
                let message = format!("role \"{}\" does not exist", options.user);
                Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message)
            })?,
            false => self.role(&options.user),
        };
        if !role.can_login {
            let message = format!("role \"{}\" is not permitted to log in", role.name);
            return Err(Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message));
        }
        let authority = Authority::new(self.roles(), database.store.catalog(), database.oid, role.oid);
        if !authority.database_privileges(database.oid).has(Privileges::CONNECT) {
            return Err(access::denied_connect(&database.name));
        }
        Ok(role)
    }

    /// Whether the database takes another session of the role.
    fn may_connect(&self, database: &Database, role: &Role) -> Result<()> {
        let facts = self.roles().database(database.oid);
        if !facts.allow_connections {
            let message = format!("database \"{}\" is not currently accepting connections", database.name);
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        let open = || self.sessions.lock().values().filter(|session| session.database_oid == database.oid).count();
        if !role.superuser && usize::try_from(facts.connection_limit).is_ok_and(|limit| open() >= limit) {
            let message = format!("too many connections for database \"{}\"", database.name);
            return Err(Error::new(SqlState::TOO_MANY_CONNECTIONS, message));
        }
        Ok(())
    }

    /// Lists a session, unless its user has as many as it may.
    fn list_session(&self, shared: &Arc<SessionShared>) -> Result<()> {
        let mut sessions = self.sessions.lock();
        let role = &shared.role;
        let open = sessions.values().filter(|session| session.role.oid == role.oid).count();
        let per_user = self.limits().sessions_per_user;
        if per_user > 0 && open >= per_user {
            let message = format!("connection limit exceeded for user '{}'", role.name);
            return Err(Error::new(SqlState::TOO_MANY_CONNECTIONS, message));
        }
        if !role.superuser && usize::try_from(role.connection_limit).is_ok_and(|limit| open >= limit) {
            let message = format!("too many connections for role \"{}\"", role.name);
            return Err(Error::new(SqlState::TOO_MANY_CONNECTIONS, message));
        }
        sessions.insert(shared.pid, shared.clone());
        Ok(())
    }

    /// Opens a session.
    ///
    /// Errors: 3D000, 28000 and 42501 for a role that may not, 53300, 22023 for a bad start-up setting.
    pub fn connect(self: &Arc<Cluster>, options: ConnectOptions) -> Result<Session> {
        let name = options.database.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| options.user.clone());
        let database = self
            .database(&name)
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_DATABASE, format!("database \"{name}\" does not exist")))?;
        let role = self.login_role(&options, &database)?;
        self.may_connect(&database, &role)?;
        let mut settings = Settings::default();
        for (setting, value) in &self.limits().defaults {
            settings.set_default(setting, value)?;
        }
        for (setting, value) in self.roles().starting_settings(database.oid, role.oid) {
            settings.set_default(setting, value)?;
        }
        for (setting, value) in &options.settings {
            settings.set_default(setting, value)?;
        }
        for (setting, value) in &self.limits().shown {
            settings.set_internal(setting, value);
        }
        settings.set_internal("session_authorization", &role.name);
        let pid = self.next_pid.fetch_add(1, Ordering::Relaxed);
        let roles = self.roles.clone();
        let memory = SessionMemory::new(self.memory.user(role.oid, Some(&role.name)))?;
        let mut shared = SessionShared::new(pid, role, roles, &database, settings, options.client, memory);
        shared.tls = options.tls;
        let shared = Arc::new(shared);
        shared.sync_identity();
        self.list_session(&shared)?;
        database.statistics.sessions.add(1);
        Ok(Session::new(self.clone(), database, shared))
    }

    pub(crate) fn disconnected(&self, pid: i32) {
        self.sessions.lock().remove(&pid);
    }

    /// All sessions in order of pid.
    pub fn sessions(&self) -> Vec<Arc<SessionShared>> {
        self.sessions.lock().values().cloned().collect()
    }

    /// The session of this pid.
    pub fn session(&self, pid: i32) -> Option<Arc<SessionShared>> {
        self.sessions.lock().get(&pid).cloned()
    }

    /// A cancel request from the network: does nothing unless pid and secret key belong together.
    pub fn cancel(&self, pid: i32, secret: i32) {
        if let Some(session) = self.session(pid)
            && session.secret == secret
        {
            session.cancel(expr::context::CancelReason::UserRequest);
        }
    }
}
