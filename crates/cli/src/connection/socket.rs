//! The bytes of a connection to a server: TCP, TLS over it, or a Unix socket.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
};

use types::{Error, Result, SqlState};

use super::{
    target::Target,
    tls::{SslMode, TlsSocket},
};

pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(TlsSocket),
}

const SSL_REQUEST: [i32; 2] = [8, 80_877_103];

impl Socket {
    /// Connects, with TLS when `encrypted` says so.
    ///
    /// Errors: 08001 with what to do about it.
    pub(crate) fn connect(target: &Target, encrypted: bool) -> Result<Socket> {
        let refused = |error: io::Error| {
            Error::new(
                SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
                format!("could not connect to {}: {error}", target.place()),
            )
            .hint("Is the server running? Start one with heliosdb-nano start --memory, or name it with --host and --port.")
        };
        if target.is_unix() {
            let path = Path::new(&target.host).join(format!(".s.PGSQL.{}", target.port));
            return UnixStream::connect(path).map(Socket::Unix).map_err(refused);
        }
        let mut stream = TcpStream::connect((target.host.as_str(), target.port)).map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        if !encrypted {
            return Ok(Socket::Tcp(stream));
        }
        let mut answer = [0];
        stream
            .write_all(&SSL_REQUEST.map(i32::to_be_bytes).concat())
            .and_then(|()| stream.read_exact(&mut answer))
            .map_err(refused)?;
        match answer {
            [b'S'] => TlsSocket::connect(stream, &target.host, &target.tls).map(Socket::Tls),
            [b'N'] if target.tls.mode <= SslMode::Prefer => Ok(Socket::Tcp(stream)),
            _ => Err(Error::new(
                SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
                format!("{} does not support TLS, but sslmode asks for it", target.place()),
            )
            .hint("Start the server with --tls-cert and --tls-key, or use sslmode=prefer.")),
        }
    }

    pub(crate) fn second_handle(&self) -> io::Result<Socket> {
        match self {
            Socket::Tcp(stream) => stream.try_clone().map(Socket::Tcp),
            Socket::Unix(stream) => stream.try_clone().map(Socket::Unix),
            Socket::Tls(stream) => Ok(Socket::Tls(stream.clone())),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(bytes),
            Socket::Unix(stream) => stream.read(bytes),
            Socket::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.write(bytes),
            Socket::Unix(stream) => stream.write(bytes),
            Socket::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.flush(),
            Socket::Unix(stream) => stream.flush(),
            Socket::Tls(stream) => stream.flush(),
        }
    }
}
