//! The forecast of what EROFS page sharing would save, against the kernel that does it:
//! images mounted apart and read, then mounted with `inode_share` and read again.

use std::{fs, path::PathBuf};

use crate::{
    binary,
    corpus::{self, PAGE, Page, PlannedFile},
    disk::Disk,
    erofs_images,
    harness::{self, Engine, OrFail as _, Outcome, bpf_only, in_guest, kernel_version},
    host_memory::MemInfo,
    mount::Mount,
    report::Report,
    scratch::Scratch,
};

bpf_only!(the_forecast_is_what_the_kernel_saves);

const NAMES: [&str; 3] = ["one", "two", "three"];
const EQUAL: u64 = 2048;
const TRIES: usize = 4;

/// Three images with one file in common, one that two have, and some of their own: also
/// one that begins like another image's and ends differently.
fn plans() -> [Vec<PlannedFile>; 3] {
    let all = || PlannedFile::counting("all", 1, EQUAL);
    let pair = || PlannedFile::counting("pair", 10_001, EQUAL / 4);
    let like = |end: u64| {
        let begin = (20_001..20_129).map(Page::Content);
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
    let plans = plans();
    let mut disks = Vec::new();
    for (name, plan) in NAMES.iter().zip(&plans) {
        let image = erofs_images::make(&scratch, name, plan, true)?;
        disks.push(Disk::of_image(&image)?);
        fs::remove_file(image).or_fail("removing an image");
    }
    let mount = |options: &str| -> Result<Vec<Mount>, crate::harness::Skip> {
        let targets = NAMES.map(|name| scratch.directory(name));
        let pairs = disks.iter().zip(&targets);
        pairs
            .zip(NAMES)
            .map(|((disk, target), name)| {
                let options = options.replace("NAME", name);
                Mount::new(disk.device(), target, "erofs", true, &options)
            })
            .collect()
    };
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let apart = mount("")?;
        let (cached_apart, report) = fill(engine, apart, &plans, &scratch);
        let together = mount("inode_share,domain_id=truth")?;
        let (cached_together, _) = fill(engine, together, &plans, &scratch);
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
        seen.push((forecast, fall));
        if fall.abs_diff(forecast) * 100 <= forecast {
            harness::say(&format!("forecast and fall of 'Cached' in bytes: {seen:?}"));
            return Ok(());
        }
    }
    panic!("forecast and fall of 'Cached' in bytes, never within 1 %: {seen:?}")
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
