//! LIKE and ILIKE. `%` matches any string, `_` one character, and the escape character takes away a character's meaning.

use types::{Error, Result, SqlState};

use super::{
    Function,
    lift::{TextBytes, strict},
    text::lower,
};

pub fn functions() -> Vec<Function> {
    vec![
        strict!("textlike", |a: TextBytes, pattern: TextBytes| matches(a, pattern, true)),
        strict!("textnlike", |a: TextBytes, pattern: TextBytes| matches(a, pattern, true).map(|found| !found)),
        strict!("namelike", |a: TextBytes, pattern: TextBytes| matches(a, pattern, true)),
        strict!("namenlike", |a: TextBytes, pattern: TextBytes| matches(a, pattern, true).map(|found| !found)),
        strict!("texticlike", |a: &str, pattern: &str| insensitive(a, pattern)),
        strict!("texticnlike", |a: &str, pattern: &str| insensitive(a, pattern).map(|found| !found)),
        strict!("nameiclike", |a: &str, pattern: &str| insensitive(a, pattern)),
        strict!("nameicnlike", |a: &str, pattern: &str| insensitive(a, pattern).map(|found| !found)),
        strict!("bytealike", |a: &[u8], pattern: &[u8]| matches(a, pattern, false)),
        strict!("byteanlike", |a: &[u8], pattern: &[u8]| matches(a, pattern, false).map(|found| !found)),
        strict!("like_escape", |pattern: &str, escape: &str| with_backslash(pattern, escape)),
        strict!("like_escape_bytea", |pattern: &[u8], escape: &[u8]| -> Result<Vec<u8>> {
            let bytes = |bytes: &[u8]| bytes.iter().map(|&byte| byte as char).collect::<String>();
            let converted = with_backslash(&bytes(pattern), &bytes(escape))?;
            Ok(converted.chars().map(|byte| byte as u8).collect())
        }),
    ]
}

fn insensitive(text: &str, pattern: &str) -> Result<bool> {
    matches(lower(text).as_bytes(), lower(pattern).as_bytes(), true)
}

fn ends_with_escape() -> Error {
    Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character")
}

/// Bytes of the character that starts here.
fn character_length(bytes: &[u8], characters: bool) -> usize {
    if !characters {
        return 1;
    }
    1 + bytes[1..].iter().take_while(|byte| **byte & 0xC0 == 0x80).count()
}

/// Whether the text matches. A `%` is tried greedily; on a mismatch only the last one is moved on, which is enough.
fn matches(text: &[u8], pattern: &[u8], characters: bool) -> Result<bool> {
    let (mut at, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && at == text.len() {
            return Ok(true);
        }
        let advanced = match pattern.get(p) {
            Some(b'%') => {
                retry = Some((p + 1, at));
                p += 1;
                true
            }
            Some(b'_') if at < text.len() => {
                at += character_length(&text[at..], characters);
                p += 1;
                true
            }
            // As in PostgreSQL, a pattern's bad end is only seen by a text that gets there.
            Some(b'\\') if at < text.len() => {
                let literal = *pattern.get(p + 1).ok_or_else(ends_with_escape)?;
                let same = text.get(at) == Some(&literal);
                if same {
                    at += 1;
                    p += 2;
                }
                same
            }
            Some(literal) if *literal != b'_' && text.get(at) == Some(literal) => {
                at += 1;
                p += 1;
                true
            }
            _ => false,
        };
        if advanced {
            continue;
        }
        match retry {
            Some((after, from)) if from < text.len() => {
                let next = from + character_length(&text[from..], characters);
                retry = Some((after, next));
                (p, at) = (after, next);
            }
            _ => return Ok(false),
        }
    }
}

/// A pattern with another escape character, written with the backslash.
fn with_backslash(pattern: &str, escape: &str) -> Result<String> {
    let mut characters = escape.chars();
    let escape = match (characters.next(), characters.next()) {
        (first, None) => first,
        _ => {
            return Err(Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
                .hint("Escape string must be empty or one character."));
        }
    };
    if escape == Some('\\') {
        return Ok(pattern.to_owned());
    }
    let mut out = String::with_capacity(pattern.len());
    let mut escaped = false;
    for character in pattern.chars() {
        if Some(character) == escape && !escaped {
            out.push('\\');
            escaped = true;
        } else if character == '\\' {
            out.push('\\');
            if !escaped {
                out.push('\\');
            }
            escaped = false;
        } else {
            out.push(character);
            escaped = false;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("", "", true),
            ("", "%", true),
            ("abc", "a%c", true),
            ("abc", "%b%", true),
            ("abc", "_b_", true),
            ("abc", "ab", false),
            ("aXbXc", "a%Xc", true),
            ("aaab", "%ab", true),
            ("été", "_t_", true),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("abc", "%%%", true),
            ("ab", "___", false),
        ];
        for (text, pattern, expected) in cases {
            assert_eq!(matches(text.as_bytes(), pattern.as_bytes(), true).expect("valid"), expected, "{text} like {pattern}");
        }
        assert_eq!(matches(b"ab", b"a\\", true).expect_err("it ends in the escape").sqlstate().code(), "22025");
        assert!(!matches(b"a", b"a\\", true).expect("the text ends before the escape"));
    }
}
