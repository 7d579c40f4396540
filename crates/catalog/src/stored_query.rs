//! The query of a view: its text, and what every name in the text meant when it was written.
//!
//! The text is never rewritten. A name in it keeps meaning the object it meant then, by identifier: [`Names`](crate::Names) asks
//! [`StoredNames`] first while the text is bound, so that whatever is renamed or moved since, the view follows. The columns of a relation
//! have, within the text, the names they had; columns that came later do not exist for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use types::Oid;

use crate::{Catalog, Name, Relation};

/// A view's query (pg_rewrite.ev_action).
#[derive(Clone, Debug, Default)]
pub struct StoredQuery {
    /// As written, on one line.
    pub text: Arc<str>,
    pub names: Arc<StoredNames>,
    /// The columns that it reads, by relation and position.
    pub columns_read: BTreeSet<(Oid, usize)>,
}

/// A name with its schema, where one was written.
type WrittenName = (Option<Name>, Name);

/// What names meant.
#[derive(Clone, Debug, Default)]
pub struct StoredNames {
    relations: BTreeMap<WrittenName, WrittenRelation>,
    types: BTreeMap<WrittenName, Oid>,
    schemas: BTreeMap<Name, Oid>,
    /// Names and positions of relations' attributes.
    columns: BTreeMap<Oid, Vec<(Name, usize)>>,
    /// pg_enum.oid by type and label.
    labels: BTreeMap<(Oid, Name), Oid>,
}

/// A relation that a text names, and where it was.
#[derive(Clone, Debug)]
struct WrittenRelation {
    oid: Oid,
    schema: Oid,
    name: Name,
}

fn written(schema: Option<&str>, name: &str) -> WrittenName {
    (schema.map(Name::from), Name::from(name))
}

impl StoredNames {
    pub fn relation(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        self.relations.get(&written(schema, name)).map(|relation| relation.oid)
    }

    pub fn type_named(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        self.types.get(&written(schema, name)).copied()
    }

    pub fn schema(&self, name: &str) -> Option<Oid> {
        self.schemas.get(name).copied()
    }

    pub fn label(&self, ty: Oid, label: &str) -> Option<Oid> {
        self.labels.get(&(ty, Name::from(label))).copied()
    }

    /// What an attribute was called: None when it did not exist, or its relation is not one that the text names.
    pub fn column(&self, relation: Oid, position: usize) -> Option<&Name> {
        let columns = self.columns.get(&relation)?;
        columns.iter().find(|(_, known)| *known == position).map(|(name, _)| name)
    }

    pub fn knows_columns_of(&self, relation: Oid) -> bool {
        self.columns.contains_key(&relation)
    }

    /// Schema and name that a relation had.
    pub fn place_of(&self, relation: Oid) -> Option<(Oid, &Name)> {
        let found = self.relations.values().find(|known| known.oid == relation)?;
        Some((found.schema, &found.name))
    }

    /// The users' relations that the text names.
    pub fn relations(&self) -> BTreeSet<Oid> {
        self.relations.values().map(|relation| relation.oid).collect()
    }

    /// The users' types that the text names, or has values of.
    pub fn types(&self) -> BTreeSet<Oid> {
        self.types.values().copied().chain(self.labels.keys().map(|(ty, _)| *ty)).collect()
    }
}

/// Writes down what names mean while a text is bound.
#[derive(Debug, Default)]
pub struct NameRecorder(Mutex<StoredNames>);

impl NameRecorder {
    /// What has been written down so far.
    pub fn recorded(&self) -> StoredNames {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut StoredNames)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn relation(&self, schema: Option<&str>, name: &str, relation: &Relation) {
        self.note(|names| {
            let known = WrittenRelation { oid: relation.oid, schema: relation.schema, name: relation.name.clone() };
            names.relations.insert(written(schema, name), known);
        });
        self.columns(relation);
    }

    pub(crate) fn columns(&self, relation: &Relation) {
        let columns = relation.live_attributes().map(|(position, attribute)| (attribute.name.clone(), position)).collect();
        self.note(|names| {
            names.columns.insert(relation.oid, columns);
        });
    }

    pub(crate) fn type_named(&self, schema: Option<&str>, name: &str, oid: Oid, catalog: &Catalog) {
        if catalog.user_type(oid).is_some() {
            self.note(|names| {
                names.types.insert(written(schema, name), oid);
            });
        }
    }

    pub(crate) fn schema(&self, name: &str, oid: Oid) {
        self.note(|names| {
            names.schemas.insert(name.into(), oid);
        });
    }

    pub(crate) fn label(&self, ty: Oid, label: &str, oid: Oid) {
        self.note(|names| {
            names.labels.insert((ty, label.into()), oid);
        });
    }
}
