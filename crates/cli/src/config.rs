//! `config show` and `config validate`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::{
    configuration::{Configuration, find_file},
    failure::Failure,
};

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the effective configuration, and where each value comes from
    Show(FileArgument),
    /// Check the configuration file
    Validate(FileArgument),
}

#[derive(Debug, Args)]
struct FileArgument {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigArguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (argument, shows) = match self.action {
            Action::Show(argument) => (argument, true),
            Action::Validate(argument) => (argument, false),
        };
        let file = find_file(argument.config);
        let configuration = Configuration::resolve(file.as_deref(), Vec::new())?;
        match (shows, file) {
            (true, _) => print!("{}", configuration.shown()),
            (false, Some(file)) => println!("{} is valid", file.display()),
            (false, None) => println!("there is no configuration file; the defaults are in force"),
        }
        Ok(())
    }
}
