//! Roles, the facts and rights of databases, and stored settings: what all databases of the cluster share, as one persistent value.
//!
//! It is changed as the catalog is: a transaction edits a copy, and commit merges what it changed with what others changed meanwhile.

use std::sync::Arc;

use imbl::{HashMap, OrdMap};
use types::{Oid, Result, TimestampTz};

use crate::{Name, acl::Acl, merge::changes};

/// A role (pg_authid).
#[derive(Clone, Debug)]
pub struct Role {
    pub oid: Oid,
    pub name: Name,
    pub superuser: bool,
    pub inherit: bool,
    pub create_role: bool,
    pub create_database: bool,
    pub can_login: bool,
    pub replication: bool,
    pub bypass_row_security: bool,
    /// -1 for no limit.
    pub connection_limit: i32,
    /// A SCRAM verifier or an Argon2id hash; never the password itself.
    pub password: Option<Arc<str>>,
    pub valid_until: Option<TimestampTz>,
    pub comment: Option<Arc<str>>,
    /// Roles it is a member of.
    pub memberships: Vec<Membership>,
}

/// pg_auth_members, seen from the member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub role: Oid,
    pub grantor: Oid,
    pub admin: bool,
}

impl Role {
    /// A role as CREATE ROLE without options makes it.
    pub fn new(oid: Oid, name: &str) -> Role {
        Role {
            oid,
            name: name.into(),
            superuser: false,
            inherit: true,
            create_role: false,
            create_database: false,
            can_login: false,
            replication: false,
            bypass_row_security: false,
            connection_limit: -1,
            password: None,
            valid_until: None,
            comment: None,
            memberships: Vec::new(),
        }
    }

    /// A role with every right.
    pub fn administrator(oid: Oid, name: &str) -> Role {
        Role {
            superuser: true,
            create_role: true,
            create_database: true,
            can_login: true,
            replication: true,
            bypass_row_security: true,
            ..Role::new(oid, name)
        }
    }
}

/// PostgreSQL's predefined roles, which nobody can log in as: number, name, and the roles that it is a member of.
pub const PREDEFINED_ROLES: [(Oid, &str, &[Oid]); 12] = [
    (Oid::MONITOR_ROLE, "pg_monitor", &[Oid::READ_ALL_SETTINGS_ROLE, Oid::READ_ALL_STATS_ROLE, Oid(3377)]),
    (Oid::READ_ALL_SETTINGS_ROLE, "pg_read_all_settings", &[]),
    (Oid::READ_ALL_STATS_ROLE, "pg_read_all_stats", &[]),
    (Oid(3377), "pg_stat_scan_tables", &[]),
    (Oid::SIGNAL_BACKEND_ROLE, "pg_signal_backend", &[]),
    (Oid(4544), "pg_checkpoint", &[]),
    (Oid::READ_SERVER_FILES_ROLE, "pg_read_server_files", &[]),
    (Oid::WRITE_SERVER_FILES_ROLE, "pg_write_server_files", &[]),
    (Oid(4571), "pg_execute_server_program", &[]),
    (Oid::DATABASE_OWNER_ROLE, "pg_database_owner", &[]),
    (Oid::READ_ALL_DATA_ROLE, "pg_read_all_data", &[]),
    (Oid::WRITE_ALL_DATA_ROLE, "pg_write_all_data", &[]),
];

/// What is known of a database but for its name and content (pg_database).
#[derive(Clone, Debug)]
pub struct DatabaseFacts {
    pub owner: Oid,
    pub acl: Option<Arc<Acl>>,
    /// Anybody who may create databases may clone it.
    pub is_template: bool,
    pub allow_connections: bool,
    /// Of roles that are not superusers; -1 for no limit.
    pub connection_limit: i32,
    pub comment: Option<Arc<str>>,
}

impl Default for DatabaseFacts {
    fn default() -> DatabaseFacts {
        DatabaseFacts {
            owner: Oid::BOOTSTRAP_ROLE,
            acl: None,
            is_template: false,
            allow_connections: true,
            connection_limit: -1,
            comment: None,
        }
    }
}

/// Values of settings by name.
pub type StoredSettings = Vec<(Name, Arc<str>)>;

/// Whose sessions in which database start with stored settings (pg_db_role_setting); `Oid::INVALID` is any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SettingsScope {
    pub database: Oid,
    pub role: Oid,
}

/// All roles of a cluster. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct Roles {
    version: u64,
    roles: OrdMap<Oid, Arc<Role>>,
    names: HashMap<Name, Oid>,
    databases: OrdMap<Oid, Arc<DatabaseFacts>>,
    settings: OrdMap<SettingsScope, Arc<StoredSettings>>,
}

