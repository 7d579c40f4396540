//! The catalog value and its primitive reads and changes.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use imbl::{HashMap, OrdMap, OrdSet};
use types::Oid;

use crate::{Acl, AclItem, AclKind, AclTarget, Name, Privileges, Relation, UserType, UserTypeKind};

/// A schema (pg_namespace).
#[derive(Clone, Debug)]
pub struct Schema {
    pub oid: Oid,
    pub name: Name,
    pub owner: Oid,
    pub comment: Option<Arc<str>>,
}

/// All definitions of one database. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Unique to this state of definitions within the process: two catalogs of one version are the same.
    pub(crate) version: u64,
    /// The version at which an object that is no session's temporary one last changed.
    pub(crate) lasting_version: u64,
    /// Shared by all clones: identifiers are never given twice, and not given back when a transaction rolls back.
    pub(crate) next_oid: Arc<AtomicU32>,
    pub(crate) schemas: OrdMap<Oid, Arc<Schema>>,
    pub(crate) schema_names: HashMap<Name, Oid>,
    pub(crate) relations: OrdMap<Oid, Arc<Relation>>,
    pub(crate) relation_names: HashMap<(Oid, Name), Oid>,
    /// The relations with foreign keys to one, by the referenced one; follows from `relations`.
    pub(crate) referencing: HashMap<Oid, OrdSet<Oid>>,
    pub(crate) types: OrdMap<Oid, Arc<UserType>>,
    pub(crate) type_names: HashMap<(Oid, Name), Oid>,
    pub(crate) acls: OrdMap<AclTarget, Arc<Acl>>,
}

impl Default for Catalog {
    fn default() -> Catalog {
        Catalog::new()
    }
}

/// Versions come from one counter for the whole process, so that clones that diverge never share one.
static NEXT_VERSION: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);

impl Catalog {
    /// A fresh database: `pg_catalog`, `information_schema`, `pg_toast` and an empty `public`.
    pub fn new() -> Catalog {
        let mut catalog = Catalog {
            version: 0,
            lasting_version: 0,
            next_oid: Arc::new(AtomicU32::new(Oid::FIRST_NORMAL.0)),
            schemas: OrdMap::new(),
            schema_names: HashMap::new(),
            relations: OrdMap::new(),
            relation_names: HashMap::new(),
            referencing: HashMap::new(),
            types: OrdMap::new(),
            type_names: HashMap::new(),
            acls: OrdMap::new(),
        };
        for (oid, name) in [
            (Oid::PG_CATALOG_NAMESPACE, "pg_catalog"),
            (Oid(99), "pg_toast"),
            (Oid::PUBLIC_NAMESPACE, "public"),
            (Oid::INFORMATION_SCHEMA_NAMESPACE, "information_schema"),
        ] {
            // Tools such as pg_dump take any other comment or owner of `public` for a change by the user.
            let is_public = oid == Oid::PUBLIC_NAMESPACE;
            let comment = is_public.then(|| "standard public schema".into());
            let owner = if is_public { Oid::DATABASE_OWNER_ROLE } else { Oid::BOOTSTRAP_ROLE };
            catalog.put_schema(Schema { oid, name: name.into(), owner, comment });
        }
        catalog.put_initial_acls();
        catalog
    }

    /// Everybody may use these schemas; only their owners may create in them.
    fn put_initial_acls(&mut self) {
        for (schema, owner) in [
            (Oid::PG_CATALOG_NAMESPACE, Oid::BOOTSTRAP_ROLE),
            (Oid::PUBLIC_NAMESPACE, Oid::DATABASE_OWNER_ROLE),
            (Oid::INFORMATION_SCHEMA_NAMESPACE, Oid::BOOTSTRAP_ROLE),
        ] {
            let item = |grantee, privileges| AclItem { grantee, grantor: owner, privileges, grantable: Privileges::NONE };
            let items = vec![item(owner, Privileges::SCHEMA), item(Oid::INVALID, Privileges::USAGE)];
            self.put_acl(AclTarget::Schema(schema), Some(Acl { items }));
        }
    }

    /// Changes whenever any definition does.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Changes whenever a definition does that outlives the session which made it.
    pub fn lasting_version(&self) -> u64 {
        self.lasting_version
    }

    pub(crate) fn changed(&mut self) {
        self.version = NEXT_VERSION.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.lasting_version = self.version;
    }

    /// The same for an object in this schema, which may be a session's temporary one.
    fn changed_in(&mut self, schema: Oid) {
        let before = self.lasting_version;
        self.changed();
        if self.is_temporary_schema(schema) {
            self.lasting_version = before;
        }
    }

    /// Whether a schema holds a session's temporary objects.
    pub fn is_temporary_schema(&self, schema: Oid) -> bool {
        self.schema(schema).is_some_and(|schema| is_temporary(&schema.name))
    }

    /// A new object identifier, unique within the database.
    pub fn allocate_oid(&mut self) -> Oid {
        Oid(self.next_oid.fetch_add(1, Ordering::Relaxed))
    }

    /// Keeps identifiers up to this one from being given out (restored databases).
    pub fn reserve_oids(&mut self, up_to: Oid) {
        self.next_oid.fetch_max(up_to.0.saturating_add(1), Ordering::Relaxed);
    }

    /// The same definitions for another database, whose new identifiers are counted apart.
    pub fn fork(&self) -> Catalog {
        let next_oid = Arc::new(AtomicU32::new(self.next_oid.load(Ordering::Relaxed)));
        Catalog { next_oid, ..self.clone() }
    }

