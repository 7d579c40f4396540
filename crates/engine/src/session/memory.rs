//! What a session holds in memory beyond its statements' working memory: its transaction's changes, and what is to be sent.

use std::sync::Arc;

use executor::{Reservation, batch_size};
use expr::Batch;
use txn::{StatementWrites, TableWrites};
use types::{Oid, Physical, Result, SqlType};

use super::Session;

/// What follows a comma within a value's text may become an element of an array or a document.
const ELEMENT_BYTES: usize = 120;

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

    /// Errors: 53200 when the value of a parameter would not find room: an array or a document takes many times its text.
    pub fn check_room_for_parameter(&self, bytes: &[u8], ty: SqlType) -> Result<()> {
        /// Within what is counted with the message.
        const SHORT: usize = 64 * 1024;
        const COPIES: usize = 3;
        if bytes.len() < SHORT {
            return Ok(());
        }
        let elements = if ty.physical == Physical::Any { bytes.iter().filter(|byte| **byte == b',').count() } else { 0 };
        self.shared.memory.check(COPIES * bytes.len() + ELEMENT_BYTES * elements)
    }

    /// Errors: 53200 when a long text would not find room for its parse tree and its plan.
    pub(crate) fn check_room_to_parse(&self, sql: &str) -> Result<()> {
        /// Within what the server keeps free.
        const SHORT: usize = 64 * 1024;
        /// A text is there several times: as it came, for the parser, as literals.
        const COPIES: usize = 10;
        /// What a word, number or literal becomes: a node of the parser's, one of the tree, an expression.
        const NODE_BYTES: usize = 1800;
        /// What recursion over a deep tree may take.
        const STACK_BYTES: usize = 48 * 1024 * 1024;
        if binder::parse::may_be_deep(sql) {
            self.cluster.memory.check_process(STACK_BYTES)?;
        }
        if sql.len() < SHORT {
            return Ok(());
        }
        let (words, elements) = words_and_elements(sql);
        self.shared.memory.check(COPIES * sql.len() + NODE_BYTES * words + ELEMENT_BYTES * elements)
    }

    /// Errors: 53200 when a commit, which may copy what snapshots share with it, would not find room.
    pub(crate) fn check_room_to_commit(&self, bytes: usize) -> Result<()> {
        /// Within what the server keeps free.
        const SMALL: usize = 1024 * 1024;
        if bytes < SMALL { Ok(()) } else { self.cluster.memory.check_process(bytes) }
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

/// Words, numbers and literals of a statement, about: a literal is one, whatever is in it; and the commas in literals.
fn words_and_elements(sql: &str) -> (usize, usize) {
    let (mut words, mut elements, mut in_literal, mut in_word) = (0, 0, false, false);
    for byte in sql.bytes() {
        if byte == b'\'' {
            in_literal = !in_literal;
            words += usize::from(in_literal);
            in_word = false;
        } else if in_literal {
            elements += usize::from(byte == b',');
        } else {
            let is_word = byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'_' | b'"' | b'$' | b'.');
            words += usize::from(is_word && !in_word);
            in_word = is_word;
        }
    }
    (words, elements)
}

#[cfg(test)]
mod tests {
    use super::words_and_elements;

    #[test]
    fn literals_count_once() {
        assert_eq!(words_and_elements("SELECT 'a b, c', 1.5, x.y FROM \"t\""), (6, 1));
        assert_eq!(words_and_elements("VALUES (1,'it''s'),(2,'')"), (6, 0));
    }
}
