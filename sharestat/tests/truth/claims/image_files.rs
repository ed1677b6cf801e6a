//! Image files are cached twice when they are read through a page cache of their own: that
//! is told apart from the copies that two images have of one file.

use std::fs;

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

const PAGES: u64 = 300;
const TRIES: usize = 5;

fn plan() -> [PlannedFile; 1] {
    [PlannedFile::counting("lib", 1, PAGES)]
}

fn on_loop_devices(engine: Engine) -> Outcome {
    if in_guest() {
        not_here("disks of guests are no loop devices: there is no image file");
        return Ok(());
    }
    twice(engine, |scratch, name| {
        let image = scratch.file(&format!("{name}.erofs"));
        let disk = Disk::of_image(&image)?;
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
        let made = erofs_images::make(&scratch, name, &plan, false)?;
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
    assert_eq!(
        report.saving("erofs"),
        bytes(PAGES),
        "image files are none of it"
    );
}
