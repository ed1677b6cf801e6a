//! What leaves before its turn to be hashed is hashed as it leaves, within a limit; and
//! why it left is known. The recorder stands still meanwhile, so that no turn comes.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    corpus::{PAGE, Page, PlannedFile},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, Skip, bpf_only, kernel_version, not_here},
    memcg::Memcg,
    page_flags::{Watched, bit},
    recording::{Recorded, Recording},
    residency,
    scratch::Scratch,
    small_reads::{self, on_one_cpu},
};

bpf_only!(
    small_folios_are_hashed_as_they_leave,
    large_folios_are_hashed_before_reclaim_takes_them,
    a_bucket_limits_what_is_hashed_at_removal,
    causes_are_told_apart,
);

/// All that the hooks can do: a million pages per second and CPU.
const UNLIMITED: &[&str] = &["--cpu-budget", "100"];

/// Two equal files, the first of which is cached, and one with contents of its own.
struct Stage {
    filesystem: Filesystem,
    plan: [PlannedFile; 3],
    group: Memcg,
}

impl Stage {
    fn new(kind: Kind, scratch: &Scratch, pages: u64) -> Result<Self, Skip> {
        let plan = [
            PlannedFile::counting("first", 1, pages),
            PlannedFile::counting("copy", 1, pages),
            PlannedFile::counting("unique", 1_000_000, pages),
        ];
        let filesystem = Filesystem::with_files(kind, scratch, "files", &plan)?;
        for file in &plan[1..] {
            residency::forget(&filesystem.root().join(&file.names[0]));
        }
        Ok(Self {
            filesystem,
            plan,
            group: Memcg::new("sharestat-removal")?,
        })
    }

    fn root(&self) -> &Path {
        self.filesystem.root()
    }

    /// Pages of all three files that are not cached.
    fn absent(&self) -> u64 {
        let of = |file: &PlannedFile| absent(&self.root().join(&file.names[0]));
        self.plan.iter().map(of).sum()
    }

    /// Each page that reclaim took was known, and each that was read and equals one of the
    /// first file was recognised, though none had its turn.
    #[track_caller]
    fn assert_known(&self, recorded: &Recorded, gone: u64) {
        let pages = self.plan[0].pages.len() as u64;
        let seen = recorded.avoidable();
        assert_eq!(
            (seen.reclaimed, seen.reclaimed_hashed),
            (gone, gone),
            "{seen:?}"
        );
        assert_eq!((seen.read, seen.unknown), (2 * pages, 0), "{seen:?}");
        assert_eq!(seen.avoidable_reads, pages, "{seen:?}");
        let hashed = recorded.counter("hashed_at_removal");
        assert!(hashed >= gone, "{hashed} of {gone} hashed at removal");
        recorded.assert_nothing_lost();
    }
}

fn absent(path: &Path) -> u64 {
    let cached = residency::cached_pages(path);
    cached.iter().filter(|&&is| !is).count() as u64
}

#[track_caller]
fn assert_set(gone: u64, pages: u64) {
    assert!(
        gone >= pages / 2,
        "reclaim took {gone} of {pages} pages: the stage is not set"
    );
}

fn small_folios_are_hashed_as_they_leave(_: Engine) -> Outcome {
    const PAGES: u64 = 300;
    let scratch = Scratch::new();
    let stage = Stage::new(Kind::Ext4, &scratch, PAGES)?;
    let recording = Recording::start(stage.root(), &scratch, UNLIMITED);
    let gone = recording.stopped(|| {
        on_one_cpu(|| {
            stage.group.charge(|| {
                small_reads::read(&stage.root().join("copy"));
                small_reads::read(&stage.root().join("unique"));
            });
            stage.group.reclaim();
        });
        stage.absent()
    });
    assert_set(gone, 2 * PAGES);
    stage.assert_known(&recording.finish(), gone);
    Ok(())
}

/// Too large for the delete hook, which runs with interrupts off.
fn large_folios_are_hashed_before_reclaim_takes_them(_: Engine) -> Outcome {
    const PAGES: u64 = 1024;
    let scratch = Scratch::new();
    let stage = Stage::new(Kind::Xfs, &scratch, PAGES)?;
    let recording = Recording::start(stage.root(), &scratch, UNLIMITED);
    let (gone, large) = recording.stopped(|| {
        let large = on_one_cpu(|| {
            stage.group.charge(|| {
                stage.plan[1].read(stage.root());
                stage.plan[2].read(stage.root());
            });
            let large = in_large_folios(&stage.root().join("copy"));
            stage.group.reclaim();
            large
        });
        (stage.absent(), large)
    });
    assert_set(gone, 2 * PAGES);
    let recorded = recording.finish();
    if recorded.has_hook("__remove_mapping") {
        stage.assert_known(&recorded, gone);
        // From 7.0 on /proc/kpageflags does not tell which folios of files are large.
        let told = kernel_version() < (7, 0);
        if large == 0 && kernel_version() < (6, 12) {
            not_here("this kernel made no folio that is too large for the delete hook");
        } else {
            assert!(large > 0 || !told, "no large folio: the stage is not set");
        }
    } else {
        let seen = recorded.avoidable();
        let unknown = seen.reclaimed - seen.reclaimed_hashed;
        let counted = recorded.counter("removal_too_large");
        assert!(
            counted >= unknown,
            "{counted} pages are counted as too large, {unknown} are not known"
        );
        not_here("no hook before reclaim on this kernel; what is lost is counted");
    }
    Ok(())
}

