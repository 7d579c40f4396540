//! Sockets: accepting connections, and stopping.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use engine::Cluster;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::{
    audit::Audit,
    authentication::{AuthOptions, Failures},
    connection::Connection,
    event_loops::EventLoops,
    stream::ClientStream,
    tls::TlsIdentity,
};

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub listen: IpAddr,
    /// 0 lets the system choose.
    pub port: u16,
    /// Directory of the Unix socket `.s.PGSQL.<port>`; None for no socket.
    pub socket_dir: Option<PathBuf>,
    pub access: AccessOptions,
}

/// What is in force for clients that come now; may change while the server runs ([`Access::replace`]).
#[derive(Clone, Debug)]
pub struct AccessOptions {
    pub max_connections: usize,
    pub auth: AuthOptions,
    /// A client that has not proved who it is within this time is cut off.
    pub authentication_timeout: std::time::Duration,
    /// None refuses TLS.
    pub tls: Option<TlsIdentity>,
}

/// Changes what is in force for the clients of a server.
#[derive(Clone)]
pub struct Access(Arc<Shared>);

impl Access {
    /// Clients that have come keep what they came under.
    pub fn replace(&self, options: AccessOptions) {
        self.0.access.store(Arc::new(options));
    }

    /// Records in this trail from now on, or in none.
    pub fn record_in(&self, audit: Option<Audit>) {
        self.0.audit.store(audit.map(Arc::new));
    }

    /// Waits until all that was recorded is in its file.
    pub fn finish_audit(&self) {
        if let Some(audit) = &*self.0.audit.load() {
            audit.finish();
        }
    }
}

/// A server that listens.
pub struct Server {
    tcp: TcpListener,
    unix: Option<(UnixListener, PathBuf)>,
    shared: Arc<Shared>,
    loops: EventLoops,
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) connections: AtomicUsize,
    /// Those of them that have become sessions: only they take places from others.
    pub(crate) sessions: AtomicUsize,
    pub(crate) access: ArcSwap<AccessOptions>,
    pub(crate) failures: Failures,
    pub(crate) audit: ArcSwapOption<Audit>,
}

/// The place of a session, given back when it ends.
pub(crate) struct Place(Arc<Shared>);

impl Shared {
    /// Takes a place among the sessions; None when so many are taken.
    pub(crate) fn take_place(self: &Arc<Shared>, places: usize) -> Option<Place> {
        let place = Place(self.clone());
        (self.sessions.fetch_add(1, Ordering::AcqRel) < places).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Server {
    /// Binds the sockets.
    ///
    /// Errors: the address is in use or may not be bound; the socket's directory is missing.
    pub async fn bind(cluster: Arc<Cluster>, options: &ServerOptions) -> io::Result<Server> {
        let tcp = TcpListener::bind((options.listen, options.port)).await?;
        let port = tcp.local_addr()?.port();
        let unix = match &options.socket_dir {
            Some(directory) => Some(bind_unix(directory.join(format!(".s.PGSQL.{port}"))).await?),
            None => None,
        };
        let shared = Shared {
            cluster,
            connections: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            access: ArcSwap::from_pointee(options.access.clone()),
            failures: Failures::default(),
            audit: ArcSwapOption::empty(),
        };
        Ok(Server { tcp, unix, shared: Arc::new(shared), loops: EventLoops::start()? })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    pub fn access(&self) -> Access {
        Access(self.shared.clone())
    }

    pub fn socket_path(&self) -> Option<&PathBuf> {
        self.unix.as_ref().map(|(_, path)| path)
    }

    /// Accepts connections until `stop` is ready; then ends all sessions and waits for them, a few seconds at most.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, address)) => self.start_tcp(stream, address),
                    Err(error) => pause_after(&error).await,
                },
                accepted = accept_unix(self.unix.as_ref()) => match accepted {
                    Ok(stream) => self.start_unix(stream),
                    Err(error) => pause_after(&error).await,
                },
            }
        }
        self.shut_down().await;
    }

    fn start_tcp(&self, stream: TcpStream, address: SocketAddr) {
        // Small answers go out at once: Nagle's algorithm would hold them back.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "the client has gone already");
        }
        let shared = self.shared.clone();
        match stream.into_std() {
            Ok(stream) => self.loops.spawn(async move {
                match TcpStream::from_std(stream) {
                    Ok(stream) => Connection::new(ClientStream::Tcp(stream), Some(address), shared).run().await,
                    Err(error) => tracing::warn!(%error, "a connection could not be served"),
                }
            }),
            Err(error) => tracing::warn!(%error, "a connection could not be handed to its event loop"),
        }
    }

    fn start_unix(&self, stream: UnixStream) {
        let shared = self.shared.clone();
        match stream.into_std() {
            Ok(stream) => self.loops.spawn(async move {
                match UnixStream::from_std(stream) {
                    Ok(stream) => Connection::new(ClientStream::Unix(stream), None, shared).run().await,
                    Err(error) => tracing::warn!(%error, "a connection could not be served"),
                }
            }),
            Err(error) => tracing::warn!(%error, "a connection could not be handed to its event loop"),
        }
    }

    async fn shut_down(self) {
        for session in self.shared.cluster.sessions() {
            session.terminate();
        }
        if let Some((_, path)) = &self.unix
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::debug!(%error, "the socket file has gone already");
        }
        for _ in 0..300 {
            if self.shared.connections.load(Ordering::Acquire) == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

async fn bind_unix(path: PathBuf) -> io::Result<(UnixListener, PathBuf)> {
    match UnixListener::bind(&path) {
        Ok(listener) => Ok((listener, path)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            // A socket file that nobody answers on was left by a server that was killed.
            if UnixStream::connect(&path).await.is_ok() {
                return Err(error);
            }
            std::fs::remove_file(&path)?;
            Ok((UnixListener::bind(&path)?, path))
        }
        Err(error) => Err(error),
    }
}

async fn accept_unix(unix: Option<&(UnixListener, PathBuf)>) -> io::Result<UnixStream> {
    match unix {
        Some((listener, _)) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// Out of file descriptors or the like: accepting again at once would only spin.
async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
}
