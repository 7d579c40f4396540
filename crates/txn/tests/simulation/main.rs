//! Many transactions at once: in one thread, in an order drawn from a seed, and in many threads.

// The checker of histories is testkit's; as a module, so that this crate's tests need none of the crates above it.
#[path = "../../../testkit/src/history.rs"]
mod history;
mod list_append;
mod promises;
mod serial_order;
mod table_t;
mod threads;
