//! Whatever happens to the page cache while `top` runs, afterwards it shows what a fresh
//! scan shows, and what follows from the plan.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::scopes;
use crate::{
    calm,
    corpus::{self, PAGE, Page, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, Skip, bpf_only, in_guest, not_here, patience, say},
    host_memory::MemInfo,
    live_top::LiveTop,
    memcg::Memcg,
    page_flags::Watched,
    residency,
    scratch::Scratch,
};

bpf_only!(
    writing_and_reading_again,
    truncating_and_deleting,
    storing_through_a_mapping,
    dropping_all_caches,
    unmounting,
    reclaim_of_a_memcg,
    compaction,
    everything_on_xfs,
    everything_on_btrfs,
    adding_and_deleting_on_tmpfs,
    reflinks_are_learnt_of,
);

/// A filesystem, the plan of its files as they are now, and a `top` that watches.
struct Stage {
    top: LiveTop,
    filesystem: Filesystem,
    plan: Vec<PlannedFile>,
    engine: Engine,
}

impl Stage {
    fn new(kind: Kind, scratch: &Scratch, engine: Engine) -> Result<Self, Skip> {
        let plan = vec![
            PlannedFile::counting("first", 1, 300),
            PlannedFile::counting("second", 1, 300),
            PlannedFile::counting("third", 200, 300),
        ];
        let filesystem = Filesystem::with_files(kind, scratch, "files", &plan)?;
        let top = LiveTop::start(filesystem.root(), &[]);
        let stage = Self {
            top,
            filesystem,
            plan,
            engine,
        };
        stage.settle("at the start, all of it cached before");
        Ok(stage)
    }

    fn root(&self) -> &Path {
        self.filesystem.root()
    }

    /// The frame of each cached page.
    fn frames(&self) -> Vec<Option<u64>> {
        let of = |file: &PlannedFile| Watched::new(&self.root().join(&file.names[0])).frames();
        self.plan.iter().flat_map(of).collect()
    }

    fn open(&self, place: usize) -> fs::File {
        let path = self.root().join(&self.plan[place].names[0]);
        let file = fs::OpenOptions::new().read(true).write(true).open(path);
        file.or_fail("opening a planned file")
    }

    /// Syncs, then compares: a fresh scan and the live numbers with the plan.
    fn settle(&self, when: &str) -> Expected {
        corpus::sync(self.root());
        let observe = || {
            let files = Observed::all(&self.plan, self.root()).into_iter();
            let clean = self.filesystem.kind().has_clean_state();
            let files: Vec<_> = files
                .map(|file| if clean { file } else { file.never_clean() })
                .collect();
            Expected::of(&files)
        };
        calm::scan_agrees(self.engine, self.root(), || (), observe, |_| true);
        let report = self.top.assert_settles_at(observe);
        // Without a loss no census comes within ten minutes: it was events that told.
        report.assert_nothing_lost(when);
        observe()
    }

    fn write_and_read_again(&mut self) {
        let new = PlannedFile::counting("new", 250, 120).cut(119 * PAGE + 1);
        new.write(self.root());
        new.read(self.root());
        self.plan.push(new);
        // In place: other contents, some of them duplicates of what is there.
        let file = self.open(0);
        for page in 10..60 {
            self.plan[0].pages[page] = Page::Content(400 + page as u64);
            self.plan[0].write_page(&file, page);
        }
        for page in 100..110 {
            self.plan[0].pages[page] = Page::Zero;
            self.plan[0].write_page(&file, page);
        }
        pause();
        corpus::read_all(&self.plan, self.root());
    }

    fn truncate_and_delete(&mut self) {
        let size = 150 * PAGE + 77;
        self.open(1).set_len(size as u64).or_fail("truncating");
        self.plan[1].truncate(size);
        pause();
        let deleted = self.plan.remove(2);
        fs::remove_file(self.root().join(&deleted.names[0])).or_fail("deleting");
    }

    fn store_through_a_mapping(&mut self) {
        let file = self.open(0);
        // SAFETY: nobody shortens the file while it is mapped here.
        let mut map = unsafe { memmap2::MmapMut::map_mut(&file) }.or_fail("mapping a file");
        for page in 200..220 {
            self.plan[0].pages[page] = Page::Content(9000);
            map[page * PAGE..][..PAGE].copy_from_slice(&self.plan[0].page_bytes(page));
        }
        pause();
        // Once more after a frame has seen the first bytes, so that only the write
        // notification of a page that is clean again can tell.
        map.flush().or_fail("writing a mapping back");
        pause();
        for page in 205..210 {
            self.plan[0].pages[page] = Page::Content(9001 + page as u64);
            map[page * PAGE..][..PAGE].copy_from_slice(&self.plan[0].page_bytes(page));
        }
        map.flush().or_fail("writing a mapping back");
    }

