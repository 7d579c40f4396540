//! Sequence definitions. Their current values are not transactional and live outside the catalog value.

use types::SqlType;

/// A sequence's parameters (pg_sequence).
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceDefinition {
    pub ty: SqlType,
    pub start: i64,
    pub increment: i64,
    pub minimum: i64,
    pub maximum: i64,
    pub cache: i64,
    pub cycle: bool,
}
