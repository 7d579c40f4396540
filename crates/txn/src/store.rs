//! The published value of one database and the only door to change it.

use std::sync::Arc;

use catalog::Catalog;

use crate::{DatabaseState, Transaction, transaction::TransactionOptions};

/// One database: its newest committed value, locks, sequences and commit log. Shared by all sessions as an `Arc`.
#[derive(Debug)]
pub struct Store {}

impl Store {
    /// A store whose first value has this catalog and no rows.
    pub fn new(_catalog: Catalog) -> Arc<Store> {
        unreachable!("written with the transaction layer")
    }

    /// A store that begins as a copy of another's newest value (CREATE DATABASE ... TEMPLATE), sequences included. O(1) in the rows.
    pub fn fork(&self) -> Arc<Store> {
        unreachable!("written with the transaction layer")
    }

    /// The newest committed value.
    pub fn snapshot(&self) -> DatabaseState {
        unreachable!("written with the transaction layer")
    }

    /// Begins a transaction for the backend of this pid (what pg_locks shows).
    pub fn begin(self: &Arc<Store>, _options: TransactionOptions, _pid: i32) -> Transaction {
        unreachable!("written with the transaction layer")
    }
}
