//! Digests, encode/decode, and conversion between encodings. The server's encoding is UTF8.

use base64::{Engine, alphabet, engine::general_purpose};
use md5::Digest;
use types::{Error, Result, SqlState};

use super::{Function, lift::strict};

pub fn functions() -> Vec<Function> {
    vec![
        strict!("md5_text", |a: &str| hex(&md5::Md5::digest(a.as_bytes()))),
        strict!("md5_bytea", |a: &[u8]| hex(&md5::Md5::digest(a))),
        strict!("sha224_bytea", |a: &[u8]| sha2::Sha224::digest(a).to_vec()),
        strict!("sha256_bytea", |a: &[u8]| sha2::Sha256::digest(a).to_vec()),
        strict!("sha384_bytea", |a: &[u8]| sha2::Sha384::digest(a).to_vec()),
        strict!("sha512_bytea", |a: &[u8]| sha2::Sha512::digest(a).to_vec()),
        strict!("binary_encode", |a: &[u8], format: &str| encode(a, format)),
        strict!("binary_decode", |a: &str, format: &str| decode(a, format)),
        strict!("pg_convert_from", |a: &[u8], encoding: &str| from_encoding(a, encoding, "source")),
        strict!("pg_convert_to", |a: &str, encoding: &str| to_encoding(a, encoding, "destination")),
        strict!("pg_convert", |a: &[u8], from: &str, to: &str| to_encoding(
            &from_encoding(a, from, "source")?,
            to,
            "destination"
        )),
        strict!("length_in_encoding", |a: &[u8], encoding: &str| {
            from_encoding(a, encoding, "").map(|text| text.chars().count() as i32)
        }),
    ]
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[(byte >> 4) as usize] as char);
        out.push(DIGITS[(byte & 15) as usize] as char);
    }
    out
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn encode(bytes: &[u8], format: &str) -> Result<String> {
    match format.to_ascii_lowercase().as_str() {
        "hex" => Ok(hex(bytes)),
        "base64" => {
            let text = general_purpose::STANDARD.encode(bytes);
            let lines: Vec<&str> = text.as_bytes().chunks(76).filter_map(|line| std::str::from_utf8(line).ok()).collect();
            Ok(lines.join("\n"))
        }
        "escape" => Ok(escape(bytes)),
        _ => Err(invalid(format!("unrecognized encoding: \"{format}\""))),
    }
}

/// Zero and bytes above 127 as octal escapes, backslashes doubled.
fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            0 | 128.. => out.push_str(&format!("\\{byte:03o}")),
            b'\\' => out.push_str("\\\\"),
            _ => out.push(byte as char),
        }
    }
    out
}

fn decode(text: &str, format: &str) -> Result<Vec<u8>> {
    match format.to_ascii_lowercase().as_str() {
        "hex" => decode_hex(text),
        "base64" => decode_base64(text),
        "escape" => decode_escape(text.as_bytes()),
        _ => Err(invalid(format!("unrecognized encoding: \"{format}\""))),
    }
}

fn decode_hex(text: &str) -> Result<Vec<u8>> {
    let mut digits = text.chars().filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r'));
    let digit =
        |c: char| c.to_digit(16).map(|value| value as u8).ok_or_else(|| invalid(format!("invalid hexadecimal digit: \"{c}\"")));
    let mut bytes = Vec::with_capacity(text.len() / 2);
    while let Some(high) = digits.next() {
        let high = digit(high)?;
        let low = digits.next().ok_or_else(|| invalid("invalid hexadecimal data: odd number of digits"))?;
        bytes.push(high << 4 | digit(low)?);
    }
    Ok(bytes)
}

fn decode_base64(text: &str) -> Result<Vec<u8>> {
    let mut symbols = String::with_capacity(text.len());
    for symbol in text.chars().filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r')) {
        if symbol != '=' && !alphabet::STANDARD.as_str().contains(symbol) {
            return Err(invalid(format!("invalid symbol \"{symbol}\" found while decoding base64 sequence")));
        }
        symbols.push(symbol);
    }
    let lenient = general_purpose::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let engine = general_purpose::GeneralPurpose::new(&alphabet::STANDARD, lenient);
    if let Some(at) = symbols.find('=')
        && (at % 4 < 2 || symbols[at..].chars().any(|c| c != '='))
    {
        return Err(invalid("unexpected \"=\" while decoding base64 sequence"));
    }
    engine.decode(&symbols).map_err(|_| {
        invalid("invalid base64 end sequence").hint("Input data is missing padding, is truncated, or is otherwise corrupted.")
    })
}

fn decode_escape(text: &[u8]) -> Result<Vec<u8>> {
    let syntax = || Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        if first != b'\\' {
            bytes.push(first);
            rest = after;
            continue;
        }
        match after {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            [b'\\', after @ ..] => {
                bytes.push(b'\\');
                rest = after;
            }
            _ => return Err(syntax()),
        }
    }
    Ok(bytes)
}

/// Encodings this server converts.
enum Encoding {
    Utf8,
    Latin1,
    Ascii,
}

fn encoding(name: &str, role: &str) -> Result<Encoding> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match plain.as_str() {
        "utf8" | "unicode" => Ok(Encoding::Utf8),
        "latin1" | "iso88591" => Ok(Encoding::Latin1),
        "sqlascii" => Ok(Encoding::Ascii),
        "latin2" | "latin3" | "latin4" | "latin5" | "latin9" | "win1250" | "win1251" | "win1252" | "koi8r" | "eucjp" | "sjis"
        | "big5" | "gbk" | "gb18030" | "euckr" => Err(Error::unsupported(format_args!("encoding {name}"))),
        _ => {
            let role = if role.is_empty() { String::new() } else { format!("{role} ") };
            Err(invalid(format!("invalid {role}encoding name \"{name}\"")))
        }
    }
}

fn from_encoding(bytes: &[u8], name: &str, role: &str) -> Result<String> {
    match encoding(name, role)? {
        Encoding::Latin1 => Ok(bytes.iter().map(|&byte| byte as char).collect()),
        Encoding::Utf8 | Encoding::Ascii => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok(text.to_owned()),
            Ok(_) => Err(invalid_sequence(&[0])),
            Err(error) => {
                let start = error.valid_up_to();
                let first = bytes[start];
                let expected = match first {
                    0xC0..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    0xF0..=0xF7 => 4,
                    _ => 1,
                };
                Err(invalid_sequence(&bytes[start..bytes.len().min(start + expected)]))
            }
        },
    }
}

fn invalid_sequence(bytes: &[u8]) -> Error {
    let shown: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    let message = format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "));
    Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
}

fn to_encoding(text: &str, name: &str, role: &str) -> Result<Vec<u8>> {
    match encoding(name, role)? {
        Encoding::Utf8 | Encoding::Ascii => Ok(text.as_bytes().to_vec()),
        Encoding::Latin1 => text
            .chars()
            .map(|c| {
                u8::try_from(c as u32).map_err(|_| {
                    let mut buffer = [0; 4];
                    let shown: Vec<String> = c.encode_utf8(&mut buffer).bytes().map(|byte| format!("0x{byte:02x}")).collect();
                    let message = format!(
                        "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
                        shown.join(" ")
                    );
                    Error::new(SqlState::UNTRANSLATABLE_CHARACTER, message)
                })
            })
            .collect(),
    }
}