/// Versions come from one counter, so that clones that diverge never share one.
static NEXT_VERSION: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);

impl Default for Roles {
    fn default() -> Roles {
        Roles::new()
    }
}

impl Roles {
    /// The bootstrap role and the predefined ones.
    pub fn new() -> Roles {
        let mut roles =
            Roles { version: 0, roles: OrdMap::new(), names: HashMap::new(), databases: OrdMap::new(), settings: OrdMap::new() };
        roles.put(Role::administrator(Oid::BOOTSTRAP_ROLE, "postgres"));
        for (oid, name, groups) in PREDEFINED_ROLES {
            let member_of = |role: &Oid| Membership { role: *role, grantor: Oid::BOOTSTRAP_ROLE, admin: false };
            roles.put(Role { memberships: groups.iter().map(member_of).collect(), ..Role::new(oid, name) });
        }
        roles
    }

    /// Changes whenever any role does.
    pub fn version(&self) -> u64 {
        self.version
    }

    fn changed(&mut self) {
        self.version = NEXT_VERSION.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    pub fn role(&self, oid: Oid) -> Option<&Arc<Role>> {
        self.roles.get(&oid)
    }

    pub fn named(&self, name: &str) -> Option<&Arc<Role>> {
        self.names.get(name).and_then(|oid| self.roles.get(oid))
    }

    pub fn name_of(&self, oid: Oid) -> String {
        self.role(oid).map_or_else(|| oid.to_string(), |role| role.name.to_string())
    }

    /// Roles in order of oid.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Role>> {
        self.roles.values()
    }

    /// Adds a role or replaces the one of the same oid.
    pub fn put(&mut self, role: Role) {
        if let Some(old) = self.roles.get(&role.oid) {
            self.names.remove(&old.name);
        }
        self.names.insert(role.name.clone(), role.oid);
        self.roles.insert(role.oid, Arc::new(role));
        self.changed();
    }

    pub fn remove(&mut self, oid: Oid) {
        if let Some(role) = self.roles.remove(&oid) {
            self.names.remove(&role.name);
        }
        let members: Vec<Role> = self
            .roles
            .values()
            .filter(|role| role.memberships.iter().any(|membership| membership.role == oid))
            .map(|role| Role::clone(role))
            .collect();
        for mut member in members {
            member.memberships.retain(|membership| membership.role != oid);
            self.put(member);
        }
        self.forget_settings(|scope| scope.role == oid);
        self.changed();
    }

    pub fn database(&self, oid: Oid) -> DatabaseFacts {
        self.databases.get(&oid).map(|facts| DatabaseFacts::clone(facts)).unwrap_or_default()
    }

    /// Databases of which there is more to say than the default.
    pub fn databases(&self) -> impl Iterator<Item = (&Oid, &Arc<DatabaseFacts>)> {
        self.databases.iter()
    }

    pub fn put_database(&mut self, oid: Oid, facts: DatabaseFacts) {
        self.databases.insert(oid, Arc::new(facts));
        self.changed();
    }

    pub fn remove_database(&mut self, oid: Oid) {
        self.databases.remove(&oid);
        self.forget_settings(|scope| scope.database == oid);
        self.changed();
    }

    /// What is stored for exactly this scope.
    pub fn stored_settings(&self, scope: SettingsScope) -> &[(Name, Arc<str>)] {
        self.settings.get(&scope).map_or(&[], |settings| settings)
    }

    pub fn all_stored_settings(&self) -> impl Iterator<Item = (&SettingsScope, &Arc<StoredSettings>)> {
        self.settings.iter()
    }

    pub fn put_stored_settings(&mut self, scope: SettingsScope, settings: StoredSettings) {
        if settings.is_empty() {
            self.settings.remove(&scope);
        } else {
            self.settings.insert(scope, Arc::new(settings));
        }
        self.changed();
    }

    fn forget_settings(&mut self, gone: impl Fn(&SettingsScope) -> bool) {
        let scopes: Vec<SettingsScope> = self.settings.keys().copied().filter(gone).collect();
        for scope in scopes {
            self.settings.remove(&scope);
        }
    }

    /// What a session of the role in the database starts with, the strongest last.
    pub fn starting_settings(&self, database: Oid, role: Oid) -> impl Iterator<Item = &(Name, Arc<str>)> {
        let any = Oid::INVALID;
        let scopes = [(any, any), (database, any), (any, role), (database, role)];
        scopes.into_iter().flat_map(|(database, role)| self.stored_settings(SettingsScope { database, role }))
    }

    /// Whether one role is another, or a member of it, however indirectly.
    pub fn is_member(&self, member: Oid, of: Oid) -> bool {
        self.reaches(member, of, false)
    }

