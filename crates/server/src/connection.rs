//! One connection: reads messages as they come, runs them, gathers the answers, writes when there is nothing left to read.

use std::{
    io,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use bytes::BytesMut;
use engine::{Session, limits::IdleEnd, session::TransactionStatus};
use futures::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};
use types::{Error, SqlState};

use crate::{
    audit::{Audit, Running, Who},
    authentication::AuthMethod,
    copy::CopyState,
    listener::{AccessOptions, Shared},
    offload::BlockInPlace,
    protocol::{
        backend::{self, Severity},
        frontend::{self, Message},
    },
    startup::Started,
    stream::ClientStream,
};

/// Answers are written early once there are so many bytes of them.
pub(crate) const FLUSH_BYTES: usize = 64 * 1024;
/// So many clients may be starting beside those who have sessions, and as many as may have sessions once more.
const STARTING_BEYOND: usize = 64;
/// The end of a TLS connection is announced no longer than this.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(1);

/// A client's connection.
pub(crate) struct Connection {
    pub(crate) stream: ClientStream,
    /// None over the Unix socket.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) shared: Arc<Shared>,
    /// What was in force when the client came.
    pub(crate) access: Arc<AccessOptions>,
    /// Whose statements the audit trail records.
    pub(crate) who: Arc<Who>,
    /// The statement that is to be recorded when it ends.
    pub(crate) running: Option<Running>,
    /// When its session began.
    since: Option<Instant>,
    /// Received and not yet decoded.
    pub(crate) input: BytesMut,
    /// Answers not yet written.
    pub(crate) output: Vec<u8>,
    /// After an error in the extended protocol: everything up to Sync is skipped.
    pub(crate) skip_to_sync: bool,
    /// The COPY FROM STDIN under way.
    pub(crate) copy: Option<CopyState>,
    /// Set when somebody ends the session.
    terminated: Arc<Notify>,
    /// Set when others have notified the session.
    notified: Arc<Notify>,
    /// Since when the client has said nothing.
    silent_since: Option<Instant>,
    /// For `input`, when it is large.
    input_memory: Option<engine::memory::Reservation>,
}

/// What to do after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Continue,
    Close,
}

impl Connection {
    pub(crate) fn new(stream: ClientStream, address: Option<SocketAddr>, shared: Arc<Shared>) -> Connection {
        let access = shared.access.load_full();
        Connection {
            stream,
            address,
            shared,
            access,
            who: Arc::default(),
            running: None,
            since: None,
            input: BytesMut::with_capacity(4096),
            output: Vec::with_capacity(4096),
            skip_to_sync: false,
            copy: None,
            terminated: Arc::new(Notify::new()),
            notified: Arc::new(Notify::new()),
            silent_since: None,
            input_memory: None,
        }
    }

