//! Runs the binary under test and never waits for ever.

use std::{
    env,
    ffi::OsStr,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    bpf_objects,
    harness::{Engine, OrFail, patience},
    report::Report,
};

/// The binary under test.
pub(crate) fn path() -> PathBuf {
    env::var_os("SHARESTAT_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_sharestat").into(), PathBuf::from)
}

/// `sharestat ARGUMENTS`, with an environment in which it behaves the same everywhere.
pub(crate) fn command<Word: AsRef<OsStr>>(arguments: impl IntoIterator<Item = Word>) -> Command {
    let mut command = Command::new(path());
    command
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .env_remove("RUST_LOG");
    command
}

/// `sharestat scan` of everything, as JSON, all rows.
pub(crate) fn whole_machine_command(engine: Engine) -> Command {
    command([
        "scan",
        "--format",
        "json",
        "--top",
        "0",
        "--engine",
        engine.name(),
    ])
}

/// The same of the files below `directory`.
pub(crate) fn scan_command(engine: Engine, directory: &Path) -> Command {
    let mut command = whole_machine_command(engine);
    command.arg("--path").arg(directory);
    command
}

/// Scans the files below `directory`; it must succeed and be complete.
#[track_caller]
pub(crate) fn scan(engine: Engine, directory: &Path) -> Report {
    let report = finish(scan_command(engine, directory)).report();
    assert!(
        report.complete(),
        "an undisturbed scan is complete: {report:?}"
    );
    report
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    /// The report on stdout of a run that ended well.
    #[track_caller]
    pub(crate) fn report(&self) -> Report {
        assert!(self.status.success(), "sharestat failed: {self:?}");
        Report::parse(&self.stdout)
    }

    /// Checks that the run refused: this exit code, nothing on stdout, one sentence on
    /// stderr that says `words`, no panic.
    #[track_caller]
    pub(crate) fn assert_refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.status.code(), Some(code), "exit code of {self:?}");
        assert!(self.stdout.is_empty(), "stdout is for data: {self:?}");
        assert!(!self.stderr.contains("panicked"), "it panicked: {self:?}");
        let stderr = self.stderr.to_lowercase();
        assert!(
            words
                .iter()
                .any(|word| stderr.contains(&word.to_lowercase())),
            "stderr should name one of {words:?}: {self:?}"
        );
    }
}

/// A running binary whose output is gathered.
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<io::Result<Vec<u8>>>>,
    stderr: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl Running {
    /// Starts `command`.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .or_fail(format_args!("starting '{}'", path().display()));
        let stdout = child.stdout.take().map(gather);
        let stderr = child.stderr.take().map(gather);
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// Sends a signal; a process that ended already is no failure.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        signal_child(&self.child, signal);
    }

    /// Waits until it holds a BPF object of this kind; false when it ended before.
    #[track_caller]
    pub(crate) fn holds(&mut self, kind: &str) -> bool {
        let id = self.child.id().to_string();
        let start = Instant::now();
        while !bpf_objects::held_by(&id)
            .iter()
            .any(|object| object.0 == kind)
        {
            if self
                .child
                .try_wait()
                .or_fail("waiting for a child")
                .is_some()
            {
                return false;
            }
            assert!(start.elapsed() < patience(), "it never holds a {kind}");
            thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Run {
        let status = wait(&mut self.child, patience() * 3);
        let text = |pipe: Option<JoinHandle<io::Result<Vec<u8>>>>| {
            pipe.map_or_else(Vec::new, |reader| {
                reader
                    .join()
                    .unwrap_or_else(|_| Ok(Vec::new()))
                    .or_fail("reading output")
            })
        };
        Run {
            status,
            stdout: text(self.stdout.take()),
            stderr: String::from_utf8_lossy(&text(self.stderr.take())).into_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only matters when the case failed before the end of the child.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `command` to its end.
pub(crate) fn finish(command: Command) -> Run {
    Running::start(command).finish()
}

/// Sends a signal to a child of ours.
pub(crate) fn signal_child(child: &Child, signal: rustix::process::Signal) {
    // Not reaped yet, so that its number still means this child.
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(child), signal);
}

/// Waits for the end of a child, and kills it and fails when that takes too long.
#[track_caller]
pub(crate) fn wait(child: &mut Child, at_most: Duration) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().or_fail("waiting for a child") {
            return status;
        }
        if start.elapsed() > at_most {
            let _ = child.kill();
            let _ = child.wait();
            panic!("sharestat did not end within {at_most:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn gather(mut pipe: impl Read + Send + 'static) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}
