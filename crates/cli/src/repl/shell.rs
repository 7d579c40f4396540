//! The shell's state, and how statements run in it.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::{BufRead, IsTerminal, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use engine::Cluster;
use parking_lot::Mutex;
use types::{Error, Result};

use super::{
    elapsed::Elapsed,
    print::{Style, Table},
    scanner::{Piece, Scanner},
};
use crate::{
    connection::{Canceller, Connection, Handler},
    failure::say,
};

/// Where lines come from; COPY FROM STDIN reads its data from there too.
pub(super) trait Lines {
    fn next(&mut self) -> Option<std::io::Result<Vec<u8>>>;
}

impl<R: BufRead> Lines for R {
    fn next(&mut self) -> Option<std::io::Result<Vec<u8>>> {
        let mut line = Vec::new();
        match self.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error)),
        }
    }
}

/// What the user wants of a text given at once: its remaining lines.
pub(super) struct TextLines(VecDeque<Vec<u8>>);

impl TextLines {
    pub(super) fn new(text: &str) -> TextLines {
        TextLines(text.split_inclusive('\n').map(|line| line.as_bytes().to_vec()).collect())
    }
}

impl Lines for TextLines {
    fn next(&mut self) -> Option<std::io::Result<Vec<u8>>> {
        self.0.pop_front().map(Ok)
    }
}

/// Where results go: \o.
pub(super) enum Output {
    Standard,
    File(File),
    Pipe(std::process::Child),
}

pub(crate) struct Shell {
    pub(super) connection: Box<dyn Connection>,
    pub(super) cluster: Arc<Cluster>,
    running: Arc<Mutex<Option<Canceller>>>,
    pub(super) on_terminal: bool,
    pub(super) style: Style,
    pub(super) pager: bool,
    pub(super) timing: bool,
    pub(super) verbose_describe: bool,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) output: Output,
    /// The last statement that ran, for \g and \watch.
    pub(super) last: String,
    pub(super) scanner: Scanner,
    failed: bool,
    /// A script has been given up under ON_ERROR_STOP.
    stopped: bool,
    pub(super) quit: bool,
    depth: usize,
}

/// Files that include themselves end somewhere.
const MAX_DEPTH: usize = 100;

impl Shell {
    pub(super) fn new(
        connection: Box<dyn Connection>,
        cluster: Arc<Cluster>,
        running: Arc<Mutex<Option<Canceller>>>,
        on_terminal: bool,
    ) -> Shell {
        let mut style = Style::default();
        if on_terminal {
            style.null = "NULL".into();
        }
        let mut shell = Shell {
            connection,
            cluster,
            running,
            on_terminal,
            style,
            pager: true,
            timing: false,
            verbose_describe: false,
            variables: BTreeMap::new(),
            output: Output::Standard,
            last: String::new(),
            scanner: Scanner::default(),
            failed: false,
            stopped: false,
            quit: false,
            depth: 0,
        };
        shell.connected();
        shell
    }

    /// Keeps the variables that tell of the connection.
    pub(super) fn connected(&mut self) {
        self.variables.insert("DBNAME".into(), self.connection.database());
        self.variables.insert("USER".into(), self.connection.user());
    }

