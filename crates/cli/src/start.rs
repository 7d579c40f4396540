//! `start`: a server in the foreground, from binding its sockets to a clean end at SIGTERM or Ctrl-C.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Instant,
};

use engine::{Cluster, DEFAULT_DATABASE, process::Request};
use rustix::process::{Resource, getrlimit, setrlimit};
use server::{Audit, Server, ServerOptions};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};

use crate::{
    access,
    arguments::StartSettings,
    connection::local::Local,
    dump,
    failure::{Failure, say},
    log::Log,
    pid_file::PidFile,
    progress::ProgressBar,
    reload::{self, InForce},
};

pub(crate) fn start(settings: &StartSettings) -> Result<(), Failure> {
    let started = Instant::now();
    let log = Log::start(&settings.configuration);
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("heliosdb-io")
        .build()
        .map_err(|error| Failure::operation(format!("could not start the network threads: {error}")))?;
    runtime.block_on(serve(settings, log, started))
}

async fn serve(settings: &StartSettings, log: Log, started: Instant) -> Result<(), Failure> {
    let options = ServerOptions {
        listen: settings.listen,
        port: settings.port,
        socket_dir: settings.socket_dir.clone(),
        access: access::options(&settings.configuration)?,
    };
    let audit = settings.configuration.audit().map(|options| Audit::start(&options)).transpose()?;
    // Listened for from the start, so that a signal just after "ready" ends the server cleanly too.
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let hang_up = listen_for(SignalKind::hangup())?;
    let (reload, stop) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let cluster = Arc::new(Cluster::new());
    cluster.set_limits(settings.configuration.limits())?;
    let (reloads, stops) = (reload.clone(), stop.clone());
    cluster.serve_by(Arc::new(move |request| match request {
        Request::Reload => reloads.notify_one(),
        Request::Stop => stops.notify_one(),
    }));
    access::make_users(&cluster, &settings.configuration);
    for user in settings.configuration.users_without_password() {
        say(format_args!(
            "heliosdb-nano: warning: user \"{}\" cannot log in: the password_hash ends in dots; make one with heliosdb-nano hash-password\n",
            user.name
        ));
    }
    if let Some(path) = &settings.restore {
        restore_into(&cluster, path)?;
    }
    let server = Server::bind(cluster.clone(), &options).await.map_err(|error| cannot_listen(&options, &error))?;
    let address = server.address().map_err(|error| cannot_listen(&options, &error))?;
    let _pid_file = settings.pid_file.as_deref().map(PidFile::create).transpose()?;
    serve_metrics(&cluster, settings).await?;
    announce(address, server.socket_path().and_then(|path| path.parent()), started);
    cluster.set_limits(reload::limits(&settings.configuration, address.port()))?;
    let access = server.access();
    access.record_in(audit.clone());
    let mut in_force = InForce {
        configuration: settings.configuration.clone(),
        file: settings.file.clone(),
        flags: settings.flags.clone(),
        cluster: cluster.clone(),
        access: access.clone(),
        log,
        port: address.port(),
        audit,
        dumps: None,
    };
    in_force.schedule_dumps();
    tokio::spawn(in_force.follow(hang_up, reload));
    server
        .run(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = stop.notified() => {}
            }
        })
        .await;
    access.finish_audit();
    let dumped = settings.configuration.last_dump().map_or(Ok(()), |path| dump_from(&cluster, &path));
    if settings.configuration.flag("dump.warn_on_dirty_shutdown") {
        warn_of_dirty_state(&cluster);
    }
    dumped
}

/// Starts the HTTP endpoint, when there is to be one.
async fn serve_metrics(cluster: &Arc<Cluster>, settings: &StartSettings) -> Result<(), Failure> {
    let port = u16::try_from(settings.configuration.number("server.http_port")).unwrap_or(0);
    if port == 0 {
        return Ok(());
    }
    let answers_all = settings.configuration.auth_method() != server::AuthMethod::Trust;
    let endpoint = server::Monitoring::bind(cluster.clone(), settings.listen, port, answers_all).await.map_err(|error| {
        let address = SocketAddr::new(settings.listen, port);
        Failure::operation(format!("could not listen on {address} for HTTP: {error}; choose another with --http-port"))
    })?;
    tokio::spawn(endpoint.run());
    Ok(())
}

/// Says what is lost with the process.
pub(crate) fn warn_of_dirty_state(cluster: &Cluster) {
    for database in cluster.databases() {
        let rows = database.store.dirty().rows;
        if rows > 0 {
            say(format_args!(
                "heliosdb-nano: warning: database \"{}\" ends with changes that no dump holds. Dirty state: YES ({rows} uncommitted changes)\n",
                database.name
            ));
        }
    }
}

/// The superuser's own session, in this process.
pub(crate) const USER: &str = "postgres";

fn restore_into(cluster: &Arc<Cluster>, path: &Path) -> Result<(), Failure> {
    let mut archive = durability::Archive::open(path)?;
    let mut connection = Local::connect(cluster, USER, DEFAULT_DATABASE)?;
    let options = durability::restore::Options::default();
    Ok(crate::restore::apply(&mut connection, &mut archive, &options, &mut ProgressBar::hidden())?)
}

/// The last dump of a server that ends: no session is left to change anything.
fn dump_from(cluster: &Arc<Cluster>, path: &Path) -> Result<(), Failure> {
    let mut connection = Local::connect(cluster, USER, DEFAULT_DATABASE)?;
    let format = dump::format_of(path);
    dump::dump(&mut connection, path, format, false, durability::Compression::Zstd, &[], &mut ProgressBar::hidden())
        .map_err(|error| Failure::operation(format!("the dump at the end failed, and the data are lost: {}", error.message())))
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::operation(format!("could not listen for signals: {error}")))
}

fn cannot_listen(options: &ServerOptions, error: &std::io::Error) -> Failure {
    let socket = match &options.socket_dir {
        Some(directory) => format!(" or on a Unix socket in {}", directory.display()),
        None => String::new(),
    };
    Failure::operation(format!(
        "could not listen on {}{socket}: {error}; choose another with --port, --listen or --socket-dir",
        SocketAddr::new(options.listen, options.port)
    ))
}

/// Says where to connect.
fn announce(address: SocketAddr, socket_dir: Option<&Path>, started: Instant) {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let port = address.port();
    let mut text = format!(
        "HeliosDB Nano {} is ready after {} ms (in memory, process {})\n  postgresql://postgres@{}/{DEFAULT_DATABASE}\n  psql -h {host} -p {port} -U postgres {DEFAULT_DATABASE}\n",
        env!("CARGO_PKG_VERSION"),
        started.elapsed().as_millis(),
        std::process::id(),
        SocketAddr::new(host, port),
    );
    if let Some(directory) = socket_dir {
        text.push_str(&format!("  psql -h {} -p {port} -U postgres {DEFAULT_DATABASE}\n", directory.display()));
    }
    // A server whose standard output is closed serves all the same.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A connection is a descriptor, and the usual soft limit of 1024 is fewer than a server may be asked to hold.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
