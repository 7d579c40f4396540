//! How a command fails: one line for the user and an exit code.

use std::{fmt::Display, io::Write, process::ExitCode};

/// Writes to stderr, where it is lost when nobody is there to read it: a terminal may be gone, and `eprint!` would panic then.
pub(crate) fn say(text: impl Display) {
    let _ = write!(std::io::stderr(), "{text}");
}

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit_code: u8,
}

impl Failure {
    /// The operation failed: exit code 1.
    pub(crate) fn operation(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), exit_code: 1 }
    }

    /// The command line is wrong: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), exit_code: 2 }
    }

    /// Documented, but not part of this version: refused rather than ignored.
    pub(crate) fn not_yet(what: &str) -> Failure {
        Failure::usage(format!("{what} is not supported yet; see heliosdb-nano --help for what is"))
    }

    pub(crate) fn report(&self) -> ExitCode {
        say(format_args!("heliosdb-nano: {}\n", self.message));
        ExitCode::from(self.exit_code)
    }
}

/// The message and, where there is one, the hint: what to do next.
impl From<types::Error> for Failure {
    fn from(error: types::Error) -> Failure {
        let fields = error.fields();
        let context = fields.context.as_ref().map(|context| format!(" ({context})")).unwrap_or_default();
        let detail = fields.detail.as_ref().map(|detail| format!("; {detail}")).unwrap_or_default();
        let hint = fields.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        Failure::operation(format!("{}{detail}{context}{hint}", error.message()).replace('\n', " "))
    }
}

impl Failure {
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}
