//! btrfs numbers inodes per subvolume: equal numbers there are not the same file.

use std::{fs, os::unix::fs::MetadataExt as _, process::Command};

use crate::{
    calm,
    corpus::{self, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, Skip, per_engine},
    scratch::Scratch,
};

per_engine!(
    equal_inode_numbers_in_two_subvolumes_are_two_files,
    a_snapshot_is_cached_again
);

fn equal_inode_numbers_in_two_subvolumes_are_two_files(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut filesystem = Filesystem::empty(Kind::Btrfs, &scratch, "files")?;
    let plans = [
        [PlannedFile::counting("file", 1, 50)],
        [PlannedFile::counting("file", 26, 50)],
    ];
    let subvolumes = ["one", "two"].map(|name| filesystem.root().join(name));
    for (plan, subvolume) in plans.iter().zip(&subvolumes) {
        btrfs(&["subvolume", "create", &subvolume.display().to_string()])?;
        corpus::write_all(plan, subvolume);
    }
    filesystem.remount()?;
    let number = |place: usize| {
        fs::metadata(subvolumes[place].join("file"))
            .or_fail("stat")
            .ino()
    };
    assert_eq!(number(0), number(1), "the stage: equal inode numbers");
    let cache = || {
        for (plan, subvolume) in plans.iter().zip(&subvolumes) {
            corpus::read_all(plan, subvolume);
        }
    };
    let observe = |which: &[usize]| {
        let shown = which
            .iter()
            .map(|&place| (&plans[place], &subvolumes[place]));
        let files = shown.flat_map(|(plan, subvolume)| Observed::all(plan, subvolume));
        Expected::of(&files.collect::<Vec<_>>())
    };
    calm::scan_agrees(
        engine,
        filesystem.root(),
        cache,
        || observe(&[0, 1]),
        |expected| (expected.distinct, expected.duplicate) == (75, 25),
    );
    // One of them alone: the other has the same device and inode number for the kernel.
    calm::scan_agrees(
        engine,
        &subvolumes[1],
        cache,
        || observe(&[1]),
        |expected| (expected.distinct, expected.duplicate) == (50, 0),
    );
    Ok(())
}

fn a_snapshot_is_cached_again(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut filesystem = Filesystem::empty(Kind::Btrfs, &scratch, "files")?;
    let plan = [PlannedFile::counting("file", 1, 80)];
    let [origin, snapshot] = ["origin", "snapshot"].map(|name| filesystem.root().join(name));
    btrfs(&["subvolume", "create", &origin.display().to_string()])?;
    corpus::write_all(&plan, &origin);
    let [from, to] = [&origin, &snapshot].map(|path| path.display().to_string());
    btrfs(&["subvolume", "snapshot", "-r", &from, &to])?;
    filesystem.remount()?;
    let roots = [&origin, &snapshot];
    calm::scan_agrees(
        engine,
        filesystem.root(),
        || roots.iter().for_each(|root| corpus::read_all(&plan, root)),
        || Expected::of(&roots.map(|root| Observed::now(&plan[0], root))),
        |expected| (expected.distinct, expected.duplicate) == (80, 80),
    );
    Ok(())
}

fn btrfs(arguments: &[&str]) -> Result<(), Skip> {
    let output = Command::new("btrfs")
        .args(arguments)
        .output()
        .map_err(|error| Skip(format!("'btrfs' does not run: {error}")))?;
    assert!(output.status.success(), "btrfs {arguments:?}: {output:?}");
    Ok(())
}
