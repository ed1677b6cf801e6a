//! The forecast of what EROFS page sharing would save, against the kernel that does it:
//! images mounted apart and read, then mounted with `inode_share` and read again.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    binary,
    corpus::{self, PAGE, Page, PlannedFile},
    disk::Disk,
    erofs_images,
    harness::{self, Engine, OrFail as _, Outcome, Skip, bpf_only, in_guest, kernel_version},
    host_memory::MemInfo,
    mount::Mount,
    report::Report,
    residency,
    scratch::Scratch,
};

bpf_only!(the_forecast_is_what_the_kernel_saves);

/// What the kernel keeps once is seen by both engines.
mod kept_once {
    use crate::harness::per_engine;

    per_engine!(shared_pages_count_once_and_have_owners);
    use super::shared_pages_count_once_and_have_owners;
}

const NAMES: [&str; 3] = ["one", "two", "three"];
const EQUAL: u64 = 2048;
const TRIES: usize = 4;

/// Pages of the files that begin alike.
const ALIKE: u64 = 128;

/// Three images with one file in common, one that two have, and some of their own: also
/// one that begins like another image's and ends differently.
fn plans(equal: u64) -> [Vec<PlannedFile>; 3] {
    let all = || PlannedFile::counting("all", 1, equal);
    let pair = || PlannedFile::counting("pair", 10_001, equal / 4);
    let like = |end: u64| {
        let begin = (20_001..20_001 + ALIKE).map(Page::Content);
        PlannedFile::new("like", begin.chain([Page::Content(end)]))
    };
    [
        vec![all(), pair(), like(1)],
        vec![all(), pair(), like(2)],
        vec![all(), PlannedFile::counting("own", 30_001, 256)],
    ]
}

fn the_forecast_is_what_the_kernel_saves(engine: Engine) -> Outcome {
    if kernel_version() < (7, 2) {
        harness::not_here("EROFS shares pages since 7.2");
        return Ok(());
    }
    if !in_guest() {
        harness::not_here("'Cached' stands still enough in guests only");
        return Ok(());
    }
    let scratch = Scratch::new();
    let plans = plans(EQUAL);
    let disks = disks(&scratch, &plans)?;
    let mount = |options: &str| mount(&disks, &scratch, options);
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let apart = mount("")?;
        let (cached_apart, report) = fill(engine, apart, &plans, &scratch);
        let together = mount("inode_share,domain_id=truth")?;
        let (cached_together, shared) = fill(engine, together, &plans, &scratch);
        let alone = mount("inode_share,domain_id=NAME")?;
        let (_, apart_by_domain) = fill(engine, alone, &plans, &scratch);
        let forecast = report.saving("erofs");
        let fall = cached_apart.saturating_sub(cached_together);
        assert_eq!(
            forecast,
            (2 * EQUAL + EQUAL / 4) * PAGE as u64,
            "{report:?}"
        );
        assert_eq!(report.confidence("erofs"), "exact", "fingerprints decide");
        let all_of_it = |why: &str| vec![(why.to_owned(), forecast)];
        let needs = all_of_it("the EROFS mounts need inode_share");
        assert_eq!(report.needs("erofs"), needs);
        let needs = all_of_it("the EROFS mounts need one domain_id, or the files fingerprints");
        assert_eq!(apart_by_domain.needs("erofs"), needs, "in three domains");
        // The digests of files that the kernel keeps elsewhere are found all the same.
        assert_eq!(apart_by_domain.confidence("erofs"), "exact");
        assert_eq!(apart_by_domain.already_shared(), 0);
        check_shared(&shared, EQUAL);
        seen.push((forecast, fall));
        if fall.abs_diff(forecast) * 100 <= forecast {
            harness::say(&format!("forecast and fall of 'Cached' in bytes: {seen:?}"));
            return Ok(());
        }
    }
    panic!("forecast and fall of 'Cached' in bytes, never within 1 %: {seen:?}")
}

/// The images on disks.
fn disks(scratch: &Scratch, plans: &[Vec<PlannedFile>]) -> Result<Vec<Disk>, Skip> {
    let mut disks = Vec::new();
    for (name, plan) in NAMES.iter().zip(plans) {
        let image = erofs_images::make(scratch, name, plan, Some(erofs_images::FINGERPRINT))?;
        disks.push(Disk::of_image(&image)?);
        fs::remove_file(image).or_fail("removing an image");
    }
    Ok(disks)
}

