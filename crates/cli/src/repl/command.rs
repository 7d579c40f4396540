//! Backslash commands.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use durability::Link;
use types::{Error, Result, SqlState};

use super::{
    dump_to,
    print::Layout,
    shell::{Lines, Output, Shell, TextLines, reason},
    sql_help,
};
use crate::{
    connection::{Linked, local::Local, target::ConnectionArguments, wire::Wire},
    failure::say,
};

const HELP: &str = r#"General
  \q                     quit
  \g [FILE]              run the query again; \gx expanded; \gexec runs each value of its result
  \watch [SEC]           run the query again and again, until Ctrl-C
  \e                     edit the last query with $EDITOR
  \i FILE, SOURCE FILE   run a script, or restore a .heliodump
  \o [FILE | |COMMAND]   send results to a file or a command
  \copy TABLE FROM|TO FILE [OPTIONS]
  \dump FILE             save the database: SQL text for *.sql, else a .heliodump
  \c [DATABASE [USER HOST PORT] | URL]   connect, to a server too; \conninfo
  \! [COMMAND]           run a shell command
  \timing [on|off]       show how long statements take

Describing ([PATTERN], + for more)
  \d [NAME]   tables, views, sequences, or one of them
  \dt \di \dv \dm \ds    tables, indexes, views, materialized views, sequences
  \df \dn \dT \dD \du \l functions, schemas, types, domains, roles, databases
  \dp                    rights on tables, views and sequences

Formatting
  \x [on|off|auto]  \a  \t  \pset NAME VALUE (format, border, null, tuples_only, expanded, pager, footer, fieldsep)

Variables
  \set [NAME [VALUE]]  \unset NAME  \echo TEXT  \qecho TEXT  (:NAME, :'NAME', :"NAME" in statements)
  ON_ERROR_STOP=1 ends a script at its first error, with exit code 3

  \h [STATEMENT]  help on SQL
"#;

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

impl Shell {
    /// Runs a backslash command; `buffer` is the unfinished statement before it.
    pub(super) fn command(&mut self, text: &str, buffer: &str, lines: &mut dyn Lines) {
        let body = &text[1..];
        let end = body.find(|letter: char| letter.is_whitespace() || letter == '\\').unwrap_or(body.len());
        let (word, rest) = if body.starts_with('!') { body.split_at(1) } else { body.split_at(end) };
        let whole_line = matches!(word, "copy" | "!" | "h" | "help" | "dump");
        let (rest, next) = if whole_line { (rest, "") } else { until_next_command(rest) };
        let done = self.run_command(word, rest.trim(), buffer, lines);
        self.report(done, buffer);
        if !next.is_empty() && !self.quit {
            self.line(next, lines);
        }
    }

    fn run_command(&mut self, word: &str, rest: &str, buffer: &str, lines: &mut dyn Lines) -> Result<()> {
        let arguments = self.arguments(rest);
        let first = arguments.first().map_or("", String::as_str);
        match word {
            "q" | "quit" => self.quit = true,
            "?" => self.print(HELP),
            "h" | "help" => self.print(&sql_help::help(rest)),
            "g" | "gx" | "gexec" | "watch" => return self.run_again(word, first, buffer, lines),
            "e" | "edit" => return self.edit(buffer, lines),
            "r" | "reset" => self.scanner.clear(),
            "p" | "print" => {
                let text = if buffer.is_empty() { self.last.clone() } else { buffer.to_owned() };
                self.print(&format!("{text}\n"));
            }
            "i" | "include" | "ir" => return self.run_file(Path::new(first)),
            "o" | "out" => return self.redirect(rest),
            "copy" => return self.copy(rest, lines),
            "dump" => return self.dump(rest),
            "c" | "connect" => return self.connect(&arguments),
            "conninfo" => {
                let text = self.connection.describe();
                self.print(&format!("{text}\n"));
            }
            "!" => return run_shell(rest),
            "timing" => {
                self.timing = switched(first, self.timing)?;
                let word = if self.timing { "on" } else { "off" };
                self.print(&format!("Timing is {word}.\n"));
            }
            "x" => return self.set_style("expanded", first),
            "a" => return self.set_style("format", if self.style.layout == Layout::Aligned { "unaligned" } else { "aligned" }),
            "t" => return self.set_style("tuples_only", first),
            "f" => return self.set_style("fieldsep", first),
            "pset" => return self.set_style(first, arguments.get(1).map_or("", String::as_str)),
            "set" => return self.set(&arguments),
            "unset" => {
                self.variables.remove(first);
            }
            "echo" => println!("{}", arguments.join(" ")),
            "warn" => say(format_args!("{}\n", arguments.join(" "))),
            "qecho" => self.print(&format!("{}\n", arguments.join(" "))),
            // psql 15.14 and later print these around a dump, to keep its text from running commands.
            "restrict" | "unrestrict" => {}
            _ => {
                self.verbose_describe = word.contains('+');
                if !self.describe(word, rest)? {
                    return Err(Error::new(SqlState::SYNTAX_ERROR, format!("invalid command \\{word}")).hint("Try \\? for help."));
                }
            }
        }
        Ok(())
    }

