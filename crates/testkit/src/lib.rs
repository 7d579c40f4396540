//! What tests of the whole product share: runners of SQL scripts, a server within the test's
//! process, and a checker of concurrent histories. For development only.
//!
//! The scripts are in `tests/slt` of the repository; those under `pg/` hold PostgreSQL 15's own answers and can be run against one:
//! `TESTKIT_POSTGRES="host=... port=..." cargo test -p heliosdb-testkit --test scripts`.

pub mod history;
pub mod scripts;
pub mod test_server;

pub use test_server::TestServer;
