//! Layers come and go while `top` runs: files that are cached all the time get a layer when
//! it is mounted, and lose it when it is not any more.

use std::{fs, path::Path, time::Instant};

use crate::{
    corpus::{self, PAGE, PlannedFile},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, bpf_only, patience},
    live_top::LiveTop,
    mount::Mount,
    report::Report,
    scratch::Scratch,
};

bpf_only!(a_layer_is_known_from_mount_to_unmount);

const PAGES: u64 = 60;

/// Resident bytes of the layer in this directory.
fn held(report: &Report, directory: &Path) -> Option<u64> {
    let directory = directory.display().to_string();
    let mut layers = report.list("layers").iter();
    let layer = layers.find(|layer| layer["directory"] == directory.as_str())?;
    layer["resident_bytes"].as_u64()
}

/// Waits for a report whose layer of this directory holds so much.
#[track_caller]
fn wait_for(top: &LiveTop, directory: &Path, bytes: Option<u64>) {
    let begun = Instant::now();
    loop {
        let report = top.frame_after(top.frames());
        let found = held(&report, directory);
        if found == bytes {
            return;
        }
        assert!(
            begun.elapsed() < patience(),
            "the layer holds {found:?}, not {bytes:?}: {}",
            report.summary()
        );
    }
}

fn a_layer_is_known_from_mount_to_unmount(_: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "base")?;
    let plan = [PlannedFile::counting("lib/one.so", 1, PAGES)];
    let lower = filesystem.root().join("lower");
    fs::create_dir(&lower).or_fail("making a layer");
    corpus::write_all(&plan, &lower);
    corpus::sync(filesystem.root());
    corpus::read_all(&plan, &lower);
    let top = LiveTop::start(filesystem.root(), &[]);
    wait_for(&top, &lower, None);
    let [target, upper, work] = ["mount", "upper", "work"].map(|part| filesystem.root().join(part));
    let mount = Mount::overlay(&target, &[&lower], &upper, &work)?;
    wait_for(&top, &lower, Some(PAGES * PAGE as u64));
    mount.unmount();
    wait_for(&top, &lower, None);
    Ok(())
}
