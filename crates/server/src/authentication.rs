//! Who a client is: trust, a password in clear text, or SCRAM-SHA-256 (RFC 5802, as PostgreSQL speaks it), bound to the
//! TLS channel where there is one (RFC 5929, tls-server-end-point).
//!
//! **Invariants.** A role that does not exist costs a guesser as much as one that does, and looks the same. A failed attempt makes the next
//! one for that name and address wait; many, over whatever names, make those of their address wait. Trust is for this machine only, whatever address the server listens on.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    io,
    net::IpAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};

use bytes::{Buf, BytesMut};
use engine::password::{self, ScramVerifier, Verifier};
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use types::{Error, Result, SqlState, TimestampTz};

use crate::{connection::Connection, protocol::backend, stream::ClientStream};

/// How clients prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMethod {
    #[default]
    Trust,
    Password,
    ScramSha256,
}

/// The configuration of authentication.
#[derive(Clone, Debug, Default)]
pub struct AuthOptions {
    pub method: AuthMethod,
    /// Lets passwords in clear text come from other machines over connections that are not encrypted.
    pub allow_remote_cleartext: bool,
}

/// Password messages longer than this are refused.
const LARGEST_MESSAGE: usize = 2048;
/// Failed attempts are remembered for so many names and addresses.
const REMEMBERED: usize = 10_000;
/// A name and address wait at most this long for their next attempt.
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// Failures that are older than this do not count.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// So many failures of an address, whatever the names, are slips of its users.
const SLIPS_OF_ADDRESS: u32 = 20;

/// Failed attempts: by name and address, and by address for guesses that are spread over many names.
#[derive(Default)]
pub(crate) struct Failures(Mutex<Attempts>);

#[derive(Default)]
struct Attempts {
    by_name: HashMap<Origin, Failed>,
    by_address: HashMap<Option<IpAddr>, Failed>,
    /// Names that have come in from their address, and need not wait for what others do there.
    known: HashSet<Origin>,
}

type Origin = (String, Option<IpAddr>);

/// What has failed.
struct Failed {
    count: u32,
    last: Instant,
    /// When the next attempt may be made: attempts at once wait for each other.
    next: Instant,
}

impl Failed {
    /// How long an attempt has to wait: a tenth of a second after the first failure that is not free, then twice as long each time, and
    /// after all other attempts that wait.
    fn delay(&mut self, free: u32, now: Instant) -> Duration {
        if now.duration_since(self.last) >= FORGOTTEN_AFTER || self.count <= free {
            return Duration::ZERO;
        }
        let delay = Duration::from_millis(100 << (self.count - free - 1).min(6)).min(LONGEST_DELAY);
        self.next = self.next.max(now) + delay;
        self.next - now
    }

    fn note<K: Hash + Eq>(attempts: &mut HashMap<K, Failed>, key: K, now: Instant) {
        if attempts.len() >= REMEMBERED {
            attempts.retain(|_, failed| now.duration_since(failed.last) < FORGOTTEN_AFTER);
        }
        if attempts.len() >= REMEMBERED {
            attempts.clear();
        }
        let entry = attempts.entry(key).or_insert(Failed { count: 0, last: now, next: now });
        if now.duration_since(entry.last) >= FORGOTTEN_AFTER {
            entry.count = 0;
        }
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
    }
}

/// Whoever has one IPv6 address has a whole network of them.
fn network(address: Option<IpAddr>) -> Option<IpAddr> {
    address.map(|address| match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    })
}

impl Failures {
    fn delay(&self, user: &str, address: Option<IpAddr>) -> Duration {
        let (now, mut attempts) = (Instant::now(), self.0.lock());
        let origin = (user.to_owned(), address);
        let of_name = attempts.by_name.get_mut(&origin).map_or(Duration::ZERO, |failed| failed.delay(1, now));
        if attempts.known.contains(&origin) {
            return of_name;
        }
        let of_address = attempts.by_address.get_mut(&network(address)).map(|failed| failed.delay(SLIPS_OF_ADDRESS, now));
        of_name.max(of_address.unwrap_or_default())
    }

    fn failed(&self, user: &str, address: Option<IpAddr>) {
        let (now, mut attempts) = (Instant::now(), self.0.lock());
        Failed::note(&mut attempts.by_name, (user.to_owned(), address), now);
        Failed::note(&mut attempts.by_address, network(address), now);
    }

