//! What `record` does with each view: waits for the first census, runs the command, waits
//! for the last census, ends. Never leaves the command behind.

use std::{
    ffi::OsString,
    io,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc::Sender;

use super::args::RecordArgs;
use crate::{
    cli::exit::{Exit, Failure},
    identity::memory,
    kernel::{Go, Request, moment::Moment},
    snapshot::recording::Recorder,
};

/// How long pages that cannot be hashed yet are waited for, at the start and at the end.
const PATIENCE: Duration = Duration::from_secs(10);

enum Phase {
    /// The first census, and the pages it found.
    Starting,
    /// What is to be recorded.
    Running(Option<Child>),
    /// The last census, and the pages it found.
    Ending,
    Ended,
}

/// What a recording became.
pub(super) struct Ended {
    pub(super) code: ExitCode,
    pub(super) changes: u64,
    pub(super) bytes: u64,
    pub(super) complete: bool,
}

pub(super) struct Session {
    command: Vec<OsString>,
    duration: Option<Duration>,
    /// Taken by the end, or by a failure to write.
    recorder: Option<Recorder>,
    requests: Sender<Request>,
    stop: Arc<AtomicBool>,
    quiet: bool,
    phase: Phase,
    since: Instant,
    told_to_stop: bool,
    exit_code: Option<i32>,
    result: Result<(u64, u64), Failure>,
    complete: bool,
}

impl Session {
    pub(super) fn new(
        arguments: &RecordArgs,
        recorder: Recorder,
        requests: Sender<Request>,
        stop: Arc<AtomicBool>,
        quiet: bool,
    ) -> Self {
        Self {
            command: arguments.command.clone(),
            duration: arguments.duration,
            recorder: Some(recorder),
            requests,
            stop,
            quiet,
            phase: Phase::Starting,
            since: Instant::now(),
            told_to_stop: false,
            exit_code: None,
            result: Err(Failure::new(
                Exit::Interrupted,
                "stopped before the first census was done; the file holds what came before",
            )),
            complete: false,
        }
    }

    /// Takes one view.
    pub(super) fn watch(&mut self, moment: &Moment<'_>) -> Go {
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.moment(moment)
        {
            // The command is not to suffer from a full disk: it runs to its end.
            self.recorder = None;
            let running = matches!(self.phase, Phase::Running(Some(_)));
            if running && !self.quiet {
                eprintln!("sharestat: {error}; waiting for the command");
            }
            self.result = Err(Failure::new(Exit::Incomplete, error));
        }
        let stop = self.stop.load(Ordering::Relaxed);
        match &mut self.phase {
            Phase::Starting if stop || self.recorder.is_none() => return Go::Stop,
            Phase::Starting => {
                if moment.counted && self.settled(moment) {
                    return self.begin(moment);
                }
            }
            Phase::Running(child) => {
                let over = match child {
                    Some(child) => {
                        self.exit_code = ended(child);
                        if stop
                            && self.exit_code.is_none()
                            && !std::mem::replace(&mut self.told_to_stop, true)
                        {
                            // Ctrl-C reaches it by itself; a signal to us alone does not.
                            let _ = kill_process(Pid::from_child(child), Signal::TERM);
                        }
                        self.exit_code.is_some()
                    }
                    None => {
                        stop || self
                            .duration
                            .is_some_and(|time| self.since.elapsed() >= time)
                    }
                };
                if over {
                    // Before the last census: containers may not run much longer.
                    let Some(recorder) = &mut self.recorder else {
                        return Go::Stop;
                    };
                    recorder.memory(memory::host(&moment.measurement.identity.layers));
                    // Full only if nothing is taken any more, and then the end comes anyway.
                    let _ = self.requests.try_send(Request::Census);
                    (self.phase, self.since) = (Phase::Ending, Instant::now());
                }
            }
            Phase::Ending => {
                if moment.census.is_none() && self.settled(moment) {
                    self.complete = moment.measurement.complete;
                    self.finish(moment);
                    return Go::Stop;
                }
            }
            Phase::Ended => return Go::Stop,
        }
        Go::On
    }

    fn settled(&self, moment: &Moment<'_>) -> bool {
        moment.measurement.index.totals().unsettled() == 0 || self.since.elapsed() > PATIENCE
    }

    fn begin(&mut self, moment: &Moment<'_>) -> Go {
        // Before the command, which may be what uses memory.
        let memory = memory::host(&moment.measurement.identity.layers);
        let child = match self.command.split_first() {
            None => None,
            Some((program, words)) => match Command::new(program).args(words).spawn() {
                Ok(child) => Some(child),
                Err(error) => {
                    self.result = Err(not_started(program, &error));
                    return Go::Stop;
                }
            },
        };
        if let Some(recorder) = &mut self.recorder {
            recorder.memory(memory);
            recorder.begin();
        }
        if child.is_none() && self.duration.is_none() && !self.quiet {
            eprintln!("sharestat: recording; Ctrl-C ends it");
        }
        (self.phase, self.since) = (Phase::Running(child), Instant::now());
        Go::On
    }

    fn finish(&mut self, moment: &Moment<'_>) {
        if let Some(recorder) = self.recorder.take() {
            self.result = recorder
                .end(moment, self.exit_code)
                .map_err(|error| Failure::new(Exit::Incomplete, error));
        }
        self.phase = Phase::Ended;
    }

    /// What became of it. A command that still runs, because measuring failed, is waited
    /// for.
    pub(super) fn end(mut self) -> Result<Ended, Failure> {
        if let Phase::Running(Some(child)) = &mut self.phase {
            self.exit_code = child.wait().ok().map(code_of);
        }
        let code = self.exit_code.unwrap_or(0);
        match self.result {
            Ok((changes, bytes)) => Ok(Ended {
                code: ExitCode::from(u8::try_from(code).unwrap_or(1)),
                changes,
                bytes,
                complete: self.complete,
            }),
            Err(failure) => Err(failure),
        }
    }
}

/// The exit code of a child that has ended.
fn ended(child: &mut Child) -> Option<i32> {
    // An error would mean that it is not our child, so that nothing is to be waited for.
    child
        .try_wait()
        .map_or(Some(1), |status| status.map(code_of))
}

/// As shells report it: 128 and the signal when one ended it.
fn code_of(status: std::process::ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn not_started(program: &OsString, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Usage,
        format!(
            "cannot run '{}': {error}; nothing was recorded but the census",
            program.to_string_lossy()
        ),
    )
}
