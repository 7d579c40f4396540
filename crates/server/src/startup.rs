//! Before the session: SSL and GSS requests, cancel requests, the start-up packet.

use std::{io, sync::Arc};

use bytes::BytesMut;
use engine::{ConnectOptions, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use types::{Error, Result, SqlState};

use crate::{
    audit::Who,
    authentication::AuthMethod,
    connection::Connection,
    protocol::{backend, frontend},
    stream::ClientStream,
    tls,
};

/// Start-up packets longer than this are refused.
const LARGEST_PACKET: usize = 10_000;

const CANCEL_REQUEST: i32 = 80_877_102;
const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
/// The kind of a TLS record that begins a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// What the first packets came to.
pub(crate) enum Started {
    Session(Box<Session>),
    /// Nothing more to do: a cancel request, or the client has gone.
    Over,
    /// To be told to the client before closing.
    Refused(Error),
}

impl Connection {
    pub(crate) async fn start(&mut self) -> io::Result<Started> {
        match tokio::time::timeout(self.access.authentication_timeout, self.negotiate()).await {
            Ok(started) => started,
            Err(_) => {
                tracing::info!(address = ?self.address, "a client did not prove who it is in time and was cut off");
                Ok(Started::Over)
            }
        }
    }

    async fn negotiate(&mut self) -> io::Result<Started> {
        if self.begins_with_tls().await? {
            // PostgreSQL 17's way: TLS from the first byte, and ALPN to show that it is meant for us.
            if !self.encrypt().await? {
                return Ok(Started::Over);
            }
            if let ClientStream::Tls(stream) = &self.stream
                && !tls::has_alpn(stream)
            {
                tracing::info!(address = ?self.address, "a direct TLS connection without the protocol negotiation extension was refused");
                return Ok(Started::Over);
            }
        }
        let (mut answered_ssl, mut answered_gss) = (self.stream.is_encrypted(), false);
        loop {
            let packet = match self.read_packet().await? {
                Some(Ok(packet)) => packet,
                Some(Err(error)) => return Ok(Started::Refused(error)),
                None => return Ok(Started::Over),
            };
            let code = i32::from_be_bytes([packet[0], packet[1], packet[2], packet[3]]);
            match code {
                SSL_REQUEST | GSS_REQUEST
                    if !std::mem::replace(if code == SSL_REQUEST { &mut answered_ssl } else { &mut answered_gss }, true) =>
                {
                    if !self.input.is_empty() {
                        // Bytes sent before the answer could be an attacker's, taken for part of the encrypted stream.
                        return Ok(Started::Refused(
                            Error::new(SqlState::PROTOCOL_VIOLATION, "received unencrypted data after SSL request")
                                .detail("This could be either a client-software bug or evidence of an attempted man-in-the-middle attack."),
                        ));
                    }
                    let encrypts = code == SSL_REQUEST && self.can_encrypt();
                    self.stream.write_all(if encrypts { b"S" } else { b"N" }).await?;
                    if encrypts && !self.encrypt().await? {
                        return Ok(Started::Over);
                    }
                }
                CANCEL_REQUEST => {
                    if let &[_, _, _, _, a, b, c, d, e, f, g, h] = &packet[..] {
                        let pid = i32::from_be_bytes([a, b, c, d]);
                        let secret = i32::from_be_bytes([e, f, g, h]);
                        self.shared.cluster.cancel(pid, secret);
                    }
                    return Ok(Started::Over);
                }
                version => {
                    return Ok(match self.open_session(version, &packet[4..]).await? {
                        Ok(session) => Started::Session(Box::new(session)),
                        Err(error) => Started::Refused(error),
                    });
                }
            }
        }
    }

    /// A Unix socket needs no encryption, and PostgreSQL offers none there.
    fn can_encrypt(&self) -> bool {
        self.access.tls.is_some() && matches!(self.stream, ClientStream::Tcp(_))
    }

    /// Whether the client's first byte is that of a TLS handshake: no length of a start-up packet begins so.
    async fn begins_with_tls(&self) -> io::Result<bool> {
        match &self.stream {
            ClientStream::Tcp(stream) if self.access.tls.is_some() => {
                let mut first = [0];
                Ok(stream.peek(&mut first).await? == 1 && first[0] == TLS_HANDSHAKE)
            }
            _ => Ok(false),
        }
    }

    /// Goes over to TLS; false when the handshake fails, which ends the connection.
    async fn encrypt(&mut self) -> io::Result<bool> {
        let (Some(identity), Some(stream)) = (self.access.tls.clone(), self.stream.take_tcp()) else { return Ok(false) };
        match identity.accept(stream).await {
            Ok(stream) => {
                self.stream = ClientStream::Tls(Box::new(stream));
                Ok(true)
            }
            Err(error) => {
                tracing::info!(address = ?self.address, %error, "could not accept a TLS connection");
                Ok(false)
            }
        }
    }

    /// A packet without its length word; None when the client has gone.
    async fn read_packet(&mut self) -> io::Result<Option<Result<BytesMut>>> {
        loop {
            if let Some(header) = self.input.get(..4) {
                let length = i32::from_be_bytes([header[0], header[1], header[2], header[3]]);
                let length = match usize::try_from(length) {
                    Ok(length) if (8..=LARGEST_PACKET).contains(&length) => length,
                    _ => return Ok(Some(Err(Error::new(SqlState::PROTOCOL_VIOLATION, "invalid length of startup packet")))),
                };
                if self.input.len() >= length {
                    let mut packet = self.input.split_to(length);
                    return Ok(Some(Ok(packet.split_off(4))));
                }
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn open_session(&mut self, version: i32, parameters: &[u8]) -> io::Result<Result<Session>> {
        let (major, minor) = (version >> 16, version & 0xffff);
        if major != 3 {
            return Ok(Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0"),
            )));
        }
        let mut options = match self.read_parameters(parameters, minor) {
            Ok(options) => options,
            Err(error) => return Ok(Err(error)),
        };
        self.who = Arc::new(Who {
            session: None,
            user: options.user.clone(),
            database: options.database.clone().unwrap_or_else(|| options.user.clone()),
            client: self.address,
            tls: None,
        });
        if let Err(error) = self.authenticate(&options.user).await? {
            return Ok(Err(error));
        }
        options.authenticated = self.access.auth.method != AuthMethod::Trust;
        if let ClientStream::Tls(stream) = &self.stream {
            options.tls = Some(Arc::new(tls::facts(stream)));
        }
        Ok(self.shared.cluster.connect(options))
    }

    fn read_parameters(&mut self, parameters: &[u8], minor: i32) -> Result<ConnectOptions> {
        let invalid =
            || Error::new(SqlState::PROTOCOL_VIOLATION, "invalid startup packet layout: expected terminator as last byte");
        let mut texts = parameters.split(|byte| *byte == 0);
        let mut options = ConnectOptions { client: self.address, ..ConnectOptions::default() };
        let mut unsupported = Vec::new();
        if parameters.last() != Some(&0) {
            return Err(invalid());
        }
        loop {
            let name = frontend::text(texts.next().ok_or_else(invalid)?)?;
            if name.is_empty() {
                break;
            }
            let value = frontend::text(texts.next().ok_or_else(invalid)?)?.to_owned();
            match name {
                "user" => options.user = value,
                "database" => options.database = Some(value),
                "options" => options.settings.extend(command_line_settings(&value)?),
                "replication" if matches!(value.as_str(), "false" | "off" | "0" | "no") => {}
                "replication" => return Err(Error::unsupported("replication")),
                name if name.starts_with("_pq_.") => unsupported.push(name.to_owned()),
                name => options.settings.push((name.to_owned(), value)),
            }
        }
        if options.user.is_empty() {
            return Err(Error::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "no PostgreSQL user name specified in startup packet",
            ));
        }
        if minor > 0 || !unsupported.is_empty() {
            backend::negotiate_protocol_version(&mut self.output, &unsupported);
        }
        Ok(options)
    }

    /// What follows a successful start: settings, the cancel key, and the invitation.
    pub(crate) fn welcome(&mut self, session: &Session) {
        backend::authentication_ok(&mut self.output);
        for name in engine::settings::REPORTED {
            if let Ok(value) = session.setting(name) {
                backend::parameter_status(&mut self.output, name, &value);
            }
        }
        backend::backend_key_data(&mut self.output, session.pid(), session.shared().secret);
        backend::ready_for_query(&mut self.output, session.transaction_status());
    }
}

/// `-c name=value` and `--name=value` of the start-up option `options`; a backslash keeps a space within a value.
fn command_line_settings(text: &str) -> Result<Vec<(String, String)>> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            character if character.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            character => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    let invalid =
        |word: &str| Error::new(SqlState::SYNTAX_ERROR, format!("invalid command-line argument for server process: {word}"));
    let mut settings = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("-c"), word.strip_prefix("--")) {
            (Some(""), _) => words.next().ok_or_else(|| invalid(&word))?,
            (Some(setting), _) | (None, Some(setting)) => setting.to_owned(),
            _ => return Err(invalid(&word)),
        };
        let (name, value) = setting.split_once('=').ok_or_else(|| invalid(&word))?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::command_line_settings;

    #[test]
    fn options_in_all_spellings() {
        let settings = command_line_settings("-c search_path=a,b  --work-mem=8MB -cTimeZone=Etc/\\ X").unwrap();
        let expected = [("search_path", "a,b"), ("work_mem", "8MB"), ("TimeZone", "Etc/ X")];
        assert_eq!(settings, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(command_line_settings("-x").is_err());
    }
}
