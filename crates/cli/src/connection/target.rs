//! Which server a command talks to: flags, then a URL, then libpq's environment variables, then the local server.

use std::path::PathBuf;

use clap::Args;

use super::tls::{ChannelBinding, SslMode, TlsSettings};
use crate::failure::Failure;

/// The connection flags that `dump`, `restore` and the like share.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConnectionArguments {
    /// Host name or address of the server, or the directory of its Unix socket [PGHOST; 127.0.0.1]
    #[arg(long)]
    host: Option<String>,
    /// Port of the server [PGPORT; 5432]
    #[arg(long)]
    port: Option<u16>,
    /// User name [PGUSER; postgres]
    #[arg(long)]
    user: Option<String>,
    /// Database [PGDATABASE; heliosdb]
    #[arg(long)]
    dbname: Option<String>,
    /// disable, allow, prefer, require, verify-ca or verify-full [PGSSLMODE; prefer]
    #[arg(long, value_name = "MODE")]
    sslmode: Option<String>,
    /// Certificates to trust when the server's is verified [PGSSLROOTCERT; ~/.postgresql/root.crt]
    #[arg(long, value_name = "FILE")]
    sslrootcert: Option<String>,
    /// All of it as postgresql://user:password@host:port/dbname
    #[arg(long, value_name = "URL")]
    connection: Option<String>,
}

/// A server, a user and a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub database: String,
    pub password: Option<String>,
    pub tls: TlsSettings,
}

impl ConnectionArguments {
    pub(crate) fn of_url(url: &str) -> ConnectionArguments {
        ConnectionArguments { connection: Some(url.to_owned()), ..ConnectionArguments::default() }
    }

    /// The parts of \\c; what is no port is found when the target is asked for.
    pub(crate) fn of_parts(
        dbname: Option<String>,
        user: Option<String>,
        host: Option<String>,
        port: Option<String>,
    ) -> ConnectionArguments {
        let port = port.and_then(|port| port.parse().ok());
        ConnectionArguments { dbname, user, host, port, ..ConnectionArguments::default() }
    }

    /// Errors: usage, for what is no URL or no port.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        self.target_in(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn target_in(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Target, Failure> {
        let url = self.connection.as_deref().map(Url::parse).transpose()?.unwrap_or_default();
        let port = match (self.port, url.port.clone().or_else(|| environment("PGPORT"))) {
            (Some(port), _) => port,
            (None, Some(text)) => text.parse().map_err(|_| Failure::usage(format!("\"{text}\" is no port number")))?,
            _ => 5432,
        };
        let pick = |flag: &Option<String>, of_url: Option<String>, variable: &str| {
            flag.clone().or(of_url).or_else(|| environment(variable))
        };
        let tls = TlsSettings {
            mode: pick(&self.sslmode, url.ssl_mode, "PGSSLMODE").map_or(Ok(SslMode::default()), |mode| mode.parse())?,
            root_certificates: pick(&self.sslrootcert, url.ssl_root_certificates, "PGSSLROOTCERT").map(PathBuf::from),
            channel_binding: pick(&None, url.channel_binding, "PGCHANNELBINDING")
                .map_or(Ok(ChannelBinding::default()), |binding| binding.parse())?,
        };
        let user = pick(&self.user, url.user, "PGUSER").unwrap_or_else(|| "postgres".into());
        let target = Target {
            host: pick(&self.host, url.host, "PGHOST").unwrap_or_else(|| "127.0.0.1".into()),
            port,
            database: pick(&self.dbname, url.database, "PGDATABASE").unwrap_or_else(|| engine::DEFAULT_DATABASE.into()),
            password: url.password.or_else(|| environment("PGPASSWORD")),
            user,
            tls,
        };
        Ok(Target { password: target.password.clone().or_else(|| target.password_of_file(&environment)), ..target })
    }
}

impl Target {
    /// Whether the host is the directory of a Unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Where it is, in words.
    pub(crate) fn place(&self) -> String {
        let kind = if self.is_unix() { "socket directory" } else { "host" };
        format!("{kind} \"{}\" at port {}", self.host, self.port)
    }

    /// The password of ~/.pgpass (PGPASSFILE): host:port:database:user:password, `*` for any.
    fn password_of_file(&self, environment: &impl Fn(&str) -> Option<String>) -> Option<String> {
        let path =
            environment("PGPASSFILE").map(PathBuf::from).or_else(|| Some(PathBuf::from(environment("HOME")?).join(".pgpass")))?;
        let text = std::fs::read_to_string(path).ok()?;
        text.lines().find_map(|line| self.password_of_line(line))
    }

