//! The executor: runs physical plans against an immutable view, a batch of rows at a time.
//!
//! 1. [`Prepared::new`] compiles a plan once: every expression against the layout of its operator's input. It is immutable and shared by
//!    sessions and executions.
//! 2. [`Prepared::open`] makes an [`Execution`]: operators with their running state, the view's tables ([`Tables`]), parameters.
//! 3. [`Execution::next_batch`] pulls rows through the operators, one file each, until there are none.
//! 4. A data-modifying statement computes all its changes from the same view; [`Execution::writes`] hands them over when the rows are exhausted.
//!
//! **Invariants.** Nothing here changes a table or waits for a lock. An error leaves nothing behind.
//! **Does not know** SQL text, sessions, transactions' rules, sockets.

mod append;
mod cte;
mod delete;
mod distinct;
mod execution;
mod filter;
mod function_scan;
mod hash_aggregate;
mod hash_join;
mod index_scan;
mod insert;
mod instrument;
mod key_table;
mod limit;
mod lock_rows;
mod memory;
mod nested_loop;
mod new_row;
mod node;
mod on_conflict;
mod prepared;
mod project;
mod project_set;
mod quicksort;
mod read_notes;
mod recursive_union;
mod row_key;
mod run;
mod scan_columns;
mod set_operation;
mod sort;
mod sort_key;
mod subplan;
mod system_scan;
mod table_scan;
#[cfg(test)]
mod tests;
mod update;
mod values;
mod window;

pub use execution::Execution;
pub use instrument::{Instrumentation, NodeStatistics};
pub use memory::{MemoryBudget, Reservation, batch_size};
pub use node::Held;
pub use prepared::Prepared;
pub use run::Tables;

/// Rows that operators aim to pass at a time.
pub(crate) const BATCH_ROWS: usize = 1024;
/// A batch of rows that are made one by one ends when it holds so much.
pub(crate) const BATCH_BYTES: usize = 1024 * 1024;
