//! A running `sharestat top` in batch mode: one report per line, kept as they come.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    binary,
    expectation::Expected,
    harness::{OrFail, patience},
    report::Report,
};

/// Lines of output as they come.
pub(crate) type Lines = Arc<Mutex<Vec<Vec<u8>>>>;

/// A `top` (always with BPF) that shows files below one directory; dropping it kills it.
pub(crate) struct LiveTop {
    child: Child,
    lines: Lines,
    words: Arc<Mutex<String>>,
}

impl LiveTop {
    /// Starts it and waits for the first report.
    pub(crate) fn start(directory: &Path, more: &[&str]) -> Self {
        let top = Self::launch(directory, more);
        top.frame_after(0);
        top
    }

    /// Starts it.
    pub(crate) fn launch(directory: &Path, more: &[&str]) -> Self {
        let words = [
            "top", "-b", "-d", "0.5", "-n", "100000", "--format", "ndjson", "--top", "0",
        ];
        let mut command = binary::command(words);
        command.arg("--path").arg(directory);
        command.args(more.iter().map(OsStr::new));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .or_fail("starting 'sharestat top'");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let words = Arc::new(Mutex::new(String::new()));
        if let Some(stdout) = child.stdout.take() {
            let lines = Arc::clone(&lines);
            thread::spawn(move || {
                for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                    lines
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(line);
                }
            });
        }
        if let Some(mut stderr) = child.stderr.take() {
            let words = Arc::clone(&words);
            thread::spawn(move || {
                let mut text = String::new();
                // What cannot be read is only missing from a failure's words.
                let _ = stderr.read_to_string(&mut text);
                *words.lock().unwrap_or_else(PoisonError::into_inner) = text;
            });
        }
        Self {
            child,
            lines,
            words,
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        binary::signal_child(&self.child, signal);
    }

    /// How many reports came so far.
    pub(crate) fn frames(&self) -> usize {
        self.lines().len()
    }

    /// Report number `number` (from 0), waited for.
    #[track_caller]
    pub(crate) fn frame_after(&self, number: usize) -> Report {
        let start = Instant::now();
        loop {
            if let Some(line) = self.lines().get(number) {
                return Report::of_a_moment(line);
            }
            assert!(
                start.elapsed() < patience(),
                "'sharestat top' shows no report number {number}: {}",
                self.words.lock().unwrap_or_else(PoisonError::into_inner)
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The lines so far and those to come, also after the end.
    pub(crate) fn shared_lines(&self) -> Lines {
        Arc::clone(&self.lines)
    }

    /// Waits until two reports in a row, both later than this call, are as `observe`
    /// expects. It is asked anew for each report, because the kernel may take pages of
    /// its own accord.
    #[track_caller]
    pub(crate) fn assert_settles_at(&self, observe: impl Fn() -> Expected) -> Report {
        let start = Instant::now();
        let mut next = self.frames() + 1;
        let mut agreeing = 0;
        loop {
            let report = self.frame_after(next);
            next += 1;
            let differences = report.differences(&observe());
            agreeing = if differences.is_empty() {
                agreeing + 1
            } else {
                0
            };
            if agreeing == 2 {
                return report;
            }
            assert!(
                start.elapsed() < patience(),
                "after {:?} 'sharestat top' still differs:\n{differences}{}",
                start.elapsed(),
                report.summary()
            );
        }
    }

    /// Ends it as a user would, by Ctrl-C, which is no failure.
    #[track_caller]
    pub(crate) fn interrupt(mut self) {
        self.signal(Signal::INT);
        let status = binary::wait(&mut self.child, patience());
        assert!(
            matches!(status.code(), Some(0 | 130)),
            "interrupted, 'top' ended with {status}"
        );
    }

    /// Ends it at once.
    pub(crate) fn kill(mut self) {
        self.child.kill().or_fail("killing 'sharestat top'");
        self.child.wait().or_fail("waiting for 'sharestat top'");
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LiveTop {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
