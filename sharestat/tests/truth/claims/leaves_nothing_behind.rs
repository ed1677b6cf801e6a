//! However it ends, no BPF program, map, link or pin of it stays in the kernel.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    binary::{self, Running},
    bpf_objects::{self, Object},
    corpus::PlannedFile,
    filesystems::{Filesystem, Kind},
    harness::{Engine, Outcome, bpf_only, patience},
    live_top::LiveTop,
    scratch::Scratch,
};

bpf_only!(
    killed_while_starting,
    killed_while_running,
    killed_whatever_the_command,
    ended_by_itself
);

/// Objects that were not there before and that nobody holds: another program's are held.
fn left_over(before: &BTreeSet<Object>) -> BTreeSet<Object> {
    let held = bpf_objects::held_by_anyone();
    let new = bpf_objects::loaded()
        .into_iter()
        .filter(|object| !before.contains(object));
    new.filter(|object| !held.contains(object)).collect()
}

/// The kernel frees objects a moment after the last descriptor is closed.
#[track_caller]
fn assert_nothing_left(before: &BTreeSet<Object>, when: &str) {
    let start = Instant::now();
    loop {
        let left = left_over(before);
        if left.is_empty() {
            return;
        }
        assert!(
            start.elapsed() < patience(),
            "{when}, these are left: {left:?}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

fn killed_while_starting(_: Engine) {
    let scratch = Scratch::new();
    let directory = scratch.directory("empty");
    let pins = bpf_objects::pins();
    let start = Instant::now();
    LiveTop::start(&directory, &[]).interrupt();
    let whole = start.elapsed();
    let mut held_something = 0;
    // From its first steps to just after its first report, whatever the machine's speed.
    for eighths in 1..=9 {
        let before = bpf_objects::loaded();
        let top = LiveTop::launch(&directory, &[]);
        let wait = whole * eighths / 8;
        thread::sleep(wait);
        let held = bpf_objects::held_by(&top.id().to_string());
        held_something += usize::from(!held.is_empty());
        top.kill();
        assert_nothing_left(&before, &format!("killed {wait:?} after its start"));
    }
    assert!(
        held_something > 0,
        "no kill came after the first program was loaded"
    );
    assert_eq!(bpf_objects::pins(), pins, "pins");
}

fn killed_while_running(_: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = [PlannedFile::counting("file", 1, 100)];
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let pins = bpf_objects::pins();
    let before = bpf_objects::loaded();
    let top = LiveTop::start(filesystem.root(), &[]);
    let held = bpf_objects::held_by(&top.id().to_string());
    let kinds: BTreeSet<_> = held.iter().map(|(kind, _)| *kind).collect();
    assert!(
        kinds.contains("prog") && kinds.contains("map"),
        "it holds {held:?}"
    );
    assert!(
        held.is_subset(&bpf_objects::loaded()),
        "the two ways of looking agree"
    );
    top.kill();
    assert_nothing_left(&before, "killed while running");
    assert!(
        held.is_disjoint(&bpf_objects::loaded()),
        "what it held is gone"
    );
    assert_eq!(bpf_objects::pins(), pins, "pins");
    Ok(())
}

/// Each command is killed as soon as it holds its first program, its first link, and while it
/// works. A scan may end before that is seen: then the next is tried.
fn killed_whatever_the_command(_: Engine) -> Outcome {
    const TRIES: usize = 20;
    let scratch = Scratch::new();
    let plan = [PlannedFile::counting("file", 1, 100)];
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let recording = scratch.unseen("recording.ssr").display().to_string();
    let pins = bpf_objects::pins();
    for words in [
        &["scan", "--format", "json"][..],
        &["record", "-o", &recording],
        &["serve", "--listen", "127.0.0.1:0", "--every", "200ms"],
    ] {
        for (kind, later) in [
            ("prog", Duration::ZERO),
            ("link", Duration::ZERO),
            ("link", Duration::from_millis(300)),
        ] {
            let killed = (0..TRIES).any(|_| {
                let before = bpf_objects::loaded();
                let mut command = binary::command(words);
                command.arg("--path").arg(filesystem.root());
                let mut running = Running::start(command);
                let held = running.holds(kind);
                thread::sleep(later);
                running.signal(Signal::KILL);
                drop(running);
                assert_nothing_left(&before, &format!("'{words:?}' killed with a {kind}"));
                held
            });
            assert!(killed, "'{words:?}' was never seen to hold a {kind}");
        }
    }
    assert_eq!(bpf_objects::pins(), pins, "pins");
    Ok(())
}

fn ended_by_itself(engine: Engine) {
    let scratch = Scratch::new();
    let (before, pins) = (bpf_objects::loaded(), bpf_objects::pins());
    binary::scan(engine, &scratch.directory("empty"));
    assert_nothing_left(&before, "after a scan");
    let running = Running::start(binary::scan_command(engine, &scratch.path()));
    running.signal(Signal::TERM);
    drop(running.finish());
    assert_nothing_left(&before, "terminated");
    let top = LiveTop::start(&scratch.path(), &[]);
    top.interrupt();
    assert_nothing_left(&before, "interrupted");
    assert_eq!(bpf_objects::pins(), pins, "pins");
}
