//! A scan of files with known contents shows exactly the numbers that follow from the
//! contents, on every filesystem.

use std::fs;

use crate::{
    calm,
    corpus::{self, Page, PlannedFile},
    disk::Disk,
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, Skip, kernel_version, per_engine},
    mount::Mount,
    page_flags::{Watched, bit},
    report::Report,
    residency,
    scratch::Scratch,
};

per_engine!(
    ext4,
    xfs,
    btrfs,
    erofs,
    erofs_compressed,
    squashfs,
    tmpfs,
    fuse,
    overlayfs,
    half_cached,
    huge_pages_of_tmpfs,
    large_folios_of_xfs,
    loop_device_counts_only_files
);

fn ext4(engine: Engine) -> Outcome {
    holds_on(Kind::Ext4, engine)
}

fn xfs(engine: Engine) -> Outcome {
    holds_on(Kind::Xfs, engine)
}

fn btrfs(engine: Engine) -> Outcome {
    holds_on(Kind::Btrfs, engine)
}

fn erofs(engine: Engine) -> Outcome {
    holds_on(Kind::Erofs, engine)
}

fn erofs_compressed(engine: Engine) -> Outcome {
    holds_on(Kind::ErofsLz4, engine)
}

fn squashfs(engine: Engine) -> Outcome {
    holds_on(Kind::Squashfs, engine)
}

fn tmpfs(engine: Engine) -> Outcome {
    holds_on(Kind::Tmpfs, engine)
}

fn fuse(engine: Engine) -> Outcome {
    holds_on(Kind::Fuse, engine)
}

fn holds_on(kind: Kind, engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = corpus::every_kind();
    let filesystem = Filesystem::with_files(kind, &scratch, "files", &plan)?;
    let report = calm::scan_agrees(
        engine,
        filesystem.root(),
        || filesystem.cache(&plan),
        || Expected::of(&observe(&plan, kind, &filesystem)),
        |expected| expected.duplicate > 700 && expected.zero >= 64,
    );
    report.assert_shares_add_up();
    assert_inodes(kind, &filesystem, &report);
    assert_filesystem(kind, &report);
    Ok(())
}

fn observe<'plan>(
    plan: &'plan [PlannedFile],
    kind: Kind,
    filesystem: &Filesystem,
) -> Vec<Observed<'plan>> {
    let files = Observed::all(plan, filesystem.root());
    if kind.has_clean_state() {
        files
    } else {
        files.into_iter().map(Observed::never_clean).collect()
    }
}

/// All pages are of one filesystem, which is named.
fn assert_filesystem(kind: Kind, report: &Report) {
    let rows = report.list("filesystems").iter();
    let rows: Vec<_> = rows.filter(|row| row["resident_bytes"] != 0).collect();
    let [row] = rows[..] else {
        panic!("one filesystem holds all pages, not {rows:?}");
    };
    let resident = report.number("/totals/resident_bytes");
    assert_eq!(row["resident_bytes"].as_u64(), Some(resident), "{row}");
    let fs_type = row["fs_type"].as_str().unwrap_or_default();
    assert!(
        fs_type == kind.fs_type() || fs_type.starts_with("fuse."),
        "{kind:?}: {row}"
    );
}

/// Device and inode numbers are those that `stat` shows, but for btrfs, where `stat`
/// shows a device of the subvolume.
fn assert_inodes(kind: Kind, filesystem: &Filesystem, report: &Report) {
    use std::os::unix::fs::MetadataExt as _;
    for name in ["self", "zeros"] {
        let path = filesystem.root().join(name);
        let stat = fs::metadata(&path).or_fail("asking for an inode number");
        let shown = path.display().to_string();
        let mut rows = report.list("files").iter();
        let row = rows.find(|row| row["path"] == shown.as_str());
        let row = row.unwrap_or_else(|| panic!("'{shown}' is not reported"));
        assert_eq!(row["ino"].as_u64(), Some(stat.ino()), "inode in {row}");
        let dev = format!("{}:{}", libc::major(stat.dev()), libc::minor(stat.dev()));
        let shows_dev = row["dev"] == dev.as_str();
        assert!(kind == Kind::Btrfs || shows_dev, "device {dev} in {row}");
    }
}

/// Read through an overlay, measured through it: the pages are those of the layer.
fn overlayfs(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = corpus::every_kind();
    let mut base = Filesystem::empty(Kind::Ext4, &scratch, "base")?;
    let lower = scratch.directory("base/lower");
    corpus::write_all(&plan, &lower);
    base.remount()?;
    let merged = Mount::overlay(
        &scratch.file("merged"),
        &[&lower],
        &scratch.file("base/upper"),
        &scratch.file("base/work"),
    )?;
    let observe = || {
        let files = Observed::all(&plan, &lower).into_iter();
        let files: Vec<_> = files.map(|file| file.or_below(merged.target())).collect();
        Expected::of(&files)
    };
    for directory in [merged.target().to_owned(), lower.clone(), scratch.path()] {
        calm::scan_agrees(
            engine,
            &directory,
            || corpus::read_all(&plan, merged.target()),
            observe,
            |_| residency::all_cached(&plan, &lower, true),
        );
    }
    drop(merged);
    Ok(())
}

