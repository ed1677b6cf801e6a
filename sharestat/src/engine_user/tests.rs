//! The engine against files whose contents are known. The files are on the disk that
//! holds the build, because tmpfs has no clean pages.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
};

use rustix::fs::{Advice, fadvise};

use super::{copy::Scratch, page_flags::PageFlags, window::Window, *};
use crate::model::{
    page::{Observation, SkipReason},
    totals::Totals,
};

const PAGE: u64 = 4096;

fn directory() -> tempfile::TempDir {
    let program = std::env::current_exe().expect("the test program has a path");
    tempfile::tempdir_in(program.parent().expect("it is in a directory")).expect("a directory")
}

fn measure(directory: &Path, progress: &Progress) -> Measurement {
    let options = ScanOptions {
        paths: vec![directory.to_path_buf()],
        seed: Seed::fixed(1),
    };
    scan(&options, progress).expect("files of our own can be measured")
}

fn totals(directory: &Path) -> Totals {
    measure(directory, &Progress::default()).index.totals()
}

/// A file of pages, each filled with the given byte, written back to disk.
fn file(directory: &Path, name: &str, pages: &[u8]) -> File {
    let content: Vec<u8> = pages.iter().flat_map(|fill| [*fill; 4096]).collect();
    let path = directory.join(name);
    fs::write(&path, content).expect("a file");
    let file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .expect("it can be opened");
    file.sync_all().expect("a sync");
    file
}

fn drop_pages(file: &File, first: u64, pages: u64) {
    let length = std::num::NonZero::new(pages * PAGE);
    fadvise(file, first * PAGE, length, Advice::DontNeed).expect("fadvise");
}

fn resident(file: &File) -> Vec<bool> {
    let pages = file.metadata().expect("a size").len().div_ceil(PAGE);
    let window = Window::map(file, 0, pages).expect("a mapping");
    let residency = window.residency(0, pages).expect("mincore");
    residency.iter().map(|byte| byte & 1 == 1).collect()
}

#[test]
fn known_contents_give_known_totals() {
    let directory = directory();
    let directory = directory.path();
    file(directory, "a", &[1, 2, 3, 0]);
    file(directory, "b", &[9, 1, 2, 3]);
    file(directory, "c", &[3, 3, 0]);
    let tail = file(directory, "tail", &[5]);
    tail.write_all_at(&[7; 10], PAGE).expect("a part of a page");
    tail.sync_all().expect("a sync");
    let same = file(directory, "same", &[]);
    same.write_all_at(&[7; 10], 0).expect("the same part");
    same.sync_all().expect("a sync");
    let totals = totals(directory);
    assert_eq!(totals.resident, 14);
    assert_eq!(totals.hashed, 14);
    // 0, 1, 2, 3, 5, 9 and the page that begins with ten sevens.
    assert_eq!(totals.distinct, 7);
    assert_eq!(totals.duplicate, 7);
    assert_eq!(totals.zero_copies, 2);
    assert_eq!(totals.inodes, 5);
}

#[test]
fn a_hole_that_was_read_is_a_zero_page_and_an_unread_one_is_nothing() {
    let directory = directory();
    let sparse = file(directory.path(), "sparse", &[1]);
    sparse.set_len(1 << 30).expect("a hole");
    sparse.sync_all().expect("a sync");
    fadvise(&sparse, 0, None, Advice::Random).expect("no readahead");
    sparse
        .read_exact_at(&mut [0; 1], 1 << 29)
        .expect("a look into the hole");
    let before = resident(&sparse);
    let totals = totals(directory.path());
    assert_eq!(
        totals.resident,
        before.iter().filter(|page| **page).count() as u64
    );
    assert_eq!(totals.zero_copies, totals.resident - 1);
    assert!(totals.zero_copies >= 1);
    assert_eq!(resident(&sparse), before);
}

#[test]
fn one_inode_counts_once_and_links_are_not_followed() {
    let directory = directory();
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).expect("a directory");
    file(directory.path(), "outside", &[4]);
    file(&inner, "name", &[1, 2]);
    fs::hard_link(inner.join("name"), inner.join("other name")).expect("a hard link");
    std::os::unix::fs::symlink("../outside", inner.join("link")).expect("a link");
    std::os::unix::fs::symlink("..", inner.join("up")).expect("a link");
    let measurement = measure(&inner, &Progress::default());
    assert_eq!(measurement.index.totals().resident, 2);
    let identity = measurement
        .identity
        .files
        .values()
        .next()
        .expect("the file");
    assert_eq!(identity.links, 2);
    assert!(identity.path.ends_with("/inner/name") || identity.path.ends_with("/other name"));
    assert!(measurement.complete);
}

#[test]
fn what_is_not_cached_is_not_read() {
    let directory = directory();
    let evicted = file(directory.path(), "evicted", &[1; 300]);
    drop_pages(&evicted, 0, 300);
    let partly = file(directory.path(), "partly", &[2; 300]);
    drop_pages(&partly, 64, 128);
    let before = (resident(&evicted), resident(&partly));
    if before.0.contains(&true) {
        println!("skipped: this filesystem does not drop pages on request");
        return;
    }
    let totals = totals(directory.path());
    assert_eq!(
        totals.resident,
        before.1.iter().filter(|page| **page).count() as u64
    );
    assert_eq!((resident(&evicted), resident(&partly)), before);
}

