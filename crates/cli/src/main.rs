//! `heliosdb-nano`: the command line. Reads arguments, runs one command, turns its end into an exit code.
//!
//! Exit codes: 0 it worked, 1 it failed, 2 the command line is wrong or asks for what is not there yet. An error is one line on
//! standard error that says what to do next.
//!
//! **Does not know** what a statement means: all of it goes through [`connection::Connection`] to a session.

mod access;
mod arguments;
mod config;
mod configuration;
mod connection;
mod cron;
mod dump;
mod dump_schedule;
mod failure;
mod hash_password;
mod import;
mod log;
mod pid_file;
mod progress;
mod reload;
mod repl;
mod restore;
mod start;
mod status;
mod stop;

use std::process::ExitCode;

use arguments::{CommandLine, Verb};
use clap::Parser;
use failure::Failure;

#[global_allocator]
static HEAP: heap::CountedHeap = heap::CountedHeap;

fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        // --help and --version come this way too.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => return Failure::usage(arguments::in_one_line(&error)).report(),
    };
    let done = match command_line.verb {
        Verb::Start(arguments) => arguments.checked().and_then(|settings| start::start(&settings)),
        Verb::Stop(arguments) => arguments.run(),
        Verb::Repl(arguments) => match arguments.run() {
            Ok(code) => return code,
            Err(failure) => Err(failure),
        },
        Verb::Dump(arguments) => arguments.run(),
        Verb::Restore(arguments) => arguments.run(),
        Verb::Import(arguments) => arguments.run(),
        Verb::Status(arguments) => arguments.run(),
        Verb::Config(arguments) => arguments.run(),
        Verb::HashPassword(arguments) => arguments.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
