//! What belongs to a role: ALTER ... OWNER TO, REASSIGN OWNED, DROP OWNED, and what keeps a role from being dropped.

use std::sync::Arc;

use catalog::{Acl, AclKind, AclTarget, Catalog, Relation, Schema, UserType, type_names::Names};
use pg_query::protobuf::{DropBehavior, DropOwnedStmt, ReassignOwnedStmt};
use types::{Error, Oid, Result, SqlState};

use super::role::role_specs;
use crate::{
    access::relation_word,
    session::{Outcome, Session, utility::command},
};

/// Sets an object's owner, with what follows it: indexes, owned sequences, row types, and the rights granted on it.
pub(super) fn put_owner(catalog: &mut Catalog, target: AclTarget, owner: Oid) {
    if let AclTarget::Type(oid) = target
        && let Some(catalog::UserTypeKind::Composite { relation }) = catalog.user_type(oid).map(|ty| ty.kind.clone())
        && let Some(relation) = catalog.relation(relation).cloned()
    {
        put_relation_owner(catalog, &relation, owner);
    }
    let old = match target {
        AclTarget::Schema(oid) => catalog.schema(oid).cloned().map(|schema| {
            catalog.put_schema(Schema { owner, ..Schema::clone(&schema) });
            schema.owner
        }),
        AclTarget::Type(oid) => catalog.user_type(oid).cloned().map(|ty| {
            catalog.put_type(UserType { owner, ..UserType::clone(&ty) });
            if let Some(array) = catalog.user_type(ty.array_type).cloned() {
                catalog.put_type(UserType { owner, ..UserType::clone(&array) });
            }
            ty.owner
        }),
        AclTarget::Relation(oid) => catalog.relation(oid).cloned().map(|relation| {
            put_relation_owner(catalog, &relation, owner);
            relation.owner
        }),
        AclTarget::Column(..) | AclTarget::Function(_) | AclTarget::Default(..) => None,
    };
    let Some(old) = old else { return };
    let concerned: Vec<(AclTarget, Arc<Acl>)> = catalog
        .acls()
        .filter(|(known, _)| {
            **known == target || matches!((known, target), (AclTarget::Column(of, _), AclTarget::Relation(oid)) if *of == oid)
        })
        .map(|(known, acl)| (*known, acl.clone()))
        .collect();
    for (known, acl) in concerned {
        catalog.put_acl(known, Some(acl.with_owner(old, owner)));
    }
}

fn put_relation_owner(catalog: &mut Catalog, relation: &Relation, owner: Oid) {
    catalog.put_relation(Relation { owner, ..relation.clone() });
    for ty in [relation.row_type, relation.row_array_type] {
        if let Some(ty) = catalog.user_type(ty).cloned() {
            catalog.put_type(UserType { owner, ..UserType::clone(&ty) });
        }
    }
    let followers: Vec<Oid> = catalog
        .relations()
        .filter(|other| {
            relation.indexes.contains(&other.oid) || other.owned_by.is_some_and(|(table, _, _)| table == relation.oid)
        })
        .map(|other| other.oid)
        .collect();
    for follower in followers {
        put_owner(catalog, AclTarget::Relation(follower), owner);
    }
}

/// Objects of this database that a role owns, those that follow another left out.
fn owned_objects(catalog: &Catalog, role: Oid) -> Vec<AclTarget> {
    let schemas = catalog.schemas().filter(|schema| schema.owner == role).map(|schema| AclTarget::Schema(schema.oid));
    let relations = catalog
        .relations()
        .filter(|relation| relation.owner == role && !matches!(relation.relkind(), 'i' | 'c') && relation.owned_by.is_none())
        .map(|relation| AclTarget::Relation(relation.oid));
    let types = catalog.user_types().filter(|ty| {
        let is_row_type = match &ty.kind {
            catalog::UserTypeKind::Composite { relation } => catalog.relation(*relation).is_none_or(|of| of.relkind() != 'c'),
            catalog::UserTypeKind::Array { .. } => true,
            _ => false,
        };
        ty.owner == role && !is_row_type
    });
    schemas.chain(relations).chain(types.map(|ty| AclTarget::Type(ty.oid))).collect()
}

