//! Types made by users: enums, domains, composite types and the arrays of all of them.

use std::sync::Arc;

use types::{EnumLabel, Oid, SqlType};

use crate::{Constraint, Name};

/// A user's type (pg_type).
#[derive(Clone, Debug)]
pub struct UserType {
    pub oid: Oid,
    pub schema: Oid,
    pub name: Name,
    pub owner: Oid,
    pub kind: UserTypeKind,
    /// The type of arrays of it; zero for an array type itself.
    pub array_type: Oid,
    pub comment: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
pub enum UserTypeKind {
    Enum(EnumDefinition),
    /// A domain: its base type (with physical form), default and CHECK constraints over VALUE.
    Domain {
        base: SqlType,
        not_null: bool,
        default: Option<Arc<str>>,
        constraints: Vec<Constraint>,
        collation: Oid,
    },
    /// The row type of this relation.
    Composite {
        relation: Oid,
    },
    /// The array of this element type.
    Array {
        element: SqlType,
    },
    /// CREATE TYPE name; without a definition yet.
    Shell,
}

/// Labels in their order.
#[derive(Clone, Debug, Default)]
pub struct EnumDefinition {
    pub labels: Vec<Arc<EnumLabel>>,
}