#[test]
fn a_written_page_is_not_hashed_before_it_is_clean() {
    let directory = directory();
    let file = file(directory.path(), "file", &[1; 64]);
    let before = totals(directory.path());
    assert_eq!(before.hashed, 64);
    file.write_all_at(&[2; 4], 8 * PAGE).expect("a write");
    let after = totals(directory.path());
    let [dirty, writeback, ..] = after.skipped;
    assert_eq!(
        SkipReason::ALL[..2],
        [SkipReason::Dirty, SkipReason::Writeback]
    );
    assert_eq!(after.resident, 64);
    assert!(dirty + writeback >= 1, "{after:?}");
    assert_eq!(
        after.resident,
        after.hashed + after.skipped.iter().sum::<u64>()
    );
}

/// As on kernels before 6.5: residency from mincore alone, dirty pages from page flags.
#[test]
fn without_cachestat_the_result_is_the_same() {
    let directory = directory();
    let file = file(directory.path(), "file", &[1, 2, 2, 0]);
    file.set_len(1 << 20).expect("a hole that nobody reads");
    file.sync_all().expect("a sync");
    let (tally, progress) = (Tally::default(), Progress::default());
    let mut tools = file::Tools {
        scratch: Scratch::new().expect("a scratch area"),
        flags: PageFlags::open(),
        use_cachestat: false,
        seed: Seed::fixed(1),
        tally: &tally,
        progress: &progress,
    };
    let mut look = || {
        let mut all = Vec::new();
        let outcome = file::measure(&file, directory.path(), true, &mut tools, &mut |seen| {
            all.extend(seen);
        });
        assert!(outcome.is_ok());
        all
    };
    let seen = look();
    let hashes: Vec<Observation> = seen.iter().map(|(_, observation)| *observation).collect();
    assert_eq!(hashes.len(), 4);
    assert!(
        hashes
            .iter()
            .all(|seen| matches!(seen, Observation::Hashed(_))),
        "{hashes:?}"
    );
    assert_eq!(hashes[1], hashes[2]);
    if PageFlags::open().is_none() {
        println!("skipped the rest: needs root and /proc/kpageflags");
        return;
    }
    file.write_all_at(&[9], PAGE).expect("a write");
    let unclean = look()
        .iter()
        .filter(|(_, seen)| matches!(seen, Observation::Skipped(_)))
        .count();
    assert!(unclean >= 1);
}

#[test]
fn a_stopped_scan_is_incomplete_and_adds_up() {
    let directory = directory();
    file(directory.path(), "file", &[1; 64]);
    let progress = Progress::default();
    progress
        .stop_flag()
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let measurement = measure(directory.path(), &progress);
    assert!(!measurement.complete);
    assert_eq!(measurement.index.totals().hashed, 0);
}

#[test]
fn files_that_change_meanwhile_never_stop_the_scan() {
    let directory = directory();
    let changing = file(directory.path(), "changing", &[1; 2000]);
    let still = file(directory.path(), "still", &[2; 10]);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for round in 0_u64.. {
                if done.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                changing
                    .set_len(round % 7 * 300 * PAGE)
                    .expect("a truncation");
                changing
                    .write_all_at(&[3; 8192], (round % 11) << 18)
                    .expect("a write");
            }
        });
        for _ in 0..20 {
            let totals = totals(directory.path());
            assert!(totals.resident >= 10);
            assert_eq!(
                totals.resident,
                totals.hashed + totals.skipped.iter().sum::<u64>()
            );
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    drop(still);
}

/// `REFERENCED` and `ACTIVE` of each page (include/uapi/linux/kernel-page-flags.h).
fn lru_flags(file: &File, pages: u64) -> Vec<u64> {
    let window = Window::map(file, 0, pages).expect("a mapping");
    let mut scratch = Scratch::new().expect("a scratch area");
    let flags = PageFlags::open().expect("it was open before");
    let mut all = Vec::new();
    for page in 0..pages {
        scratch
            .copy(&window, page, 1)
            .expect("a copy maps the page");
        let own = flags.raw(window.address(page)).expect("flags");
        all.push(own & (1 << 2 | 1 << 6));
    }
    all
}

#[test]
fn a_scan_leaves_referenced_and_active_flags_as_they_were() {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    if PageFlags::open().is_none() || tally::before_6_12(&release) {
        println!("skipped: needs root, /proc/kpageflags and Linux 6.12");
        return;
    }
    let directory = directory();
    let file = file(directory.path(), "file", &[1; 256]);
    drop_pages(&file, 0, 256);
    let mut content = vec![0; 256 * 4096];
    file.read_exact_at(&mut content, 0)
        .expect("a read fills the cache");
    let before = lru_flags(&file, 256);
    for _ in 0..3 {
        assert_eq!(totals(directory.path()).hashed, 256);
    }
    assert_eq!(lru_flags(&file, 256), before);
    // The check itself can fail: reading twice more does move the flags.
    file.read_exact_at(&mut content, 0).expect("a read");
    file.read_exact_at(&mut content, 0).expect("a read");
    assert_ne!(lru_flags(&file, 256), before);
}
