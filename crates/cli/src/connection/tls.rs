//! TLS as a client: libpq's `sslmode`, `sslrootcert` and `channel_binding`, and the certificate of the server.
//!
//! Only `verify-ca` and `verify-full` know whom they talk to; `require` keeps listeners out and no more, unless there is a root
//! certificate. Whatever the mode, the server proves that it has the key of the certificate that it shows.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use types::{Error, Result, SqlState};

use crate::failure::Failure;

/// How much a connection wants of TLS, weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SslMode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Whether SCRAM must be bound to the TLS channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ChannelBinding {
    Disable,
    #[default]
    Prefer,
    Require,
}

/// The settings of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsSettings {
    pub mode: SslMode,
    /// Certificates that are trusted; None is `~/.postgresql/root.crt`.
    pub root_certificates: Option<PathBuf>,
    pub channel_binding: ChannelBinding,
}

impl std::str::FromStr for SslMode {
    type Err = Failure;

    fn from_str(name: &str) -> std::result::Result<SslMode, Failure> {
        Ok(match name {
            "disable" => SslMode::Disable,
            "allow" => SslMode::Allow,
            "prefer" => SslMode::Prefer,
            "require" => SslMode::Require,
            "verify-ca" => SslMode::VerifyCa,
            "verify-full" => SslMode::VerifyFull,
            other => {
                return Err(Failure::usage(format!(
                    "sslmode \"{other}\" is none of disable, allow, prefer, require, verify-ca, verify-full"
                )));
            }
        })
    }
}

impl std::str::FromStr for ChannelBinding {
    type Err = Failure;

    fn from_str(name: &str) -> std::result::Result<ChannelBinding, Failure> {
        Ok(match name {
            "disable" => ChannelBinding::Disable,
            "prefer" => ChannelBinding::Prefer,
            "require" => ChannelBinding::Require,
            other => return Err(Failure::usage(format!("channel_binding \"{other}\" is none of disable, prefer, require"))),
        })
    }
}

/// An encrypted connection, of which the reader and the writer are handles.
#[derive(Clone)]
pub(crate) struct TlsSocket(Arc<Mutex<StreamOwned<ClientConnection, TcpStream>>>);

impl TlsSocket {
    /// The client's half of the handshake.
    ///
    /// Errors: 08001 with what is wrong with the certificate, or with the files of trusted ones.
    pub(crate) fn connect(mut stream: TcpStream, host: &str, settings: &TlsSettings) -> Result<TlsSocket> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| refused(format!("\"{host}\" is no name of a host")))?;
        let mut connection =
            ClientConnection::new(Arc::new(configuration(settings)?), name).map_err(|error| refused(error.to_string()))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).map_err(|error| refused(explained(&error, host)))?;
        }
        Ok(TlsSocket(Arc::new(Mutex::new(StreamOwned::new(connection, stream)))))
    }

    /// What SCRAM binds itself to: the server's certificate.
    pub(crate) fn end_point(&self) -> Option<Vec<u8>> {
        let stream = self.0.lock();
        server::certificate::end_point(stream.conn.peer_certificates()?.first()?)
    }

    pub(crate) fn version(&self) -> &'static str {
        match self.0.lock().conn.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        }
    }
}

impl Read for TlsSocket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.lock().read(bytes)
    }
}

impl Write for TlsSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().flush()
    }
}

fn refused(message: String) -> Error {
    Error::new(SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, format!("TLS: {message}"))
}

/// A handshake's error, in words that say what to do where that is known.
fn explained(error: &io::Error, host: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => {
            format!(
                "the server's certificate is not made out to \"{host}\"; connect by a name that it has, or use sslmode=verify-ca"
            )
        }
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "certificate verify failed: nobody trusted has signed the server's certificate; name who has with sslrootcert"
                .to_owned()
        }
        Some(rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "certificate verify failed: the server's certificate has expired".to_owned()
        }
        // An unknown issuer, a certificate of an authority itself that is not among those trusted, a signature that is wrong.
        Some(rustls::Error::InvalidCertificate(reason)) => {
            format!("certificate verify failed ({reason:?}): sslrootcert must name whoever has signed the server's certificate")
        }
        _ => error.to_string(),
    }
}

fn configuration(settings: &TlsSettings) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(settings, &provider)?;
    let mut configuration = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    configuration.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(configuration)
}

/// Whom to trust.
#[derive(Debug)]
struct Verifier {
    /// None trusts any certificate.
    trusted: Option<Trusted>,
    checks_name: bool,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Trusted {
    certificates: Vec<CertificateDer<'static>>,
    by_signature: Arc<WebPkiServerVerifier>,
}

impl Verifier {
    fn new(settings: &TlsSettings, provider: &Arc<CryptoProvider>) -> Result<Verifier> {
        let verifies = settings.mode >= SslMode::VerifyCa;
        let file = settings.root_certificates.clone().or_else(default_root_certificates);
        let trusted = match file.filter(|file| verifies || (settings.mode == SslMode::Require && file.exists())) {
            Some(file) => Some(Trusted::read(&file, provider)?),
            None if verifies => {
                return Err(refused("sslmode verifies certificates: name trusted ones with sslrootcert".to_owned()));
            }
            None => None,
        };
        Ok(Verifier { trusted, checks_name: settings.mode == SslMode::VerifyFull, provider: provider.clone() })
    }
}

/// Where libpq looks.
fn default_root_certificates() -> Option<PathBuf> {
    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".postgresql/root.crt"))
}

impl Trusted {
    fn read(file: &Path, provider: &Arc<CryptoProvider>) -> Result<Trusted> {
        let wrong = |what: String| refused(format!("root certificate file \"{}\" {what}", file.display()));
        let text = std::fs::read(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let certificates = read.map_err(|error| wrong(format!("is damaged: {error}")))?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|error| wrong(format!("holds a certificate that cannot be used: {error}")))?;
        }
        let by_signature = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| wrong(format!("trusts nobody: {error}")))?;
        Ok(Trusted { certificates, by_signature })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{
            Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        };
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let is_known = trusted.certificates.iter().any(|known| known == end_entity);
        match trusted.by_signature.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Ok(_) | Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {}
            // A certificate that is trusted by itself needs nobody's signature, but time passes for it too.
            Err(error) => match &error {
                rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }) => {
                    return Err(error);
                }
                _ if !is_known => return Err(error),
                _ => {}
            },
        }
        if self.checks_name {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
