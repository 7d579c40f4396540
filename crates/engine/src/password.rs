//! Passwords as roles keep them: a SCRAM-SHA-256 verifier (RFC 5803, as PostgreSQL writes it) or an Argon2id hash (PHC string).
//!
//! **Invariant.** A password itself is never kept, and checking one takes as long for a role that does not exist.

use argon2::{
    Argon2, PasswordVerifier,
    password_hash::{PasswordHash, PasswordHasher, SaltString},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use types::{Error, Result, SqlState};

const SCRAM_PREFIX: &str = "SCRAM-SHA-256$";
/// PostgreSQL's.
const SCRAM_ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;

/// What SCRAM needs to know of a password.
#[derive(Clone, Debug)]
pub struct ScramVerifier {
    pub iterations: u32,
    pub salt: Vec<u8>,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

/// How a role's password is kept.
#[derive(Clone, Debug)]
pub enum Verifier {
    Scram(ScramVerifier),
    Argon2(String),
}

impl Verifier {
    /// Reads what a role keeps; None for what is neither form.
    pub fn parse(text: &str) -> Option<Verifier> {
        if text.starts_with("$argon2") {
            return PasswordHash::new(text).is_ok().then(|| Verifier::Argon2(text.to_owned()));
        }
        ScramVerifier::parse(text).map(Verifier::Scram)
    }

    /// Whether this is the password.
    pub fn accepts(&self, password: &str) -> bool {
        match self {
            Verifier::Scram(verifier) => {
                let salted = salted_password(password, &verifier.salt, verifier.iterations);
                same_bytes(&hmac(&salted, b"Server Key"), &verifier.server_key)
            }
            Verifier::Argon2(hash) => {
                PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
            }
        }
    }
}

impl ScramVerifier {
    pub fn new(password: &str) -> ScramVerifier {
        ScramVerifier::with_salt(password, &rand::random::<[u8; SALT_BYTES]>(), SCRAM_ITERATIONS)
    }

    fn with_salt(password: &str, salt: &[u8], iterations: u32) -> ScramVerifier {
        let salted = salted_password(password, salt, iterations);
        let client_key = hmac(&salted, b"Client Key");
        ScramVerifier {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(client_key).into(),
            server_key: hmac(&salted, b"Server Key"),
        }
    }

    /// A verifier that no password fits, the same each time for one name: what a client sees of a role that has none.
    pub fn of_nobody(name: &str, secret: &[u8]) -> ScramVerifier {
        let seed = hmac(secret, name.as_bytes());
        ScramVerifier {
            iterations: SCRAM_ITERATIONS,
            salt: seed[..SALT_BYTES].to_vec(),
            stored_key: hmac(secret, &seed),
            server_key: hmac(&seed, secret),
        }
    }

    fn parse(text: &str) -> Option<ScramVerifier> {
        let (parameters, keys) = text.strip_prefix(SCRAM_PREFIX)?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let key = |text: &str| STANDARD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        Some(ScramVerifier {
            iterations: iterations.parse().ok().filter(|iterations| *iterations > 0)?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }

    pub fn text(&self) -> String {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        let (salt, stored, server) = (encode(&self.salt), encode(&self.stored_key), encode(&self.server_key));
        format!("{SCRAM_PREFIX}{}:{salt}${stored}:{server}", self.iterations)
    }

    /// Checks the client's proof over what was said, and gives the server's own signature.
    pub fn check_proof(&self, proof: &[u8], said: &[u8]) -> Option<[u8; 32]> {
        let signature = hmac(&self.stored_key, said);
        let proof = <[u8; 32]>::try_from(proof).ok()?;
        let mut client_key = [0; 32];
        for (at, byte) in client_key.iter_mut().enumerate() {
            *byte = proof[at] ^ signature[at];
        }
        let stored: [u8; 32] = Sha256::digest(client_key).into();
        same_bytes(&stored, &self.stored_key).then(|| hmac(&self.server_key, said))
    }
}

/// The verifier of a new password: what was given when it is one already, else SCRAM's.
///
/// Errors: 0A000 for an MD5 hash.
pub fn verifier_text(password: &str) -> Result<String> {
    if password.len() == 35 && password.starts_with("md5") && password[3..].bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::unsupported("a password hashed with MD5").hint("Give the password itself, or a SCRAM verifier."));
    }
    match Verifier::parse(password) {
        Some(_) => Ok(password.to_owned()),
        None => Ok(ScramVerifier::new(password).text()),
    }
}

/// An Argon2id hash with the cost that the configuration's examples show (m=4096, t=3, p=1).
pub fn argon2_hash(password: &str) -> Result<String> {
    let failed = |error: &dyn std::fmt::Display| Error::new(SqlState::INTERNAL_ERROR, format!("could not hash: {error}"));
    let salt = SaltString::encode_b64(&rand::random::<[u8; SALT_BYTES]>()).map_err(|error| failed(&error))?;
    let cost = argon2::Params::new(4096, 3, 1, None).map_err(|error| failed(&error))?;
    let hasher = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cost);
    hasher.hash_password(password.as_bytes(), &salt).map(|hash| hash.to_string()).map_err(|error| failed(&error))
}

/// A nonce for SCRAM: printable, without commas.
pub fn scram_nonce() -> String {
    STANDARD.encode(rand::random::<[u8; 18]>())
}

pub fn base64_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// PBKDF2 of one block.
fn salted_password(password: &str, salt: &[u8], iterations: u32) -> [u8; 32] {
    let keyed = Hmac::<Sha256>::new_from_slice(password.as_bytes()).expect("HMAC takes keys of any length");
    let round = |message: &[u8]| -> [u8; 32] {
        let mut mac = keyed.clone();
        mac.update(message);
        mac.finalize().into_bytes().into()
    };
    let mut block = round(&[salt, &1u32.to_be_bytes()].concat());
    let mut sum = block;
    for _ in 1..iterations {
        block = round(&block);
        for (at, byte) in sum.iter_mut().enumerate() {
            *byte ^= block[at];
        }
    }
    sum
}

/// Compared without stopping at the first difference.
fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_accept_their_password_only() {
        for text in [ScramVerifier::new("pencil").text(), argon2_hash("pencil").unwrap()] {
            let verifier = Verifier::parse(&text).expect("it reads what it writes");
            assert!(verifier.accepts("pencil") && !verifier.accepts("pen") && !verifier.accepts(""));
        }
        assert!(Verifier::parse("pencil").is_none());
    }

    /// RFC 7677, section 3.
    #[test]
    fn the_exchange_of_the_rfc() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = ScramVerifier::with_salt("pencil", &salt, 4096);
        let said = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let signature = verifier.check_proof(&proof, said.as_bytes()).expect("the proof is right");
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert!(verifier.check_proof(&proof, b"something else").is_none());
        assert!(verifier.check_proof(&proof[..31], said.as_bytes()).is_none());
    }
}