/// Only what is cached counts: every other page of one file, nothing of another.
fn half_cached(engine: Engine) -> Outcome {
    use std::os::unix::fs::FileExt as _;
    let scratch = Scratch::new();
    let plan = [
        PlannedFile::counting("half", 1, 64),
        PlannedFile::counting("same-content-not-cached", 1, 64),
        PlannedFile::counting("quarter", 1, 64),
    ];
    let mut filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    filesystem.remount()?;
    let cache_some = || {
        for (file, step) in [(&plan[0], 2), (&plan[2], 4)] {
            let path = filesystem.root().join(&file.names[0]);
            let opened = fs::File::open(path).or_fail("opening a file");
            rustix::fs::fadvise(&opened, 0, None, rustix::fs::Advice::Random).or_fail("advising");
            for page in (0..64).step_by(step) {
                let mut byte = [0];
                opened
                    .read_exact_at(&mut byte, page * 4096)
                    .or_fail("reading one byte");
            }
        }
    };
    calm::scan_agrees(
        engine,
        filesystem.root(),
        cache_some,
        || Expected::of(&Observed::all(&plan, filesystem.root())),
        |expected| (expected.resident, expected.duplicate) == (32 + 16, 16),
    );
    Ok(())
}

/// A 2 MiB folio is 512 pages, each with its own content.
fn huge_pages_of_tmpfs(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    if !fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap_or(false) {
        return Err(Skip("this kernel has no transparent huge pages".to_owned()));
    }
    let target = scratch.directory("huge");
    let options = "size=64m,huge=always";
    let mount = Mount::new("tmpfs".as_ref(), &target, "tmpfs", false, options)?;
    let plan = [
        PlannedFile::new("huge", (0..1024).map(|page| Page::Content(page % 700))),
        PlannedFile::counting("one-of-them", 512, 1),
    ];
    corpus::write_all(&plan, &target);
    assert_compound(&target.join("huge"));
    calm::scan_agrees(
        engine,
        mount.target(),
        || (),
        || {
            let files = Observed::all(&plan, &target).into_iter();
            Expected::of(&files.map(Observed::never_clean).collect::<Vec<_>>())
        },
        |expected| expected.duplicate >= 325,
    );
    Ok(())
}

fn assert_compound(path: &std::path::Path) {
    let flags = Watched::new(path).flags();
    let tails = flags
        .iter()
        .flatten()
        .filter(|&&flags| flags & bit::COMPOUND_TAIL != 0)
        .count();
    assert!(
        tails >= 511,
        "'{}' has no huge page: {tails} tail pages",
        path.display()
    );
}

/// xfs caches a sequential read in large folios; partly overwritten, they stay right.
fn large_folios_of_xfs(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = [PlannedFile::new(
        "large",
        (0..2048).map(|page| Page::Content(page % 1500)),
    )];
    let filesystem = Filesystem::with_files(Kind::Xfs, &scratch, "files", &plan)?;
    assert_any_compound(&filesystem.root().join("large"));
    calm::scan_agrees(
        engine,
        filesystem.root(),
        || filesystem.cache(&plan),
        || Expected::of(&Observed::all(&plan, filesystem.root())),
        |expected| expected.duplicate == 548,
    );
    Ok(())
}

fn assert_any_compound(path: &std::path::Path) {
    let flags = Watched::new(path).flags();
    let large = bit::COMPOUND_HEAD | bit::COMPOUND_TAIL;
    let any = flags.iter().flatten().any(|flags| flags & large != 0);
    // From 7.0 on no page of a file was seen with these flags, whatever was read.
    let told = kernel_version() < (7, 0);
    if !any && !told {
        println!("this kernel does not tell which folios are large");
    }
    assert!(
        any || !told,
        "'{}' has no large folio: the test could not set the stage",
        path.display()
    );
}

/// The device under a filesystem is cached too, by pages of its own: `--path` leaves
/// them out.
fn loop_device_counts_only_files(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = [PlannedFile::counting("file", 1, 256)];
    let disk = {
        let (image, staging) = (scratch.unseen("image"), scratch.unseen("staging"));
        fs::create_dir(&staging).or_fail("making a staging directory");
        corpus::write_all(&plan, &staging);
        let made = std::process::Command::new("mkfs.erofs")
            .arg(&image)
            .arg(&staging)
            .output()
            .map_err(|error| Skip(format!("'mkfs.erofs' does not run: {error}")))?;
        assert!(made.status.success(), "mkfs.erofs: {made:?}");
        Disk::of_image(&image)?
    };
    let root = scratch.file("files");
    let mount = Mount::new(disk.device(), &root, "erofs", true, "")?;
    let cache_both = || {
        fs::read(disk.device()).or_fail("reading the device");
        corpus::read_all(&plan, &root);
    };
    calm::scan_agrees(
        engine,
        &root,
        cache_both,
        || Expected::of(&Observed::all(&plan, &root)),
        |expected| (expected.resident, expected.duplicate) == (256, 0),
    );
    mount.unmount();
    Ok(())
}
