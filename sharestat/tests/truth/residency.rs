//! Which pages of a file are cached, by `mincore`, which looks and does not touch; and
//! ways to empty the cache.

use std::{
    fs,
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    path::Path,
};

use memmap2::{Advice, Mmap, MmapOptions};
use rustix::fs::{Advice as FileAdvice, fadvise};

use crate::{
    corpus::{PAGE, Page, PlannedFile},
    expectation::{Fate, Observed},
    harness::OrFail,
    mincore::cached_in,
};

fn open(path: &Path) -> fs::File {
    fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOATIME)
        .open(path)
        .or_fail(format_args!("opening '{}'", path.display()))
}

fn size(file: &fs::File) -> usize {
    let bytes = file.metadata().or_fail("asking for a size").len();
    usize::try_from(bytes).or_fail("a size")
}

/// Maps a file without reading it; `None` when it is empty.
pub(crate) fn map(path: &Path) -> Option<Mmap> {
    let file = open(path);
    if size(&file) == 0 {
        return None;
    }
    // SAFETY: cases run one at a time and a case does not shorten a file that it maps.
    let map = unsafe { MmapOptions::new().map(&file) }
        .or_fail(format_args!("mapping '{}'", path.display()));
    // Random access neither reads ahead nor, on unmapping, marks pages as used.
    map.advise(Advice::Random).or_fail("advising random access");
    // From 7.2 on khugepaged reads what is missing of a mapped file, to make it huge. A
    // kernel without huge pages refuses the advice and needs it not.
    let _ = map.advise(Advice::NoHugePage);
    Some(map)
}

/// Pages of a file that are cached and not in any plan of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surplus {
    /// Beyond the end of the file: squashfs fills whole blocks, tmpfs whole folios. Their
    /// content counts as zero.
    pub(crate) beyond: u64,
    /// Allocated, and never filled. `mincore` calls them absent; only cachestat(2)
    /// (6.5 and later) counts them.
    pub(crate) not_uptodate: u64,
}

/// Farthest that a block or folio reaches beyond the end of a file, in pages.
const REACH: usize = 512;

/// Counts what is cached besides the pages that the plan of a file knows.
pub(crate) fn surplus(path: &Path) -> Surplus {
    let file = open(path);
    let bytes = size(&file);
    let pages = bytes.div_ceil(PAGE);
    // SAFETY: as in `map`; what lies beyond the end is never read, only asked for.
    let map = unsafe { MmapOptions::new().len((pages + REACH) * PAGE).map(&file) }
        .or_fail(format_args!("mapping '{}'", path.display()));
    let uptodate = cached_in(&map);
    let count = |states: &[bool]| states.iter().filter(|&&is| is).count() as u64;
    Surplus {
        beyond: count(&uptodate[pages..]),
        not_uptodate: pages_in_cache(&file).map_or(0, |all| all - count(&uptodate)),
    }
}

/// Whether [`Surplus::not_uptodate`] can be known.
pub(crate) fn counts_all_pages() -> bool {
    pages_in_cache(&open(Path::new("/proc/self/exe"))).is_some()
}

/// cachestat(2) of a whole file; `None` where the kernel has no such call.
fn pages_in_cache(file: &fs::File) -> Option<u64> {
    // The same number on every architecture.
    const CACHESTAT: libc::c_long = 451;
    let whole_file = [0_u64; 2];
    let mut counts = [0_u64; 5];
    // SAFETY: the kernel reads two words and writes five (include/uapi/linux/mman.h,
    // cachestat_range and cachestat).
    let result = unsafe {
        libc::syscall(
            CACHESTAT,
            file.as_raw_fd(),
            whole_file.as_ptr(),
            counts.as_mut_ptr(),
            0,
        )
    };
    (result == 0).then_some(counts[0])
}

/// For each page of the file, whether it is in the page cache.
pub(crate) fn cached_pages(path: &Path) -> Vec<bool> {
    map(path).map_or_else(Vec::new, |map| cached_in(&map))
}

/// Whether every page of every file is cached, holes excepted where the filesystem does
/// not cache them.
pub(crate) fn all_cached(plans: &[PlannedFile], root: &Path, holes_too: bool) -> bool {
    plans.iter().all(|plan| {
        let file = Observed::now(plan, root);
        let mut absent = file.pages(Fate::Absent);
        absent.all(|page| !holes_too && plan.pages[page] == Page::Hole)
    })
}

/// Takes the clean pages of one file out of the cache.
pub(crate) fn forget(path: &Path) {
    fs::File::open(path)
        .and_then(|file| Ok(fadvise(file, 0, None, FileAdvice::DontNeed)?))
        .or_fail(format_args!("dropping the pages of '{}'", path.display()));
}

/// `echo 3 > /proc/sys/vm/drop_caches`: all clean pages, dentries and inodes.
pub(crate) fn drop_all_caches() {
    fs::write("/proc/sys/vm/drop_caches", "3").or_fail("dropping caches");
}
