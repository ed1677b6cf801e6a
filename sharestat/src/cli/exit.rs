//! How a command ends: the exit codes, and the failure that carries one with a sentence.

use std::{fmt, io::Write, process::ExitCode};

use crate::{engine_user, kernel};

/// Exit codes, the same for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command did what it was asked.
    Ok = 0,
    /// A threshold was crossed, or there is a regression: nothing else, so that a job can
    /// tell it from a broken run.
    Threshold = 1,
    /// The arguments make no sense or name what is not there, or the result cannot be
    /// written.
    Usage = 2,
    /// A privilege is missing.
    Privilege = 3,
    /// The kernel or this build lacks something that is needed.
    Kernel = 4,
    /// The measurement is incomplete, and `--strict` was given or a plan needs more.
    Incomplete = 5,
    /// Interrupted by a signal; what was measured until then was printed.
    Interrupted = 130,
}

/// The table of exit codes, for help texts and the manual.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a rule of 'check' failed
  2    usage: an argument makes no sense, or names what is not there or cannot be written
  3    a privilege is missing
  4    the kernel or this build lacks something that is needed
  5    the measurement is incomplete, and --strict was given or 'plan' needs more
  130  interrupted; what was measured until then was printed";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The reader of stdout went away, as `head` does: not worth a word.
    #[error("stdout was closed")]
    OutputClosed,
    /// Any other, with its exit code and the sentence for the user.
    #[error("{message}")]
    Told {
        /// How to exit.
        exit: Exit,
        /// What was tried, on what, why it failed, and what to do.
        message: String,
    },
}

impl Failure {
    /// A failure with a sentence.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self::Told {
            exit,
            message: message.to_string(),
        }
    }

    /// The exit code that fits.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::OutputClosed => Exit::Ok,
            Self::Told { exit, .. } => *exit,
        }
    }

    /// One line on stderr, when there is something to say.
    pub fn report(&self) {
        if let Self::Told { message, .. } = self {
            // When stderr is closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "sharestat: error: {message}");
        }
    }
}

impl From<kernel::Error> for Failure {
    fn from(error: kernel::Error) -> Self {
        let exit = match error.class() {
            kernel::Class::Privilege => Exit::Privilege,
            kernel::Class::Unsupported => Exit::Kernel,
            kernel::Class::Usage => Exit::Usage,
        };
        Self::new(exit, error)
    }
}

impl From<engine_user::Error> for Failure {
    fn from(error: engine_user::Error) -> Self {
        use engine_user::Error;
        let exit = match &error {
            Error::Scope(_) => Exit::Usage,
            Error::Residency { .. } => Exit::Privilege,
            Error::Mounts(_) | Error::Prepare { .. } => Exit::Kernel,
        };
        Self::new(exit, error)
    }
}
