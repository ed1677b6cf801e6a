//! A ring too small for what happens loses events: `top` says so, looks again, and is
//! right again.

use std::{fs, thread, time::Duration};

use rustix::process::Signal;

use crate::{
    calm,
    corpus::{self, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, bpf_only},
    live_top::LiveTop,
    residency,
    scratch::Scratch,
};

bpf_only!(loss_is_shown_and_repaired);

const FILES: u64 = 600;

fn loss_is_shown_and_repaired(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan: Vec<_> = (0..FILES)
        .map(|number| PlannedFile::counting(&format!("file-{number}"), number / 2, 2))
        .collect();
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let top = LiveTop::start(filesystem.root(), &["--ring-bytes", "4096"]);
    // Stopped, it reads nothing, so that the ring (room for 64 events at most) fills up
    // with additions, removals and changes alike, whatever the speed of the machine.
    top.signal(Signal::STOP);
    for file in &plan[..200] {
        residency::forget(&filesystem.root().join(&file.names[0]));
    }
    for file in &plan[..100] {
        file.read(filesystem.root());
    }
    for file in &plan[500..] {
        fs::remove_file(filesystem.root().join(&file.names[0])).or_fail("deleting");
    }
    let changed = PlannedFile::counting("file-400", 7000, 2);
    let opened = fs::OpenOptions::new()
        .write(true)
        .open(filesystem.root().join("file-400"));
    changed.write_page(opened.as_ref().or_fail("opening a file"), 0);
    changed.write_page(opened.as_ref().or_fail("opening a file"), 1);
    drop(opened);
    corpus::sync(filesystem.root());
    thread::sleep(Duration::from_millis(100));
    top.signal(Signal::CONT);
    let mut left = plan;
    left.truncate(500);
    left[400] = changed;
    let observe = || Expected::of(&Observed::all(&left, filesystem.root()));
    calm::scan_agrees(engine, filesystem.root(), || (), observe, |_| true);
    let report = top.assert_settles_at(observe);
    assert!(
        report.number("/coverage/events_lost") > 0,
        "the loss is shown: {report:?}"
    );
    top.interrupt();
    Ok(())
}