    fn succeeded(&self, user: &str, address: Option<IpAddr>) {
        let mut attempts = self.0.lock();
        let origin = (user.to_owned(), address);
        attempts.by_name.remove(&origin);
        if attempts.known.len() >= REMEMBERED {
            attempts.known.clear();
        }
        attempts.known.insert(origin);
    }
}

/// Keeps the salts of roles that do not exist the same from attempt to attempt.
static SECRET: LazyLock<[u8; 32]> = LazyLock::new(rand::random);

fn failed_login(user: &str) -> Error {
    Error::new(SqlState::INVALID_PASSWORD, format!("password authentication failed for user \"{user}\""))
}

fn violation(message: &str) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, message)
}

impl Connection {
    /// Asks the client for its proof. The outer error is that of the connection.
    pub(crate) async fn authenticate(&mut self, user: &str) -> io::Result<Result<()>> {
        let options = self.access.auth.clone();
        let address = self.address.map(|address| address.ip().to_canonical());
        let is_local = address.is_none_or(|address| address.is_loopback());
        if options.method == AuthMethod::Trust {
            return Ok(if is_local { Ok(()) } else { Err(self.stranger()) });
        }
        if options.method == AuthMethod::Password && !is_local && !self.stream.is_encrypted() && !options.allow_remote_cleartext {
            return Ok(Err(Error::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "a password in clear text is not accepted over an unencrypted connection from another machine",
            )
            .hint("Use TLS or scram-sha-256, or allow it by name: [auth] allow_remote_cleartext = true.")));
        }
        let delay = self.shared.failures.delay(user, address);
        tokio::time::sleep(delay).await;
        let verifier = self.verifier_of(user);
        let proved = match options.method {
            AuthMethod::Trust => Ok(()),
            AuthMethod::Password => self.ask_password(user, verifier).await?,
            AuthMethod::ScramSha256 => self.ask_scram(user, verifier).await?,
        };
        match &proved {
            Ok(()) => self.shared.failures.succeeded(user, address),
            Err(error) => {
                tracing::warn!(user, ?address, message = error.message(), "a login failed");
                self.shared.failures.failed(user, address);
            }
        }
        Ok(proved)
    }

    fn stranger(&self) -> Error {
        let address = self.address.map(|address| address.ip().to_string()).unwrap_or_default();
        Error::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            format!("trust authentication is limited to this machine, and {address} is not"),
        )
        .hint("Connect from this machine, by the loopback address or the Unix socket.")
    }

    /// What the role keeps of its password; None without one, or past its VALID UNTIL.
    fn verifier_of(&self, user: &str) -> Option<Verifier> {
        let roles = self.shared.cluster.roles();
        let role = roles.named(user)?;
        if role.valid_until.is_some_and(|until| until < now()) {
            return None;
        }
        Verifier::parse(role.password.as_deref()?)
    }

    /// What any role keeps of its password.
    fn any_verifier(&self) -> Option<Verifier> {
        self.shared.cluster.roles().iter().find_map(|role| Verifier::parse(role.password.as_deref()?))
    }

    async fn ask_password(&mut self, user: &str, verifier: Option<Verifier>) -> io::Result<Result<()>> {
        /// Checked when there is nothing to check.
        static NOBODY: LazyLock<Option<Verifier>> = LazyLock::new(|| password::argon2_hash("nobody").ok().map(Verifier::Argon2));
        backend::authentication_cleartext(&mut self.output);
        let message = match self.read_password_message().await? {
            Ok(message) => message,
            Err(error) => return Ok(Err(error)),
        };
        let Some(given) = message.strip_suffix(&[0]).and_then(|text| std::str::from_utf8(text).ok()) else {
            return Ok(Err(violation("invalid password packet size")));
        };
        if given.is_empty() {
            return Ok(Err(Error::new(SqlState::INVALID_PASSWORD, "empty password returned by client")));
        }
        let given = given.to_owned();
        // What somebody else's password costs to check, nobody's costs too.
        let decoy = if verifier.is_none() { self.any_verifier() } else { None };
        // Hashing takes long on purpose: not on a network thread.
        let checked = tokio::task::spawn_blocking(move || match verifier {
            Some(verifier) => verifier.accepts(&given),
            None => {
                let _ = decoy.as_ref().or(NOBODY.as_ref()).map(|nobody| nobody.accepts(&given));
                false
            }
        });
        Ok(if checked.await.unwrap_or(false) { Ok(()) } else { Err(failed_login(user)) })
    }

    async fn ask_scram(&mut self, user: &str, verifier: Option<Verifier>) -> io::Result<Result<()>> {
        let verifier = match verifier {
            Some(Verifier::Scram(verifier)) => verifier,
            _ => ScramVerifier::of_nobody(user, &*SECRET),
        };
        let binding = match (&self.stream, &self.access.tls) {
            (ClientStream::Tls(_), Some(tls)) => tls.end_point().map(<[u8]>::to_vec),
            _ => None,
        };
        let mechanisms: &[&str] = if binding.is_some() { &[SCRAM_PLUS, SCRAM] } else { &[SCRAM] };
        backend::authentication_sasl(&mut self.output, mechanisms);
        let first = match self.read_password_message().await? {
            Ok(message) => message,
            Err(error) => return Ok(Err(error)),
        };
        let nonce = password::scram_nonce();
        let exchange = match Exchange::begin(&first, &verifier, &nonce, binding) {
            Ok(exchange) => exchange,
            Err(error) => return Ok(Err(error)),
        };
        backend::authentication_sasl_data(&mut self.output, 11, exchange.server_first.as_bytes());
        let last = match self.read_password_message().await? {
            Ok(message) => message,
            Err(error) => return Ok(Err(error)),
        };
        Ok(exchange.finish(&last, &verifier, user).map(|signature| {
            backend::authentication_sasl_data(&mut self.output, 12, signature.as_bytes());
        }))
    }

    /// The body of a 'p' message.
    async fn read_password_message(&mut self) -> io::Result<Result<BytesMut>> {
        self.flush().await?;
        loop {
            if let Some(header) = self.input.get(..5) {
                let length = i32::from_be_bytes([header[1], header[2], header[3], header[4]]);
                if header[0] != b'p' {
                    let message = format!("expected password response, got message type {}", header[0]);
                    return Ok(Err(violation(&message)));
                }
                let Some(length) = usize::try_from(length).ok().filter(|length| (4..=LARGEST_MESSAGE).contains(length)) else {
                    return Ok(Err(violation("invalid password packet size")));
                };
                if self.input.len() > length {
                    let mut message = self.input.split_to(length + 1);
                    message.advance(5);
                    return Ok(Ok(message));
                }
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn now() -> TimestampTz {
    engine::now()
}

/// One SCRAM exchange, after the client's first message.
struct Exchange {
    /// What the client must repeat under the protection of its proof: the header of its first message, then the channel it is bound to.
    channel: Vec<u8>,
    is_bound: bool,
    client_first_bare: String,
    server_first: String,
    nonce: String,
}

const SCRAM: &str = "SCRAM-SHA-256";
const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";

impl Exchange {
    /// `binding` is the connection's `tls-server-end-point`, when PLUS was offered.
    fn begin(message: &[u8], verifier: &ScramVerifier, server_nonce: &str, binding: Option<Vec<u8>>) -> Result<Exchange> {
        let malformed = || violation("malformed SCRAM message");
        let end = message.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
        let is_bound = match &message[..end] {
            name if name == SCRAM.as_bytes() => false,
            name if name == SCRAM_PLUS.as_bytes() && binding.is_some() => true,
            _ => return Err(violation("client selected an invalid SASL authentication mechanism")),
        };
        let data = message.get(end + 5..).ok_or_else(malformed)?;
        let data = std::str::from_utf8(data).map_err(|_| malformed())?;
        let (header, bare) = split_header(data).ok_or_else(malformed)?;
        check_binding_flag(header, is_bound, binding.is_some())?;
        let client_nonce = bare.split(',').find_map(|part| part.strip_prefix("r=")).filter(|nonce| !nonce.is_empty());
        let client_nonce = client_nonce.ok_or_else(malformed)?;
        if !bare.starts_with("n=") {
            return Err(malformed());
        }
        let nonce = format!("{client_nonce}{server_nonce}");
        let salt = password::base64_text(&verifier.salt);
        let mut channel = header.as_bytes().to_vec();
        if is_bound {
            channel.extend(binding.unwrap_or_default());
        }
        Ok(Exchange {
            channel,
            is_bound,
            client_first_bare: bare.to_owned(),
            server_first: format!("r={nonce},s={salt},i={}", verifier.iterations),
            nonce,
        })
    }

    /// Checks the proof; gives the server's own.
    fn finish(&self, message: &[u8], verifier: &ScramVerifier, user: &str) -> Result<String> {
        let malformed = || violation("malformed SCRAM message");
        let text = std::str::from_utf8(message).map_err(|_| malformed())?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or_else(malformed)?;
        let mut parts = without_proof.split(',');
        let binding = parts.next().and_then(|part| part.strip_prefix("c=")).ok_or_else(malformed)?;
        if binding != password::base64_text(&self.channel) {
            // Somebody between the two, with a certificate of his own, is found out here.
            if self.is_bound {
                return Err(Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, "SCRAM channel binding check failed"));
            }
            return Err(violation("unexpected SCRAM channel-binding attribute in client-final-message"));
        }
        if parts.next().and_then(|part| part.strip_prefix("r=")) != Some(&self.nonce) {
            return Err(violation("invalid SCRAM response").detail("Nonce does not match."));
        }
        let proof = password::base64_bytes(proof).ok_or_else(malformed)?;
        let said = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let signature = verifier.check_proof(&proof, said.as_bytes()).ok_or_else(|| failed_login(user))?;
        Ok(format!("v={}", password::base64_text(&signature)))
    }
}

/// The header of a client's first message, `n,,` for instance, and the rest of it.
fn split_header(data: &str) -> Option<(&str, &str)> {
    let flag = data.find(',')?;
    let identity = data[flag + 1..].find(',')? + flag + 1;
    Some(data.split_at(identity + 1))
}

/// Whether the client's word on channel binding goes with what it was offered and has chosen.
fn check_binding_flag(header: &str, is_bound: bool, was_offered: bool) -> Result<()> {
    let malformed = |detail: &str| Err(violation("malformed SCRAM message").detail(detail.to_owned()));
    let (flag, identity) = header.trim_end_matches(',').split_once(',').unwrap_or((header.trim_end_matches(','), ""));
    if !identity.is_empty() {
        let message = "client uses authorization identity, but it is not supported";
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    match flag {
        "n" | "y" if is_bound => {
            malformed("The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.")
        }
        "n" => Ok(()),
        // The client can bind channels and has not seen that we can: somebody has taken PLUS out of our offer.
        "y" if was_offered => Err(Error::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "SCRAM channel binding negotiation error",
        )
        .detail(
            "The client supports SCRAM channel binding but thinks the server does not.  However, this server does support channel binding.",
        )),
        "y" => Ok(()),
        "p=tls-server-end-point" if is_bound => Ok(()),
        bound if bound.starts_with("p=") && is_bound => {
            Err(violation(&format!("unsupported SCRAM channel-binding type \"{}\"", &bound[2..])))
        }
        bound if bound.starts_with("p=") => {
            malformed("The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.")
        }
        _ => malformed("Unexpected channel-binding flag."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(data: &str) -> Vec<u8> {
        let mut message = b"SCRAM-SHA-256\0".to_vec();
        message.extend_from_slice(&(data.len() as i32).to_be_bytes());
        message.extend_from_slice(data.as_bytes());
        message
    }

    #[test]
    fn truncated_and_replayed_exchanges_fail() {
        let verifier = ScramVerifier::new("pencil");
        let whole = first("n,,n=user,r=abcdef");
        for length in 0..whole.len() - "abcdef".len() {
            assert!(Exchange::begin(&whole[..length], &verifier, "server", None).is_err(), "{length} bytes");
        }
        let exchange = Exchange::begin(&whole, &verifier, "server", None).unwrap();
        assert!(exchange.server_first.starts_with("r=abcdefserver,s="));
        for last in ["", "c=biws", "c=biws,r=abcdefserver", "c=biws,r=abcdefserver,p=AAAA", "c=eSws,r=abcdefserver,p=AAAA"] {
            assert!(exchange.finish(last.as_bytes(), &verifier, "user").is_err(), "{last}");
        }
        let other = exchange.finish(b"c=biws,r=abcdefother,p=AAAA", &verifier, "user").unwrap_err();
        assert_eq!(other.message(), "invalid SCRAM response");
    }

    #[test]
    fn channels_are_bound_and_downgrades_found_out() {
        let verifier = ScramVerifier::new("pencil");
        let begin = |mechanism: &str, data: &str, binding: Option<&[u8]>| {
            let message = [mechanism.as_bytes(), &[0, 0, 0, 0, 0], data.as_bytes()].concat();
            Exchange::begin(&message, &verifier, "server", binding.map(<[u8]>::to_vec))
        };
        let end_point = Some(&b"hash"[..]);
        for (mechanism, data, binding, message) in [
            (SCRAM, "y,,n=,r=a", end_point, "SCRAM channel binding negotiation error"),
            (SCRAM, "p=tls-server-end-point,,n=,r=a", end_point, "malformed SCRAM message"),
            (SCRAM_PLUS, "n,,n=,r=a", end_point, "malformed SCRAM message"),
            (SCRAM_PLUS, "p=tls-unique,,n=,r=a", end_point, "unsupported SCRAM channel-binding type \"tls-unique\""),
            (SCRAM_PLUS, "p=tls-server-end-point,,n=,r=a", None, "client selected an invalid SASL authentication mechanism"),
            (SCRAM, "n,a=me,n=,r=a", None, "client uses authorization identity, but it is not supported"),
        ] {
            let error = begin(mechanism, data, binding).err().unwrap_or_else(|| panic!("{mechanism} {data}"));
            assert_eq!(error.message(), message, "{mechanism} {data}");
        }
        assert!(begin(SCRAM, "y,,n=,r=a", None).is_ok() && begin(SCRAM, "n,,n=,r=a", end_point).is_ok());
        let bound = begin(SCRAM_PLUS, "p=tls-server-end-point,,n=,r=a", end_point).unwrap();
        let other = password::base64_text(b"p=tls-server-end-point,,another");
        let error = bound.finish(format!("c={other},r=aserver,p=AAAA").as_bytes(), &verifier, "user").unwrap_err();
        assert_eq!(error.message(), "SCRAM channel binding check failed");
    }

    #[test]
    fn failures_make_the_next_attempt_wait() {
        let failures = Failures::default();
        failures.failed("ann", None);
        assert_eq!(failures.delay("ann", None), Duration::ZERO, "one slip is free");
        failures.failed("ann", None);
        failures.failed("ann", None);
        assert_eq!(failures.delay("ann", None), Duration::from_millis(200));
        let second = failures.delay("ann", None);
        assert!(
            second > Duration::from_millis(300) && second <= Duration::from_millis(400),
            "after the one that waits: {second:?}"
        );
        assert_eq!(failures.delay("bob", None), Duration::ZERO);
        (0..50).for_each(|_| failures.failed("ann", None));
        assert!(failures.delay("ann", None) >= LONGEST_DELAY);
        failures.succeeded("ann", None);
        assert_eq!(failures.delay("ann", None), Duration::ZERO);
    }

    #[test]
    fn guesses_spread_over_names_make_their_address_wait() {
        let failures = Failures::default();
        let (here, there) = (Some([10, 0, 0, 1].into()), Some([10, 0, 0, 2].into()));
        failures.succeeded("regular", here);
        (0..SLIPS_OF_ADDRESS).for_each(|number| failures.failed(&format!("user{number}"), here));
        assert_eq!(failures.delay("another", here), Duration::ZERO, "slips are free");
        (0..10).for_each(|number| failures.failed(&format!("other{number}"), here));
        assert!(failures.delay("another", here) >= LONGEST_DELAY);
        assert!(failures.delay("yet another", here) >= 2 * LONGEST_DELAY - Duration::from_secs(1), "one after the other");
        assert_eq!(failures.delay("another", there), Duration::ZERO);
        assert_eq!(failures.delay("regular", here), Duration::ZERO, "who has come in from there does not wait for others");
        let v6 = |last: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last]));
        (0..40).for_each(|number| failures.failed(&format!("user{number}"), v6(number)));
        assert!(failures.delay("another", v6(99)) >= LONGEST_DELAY, "one network");
    }
}
