//! The command line's shape, and its resolution into settings. What is documented but not there yet is refused by name: a flag is
//! never accepted and ignored.

use std::{
    net::{IpAddr, ToSocketAddrs},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    configuration::{Configuration, FlagValue, find_file},
    failure::Failure,
};

/// A PostgreSQL-compatible database in memory.
#[derive(Debug, Parser)]
#[command(name = "heliosdb-nano", version, arg_required_else_help = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start a server; it runs in the foreground until SIGTERM or Ctrl-C
    Start(StartArguments),
    /// Stop a server: the one that wrote a pid file, or the one that a connection reaches
    Stop(crate::stop::StopArguments),
    /// An interactive shell over a database in memory
    Repl(crate::repl::ReplArguments),
    /// Save a running server's database to a file
    Dump(crate::dump::DumpArguments),
    /// Load a dump into a running server's database
    Restore(crate::restore::RestoreArguments),
    /// Take over a SQLite file or a running PostgreSQL, into a running server's database
    Import(crate::import::ImportArguments),
    /// Up-time, sessions, memory and unsaved changes of a running server
    Status(crate::status::StatusArguments),
    /// Show or check the configuration
    Config(crate::config::ConfigArguments),
    /// Hash a password read from standard input, for the configuration file
    HashPassword(crate::hash_password::HashPasswordArguments),
}

#[derive(Debug, Args)]
pub(crate) struct StartArguments {
    /// Keep everything in memory; nothing is written to disk
    #[arg(long)]
    memory: bool,
    #[arg(long, help = "TCP port [default: 5432]; 0 lets the system choose one, which is then printed")]
    port: Option<u16>,
    /// Address or host name to listen on. Whatever it is, only this machine may connect without a password
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Also listen on the Unix socket .s.PGSQL.<port> in this directory
    #[arg(long, value_name = "DIR")]
    socket_dir: Option<PathBuf>,
    /// Write the process id to this file while the server runs
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Connections at a time; one more is refused with "too many connections"
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=262_143))]
    max_connections: Option<u32>,
    /// Configuration file; flags beat it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// trust, password or scram-sha-256
    #[arg(long, value_name = "METHOD")]
    auth: Option<String>,
    /// File of the server's certificate and its chain (PEM): clients may then use TLS
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// File of the certificate's private key (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Dump the default database when the server ends (SIGTERM, Ctrl-C); exit code 1 when that fails
    #[arg(long)]
    dump_on_shutdown: bool,
    #[arg(long, value_name = "FILE", help = "Where to: SQL text for *.sql, else a .heliodump [default: backup.heliodump]")]
    dump_file: Option<PathBuf>,
    /// Dump at these times too: minute hour day month weekday, as cron has it, in UTC. Each goes to a file of its own,
    /// backup-20251208T030000Z.heliodump
    #[arg(long, value_name = "CRON")]
    dump_schedule: Option<String>,
    #[arg(long, value_name = "COUNT", help = "How many scheduled dumps to keep, the newest [default: 7]; 0: all")]
    dump_keep: Option<u32>,
    /// Begin with what this .heliodump holds
    #[arg(long, value_name = "FILE")]
    restore: Option<PathBuf>,
    /// Port of /metrics and /health over HTTP; 0 for none
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    #[command(flatten)]
    later: LaterStartArguments,
}

/// Documented flags that a later version brings.
#[derive(Debug, Args)]
struct LaterStartArguments {
    #[arg(long, hide = true)]
    data_dir: Option<PathBuf>,
}

impl LaterStartArguments {
    /// The first of them that was given.
    fn given(&self) -> Option<&'static str> {
        self.data_dir.is_some().then_some("--data-dir (only --memory is)")
    }
}

/// What `start` does, resolved.
#[derive(Clone, Debug)]
pub(crate) struct StartSettings {
    pub listen: IpAddr,
    pub port: u16,
    pub socket_dir: Option<PathBuf>,
    pub pid_file: Option<PathBuf>,
    pub configuration: Configuration,
    /// Where it comes from, to be read again.
    pub file: Option<PathBuf>,
    pub flags: Vec<FlagValue>,
    pub restore: Option<PathBuf>,
}

