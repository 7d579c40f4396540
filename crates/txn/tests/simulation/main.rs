//! Many transactions at once: in one thread, in an order drawn from a seed, and in many threads.

mod histories;
// The checker of histories is testkit's; as a module, so that this crate's tests need none of the crates above it.
#[path = "../../../testkit/src/history.rs"]
#[expect(dead_code, unreachable_pub, reason = "the file is a public module of testkit, which also knows of lost connections")]
mod history;
#[cfg(feature = "planted-faults")]
mod planted_faults;
mod promises;
mod serial_order;
mod table_t;
mod threads;
