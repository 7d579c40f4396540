//! What a role may do: rights of objects and memberships of roles, put together (aclchk.c).
//!
//! [`Authority`] answers for one role in one database. A superuser may do everything; an owner holds every grant option; rights come through
//! roles that are inherited, and from PUBLIC.

use std::sync::Arc;

use catalog::{
    Acl, AclKind, AclTarget, Catalog, Privileges, Relation, RelationKind, Roles,
    builtin::{SystemRelation, builtins},
};
use plan::access::{Access, RelationAccess};
use types::{Error, Oid, Result, SqlState};

/// A role's rights in one database.
#[derive(Clone)]
pub struct Authority {
    pub roles: Arc<Roles>,
    pub catalog: Arc<Catalog>,
    pub database: Oid,
    /// Zero is PUBLIC.
    pub role: Oid,
    superuser: bool,
    /// The role and those whose rights it inherits.
    held: Vec<Oid>,
}

/// System relations that not everybody may read.
const SECRET_RELATIONS: [&str; 14] = [
    "pg_authid",
    "pg_shadow",
    "pg_statistic",
    "pg_statistic_ext_data",
    "pg_file_settings",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_config",
    "pg_user_mapping",
    "pg_replication_origin_status",
    "pg_subscription",
    "pg_largeobject",
    "pg_backend_memory_contexts",
    "pg_shmem_allocations",
];

/// Those with stored passwords, which members of pg_read_all_data read no more than anybody else.
const PASSWORDS: [&str; 2] = ["pg_authid", "pg_shadow"];

fn is_one_of(target: AclTarget, names: &[&str]) -> bool {
    let AclTarget::Relation(oid) = target else { return false };
    builtins().system_relation(oid).is_some_and(|relation| names.contains(&relation.name))
}

/// Functions that only the superuser may call until somebody grants them, in order of number: PostgreSQL's, and pg_stop_server.
const SECRET_FUNCTIONS: &[u32] = &[
    764, 765, 767, 2172, 2274, 2282, 2307, 2621, 2622, 2623, 2624, 2625, 2739, 2848, 3071, 3072, 3098, 3293, 3295, 3297, 3307,
    3329, 3353, 3354, 3400, 3401, 3436, 3775, 3776, 3777, 3800, 3801, 3826, 3827, 3828, 4543, 5029, 5030, 5031, 5052, 6003, 6004,
    6005, 6006, 6007, 6008, 6009, 6010, 6011, 6012, 6013, 6014, 6170, 6230, 6232, 6250, 6270, 6271, 6272, 9020,
];

/// Those of them that members of predefined roles may call.
const MONITORING_FUNCTIONS: &[(u32, Oid)] = &[
    (2282, Oid::READ_ALL_STATS_ROLE),
    (3353, Oid::MONITOR_ROLE),
    (3354, Oid::MONITOR_ROLE),
    (5029, Oid::MONITOR_ROLE),
    (5030, Oid::MONITOR_ROLE),
    (5031, Oid::MONITOR_ROLE),
    (5052, Oid::READ_ALL_STATS_ROLE),
    (6270, Oid::MONITOR_ROLE),
    (6271, Oid::MONITOR_ROLE),
    (6272, Oid::MONITOR_ROLE),
];

/// The rights on a function that not everybody may call, as they are before anybody changes them.
pub(crate) fn initial_function_acl(function: Oid) -> Option<Acl> {
    SECRET_FUNCTIONS.binary_search(&function.0).ok()?;
    let owner = Oid::BOOTSTRAP_ROLE;
    let item =
        |grantee| catalog::AclItem { grantee, grantor: owner, privileges: Privileges::EXECUTE, grantable: Privileges::NONE };
    let monitors = MONITORING_FUNCTIONS.iter().filter(|(known, _)| *known == function.0).map(|(_, role)| *role);
    Some(Acl { items: [owner].into_iter().chain(monitors).map(item).collect() })
}

/// All of them.
pub(crate) fn secret_functions() -> impl Iterator<Item = Oid> {
    SECRET_FUNCTIONS.iter().copied().map(Oid)
}

impl Authority {
    pub fn new(roles: Arc<Roles>, catalog: Arc<Catalog>, database: Oid, role: Oid) -> Authority {
        let superuser = roles.is_superuser(role);
        let mut held = if role == Oid::INVALID { Vec::new() } else { roles.all_of(role, true) };
        if held.contains(&roles.database(database).owner) {
            held.push(Oid::DATABASE_OWNER_ROLE);
        }
        Authority { roles, catalog, database, role, superuser, held }
    }

    /// The same for another role.
    pub fn of(&self, role: Oid) -> Authority {
        Authority::new(self.roles.clone(), self.catalog.clone(), self.database, role)
    }

    pub fn is_superuser(&self) -> bool {
        self.superuser
    }

