//! What channel binding asks of a certificate: its hash, by the function that its signature uses. Reads no more of the DER than that.

use sha2::{Digest, Sha256, Sha384, Sha512};

/// A hash function of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const CONTEXT_0: u8 = 0xa0;

/// Signature algorithms by the DER of their identifiers.
const ALGORITHMS: &[(&[u8], Hash)] = &[
    // RSA with MD5 and SHA-1, ECDSA with SHA-1: RFC 5929 puts SHA-256 in the place of their hashes.
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12], Hash::Sha384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13], Hash::Sha512),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3], Hash::Sha384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4], Hash::Sha512),
];

/// RSASSA-PSS, whose parameters name the hash.
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];

/// Hash functions by the DER of their identifiers.
const HASHES: &[(&[u8], Hash)] = &[
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], Hash::Sha256),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2], Hash::Sha384),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], Hash::Sha512),
];

/// `tls-server-end-point` of a certificate (RFC 5929, 4.1); None where its signature names no hash (Ed25519) or it cannot be read.
pub fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match signature_hash(certificate)? {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (body, _) = element(certificate, SEQUENCE)?;
    let (_to_be_signed, rest) = element(body, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    if identifier == RSA_PSS {
        let (parameters, _) = element(parameters, SEQUENCE)?;
        // Left out, it is SHA-1.
        let Some((hash, _)) = element(parameters, CONTEXT_0) else { return Some(Hash::Sha256) };
        let (hash, _) = element(hash, SEQUENCE)?;
        return named(HASHES, element(hash, OBJECT_IDENTIFIER)?.0);
    }
    named(ALGORITHMS, identifier)
}

fn named(known: &[(&[u8], Hash)], identifier: &[u8]) -> Option<Hash> {
    known.iter().find(|(name, _)| *name == identifier).map(|(_, hash)| *hash)
}

/// The content of the element that the bytes begin with, if it has this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    if length < 0x80 {
        return rest.split_at_checked(usize::from(length));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
    if digits.len() > 4 {
        return None;
    }
    let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag, 0x82];
        bytes.extend_from_slice(&(content.len() as u16).to_be_bytes());
        bytes.extend_from_slice(content);
        bytes
    }

    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let body = [der(SEQUENCE, &[2, 1, 0]), der(SEQUENCE, algorithm), vec![3, 1, 0]].concat();
        der(SEQUENCE, &body)
    }

    #[test]
    fn the_signature_names_its_hash() {
        let sha384_with_rsa = der(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12]);
        assert_eq!(signature_hash(&certificate(&sha384_with_rsa)), Some(Hash::Sha384));
        let hash = der(SEQUENCE, &der(OBJECT_IDENTIFIER, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3]));
        let pss = [der(OBJECT_IDENTIFIER, RSA_PSS), der(SEQUENCE, &der(CONTEXT_0, &hash))].concat();
        assert_eq!(signature_hash(&certificate(&pss)), Some(Hash::Sha512));
        let ed25519 = der(OBJECT_IDENTIFIER, &[0x2b, 0x65, 0x70]);
        assert_eq!(signature_hash(&certificate(&ed25519)), None);
    }

    #[test]
    fn damaged_certificates_are_no_certificates() {
        let whole = certificate(&der(OBJECT_IDENTIFIER, &[0x2b, 0x65, 0x70]));
        for length in 0..whole.len() {
            assert_eq!(signature_hash(&whole[..length]), None);
        }
        assert_eq!(signature_hash(&[0x30, 0xff, 1, 2, 3]), None);
    }
}
