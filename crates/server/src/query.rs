//! The simple query protocol: a text of any number of statements.

use std::{io, sync::Arc};

use engine::{Session, session::Outcome};
use expr::Batch;
use types::Error;

use crate::{
    connection::{Connection, FLUSH_BYTES},
    copy::CopyState,
    protocol::{backend, rows::RowEncoder},
};

/// The statements of a query text still to be run after a COPY FROM STDIN.
pub(crate) struct Rest {
    pub sql: String,
    pub statements: std::vec::IntoIter<engine::session::ParsedStatement>,
}

impl Connection {
    pub(crate) async fn simple_query(&mut self, session: &mut Session, sql: &str) -> io::Result<()> {
        session.drop_unnamed();
        self.begin_record(sql);
        if let Some(outcome) = session.execute_shaped(sql).await {
            let done = match outcome {
                Ok(outcome) => self.send_outcome(session, outcome, true).await?,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                self.report(session, &error);
            }
            self.finish_query(session).await;
            return Ok(());
        }
        let parsed = session.parse(sql);
        if parsed.is_ok()
            && let Some(running) = self.running.take()
        {
            running.forget();
        }
        match parsed {
            Ok(statements) if statements.is_empty() => {
                backend::plain(&mut self.output, b'I');
                self.finish_query(session).await;
                Ok(())
            }
            Ok(statements) => {
                let rest = Rest { sql: sql.to_owned(), statements: statements.into_iter() };
                self.run_statements(session, rest).await
            }
            Err(error) => {
                self.report(session, &error);
                self.finish_query(session).await;
                Ok(())
            }
        }
    }

    /// Runs statements to the end, the first error, or a COPY FROM STDIN, which the rest waits for.
    pub(crate) async fn run_statements(&mut self, session: &mut Session, mut rest: Rest) -> io::Result<()> {
        while let Some(statement) = rest.statements.next() {
            let last = rest.statements.as_slice().is_empty();
            let text = rest.sql.get(statement.location..statement.location + statement.length);
            self.begin_record(text.unwrap_or(&rest.sql));
            let outcome = session.execute(&rest.sql, &statement, Arc::from([])).await;
            let outcome = match outcome {
                Ok(Outcome::CopyIn(copy)) => {
                    self.forward_notices(session);
                    backend::copy_response(&mut self.output, b'G', copy.is_binary(), copy.column_count());
                    self.copy = Some(CopyState { copy, rest: Some(rest) });
                    return self.flush().await;
                }
                other => other,
            };
            let done = match outcome {
                Ok(outcome) => self.send_outcome(session, outcome, last).await?,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                self.report(session, &error);
                break;
            }
        }
        self.finish_query(session).await;
        Ok(())
    }

    /// Ends a query text: what is left of an implicit transaction, then ReadyForQuery.
    pub(crate) async fn finish_query(&mut self, session: &mut Session) {
        if let Err(error) = session.finish_script().await {
            self.record(|audit, who| audit.rolled_back(who, Some(error.sqlstate())));
            self.report(session, &error);
        }
        self.ready(session);
    }

    /// Sends a batch, a buffer full at a time: a result is never held whole, and a client that reads nothing is waited for.
    pub(crate) async fn send_rows(
        &mut self,
        session: &mut Session,
        encoder: &mut RowEncoder,
        batch: &Batch,
    ) -> io::Result<Result<(), Error>> {
        if let Err(error) = session.check_room_to_send(batch) {
            return Ok(Err(error));
        }
        let mut row = 0;
        while row < batch.len {
            row = encoder.encode_some(batch, row, FLUSH_BYTES, &mut self.output);
            self.flush_if_full().await?;
        }
        Ok(Ok(()))
    }

    /// Sends a statement's result; its transaction, if implicit, commits before the command tag goes out.
    async fn send_outcome(&mut self, session: &mut Session, outcome: Outcome, last: bool) -> io::Result<Result<(), Error>> {
        let tag = match outcome {
            Outcome::Rows(mut rows) => {
                let types = session.wire_types(&rows.columns);
                let formats: &[i16] = if rows.is_binary { &[1] } else { &[] };
                backend::row_description(&mut self.output, &rows.columns, &types, formats);
                let (settings, resolver) = match session.formats() {
                    Ok(formats) => formats,
                    Err(error) => return Ok(Err(error)),
                };
                let mut encoder = RowEncoder::new(&rows.columns, formats, settings, resolver);
                loop {
                    match session.next_batch(&mut rows) {
                        Ok(Some(batch)) => {
                            if let Err(error) = self.send_rows(session, &mut encoder, &batch).await? {
                                return Ok(Err(session.refuse_message(error)));
                            }
                        }
                        Ok(None) => break,
                        Err(error) => return Ok(Err(error)),
                    }
                }
                Some(rows.tag())
            }
            Outcome::CopyOut(copy) => match self.copy_out(session, *copy).await? {
                Ok(tag) => Some(tag),
                Err(error) => return Ok(Err(error)),
            },
            Outcome::Command(tag) => Some(tag),
            Outcome::Empty => None,
            Outcome::CopyIn(_) => return Ok(Err(Error::internal("a COPY FROM STDIN in the wrong place"))),
        };
        if let Err(error) = session.finish_statement(last).await {
            return Ok(Err(error));
        }
        self.forward_notices(session);
        match tag {
            Some(tag) => {
                self.end_record(&tag);
                backend::command_complete(&mut self.output, &tag);
            }
            None => backend::plain(&mut self.output, b'I'),
        }
        Ok(Ok(()))
    }
}
