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

bpf_only!(
    a_layer_is_known_from_mount_to_unmount,
    a_layer_gets_the_name_that_its_store_gives_it_meanwhile
);

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

/// As when an image is tagged while its container runs.
fn a_layer_gets_the_name_that_its_store_gives_it_meanwhile(_: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "base")?;
    let store = filesystem.root().join("storage");
    let id = "a".repeat(64);
    let layer = store.join("overlay").join(&id).join("diff");
    let plan = [PlannedFile::counting("lib/one.so", 1, PAGES)];
    fs::create_dir_all(&layer).or_fail("making a layer");
    corpus::write_all(&plan, &layer);
    // As containers/storage does it: beside the file, and over it.
    let write = |name: &str, text: &str| {
        let path = store.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&store)).or_fail("making the store");
        let new = path.with_extension("new");
        fs::write(&new, text).or_fail("writing the store");
        fs::rename(new, path).or_fail("replacing a file of the store");
    };
    let images = |name: &str| format!(r#"[{{"id":"{id}","names":["{name}"],"layer":"{id}"}}]"#);
    write(
        "overlay-layers/layers.json",
        &format!(r#"[{{"id":"{id}"}}]"#),
    );
    write("overlay-images/images.json", &images("localhost/one:1"));
    write("overlay-containers/containers.json", "[]");
    let base = filesystem.root().join("mounts");
    let [target, upper, work] = ["mount", "upper", "work"].map(|part| base.join(part));
    let mount = Mount::overlay(&target, &[&layer], &upper, &work)?;
    corpus::read_all(&plan, mount.target());
    let top = LiveTop::start(mount.target(), &[]);
    wait_for_name(&top, &layer, "localhost/one:1");
    write("overlay-images/images.json", &images("localhost/other:2"));
    wait_for_name(&top, &layer, "localhost/other:2");
    drop(top);
    mount.unmount();
    Ok(())
}

/// Waits for a report whose layer of this directory has this name.
#[track_caller]
fn wait_for_name(top: &LiveTop, directory: &Path, name: &str) {
    let directory = directory.display().to_string();
    let begun = Instant::now();
    loop {
        let report = top.frame_after(top.frames());
        let mut layers = report.list("layers").iter();
        let layer = layers.find(|layer| layer["directory"] == directory.as_str());
        let found = layer.map(|layer| layer["name"].to_string());
        if layer.is_some_and(|layer| layer["name"] == name) {
            return;
        }
        assert!(
            begun.elapsed() < patience(),
            "the layer is called {found:?}, not '{name}': {}",
            report.summary()
        );
    }
}
