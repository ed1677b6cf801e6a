//! Runs other programs; a failure becomes a sentence that names the command, how it
//! ended and, where its output was captured, the last lines of it.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus, Output, Stdio},
};

use anyhow::{Context, Result, bail};

/// Captured lines that an error repeats.
const LINES_IN_ERRORS: usize = 20;

/// What `xtask` does with a [`Command`].
pub(crate) trait Run {
    /// Runs it on our own standard streams.
    ///
    /// # Errors
    /// When it cannot be started, or ends with anything but success.
    fn run(&mut self) -> Result<()>;

    /// Runs it silently and returns its standard output.
    ///
    /// # Errors
    /// When it cannot be started, ends with anything but success, or prints invalid UTF-8.
    fn text(&mut self) -> Result<String>;

    /// Runs it silently and returns its standard output as it is.
    ///
    /// # Errors
    /// When it cannot be started, or ends with anything but success.
    fn bytes(&mut self) -> Result<Vec<u8>>;

    /// Runs it on our own standard streams and returns how it ended.
    ///
    /// # Errors
    /// When it cannot be started.
    fn ending(&mut self) -> Result<ExitStatus>;
}

impl Run for Command {
    fn run(&mut self) -> Result<()> {
        let ending = self.ending()?;
        if !ending.success() {
            bail!("'{}' failed: {ending}", shown(self));
        }
        Ok(())
    }

    fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?)
            .with_context(|| format!("'{}' printed something that is not UTF-8", shown(self)))
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        let Output {
            status,
            stdout,
            stderr,
        } = self
            .stdin(Stdio::null())
            .output()
            .map_err(|error| not_started(self, &error))?;
        if !status.success() {
            let said = [stdout, stderr].concat();
            bail!(
                "'{}' failed: {status}\n{}",
                shown(self),
                last_lines(&String::from_utf8_lossy(&said), LINES_IN_ERRORS)
            );
        }
        Ok(stdout)
    }

    fn ending(&mut self) -> Result<ExitStatus> {
        self.status().map_err(|error| not_started(self, &error))
    }
}

/// The command as a person would type it, without its environment.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Words as one line of shell that gives the same words again.
pub(crate) fn shell_words(words: &[String]) -> String {
    words
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The error for a program that could not be started.
pub(crate) fn not_started(command: &Command, error: &io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy();
    if error.kind() == io::ErrorKind::NotFound {
        anyhow::anyhow!(
            "'{program}' is not installed; it is needed for '{}'",
            shown(command)
        )
    } else {
        anyhow::anyhow!("'{program}' could not be started: {error}")
    }
}

/// The last `most` lines of `text`.
pub(crate) fn last_lines(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}

/// The exit code that a shell would report: that of the program, or 128 and the signal.
pub(crate) fn exit_code(ending: ExitStatus) -> i32 {
    ending
        .code()
        .or_else(|| Some(128 + ending.signal()?))
        .unwrap_or(1)
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `program`, through sudo unless we are root already.
pub(crate) fn as_root(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("--").arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_command_is_named_with_its_last_words() {
        let error = Command::new("sh")
            .args(["-c", "echo why >&2; exit 3"])
            .text()
            .expect_err("it exits with 3");
        let sentence = error.to_string();
        assert!(
            sentence.contains("'sh -c echo why >&2; exit 3' failed: exit status: 3"),
            "{sentence}"
        );
        assert!(sentence.ends_with("\nwhy"), "{sentence}");
    }

    #[test]
    fn missing_program_is_named() {
        let error = Command::new("no-such-program-here")
            .run()
            .expect_err("there is none");
        assert!(
            error
                .to_string()
                .starts_with("'no-such-program-here' is not installed")
        );
    }

    #[test]
    fn shell_gives_back_the_words() {
        let words = ["a b", "it's", "$HOME", "", "\\"].map(str::to_owned);
        let line = format!("printf '%s\\n' {}", shell_words(&words));
        let text = Command::new("sh")
            .args(["-c", &line])
            .text()
            .expect("printf is everywhere");
        assert_eq!(text, "a b\nit's\n$HOME\n\n\\\n");
    }

    #[test]
    fn last_lines_are_the_last() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }
}
