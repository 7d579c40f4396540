//! Relations: tables, views, sequences, indexes and composite types, which share one name space.

use std::sync::Arc;

use storage::TableId;
use types::{Oid, SqlType};

use crate::{Constraint, ForeignKey, IndexDefinition, Name, SequenceDefinition, StoredQuery};

/// pg_class.relpersistence
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    Permanent,
    Unlogged,
    Temporary,
}

/// What a relation is, with what only that kind has.
#[derive(Clone, Debug)]
pub enum RelationKind {
    /// Its rows are under this id in the database state.
    Table {
        storage: TableId,
    },
    View {
        query: Arc<StoredQuery>,
        check_option: Option<Arc<str>>,
    },
    MaterializedView {
        query: Arc<StoredQuery>,
        storage: TableId,
        populated: bool,
    },
    Index(IndexDefinition),
    Sequence(SequenceDefinition),
    /// CREATE TYPE name AS (...)
    Composite,
}

/// A column of a relation (pg_attribute). Its position in [`Relation::attributes`] is `attnum - 1` for ever: dropped ones stay.
#[derive(Clone, Debug)]
pub struct Attribute {
    pub name: Name,
    pub ty: SqlType,
    pub not_null: bool,
    pub dropped: bool,
    /// DEFAULT or GENERATED expression as SQL text that binds with an empty search path.
    pub default: Option<Arc<str>>,
    pub identity: Option<IdentityKind>,
    pub generated: Option<GeneratedKind>,
    pub collation: Oid,
    pub comment: Option<Arc<str>>,
    /// pg_attribute.attstattarget and attoptions are not kept; attstorage only to be shown ('p', 'e', 'm', 'x').
    pub storage: Option<char>,
    /// Inherited or own; own unless the table has parents.
    pub is_local: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    Always,
    ByDefault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeneratedKind {
    Stored,
}

/// A relation (pg_class).
#[derive(Clone, Debug)]
pub struct Relation {
    pub oid: Oid,
    pub schema: Oid,
    pub name: Name,
    pub owner: Oid,
    pub persistence: Persistence,
    pub kind: RelationKind,
    pub attributes: Vec<Attribute>,
    pub constraints: Vec<Constraint>,
    /// Oids of the relations that are its indexes, in order of creation.
    pub indexes: Vec<Oid>,
    /// pg_type.oid of its row type and of that type's array; zero for indexes and sequences' arrays.
    pub row_type: Oid,
    pub row_array_type: Oid,
    /// WITH (...) options, as `name=value`.
    pub options: Vec<Arc<str>>,
    pub comment: Option<Arc<str>>,
    /// Sequences: the table and attribute position (OWNED BY) with which it is dropped, and whether it belongs to an identity column.
    pub owned_by: Option<(Oid, usize, bool)>,
}

impl Relation {
    /// The live attribute of this name, with its position.
    pub fn attribute(&self, name: &str) -> Option<(usize, &Attribute)> {
        self.attributes.iter().enumerate().find(|(_, attribute)| !attribute.dropped && &*attribute.name == name)
    }

    /// Live attributes with their positions.
    pub fn live_attributes(&self) -> impl Iterator<Item = (usize, &Attribute)> {
        self.attributes.iter().enumerate().filter(|(_, attribute)| !attribute.dropped)
    }

    /// Its foreign keys, in the order of its constraints.
    pub fn foreign_keys(&self) -> impl Iterator<Item = &ForeignKey> {
        self.constraints.iter().filter_map(Constraint::foreign_key)
    }

    /// The query of a view, materialized or not.
    pub fn query(&self) -> Option<&Arc<StoredQuery>> {
        match &self.kind {
            RelationKind::View { query, .. } | RelationKind::MaterializedView { query, .. } => Some(query),
            _ => None,
        }
    }

    /// Where its rows are, when it has rows.
    pub fn storage(&self) -> Option<TableId> {
        match &self.kind {
            RelationKind::Table { storage } | RelationKind::MaterializedView { storage, .. } => Some(*storage),
            _ => None,
        }
    }

    /// pg_class.relkind
    pub fn relkind(&self) -> char {
        match self.kind {
            RelationKind::Table { .. } => 'r',
            RelationKind::View { .. } => 'v',
            RelationKind::MaterializedView { .. } => 'm',
            RelationKind::Index(_) => 'i',
            RelationKind::Sequence(_) => 'S',
            RelationKind::Composite => 'c',
        }
    }

    /// The word error messages use: "table", "view", "index", ...
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            RelationKind::Table { .. } => "table",
            RelationKind::View { .. } => "view",
            RelationKind::MaterializedView { .. } => "materialized view",
            RelationKind::Index(_) => "index",
            RelationKind::Sequence(_) => "sequence",
            RelationKind::Composite => "composite type",
        }
    }
}