    /// Words of a command's rest: quoted ones are one, variables are replaced.
    fn arguments(&self, rest: &str) -> Vec<String> {
        let (mut words, mut word, mut some) = (Vec::new(), String::new(), false);
        let mut quote = None;
        for character in rest.chars() {
            match (quote, character) {
                (None, '\'' | '"') => {
                    quote = Some(character);
                    some = true;
                }
                (Some(open), character) if character == open => quote = None,
                (None, character) if character.is_whitespace() => {
                    if some {
                        words.push(std::mem::take(&mut word));
                    }
                    some = false;
                }
                (_, character) => {
                    word.push(character);
                    some = true;
                }
            }
        }
        if some {
            words.push(word);
        }
        let replaced = |word: String| match word.strip_prefix(':').and_then(|name| self.variables.get(name)) {
            Some(value) => value.clone(),
            None => word,
        };
        words.into_iter().map(replaced).collect()
    }

    fn run_again(&mut self, word: &str, argument: &str, buffer: &str, lines: &mut dyn Lines) -> Result<()> {
        let statement = if buffer.is_empty() { self.last.clone() } else { self.scanner.take().trim().to_owned() };
        if statement.is_empty() {
            return Ok(());
        }
        match word {
            "gexec" => {
                let rows = Linked(&mut *self.connection).query(&statement)?;
                self.last = statement;
                for text in rows.into_iter().flatten().flatten() {
                    self.run_statement(&text, lines);
                }
            }
            "watch" => self.watch(&statement, argument, lines)?,
            "gx" => {
                let expanded = std::mem::replace(&mut self.style.expanded, true);
                self.run_statement(&statement, lines);
                self.style.expanded = expanded;
            }
            _ if !argument.is_empty() => {
                let output = std::mem::replace(&mut self.output, Output::Standard);
                let opened = self.redirect(argument);
                if opened.is_ok() {
                    self.run_statement(&statement, lines);
                }
                self.close_output();
                self.output = output;
                return opened;
            }
            _ => self.run_statement(&statement, lines),
        }
        Ok(())
    }

    fn watch(&mut self, statement: &str, argument: &str, lines: &mut dyn Lines) -> Result<()> {
        let seconds: f64 = if argument.is_empty() {
            2.0
        } else {
            argument.parse().map_err(|_| invalid(format!("\\watch: \"{argument}\" is no number of seconds")))?
        };
        let pause = Duration::try_from_secs_f64(seconds)
            .map_err(|_| invalid(format!("\\watch: \"{argument}\" is no number of seconds")))?;
        let was_failed = self.has_failed();
        loop {
            self.run_statement(statement, lines);
            if self.has_failed() != was_failed || self.quit {
                return Ok(());
            }
            // The pause is a statement too, so that Ctrl-C ends it as it ends any.
            let slept = self.sleep(pause);
            if slept.is_err() {
                return Ok(());
            }
        }
    }

