//! Puts one transaction's changes of definitions onto a catalog that others have changed meanwhile.
//!
//! The changes are found by comparing the catalog that the transaction began with and the one it made, object by object: an object that
//! nobody touched is the same `Arc` in both. Objects of different transactions merge; the same object changed twice is refused.

use std::sync::Arc;

use imbl::OrdMap;
use types::{Error, Oid, Result, SqlState};

use crate::{AclTarget, Catalog};

/// What a transaction did to one object.
type Change<'a, K, T> = (K, Option<&'a Arc<T>>);

impl Catalog {
    /// `newest` with what changed between `base` and `mine`.
    ///
    /// Errors: XX000 `tuple concurrently updated` when both changed one object; 23505 when both gave one name, with the message of the
    /// unique index that PostgreSQL has over those names.
    pub fn merge(base: &Catalog, mine: &Catalog, newest: &Catalog) -> Result<Catalog> {
        if base.version == newest.version {
            return Ok(mine.clone());
        }
        let mut merged = newest.clone();
        // A new field of definitions must be merged here: this does not compile until it is named.
        let Catalog {
            version: _,
            lasting_version: _,
            next_oid: _,
            schemas,
            schema_names: _,
            relations,
            relation_names: _,
            referencing: _,
            types,
            type_names: _,
            acls,
        } = mine;
        let schema_changes = changes(&base.schemas, schemas, &newest.schemas)?;
        let relation_changes = changes(&base.relations, relations, &newest.relations)?;
        let type_changes = changes(&base.types, types, &newest.types)?;
        let acl_changes = changes(&base.acls, acls, &newest.acls)?;
        // Old names go before new ones come, so that names may change places.
        for (oid, _) in &relation_changes {
            merged.remove_relation(*oid);
        }
        for (oid, _) in &type_changes {
            merged.remove_type(*oid);
        }
        for (oid, _) in &schema_changes {
            merged.remove_schema(*oid);
        }
        for schema in schema_changes.into_iter().filter_map(|(_, new)| new) {
            if merged.schema_named(&schema.name).is_some() {
                return Err(name_taken("pg_namespace_nspname_index", "nspname", &schema.name, None));
            }
            merged.put_schema(Arc::unwrap_or_clone(Arc::clone(schema)));
        }
        for ty in type_changes.into_iter().filter_map(|(_, new)| new) {
            if merged.user_type_named(ty.schema, &ty.name).is_some() {
                return Err(name_taken("pg_type_typname_nsp_index", "typname, typnamespace", &ty.name, Some(ty.schema)));
            }
            merged.put_type(Arc::unwrap_or_clone(Arc::clone(ty)));
        }
        for relation in relation_changes.into_iter().filter_map(|(_, new)| new) {
            if merged.relation_named(relation.schema, &relation.name).is_some() {
                let columns = "relname, relnamespace";
                return Err(name_taken("pg_class_relname_nsp_index", columns, &relation.name, Some(relation.schema)));
            }
            merged.put_relation(Arc::unwrap_or_clone(Arc::clone(relation)));
        }
        // Removing an object above has forgotten the rights on it: those that did not change come back from the newest catalog.
        let kept = newest.acls.iter().filter(|(target, _)| merged.has_target(target)).map(|(target, acl)| (*target, acl.clone()));
        merged.acls = kept.collect();
        let has_grants = !acl_changes.is_empty();
        for (target, acl) in acl_changes {
            match acl {
                Some(acl) => merged.acls.insert(target, Arc::clone(acl)),
                None => merged.acls.remove(&target),
            };
        }
        // Each put and removal above has noted whether it lasts.
        let lasting = merged.lasting_version;
        merged.changed();
        if !has_grants {
            merged.lasting_version = lasting;
        }
        Ok(merged)
    }

