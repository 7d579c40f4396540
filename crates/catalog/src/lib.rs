//! The catalog: definitions of schemas, relations, types, functions and sequences, as one persistent value.
//!
//! Built-in objects (types, functions, operators, casts, the shapes of `pg_catalog`) are facts read once per process from `data/*.tsv`
//! ([`builtin`]); objects made by users live in [`Catalog`], whose clone is O(1).
//!
//! **Invariants.** Every change bumps [`Catalog::version`]; plans are cached against it. Names are unique per schema among relations
//! and, separately, among types.
//! **Does not know** rows, expressions' meaning (they are kept as SQL text) or sessions.

pub mod acl;
pub mod builtin;
pub mod catalog;
pub mod constraint;
pub mod dependencies;
pub mod index;
mod merge;
pub mod relation;
pub mod role;
pub mod sequence;
pub mod stored_query;
pub mod type_names;
pub mod user_type;

pub use acl::{Acl, AclItem, AclKind, AclTarget, Privileges};
pub use catalog::{Catalog, Schema};
pub use constraint::{Constraint, ConstraintKind, ForeignKey};
pub use dependencies::{Dependency, Object, Removal, Strength};
pub use index::{IndexColumn, IndexDefinition, IndexKey};
pub use relation::{Attribute, GeneratedKind, IdentityKind, Persistence, Relation, RelationKind};
pub use role::{Role, Roles};
pub use sequence::SequenceDefinition;
pub use stored_query::{NameRecorder, StoredNames, StoredQuery};
pub use type_names::{NamedRelation, Names};
pub use user_type::{EnumDefinition, UserType, UserTypeKind};

/// An object's name.
pub type Name = std::sync::Arc<str>;
