//! A connection to a server, over TCP or a Unix socket: the simple query protocol, COPY, SCRAM and passwords.

use std::{
    io::{self, BufReader, BufWriter, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    sync::Arc,
};

use postgres_protocol::authentication::{md5_hash, sasl};
use types::{Error, Result, SqlState};

use super::{Canceller, Connection, Handler, target::Target};

/// A socket of either kind.
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn connect(target: &Target) -> io::Result<Socket> {
        if target.host.starts_with('/') {
            return UnixStream::connect(Path::new(&target.host).join(format!(".s.PGSQL.{}", target.port))).map(Socket::Unix);
        }
        let stream = TcpStream::connect((target.host.as_str(), target.port))?;
        stream.set_nodelay(true)?;
        Ok(Socket::Tcp(stream))
    }

    fn second_handle(&self) -> io::Result<Socket> {
        match self {
            Socket::Tcp(stream) => stream.try_clone().map(Socket::Tcp),
            Socket::Unix(stream) => stream.try_clone().map(Socket::Unix),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(bytes),
            Socket::Unix(stream) => stream.read(bytes),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.write(bytes),
            Socket::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.flush(),
            Socket::Unix(stream) => stream.flush(),
        }
    }
}

pub(crate) struct Wire {
    target: Target,
    input: BufReader<Socket>,
    output: BufWriter<Socket>,
    pid: i32,
    secret: i32,
    status: char,
    message: Vec<u8>,
}

/// Longer messages are not believed.
const MAX_MESSAGE: usize = 1 << 30;

impl Wire {
    /// Errors: 08001 with what to do about it, and whatever the server says.
    pub(crate) fn connect(target: &Target) -> Result<Wire> {
        let refused = |error: io::Error| {
            Error::new(
                SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
                format!("could not connect to {}: {error}", place(target)),
            )
            .hint("Is the server running? Start one with heliosdb-nano start --memory, or name it with --host and --port.")
        };
        let socket = Socket::connect(target).map_err(refused)?;
        let output = socket.second_handle().map_err(refused)?;
        let mut wire = Wire {
            target: target.clone(),
            input: BufReader::with_capacity(1 << 18, socket),
            output: BufWriter::with_capacity(1 << 18, output),
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
        let mut scram = None;
        loop {
            match self.next_message()? {
                b'R' => self.authenticate(&mut scram)?,
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

    fn authenticate(&mut self, scram: &mut Option<sasl::ScramSha256>) -> Result<()> {
        let message = self.message.clone();
        let mut fields = Fields(&message);
        let method = fields.i32()?;
        let failed = |error: io::Error| Error::new(SqlState::INVALID_PASSWORD, format!("authentication failed: {error}"));
        match method {
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
                let exchange = sasl::ScramSha256::new(self.password()?.as_bytes(), sasl::ChannelBinding::unsupported());
                let first = exchange.message().to_vec();
                *scram = Some(exchange);
                let length = (first.len() as i32).to_be_bytes();
                self.send(b'p', &[b"SCRAM-SHA-256\0", &length[..], &first].concat())
            }
            11 => {
                let exchange = scram.as_mut().ok_or_else(protocol_violation)?;
                exchange.update(fields.0).map_err(failed)?;
                let next = exchange.message().to_vec();
                self.send(b'p', &next)
            }
            12 => scram.as_mut().ok_or_else(protocol_violation)?.finish(fields.0).map_err(failed),
            other => Err(Error::unsupported(format!("the server's authentication method {other}"))),
        }
    }

    fn password(&self) -> Result<String> {
        self.target.password.clone().ok_or_else(|| {
            Error::new(SqlState::INVALID_PASSWORD, format!("the server wants a password for user \"{}\"", self.target.user))
                .hint("Give it in PGPASSWORD, in ~/.pgpass or in the connection URL.")
        })
    }

    fn lost(&self, error: &io::Error) -> Error {
        Error::new(SqlState::CONNECTION_FAILURE, format!("the connection to {} was lost: {error}", place(&self.target)))
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
        let (target, pid, secret) = (self.target.clone(), self.pid, self.secret);
        Arc::new(move || {
            let request = [16_i32, 80_877_102, pid, secret].map(i32::to_be_bytes).concat();
            // A server that cannot be reached has nothing to cancel.
            drop(Socket::connect(&target).and_then(|mut socket| socket.write_all(&request)));
        })
    }

    fn user(&self) -> String {
        self.target.user.clone()
    }

    fn database(&self) -> String {
        self.target.database.clone()
    }

    fn describe(&self) -> String {
        format!(
            "You are connected to database \"{}\" as user \"{}\" on {}.",
            self.target.database,
            self.target.user,
            place(&self.target)
        )
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The server sees the end of the stream in any case.
        drop(self.send(b'X', &[]));
    }
}

fn place(target: &Target) -> String {
    let kind = if target.host.starts_with('/') { "socket directory" } else { "host" };
    format!("{kind} \"{}\" at port {}", target.host, target.port)
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
