//! Table constraints.

use std::sync::Arc;

use types::Oid;

use crate::Name;

/// A constraint of a table (pg_constraint). NOT NULL is a flag of the attribute, as in PostgreSQL 15.
#[derive(Clone, Debug)]
pub struct Constraint {
    pub oid: Oid,
    pub name: Name,
    pub kind: ConstraintKind,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub validated: bool,
    pub comment: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
pub enum ConstraintKind {
    /// A boolean expression as SQL text; `columns` are the attribute positions it mentions.
    Check {
        expression: Arc<str>,
        columns: Vec<usize>,
        no_inherit: bool,
    },
    PrimaryKey {
        index: Oid,
        columns: Vec<usize>,
    },
    Unique {
        index: Oid,
        columns: Vec<usize>,
    },
    ForeignKey(ForeignKey),
}

/// A foreign key; enforced by plans that the engine makes from it.
#[derive(Clone, Debug)]
pub struct ForeignKey {
    pub columns: Vec<usize>,
    pub referenced: Oid,
    pub referenced_columns: Vec<usize>,
    /// The unique index of the referenced table that it rests on.
    pub referenced_index: Oid,
    /// pg_constraint's letters: a (no action), r (restrict), c (cascade), n (set null), d (set default)
    pub on_update: char,
    pub on_delete: char,
    /// s (simple) or f (full)
    pub match_type: char,
    /// ON DELETE SET NULL (columns)
    pub delete_set_columns: Vec<usize>,
}

impl Constraint {
    /// pg_constraint.contype
    pub fn contype(&self) -> char {
        match self.kind {
            ConstraintKind::Check { .. } => 'c',
            ConstraintKind::PrimaryKey { .. } => 'p',
            ConstraintKind::Unique { .. } => 'u',
            ConstraintKind::ForeignKey(_) => 'f',
        }
    }

    pub fn foreign_key(&self) -> Option<&ForeignKey> {
        match &self.kind {
            ConstraintKind::ForeignKey(key) => Some(key),
            _ => None,
        }
    }

    /// The index behind a primary key or unique constraint.
    pub fn index(&self) -> Option<Oid> {
        match self.kind {
            ConstraintKind::PrimaryKey { index, .. } | ConstraintKind::Unique { index, .. } => Some(index),
            _ => None,
        }
    }
}
