//! TLS: the server's certificate and key, the handshake, and what SCRAM binds itself to.
//!
//! TLS 1.2 and 1.3, by rustls. A certificate that is loaded is whole: its chain parses and its key belongs to it, so that a bad file is
//! found when the server starts or reloads and never by a client.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use engine::TlsFacts;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use types::{Error, Result, SqlState};

use crate::certificate;

/// The protocol's name in ALPN, by which PostgreSQL 17 and its clients know each other.
const ALPN: &[u8] = b"postgresql";

/// A certificate with its key, ready to serve.
#[derive(Clone)]
pub struct TlsIdentity {
    config: Arc<ServerConfig>,
    /// `tls-server-end-point` (RFC 5929): the certificate's hash. None for signatures that define no hash: then PLUS is not offered.
    end_point: Option<Arc<[u8]>>,
}

impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsIdentity")
    }
}

impl TlsIdentity {
    /// Reads a chain of certificates, the server's own first, and its key, both PEM.
    ///
    /// Errors: F0000, one line that names the file and says what to do.
    pub fn load(certificate_file: &Path, key_file: &Path) -> Result<TlsIdentity> {
        let chain = read_chain(certificate_file)?;
        let secret = read_key(key_file)?;
        let own = chain.first().cloned().expect("a chain has at least one certificate");
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(certificate_file, &error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => wrong(
                    key_file,
                    &format!("this key does not belong to the certificate {}: give the pair", certificate_file.display()),
                ),
                other => wrong(
                    certificate_file,
                    &format!("the certificate cannot be used with the key {}: {other}", key_file.display()),
                ),
            })?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(TlsIdentity { config: Arc::new(config), end_point: certificate::end_point(&own).map(Into::into) })
    }

    /// The server's half of the handshake.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.config.clone()).accept(stream).await
    }

    /// What a client binds its SCRAM exchange to.
    pub(crate) fn end_point(&self) -> Option<&[u8]> {
        self.end_point.as_deref()
    }
}

/// Whether both sides have said that they speak PostgreSQL's protocol.
pub(crate) fn has_alpn(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(ALPN)
}

/// What pg_stat_ssl shows, in OpenSSL's words.
pub(crate) fn facts(stream: &TlsStream<TcpStream>) -> TlsFacts {
    let connection = stream.get_ref().1;
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
    let cipher = cipher_name(suite);
    let bits = if cipher.contains("AES128") || cipher.contains("AES_128") { 128 } else { 256 };
    TlsFacts { version, cipher, bits }
}

/// OpenSSL's name of a cipher suite: TLS 1.3's as the standard has them, TLS 1.2's without what goes without saying.
fn cipher_name(suite: &str) -> String {
    match suite.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => suite
            .trim_start_matches("TLS_")
            .replace("_WITH_", "-")
            .replace("AES_128", "AES128")
            .replace("AES_256", "AES256")
            .replace("POLY1305_SHA256", "POLY1305")
            .replace('_', "-"),
    }
}

fn wrong(path: &Path, what: &str) -> Error {
    Error::new(SqlState::CONFIG_FILE_ERROR, format!("{}: {what}", path.display()))
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| wrong(path, &format!("the {what} file cannot be read: {error}; check the path and its rights")))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = read(path, "certificate")?;
    let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err(wrong(path, "there is no certificate in this file: it wants PEM, -----BEGIN CERTIFICATE-----"))
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(wrong(path, &format!("the certificate is damaged ({error}): write it anew as PEM"))),
    }
}

/// A key that others may read is no secret: refused, as PostgreSQL refuses it.
fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    use std::os::unix::fs::MetadataExt;
    let text = read(path, "key")?;
    let facts = std::fs::metadata(path).map_err(|error| wrong(path, &format!("the key file cannot be read: {error}")))?;
    // A key that belongs to root may be readable to the group that the server runs in.
    let others = if facts.uid() == 0 { 0o027 } else { 0o077 };
    if facts.mode() & others != 0 {
        return Err(wrong(path, "this key can be read or written by others: chmod 600 it"));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        if text.windows(9).any(|words| words == b"ENCRYPTED") {
            return wrong(
                path,
                "this key is encrypted, and nobody is there to give its pass phrase: decrypt it with openssl pkey",
            );
        }
        wrong(path, &format!("there is no usable private key in this file ({error}): it wants PEM, -----BEGIN PRIVATE KEY-----"))
    })
}

/// Where the certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads them.
    ///
    /// Errors: as [`TlsIdentity::load`].
    pub fn load(&self) -> Result<TlsIdentity> {
        TlsIdentity::load(&self.certificate, &self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_have_openssl_s_names() {
        for (suite, name) in [
            ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
            ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ] {
            assert_eq!(cipher_name(suite), name);
        }
    }
}
