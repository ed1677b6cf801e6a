//! A running `sharestat record`, and what its file holds at the end: counters of the BPF
//! programs, causes of removals and distributions are in no report.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
};

use rustix::process::Signal;
use sharestat::{
    kernel::moment::Moment,
    model::avoidable::Avoidable,
    snapshot::recording::{Player, reader::Reader},
};

use crate::{
    binary,
    harness::{OrFail, patience},
    scratch::Scratch,
};

/// What it says when the first census is done.
const BEGUN: &str = "recording; Ctrl-C ends it";

/// A recording of the files below one directory; dropping it kills it.
pub(crate) struct Recording {
    child: Child,
    file: PathBuf,
}

impl Recording {
    /// Starts it, and waits until what is cached is hashed.
    #[track_caller]
    pub(crate) fn start(directory: &Path, scratch: &Scratch, more: &[&str]) -> Self {
        let file = scratch.unseen("recording.ssr");
        let mut command = binary::command(["record", "-o"]);
        command.arg(&file).arg("--path").arg(directory).args(more);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .or_fail("starting 'sharestat record'");
        let (sender, lines) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    // Nobody listens any more once it has begun.
                    let _ = sender.send(line);
                }
            });
        }
        let recording = Self { child, file };
        loop {
            let line = lines.recv_timeout(patience());
            if line
                .or_fail("waiting for the first census")
                .ends_with(BEGUN)
            {
                return recording;
            }
        }
    }

    /// Runs `work` while the recorder stands still: it hashes no page meanwhile, and what
    /// happens is only in the ring.
    pub(crate) fn stopped<T>(&self, work: impl FnOnce() -> T) -> T {
        binary::signal_child(&self.child, Signal::STOP);
        while !self.stands_still() {
            thread::yield_now();
        }
        let done = work();
        binary::signal_child(&self.child, Signal::CONT);
        done
    }

    /// Whether all its threads have stopped: the state follows the name in parentheses
    /// (`proc_pid_stat(5)`).
    fn stands_still(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        tasks.or_fail("listing threads").flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('T'))
        })
    }

    /// Ends it by Ctrl-C and goes to the last moment of what it recorded.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Recorded {
        binary::signal_child(&self.child, Signal::INT);
        let status = binary::wait(&mut self.child, patience());
        assert!(status.success(), "'record' ended with {status}");
        let reader = Reader::open(&self.file).or_fail("opening the recording");
        let mut player = Player::new(reader).or_fail("reading the recording");
        while player.step().or_fail("playing the recording") {}
        assert_eq!(player.deviations(), 0, "it plays as it was recorded");
        Recorded(player)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A recording at its last moment.
pub(crate) struct Recorded(Player);

impl Recorded {
    /// The moment.
    pub(crate) fn moment(&self) -> Moment<'_> {
        self.0.moment()
    }

    /// A counter of the BPF programs, of the whole machine.
    #[track_caller]
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let counters = self.moment().counters;
        let found = counters.iter().find(|(known, _)| known == name);
        found
            .unwrap_or_else(|| panic!("no counter '{name}' in {counters:?}"))
            .1
    }

    /// Whether the hook at `event` was attached.
    pub(crate) fn has_hook(&self, event: &str) -> bool {
        let moment = self.moment();
        let mut hooks = moment.measurement.hooks.iter();
        hooks.any(|hook| hook.event == event && !hook.attached.starts_with("no"))
    }

    /// What was read and reclaimed of the files that were recorded, in pages.
    pub(crate) fn avoidable(&self) -> Avoidable {
        *self.moment().measurement.index.avoidable()
    }

    /// Nothing was lost, so that no census has repaired anything.
    #[track_caller]
    pub(crate) fn assert_nothing_lost(&self) {
        let moment = self.moment();
        assert_eq!(moment.measurement.events_lost, 0, "events were lost");
        for hook in &moment.measurement.hooks {
            assert_eq!(hook.lost, 0, "events of '{}' were lost", hook.event);
        }
    }
}
