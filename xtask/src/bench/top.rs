//! A running `sharestat top -b`, ended when dropped.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// `top -b --format ndjson`, and its first report.
pub(super) struct Top {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    /// Time from its start to its first report.
    pub(super) first: Duration,
}

impl Top {
    /// Starts it and waits for its first report.
    ///
    /// # Errors
    /// When it ends before that.
    pub(super) fn start(binary: &Path, arguments: &[&str]) -> Result<Self> {
        Self::start_with(Command::new(binary), arguments)
    }

    /// The same before all ordinary processes.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub(super) fn start_prompt(binary: &Path, arguments: &[&str]) -> Result<Self> {
        Self::start_with(prompt(binary), arguments)
    }

    fn start_with(mut command: Command, arguments: &[&str]) -> Result<Self> {
        let errors = tempfile::tempfile().context("no temporary file can be made")?;
        let begun = Instant::now();
        let mut child = command
            .args(["top", "-b", "--format", "ndjson"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().context("a file cannot be shared")?)
            // A group of its own: Ctrl-C ends us, and dropping ends it.
            .process_group(0)
            .spawn()
            .context("'sharestat' cannot be started")?;
        let output = child
            .stdout
            .take()
            .context("the output of 'top' is missing")?;
        let mut top = Self {
            child,
            output: BufReader::new(output),
            first: Duration::ZERO,
        };
        let first = top.report();
        top.first = begun.elapsed();
        match first {
            Ok(_) => Ok(top),
            Err(_) => bail!("'top -b' ended at once: {}", words(errors)),
        }
    }

    /// The next report.
    ///
    /// # Errors
    /// When it ended.
    pub(super) fn report(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .context("the output of 'top' cannot be read")?;
        serde_json::from_str(&line).context("'top' ended, or printed no JSON")
    }

    /// Reads reports for `time`, so that its pipe does not fill up.
    ///
    /// # Errors
    /// When it ended.
    pub(super) fn read_for(&mut self, time: Duration) -> Result<Value> {
        let end = Instant::now() + time;
        loop {
            let report = self.report()?;
            if Instant::now() >= end {
                return Ok(report);
            }
        }
    }

    /// Its process number.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        // It may wait for room in the pipe to say its last words.
        let _ = std::io::copy(&mut self.output, &mut std::io::sink());
        let _ = self.child.wait();
    }
}

/// `program` before all ordinary processes, so that a busy machine does not count.
pub(super) fn prompt(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("chrt");
    command.args(["-f", "1"]).arg(program);
    command
}

fn words(mut file: File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut text = String::new();
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
    text.lines().last().unwrap_or("it said nothing").to_owned()
}