    fn edit(&mut self, buffer: &str, lines: &mut dyn Lines) -> Result<()> {
        let path = std::env::temp_dir().join(format!("heliosdb-nano-{}.sql", std::process::id()));
        let failed = |error: std::io::Error| Error::new(SqlState::IO_ERROR, format!("{}: {}", path.display(), reason(&error)));
        let text = if buffer.is_empty() { &self.last } else { buffer };
        std::fs::write(&path, format!("{text}\n")).map_err(failed)?;
        let editor =
            ["PSQL_EDITOR", "EDITOR", "VISUAL"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_else(|| "vi".into());
        let ended = Command::new("sh").arg("-c").arg(format!("{editor} '{}'", path.display())).status().map_err(failed)?;
        let edited = std::fs::read_to_string(&path).map_err(failed)?;
        std::fs::remove_file(&path).map_err(failed)?;
        if ended.success() {
            self.scanner.clear();
            for line in edited.lines() {
                self.line(line, lines);
            }
        }
        Ok(())
    }

    fn close_output(&mut self) {
        if let Output::Pipe(mut child) = std::mem::replace(&mut self.output, Output::Standard) {
            drop(child.stdin.take());
            if let Err(error) = child.wait() {
                say(format_args!("the command that took the output: {error}\n"));
            }
        }
    }

    fn redirect(&mut self, target: &str) -> Result<()> {
        self.close_output();
        let failed = |error: std::io::Error| Error::new(SqlState::IO_ERROR, format!("{target}: {}", reason(&error)));
        self.output = match target.strip_prefix('|') {
            Some(command) => {
                Output::Pipe(Command::new("sh").arg("-c").arg(command).stdin(Stdio::piped()).spawn().map_err(failed)?)
            }
            None if target.is_empty() => Output::Standard,
            None => Output::File(File::create(target).map_err(failed)?),
        };
        Ok(())
    }

    /// `\copy t from 'file' with (...)`: COPY whose file is read or written here and not by the server.
    fn copy(&mut self, rest: &str, lines: &mut dyn Lines) -> Result<()> {
        let bad = || {
            Error::new(
                SqlState::SYNTAX_ERROR,
                "\\copy wants: TABLE [(columns)] FROM FILE [options], or TABLE or (query) TO FILE [options]",
            )
        };
        let (start, is_from, after) = copy_direction(rest).ok_or_else(bad)?;
        let after = after.trim_start();
        let (path, options) = match after.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').ok_or_else(bad)?,
            None => after.split_once(char::is_whitespace).unwrap_or((after.trim_end_matches(';'), "")),
        };
        let options = options.trim().trim_end_matches(';');
        let failed = |error: std::io::Error| Error::new(SqlState::IO_ERROR, format!("{path}: {}", reason(&error)));
        let standard = matches!(path, "stdin" | "STDIN" | "pstdin" | "stdout" | "STDOUT" | "pstdout");
        let direction = if is_from { "FROM STDIN" } else { "TO STDOUT" };
        let sql = format!("COPY {start} {direction} {options}");
        if standard {
            self.run_statement(&sql, lines);
            return Ok(());
        }
        if is_from {
            let mut file = File::open(path).map_err(failed)?;
            let count = Linked(&mut *self.connection).copy_in(&sql, &mut |piece| {
                piece.resize(1 << 16, 0);
                let read = file.read(piece).map_err(failed)?;
                piece.truncate(read);
                Ok(read > 0)
            })?;
            self.print(&format!("COPY {count}\n"));
            return Ok(());
        }
        let mut file = std::io::BufWriter::new(File::create(path).map_err(failed)?);
        let count = Linked(&mut *self.connection).copy_out(&sql, &mut |piece| file.write_all(piece).map_err(failed))?;
        file.flush().map_err(failed)?;
        self.print(&format!("COPY {count}\n"));
        Ok(())
    }

