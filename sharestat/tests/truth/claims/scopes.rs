//! How near copies are: each way in which a kernel lets files hold the same bytes has its
//! scope, and the scopes of a report add up.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use crate::{
    binary, calm,
    corpus::{self, PAGE, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, Skip, in_guest, per_engine},
    mount::Mount,
    report::Report,
    scratch::Scratch,
};

per_engine!(
    four_reflinks_on_xfs,
    four_reflinks_on_btrfs,
    a_snapshot_on_btrfs,
    a_file_copied_up_for_its_mode,
    one_path_in_two_layers_of_two_images,
);

/// 64 MiB, where making and comparing so much takes a moment only.
pub(super) fn pages() -> u64 {
    if in_guest() || cfg!(debug_assertions) {
        1024
    } else {
        16_384
    }
}

/// Fails unless all duplicates are in this one scope.
#[track_caller]
pub(super) fn assert_only(report: &Report, scope: &str, pages: u64) {
    let bytes = pages * PAGE as u64;
    assert_eq!(report.number("/totals/duplicate_bytes"), bytes);
    assert_eq!(report.scope(scope), bytes, "scope {scope}: {report:?}");
}

fn four_reflinks_on_xfs(engine: Engine) -> Outcome {
    four_reflinks(Kind::Xfs, engine)
}

fn four_reflinks_on_btrfs(engine: Engine) -> Outcome {
    four_reflinks(Kind::Btrfs, engine)
}

/// An XFS or btrfs with one file and three reflinks of it, none of them cached.
pub(super) fn reflinked(
    kind: Kind,
    scratch: &Scratch,
) -> Result<(Filesystem, Vec<PlannedFile>), Skip> {
    let mut filesystem = Filesystem::empty(kind, scratch, "files")?;
    let plans: Vec<_> = ["a", "b", "c", "d"]
        .map(|name| PlannedFile::counting(name, 1, pages()))
        .into();
    corpus::write_all(&plans[..1], filesystem.root());
    for plan in &plans[1..] {
        let [from, to] = [&plans[0], plan].map(|plan| filesystem.root().join(&plan.names[0]));
        reflink(&from, &to);
    }
    corpus::sync(filesystem.root());
    filesystem.remount()?;
    Ok((filesystem, plans))
}

fn four_reflinks(kind: Kind, engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let (filesystem, plans) = reflinked(kind, &scratch)?;
    let root = filesystem.root();
    let report = calm::scan_agrees(
        engine,
        root,
        || corpus::read_all(&plans, root),
        || Expected::of(&Observed::all(&plans, root)),
        |expected| expected.duplicate == 3 * pages(),
    );
    assert_only(&report, "reflink", 3 * pages());
    let bytes = 3 * pages() * PAGE as u64;
    assert_eq!(report.saving("reflink"), bytes);
    assert_eq!(report.advice("reflink"), Some((bytes, "")));
    Ok(())
}

fn reflink(from: &Path, to: &Path) {
    let from = fs::File::open(from).or_fail("opening the file to share");
    let to = fs::File::create_new(to).or_fail("making a reflink");
    rustix::fs::ioctl_ficlone(to, from).or_fail("FICLONE");
}

fn a_snapshot_on_btrfs(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut filesystem = Filesystem::empty(Kind::Btrfs, &scratch, "files")?;
    let plan = [PlannedFile::counting("file", 1, pages())];
    let roots = ["origin", "snapshot"].map(|name| filesystem.root().join(name));
    let shown = roots.each_ref().map(|path| path.display().to_string());
    btrfs(&["subvolume", "create", &shown[0]])?;
    corpus::write_all(&plan, &roots[0]);
    btrfs(&["subvolume", "snapshot", &shown[0], &shown[1]])?;
    filesystem.remount()?;
    let report = calm::scan_agrees(
        engine,
        filesystem.root(),
        || roots.iter().for_each(|root| corpus::read_all(&plan, root)),
        || Expected::of(&roots.each_ref().map(|root| Observed::now(&plan[0], root))),
        |expected| expected.duplicate == pages(),
    );
    assert_only(&report, "snapshot", pages());
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

/// A container: its mount and what is written to.
fn container(base: &Path, name: &str, lower: &Path) -> Result<Mount, Skip> {
    let [target, upper, work] =
        ["mount", "upper", "work"].map(|part| base.join(format!("{name}.{part}")));
    Mount::overlay(&target, &[lower], &upper, &work)
}

fn a_file_copied_up_for_its_mode(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "base")?;
    let plan = [PlannedFile::counting("program", 1, 200)];
    let lower = filesystem.root().join("lower");
    fs::create_dir(&lower).or_fail("making a layer");
    corpus::write_all(&plan, &lower);
    let mounts = [
        container(filesystem.root(), "one", &lower)?,
        container(filesystem.root(), "two", &lower)?,
    ];
    let read = || {
        for mount in &mounts {
            corpus::read_all(&plan, mount.target());
        }
    };
    let in_lower = || {
        Observed::now(&plan[0], &lower)
            .or_below(mounts[0].target())
            .or_below(mounts[1].target())
    };
    let report = calm::scan_agrees(
        engine,
        filesystem.root(),
        read,
        || Expected::of(&[in_lower()]),
        |expected| expected.resident == 200,
    );
    assert_eq!(report.number("/totals/duplicate_bytes"), 0);
    let program = mounts[0].target().join("program");
    fs::set_permissions(program, fs::Permissions::from_mode(0o711)).or_fail("chmod");
    corpus::sync(filesystem.root());
    let upper = filesystem.root().join("one.upper");
    let report = calm::scan_agrees(
        engine,
        filesystem.root(),
        read,
        || Expected::of(&[in_lower(), Observed::now(&plan[0], &upper)]),
        |expected| expected.duplicate == 200,
    );
    assert_only(&report, "copy-up", 200);
    let [copy_up] = report.list("copy_ups") else {
        panic!("one file was copied up: {report:?}");
    };
    assert_eq!(copy_up["metadata_only"], true, "{copy_up}");
    let path = upper.join("program").display().to_string();
    assert_eq!(copy_up["path"], path.as_str());
    assert_eq!(report.saving("copy-up"), 200 * PAGE as u64);
    Ok(())
}

