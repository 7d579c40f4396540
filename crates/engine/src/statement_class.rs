//! What kind of statement a text is, by its words, and how much of it may be recorded or shown to others.

use std::borrow::Cow;

use types::SqlState;

/// Classes of statements, as pgaudit has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Read,
    Write,
    Ddl,
    /// Roles and rights.
    Role,
    Transaction,
    Misc,
}

impl Class {
    pub fn name(self) -> &'static str {
        match self {
            Class::Read => "read",
            Class::Write => "write",
            Class::Ddl => "ddl",
            Class::Role => "role",
            Class::Transaction => "transaction",
            Class::Misc => "misc",
        }
    }

    /// The class of a statement; its command tag tells what one that stands for another was.
    pub fn of(text: &str, tag: Option<&str>) -> Class {
        let mut words = Words(text);
        let first = words.next().unwrap_or_default();
        match first.as_str() {
            "EXECUTE" => tag.map_or(Class::Misc, |tag| Class::of(tag, None)),
            // A query that changes data says so somewhere: rather too many than too few count as writes.
            "WITH" => match words.any(|word| matches!(word.as_str(), "INSERT" | "UPDATE" | "DELETE" | "MERGE")) {
                true => Class::Write,
                false => Class::Read,
            },
            "EXPLAIN" => match words.find(|word| is_statement(word)) {
                Some(_) if !has_word(text, "ANALYZE") => Class::Read,
                Some(word) => Class::of(&word, None),
                None => Class::Read,
            },
            "SELECT" if words.any(|word| word == "INTO") => Class::Ddl,
            "SELECT" | "VALUES" | "TABLE" | "FETCH" | "MOVE" | "SHOW" => Class::Read,
            "COPY" => match words.find(|word| matches!(word.as_str(), "FROM" | "TO")) {
                Some(word) if word == "FROM" => Class::Write,
                _ => Class::Read,
            },
            "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "TRUNCATE" | "DO" | "CALL" => Class::Write,
            "GRANT" | "REVOKE" | "REASSIGN" => Class::Role,
            "CREATE" | "ALTER" | "DROP" => match words.next().as_deref() {
                Some("ROLE" | "USER" | "GROUP") => Class::Role,
                Some("DEFAULT") => Class::Role,
                _ => Class::Ddl,
            },
            "COMMENT" | "REINDEX" | "REFRESH" | "SECURITY" | "IMPORT" | "CLUSTER" => Class::Ddl,
            "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" => Class::Transaction,
            _ => Class::Misc,
        }
    }
}

fn is_statement(word: &str) -> bool {
    ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE", "WITH", "EXECUTE", "CREATE", "REFRESH", "DECLARE"]
        .contains(&word)
}

fn has_word(text: &str, wanted: &str) -> bool {
    Words(text).any(|word| word == wanted)
}

/// Whether a ROLLBACK goes back to a savepoint and does not end its transaction.
pub fn is_partial_rollback(text: &str) -> bool {
    has_word(text, "TO")
}

/// Whether it asks for a commit.
pub fn is_commit(text: &str) -> bool {
    Words(text).next().is_some_and(|word| matches!(word.as_str(), "COMMIT" | "END"))
}

/// The text as far as it holds no secret: a statement about roles, one that speaks of passwords, and one that nobody could parse (a
/// misspelt one about roles, perhaps) end before their first literal.
pub fn without_secrets(text: &str, state: Option<SqlState>) -> Cow<'_, str> {
    let speaks_of_secrets = || {
        let lower = text.to_ascii_lowercase();
        ["passw", "secret", "scram-sha-256$", "$argon2"].iter().any(|word| lower.contains(word))
    };
    let is_secret = Class::of(text, None) == Class::Role
        || state == Some(SqlState::SYNTAX_ERROR)
        || has_word(text, "ROLE")
        || speaks_of_secrets();
    // Not where a literal ends but where one begins: that is certain whatever standard_conforming_strings says.
    match text.find(['\'', '$']) {
        Some(start) if is_secret => format!("{}<redacted>", &text[..start]).into(),
        _ => text.into(),
    }
}

/// The words of a text in capitals; comments, literals and quoted names are left out.
struct Words<'a>(&'a str);

impl Words<'_> {
    /// Drops what comes before the end mark, and the mark.
    fn skip_past(&mut self, end: &str) {
        self.0 = self.0.find(end).map_or("", |at| &self.0[at + end.len()..]);
    }

    /// Comments nest.
    fn skip_comment(&mut self) {
        self.skip_past("/*");
        let mut depth = 1;
        while depth > 0 {
            let Some(close) = self.0.find("*/") else { return self.0 = "" };
            let opens = self.0[..close].contains("/*");
            depth = if opens { depth + 1 } else { depth - 1 };
            self.skip_past(if opens { "/*" } else { "*/" });
        }
    }
}

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            let first = self.0.chars().next()?;
            if self.0.starts_with("--") {
                self.skip_past("\n");
            } else if self.0.starts_with("/*") {
                self.skip_comment();
            } else if first == '\'' || first == '"' {
                self.0 = &self.0[1..];
                self.skip_past(if first == '"' { "\"" } else { "'" });
            } else if first.is_alphabetic() || first == '_' {
                let end = self.0.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).unwrap_or(self.0.len());
                let (word, rest) = self.0.split_at(end);
                self.0 = rest;
                return Some(word.to_uppercase());
            } else {
                self.0 = &self.0[first.len_utf8()..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        for (text, class) in [
            ("select 1", Class::Read),
            ("/* a /* nested */ one */ -- and a line\n UPDATE t SET a = 1", Class::Write),
            ("(SELECT 1)", Class::Read),
            ("WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", Class::Write),
            ("WITH a AS (SELECT 'insert') SELECT * FROM a", Class::Read),
            ("SELECT * INTO u FROM t", Class::Ddl),
            ("COPY t FROM STDIN", Class::Write),
            ("COPY (SELECT 1) TO STDOUT", Class::Read),
            ("CREATE TABLE t AS SELECT 1", Class::Ddl),
            ("create user a", Class::Role),
            ("GRANT SELECT ON t TO a", Class::Role),
            ("EXPLAIN DELETE FROM t", Class::Read),
            ("EXPLAIN (ANALYZE) DELETE FROM t", Class::Write),
            ("rollback to a", Class::Transaction),
            ("SET a = 1", Class::Misc),
            ("", Class::Misc),
            ("/* without an end", Class::Misc),
        ] {
            assert_eq!(Class::of(text, None), class, "{text}");
        }
        assert_eq!(Class::of("EXECUTE p", Some("INSERT 0 1")), Class::Write);
    }

    #[test]
    fn secrets_are_left_out() {
        let shown = |text: &str| without_secrets(text, None).into_owned();
        assert_eq!(shown("ALTER ROLE a PASSWORD 'x' VALID UNTIL '2030'"), "ALTER ROLE a PASSWORD <redacted>");
        assert_eq!(shown("create user a password $$x$$"), "create user a password <redacted>");
        assert_eq!(
            shown("PREPARE p AS SELECT set_config('my.password', 'x', false)"),
            "PREPARE p AS SELECT set_config(<redacted>"
        );
        assert_eq!(shown("DO $$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ''x'''; END $$"), "DO <redacted>");
        assert_eq!(shown("SELECT 'kept'"), "SELECT 'kept'");
        assert_eq!(without_secrets("ALTR USER a PASWD 'x'", Some(SqlState::SYNTAX_ERROR)), "ALTR USER a PASWD <redacted>");
    }
}