    fn dump(&mut self, rest: &str) -> Result<()> {
        let path = expanded_path(rest)?;
        if path.is_empty() {
            return Err(invalid("\\dump wants a file: SQL text for *.sql, else a .heliodump"));
        }
        if self.connection.status() != 'I' {
            return Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, "\\dump cannot run inside a transaction block"));
        }
        dump_to(&mut *self.connection, Path::new(&path))?;
        self.print(&format!("dumped to {path}\n"));
        Ok(())
    }

    fn connect(&mut self, arguments: &[String]) -> Result<()> {
        let given = |at: usize| arguments.get(at).filter(|word| *word != "-").cloned();
        match (arguments.len(), given(0)) {
            (0, _) => {}
            (1, Some(url)) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                self.connect_to(ConnectionArguments::of_url(&url))?
            }
            (1 | 2, database) => {
                let (database, user) =
                    (database.unwrap_or_else(|| self.connection.database()), given(1).unwrap_or_else(|| self.connection.user()));
                self.connection = Box::new(Local::connect(&self.cluster, &user, &database)?);
            }
            _ => self.connect_to(ConnectionArguments::of_parts(given(0), given(1), given(2), given(3)))?,
        }
        self.connected();
        let (database, user) = (self.connection.database(), self.connection.user());
        self.print(&format!("You are now connected to database \"{database}\" as user \"{user}\".\n"));
        Ok(())
    }

    fn connect_to(&mut self, arguments: ConnectionArguments) -> Result<()> {
        let target = arguments.target().map_err(|failure| invalid(failure.message()))?;
        self.connection = Box::new(Wire::connect(&target)?);
        Ok(())
    }

    fn set(&mut self, arguments: &[String]) -> Result<()> {
        match arguments {
            [] => {
                let text: String = self.variables.iter().map(|(name, value)| format!("{name} = '{value}'\n")).collect();
                self.print(&text);
            }
            [name, values @ ..] => self.set_variable(name, &if values.is_empty() { String::new() } else { values.concat() }),
        }
        Ok(())
    }

    fn set_style(&mut self, name: &str, value: &str) -> Result<()> {
        let said = match name {
            "expanded" | "x" if value == "auto" => {
                (self.style.expanded, self.style.expanded_when_wide) = (false, true);
                "Expanded display is used automatically.".to_owned()
            }
            "expanded" | "x" => {
                let before = self.style.expanded || self.style.expanded_when_wide;
                (self.style.expanded, self.style.expanded_when_wide) = (switched(value, before)?, false);
                format!("Expanded display is {}.", on_off(self.style.expanded))
            }
            "tuples_only" | "t" => {
                self.style.tuples_only = switched(value, self.style.tuples_only)?;
                format!("Tuples only is {}.", on_off(self.style.tuples_only))
            }
            "footer" => {
                self.style.footer = switched(value, self.style.footer)?;
                format!("Default footer is {}.", on_off(self.style.footer))
            }
            "null" => {
                self.style.null = value.to_owned();
                format!("Null display is \"{value}\".")
            }
            "fieldsep" => {
                self.style.separator = value.to_owned();
                format!("Field separator is \"{value}\".")
            }
            "pager" => {
                self.pager = switched(value, self.pager)?;
                format!("Pager usage is {}.", on_off(self.pager))
            }
            "border" => {
                if value != "1" {
                    return Err(Error::unsupported(format!("\\pset border {value}")));
                }
                "Border style is 1.".to_owned()
            }
            "format" => {
                self.style.layout = match value {
                    "aligned" => Layout::Aligned,
                    "unaligned" => Layout::Unaligned,
                    "csv" => Layout::Csv,
                    other => {
                        return Err(invalid(format!("\\pset: allowed formats are aligned, csv, unaligned, not \"{other}\"")));
                    }
                };
                format!("Output format is {value}.")
            }
            other => return Err(invalid(format!("\\pset: unknown option: {other}"))),
        };
        if !self.flag("QUIET") {
            self.print(&format!("{said}\n"));
        }
        Ok(())
    }

    fn sleep(&mut self, pause: Duration) -> Result<()> {
        self.cancellable(&format!("SELECT pg_catalog.pg_sleep({})", pause.as_secs_f64()))
    }
}

fn on_off(flag: bool) -> &'static str {
    if flag { "on" } else { "off" }
}