    /// Whether it has this role's rights, and so owns what the role owns.
    pub fn holds(&self, role: Oid) -> bool {
        self.superuser || self.held.contains(&role)
    }

    /// The rights on an object, with its owner; the default ones when nobody has granted any.
    pub fn acl(&self, target: AclTarget) -> Option<(Acl, Oid)> {
        let (kind, owner) = self.owned(target)?;
        let stored = self.catalog.acl(target).map(|acl| Acl::clone(acl));
        Some((stored.unwrap_or_else(|| self.initial_acl(target, kind, owner)), owner))
    }

    fn initial_acl(&self, target: AclTarget, kind: AclKind, owner: Oid) -> Acl {
        if let AclTarget::Function(oid) = target
            && let Some(acl) = initial_function_acl(oid)
        {
            return acl;
        }
        let mut acl = Acl::default_for(kind, owner);
        if let AclTarget::Relation(oid) = target
            && let Some(relation) = builtins().system_relation(oid)
            && !is_one_of(target, &SECRET_RELATIONS)
        {
            let privileges = match relation.name {
                "pg_settings" => Privileges::SELECT.or(Privileges::UPDATE),
                _ => Privileges::SELECT,
            };
            acl.items.push(catalog::AclItem { grantee: Oid::INVALID, grantor: owner, privileges, grantable: Privileges::NONE });
        }
        acl
    }

    /// What kind of object it is, and who owns it; None when there is none.
    pub fn owned(&self, target: AclTarget) -> Option<(AclKind, Oid)> {
        Some(match target {
            AclTarget::Relation(oid) => match self.catalog.relation(oid) {
                Some(relation) if matches!(relation.kind, RelationKind::Sequence(_)) => (AclKind::Sequence, relation.owner),
                Some(relation) => (AclKind::Table, relation.owner),
                None => builtins().system_relation(oid).map(|_| (AclKind::Table, Oid::BOOTSTRAP_ROLE))?,
            },
            AclTarget::Column(oid, _) => (AclKind::Column, self.owned(AclTarget::Relation(oid))?.1),
            AclTarget::Schema(oid) => (AclKind::Schema, self.catalog.schema(oid)?.owner),
            AclTarget::Type(oid) => match self.catalog.user_type(oid) {
                Some(ty) => (AclKind::Type, ty.owner),
                None => (AclKind::Type, Oid::BOOTSTRAP_ROLE),
            },
            AclTarget::Function(oid) => builtins().function(oid).map(|_| (AclKind::Function, Oid::BOOTSTRAP_ROLE))?,
            AclTarget::Default(role, _, kind) => (kind, role),
        })
    }

    /// What the role may do with an object, columns apart.
    pub fn privileges(&self, target: AclTarget) -> Privileges {
        let Some((kind, _)) = self.owned(target) else { return Privileges::NONE };
        if self.superuser {
            return kind.all();
        }
        let Some((acl, _)) = self.acl(target) else { return Privileges::NONE };
        let mut held = acl.privileges(|role| self.held.contains(&role));
        let (reads, writes) = (self.held.contains(&Oid::READ_ALL_DATA_ROLE), self.held.contains(&Oid::WRITE_ALL_DATA_ROLE));
        match kind {
            AclKind::Table | AclKind::Sequence => {
                if reads && !is_one_of(target, &PASSWORDS) {
                    held = held.or(Privileges::SELECT);
                }
                if writes {
                    held = held.or(Privileges::INSERT).or(Privileges::UPDATE).or(Privileges::DELETE);
                }
                held = held.and(kind.all());
            }
            AclKind::Schema if reads || writes => held = held.or(Privileges::USAGE),
            _ => {}
        }
        if let AclTarget::Schema(oid) = target
            && self.catalog.schema(oid).is_some_and(|schema| schema.name.starts_with("pg_temp_"))
        {
            // Sessions reach only their own, by a path that they cannot choose.
            held = Privileges::SCHEMA;
        }
        held
    }

    /// Whether it has one of these rights on an object, or may give one on.
    pub(crate) fn holds_any(&self, target: AclTarget, of: Privileges) -> bool {
        let given_on = self.acl(target).map_or(Privileges::NONE, |(acl, _)| acl.grantable(|role| self.held.contains(&role)));
        self.privileges(target).or(given_on).has_any(of)
    }

    /// What the role may give on.
    pub fn grantable(&self, target: AclTarget) -> Privileges {
        match self.acl(target) {
            Some((_, owner)) if self.holds(owner) => self.owned(target).map_or(Privileges::NONE, |(kind, _)| kind.all()),
            Some((acl, _)) => acl.grantable(|role| self.held.contains(&role)),
            None => Privileges::NONE,
        }
    }

    pub fn database_privileges(&self, database: Oid) -> Privileges {
        if self.superuser {
            return Privileges::DATABASE;
        }
        self.database_acl(database).0.privileges(|role| self.held.contains(&role))
    }