    fn drop_caches_and_read_some(&mut self) {
        corpus::sync(self.root());
        residency::drop_all_caches();
        pause();
        self.plan[0].read(self.root());
    }

    fn reclaim(&mut self) -> Outcome {
        let group = Memcg::new("sharestat-truth")?;
        corpus::sync(self.root());
        let place = self.plan.len() - 1;
        residency::forget(&self.root().join(&self.plan[place].names[0]));
        group.charge(|| self.plan[place].read(self.root()));
        pause();
        group.reclaim();
        let left = residency::cached_pages(&self.root().join(&self.plan[place].names[0]));
        let absent = left.iter().filter(|&&is| !is).count();
        assert!(
            absent > 0,
            "the group's reclaim took no page: the stage is not set"
        );
        Ok(())
    }
}

/// Longer than one frame of `top`, so that what follows meets hashed pages.
fn pause() {
    thread::sleep(Duration::from_millis(700));
}

/// What was done shows in the model. The kernel may have taken some pages by itself; the
/// exact comparison is with what is cached.
#[track_caller]
fn assert_about(pages: u64, planned: u64) {
    assert!(
        pages <= planned && pages >= planned - planned / 8,
        "the stage was not set: {pages} pages instead of {planned}"
    );
}

/// Compacts memory until pages have moved, which at least some of ours do. Compaction takes
/// from low in memory and puts into gaps above: there may be none above ours at first.
fn compact(stage: &Stage) -> Outcome {
    const TRIES: usize = 12;
    let before = migrated();
    for attempt in 1..=TRIES {
        let frames = stage.frames();
        fs::write("/proc/sys/vm/compact_memory", "1")
            .map_err(|error| Skip(format!("this kernel does not compact memory: {error}")))?;
        let pairs = frames.iter().zip(stage.frames());
        let moved = pairs.filter(|(one, other)| *one != other).count();
        if migrated() > before && moved > 0 {
            say(&format!("compaction moved {moved} of our pages"));
            return Ok(());
        }
        // Ours are read anew around what this holds, and what it held is a gap afterwards;
        // where that comes to lie is luck.
        let held = vec![1_u8; attempt * (64 << 20)];
        residency::drop_all_caches();
        corpus::read_all(&stage.plan, stage.root());
        drop(std::hint::black_box(held));
    }
    panic!("in {TRIES} tries compaction moved none of our pages: the stage is not set")
}

/// Pages that the kernel has moved since it started.
fn migrated() -> u64 {
    let text = fs::read_to_string("/proc/vmstat").or_fail("reading '/proc/vmstat'");
    let mut values = text
        .lines()
        .filter_map(|line| line.strip_prefix("pgmigrate_success "));
    let value = values.next().unwrap_or_default();
    value.parse().or_fail("a number of pages")
}

fn writing_and_reading_again(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut stage = Stage::new(Kind::Ext4, &scratch, engine)?;
    stage.write_and_read_again();
    let expected = stage.settle("after writing and reading again");
    assert_about(expected.resident, 1020);
    assert!(expected.zero > 0, "{expected:?}");
    stage.top.interrupt();
    Ok(())
}

fn truncating_and_deleting(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut stage = Stage::new(Kind::Ext4, &scratch, engine)?;
    stage.truncate_and_delete();
    let expected = stage.settle("after truncating and deleting");
    assert_about(expected.resident, 451);
    assert_about(expected.duplicate, 150);
    stage.top.interrupt();
    Ok(())
}

fn storing_through_a_mapping(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut stage = Stage::new(Kind::Ext4, &scratch, engine)?;
    stage.store_through_a_mapping();
    stage.settle("after stores through a mapping");
    stage.top.interrupt();
    Ok(())
}

fn dropping_all_caches(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut stage = Stage::new(Kind::Ext4, &scratch, engine)?;
    stage.drop_caches_and_read_some();
    let expected = stage.settle("after dropping caches");
    assert_about(expected.resident, 300);
    assert_about(expected.duplicate, 0);
    stage.top.interrupt();
    Ok(())
}