/// A store of containers/storage, as Podman writes it, found by the layers mounted from it.
fn one_path_in_two_layers_of_two_images(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "base")?;
    let store = filesystem.root().join("storage");
    let plan = [PlannedFile::counting("usr/lib/libexample.so", 1, 100)];
    let ids = ["a", "b"].map(|digit| digit.repeat(64));
    let layer = |id: &str| store.join("overlay").join(id).join("diff");
    for id in &ids {
        fs::create_dir_all(layer(id)).or_fail("making a layer");
        corpus::write_all(&plan, &layer(id));
    }
    let [one, two] = &ids;
    for (name, text) in [
        (
            "overlay-layers/layers.json",
            format!(r#"[{{"id":"{one}"}},{{"id":"{two}"}}]"#),
        ),
        (
            "overlay-images/images.json",
            format!(
                r#"[{{"id":"{one}","names":["localhost/one:1"],"layer":"{one}"}},
                   {{"id":"{two}","names":["localhost/two:2"],"layer":"{two}"}}]"#
            ),
        ),
        ("overlay-containers/containers.json", "[]".to_owned()),
    ] {
        let path = store.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&store)).or_fail("making the store");
        fs::write(path, text).or_fail("writing the store");
    }
    // Not the whole filesystem: the store's own files are cached too.
    let base = filesystem.root().join("mounts");
    fs::create_dir(&base).or_fail("making room for mounts");
    let mounts = [
        container(&base, "one", &layer(one))?,
        container(&base, "two", &layer(two))?,
    ];
    let report = calm::scan_agrees(
        engine,
        &base,
        || {
            for mount in &mounts {
                corpus::read_all(&plan, mount.target());
            }
        },
        || {
            let seen = |(id, mount): (&String, &Mount)| {
                Observed::now(&plan[0], &layer(id)).or_below(mount.target())
            };
            Expected::of(&ids.iter().zip(&mounts).map(seen).collect::<Vec<_>>())
        },
        |expected| expected.duplicate == 100,
    );
    assert_only(&report, "cross-layer", 100);
    assert_eq!(report.saving("layer"), 100 * PAGE as u64);
    let (bytes, cause) = report.advice("layer").unwrap_or_default();
    assert_eq!(bytes, 100 * PAGE as u64, "{report:?}");
    for image in ["localhost/one:1", "localhost/two:2"] {
        assert!(cause.contains(image), "{cause}");
    }
    let names = |list: &str| {
        let rows = report.list(list).iter();
        let mut names: Vec<String> = rows.map(|row| row["name"].to_string()).collect();
        names.sort();
        names
    };
    let expected = ["\"localhost/one:1\"", "\"localhost/two:2\""];
    assert_eq!(names("images"), expected, "{report:?}");
    assert_eq!(names("layers"), expected, "{report:?}");
    let [pair] = report.list("layer_pairs") else {
        panic!("there is one pair of layers: {report:?}");
    };
    assert_eq!(pair["duplicate_bytes"], 100 * PAGE as u64, "{pair}");
    let text = binary::finish(binary::command([
        "scan",
        "--engine",
        engine.name(),
        "--path",
        &base.display().to_string(),
    ]));
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("localhost/two:2 (lower, podman)"), "{text}");
    Ok(())
}
