//! A connection to a server, over TCP, TLS or a Unix socket: the simple query protocol, COPY, SCRAM and passwords.

use std::{
    io::{self, BufReader, BufWriter, Read, Write},
    sync::Arc,
};

use postgres_protocol::authentication::{md5_hash, sasl};
use types::{Error, Result, SqlState};

use super::{
    Canceller, Connection, Handler,
    socket::Socket,
    target::Target,
    tls::{ChannelBinding, SslMode},
};

pub(crate) struct Wire {
    target: Target,
    input: BufReader<Socket>,
    output: BufWriter<Socket>,
    /// Under TLS: its version, and what SCRAM can be bound to.
    tls: Option<(&'static str, Option<Vec<u8>>)>,
    pid: i32,
    secret: i32,
    status: char,
    message: Vec<u8>,
}

/// Longer messages are not believed.
const MAX_MESSAGE: usize = 1 << 30;

impl Wire {
    /// Connects as sslmode asks: `prefer` goes on without TLS, and `allow` with it, when the server does not let the other way in.
    ///
    /// Errors: 08001 with what to do about it, and whatever the server says.
    pub(crate) fn connect(target: &Target) -> Result<Wire> {
        let first = target.tls.mode >= SslMode::Prefer && !target.is_unix();
        match Wire::connect_once(target, first) {
            Err(error)
                if matches!(target.tls.mode, SslMode::Allow | SslMode::Prefer) && !target.is_unix() && is_about_tls(&error) =>
            {
                Wire::connect_once(target, !first).map_err(|_| error)
            }
            done => done,
        }
    }

    fn connect_once(target: &Target, encrypted: bool) -> Result<Wire> {
        let socket = Socket::connect(target, encrypted)?;
        let tls = match &socket {
            Socket::Tls(tls) => Some((tls.version(), tls.end_point())),
            _ => None,
        };
        let lost = |error: io::Error| {
            Error::new(SqlState::CONNECTION_FAILURE, format!("the connection to {} was lost: {error}", target.place()))
        };
        let output = socket.second_handle().map_err(lost)?;
        let mut wire = Wire {
            target: target.clone(),
            input: BufReader::with_capacity(1 << 18, socket),
            output: BufWriter::with_capacity(1 << 18, output),
            tls,
            pid: 0,
            secret: 0,
            status: 'I',
            message: Vec::new(),
        };
        wire.start_up()?;
        Ok(wire)
    }

