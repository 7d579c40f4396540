//! A session of a database in this process.

use std::sync::Arc;

use engine::{Cluster, ConnectOptions, Session, session::Outcome};
use server::background::Pace;
use types::{Error, Result, text_format::datum_to_text};

use super::{Canceller, Connection, Handler};

pub(crate) struct Local {
    session: Session,
    user: String,
    database: String,
}

impl Local {
    pub(crate) fn connect(cluster: &Arc<Cluster>, user: &str, database: &str) -> Result<Local> {
        let options = ConnectOptions {
            user: user.to_owned(),
            database: Some(database.to_owned()),
            settings: vec![("application_name".into(), "heliosdb-nano".into())],
            ..ConnectOptions::default()
        };
        Ok(Local { session: cluster.connect(options)?, user: user.to_owned(), database: database.to_owned() })
    }

    async fn run_statements(&mut self, sql: &str, handler: &mut dyn Handler) -> Result<()> {
        let statements = self.session.parse(sql)?;
        for (at, statement) in statements.iter().enumerate() {
            let outcome = self.session.execute(sql, statement, Arc::from([])).await;
            self.notices(handler);
            let tag = self.outcome(outcome?, handler).await?;
            self.session.finish_statement(at + 1 == statements.len()).await?;
            self.notices(handler);
            if let Some(tag) = tag {
                handler.complete(&tag)?;
            }
        }
        Ok(())
    }

    async fn outcome(&mut self, outcome: Outcome, handler: &mut dyn Handler) -> Result<Option<String>> {
        let session = &mut self.session;
        Ok(match outcome {
            Outcome::Rows(mut rows) => {
                handler.columns(rows.columns.iter().map(|column| (column.name.to_string(), column.ty.oid.0)).collect())?;
                let (settings, resolver) = session.formats()?;
                let mut text = String::new();
                while let Some(batch) = session.next_batch(&mut rows)? {
                    for row in 0..batch.len {
                        let mut values = Vec::with_capacity(batch.columns.len());
                        for (column, described) in batch.columns.iter().zip(rows.columns.iter()) {
                            if column.is_null(row) {
                                values.push(None);
                                continue;
                            }
                            text.clear();
                            datum_to_text(&column.datum(row), described.ty, &settings, &*resolver, &mut text);
                            values.push(Some(text.clone()));
                        }
                        handler.row(values)?;
                    }
                }
                Some(rows.tag())
            }
            Outcome::Command(tag) => Some(tag),
            Outcome::Empty => None,
            Outcome::CopyOut(mut copy) => {
                let (mut data, mut ends) = (Vec::new(), Vec::new());
                let mut pace = session.is_dump().then(Pace::begin);
                while copy.next(session, &mut data, &mut ends)? {
                    handler.copy_out(&data)?;
                    pace.iter_mut().for_each(Pace::rest_here);
                    data.clear();
                    ends.clear();
                }
                Some(copy.tag())
            }
            Outcome::CopyIn(mut copy) => {
                let mut piece = Vec::new();
                loop {
                    piece.clear();
                    match handler.copy_in(&mut piece) {
                        Ok(true) => session.feed_copy_in(&mut copy, &piece)?,
                        Ok(false) => break,
                        Err(error) => return Err(session.fail_copy_in(error)),
                    }
                }
                Some(session.finish_copy_in(&mut copy).await?)
            }
        })
    }

    fn notices(&mut self, handler: &mut dyn Handler) {
        for (level, notice) in self.session.take_notices() {
            handler.notice(&format!("{level:?}").to_ascii_uppercase(), &notice);
        }
    }
}

impl Connection for Local {
    fn run(&mut self, sql: &str, handler: &mut dyn Handler) -> Result<()> {
        let done = pollster::block_on(self.run_statements(sql, handler));
        // A handler's own error has left the transaction as it was.
        let done = done.map_err(|error: Error| self.session.refuse_message(error));
        let ended = pollster::block_on(self.session.finish_script());
        loop {
            let notifications = self.session.take_notifications();
            for notification in &notifications {
                handler.notification(&notification.channel, &notification.payload, notification.pid);
            }
            if notifications.is_empty() {
                return done.and(ended);
            }
        }
    }

    fn status(&self) -> char {
        match self.session.transaction_status() {
            engine::session::TransactionStatus::Idle => 'I',
            engine::session::TransactionStatus::InBlock => 'T',
            engine::session::TransactionStatus::Failed => 'E',
        }
    }

    fn canceller(&self) -> Canceller {
        let (cluster, shared) = (self.session.cluster().clone(), self.session.shared().clone());
        Arc::new(move || cluster.cancel(shared.pid, shared.secret))
    }

    fn user(&self) -> String {
        self.user.clone()
    }

    fn database(&self) -> String {
        self.database.clone()
    }

    fn describe(&self) -> String {
        format!("You are connected to database \"{}\" as user \"{}\" in the memory of this process.", self.database, self.user)
    }
}
