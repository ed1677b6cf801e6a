//! A scan leaves the page cache as it was: which pages are cached, their flags, and the
//! lists of the machine.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    binary,
    corpus::{PAGE, PlannedFile},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, kernel_version, per_engine},
    host_memory::MemInfo,
    page_flags::{Watched, bit},
    residency,
    scratch::Scratch,
};

per_engine!(on_ext4, on_xfs, on_tmpfs);

const LINES: [&str; 3] = ["Active(file)", "Inactive(file)", "Cached"];
/// Pages per file; every second run of 64 is cached, so that a scan that reads files
/// shows as well as one that drops pages.
const PAGES: u64 = 4096;

fn on_ext4(engine: Engine) -> Outcome {
    holds_on(Kind::Ext4, engine)
}

fn on_xfs(engine: Engine) -> Outcome {
    holds_on(Kind::Xfs, engine)
}

/// Holes of a tmpfs file must not be filled by being looked at.
fn on_tmpfs(engine: Engine) -> Outcome {
    holds_on(Kind::Tmpfs, engine)
}

fn holds_on(kind: Kind, engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut filesystem = Filesystem::empty(kind, &scratch, "files")?;
    let file = if kind == Kind::Tmpfs {
        let runs = (0..PAGES).map(|page| match page / 64 % 2 {
            0 => crate::corpus::Page::Content(page),
            _ => crate::corpus::Page::Hole,
        });
        PlannedFile::new("file", runs)
    } else {
        PlannedFile::counting("file", 0, PAGES)
    };
    crate::corpus::write_all(std::slice::from_ref(&file), filesystem.root());
    let path = filesystem.root().join("file");
    let mut changes = Vec::new();
    // How long an idle run must be to compare; the first run also loads the program
    // itself into the cache.
    let mut length = timed_scan(engine, filesystem.root());
    for _ in 0..6 {
        if kind != Kind::Tmpfs {
            filesystem.remount()?;
            cache_half(&path);
        }
        changes = changes_by_scan(engine, filesystem.root(), &path, &mut length);
        if changes.is_empty() {
            return Ok(());
        }
        println!("once more: {}", changes.join("; "));
    }
    panic!(
        "each of six scans changed more than the idle run before it, the last:\n{}",
        changes.join("\n")
    )
}

fn timed_scan(engine: Engine, directory: &Path) -> Duration {
    let start = Instant::now();
    binary::scan(engine, directory);
    start.elapsed()
}

/// Looks before and after an idle run of the length of a scan, then before and after a
/// scan, and tells what the scan changed.
fn changes_by_scan(
    engine: Engine,
    directory: &Path,
    path: &Path,
    length: &mut Duration,
) -> Vec<String> {
    let watched = Watched::new(path);
    let idle_before = MemInfo::read();
    thread::sleep(*length);
    let idle_after = MemInfo::read();
    let cached = residency::cached_pages(path);
    let flags = watched.flags();
    *length = timed_scan(engine, directory);
    let scan_after = MemInfo::read();
    let mut changes = Vec::new();
    let count = cached.iter().filter(|&&is| is).count();
    if count as u64 != PAGES / 2 {
        changes.push(format!("the stage was not set: {count} pages are cached"));
    }
    if residency::cached_pages(path) != cached {
        changes.push("other pages of the file are cached".to_owned());
    }
    if marks_pages_on_unmapping(engine) {
        println!("flags not compared: before 6.3 unmapping marks pages as referenced");
    } else if kept(&flags) != kept(&watched.flags()) {
        changes.push("flags of pages of the file are different".to_owned());
    }
    // What other programs need meanwhile: far less than the file's cached half, which
    // would move if the scan touched it.
    let slack = PAGES * PAGE as u64 / 8;
    let moves = |from: &MemInfo, to: &MemInfo, line| from.bytes(line).abs_diff(to.bytes(line));
    // A page that is marked twice moves to the active list.
    let lists_move = marks_pages_on_unmapping(engine);
    for line in LINES
        .into_iter()
        .filter(|line| !lists_move || *line == "Cached")
    {
        let idle = moves(&idle_before, &idle_after, line);
        let scan = moves(&idle_after, &scan_after, line);
        if scan > idle + slack {
            changes.push(format!("{line}: idle {idle} bytes, scan {scan} bytes"));
        }
    }
    changes
}

/// The flags that being looked at must not change.
fn kept(flags: &[Option<u64>]) -> Vec<Option<u64>> {
    const KEPT: u64 = bit::REFERENCED | bit::ACTIVE | bit::UNEVICTABLE | bit::DIRTY;
    let kept = |flags: &Option<u64>| flags.map(|flags| flags & KEPT);
    flags.iter().map(kept).collect()
}

/// Without `vma_has_recency` (6.3) unmapping a page that was read through a mapping
/// marks it, which the user-space engine cannot avoid and says.
fn marks_pages_on_unmapping(engine: Engine) -> bool {
    engine == Engine::User && kernel_version() < (6, 3)
}

/// Reads runs of 64 pages with 64 left out between them, without reading ahead.
fn cache_half(path: &Path) {
    let file = fs::File::open(path).or_fail("opening a file");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random).or_fail("advising");
    let mut run = vec![0; 64 * PAGE];
    for start in (0..PAGES).step_by(128) {
        file.read_exact_at(&mut run, start * PAGE as u64)
            .or_fail("reading a run of pages");
    }
}
