//! LISTEN, UNLISTEN, NOTIFY and their functions, as a session runs them: all of it takes effect when the transaction commits.

use pg_query::protobuf::{ListenStmt, NotifyStmt, UnlistenStmt};
use types::{Datum, Result};

use super::{Outcome, Session, hooks::Hooks, utility::command};
use crate::notification::{ListenAction, Notification};

/// Notifications are taken out of the queue in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;

impl Session {
    pub(crate) fn execute_listen(&mut self, statement: &ListenStmt) -> Result<Outcome> {
        self.at_commit(ListenAction::Listen(statement.conditionname.as_str().into()))?;
        Ok(command("LISTEN"))
    }

    pub(crate) fn execute_unlisten(&mut self, statement: &UnlistenStmt) -> Result<Outcome> {
        self.at_commit(match statement.conditionname.as_str() {
            "" => ListenAction::UnlistenAll,
            channel => ListenAction::Unlisten(channel.into()),
        })?;
        Ok(command("UNLISTEN"))
    }

    pub(crate) fn execute_notify(&mut self, statement: &NotifyStmt) -> Result<Outcome> {
        self.open_transaction()?;
        self.hooks.pending_notifications.lock().notify(&statement.conditionname, &statement.payload)?;
        Ok(command("NOTIFY"))
    }

    /// LISTEN or UNLISTEN when the transaction commits.
    pub(crate) fn at_commit(&mut self, action: ListenAction) -> Result<()> {
        self.open_transaction()?;
        self.hooks.pending_notifications.lock().add_action(action);
        Ok(())
    }

    /// The next notifications for this session, to be asked for until there are none. They come between transactions only.
    pub fn take_notifications(&mut self) -> Vec<Notification> {
        if self.transaction.is_some() || !self.shared.has_notifications() {
            return Vec::new();
        }
        // Whoever adds more from here on says so again.
        self.shared.notifications_seen();
        let found = self.database.notifications.read(self.shared.pid, PIECE_BYTES);
        if !found.is_empty() {
            self.shared.notify_of_more();
        }
        found
    }
}

impl Hooks {
    /// pg_notify and pg_notification_queue_usage by their pg_proc.prosrc; None for other functions.
    pub(super) fn notify_function(&self, source: &str, arguments: &[Datum]) -> Option<Result<Datum>> {
        let text = |at: usize| match arguments.get(at) {
            Some(Datum::Text(text)) => text.to_string(),
            _ => String::new(),
        };
        Some(match source {
            "pg_notify" => self.pending_notifications.lock().notify(&text(0), &text(1)).map(|()| Datum::text("")),
            "pg_notification_queue_usage" => Ok(Datum::Float8(self.database.notifications.usage())),
            _ => return None,
        })
    }

    /// The rows of pg_listening_channels; None for other functions.
    pub(super) fn listening_rows(&self, source: &str) -> Option<Result<Vec<Vec<Datum>>>> {
        (source == "pg_listening_channels").then(|| {
            let channels = self.database.notifications.channels(self.shared.pid);
            Ok(channels.iter().map(|channel| vec![Datum::text(channel)]).collect())
        })
    }
}