impl StartArguments {
    pub(crate) fn checked(self) -> Result<StartSettings, Failure> {
        if let Some(name) = self.later.given() {
            return Err(Failure::not_yet(name));
        }
        if !self.memory {
            return Err(Failure::usage("say where the data lives: heliosdb-nano start --memory"));
        }
        let flag = |name, flag, value: Option<String>| value.map(|value| (name, flag, value));
        let flags = [
            flag("server.listen", "--listen", self.listen),
            flag("server.http_port", "--http-port", self.http_port.map(|port| port.to_string())),
            flag("server.port", "--port", self.port.map(|port| port.to_string())),
            flag("server.max_connections", "--max-connections", self.max_connections.map(|count| count.to_string())),
            flag("server.socket_dir", "--socket-dir", self.socket_dir.map(|path| path.to_string_lossy().into_owned())),
            flag("auth.method", "--auth", self.auth),
            flag("dump.on_shutdown", "--dump-on-shutdown", self.dump_on_shutdown.then(|| "true".to_owned())),
            flag("dump.file", "--dump-file", self.dump_file.map(|path| path.to_string_lossy().into_owned())),
            flag("dump.schedule", "--dump-schedule", self.dump_schedule),
            flag("dump.keep", "--dump-keep", self.dump_keep.map(|count| count.to_string())),
            flag("server.tls_cert", "--tls-cert", self.tls_cert.map(|path| path.to_string_lossy().into_owned())),
            flag("server.tls_key", "--tls-key", self.tls_key.map(|path| path.to_string_lossy().into_owned())),
        ];
        let file = find_file(self.config);
        let flags: Vec<FlagValue> = flags.into_iter().flatten().collect();
        let configuration = Configuration::resolve(file.as_deref(), flags.clone())?;
        let socket_dir = configuration.text("server.socket_dir");
        Ok(StartSettings {
            listen: resolve(configuration.text("server.listen"))?,
            port: u16::try_from(configuration.number("server.port")).unwrap_or(u16::MAX),
            socket_dir: (!socket_dir.is_empty()).then(|| socket_dir.into()),
            pid_file: self.pid_file,
            configuration,
            file,
            flags,
            restore: self.restore,
        })
    }
}

fn resolve(host: &str) -> Result<IpAddr, Failure> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let mut found = (host, 0)
        .to_socket_addrs()
        .map_err(|error| Failure::usage(format!("--listen: \"{host}\" is neither an address nor a known host name ({error})")))?;
    // localhost may have both kinds; IPv4 first, as clients try 127.0.0.1 most often.
    let first = found.next();
    found
        .chain(first)
        .map(|address| address.ip())
        .min_by_key(IpAddr::is_ipv6)
        .ok_or_else(|| Failure::usage(format!("--listen: \"{host}\" has no address")))
}

/// A usage error without clap's paragraphs.
pub(crate) fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let message = lines.join(" ");
    format!("{} (try --help)", message.strip_prefix("error: ").unwrap_or(&message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(arguments: &[&str]) -> Result<StartSettings, Failure> {
        let line = ["heliosdb-nano", "start"].iter().chain(arguments);
        match CommandLine::try_parse_from(line).map_err(|error| Failure::usage(in_one_line(&error)))?.verb {
            Verb::Start(arguments) => arguments.checked(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let settings = start(&["--memory"]).unwrap();
        assert_eq!(settings.port, 5432);
        assert_eq!(settings.listen, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(settings.configuration.number("server.max_connections"), 100);
        assert_eq!((settings.socket_dir, settings.pid_file), (None, None));
    }

    #[test]
    fn flags_take_effect() {
        let settings =
            start(&["--memory", "--port", "5433", "--listen", "0.0.0.0", "--max-connections", "7", "--pid-file", "p"]).unwrap();
        assert_eq!((settings.port, settings.configuration.number("server.max_connections")), (5433, 7));
        assert_eq!(settings.listen, IpAddr::from([0, 0, 0, 0]));
        assert_eq!(settings.pid_file, Some(PathBuf::from("p")));
        assert!(start(&["--memory", "--listen", "localhost"]).unwrap().listen.is_loopback());
    }

    #[test]
    fn what_is_not_there_yet_is_refused_by_name() {
        for (arguments, word) in [
            (&["--memory", "--config", "c.toml"][..], "c.toml"),
            (&["--data-dir", "d"], "--data-dir"),
            (&["--memory", "--auth", "password"], "[[auth.users]]"),
            (&["--memory", "--dump-schedule", "2 * *"], "3 fields"),
        ] {
            let failure = start(arguments).unwrap_err();
            assert!(failure.message().contains(word), "{arguments:?}: {}", failure.message());
        }
    }

    #[test]
    fn usage_errors_are_one_line() {
        for arguments in
            [&["--memory", "--port", "x"][..], &["--memory", "--colour"], &["--memory", "--max-connections", "0"], &[]]
        {
            let failure = start(arguments).unwrap_err();
            assert!(!failure.message().contains('\n'), "{}", failure.message());
            assert!(!failure.message().is_empty());
        }
    }
}
