//! Many transactions at once: in one thread, in an order drawn from a seed, and in many threads.

mod promises;
mod serial_order;
mod table_t;
mod threads;