/// How messages call an object.
fn described(names: &Names, target: AclTarget) -> String {
    let (catalog, search_path) = (&names.catalog, &names.search_path);
    let qualified = |schema: Oid, name: &str| match catalog.schema(schema) {
        Some(found) if !search_path.contains(&schema) => format!("{}.{name}", found.name),
        _ => name.to_owned(),
    };
    match target {
        AclTarget::Schema(oid) => format!("schema {}", catalog.schema(oid).map_or("?", |schema| &schema.name)),
        AclTarget::Relation(oid) => catalog.relation(oid).map_or_else(
            || format!("relation {oid}"),
            |relation| format!("{} {}", relation_word(relation), qualified(relation.schema, &relation.name)),
        ),
        AclTarget::Column(oid, position) => match catalog.relation(oid) {
            Some(relation) => {
                let column = relation.attributes.get(position).map_or("?", |attribute| &attribute.name);
                format!("column {column} of {} {}", relation_word(relation), qualified(relation.schema, &relation.name))
            }
            None => format!("column of relation {oid}"),
        },
        AclTarget::Type(oid) => {
            catalog.user_type(oid).map_or_else(|| format!("type {oid}"), |ty| format!("type {}", qualified(ty.schema, &ty.name)))
        }
        AclTarget::Function(oid) => match ::catalog::builtin::builtins().function(oid) {
            Some(function) => format!("function {}", names.function_signature(function)),
            None => format!("function {oid}"),
        },
        AclTarget::Default(role, schema, kind) => {
            let objects = match kind {
                AclKind::Sequence => "sequences",
                AclKind::Function => "functions",
                AclKind::Type => "types",
                AclKind::Schema => "schemas",
                _ => "relations",
            };
            let within = catalog.schema(schema).map_or_else(String::new, |schema| format!(" in schema {}", schema.name));
            let role = names.role_name(role).unwrap_or_else(|| role.to_string().into());
            format!("default privileges on new {objects} belonging to role {role}{within}")
        }
    }
}

/// Where messages list an object: by its identifier. Default privileges have none and come last.
fn place(target: AclTarget) -> (Oid, usize) {
    match target {
        AclTarget::Relation(oid) | AclTarget::Schema(oid) | AclTarget::Type(oid) | AclTarget::Function(oid) => (oid, 0),
        AclTarget::Column(oid, position) => (oid, position + 1),
        AclTarget::Default(..) => (Oid(u32::MAX), 0),
    }
}

/// What keeps a role from being dropped, as messages tell it.
pub(super) fn dependents(session: &mut Session, role: Oid) -> Result<Vec<String>> {
    let names = session.names()?;
    let roles = session.shared.roles();
    let catalog = &names.catalog;
    let mut found = Vec::new();
    for (oid, access) in roles.databases() {
        let name = session.cluster.databases().iter().find(|database| database.oid == *oid).map(|database| database.name.clone());
        let Some(name) = name else { continue };
        if access.owner == role {
            found.push(((*oid, 0), format!("owner of database {name}")));
        } else if access.acl.as_ref().is_some_and(|acl| acl.mentions(role)) {
            found.push(((*oid, 0), format!("privileges for database {name}")));
        }
    }
    let owned = owned_objects(catalog, role).into_iter();
    found.extend(owned.map(|target| (place(target), format!("owner of {}", described(&names, target)))));
    for (target, _) in catalog.acls().filter(|(_, acl)| acl.mentions(role)) {
        let owns = match target {
            AclTarget::Relation(oid) | AclTarget::Column(oid, _) => catalog.relation(*oid).is_some_and(|of| of.owner == role),
            AclTarget::Schema(oid) => catalog.schema(*oid).is_some_and(|of| of.owner == role),
            AclTarget::Type(oid) => catalog.user_type(*oid).is_some_and(|of| of.owner == role),
            _ => false,
        };
        if owns {
            continue;
        }
        found.push((place(*target), format!("privileges for {}", described(&names, *target))));
    }
    found.sort();
    let mut lines: Vec<String> = found.into_iter().map(|(_, line)| line).collect();
    // Objects of other databases are counted, as PostgreSQL does.
    for database in session.cluster.databases().iter().filter(|database| database.oid != session.database.oid) {
        let other = database.store.catalog();
        let count = owned_objects(&other, role).len() + other.acls().filter(|(_, acl)| acl.mentions(role)).count();
        match count {
            0 => {}
            1 => lines.push(format!("1 object in database {}", database.name)),
            count => lines.push(format!("{count} objects in database {}", database.name)),
        }
    }
    Ok(lines)
}

