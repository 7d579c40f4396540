//! `start`: a server in the foreground, from binding its sockets to a clean end at SIGTERM or Ctrl-C.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{Cluster, DEFAULT_DATABASE};
use rustix::process::{Resource, getrlimit, setrlimit};
use server::{AccessOptions, AuthOptions, Server, ServerOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};

use catalog::{Role, role::Membership};
use types::Oid;

use crate::{
    arguments::StartSettings, configuration::Configuration, connection::local::Local, dump, failure::Failure, pid_file::PidFile,
    progress::ProgressBar,
};

pub(crate) fn start(settings: &StartSettings) -> Result<(), Failure> {
    let started = Instant::now();
    let level = settings.configuration.text("logging.level");
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level)),
        )
        .init();
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("heliosdb-io")
        .build()
        .map_err(|error| Failure::operation(format!("could not start the network threads: {error}")))?;
    runtime.block_on(serve(settings, started))
}

async fn serve(settings: &StartSettings, started: Instant) -> Result<(), Failure> {
    let options = ServerOptions {
        listen: settings.listen,
        port: settings.port,
        socket_dir: settings.socket_dir.clone(),
        access: access_options(&settings.configuration)?,
    };
    // Listened for from the start, so that a signal just after "ready" ends the server cleanly too.
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let cluster = Arc::new(Cluster::new());
    cluster.set_limits(settings.configuration.limits())?;
    make_users(&cluster, &settings.configuration);
    for user in settings.configuration.users_without_password() {
        eprintln!(
            "heliosdb-nano: warning: user \"{}\" cannot log in: the password_hash ends in dots; make one with heliosdb-nano hash-password",
            user.name
        );
    }
    if let Some(path) = &settings.restore {
        restore_into(&cluster, path)?;
    }
    let server = Server::bind(cluster.clone(), &options).await.map_err(|error| cannot_listen(&options, &error))?;
    let address = server.address().map_err(|error| cannot_listen(&options, &error))?;
    let _pid_file = settings.pid_file.as_deref().map(PidFile::create).transpose()?;
    announce(address, server.socket_path().and_then(|path| path.parent()), started);
    if let Some(schedule) = settings.configuration.dump_schedule() {
        tokio::spawn(schedule.run(cluster.clone()));
    }
    server
        .run(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    let dumped = settings.configuration.last_dump().map_or(Ok(()), |path| dump_from(&cluster, &path));
    if settings.configuration.flag("dump.warn_on_dirty_shutdown") {
        warn_of_dirty_state(&cluster);
    }
    dumped
}

/// Says what is lost with the process.
pub(crate) fn warn_of_dirty_state(cluster: &Cluster) {
    for database in cluster.databases() {
        let rows = database.store.dirty().rows;
        if rows > 0 {
            eprintln!(
                "heliosdb-nano: warning: database \"{}\" ends with changes that no dump holds. Dirty state: YES ({rows} uncommitted changes)",
                database.name
            );
        }
    }
}

/// What the configuration says of clients that connect.
///
/// Errors: a certificate or a key that cannot be used.
fn access_options(configuration: &Configuration) -> Result<AccessOptions, Failure> {
    Ok(AccessOptions {
        max_connections: usize::try_from(configuration.number("server.max_connections")).unwrap_or(usize::MAX),
        auth: AuthOptions {
            method: configuration.auth_method(),
            allow_remote_cleartext: configuration.text("auth.allow_remote_cleartext") == "true",
        },
        authentication_timeout: Duration::from_secs(configuration.number("auth.timeout_secs")),
        tls: configuration.tls_files().map(|files| files.load()).transpose()?,
    })
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

/// The users of the configuration are SQL roles: read and write by membership in the predefined roles, admin as superuser.
pub(crate) fn make_users(cluster: &Cluster, configuration: &Configuration) {
    for user in &configuration.users {
        let oid = cluster.allocate_oid();
        cluster.change_roles(|roles| {
            let oid = roles.named(&user.name).map_or(oid, |known| known.oid);
            let is_admin = user.roles.iter().any(|role| role == "admin");
            let mut role = if is_admin { Role::administrator(oid, &user.name) } else { Role::new(oid, &user.name) };
            role.can_login = true;
            role.password = Some(user.password_hash.as_str().into());
            let writes = user.roles.iter().any(|role| role == "write");
            let groups = [(Oid::READ_ALL_DATA_ROLE, true), (Oid::WRITE_ALL_DATA_ROLE, writes)];
            role.memberships = groups
                .into_iter()
                .filter(|(_, wanted)| *wanted && !is_admin)
                .map(|(role, _)| Membership { role, grantor: Oid::BOOTSTRAP_ROLE, admin: false })
                .collect();
            roles.put(role);
        });
    }
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