    /// Serves the client until it leaves, is ended, or breaks the protocol.
    pub(crate) async fn run(mut self) {
        let shared = self.shared.clone();
        let before = shared.connections.fetch_add(1, Ordering::AcqRel);
        let outcome = AssertUnwindSafe(self.serve(before)).catch_unwind().await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection broke"),
            Err(_) => {
                // The session is gone, its transaction rolled back; the client is told and others go on.
                self.output.clear();
                let error = Error::internal("the session met an internal error and was ended")
                    .hint("This is a bug: please report it with the statement that was running.");
                backend::error_response(&mut self.output, Severity::Fatal, &error);
                if let Err(error) = self.flush().await {
                    tracing::debug!(%error, "the client left before it could be told");
                }
            }
        }
        self.running = None;
        if let (Some(audit), Some(since)) = (&*shared.audit.load(), self.since) {
            audit.disconnected(&self.who, since);
        }
        if self.stream.is_encrypted() {
            // The client learns that nothing was cut off; whether it still listens does not matter.
            let _ = tokio::time::timeout(FAREWELL, self.stream.shutdown()).await;
        }
        shared.connections.fetch_sub(1, Ordering::AcqRel);
    }

    async fn serve(&mut self, connections_before: usize) -> io::Result<()> {
        // Who has not proved who he is takes nobody's place, but there is an end to how many may try at once.
        if connections_before >= STARTING_BEYOND + 2 * self.access.max_connections {
            return self.turn_away(&too_many()).await;
        }
        let session = match self.start().await? {
            Started::Over => return Ok(()),
            Started::Refused(error) => return self.turn_away(&error).await,
            Started::Session(session) => session,
        };
        // One place more is kept for an administrator who has proved to be one.
        let is_administrator = session.is_administrator() && self.access.auth.method != AuthMethod::Trust;
        let Some(_place) = self.shared.take_place(self.access.max_connections + usize::from(is_administrator)) else {
            return self.turn_away(&too_many()).await;
        };
        let mut session = session;
        session.set_offload(Arc::new(BlockInPlace));
        let terminated = self.terminated.clone();
        session.shared().on_terminate(move || terminated.notify_one());
        let notified = self.notified.clone();
        session.shared().on_notify(move || notified.notify_one());
        self.welcome(&session);
        self.since = Some(Instant::now());
        let shared = session.shared();
        let tls = shared.tls.as_ref().map(|tls| tls.version);
        self.who = Arc::new(Who {
            session: Some(shared.pid),
            user: shared.role.name.to_string(),
            database: shared.database.to_string(),
            client: self.address,
            tls,
        });
        self.record(|audit, who| audit.connected(who));
        let served = self.message_loop(&mut session).await;
        if session.transaction_status() != TransactionStatus::Idle {
            self.running = None;
            self.record(|audit, who| audit.rolled_back(who, None));
        }
        served
    }

    /// Records something that is not a statement, if there is an audit trail.
    pub(crate) fn record(&self, make: impl FnOnce(&Audit, &Who)) {
        if let Some(audit) = &*self.shared.audit.load() {
            make(audit, &self.who);
        }
    }

    /// Whether there is an audit trail.
    pub(crate) fn is_audited(&self) -> bool {
        self.shared.audit.load().is_some()
    }

    /// A statement begins.
    pub(crate) fn begin_record(&mut self, text: &str) {
        if let Some(audit) = &*self.shared.audit.load() {
            self.running = Running::begin(audit, &self.who, text);
        }
    }

    /// The statement has run.
    pub(crate) fn end_record(&mut self, tag: &str) {
        if let Some(running) = self.running.take() {
            running.done(tag);
        }
    }

    /// Tells a client that it is not let in.
    async fn turn_away(&mut self, error: &Error) -> io::Result<()> {
        self.record(|audit, who| audit.refused(who, error));
        self.refuse(error).await
    }

    async fn refuse(&mut self, error: &Error) -> io::Result<()> {
        backend::error_response(&mut self.output, Severity::Fatal, error);
        self.flush().await
    }

    async fn message_loop(&mut self, session: &mut Session) -> io::Result<()> {
        loop {
            match frontend::decode(&mut self.input) {
                Ok(Some((kind, message))) => {
                    self.silent_since = None;
                    if session.is_terminated() {
                        return self.refuse(&terminated()).await;
                    }
                    if self.handle_message(session, kind, message).await? == Next::Close {
                        return self.flush().await;
                    }
                }
                Ok(None) => {
                    self.forward_notifications(session).await?;
                    self.flush().await?;
                    if let Err(error) = self.count_input(session) {
                        return self.refuse(&error).await;
                    }
                    if self.read_or_expire(session).await? == Next::Close {
                        return Ok(());
                    }
                }
                Err(error) => return self.refuse(&error).await,
            }
        }
    }

    /// Counts the memory of a message that has not come whole.
    fn count_input(&mut self, session: &Session) -> Result<(), Error> {
        /// Within what is counted for every session.
        const SMALL: usize = 16 * 1024;
        if self.input.capacity() <= SMALL {
            self.input_memory = None;
            return Ok(());
        }
        let memory = self.input_memory.get_or_insert_with(|| session.reservation());
        // The buffer doubles when it is full, and what came is there once more as values.
        let wanted = 3 * self.input.capacity();
        memory.shrink(memory.bytes().saturating_sub(wanted));
        memory.grow(wanted.saturating_sub(memory.bytes()))
    }

    /// Waits for the client no longer than it may stay silent.
    async fn read_or_expire(&mut self, session: &mut Session) -> io::Result<Next> {
        let Some((limit, end)) = session.idle_limit() else { return self.read_more().await };
        // What others notify meanwhile does not count as the client's.
        let silent = self.silent_since.get_or_insert_with(Instant::now).elapsed();
        match tokio::time::timeout(limit.saturating_sub(silent), self.read_more()).await {
            Ok(read) => read,
            Err(_) => match end {
                IdleEnd::Session(error) => {
                    self.refuse(&error).await?;
                    Ok(Next::Close)
                }
                IdleEnd::Transaction => {
                    self.silent_since = None;
                    session.expire_transaction();
                    self.record(|audit, who| audit.rolled_back(who, Some(SqlState::from_code(b"25P04"))));
                    Ok(Next::Continue)
                }
            },
        }
    }

    /// Waits for bytes from the client, for notifications, or for the session's end.
    async fn read_more(&mut self) -> io::Result<Next> {
        tokio::select! {
            biased;
            read = self.stream.read_buf(&mut self.input) => Ok(if read? == 0 { Next::Close } else { Next::Continue }),
            () = self.terminated.notified() => {
                self.refuse(&terminated()).await?;
                Ok(Next::Close)
            }
            () = self.notified.notified() => Ok(Next::Continue),
        }
    }

    async fn handle_message(&mut self, session: &mut Session, kind: u8, message: types::Result<Message>) -> io::Result<Next> {
        if self.skip_to_sync && !matches!(kind, b'S' | b'X') {
            return Ok(Next::Continue);
        }
        let is_extended = matches!(kind, b'P' | b'B' | b'D' | b'E' | b'C' | b'S' | b'H');
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                let error = session.refuse_message(error);
                self.report(session, &error);
                if is_extended {
                    self.skip_to_sync = true;
                } else {
                    self.ready(session);
                }
                return Ok(Next::Continue);
            }
        };
        if self.copy.is_some() {
            return self.handle_copy(session, message).await;
        }
        match message {
            Message::Query(sql) => self.simple_query(session, &sql).await?,
            Message::Terminate => return Ok(Next::Close),
            Message::Sync => {
                self.skip_to_sync = false;
                if let Err(error) = session.sync().await {
                    self.record(|audit, who| audit.rolled_back(who, Some(error.sqlstate())));
                    self.report(session, &error);
                }
                self.ready(session);
            }
            Message::Flush => self.flush().await?,
            // Left over from a COPY that failed: PostgreSQL ignores them too.
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail(_) => {}
            Message::FunctionCall => {
                self.report(session, &Error::unsupported("the FunctionCall message").hint("Use SELECT function(...)."));
                self.ready(session);
            }
            extended => {
                if let Err(error) = self.extended(session, extended).await? {
                    self.report(session, &error);
                    self.skip_to_sync = true;
                }
            }
        }
        if session.is_terminated() {
            return Ok(Next::Close);
        }
        Ok(Next::Continue)
    }

    /// Notices and changed settings, then the error.
    pub(crate) fn report(&mut self, session: &mut Session, error: &Error) {
        if let Some(running) = self.running.take() {
            running.failed(error);
        }
        self.forward_notices(session);
        let severity = if error.sqlstate() == SqlState::ADMIN_SHUTDOWN { Severity::Fatal } else { Severity::Error };
        backend::error_response(&mut self.output, severity, error);
    }

    pub(crate) fn forward_notices(&mut self, session: &mut Session) {
        for (level, notice) in session.take_notices() {
            backend::notice_response(&mut self.output, level, &notice);
        }
    }

    /// What others have notified, when the session is between transactions.
    async fn forward_notifications(&mut self, session: &mut Session) -> io::Result<()> {
        loop {
            let notifications = session.take_notifications();
            if notifications.is_empty() {
                return Ok(());
            }
            for notification in &notifications {
                backend::notification_response(&mut self.output, notification);
            }
            self.flush_if_full().await?;
        }
    }

    /// The end of a query or of a pipeline; nothing for a session that is over, whose connection is closed next.
    pub(crate) fn ready(&mut self, session: &mut Session) {
        if session.is_terminated() {
            return;
        }
        self.forward_notices(session);
        for (name, value) in session.take_changed_settings() {
            backend::parameter_status(&mut self.output, name, &value);
        }
        for notification in session.take_notifications() {
            backend::notification_response(&mut self.output, &notification);
        }
        let status: TransactionStatus = session.transaction_status();
        backend::ready_for_query(&mut self.output, status);
    }

    /// Writes what has gathered.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let (stream, output) = (&mut self.stream, &self.output);
        let written = async {
            stream.write_all(output).await?;
            // What TLS has encrypted and not yet sent.
            stream.flush().await
        };
        tokio::select! {
            biased;
            written = written => written?,
            () = self.terminated.notified() => return Err(io::Error::other("ended while the client did not read")),
        }
        self.output.clear();
        if self.output.capacity() > 4 * FLUSH_BYTES {
            self.output.shrink_to(FLUSH_BYTES);
        }
        Ok(())
    }

    /// Writes when a lot has gathered, so that a large result is never held whole.
    pub(crate) async fn flush_if_full(&mut self) -> io::Result<()> {
        if self.output.len() >= FLUSH_BYTES { self.flush().await } else { Ok(()) }
    }
}

fn too_many() -> Error {
    Error::new(SqlState::TOO_MANY_CONNECTIONS, "too many connections")
}

/// What a session is told that somebody has ended.
fn terminated() -> Error {
    Error::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}
