//! `repl`: the shell. psql's habits over a database in this process, or over any server with `\c`.
//!
//! [`Shell`] takes lines, whoever typed them; [`scanner::Scanner`] cuts them into statements and backslash commands. Exit codes are psql's:
//! 0, 1 when a dump at the end failed or a --execute did, 3 when a script failed under ON_ERROR_STOP.

mod command;
mod describe;
mod editor;
mod elapsed;
mod print;
mod scanner;
mod shell;
mod sql_help;

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use durability::Compression;
use engine::{Cluster, DEFAULT_DATABASE};
use parking_lot::Mutex;

use self::shell::Shell;
use crate::{
    configuration::{Configuration, find_file},
    connection::{Canceller, local::Local},
    dump,
    failure::{Failure, say},
    progress::ProgressBar,
    start,
};

const USER: &str = "postgres";

#[derive(Debug, Args)]
pub(crate) struct ReplArguments {
    /// Keep everything in memory; nothing is saved unless asked
    #[arg(long)]
    memory: bool,
    #[arg(long, hide = true)]
    data_dir: Option<PathBuf>,
    /// Configuration file: users, quotas, isolation and dumps as for a server; flags beat it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Dump the database when the shell ends
    #[arg(long)]
    dump_on_shutdown: bool,
    #[arg(long, value_name = "FILE", help = "Where to: SQL text for *.sql, else a .heliodump [default: heliosdb_dump.sql]")]
    dump_file: Option<PathBuf>,
    /// Run this first; may be given several times. Then interactive when standard input is a terminal
    #[arg(long, short, value_name = "STATEMENT")]
    execute: Vec<String>,
    /// Set a variable, such as ON_ERROR_STOP=1
    #[arg(long, short, value_name = "NAME=VALUE")]
    variable: Vec<String>,
}

/// Dumps at the end, from the shell or from the thread that hears signals; once.
struct LastDump {
    cluster: Arc<Cluster>,
    path: Option<PathBuf>,
    /// Say so when something is lost.
    warns: bool,
    done: Mutex<bool>,
}

impl LastDump {
    fn run(&self) -> Result<(), Failure> {
        let mut done = self.done.lock();
        if std::mem::replace(&mut *done, true) {
            return Ok(());
        }
        let dumped = self.path.as_deref().map_or(Ok(()), |path| self.dump(path));
        if self.warns {
            start::warn_of_dirty_state(&self.cluster);
        }
        dumped
    }

    fn dump(&self, path: &Path) -> Result<(), Failure> {
        let mut connection = Local::connect(&self.cluster, USER, DEFAULT_DATABASE)?;
        dump_to(&mut connection, path)?;
        say(format_args!("dumped to {}\n", path.display()));
        Ok(())
    }
}

fn dump_to(connection: &mut dyn crate::connection::Connection, path: &Path) -> types::Result<()> {
    let mut bar = ProgressBar::new("dumping");
    let done = dump::dump(connection, path, dump::format_of(path), false, Compression::Zstd, &[], &mut bar);
    bar.finish();
    done
}

impl ReplArguments {
    /// What is in force; the shell's dump is SQL text unless somebody says otherwise.
    fn configuration(&self) -> Result<Configuration, Failure> {
        let file = find_file(self.config.clone());
        let mut flags = Vec::new();
        if self.dump_on_shutdown {
            flags.push(("dump.on_shutdown", "--dump-on-shutdown", "true".to_owned()));
        }
        if let Some(path) = &self.dump_file {
            flags.push(("dump.file", "--dump-file", path.to_string_lossy().into_owned()));
        }
        let mut configuration = Configuration::resolve(file.as_deref(), flags)?;
        configuration.prefer("dump.file", "heliosdb_dump.sql");
        Ok(configuration)
    }

    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        if self.data_dir.is_some() {
            return Err(Failure::not_yet("--data-dir (only --memory is)"));
        }
        if !self.memory {
            return Err(Failure::usage("say where the data lives: heliosdb-nano repl --memory"));
        }
        let configuration = self.configuration()?;
        let cluster = Arc::new(Cluster::new());
        cluster.set_limits(configuration.limits())?;
        crate::access::make_users(&cluster, &configuration);
        let connection = Local::connect(&cluster, USER, DEFAULT_DATABASE)?;
        let interactive = std::io::stdin().is_terminal();
        // A script that ends is no surprise to anybody, unless the configuration asks.
        let warns = configuration.flag("dump.warn_on_dirty_shutdown")
            && (interactive || configuration.is_given("dump.warn_on_dirty_shutdown"));
        let path = configuration.last_dump();
        let last_dump = Arc::new(LastDump { cluster: cluster.clone(), path, warns, done: Mutex::new(false) });
        let running: Arc<Mutex<Option<Canceller>>> = Arc::default();
        listen_for_signals(running.clone(), last_dump.clone(), interactive)?;
        let mut shell = Shell::new(Box::new(connection), cluster, running, interactive && std::io::stdout().is_terminal());
        for assignment in &self.variable {
            let (name, value) = assignment.split_once('=').unwrap_or((assignment, "1"));
            shell.set_variable(name, value);
        }
        for statement in &self.execute {
            shell.run_text(statement);
            if shell.has_failed() && (shell.stops_on_error() || !interactive) {
                last_dump.run()?;
                return Ok(ExitCode::from(if shell.stops_on_error() { 3 } else { 1 }));
            }
        }
        if interactive {
            editor::run(&mut shell)?;
        } else {
            shell.run_standard_input();
        }
        last_dump.run()?;
        Ok(ExitCode::from(shell.exit_code()))
    }
}

/// Ctrl-C cancels the running statement (and ends a script); SIGTERM and SIGHUP dump, if asked, and end the shell.
fn listen_for_signals(
    running: Arc<Mutex<Option<Canceller>>>,
    last_dump: Arc<LastDump>,
    interactive: bool,
) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error: std::io::Error| Failure::operation(format!("could not listen for signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
    drop(entered);
    std::thread::spawn(move || {
        runtime.block_on(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {
                        let cancel = running.lock().clone();
                        match cancel {
                            Some(cancel) => cancel(),
                            None if interactive => {}
                            None => end(&last_dump, 130),
                        }
                    }
                    _ = terminate.recv() => end(&last_dump, 0),
                    _ = hang_up.recv() => end(&last_dump, 0),
                }
            }
        });
    });
    Ok(())
}

fn end(last_dump: &LastDump, code: i32) {
    let code = match last_dump.run() {
        Ok(()) => code,
        Err(failure) => {
            failure.report();
            1
        }
    };
    std::process::exit(code);
}