    /// Whether the object that a list of rights is of exists.
    fn has_target(&self, target: &AclTarget) -> bool {
        match target {
            AclTarget::Relation(oid) | AclTarget::Column(oid, _) => {
                self.relation(*oid).is_some() || crate::builtin::builtins().system_relation(*oid).is_some()
            }
            AclTarget::Schema(oid) => self.schema(*oid).is_some(),
            AclTarget::Type(oid) => self.user_type(*oid).is_some() || oid.0 < Oid::FIRST_NORMAL.0,
            AclTarget::Function(_) | AclTarget::Default(..) => true,
        }
    }
}

/// The objects that differ between `base` and `mine`, with their new definition or None for a dropped one.
pub(crate) fn changes<'a, K: Ord + Copy, T>(
    base: &OrdMap<K, Arc<T>>,
    mine: &'a OrdMap<K, Arc<T>>,
    newest: &OrdMap<K, Arc<T>>,
) -> Result<Vec<Change<'a, K, T>>> {
    let mut changes = Vec::new();
    if base.ptr_eq(mine) {
        return Ok(changes);
    }
    let same = |one: Option<&Arc<T>>, other: Option<&Arc<T>>| match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    };
    for (&oid, new) in mine {
        let old = base.get(&oid);
        if !same(old, Some(new)) {
            if !same(old, newest.get(&oid)) {
                return Err(concurrently(newest.contains_key(&oid)));
            }
            changes.push((oid, Some(new)));
        }
    }
    for (&oid, old) in base {
        if !mine.contains_key(&oid) {
            if !same(Some(old), newest.get(&oid)) {
                return Err(concurrently(newest.contains_key(&oid)));
            }
            changes.push((oid, None));
        }
    }
    Ok(changes)
}

fn concurrently(still_there: bool) -> Error {
    Error::internal(if still_there { "tuple concurrently updated" } else { "tuple concurrently deleted" })
}

pub(crate) fn name_taken(index: &str, columns: &str, name: &str, schema: Option<Oid>) -> Error {
    let values = schema.map_or_else(|| name.to_owned(), |schema| format!("{name}, {schema}"));
    Error::new(SqlState::UNIQUE_VIOLATION, format!("duplicate key value violates unique constraint \"{index}\""))
        .detail(format!("Key ({columns})=({values}) already exists."))
        .of_constraint(index)
}

#[cfg(test)]
mod tests {
    use types::Oid;

    use crate::{Catalog, Schema};

    fn add_schema(catalog: &mut Catalog, name: &str) -> Oid {
        let oid = catalog.allocate_oid();
        catalog.put_schema(Schema { oid, name: name.into(), owner: Oid::BOOTSTRAP_ROLE, comment: None });
        oid
    }

    #[test]
    fn changes_of_different_objects_both_survive() {
        let base = Catalog::new();
        let (mut mine, mut theirs) = (base.clone(), base.clone());
        let one = add_schema(&mut mine, "one");
        let two = add_schema(&mut theirs, "two");
        mine.remove_schema(Oid::PUBLIC_NAMESPACE);
        assert_ne!(one, two);
        let merged = Catalog::merge(&base, &mine, &theirs).expect("they touch different objects");
        assert!(merged.schema_named("one").is_some() && merged.schema_named("two").is_some());
        assert!(merged.schema_named("public").is_none());
        assert_ne!(merged.version(), theirs.version());
    }

    #[test]
    fn one_name_or_one_object_is_not_changed_twice() {
        let base = Catalog::new();
        let (mut mine, mut theirs) = (base.clone(), base.clone());
        add_schema(&mut mine, "s");
        add_schema(&mut theirs, "s");
        let error = Catalog::merge(&base, &mine, &theirs).expect_err("the name is taken");
        assert_eq!(error.message(), "duplicate key value violates unique constraint \"pg_namespace_nspname_index\"");
        assert_eq!(error.fields().detail.as_deref(), Some("Key (nspname)=(s) already exists."));
        let (mut mine, mut theirs) = (base.clone(), base.clone());
        mine.remove_schema(Oid::PUBLIC_NAMESPACE);
        theirs.remove_schema(Oid::PUBLIC_NAMESPACE);
        assert!(Catalog::merge(&base, &mine, &theirs).is_err());
    }
}
