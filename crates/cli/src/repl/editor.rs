//! The interactive loop: multi-line editing, history, highlighting, completion.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use durability::Link;
use parking_lot::Mutex;
use reedline::{
    ColumnarMenu, Completer, Emacs, FileBackedHistory, Highlighter, KeyCode, KeyModifiers, MenuBuilder, Prompt, PromptEditMode,
    PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal, Span, StyledText, Suggestion, ValidationResult,
    Validator, default_emacs_keybindings,
};

use super::{scanner::Scanner, shell::Shell};
use crate::{connection::Linked, failure::Failure};

/// Words that are shown as keywords and completed.
const KEYWORDS: &[&str] = &[
    "ADD",
    "ALL",
    "ALTER",
    "ANALYZE",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CASCADE",
    "CASE",
    "CAST",
    "CHECK",
    "COLUMN",
    "COMMENT",
    "COMMIT",
    "CONFLICT",
    "CONSTRAINT",
    "COPY",
    "CREATE",
    "CROSS",
    "DATABASE",
    "DEFAULT",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DO",
    "DOMAIN",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FETCH",
    "FOR",
    "FOREIGN",
    "FROM",
    "FULL",
    "FUNCTION",
    "GRANT",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "ISOLATION",
    "JOIN",
    "KEY",
    "LATERAL",
    "LEFT",
    "LEVEL",
    "LIKE",
    "LIMIT",
    "MATERIALIZED",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PRIMARY",
    "REFERENCES",
    "REFRESH",
    "RENAME",
    "RESTRICT",
    "RETURNING",
    "REVOKE",
    "RIGHT",
    "ROLE",
    "ROLLBACK",
    "SAVEPOINT",
    "SCHEMA",
    "SELECT",
    "SEQUENCE",
    "SERIALIZABLE",
    "SET",
    "SHOW",
    "SOURCE",
    "TABLE",
    "TEMPORARY",
    "THEN",
    "TO",
    "TRANSACTION",
    "TRUE",
    "TRUNCATE",
    "TYPE",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// Names of the database that can be completed.
type Names = Arc<Mutex<Vec<String>>>;

struct ShellPrompt {
    database: String,
    sign: char,
    status: char,
}

impl Prompt for ShellPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.database)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        let block = match self.status {
            'T' => "*",
            'E' => "!",
            _ => "",
        };
        let sign = if self.sign == '=' { String::new() } else { self.sign.to_string() };
        Cow::Owned(format!("{sign}{block}> "))
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Owned(format!("{}-> ", " ".repeat(self.database.len().saturating_sub(1))))
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(search: {}) ", search.term))
    }
}

/// Enter sends a line once it ends a statement or is a backslash command.
struct EndOfStatement;

