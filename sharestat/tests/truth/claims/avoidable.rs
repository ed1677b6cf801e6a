//! Reading what another page holds is an avoidable read, reading something new is none;
//! and what reclaim takes while duplicates are resident is avoidable reclaim.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    corpus::{PAGE, PlannedFile},
    filesystems::{Filesystem, Kind},
    harness::{Engine, Outcome, bpf_only, patience},
    live_top::LiveTop,
    memcg::Memcg,
    report::Report,
    residency,
    scratch::Scratch,
};

bpf_only!(
    reads_of_what_is_resident_are_avoidable,
    reclaim_while_duplicates_are_resident_is_avoidable
);

const PAGES: u64 = 300;
const FILE: u64 = PAGES * PAGE as u64;
/// A kernel may take pages of its own accord, and a read may find some still there.
const SLACK: u64 = FILE / 10;

/// Two equal files and one of its own, nothing of which is cached, and a `top`.
struct Stage {
    filesystem: Filesystem,
    plan: [PlannedFile; 3],
    top: LiveTop,
}

impl Stage {
    fn new(scratch: &Scratch) -> Result<Self, crate::harness::Skip> {
        let plan = [
            PlannedFile::counting("first", 1, PAGES),
            PlannedFile::counting("copy", 1, PAGES),
            PlannedFile::counting("unique", 9000, PAGES),
        ];
        let filesystem = Filesystem::with_files(Kind::Ext4, scratch, "files", &plan)?;
        for file in &plan {
            residency::forget(&filesystem.root().join(&file.names[0]));
        }
        let top = LiveTop::start(filesystem.root(), &[]);
        Ok(Self {
            filesystem,
            plan,
            top,
        })
    }

    fn read(&self, file: usize) {
        self.plan[file].read(self.filesystem.root());
    }

    fn forget(&self, file: usize) {
        residency::forget(&self.filesystem.root().join(&self.plan[file].names[0]));
    }

    /// The next report in which everything that was added is known.
    #[track_caller]
    fn known(&self, read: u64) -> Report {
        let start = Instant::now();
        loop {
            let report = self.top.frame_after(self.top.frames() + 1);
            let known = report.number("/avoidable/read_bytes");
            let unknown = report.number("/avoidable/read_unknown_bytes");
            if known >= read - SLACK && unknown == 0 {
                return report;
            }
            assert!(
                start.elapsed() < patience(),
                "{known} of {read} bytes are known, {unknown} are not"
            );
        }
    }
}

#[track_caller]
fn assert_about(what: &str, bytes: u64, expected: u64) {
    let most = if expected == 0 { 0 } else { expected + SLACK };
    assert!(
        bytes <= most && bytes + SLACK >= expected,
        "{what}: {bytes} bytes instead of {expected}"
    );
}

fn reads_of_what_is_resident_are_avoidable(_: Engine) -> Outcome {
    let scratch = Scratch::new();
    let stage = Stage::new(&scratch)?;
    let avoidable = |read: u64| stage.known(read).number("/avoidable/reads_bytes");
    stage.read(0);
    assert_about("the first of two equal files", avoidable(FILE), 0);
    stage.read(1);
    assert_about("its copy", avoidable(2 * FILE), FILE);
    stage.read(2);
    assert_about("something new", avoidable(3 * FILE), FILE);
    // Both copies go: the next to come is needed, the one after that is not.
    stage.forget(0);
    stage.forget(1);
    stage.read(1);
    assert_about("a copy without the other", avoidable(4 * FILE), FILE);
    stage.read(0);
    assert_about("and the other again", avoidable(5 * FILE), 2 * FILE);
    // Written, not read.
    let written = PlannedFile::counting("written", 1, PAGES);
    written.write(stage.filesystem.root());
    thread::sleep(Duration::from_secs(1));
    let report = stage.known(5 * FILE);
    assert_about("writing", report.number("/avoidable/reads_bytes"), 2 * FILE);
    assert_about("written", report.number("/avoidable/written_bytes"), FILE);
    stage.top.interrupt();
    Ok(())
}

fn reclaim_while_duplicates_are_resident_is_avoidable(_: Engine) -> Outcome {
    let scratch = Scratch::new();
    let stage = Stage::new(&scratch)?;
    let group = Memcg::new("sharestat-avoidable")?;
    let taken = |reads: u64| {
        group.charge(|| stage.read(2));
        stage.known(reads);
        group.reclaim();
        let path = stage.filesystem.root().join("unique");
        let left = residency::cached_pages(&path);
        let absent = left.iter().filter(|&&is| !is).count() as u64 * PAGE as u64;
        assert!(
            absent > 0,
            "the group's reclaim took no page: the stage is not set"
        );
        absent
    };
    let reclaimed = |taken: u64| {
        let start = Instant::now();
        loop {
            let report = stage.top.frame_after(stage.top.frames() + 1);
            let shown = report.number("/avoidable/reclaimed_hashed_bytes");
            if shown + SLACK >= taken {
                return report.number("/avoidable/reclaim_bytes");
            }
            assert!(
                start.elapsed() < patience(),
                "{shown} of {taken} bytes are shown"
            );
        }
    };
    let first = taken(FILE);
    assert_about("reclaim without duplicates", reclaimed(first), 0);
    stage.read(0);
    stage.read(1);
    stage.known(3 * FILE);
    let second = taken(4 * FILE);
    assert_about(
        "reclaim beside duplicates",
        reclaimed(first + second),
        second,
    );
    // What came back may be missed again.
    let third = taken(5 * FILE);
    let all = first + second + third;
    assert_about("and again", reclaimed(all), second + third);
    stage.top.interrupt();
    Ok(())
}