    fn start_up(&mut self) -> Result<()> {
        let mut body = (3_i32 << 16).to_be_bytes().to_vec();
        let (user, database) = (self.target.user.clone(), self.target.database.clone());
        let settings =
            [("user", &*user), ("database", &*database), ("application_name", "heliosdb-nano"), ("client_encoding", "UTF8")];
        for text in settings.iter().flat_map(|(name, value)| [name, value]) {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        body.push(0);
        let length = (body.len() as i32 + 4).to_be_bytes();
        self.output.write_all(&length).and_then(|()| self.output.write_all(&body)).map_err(|error| self.lost(&error))?;
        let mut exchange = Exchange::default();
        loop {
            match self.next_message()? {
                b'R' => self.authenticate(&mut exchange)?,
                b'K' => {
                    let mut fields = Fields(&self.message);
                    (self.pid, self.secret) = (fields.i32()?, fields.i32()?);
                }
                b'E' => return Err(error_of(&self.message)),
                b'Z' => return Ok(()),
                _ => {}
            }
        }
    }

    fn authenticate(&mut self, exchange: &mut Exchange) -> Result<()> {
        let message = self.message.clone();
        let mut fields = Fields(&message);
        let method = fields.i32()?;
        let failed = |error: io::Error| Error::new(SqlState::INVALID_PASSWORD, format!("authentication failed: {error}"));
        let is_bound_to = self.target.tls.channel_binding;
        if is_bound_to == ChannelBinding::Require && (matches!(method, 3 | 5) || (method == 0 && !exchange.is_bound)) {
            return Err(Error::new(
                SqlState::INVALID_PASSWORD,
                "channel binding is required, but the server has not asked for SCRAM-SHA-256-PLUS",
            ));
        }
        match method {
            // A server that has not shown that it knows the password is not the one that was meant.
            0 if exchange.scram.is_some() => Err(protocol_violation()),
            0 => Ok(()),
            3 => {
                let password = self.password()?;
                self.send(b'p', &[password.as_bytes(), &[0]].concat())
            }
            5 => {
                let salt = fields.0.first_chunk::<4>().copied().ok_or_else(protocol_violation)?;
                let hash = md5_hash(self.target.user.as_bytes(), self.password()?.as_bytes(), salt);
                self.send(b'p', &[hash.as_bytes(), &[0]].concat())
            }
            10 => {
                let offered: Vec<&[u8]> = fields.0.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
                let (mechanism, binding) = self.choose_mechanism(&offered)?;
                let scram = sasl::ScramSha256::new(self.password()?.as_bytes(), binding);
                exchange.is_bound = mechanism == sasl::SCRAM_SHA_256_PLUS;
                let first = exchange.scram.insert(scram).message().to_vec();
                let length = (first.len() as i32).to_be_bytes();
                self.send(b'p', &[mechanism.as_bytes(), &[0], &length[..], &first].concat())
            }
            11 => {
                let scram = exchange.scram.as_mut().ok_or_else(protocol_violation)?;
                scram.update(fields.0).map_err(failed)?;
                let next = scram.message().to_vec();
                self.send(b'p', &next)
            }
            12 => exchange.scram.take().ok_or_else(protocol_violation)?.finish(fields.0).map_err(failed),
            other => Err(Error::unsupported(format!("the server's authentication method {other}"))),
        }
    }

    /// PLUS where both sides can; what is said otherwise lets the server see whether somebody has changed its offer.
    fn choose_mechanism(&self, offered: &[&[u8]]) -> Result<(&'static str, sasl::ChannelBinding)> {
        let wanted = self.target.tls.channel_binding;
        let offers = |name: &str| offered.contains(&name.as_bytes());
        let end_point =
            self.tls.as_ref().and_then(|(_, end_point)| end_point.clone()).filter(|_| wanted != ChannelBinding::Disable);
        match end_point {
            Some(end_point) if offers(sasl::SCRAM_SHA_256_PLUS) => {
                Ok((sasl::SCRAM_SHA_256_PLUS, sasl::ChannelBinding::tls_server_end_point(end_point)))
            }
            _ if wanted == ChannelBinding::Require => Err(Error::new(
                SqlState::INVALID_PASSWORD,
                "channel binding is required, but the server does not offer it on this connection",
            )),
            _ if !offers(sasl::SCRAM_SHA_256) => Err(Error::unsupported("none of the server's SASL authentication mechanisms")),
            Some(_) => Ok((sasl::SCRAM_SHA_256, sasl::ChannelBinding::unrequested())),
            None => Ok((sasl::SCRAM_SHA_256, sasl::ChannelBinding::unsupported())),
        }
    }

    fn password(&self) -> Result<String> {
        self.target.password.clone().ok_or_else(|| {
            Error::new(SqlState::INVALID_PASSWORD, format!("the server wants a password for user \"{}\"", self.target.user))
                .hint("Give it in PGPASSWORD, in ~/.pgpass or in the connection URL.")
        })
    }

    fn lost(&self, error: &io::Error) -> Error {
        Error::new(SqlState::CONNECTION_FAILURE, format!("the connection to {} was lost: {error}", self.target.place()))
    }

    fn put(&mut self, kind: u8, body: &[u8]) -> Result<()> {
        let length = (body.len() as i32 + 4).to_be_bytes();
        let written = self
            .output
            .write_all(&[kind])
            .and_then(|()| self.output.write_all(&length))
            .and_then(|()| self.output.write_all(body));
        written.map_err(|error| self.lost(&error))
    }

    fn send(&mut self, kind: u8, body: &[u8]) -> Result<()> {
        self.put(kind, body)?;
        self.output.flush().map_err(|error| self.lost(&error))
    }

    /// Reads the next message into `self.message`; its kind.
    fn next_message(&mut self) -> Result<u8> {
        self.output.flush().map_err(|error| self.lost(&error))?;
        let mut header = [0; 5];
        self.input.read_exact(&mut header).map_err(|error| self.lost(&error))?;
        let length = i32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        let length = usize::try_from(length).ok().and_then(|length| length.checked_sub(4)).filter(|length| *length < MAX_MESSAGE);
        self.message.resize(length.ok_or_else(protocol_violation)?, 0);
        self.input.read_exact(&mut self.message).map_err(|error| self.lost(&error))?;
        Ok(header[0])
    }

    fn handle(&mut self, kind: u8, handler: &mut dyn Handler) -> Result<()> {
        match kind {
            b'T' => handler.columns(columns_of(&self.message)?),
            b'D' => handler.row(row_of(&self.message)?),
            b'C' => handler.complete(Fields(&self.message).text()?),
            b'd' => handler.copy_out(&self.message),
            b'N' => {
                let severity = field(&self.message, b'V').unwrap_or_else(|| "NOTICE".into());
                handler.notice(&severity, &error_of(&self.message));
                Ok(())
            }
            b'A' => {
                let mut fields = Fields(&self.message);
                let (pid, channel, payload) = (fields.i32()?, fields.text()?, fields.text()?);
                handler.notification(channel, payload, pid);
                Ok(())
            }
            b'E' => Err(error_of(&self.message)),
            b'G' => self.copy_in(handler),
            _ => Ok(()),
        }
    }

    fn copy_in(&mut self, handler: &mut dyn Handler) -> Result<()> {
        let mut piece = Vec::new();
        loop {
            piece.clear();
            match handler.copy_in(&mut piece) {
                Ok(true) => self.put(b'd', &piece)?,
                Ok(false) => return self.send(b'c', &[]),
                Err(error) => {
                    self.send(b'f', &[error.message().as_bytes(), &[0]].concat())?;
                    return Err(error);
                }
            }
        }
    }
}

impl Connection for Wire {
    fn run(&mut self, sql: &str, handler: &mut dyn Handler) -> Result<()> {
        if sql.contains('\0') {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "a query holds a zero byte"));
        }
        self.send(b'Q', &[sql.as_bytes(), &[0]].concat())?;
        // The first error is the one to tell of; the conversation goes on to its end all the same.
        let mut done = Ok(());
        loop {
            let kind = self.next_message()?;
            if kind == b'Z' {
                self.status = self.message.first().map_or('I', |status| char::from(*status));
                return done;
            }
            if done.is_ok() || kind == b'A' {
                done = done.and(self.handle(kind, handler));
            }
        }
    }