impl Session {
    fn owners(&mut self, nodes: &[pg_query::protobuf::Node], verb: &str) -> Result<Vec<Oid>> {
        let mut owners = Vec::new();
        for spec in role_specs(nodes) {
            let role = self.role_of(Some(spec))?;
            let me = self.current_role().oid;
            if !self.shared.roles().has_rights_of(me, role.oid) {
                return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied to {verb} objects")));
            }
            if role.oid == Oid::BOOTSTRAP_ROLE {
                let message =
                    format!("cannot {verb} objects owned by role {} because they are required by the database system", role.name);
                return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
            }
            owners.push(role.oid);
        }
        Ok(owners)
    }

    pub(super) fn reassign_owned(&mut self, statement: &ReassignOwnedStmt) -> Result<Outcome> {
        let owners = self.owners(&statement.roles, "reassign")?;
        let new = self.role_of(statement.newrole.as_ref())?;
        let me = self.current_role().oid;
        if !self.shared.roles().has_rights_of(me, new.oid) {
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, "permission denied to reassign objects"));
        }
        self.open_transaction()?.gives_away = true;
        self.open_transaction()?.txn.change_schema(|change| {
            for owner in &owners {
                for target in owned_objects(change.catalog, *owner) {
                    put_owner(change.catalog, target, new.oid);
                }
            }
            Ok(())
        })?;
        let database = self.database.name.clone();
        if owners.contains(&self.shared.roles().database(self.database.oid).owner) {
            self.set_database_owner(&database, new.oid)?;
        }
        Ok(command("REASSIGN OWNED"))
    }

    pub(super) async fn drop_owned(&mut self, statement: &DropOwnedStmt) -> Result<Outcome> {
        let owners = self.owners(&statement.roles, "drop")?;
        let catalog = self.names()?.catalog.clone();
        let doomed: Vec<AclTarget> = owners.iter().flat_map(|owner| owned_objects(&catalog, *owner)).collect();
        let cascade = statement.behavior() == DropBehavior::DropCascade;
        self.drop_targets(&doomed, cascade)?;
        self.open_transaction()?.txn.change_schema(|change| {
            for owner in &owners {
                let concerned: Vec<(AclTarget, Arc<Acl>)> = change
                    .catalog
                    .acls()
                    .filter(|(_, acl)| acl.mentions(*owner))
                    .map(|(target, acl)| (*target, acl.clone()))
                    .collect();
                for (target, acl) in concerned {
                    let is_own_default = matches!(target, AclTarget::Default(role, ..) if role == *owner);
                    change.catalog.put_acl(target, (!is_own_default).then(|| acl.without_role(*owner)));
                }
            }
            Ok(())
        })?;
        let database = self.database.oid;
        self.change_roles(|roles| {
            let mut access = roles.database(database);
            if let Some(acl) = &access.acl {
                let without = owners.iter().fold(Acl::clone(acl), |acl, owner| acl.without_role(*owner));
                access.acl = Some(Arc::new(without));
                roles.put_database(database, access);
            }
            Ok(())
        })?;
        Ok(command("DROP OWNED"))
    }
}
