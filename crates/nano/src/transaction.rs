//! A transaction that ends with its guard.

use std::ops::Deref;

use types::{Error, Result, SqlState};

use crate::Session;

/// An open transaction; dropping it rolls back. Statements run through [`Session`]'s methods.
pub struct Transaction {
    session: Session,
    is_open: bool,
}

impl Transaction {
    pub(crate) fn begin(session: Session) -> Result<Transaction> {
        if session.in_transaction() {
            return Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress"));
        }
        session.execute("BEGIN")?;
        Ok(Transaction { session, is_open: true })
    }

    /// Makes its changes permanent and visible.
    ///
    /// Errors: 40001 and the like, and 25P02 when a statement in it has failed; it is rolled back then.
    pub fn commit(mut self) -> Result<()> {
        self.is_open = false;
        let has_failed = self.session.with(|inner| inner.transaction_status() == engine::session::TransactionStatus::Failed);
        self.session.execute("COMMIT")?;
        if has_failed {
            // SQL's COMMIT quietly rolls a failed transaction back; a caller of commit() must learn of it.
            return Err(Error::new(
                SqlState::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, it has been rolled back",
            ));
        }
        Ok(())
    }

    /// Undoes its changes.
    pub fn rollback(mut self) -> Result<()> {
        self.is_open = false;
        self.session.execute("ROLLBACK").map(|_| ())
    }
}

impl Deref for Transaction {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.is_open && self.session.in_transaction() {
            // A rollback cannot fail; and there would be nobody to tell.
            let _ = self.session.execute("ROLLBACK");
        }
    }
}