impl Validator for EndOfStatement {
    fn validate(&self, text: &str) -> ValidationResult {
        let mut scanner = Scanner::default();
        let mut commands = false;
        for line in text.lines() {
            commands |=
                scanner.line(line, &BTreeMap::new()).iter().any(|piece| matches!(piece, super::scanner::Piece::Command { .. }));
        }
        let first = text.split_whitespace().next().unwrap_or("").to_ascii_lowercase();
        let is_own = matches!(first.as_str(), "source" | "quit" | "exit");
        if commands || scanner.is_empty() || is_own { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

struct Words(Names);

impl Completer for Words {
    fn complete(&mut self, line: &str, position: usize) -> Vec<Suggestion> {
        let before = &line[..position.min(line.len())];
        let start = before.rfind(|letter: char| !letter.is_alphanumeric() && letter != '_').map_or(0, |at| at + 1);
        let start = (start..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or(before.len());
        let word = &before[start..];
        if word.is_empty() {
            return Vec::new();
        }
        let lower = word.to_lowercase();
        let keyword = |known: &str| if word.chars().all(char::is_lowercase) { known.to_lowercase() } else { known.to_owned() };
        let mut found: Vec<String> =
            self.0.lock().iter().filter(|name| name.to_lowercase().starts_with(&lower)).cloned().collect();
        found.extend(KEYWORDS.iter().filter(|known| known.to_lowercase().starts_with(&lower)).map(|known| keyword(known)));
        found.dedup();
        let suggestion = |value: String| Suggestion {
            value,
            span: Span::new(start, position),
            append_whitespace: true,
            ..Suggestion::default()
        };
        found.into_iter().map(suggestion).collect()
    }
}

struct Colours;

impl Highlighter for Colours {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        use nu_ansi_term::{Color, Style};
        let mut text = StyledText::new();
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
            let (length, style) = if first == '\'' {
                let end = rest[1..].find('\'').map_or(rest.len(), |at| at + 2);
                (end, Style::new().fg(Color::Green))
            } else if rest.starts_with("--") {
                (rest.find('\n').unwrap_or(rest.len()), Style::new().fg(Color::DarkGray))
            } else if is_word(first) {
                let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
                let is_keyword = KEYWORDS.binary_search(&&*rest[..end].to_uppercase()).is_ok();
                let style = match (is_keyword, first.is_ascii_digit()) {
                    (true, _) => Style::new().bold().fg(Color::Blue),
                    (_, true) => Style::new().fg(Color::Purple),
                    _ => Style::new(),
                };
                (end, style)
            } else {
                (first.len_utf8(), Style::new())
            };
            text.push((style, rest[..length].to_owned()));
            rest = &rest[length..];
        }
        text
    }
}

fn read_names(shell: &mut Shell) -> Vec<String> {
    if shell.connection.status() != 'I' {
        return Vec::new();
    }
    let sql = "SELECT DISTINCT name FROM (
        SELECT c.relname::text AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'v', 'm', 'p') AND n.nspname <> 'information_schema'
        UNION ALL SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT p.proname::text FROM pg_catalog.pg_proc p WHERE p.proname !~ '^(bt|hash|gin|gist|brin|spg|_)|(in|out|recv|send|sel)$'
    ) AS names ORDER BY 1";
    let rows = Linked(&mut *shell.connection).query(sql).unwrap_or_default();
    rows.into_iter().flatten().flatten().collect()
}

fn history() -> Option<FileBackedHistory> {
    let home = std::env::var_os("HOME")?;
    FileBackedHistory::with_file(10_000, std::path::Path::new(&home).join(".heliosdb_history")).ok()
}

/// Runs until \q or Ctrl-D.
pub(super) fn run(shell: &mut Shell) -> Result<(), Failure> {
    let names: Names = Arc::default();
    let mut keys = default_emacs_keybindings();
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu("completion".into()), ReedlineEvent::MenuNext]),
    );
    let mut editor = Reedline::create()
        .with_validator(Box::new(EndOfStatement))
        .with_highlighter(Box::new(Colours))
        .with_completer(Box::new(Words(names.clone())))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(ColumnarMenu::default().with_name("completion"))))
        .with_edit_mode(Box::new(Emacs::new(keys)));
    if let Some(history) = history() {
        editor = editor.with_history(Box::new(history));
    }
    println!("HeliosDB Nano {} (in memory). \\? for help, \\q to quit.", env!("CARGO_PKG_VERSION"));
    while !shell.quit {
        *names.lock() = read_names(shell);
        let prompt =
            ShellPrompt { database: shell.connection.database(), sign: shell.scanner.sign(), status: shell.connection.status() };
        match editor.read_line(&prompt) {
            Ok(Signal::Success(text)) => shell.entered(&format!("{text}\n")),
            Ok(Signal::CtrlC) => shell.scanner.clear(),
            Ok(Signal::CtrlD) => shell.quit = true,
            Err(error) => return Err(Failure::operation(format!("could not read from the terminal: {error}"))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_can_be_searched() {
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn enter_goes_on_until_the_statement_ends() {
        let complete = |text: &str| matches!(EndOfStatement.validate(text), ValidationResult::Complete);
        assert!(complete("select 1;") && complete("\\d") && complete("SOURCE a.sql") && complete(""));
        assert!(!complete("select 1") && !complete("select ';"));
    }
}