    fn status(&self) -> char {
        self.status
    }

    fn canceller(&self) -> Canceller {
        let (target, pid, secret, encrypted) = (self.target.clone(), self.pid, self.secret, self.tls.is_some());
        Arc::new(move || {
            let request = [16_i32, 80_877_102, pid, secret].map(i32::to_be_bytes).concat();
            // A server that cannot be reached has nothing to cancel.
            if let Ok(mut socket) = Socket::connect(&target, encrypted) {
                drop(socket.write_all(&request).and_then(|()| socket.flush()));
            }
        })
    }

    fn user(&self) -> String {
        self.target.user.clone()
    }

    fn database(&self) -> String {
        self.target.database.clone()
    }

    fn describe(&self) -> String {
        let tls = self.tls.as_ref().map(|(version, _)| format!(" with {version}")).unwrap_or_default();
        format!(
            "You are connected to database \"{}\" as user \"{}\" on {}{tls}.",
            self.target.database,
            self.target.user,
            self.target.place()
        )
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The server sees the end of the stream in any case.
        drop(self.send(b'X', &[]));
    }
}

/// The SCRAM exchange under way.
#[derive(Default)]
struct Exchange {
    scram: Option<sasl::ScramSha256>,
    is_bound: bool,
}

/// Whether the other kind of connection may fare better: the handshake failed, or the server lets nobody in this way.
fn is_about_tls(error: &Error) -> bool {
    let is_handshake = error.message().starts_with("TLS: ");
    is_handshake || error.sqlstate() == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
}

fn protocol_violation() -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, "the server does not speak PostgreSQL's protocol")
}

fn columns_of(message: &[u8]) -> Result<Vec<(String, u32)>> {
    let mut fields = Fields(message);
    let count = fields.i16()?;
    (0..count)
        .map(|_| {
            let name = fields.text()?.to_owned();
            fields.take(6)?;
            let ty = fields.i32()? as u32;
            fields.take(8)?;
            Ok((name, ty))
        })
        .collect()
}

fn row_of(message: &[u8]) -> Result<durability::Row> {
    let mut fields = Fields(message);
    let count = fields.i16()?;
    (0..count)
        .map(|_| match usize::try_from(fields.i32()?) {
            Ok(length) => Ok(Some(String::from_utf8_lossy(fields.take(length)?).into_owned())),
            Err(_) => Ok(None),
        })
        .collect()
}

/// A field of an ErrorResponse or NoticeResponse.
fn field(message: &[u8], wanted: u8) -> Option<String> {
    message
        .split(|byte| *byte == 0)
        .find(|field| field.first() == Some(&wanted))
        .map(|field| String::from_utf8_lossy(&field[1..]).into_owned())
}

fn error_of(message: &[u8]) -> Error {
    let code = field(message, b'C').and_then(|code| <[u8; 5]>::try_from(code.as_bytes()).ok()).unwrap_or(*b"XX000");
    let mut error = Error::new(SqlState::from_code(&code), field(message, b'M').unwrap_or_default());
    let fields = error.fields_mut();
    fields.detail = field(message, b'D');
    fields.hint = field(message, b'H');
    fields.context = field(message, b'W');
    fields.position = field(message, b'P').and_then(|position| position.parse().ok());
    error
}

/// What is left of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(protocol_violation)?;
        self.0 = rest;
        Ok(taken)
    }

    fn i16(&mut self) -> Result<i16> {
        let bytes = self.take(2)?;
        Ok(i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn i32(&mut self) -> Result<i32> {
        let bytes = self.take(4)?;
        Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn text(&mut self) -> Result<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(protocol_violation)?;
        let text = std::str::from_utf8(&self.0[..end]).map_err(|_| protocol_violation())?;
        self.0 = &self.0[end + 1..];
        Ok(text)
    }
}
