//! A scan leaves the page cache as it was: which pages are cached, their flags, and the
//! lists of the machine.

use std::{fs, os::unix::fs::FileExt as _, path::Path, thread, time::Instant};

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
    // The first run loads the program itself into the cache.
    binary::scan(engine, filesystem.root());
    let mut moved = Vec::new();
    for _ in 0..5 {
        if kind != Kind::Tmpfs {
            filesystem.remount()?;
            cache_half(&path);
        }
        moved = list_changes(engine, filesystem.root(), &path);
        if moved.is_empty() {
            return Ok(());
        }
    }
    panic!(
        "each of five scans moved more than the idle run before it, last:\n{}",
        moved.join("\n")
    )
}

/// Looks before and after an idle run and before and after a scan. The file itself must
/// not change at all; lines of the machine that moved more in the scan are returned.
fn list_changes(engine: Engine, directory: &Path, path: &Path) -> Vec<String> {
    let cached = residency::cached_pages(path);
    assert_eq!(
        cached.iter().filter(|&&is| is).count() as u64,
        PAGES / 2,
        "the stage is set"
    );
    let watched = Watched::new(path);
    let flags = watched.flags();
    let start = Instant::now();
    drop(binary::finish(binary::command(["--version"])));
    let idle_before = MemInfo::read();
    thread::sleep(start.elapsed().max(std::time::Duration::from_secs(1)));
    let idle_after = MemInfo::read();
    binary::scan(engine, directory);
    let scan_after = MemInfo::read();
    assert!(
        residency::cached_pages(path) == cached,
        "the scan changed which pages are cached"
    );
    if marks_pages_on_unmapping(engine) {
        println!("flags not compared: before 6.3 unmapping marks pages as referenced");
    } else {
        assert_same_flags(&flags, &watched.flags());
    }
    // What the reports themselves and other programs need: far less than the file's
    // cached half, which would move if the scan touched it.
    let slack = PAGES * PAGE as u64 / 8;
    let moves = |from: &MemInfo, to: &MemInfo, line| from.bytes(line).abs_diff(to.bytes(line));
    LINES
        .iter()
        .filter_map(|line| {
            let idle = moves(&idle_before, &idle_after, line);
            let scan = moves(&idle_after, &scan_after, line);
            (scan > idle + slack).then(|| format!("{line}: idle {idle} bytes, scan {scan} bytes"))
        })
        .collect()
}

fn assert_same_flags(before: &[Option<u64>], after: &[Option<u64>]) {
    const KEPT: u64 = bit::REFERENCED | bit::ACTIVE | bit::UNEVICTABLE | bit::DIRTY;
    for (page, (before, after)) in before.iter().zip(after).enumerate() {
        assert_eq!(
            before.map(|flags| flags & KEPT),
            after.map(|flags| flags & KEPT),
            "the scan changed the flags of page {page}"
        );
    }
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
