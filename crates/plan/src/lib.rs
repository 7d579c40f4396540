//! Plans: what the binder makes, the optimizer improves and the executor runs. Types and printing only; no behaviour.
//!
//! [`logical`] says what a statement means, [`physical`] how it is computed. Both name columns by `expr::ColumnId`, unique within a statement,
//! so that a rule can move an operator without renumbering anything; positions appear only when the executor compiles expressions.

pub mod access;
pub mod analysed;
pub mod comparison;
pub mod deparse;
pub mod explain;
pub mod logical;
mod logical_visit;
pub mod physical;
mod physical_visit;
pub mod statement;

pub use statement::{Bound, OutputColumn, Query, Subplan};