    pub(super) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.variables.get(name).is_some_and(|value| matches!(&*value.to_ascii_lowercase(), "1" | "on" | "true" | "yes"))
    }

    pub(super) fn stops_on_error(&self) -> bool {
        self.flag("ON_ERROR_STOP")
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(super) fn exit_code(&self) -> u8 {
        if self.stopped { 3 } else { 0 }
    }

    pub(super) fn complain(&mut self, message: &str) {
        say(format_args!("{message}\n"));
    }

    /// Runs what --execute gave: the last statement needs no semicolon.
    pub(super) fn run_text(&mut self, text: &str) {
        self.failed = false;
        let mut lines = TextLines::new(text);
        self.run_lines(&mut lines);
        self.run_rest();
    }

    pub(super) fn run_standard_input(&mut self) {
        let mut lines = std::io::BufReader::new(std::io::stdin());
        self.run_lines(&mut lines);
        self.run_rest();
    }

    /// A statement at the end of the input that has no semicolon runs all the same.
    fn run_rest(&mut self) {
        if !self.scanner.is_empty() && !self.quit && !self.stopped {
            let statement = self.scanner.take();
            self.run_statement(statement.trim(), &mut TextLines::new(""));
        }
        self.scanner.clear();
    }

    pub(super) fn run_file(&mut self, path: &Path) -> Result<()> {
        let failed =
            |error: std::io::Error| Error::new(types::SqlState::IO_ERROR, format!("{}: {}", path.display(), reason(&error)));
        if self.depth >= MAX_DEPTH {
            return Err(Error::new(
                types::SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("{}: too many files within files", path.display()),
            ));
        }
        if crate::restore::is_archive(path) {
            let mut archive = durability::Archive::open(path)?;
            let mut bar = crate::progress::ProgressBar::new("restoring");
            let done =
                crate::restore::apply(&mut *self.connection, &mut archive, &durability::restore::Options::default(), &mut bar);
            bar.finish();
            return done;
        }
        let mut lines = std::io::BufReader::new(File::open(path).map_err(failed)?);
        let outer = std::mem::take(&mut self.scanner);
        self.depth += 1;
        self.run_lines(&mut lines);
        self.run_rest();
        self.depth -= 1;
        self.scanner = outer;
        Ok(())
    }

    pub(super) fn run_lines(&mut self, lines: &mut dyn Lines) {
        while !self.quit && !self.stopped {
            match lines.next() {
                None => return,
                Some(Ok(line)) => self.line(&String::from_utf8_lossy(&line), lines),
                Some(Err(error)) => {
                    self.fail(&format!("could not read the input: {error}"));
                    return;
                }
            }
        }
    }

    /// One line of input.
    pub(super) fn line(&mut self, line: &str, lines: &mut dyn Lines) {
        let line = line.trim_end_matches(['\n', '\r']);
        if self.scanner.is_empty()
            && let Some(path) = source_path(line)
        {
            let done = self.run_file(Path::new(&path));
            return self.report(done, line);
        }
        if self.scanner.is_empty() && matches!(line.trim(), "quit" | "exit" | "quit;" | "exit;") && self.on_terminal {
            self.quit = true;
            return;
        }
        let variables = std::mem::take(&mut self.variables);
        let pieces = self.scanner.line(line, &variables);
        self.variables = variables;
        for piece in pieces {
            if self.quit || self.stopped {
                return;
            }
            match piece {
                Piece::Statement(statement) => self.run_statement(&statement, lines),
                Piece::Command { command, buffer } => self.command(&command, &buffer, lines),
            }
        }
    }

    /// Runs a statement and shows its results or its error.
    pub(super) fn run_statement(&mut self, statement: &str, lines: &mut dyn Lines) {
        if let Some(path) = source_path(statement) {
            let done = self.run_file(Path::new(&path));
            return self.report(done, statement);
        }
        self.last = statement.to_owned();
        let started = Instant::now();
        let done = self.with_handler(statement, lines);
        self.report(done, statement);
        if self.timing {
            // About the statement and not of its result: it does not follow that into a file.
            println!("Time: {:.3} ms", started.elapsed().as_secs_f64() * 1000.0);
        }
    }

    fn with_handler(&mut self, statement: &str, lines: &mut dyn Lines) -> Result<()> {
        let mut printer = Printer {
            tables: Vec::new(),
            current: None,
            lines,
            copied: Vec::new(),
            quiet: self.flag("QUIET"),
            data_ended: false,
            notifications: String::new(),
            elapsed: if self.on_terminal { Elapsed::begin() } else { None },
        };
        *self.running.lock() = Some(self.connection.canceller());
        let done = self.connection.run(statement, &mut printer);
        *self.running.lock() = None;
        let Printer { tables, copied, notifications, elapsed, .. } = printer;
        drop(elapsed);
        for shown in tables {
            match shown {
                Shown::Table(table) => self.show(&table),
                Shown::Tag(tag) => self.print(&format!("{tag}\n")),
            }
        }
        if !copied.is_empty() {
            self.print_bytes(&copied);
        }
        if !notifications.is_empty() {
            self.print(&notifications);
        }
        done
    }

    /// Runs a statement whose result nobody wants to see, so that Ctrl-C ends it.
    pub(super) fn cancellable(&mut self, sql: &str) -> Result<()> {
        *self.running.lock() = Some(self.connection.canceller());
        let done = durability::Link::execute(&mut crate::connection::Linked(&mut *self.connection), sql);
        *self.running.lock() = None;
        done
    }

    /// Prints an error as psql does, with a caret under the spot; under ON_ERROR_STOP a script ends.
    pub(super) fn report(&mut self, done: Result<()>, statement: &str) {
        let Err(error) = done else { return };
        if !error.message().is_empty() {
            say(error_text(&error, statement));
        }
        self.failed();
    }

    pub(super) fn fail(&mut self, message: &str) {
        say(format_args!("{message}\n"));
        self.failed();
    }

    fn failed(&mut self) {
        self.failed = true;
        let in_script = self.depth > 0 || !self.on_terminal;
        if self.stops_on_error() && in_script {
            self.stopped = true;
        }
    }

    /// An interactive session outlives a script that stopped.
    pub(super) fn go_on(&mut self) {
        self.stopped = false;
    }

    pub(super) fn show(&mut self, table: &Table) {
        let mut style = self.style.clone();
        if style.expanded_when_wide && !table.columns.is_empty() {
            style.expanded = table.width(&style) > terminal_size().1;
        }
        let mut text = table.print(&style);
        // A pager would show the escape sequences.
        let is_drawn = self.on_terminal && matches!(self.output, Output::Standard) && !is_long(text.as_bytes());
        if is_drawn {
            text = table.print(&Style { faint_null: true, ..style });
        }
        self.print(&text);
    }

    pub(super) fn print(&mut self, text: &str) {
        self.print_bytes(text.as_bytes());
    }

    fn print_bytes(&mut self, bytes: &[u8]) {
        let written = match &mut self.output {
            Output::Standard if self.on_terminal && self.pager && is_long(bytes) && page(bytes) => return,
            Output::Standard => {
                let mut out = std::io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Output::File(file) => file.write_all(bytes),
            Output::Pipe(child) => child.stdin.as_mut().map_or(Ok(()), |input| input.write_all(bytes)),
        };
        if let Err(error) = written {
            // Whoever read the output has gone.
            if error.kind() == std::io::ErrorKind::BrokenPipe {
                self.quit = true;
            } else {
                say(format_args!("could not write the output: {error}\n"));
            }
        }
    }
}

enum Shown {
    Table(Table),
    Tag(String),
}

/// Gathers results to be printed, and feeds COPY FROM STDIN from where the statement came.
struct Printer<'a> {
    tables: Vec<Shown>,
    current: Option<Table>,
    lines: &'a mut dyn Lines,
    copied: Vec<u8>,
    quiet: bool,
    /// The data of a COPY FROM STDIN has come to its end.
    data_ended: bool,
    /// Shown after the results.
    notifications: String,
    elapsed: Option<Elapsed>,
}