/// The disks mounted, each on a directory of its name, which stands for `NAME` in `options`.
fn mount(disks: &[Disk], scratch: &Scratch, options: &str) -> Result<Vec<Mount>, Skip> {
    let mounted = disks.iter().zip(NAMES).map(|(disk, name)| {
        let target = scratch.directory(name);
        let options = options.replace("NAME", name);
        Mount::new(disk.device(), &target, "erofs", true, &options)
    });
    mounted.collect()
}

/// Equal files are there once, say whose they are, and have nothing left to be saved.
#[track_caller]
fn check_shared(report: &Report, equal: u64) {
    let bytes = |pages: u64| pages * PAGE as u64;
    let once = equal + equal / 4 + 2 * (ALIKE + 1) + 256;
    assert_eq!(
        report.number("/coverage/resident_pages"),
        once,
        "{report:?}"
    );
    // The two that begin alike end like a page each of the file that all have.
    assert_eq!(report.number("/totals/duplicate_bytes"), bytes(ALIKE + 2));
    assert_eq!(report.saving("erofs"), 0, "{report:?}");
    assert_eq!(report.already_shared(), bytes(2 * equal + equal / 4));
    assert_eq!(report.number("/identity/unresolved_bytes"), 0);
    for (name, pages, count) in [("all", equal, 3_u64), ("pair", equal / 4, 2)] {
        let file = report.only_file(&format!("/{name}"));
        assert_eq!(file["resident_bytes"], bytes(pages), "{file}");
        assert_eq!(file["owner_count"], count, "{file}");
        let owners = file["owners"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(owners.len() as u64, count, "{file}");
        let ends = |owner: &Value, image: &str| {
            let path = owner["path"].as_str().unwrap_or("");
            path.ends_with(&format!("/{image}/{name}"))
        };
        let of_images = NAMES
            .iter()
            .filter(|image| owners.iter().any(|owner| ends(owner, image)));
        assert_eq!(of_images.count() as u64, count, "one in each image: {file}");
        let path = Path::new(file["path"].as_str().unwrap_or(""));
        let ino = fs::metadata(path).map(|file| file.ino()).ok();
        assert!(
            ino.is_none() || ino == file["ino"].as_u64(),
            "'{}' is not inode {}",
            path.display(),
            file["ino"]
        );
        assert_eq!(owners[0]["path"], file["path"], "{file}");
        assert_eq!(owners[0]["ino"], file["ino"], "{file}");
    }
}

fn shared_pages_count_once_and_have_owners(engine: Engine) -> Outcome {
    const SMALL: u64 = 256;
    if kernel_version() < (7, 2) {
        harness::not_here("EROFS shares pages since 7.2");
        return Ok(());
    }
    let scratch = Scratch::new();
    let plans = plans(SMALL);
    let disks = disks(&scratch, &plans)?;
    let mounts = mount(&disks, &scratch, "inode_share,domain_id=once")?;
    let all_cached = || {
        let pairs = mounts.iter().zip(&plans);
        pairs
            .into_iter()
            .all(|(mount, plan)| residency::all_cached(plan, mount.target(), true))
    };
    for _ in 0..TRIES {
        for (mount, plan) in mounts.iter().zip(&plans) {
            corpus::read_all(plan, mount.target());
        }
        let report = binary::scan(engine, &scratch.path());
        let settled = report.number("/coverage/hashed_pages");
        if all_cached() && settled == report.number("/coverage/resident_pages") {
            check_shared(&report, SMALL);
            // Below one of the mounts the same pages are named after it.
            let report = binary::scan(engine, mounts[1].target());
            let file = report.only_file("/two/all");
            assert_eq!(file["resident_bytes"], SMALL * PAGE as u64, "{file}");
            return Ok(());
        }
    }
    panic!("in {TRIES} tries not all was cached")
}

/// Reads all files; how much 'Cached' grows by that, and a scan of it.
fn fill(
    engine: Engine,
    mounts: Vec<Mount>,
    plans: &[Vec<PlannedFile>],
    scratch: &Scratch,
) -> (u64, Report) {
    let cached = || MemInfo::read().bytes("Cached");
    let before = cached();
    for (mount, plan) in mounts.iter().zip(plans) {
        corpus::read_all(plan, mount.target());
    }
    let grown = cached().saturating_sub(before);
    let scanned: PathBuf = scratch.path();
    let report = binary::scan(engine, &scanned);
    for mount in mounts {
        mount.unmount();
    }
    (grown, report)
}