/// A switch's new state: as told, or the other one.
fn switched(value: &str, now: bool) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "" => Ok(!now),
        "on" | "true" | "1" | "yes" | "always" => Ok(true),
        "off" | "false" | "0" | "no" => Ok(false),
        other => Err(invalid(format!("unrecognized value \"{other}\": Boolean expected"))),
    }
}

/// Splits where another backslash command begins.
fn until_next_command(rest: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, character) in rest.char_indices() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), character) if character == open => quote = None,
            (None, '\\') => return (&rest[..at], rest[at..].strip_prefix("\\\\").unwrap_or(&rest[at..])),
            _ => {}
        }
    }
    (rest, "")
}

/// The table or query of \copy, whether it is FROM, and what follows.
fn copy_direction(rest: &str) -> Option<(&str, bool, &str)> {
    let (mut depth, mut quote) = (0_usize, None);
    let bytes = rest.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), byte) if byte == open => quote = None,
            (None, b'(') => depth += 1,
            (None, b')') => depth = depth.saturating_sub(1),
            (None, b' ' | b'\t') if depth == 0 => {
                let word = rest[at..].trim_start();
                let end = word.find(char::is_whitespace)?;
                let direction = &word[..end];
                let is_from = direction.eq_ignore_ascii_case("from");
                if is_from || direction.eq_ignore_ascii_case("to") {
                    return Some((&rest[..at], is_from, &word[end..]));
                }
            }
            _ => {}
        }
    }
    None
}

fn run_shell(command: &str) -> Result<()> {
    let shell = std::env::var("SHELL").unwrap_or_else(|_| "sh".into());
    let mut process = if command.is_empty() { Command::new(shell) } else { Command::new("sh") };
    if !command.is_empty() {
        process.arg("-c").arg(command);
    }
    process.status().map(|_| ()).map_err(|error| Error::new(SqlState::SYSTEM_ERROR, format!("\\!: {error}")))
}

/// A path with `$(date +FORMAT)` replaced by the date, in UTC. The format may come escaped for a crontab (`\%s`).
fn expanded_path(text: &str) -> Result<String> {
    let text = text.trim().trim_end_matches(';').trim_matches('\'');
    let Some((before, rest)) = text.split_once("$(") else { return Ok(text.to_owned()) };
    let (inside, after) = rest.split_once(')').ok_or_else(|| invalid("\\dump: $( without )"))?;
    let format = inside.trim().strip_prefix("date").map(str::trim).and_then(|rest| rest.strip_prefix('+'));
    let format = format.ok_or_else(|| invalid(format!("\\dump: $({inside}) is not run; only $(date +FORMAT) is replaced")))?;
    let format = format.trim_matches(['\'', '"']).replace("\\%", "%");
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let date = jiff::fmt::strtime::format(&format, &now).map_err(|error| invalid(format!("\\dump: date +{format}: {error}")))?;
    expanded_path(&format!("{before}{date}{after}"))
}

impl Shell {
    /// A script given at once, as an editor's text is.
    pub(super) fn entered(&mut self, text: &str) {
        let mut lines = TextLines::new(text);
        self.run_lines(&mut lines);
        self.go_on();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dates_are_expanded() {
        assert_eq!(expanded_path("/b/x.sql").unwrap(), "/b/x.sql");
        let seconds: i64 = expanded_path("$(date +\\%s)").unwrap().parse().unwrap();
        assert!(seconds > 1_700_000_000);
        assert_eq!(expanded_path("a_$(date +%Y%m%d).sql").unwrap().len(), "a_20250101.sql".len());
        assert!(expanded_path("$(rm -rf x)").is_err());
    }

    #[test]
    fn copy_and_chained_commands_are_cut() {
        assert_eq!(copy_direction("t (a, b) from 'f' csv"), Some(("t (a, b)", true, " 'f' csv")));
        assert_eq!(copy_direction("(select 1 from t) to stdout"), Some(("(select 1 from t)", false, " stdout")));
        assert_eq!(until_next_command(" on \\x"), (" on ", "\\x"));
        assert_eq!(until_next_command(" 'a\\b'"), (" 'a\\b'", ""));
    }
}
