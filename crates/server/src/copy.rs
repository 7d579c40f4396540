//! COPY over the wire.

use std::io;

use engine::{
    Session,
    copy::{CopyIn, CopyOut},
};
use types::{Error, SqlState};

use crate::{
    background,
    connection::{Connection, Next},
    protocol::{backend, frontend::Message},
    query::Rest,
};

/// How much of a COPY TO is encoded before it is sent: at once, and then each time.
const FIRST_SLICE_BYTES: usize = 64 << 10;
const SLICE_BYTES: usize = 1 << 20;

/// Encodes about so many bytes; false when there is no more.
fn encode_slice(
    copy: &mut CopyOut,
    session: &mut Session,
    bytes: usize,
    data: &mut Vec<u8>,
    ends: &mut Vec<usize>,
) -> types::Result<bool> {
    while data.len() < bytes {
        if !copy.next(session, data, ends)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A COPY FROM STDIN that the client is sending data for.
pub(crate) struct CopyState {
    pub copy: Box<CopyIn>,
    /// What follows it in a simple query; None in the extended protocol.
    pub rest: Option<Rest>,
}

impl Connection {
    /// Handles a message while data is expected.
    pub(crate) async fn handle_copy(&mut self, session: &mut Session, message: Message) -> io::Result<Next> {
        let Some(mut state) = self.copy.take() else { return Ok(Next::Continue) };
        match message {
            Message::CopyData(data) => {
                if let Err(error) = session.feed_copy_in(&mut state.copy, &data) {
                    self.end_copy(session, state, Err(error)).await?;
                } else {
                    self.copy = Some(state);
                }
            }
            Message::CopyDone => {
                let done = session.finish_copy_in(&mut state.copy).await;
                self.end_copy(session, state, done).await?;
            }
            Message::CopyFail(reason) => {
                let error = Error::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {reason}"));
                let error = session.fail_copy_in(error);
                self.end_copy(session, state, Err(error)).await?;
            }
            // As PostgreSQL: harmless while data comes.
            Message::Flush | Message::Sync => self.copy = Some(state),
            Message::Terminate => return Ok(Next::Close),
            _ => {
                let error = Error::new(SqlState::PROTOCOL_VIOLATION, "unexpected message type during COPY from stdin");
                let error = session.fail_copy_in(error);
                self.end_copy(session, state, Err(error)).await?;
            }
        }
        Ok(Next::Continue)
    }

    async fn end_copy(&mut self, session: &mut Session, state: CopyState, done: types::Result<String>) -> io::Result<()> {
        match (done, state.rest) {
            (Ok(tag), Some(rest)) => {
                let last = rest.statements.as_slice().is_empty();
                match session.finish_statement(last).await {
                    Ok(()) => {
                        self.end_record(&tag);
                        self.forward_notices(session);
                        backend::command_complete(&mut self.output, &tag);
                        Box::pin(self.run_statements(session, rest)).await?;
                    }
                    Err(error) => {
                        self.report(session, &error);
                        self.finish_query(session).await;
                    }
                }
            }
            (Ok(tag), None) => {
                self.end_record(&tag);
                backend::command_complete(&mut self.output, &tag);
            }
            (Err(error), Some(_)) => {
                self.report(session, &error);
                self.finish_query(session).await;
            }
            (Err(error), None) => {
                self.report(session, &error);
                self.skip_to_sync = true;
            }
        }
        Ok(())
    }

    /// Sends all of a COPY TO STDOUT; gives its command tag.
    pub(crate) async fn copy_out(&mut self, session: &mut Session, mut copy: CopyOut) -> io::Result<types::Result<String>> {
        backend::copy_response(&mut self.output, b'H', copy.is_binary(), copy.column_count());
        let (mut data, mut ends) = (Vec::new(), Vec::new());
        let mut pace = session.is_dump().then(background::Pace::begin);
        let mut more = encode_slice(&mut copy, session, FIRST_SLICE_BYTES, &mut data, &mut ends);
        loop {
            let mut start = 0;
            for &end in &ends {
                backend::message(&mut self.output, b'd', |out| out.extend_from_slice(&data[start..end]));
                start = end;
            }
            self.flush_if_full().await?;
            match more {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Ok(Err(error)),
            }
            data.clear();
            ends.clear();
            // So much is no transaction's output: it gives way to them.
            let worked;
            (more, worked) = background::run(|| encode_slice(&mut copy, session, SLICE_BYTES, &mut data, &mut ends));
            if let Some(pace) = &mut pace {
                tokio::time::sleep(pace.rest_after(worked)).await;
            }
        }
        backend::plain(&mut self.output, b'c');
        Ok(Ok(copy.tag()))
    }
}