impl Handler for Printer<'_> {
    fn columns(&mut self, columns: Vec<(String, u32)>) -> Result<()> {
        self.current = Some(Table { columns, ..Table::default() });
        Ok(())
    }

    fn row(&mut self, row: durability::Row) -> Result<()> {
        if let Some(table) = &mut self.current {
            table.rows.push(row);
        }
        Ok(())
    }

    fn complete(&mut self, tag: &str) -> Result<()> {
        match self.current.take() {
            Some(table) => {
                self.tables.push(Shown::Table(table));
                // Of a change with RETURNING, psql tells both.
                if !self.quiet && ["INSERT", "UPDATE", "DELETE", "MERGE"].iter().any(|word| tag.starts_with(word)) {
                    self.tables.push(Shown::Tag(tag.to_owned()));
                }
            }
            None if !self.quiet && self.copied.is_empty() => self.tables.push(Shown::Tag(tag.to_owned())),
            None => {}
        }
        Ok(())
    }

    fn notice(&mut self, severity: &str, notice: &Error) {
        if let Some(elapsed) = &self.elapsed {
            elapsed.hide();
        }
        say(notice_text(severity, notice));
    }

    fn notification(&mut self, channel: &str, payload: &str, pid: i32) {
        let payload = if payload.is_empty() { String::new() } else { format!(" with payload \"{payload}\"") };
        let line = format!("Asynchronous notification \"{channel}\"{payload} received from server process with PID {pid}.\n");
        self.notifications.push_str(&line);
    }

    fn copy_out(&mut self, piece: &[u8]) -> Result<()> {
        self.copied.extend_from_slice(piece);
        Ok(())
    }

    fn copy_in(&mut self, piece: &mut Vec<u8>) -> Result<bool> {
        // Whoever types the data has the line.
        self.elapsed = None;
        while piece.len() < 1 << 16 && !self.data_ended {
            let Some(line) = self.lines.next() else { break };
            let line = line.map_err(|error| Error::new(types::SqlState::IO_ERROR, error.to_string()))?;
            if matches!(&*line, b"\\.\n" | b"\\." | b"\\.\r\n") {
                self.data_ended = true;
            } else {
                piece.extend_from_slice(&line);
            }
        }
        Ok(!piece.is_empty())
    }
}

pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// The file of `SOURCE file`.
fn source_path(line: &str) -> Option<String> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (word, path) = line.split_once(char::is_whitespace)?;
    let path = path.trim();
    let unquoted = path.strip_prefix('\'').and_then(|path| path.strip_suffix('\'')).unwrap_or(path);
    (word.eq_ignore_ascii_case("source") && !unquoted.is_empty()).then(|| unquoted.to_owned())
}

fn notice_text(severity: &str, notice: &Error) -> String {
    let mut text = format!("{severity}:  {}\n", notice.message());
    let fields = notice.fields();
    for (label, field) in [("DETAIL", &fields.detail), ("HINT", &fields.hint), ("CONTEXT", &fields.context)] {
        if let Some(field) = field {
            text.push_str(&format!("{label}:  {field}\n"));
        }
    }
    text
}

/// `ERROR:  ...`, `LINE 1: ...` and a caret.
fn error_text(error: &Error, statement: &str) -> String {
    let text = notice_text("ERROR", error);
    let Some(position) = error.fields().position else { return text };
    let before: String = statement.chars().take(position.saturating_sub(1)).collect();
    let number = before.matches('\n').count() + 1;
    let Some(line) = statement.split('\n').nth(number - 1) else { return text };
    let column = before.rsplit('\n').next().map_or(0, unicode_width::UnicodeWidthStr::width);
    let label = format!("LINE {number}: ");
    let (message, rest) = text.split_once('\n').unwrap_or((&text, ""));
    format!("{message}\n{label}{line}\n{}^\n{rest}", " ".repeat(label.len() + column))
}

/// Whether a text takes more lines than the terminal has.
fn is_long(bytes: &[u8]) -> bool {
    bytes.iter().filter(|byte| **byte == b'\n').count() >= terminal_size().0
}

/// Lines and columns; what is no terminal has those of an old one.
fn terminal_size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok().filter(|size| size.ws_col > 0);
    size.map_or((24, 80), |size| (usize::from(size.ws_row), usize::from(size.ws_col)))
}

/// Shows a text in the pager; false when there is none.
fn page(bytes: &[u8]) -> bool {
    if !std::io::stdout().is_terminal() {
        return false;
    }
    let pager = std::env::var("PSQL_PAGER").or_else(|_| std::env::var("PAGER")).unwrap_or_else(|_| "less -S".into());
    if pager.trim().is_empty() {
        return false;
    }
    let Ok(mut child) = Command::new("sh").arg("-c").arg(&pager).stdin(Stdio::piped()).spawn() else { return false };
    let written = child.stdin.take().map(|mut input| input.write_all(bytes));
    let ended = child.wait();
    // A user who leaves the pager early has seen enough; a pager that is not there (127) has shown nothing.
    drop(written);
    ended.is_ok_and(|status| status.code() != Some(127))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_names_a_file() {
        assert_eq!(source_path("SOURCE mydb.sql").as_deref(), Some("mydb.sql"));
        assert_eq!(source_path("source 'my db.sql';").as_deref(), Some("my db.sql"));
        assert_eq!(source_path("select 1"), None);
    }

    #[test]
    fn errors_point_at_the_spot() {
        let error = Error::new(types::SqlState::UNDEFINED_COLUMN, "column \"b\" does not exist").at(Some(10)).hint("h");
        assert_eq!(
            error_text(&error, "select\na, b;"),
            "ERROR:  column \"b\" does not exist\nLINE 2: a, b;\n          ^\nHINT:  h\n"
        );
    }
}
