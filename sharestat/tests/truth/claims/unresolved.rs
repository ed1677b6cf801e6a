//! Where nobody can tell whose bytes are cached, they are counted all the same: damaged
//! stores, and filesystems that are mounted nowhere.

use std::{
    fs::{self, File},
    path::Path,
};

use rustix::mount::{UnmountFlags, unmount};

use crate::{
    binary, calm,
    corpus::{self, PAGE, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, per_engine},
    mount::Mount,
    scratch::Scratch,
};

per_engine!(a_half_written_store_costs_names_only);

/// The user engine sees files that have a path here, and says so.
mod without_a_path {
    use crate::harness::bpf_only;

    bpf_only!(a_filesystem_that_is_mounted_nowhere_keeps_its_bytes);
    use super::a_filesystem_that_is_mounted_nowhere_keeps_its_bytes;
}

const PAGES: u64 = 50;

/// A store of containers/storage with two layers, of whose files none is whole.
fn half_written(store: &Path, ids: &[String; 2]) {
    let [one, two] = ids;
    for (name, text) in [
        (
            "overlay-layers/layers.json",
            format!(r#"[{{"id":"{one}"}},{{"id":"{two}"#),
        ),
        ("overlay-images/images.json", "[{\"id\":\0\0\0\0".to_owned()),
        ("overlay-containers/containers.json", String::new()),
    ] {
        let path = store.join(name);
        fs::create_dir_all(path.parent().unwrap_or(store)).or_fail("making the store");
        fs::write(path, text).or_fail("writing the store");
    }
}

fn a_half_written_store_costs_names_only(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "base")?;
    let store = filesystem.root().join("storage");
    let plan = [PlannedFile::counting("usr/bin/program", 1, PAGES)];
    let ids = ["c", "d"].map(|digit| digit.repeat(64));
    let layers = ids
        .each_ref()
        .map(|id| store.join("overlay").join(id).join("diff"));
    for layer in &layers {
        fs::create_dir_all(layer).or_fail("making a layer");
        corpus::write_all(&plan, layer);
    }
    half_written(&store, &ids);
    let base = filesystem.root().join("mounts");
    fs::create_dir(&base).or_fail("making room for mounts");
    let overlay = |name: &str, lower: &Path| {
        let [target, upper, work] =
            ["mount", "upper", "work"].map(|part| base.join(format!("{name}.{part}")));
        Mount::overlay(&target, &[lower], &upper, &work)
    };
    let mounts = [overlay("one", &layers[0])?, overlay("two", &layers[1])?];
    let report = calm::scan_agrees(
        engine,
        &base,
        || {
            for mount in &mounts {
                corpus::read_all(&plan, mount.target());
            }
        },
        || {
            let seen = |(layer, mount): (&std::path::PathBuf, &Mount)| {
                Observed::now(&plan[0], layer).or_below(mount.target())
            };
            Expected::of(&layers.iter().zip(&mounts).map(seen).collect::<Vec<_>>())
        },
        |expected| expected.duplicate == PAGES,
    );
    assert_eq!(
        report.scope("cross-layer"),
        PAGES * PAGE as u64,
        "{report:?}"
    );
    let directories: Vec<String> = layers
        .iter()
        .map(|layer| layer.display().to_string())
        .collect();
    for layer in report.list("layers") {
        let directory = layer["directory"].as_str().unwrap_or("").to_owned();
        assert!(directories.contains(&directory), "{layer}");
        assert_eq!(layer["resident_bytes"], PAGES * PAGE as u64, "{layer}");
    }
    assert_eq!(report.list("layers").len(), 2, "{report:?}");
    let said = report.warnings();
    for name in ["layers.json", "images.json", "containers.json"] {
        assert!(said.contains(name), "nothing is said of '{name}': {said}");
    }
    assert_eq!(report.number("/identity/unresolved_bytes"), 0);
    // A layer that is not mounted has only its store, which does not know it any more. On
    // a mounted image file it would be of the image: this one is on the machine's disk.
    let lost = scratch
        .directory("overlay")
        .join("e".repeat(64))
        .join("diff");
    fs::create_dir_all(&lost).or_fail("making a layer");
    corpus::write_all(&plan, &lost);
    let report = calm::scan_agrees(
        engine,
        &lost,
        || corpus::read_all(&plan, &lost),
        || Expected::of(&[Observed::now(&plan[0], &lost)]),
        |expected| expected.resident == PAGES,
    );
    let unresolved = report.number("/identity/unresolved_bytes");
    assert_eq!(unresolved, PAGES * PAGE as u64, "{report:?}");
    Ok(())
}

/// As after `umount -l`, or in a mount namespace that only a descriptor holds.
fn a_filesystem_that_is_mounted_nowhere_keeps_its_bytes(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = ["held", "twin"].map(|name| PlannedFile::counting(name, 70_000, PAGES));
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let held = plan
        .each_ref()
        .map(|plan| File::open(filesystem.root().join(&plan.names[0])).or_fail("opening"));
    unmount(filesystem.root(), UnmountFlags::DETACH).or_fail("unmounting lazily");
    let report = binary::finish(binary::whole_machine_command(engine)).report();
    for name in ["]/held", "]/twin"] {
        let path = |file: &serde_json::Value| file["path"].as_str().unwrap_or("").to_owned();
        let files = report.list("files").iter();
        let mut found = files.filter(|file| path(file).ends_with(name));
        let file = found.next();
        let file = file.unwrap_or_else(|| panic!("'{name}' is not listed: {}", report.summary()));
        assert!(path(file).starts_with("[ext4 "), "{file}");
        assert_eq!(file["resident_bytes"], PAGES * PAGE as u64, "{file}");
        assert_eq!(file["duplicate_bytes"], PAGES * PAGE as u64, "{file}");
    }
    let unresolved = report.number("/identity/unresolved_bytes");
    assert!(unresolved >= 2 * PAGES * PAGE as u64, "{unresolved}");
    drop(held);
    Ok(())
}