/// A filesystem below the watched directory goes away as a whole.
fn unmounting(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut stage = Stage::new(Kind::Ext4, &scratch, engine)?;
    drop(stage.top);
    let inner = [PlannedFile::counting("inner", 1, 200)];
    let nested = Filesystem::with_files(Kind::Xfs, &scratch, "files/nested", &inner)?;
    stage.top = LiveTop::start(stage.filesystem.root(), &[]);
    let observe = || {
        let mut both = Observed::all(&stage.plan, stage.filesystem.root());
        both.extend(Observed::all(&inner, nested.root()));
        Expected::of(&both)
    };
    assert_about(observe().resident, 1100);
    stage.top.assert_settles_at(observe);
    nested.unmount();
    let expected = stage.settle("after unmounting");
    assert_about(expected.resident, 900);
    stage.top.interrupt();
    Ok(())
}

fn reclaim_of_a_memcg(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut stage = Stage::new(Kind::Ext4, &scratch, engine)?;
    stage.reclaim()?;
    stage.settle("after reclaim of a memcg");
    stage.top.interrupt();
    Ok(())
}

fn compaction(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let stage = Stage::new(Kind::Ext4, &scratch, engine)?;
    compact(&stage)?;
    let expected = stage.settle("after compaction");
    // It moves pages and loses none.
    assert_about(expected.resident, 900);
    stage.top.interrupt();
    Ok(())
}

fn everything_on_xfs(engine: Engine) -> Outcome {
    everything(Kind::Xfs, engine)
}

fn everything_on_btrfs(engine: Engine) -> Outcome {
    everything(Kind::Btrfs, engine)
}

fn everything(kind: Kind, engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut stage = Stage::new(kind, &scratch, engine)?;
    stage.write_and_read_again();
    stage.store_through_a_mapping();
    stage.truncate_and_delete();
    stage.settle("after writing, storing, truncating and deleting");
    stage.reclaim()?;
    compact(&stage)?;
    stage.settle("after reclaim and compaction");
    stage.drop_caches_and_read_some();
    stage.settle("after dropping caches");
    stage.top.interrupt();
    Ok(())
}

/// It has no tracepoint where pages are added, so that this is what its own hook tells. Of
/// writing to a page that is there nothing tells: rewriting is emptying and filling.
fn adding_and_deleting_on_tmpfs(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut stage = Stage::new(Kind::Tmpfs, &scratch, engine)?;
    let report = stage.top.frame_after(stage.top.frames());
    let hook = report.hook("shmem_add_to_page_cache");
    if hook != "fexit" {
        assert!(!in_guest(), "kernels of guests take the hook: {hook}");
        not_here("without its hook tmpfs is as of the last census");
        return Ok(());
    }
    let new = PlannedFile::counting("new", 250, 120).cut(119 * PAGE + 1);
    new.write(stage.root());
    stage.plan.push(new);
    let expected = stage.settle("after adding");
    assert_about(expected.resident, 1020);
    stage.open(0).set_len(0).or_fail("emptying");
    stage.plan[0] = PlannedFile::counting("first", 700, 200);
    let file = stage.open(0);
    for page in 0..200 {
        stage.plan[0].write_page(&file, page);
    }
    stage.truncate_and_delete();
    let expected = stage.settle("after emptying, filling, truncating and deleting");
    assert_about(expected.resident, 200 + 151 + 120);
    // Whole large folios, as far as the kernel makes them.
    rustix::mount::mount_remount(
        stage.root(),
        rustix::mount::MountFlags::empty(),
        "size=64m,huge=always",
    )
    .or_fail("asking for huge pages");
    let huge = PlannedFile::counting("huge", 700, 1100);
    // A huge page counts as filled from the first write to it on. So that none is hashed
    // half-filled, nobody looks before it is whole.
    stage.top.signal(Signal::STOP);
    huge.write(stage.root());
    stage.top.signal(Signal::CONT);
    say(&format!(
        "{} of huge pages",
        MemInfo::read().bytes("ShmemHugePages")
    ));
    stage.plan.push(huge);
    stage.settle("after adding huge pages");
    stage.top.interrupt();
    Ok(())
}

/// What `scan` asks of storage once, `top` asks while it runs.
fn reflinks_are_learnt_of(_: Engine) -> Outcome {
    let scratch = Scratch::new();
    let (filesystem, plans) = scopes::reflinked(Kind::Xfs, &scratch)?;
    let top = LiveTop::start(filesystem.root(), &[]);
    let begun = Instant::now();
    loop {
        // Again and again: a host may reclaim some of the pages on its own account.
        corpus::read_all(&plans, filesystem.root());
        let report = top.frame_after(top.frames());
        let bytes = 3 * scopes::pages() * PAGE as u64;
        if report.saving("reflink") == bytes {
            scopes::assert_only(&report, "reflink", 3 * scopes::pages());
            return Ok(());
        }
        assert!(begun.elapsed() < patience(), "{report:?}");
    }
}