    pub fn schema(&self, oid: Oid) -> Option<&Arc<Schema>> {
        self.schemas.get(&oid)
    }

    pub fn schema_named(&self, name: &str) -> Option<&Arc<Schema>> {
        self.schema_names.get(name).and_then(|oid| self.schemas.get(oid))
    }

    pub fn schemas(&self) -> impl Iterator<Item = &Arc<Schema>> {
        self.schemas.values()
    }

    /// Adds a schema or replaces the one of the same oid.
    pub fn put_schema(&mut self, schema: Schema) {
        match self.schemas.get(&schema.oid) {
            Some(old) => drop(self.schema_names.remove(&old.name)),
            None => self.start_with_defaults(AclTarget::Schema(schema.oid), AclKind::Schema, schema.owner, Oid::INVALID),
        }
        self.schema_names.insert(schema.name.clone(), schema.oid);
        let oid = schema.oid;
        self.schemas.insert(oid, Arc::new(schema));
        self.changed_in(oid);
    }

    pub fn remove_schema(&mut self, oid: Oid) -> Option<Arc<Schema>> {
        let schema = self.schemas.get(&oid)?.clone();
        self.changed_in(oid);
        self.schemas.remove(&oid);
        self.schema_names.remove(&schema.name);
        self.acls.remove(&AclTarget::Schema(oid));
        Some(schema)
    }

    pub fn relation(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.relations.get(&oid)
    }

    pub fn relation_named(&self, schema: Oid, name: &str) -> Option<&Arc<Relation>> {
        self.relation_names.get(&(schema, Name::from(name))).and_then(|oid| self.relations.get(oid))
    }

    /// Relations in order of oid.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    /// Adds a relation or replaces the one of the same oid; its name must be free in its schema.
    pub fn put_relation(&mut self, relation: Relation) {
        match self.relations.get(&relation.oid).cloned() {
            Some(old) => {
                self.relation_names.remove(&(old.schema, old.name.clone()));
                self.unlist_foreign_keys(&old);
            }
            None => {
                let kind = match relation.relkind() {
                    'S' => Some(AclKind::Sequence),
                    'r' | 'v' | 'm' => Some(AclKind::Table),
                    _ => None,
                };
                if let Some(kind) = kind {
                    let target = AclTarget::Relation(relation.oid);
                    self.start_with_defaults(target, kind, relation.owner, relation.schema);
                }
            }
        }
        for key in relation.foreign_keys() {
            self.referencing.entry(key.referenced).or_default().insert(relation.oid);
        }
        self.relation_names.insert((relation.schema, relation.name.clone()), relation.oid);
        let schema = relation.schema;
        self.relations.insert(relation.oid, Arc::new(relation));
        self.changed_in(schema);
    }

    pub fn remove_relation(&mut self, oid: Oid) -> Option<Arc<Relation>> {
        let relation = self.relations.remove(&oid)?;
        self.relation_names.remove(&(relation.schema, relation.name.clone()));
        self.forget_relation_acls(oid);
        self.unlist_foreign_keys(&relation);
        self.changed_in(relation.schema);
        Some(relation)
    }

    fn unlist_foreign_keys(&mut self, relation: &Relation) {
        for key in relation.foreign_keys() {
            if let Some(listed) = self.referencing.get_mut(&key.referenced) {
                listed.remove(&relation.oid);
                if listed.is_empty() {
                    self.referencing.remove(&key.referenced);
                }
            }
        }
    }

    /// The relations that have foreign keys to this one, itself included where it has.
    pub fn relations_referencing(&self, referenced: Oid) -> impl Iterator<Item = &Arc<Relation>> {
        let listed = self.referencing.get(&referenced);
        listed.into_iter().flatten().filter_map(|oid| self.relations.get(oid))
    }

    /// A user's type; built-in ones are in [`crate::builtin`].
    pub fn user_type(&self, oid: Oid) -> Option<&Arc<UserType>> {
        self.types.get(&oid)
    }

    pub fn user_type_named(&self, schema: Oid, name: &str) -> Option<&Arc<UserType>> {
        self.type_names.get(&(schema, Name::from(name))).and_then(|oid| self.types.get(oid))
    }

    pub fn user_types(&self) -> impl Iterator<Item = &Arc<UserType>> {
        self.types.values()
    }

    pub fn put_type(&mut self, ty: UserType) {
        match self.types.get(&ty.oid) {
            Some(old) => drop(self.type_names.remove(&(old.schema, old.name.clone()))),
            None if !matches!(ty.kind, UserTypeKind::Array { .. }) => {
                self.start_with_defaults(AclTarget::Type(ty.oid), AclKind::Type, ty.owner, ty.schema);
            }
            None => {}
        }
        self.type_names.insert((ty.schema, ty.name.clone()), ty.oid);
        let schema = ty.schema;
        self.types.insert(ty.oid, Arc::new(ty));
        self.changed_in(schema);
    }

    pub fn remove_type(&mut self, oid: Oid) -> Option<Arc<UserType>> {
        let ty = self.types.remove(&oid)?;
        self.type_names.remove(&(ty.schema, ty.name.clone()));
        self.acls.remove(&AclTarget::Type(oid));
        self.changed_in(ty.schema);
        Some(ty)
    }
}

fn is_temporary(schema: &str) -> bool {
    schema.starts_with("pg_temp_")
}