    /// Whether a role has another's rights: it is a superuser, or a member by inheritance.
    pub fn has_rights_of(&self, role: Oid, of: Oid) -> bool {
        self.is_superuser(role) || self.reaches(role, of, true)
    }

    pub fn is_superuser(&self, role: Oid) -> bool {
        self.role(role).is_some_and(|role| role.superuser)
    }

    /// Whether a role may give on membership in another (is_admin_of_role).
    pub fn is_admin_of(&self, role: Oid, of: Oid) -> bool {
        if self.is_superuser(role) {
            return true;
        }
        self.all_of(role, false)
            .into_iter()
            .any(|holder| self.role(holder).is_some_and(|holder| holder.memberships.iter().any(|to| to.role == of && to.admin)))
    }

    fn reaches(&self, from: Oid, to: Oid, by_inheritance: bool) -> bool {
        from == to || self.all_of(from, by_inheritance).contains(&to)
    }

    /// The role and all that it is a member of.
    pub fn all_of(&self, role: Oid, by_inheritance: bool) -> Vec<Oid> {
        let (mut reached, mut at) = (vec![role], 0);
        while let Some(role) = reached.get(at).and_then(|oid| self.role(*oid)) {
            at += 1;
            if by_inheritance && !role.inherit {
                continue;
            }
            for membership in &role.memberships {
                if !reached.contains(&membership.role) {
                    reached.push(membership.role);
                }
            }
        }
        reached
    }

    /// `newest` with what changed between `base` and `mine`.
    ///
    /// Errors: XX000 when both changed one role; 23505 when both gave one name.
    pub fn merge(base: &Roles, mine: &Roles, newest: &Roles) -> Result<Roles> {
        if base.version == newest.version {
            return Ok(mine.clone());
        }
        let mut merged = newest.clone();
        let role_changes = changes(&base.roles, &mine.roles, &newest.roles)?;
        let database_changes = changes(&base.databases, &mine.databases, &newest.databases)?;
        for (oid, _) in &role_changes {
            if let Some(old) = merged.roles.remove(oid) {
                merged.names.remove(&old.name);
            }
        }
        for role in role_changes.into_iter().filter_map(|(_, new)| new) {
            if merged.named(&role.name).is_some() {
                return Err(crate::merge::name_taken("pg_authid_rolname_index", "rolname", &role.name, None));
            }
            merged.put(Role::clone(role));
        }
        for (oid, facts) in database_changes {
            match facts {
                Some(facts) => merged.databases.insert(oid, facts.clone()),
                None => merged.databases.remove(&oid),
            };
        }
        for (scope, settings) in changes(&base.settings, &mine.settings, &newest.settings)? {
            match settings {
                Some(settings) => merged.settings.insert(scope, settings.clone()),
                None => merged.settings.remove(&scope),
            };
        }
        merged.changed();
        Ok(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member_of(roles: &mut Roles, member: Oid, of: Oid, admin: bool) {
        let mut role = Role::clone(roles.role(member).unwrap());
        role.memberships.push(Membership { role: of, grantor: Oid::BOOTSTRAP_ROLE, admin });
        roles.put(role);
    }

    #[test]
    fn rights_come_by_inheritance_and_membership_without() {
        let mut roles = Roles::new();
        for (oid, name) in [(100, "a"), (101, "b"), (102, "c")] {
            roles.put(Role { inherit: oid != 101, ..Role::new(Oid(oid), name) });
        }
        member_of(&mut roles, Oid(100), Oid(101), false);
        member_of(&mut roles, Oid(101), Oid(102), true);
        assert!(roles.is_member(Oid(100), Oid(102)));
        assert!(roles.has_rights_of(Oid(100), Oid(101)));
        assert!(!roles.has_rights_of(Oid(100), Oid(102)), "b does not inherit");
        assert!(roles.is_admin_of(Oid(100), Oid(102)) && !roles.is_admin_of(Oid(100), Oid(101)));
        assert!(roles.has_rights_of(Oid::BOOTSTRAP_ROLE, Oid(102)));
        roles.remove(Oid(102));
        assert!(roles.role(Oid(101)).unwrap().memberships.is_empty());
    }

    #[test]
    fn changes_of_different_roles_merge() {
        let base = Roles::new();
        let (mut mine, mut theirs) = (base.clone(), base.clone());
        mine.put(Role::new(Oid(100), "a"));
        theirs.put(Role::new(Oid(101), "b"));
        let merged = Roles::merge(&base, &mine, &theirs).unwrap();
        assert!(merged.named("a").is_some() && merged.named("b").is_some());
        theirs.put(Role::new(Oid(102), "a"));
        assert!(Roles::merge(&base, &mine, &theirs).is_err());
    }
}
