//! Which type a column of SQLite becomes. There a declared type only suggests what values may be, so the values decide with it: a column is
//! imported as its declaration says when every value fits, else as the narrowest type that all of them fit.
//!
//! | declared | values | becomes |
//! |---|---|---|
//! | `BOOL...` | 0 and 1 | boolean |
//! | `...INT...` | integers | bigint |
//! | `REAL`, `FLOA...`, `DOUB...` | numbers | double precision |
//! | `NUMERIC`, `DECIMAL`, `DECIMAL(p,s)` | numbers | numeric |
//! | `DATE` | texts like 2025-12-08 | date |
//! | `TIME` | texts like 10:00:00 | time |
//! | `DATETIME`, `TIMESTAMP` | texts like 2025-12-08 10:00:00 | timestamp |
//! | `JSON`, `JSONB` | valid JSON | json |
//! | `UUID`, `GUID` | texts like a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 | uuid |
//! | anything else or none | texts | text |
//! | | blobs | bytea |
//! | | integers | bigint |
//! | | numbers | double precision |
//! | | texts and numbers | text |

use types::{Error, Result, SqlState};

/// What values a column holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Classes {
    pub integer: bool,
    pub real: bool,
    pub text: bool,
    pub blob: bool,
    /// Every value passes the test of the declared type ([`test_of`]).
    pub fits: bool,
}

/// A type that values are imported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Boolean,
    Bigint,
    Double,
    Numeric,
    Date,
    Time,
    Timestamp,
    Json,
    Uuid,
    Text,
    Bytea,
}

impl Target {
    pub(super) fn name(self) -> &'static str {
        match self {
            Target::Boolean => "boolean",
            Target::Bigint => "bigint",
            Target::Double => "double precision",
            Target::Numeric => "numeric",
            Target::Date => "date",
            Target::Time => "time",
            Target::Timestamp => "timestamp",
            Target::Json => "json",
            Target::Uuid => "uuid",
            Target::Text => "text",
            Target::Bytea => "bytea",
        }
    }
}

/// What a declaration suggests.
pub(super) fn suggested(declared: &str) -> Target {
    let name = declared.to_ascii_uppercase();
    let name = name.split('(').next().unwrap_or_default().trim();
    match name {
        "DATE" => Target::Date,
        "TIME" => Target::Time,
        "DATETIME" | "TIMESTAMP" => Target::Timestamp,
        "JSON" | "JSONB" => Target::Json,
        "UUID" | "GUID" => Target::Uuid,
        "NUMERIC" | "DECIMAL" => Target::Numeric,
        name if name.starts_with("BOOL") => Target::Boolean,
        // SQLite's own rules of affinity, in their order.
        name if name.contains("INT") => Target::Bigint,
        name if ["CHAR", "CLOB", "TEXT"].iter().any(|part| name.contains(part)) => Target::Text,
        "BLOB" => Target::Bytea,
        name if ["REAL", "FLOA", "DOUB"].iter().any(|part| name.contains(part)) => Target::Double,
        _ => Target::Text,
    }
}

/// A condition of SQLite's that a value must meet to be of a type, beyond its class.
pub(super) fn test_of(target: Target, column: &str) -> String {
    const DAY: &str = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]";
    const HOUR: &str = "[0-2][0-9]:[0-5][0-9]";
    // A fraction of a second may follow, and nothing else: a zone would be lost.
    let is_time = |value: &str| {
        format!(
            "({value} GLOB '{HOUR}' OR {value} GLOB '{HOUR}:[0-5][0-9]' OR ({value} GLOB '{HOUR}:[0-5][0-9].[0-9]*' AND NOT substr({value}, 10) GLOB '*[^0-9]*'))"
        )
    };
    match target {
        Target::Boolean => format!("{column} IN (0, 1)"),
        Target::Date => format!("({column} GLOB '{DAY}' AND date({column}) IS {column})"),
        Target::Time => is_time(column),
        Target::Timestamp => {
            let time = is_time(&format!("substr({column}, 12)"));
            format!(
                "(date(substr({column}, 1, 10)) IS substr({column}, 1, 10) AND substr({column}, 11, 1) IN (' ', 'T') AND {time})"
            )
        }
        Target::Json => format!("json_valid({column})"),
        Target::Uuid => {
            let digits = |count: usize| "[0-9a-fA-F]".repeat(count);
            let groups = [8, 4, 4, 4, 12].map(digits).join("-");
            format!("{column} GLOB '{groups}'")
        }
        _ => "1".to_owned(),
    }
}

/// The type for a column with such a declaration and such values.
///
/// Errors: 22P03 when blobs stand among other values.
pub(super) fn chosen(declared: &str, classes: Classes, column: &str) -> Result<Target> {
    let Classes { integer, real, text, blob, fits } = classes;
    if blob {
        if integer || real || text {
            return Err(Error::new(
                SqlState::INVALID_BINARY_REPRESENTATION,
                format!("column {column} holds blobs and other values, which no type fits"),
            )
            .hint("Make them one or the other in SQLite, with UPDATE ... SET ... = CAST(... AS BLOB)."));
        }
        return Ok(Target::Bytea);
    }
    let suggested = suggested(declared);
    let holds = match suggested {
        Target::Boolean | Target::Bigint => !real && !text,
        Target::Double | Target::Numeric => !text,
        Target::Date | Target::Time | Target::Timestamp | Target::Json | Target::Uuid => !integer && !real,
        Target::Text => declared.is_empty() || text || !(integer || real),
        Target::Bytea => !integer && !real && !text,
    };
    // Without a declaration numbers may speak for themselves.
    if holds && fits && !(declared.is_empty() && (integer || real)) {
        return Ok(suggested);
    }
    Ok(match (integer, real, text) {
        (_, _, true) => Target::Text,
        (_, true, false) => Target::Double,
        (true, false, false) => Target::Bigint,
        (false, false, false) => suggested,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(declared: &str, classes: &str) -> Result<&'static str> {
        let has = |letter: char| classes.contains(letter);
        let classes = Classes { integer: has('i'), real: has('r'), text: has('t'), blob: has('b'), fits: !has('!') };
        chosen(declared, classes, "c").map(Target::name)
    }

    #[test]
    fn the_declaration_and_the_values_decide() {
        for (declared, classes, expected) in [
            ("INTEGER", "i", "bigint"),
            ("UNSIGNED BIG INT", "", "bigint"),
            ("INT", "it", "text"),
            ("INT", "ir", "double precision"),
            ("BOOLEAN", "i", "boolean"),
            ("BOOLEAN", "i!", "bigint"),
            ("VARCHAR(255)", "t", "text"),
            ("VARCHAR(255)", "i", "bigint"),
            ("REAL", "ri", "double precision"),
            ("DECIMAL(10,5)", "ir", "numeric"),
            ("DATE", "t", "date"),
            ("DATE", "t!", "text"),
            ("DATETIME", "i", "bigint"),
            ("TIMESTAMP", "t", "timestamp"),
            ("JSON", "t", "json"),
            ("", "", "text"),
            ("", "i", "bigint"),
            ("", "ir", "double precision"),
            ("BLOB", "b", "bytea"),
            ("BLOB", "t", "text"),
            ("TEXT", "b", "bytea"),
        ] {
            assert_eq!(choose(declared, classes).unwrap(), expected, "{declared} {classes}");
        }
        assert!(choose("TEXT", "tb").is_err());
    }
}
