//! Image files are cached twice when they are read through a page cache of their own: that
//! is told apart from the copies that two images have of one file.

use std::{
    fs,
    io::{Read as _, Seek as _},
};

use crate::{
    binary,
    corpus::{PAGE, PlannedFile},
    disk::Disk,
    erofs_images,
    harness::{Engine, OrFail, Outcome, in_guest, kernel_version, not_here, per_engine},
    mount::Mount,
    report::Report,
    residency,
    scratch::Scratch,
};

per_engine!(on_loop_devices, mounted_from_files);

/// The user engine sees no pages of block devices, and says so.
mod of_a_device {
    use crate::harness::bpf_only;

    bpf_only!(a_block_device_is_the_image_of_its_filesystem);
    use super::a_block_device_is_the_image_of_its_filesystem;
}

const PAGES: u64 = 300;
const TRIES: usize = 5;

fn plan() -> [PlannedFile; 1] {
    [PlannedFile::counting("lib", 1, PAGES)]
}

fn on_loop_devices(engine: Engine) -> Outcome {
    twice(engine, |scratch, name| {
        let image = scratch.file(&format!("{name}.erofs"));
        let disk = Disk::looped(&image)?;
        let mount = Mount::new(disk.device(), &scratch.directory(name), "erofs", true, "")?;
        Ok((Some(disk), mount))
    })
}

fn mounted_from_files(engine: Engine) -> Outcome {
    if kernel_version() < (6, 12) {
        not_here("EROFS is mounted from files since 6.12");
        return Ok(());
    }
    twice(engine, |scratch, name| {
        let image = scratch.file(&format!("{name}.erofs"));
        let mount = Mount::new(&image, &scratch.directory(name), "erofs", true, "")?;
        Ok((None, mount))
    })
}

type Mounted = (Option<Disk>, Mount);

fn twice(
    engine: Engine,
    mount: impl Fn(&Scratch, &str) -> Result<Mounted, crate::harness::Skip>,
) -> Outcome {
    let scratch = Scratch::new();
    let plan = plan();
    for name in ["one", "two"] {
        let made = erofs_images::make(&scratch, name, &plan, None)?;
        fs::create_dir_all(scratch.path()).or_fail("making the stage");
        let image = scratch.file(&format!("{name}.erofs"));
        fs::copy(made, &image).or_fail("placing an image");
        let file = fs::File::open(&image).or_fail("opening an image");
        file.sync_all().or_fail("writing an image");
    }
    // Fields drop in order: the mount before its device.
    let mounts = ["one", "two"].map(|name| mount(&scratch, name));
    let mut mounted = Vec::new();
    for outcome in mounts {
        let (disk, mount) = outcome?;
        mounted.push((mount, disk));
    }
    let whole = |name: &str, roots: &[std::path::PathBuf]| {
        let path = roots[usize::from(name == "two")].join("lib");
        let inside = residency::cached_pages(&path);
        let image = residency::cached_pages(&scratch.file(&format!("{name}.erofs")));
        inside.iter().all(|cached| *cached) && image.iter().all(|cached| *cached)
    };
    let roots: Vec<_> = mounted
        .iter()
        .map(|(mount, _)| mount.target().to_owned())
        .collect();
    for _ in 0..TRIES {
        for (root, name) in roots.iter().zip(["one", "two"]) {
            plan[0].read(root);
            fs::read(scratch.file(&format!("{name}.erofs"))).or_fail("reading an image");
        }
        if ["one", "two"].iter().all(|name| whole(name, &roots)) {
            let report = binary::scan(engine, &scratch.path());
            let count = |name: &str| report.number(&format!("/coverage/{name}_pages"));
            let stood_still = ["one", "two"].iter().all(|name| whole(name, &roots));
            // A page that was locked or left meanwhile is nobody's fault.
            if stood_still && count("resident") == count("hashed") {
                check(&report);
                return Ok(());
            }
        }
    }
    panic!("in {TRIES} tries not all was cached")
}

/// Of the four copies of a page, each image file's is one, and the two that are left are
/// copies across images.
fn check(report: &Report) {
    let bytes = |pages: u64| pages * PAGE as u64;
    assert_eq!(report.scope("image-file"), bytes(2 * PAGES), "{report:?}");
    let metadata = report.scope("cross-layer") - bytes(PAGES);
    // The images differ in little more than their identifiers.
    assert!(metadata <= bytes(4), "{report:?}");
    assert_eq!(report.saving("image-file"), bytes(2 * PAGES));
    let (saving, cause) = report.advice("image-file").unwrap_or_default();
    assert_eq!(saving, bytes(2 * PAGES), "{report:?}");
    assert!(cause.contains(".erofs'"), "{cause}");
    assert_eq!(
        report.saving("erofs"),
        bytes(PAGES),
        "image files are none of it"
    );
}

/// Disks of guests are no loop devices: the device itself is cached beside its files.
fn a_block_device_is_the_image_of_its_filesystem(engine: Engine) -> Outcome {
    if !in_guest() {
        not_here("a disk of its own is there in guests only");
        return Ok(());
    }
    let scratch = Scratch::new();
    let plan = plan();
    let image = erofs_images::make(&scratch, "image", &plan, None)?;
    let disk = Disk::of_image(&image)?;
    let length = fs::metadata(&image).or_fail("sizing an image").len();
    fs::remove_file(image).or_fail("removing an image");
    let mount = Mount::new(disk.device(), &scratch.directory("m"), "erofs", true, "")?;
    let device = fs::File::open(disk.device()).or_fail("opening a disk");
    for _ in 0..TRIES {
        plan[0].read(mount.target());
        let mut bytes = Vec::new();
        (&device)
            .take(length)
            .read_to_end(&mut bytes)
            .or_fail("reading a disk");
        (&device).rewind().or_fail("seeking a disk");
        // Devices lie below no directory, so the whole machine is looked at.
        let report = binary::finish(binary::whole_machine_command(engine)).report();
        let file = report.only_file(&mount.target().join("lib").display().to_string());
        let whole = file["resident_bytes"] == PAGES * PAGE as u64;
        let files = report.list("files").iter();
        let mut devices = files.filter(|file| {
            file["path"]
                .as_str()
                .unwrap_or("")
                .starts_with("block device")
        });
        let cached = |row: &serde_json::Value| row["duplicate_bytes"].as_u64().unwrap_or(0);
        let bytes = |pages: u64| pages * PAGE as u64;
        if whole && devices.any(|row| cached(row) >= bytes(PAGES)) {
            let found = report.scope("image-file");
            // Little else of the guest's disks is cached in both.
            let expected = bytes(PAGES)..=bytes(PAGES + PAGES / 10);
            assert!(expected.contains(&found), "{found}: {report:?}");
            assert_eq!(report.saving("image-file"), found);
            return Ok(());
        }
    }
    panic!("in {TRIES} tries not all was cached")
}
