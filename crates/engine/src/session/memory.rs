//! What a session holds in memory beyond its statements' working memory: its transaction's changes, and what is to be sent.

use std::sync::Arc;

use executor::{Reservation, batch_size};
use expr::Batch;
use txn::{StatementWrites, TableWrites};
use types::{Oid, Result};

use super::Session;

impl Session {
    /// For memory to be counted as this session's for as long as the reservation lives.
    pub fn reservation(&self) -> Reservation {
        Reservation::new(Some(self.shared.memory.clone()))
    }

    /// Errors: 53200 when a piece of a result cannot be made ready to be sent: it is there once more as the client gets it.
    pub fn check_room_to_send(&self, batch: &Batch) -> Result<()> {
        /// Written and forgotten at once, and within what is counted for every session.
        const SMALL: usize = 16 * 1024;
        let bytes = batch_size(batch);
        if bytes < SMALL { Ok(()) } else { self.shared.memory.check(bytes.saturating_mul(2)) }
    }

    /// Counts memory as the open transaction's, until it ends.
    ///
    /// Errors: 53200.
    pub(crate) fn grow_transaction(&mut self, bytes: usize) -> Result<()> {
        self.open_transaction()?.memory.grow(bytes)
    }

    /// Errors: 53200 when another user owns a table and has no room for what it is to take.
    pub(crate) fn check_owners(&mut self, writes: &StatementWrites, memory: &Reservation) -> Result<()> {
        if writes.tables.is_empty() {
            return Ok(());
        }
        let me = self.shared.role.oid;
        let catalog = self.open_transaction()?.txn.catalog();
        let adds = |table: &&TableWrites| !table.inserts.is_empty() || !table.updates.is_empty();
        for table in writes.tables.iter().filter(adds) {
            let owner = catalog.relation(table.relation).map_or(Oid::INVALID, |relation| relation.owner);
            if owner != me && owner != Oid::INVALID {
                let name = self.shared.roles().role(owner).map(|role| Arc::clone(&role.name));
                self.cluster.memory.user(owner, name.as_ref()).check(memory.bytes() / 2)?;
            }
        }
        Ok(())
    }

    /// The changes are staged: they are the transaction's now, with their memory.
    pub(crate) fn take_staged(&mut self, writes: &StatementWrites, memory: Reservation) -> Result<()> {
        let open = self.open_transaction()?;
        if writes.tables.is_empty() {
            return Ok(());
        }
        open.memory.absorb(memory);
        let catalog = open.txn.catalog();
        for table in &writes.tables {
            let indexes = catalog.relation(table.relation).map_or(0, |relation| relation.indexes.len());
            open.written.add(table, indexes);
        }
        Ok(())
    }
}
