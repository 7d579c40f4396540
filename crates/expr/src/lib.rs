//! Bound expressions, the function library, and vectorised evaluation.
//!
//! An [`Expr`] is what the binder makes of SQL text: every name resolved, every type known, every overload chosen. It is compiled against
//! the layout of an operator's input ([`compile::Compiled`]) and evaluated a batch at a time.
//! The signatures, null handling and volatility of functions are facts of `catalog::builtin`; this crate registers what computes them,
//! by `pg_proc.prosrc` name ([`functions`]).
//!
//! **Does not know** plans, storage trees, transactions. What only a session can answer it asks through [`context::SessionHooks`].

pub mod aggregate;
pub mod compile;
pub mod context;
pub mod expression;
pub mod functions;
pub mod set_returning;
mod vector;

pub use aggregate::AggregateCall;
pub use compile::Compiled;
pub use context::EvalContext;
pub use expression::{ColumnId, Expr, SortKey, SubplanId};
pub use storage::Batch;
pub use vector::Vector;
