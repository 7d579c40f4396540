//! Rows of SQLite as COPY's text format.

use rusqlite::types::ValueRef;
use types::{Error, Result, SqlState};

use super::sqlite_types::Target;

/// Appends a value, without the delimiter.
///
/// Errors: 22021 for texts that are not UTF-8 or hold a zero byte.
pub(super) fn put(value: ValueRef<'_>, target: Target, out: &mut Vec<u8>) -> Result<()> {
    match value {
        ValueRef::Null => out.extend_from_slice(b"\\N"),
        ValueRef::Integer(value) if target == Target::Boolean => out.push(if value == 0 { b'f' } else { b't' }),
        ValueRef::Integer(value) => out.extend_from_slice(value.to_string().as_bytes()),
        ValueRef::Real(value) => out.extend_from_slice(number(value).as_bytes()),
        ValueRef::Text(text) => put_text(text, out)?,
        ValueRef::Blob(bytes) => {
            out.extend_from_slice(b"\\\\x");
            for byte in bytes {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
        }
    }
    Ok(())
}

/// As PostgreSQL reads it.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    value.to_string()
}

fn put_text(text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let wrong = |what: &str| Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, what);
    let text = std::str::from_utf8(text).map_err(|_| wrong("a text is not valid UTF-8"))?;
    for byte in text.bytes() {
        match byte {
            0 => return Err(wrong("a text holds a zero byte, which no text here can")),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => out.push(byte),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: ValueRef<'_>, target: Target) -> Result<String> {
        let mut out = Vec::new();
        put(value, target, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn values_are_copy_s_text() {
        assert_eq!(text(ValueRef::Null, Target::Text).unwrap(), "\\N");
        assert_eq!(text(ValueRef::Integer(1), Target::Boolean).unwrap(), "t");
        assert_eq!(text(ValueRef::Integer(i64::MIN), Target::Bigint).unwrap(), "-9223372036854775808");
        assert_eq!(text(ValueRef::Real(0.1), Target::Double).unwrap(), "0.1");
        assert_eq!(text(ValueRef::Real(f64::NEG_INFINITY), Target::Double).unwrap(), "-Infinity");
        assert_eq!(text(ValueRef::Text(b"a\tb\\N\n"), Target::Text).unwrap(), "a\\tb\\\\N\\n");
        assert_eq!(text(ValueRef::Blob(&[0, 255]), Target::Bytea).unwrap(), "\\\\x00ff");
        assert!(text(ValueRef::Text(b"\xff"), Target::Text).is_err());
        assert!(text(ValueRef::Text(b"a\0"), Target::Text).is_err());
    }
}