    fn password_of_line(&self, line: &str) -> Option<String> {
        let (mut fields, mut field) = (Vec::new(), String::new());
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => field.extend(characters.next()),
                ':' if fields.len() < 4 => fields.push(std::mem::take(&mut field)),
                other => field.push(other),
            }
        }
        let matches = |at: usize, value: &str| fields.get(at).is_some_and(|field: &String| field == "*" || field == value);
        let fits =
            matches(0, &self.host) && matches(1, &self.port.to_string()) && matches(2, &self.database) && matches(3, &self.user);
        fits.then_some(field)
    }
}

/// The parts of a connection URL that were given.
#[derive(Debug, Default)]
struct Url {
    host: Option<String>,
    port: Option<String>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    ssl_mode: Option<String>,
    ssl_root_certificates: Option<String>,
    channel_binding: Option<String>,
}

impl Url {
    fn parse(text: &str) -> Result<Url, Failure> {
        let bad = || Failure::usage("--connection wants a URL like postgresql://user:password@host:port/dbname");
        let rest = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")).ok_or_else(bad)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let (host, port) = match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or("")),
            None => place.split_once(':').unwrap_or((place, "")),
        };
        let given = |text: &str| if text.is_empty() { Ok(None) } else { percent_decoded(text).map(Some).ok_or_else(bad) };
        let mut url = Url {
            host: given(host)?,
            port: given(port)?,
            user: given(user)?,
            password: given(password)?,
            database: given(database)?,
            ..Url::default()
        };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = given(value)?;
            match name {
                "host" => url.host = value,
                "port" => url.port = value,
                "user" => url.user = value,
                "password" => url.password = value,
                "dbname" => url.database = value,
                "sslmode" => url.ssl_mode = value,
                "sslrootcert" => url.ssl_root_certificates = value,
                "channel_binding" => url.channel_binding = value,
                other => return Err(Failure::usage(format!("--connection: the parameter \"{other}\" is not supported"))),
            }
        }
        Ok(url)
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_beat_the_url_and_the_url_the_environment() {
        let arguments = ConnectionArguments {
            user: Some("flag".into()),
            connection: Some("postgresql://u:p%40ss@db.example:6000/shop?sslmode=disable".into()),
            ..ConnectionArguments::default()
        };
        let target = arguments.target_in(|name| (name == "PGHOST").then(|| "environment".into())).unwrap();
        assert_eq!((&*target.host, target.port, &*target.user, &*target.database), ("db.example", 6000, "flag", "shop"));
        assert_eq!(target.password.as_deref(), Some("p@ss"));
        let target = ConnectionArguments::default().target_in(|name| (name == "PGPORT").then(|| "7000".into())).unwrap();
        assert_eq!((&*target.host, target.port, &*target.user, &*target.database), ("127.0.0.1", 7000, "postgres", "heliosdb"));
        assert_eq!(target.password_of_line(r"*:7000:heliosdb:postgres:a\:b").as_deref(), Some("a:b"));
        assert_eq!(target.password_of_line("other:*:*:*:x"), None);
    }

    #[test]
    fn the_settings_of_tls() {
        let arguments = ConnectionArguments {
            sslmode: Some("verify-full".into()),
            connection: Some("postgresql://h/d?sslmode=disable&sslrootcert=ca.crt&channel_binding=require".into()),
            ..ConnectionArguments::default()
        };
        let tls = arguments.target_in(|_| None).unwrap().tls;
        assert_eq!((tls.mode, tls.channel_binding), (SslMode::VerifyFull, ChannelBinding::Require));
        assert_eq!(tls.root_certificates, Some("ca.crt".into()));
        let of_environment = |name: &str| (name == "PGSSLMODE").then(|| "verify-ca".to_owned());
        assert_eq!(ConnectionArguments::default().target_in(of_environment).unwrap().tls.mode, SslMode::VerifyCa);
        assert_eq!(ConnectionArguments::default().target_in(|_| None).unwrap().tls.mode, SslMode::Prefer);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for connection in
            ["localhost", "postgresql://h/d?colour=red", "postgresql://h:port/d", "postgresql://h/d?sslmode=sometimes"]
        {
            let arguments = ConnectionArguments { connection: Some(connection.into()), ..ConnectionArguments::default() };
            assert!(arguments.target_in(|_| None).is_err(), "{connection}");
        }
    }
}