/// Pages in folios of more than 16 pages.
fn in_large_folios(path: &Path) -> usize {
    let flags = Watched::new(path).flags();
    let has = |flags: Option<u64>, bit: u64| flags.is_some_and(|flags| flags & bit != 0);
    let folios = flags.chunk_by(|_, &next| has(next, bit::COMPOUND_TAIL));
    folios
        .filter(|folio| has(folio[0], bit::COMPOUND_HEAD) && folio.len() > 16)
        .map(<[_]>::len)
        .sum()
}

fn a_bucket_limits_what_is_hashed_at_removal(_: Engine) -> Outcome {
    const PAGES: u64 = 8000;
    /// Of the least budget, 0.1 %: pages per second and CPU.
    const RATE: u64 = 1000;
    /// What a bucket holds: a tenth of a second's worth, and one record of hashes.
    const FULL: u64 = RATE / 10 + 16;
    let scratch = Scratch::new();
    let plan = [PlannedFile::new(
        "sparse",
        vec![Page::Hole; PAGES.try_into().or_fail("pages")],
    )];
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let path = filesystem.root().join("sparse");
    residency::forget(&path);
    let group = Memcg::new("sharestat-removal")?;
    let recording = Recording::start(filesystem.root(), &scratch, &["--cpu-budget", "0.1"]);
    let (gone, took) = recording.stopped(|| {
        let took = on_one_cpu(|| {
            group.charge(|| small_reads::read(&path));
            let begun = Instant::now();
            group.reclaim();
            begun.elapsed()
        });
        (absent(&path), took)
    });
    assert_set(gone, PAGES);
    let recorded = recording.finish();
    let seen = recorded.avoidable();
    let cpus = thread::available_parallelism()
        .or_fail("counting CPUs")
        .get() as u64;
    let millis = u64::try_from(took.as_millis() + 1).or_fail("a time");
    let most = cpus * (FULL + RATE * millis / 1000);
    assert!(
        most < gone / 2,
        "reclaim took {took:?}: the stage is not set"
    );
    assert_eq!(seen.reclaimed, gone, "{seen:?}");
    assert!(
        (1..=most).contains(&seen.reclaimed_hashed),
        "{} pages hashed in {took:?}, at most {most} may be",
        seen.reclaimed_hashed
    );
    let refused = recorded.counter("removal_no_token");
    assert!(
        refused >= gone - seen.reclaimed_hashed,
        "{refused} of {gone} pages found no token: {seen:?}"
    );
    recorded.assert_nothing_lost();
    Ok(())
}

fn causes_are_told_apart(_: Engine) -> Outcome {
    const PAGES: u64 = 200;
    let scratch = Scratch::new();
    let names = ["reclaimed", "forgotten", "deleted", "cut"];
    let plan: Vec<_> = (0..)
        .zip(names)
        .map(|(number, name)| PlannedFile::counting(name, 10_000 * number + 1, PAGES))
        .collect();
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let path = |name: &str| filesystem.root().join(name);
    let group = Memcg::new("sharestat-removal")?;
    residency::forget(&path("reclaimed"));
    group.charge(|| plan[0].read(filesystem.root()));
    let recording = Recording::start(filesystem.root(), &scratch, UNLIMITED);
    // Neither of these reclaims memory, and all of them take pages away.
    residency::forget(&path("forgotten"));
    fs::remove_file(path("deleted")).or_fail("deleting");
    let cut = fs::OpenOptions::new().write(true).open(path("cut"));
    cut.and_then(|file| file.set_len(PAGES / 2 * PAGE as u64))
        .or_fail("truncating");
    group.reclaim();
    // What the kernel takes of its own accord meanwhile, it reclaims as well.
    let reclaimed = absent(&path("reclaimed")) + absent(&path("cut"));
    assert_set(reclaimed, PAGES);
    thread::sleep(Duration::from_millis(200));
    let recorded = recording.finish();
    let (seen, flow) = (recorded.avoidable(), recorded.moment().flow);
    assert_eq!(seen.reclaimed, reclaimed, "of these files: {seen:?}");
    assert!(flow.reclaimed >= reclaimed, "{reclaimed} of {flow:?}");
    let truncated = 2 * PAGES + PAGES / 2;
    assert!(flow.truncated >= truncated, "{truncated} of {flow:?}");
    assert_eq!(flow.removed_unknown, 0, "{flow:?}");
    recorded.assert_nothing_lost();
    Ok(())
}
