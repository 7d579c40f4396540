//! `hash-password`: what `password_hash` of `[[auth.users]]` holds, from a password on standard input.

use std::io::{BufRead, IsTerminal};

use clap::Args;
use engine::password;

use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct HashPasswordArguments {
    /// Print a SCRAM-SHA-256 verifier, which scram-sha-256 needs, instead of an Argon2id hash
    #[arg(long)]
    scram: bool,
}

impl HashPasswordArguments {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        if std::io::stdin().is_terminal() {
            eprint!("Password: ");
        }
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        read.map_err(|error| Failure::operation(format!("could not read the password: {error}")))?;
        let password = line.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            return Err(Failure::usage("the password is empty; write it on standard input"));
        }
        let text = match self.scram {
            true => password::ScramVerifier::new(password).text(),
            false => password::argon2_hash(password)?,
        };
        println!("{text}");
        Ok(())
    }
}