    pub fn database_acl(&self, database: Oid) -> (Acl, Oid) {
        let access = self.roles.database(database);
        let acl = access.acl.map(|acl| Acl::clone(&acl));
        (acl.unwrap_or_else(|| Acl::default_for(AclKind::Database, access.owner)), access.owner)
    }

    /// 42501 unless the role may do all that a statement asks.
    pub fn check(&self, access: &Access) -> Result<()> {
        if !self.superuser {
            for (schema, name) in &access.schemas {
                if !self.privileges(AclTarget::Schema(*schema)).has(Privileges::USAGE) {
                    return Err(denied("schema", name));
                }
            }
            access.functions.iter().try_for_each(|function| self.check_function(*function))?;
        }
        for relation in &access.relations {
            let allowed = match relation.check_as {
                Some(owner) if owner != self.role => self.of(owner).allows(relation),
                _ => self.allows(relation),
            };
            if !allowed {
                return Err(self.denied_relation(relation.relation));
            }
        }
        Ok(())
    }

    /// 42501 unless the role may call the function.
    pub fn check_function(&self, function: Oid) -> Result<()> {
        let target = AclTarget::Function(function);
        // Everybody may call what nobody has restricted: nearly all functions, nearly always.
        let is_free = self.catalog.acl(target).is_none() && SECRET_FUNCTIONS.binary_search(&function.0).is_err();
        if is_free || self.privileges(target).has(Privileges::EXECUTE) {
            return Ok(());
        }
        let found = builtins().function(function);
        let word = if found.is_some_and(|function| function.kind == 'a') { "aggregate" } else { "function" };
        Err(denied(word, found.map_or("", |function| function.name)))
    }

    /// ExecCheckRTEPerms: rights on the relation, else on each column that is used.
    pub fn allows(&self, access: &RelationAccess) -> bool {
        if self.superuser {
            return true;
        }
        let missing = access.privileges.without(self.privileges(AclTarget::Relation(access.relation)));
        if missing.is_empty() {
            return true;
        }
        let by_column = Privileges::SELECT.or(Privileges::INSERT).or(Privileges::UPDATE);
        if !missing.without(by_column).is_empty() {
            return false;
        }
        missing.each().all(|(privilege, _)| {
            let columns = match privilege {
                Privileges::SELECT => &access.selected,
                Privileges::INSERT => &access.inserted,
                _ => &access.updated,
            };
            match columns.is_empty() {
                true => self.any_column(access.relation, privilege),
                false => columns.iter().all(|column| self.privileges(AclTarget::Column(access.relation, *column)).has(privilege)),
            }
        })
    }

    /// Whether the role has a right on some column of a relation.
    pub fn any_column(&self, relation: Oid, privilege: Privileges) -> bool {
        let first = AclTarget::Column(relation, 0);
        let last = AclTarget::Column(relation, usize::MAX);
        self.catalog
            .acls()
            .filter(|(target, _)| (first..=last).contains(*target))
            .any(|(target, _)| self.privileges(*target).has(privilege))
    }

    pub fn denied_relation(&self, oid: Oid) -> Error {
        match (self.catalog.relation(oid), builtins().system_relation(oid)) {
            (Some(relation), _) => denied(relation_word(relation), &relation.name),
            (None, Some(SystemRelation { kind: 'v', name, .. })) => denied("view", name),
            (None, Some(relation)) => denied("table", relation.name),
            (None, None) => Error::internal(format!("relation {oid} has gone")),
        }
    }

    /// 42501 unless the role has the rights of the owner.
    pub fn must_own(&self, owner: Oid, kind: &str, name: &str) -> Result<()> {
        match self.holds(owner) {
            true => Ok(()),
            false => Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("must be owner of {kind} {name}"))),
        }
    }

    pub fn must_own_relation(&self, relation: &Relation) -> Result<()> {
        self.must_own(relation.owner, relation_word(relation), &relation.name)
    }

    /// 42501 unless the role may create in the schema.
    pub fn may_create_in(&self, schema: Oid) -> Result<()> {
        let name = self.catalog.schema(schema).map(|schema| schema.name.clone()).unwrap_or_default();
        match self.privileges(AclTarget::Schema(schema)).has(Privileges::CREATE) {
            true => Ok(()),
            false => Err(denied("schema", &name)),
        }
    }
}

pub fn denied_connect(database: &str) -> Error {
    denied("database", &format!("\"{database}\"")).detail("User does not have CONNECT privilege.")
}

pub fn denied(kind: &str, name: &str) -> Error {
    Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied for {kind} {name}"))
}

/// The word that messages about rights use.
pub fn relation_word(relation: &Relation) -> &'static str {
    match relation.kind {
        RelationKind::Composite => "type",
        _ => relation.kind_name(),
    }
}
