//! Which pages of a file are cached, by `mincore`, which looks and does not touch; and
//! ways to empty the cache.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::Path};

use memmap2::{Advice, Mmap, MmapOptions};
use rustix::fs::{Advice as FileAdvice, fadvise};

use crate::{
    corpus::{PAGE, PlannedFile},
    expectation::{Fate, Observed},
    harness::OrFail,
};

/// Maps a file without reading it; `None` when it is empty.
pub(crate) fn map(path: &Path) -> Option<Mmap> {
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOATIME)
        .open(path)
        .or_fail(format_args!("opening '{}'", path.display()));
    let bytes = file.metadata().or_fail("asking for a size").len();
    if bytes == 0 {
        return None;
    }
    // SAFETY: cases run one at a time and a case does not shorten a file that it maps.
    let map = unsafe { MmapOptions::new().map(&file) }
        .or_fail(format_args!("mapping '{}'", path.display()));
    // Random access neither reads ahead nor, on unmapping, marks pages as used.
    map.advise(Advice::Random).or_fail("advising random access");
    Some(map)
}

/// For each page of the file, whether it is in the page cache.
pub(crate) fn cached_pages(path: &Path) -> Vec<bool> {
    map(path).map_or_else(Vec::new, |map| cached_in(&map))
}

/// As [`cached_pages`], of a mapping.
pub(crate) fn cached_in(map: &Mmap) -> Vec<bool> {
    let mut states = vec![0_u8; map.len().div_ceil(PAGE)];
    // SAFETY: the range is that of a live mapping, and there is one byte per page.
    let result = unsafe {
        libc::mincore(
            map.as_ptr().cast_mut().cast(),
            map.len(),
            states.as_mut_ptr(),
        )
    };
    assert_eq!(result, 0, "mincore: {}", std::io::Error::last_os_error());
    states.iter().map(|state| state & 1 == 1).collect()
}

/// Checks that every page of every file is cached, holes excepted where the filesystem
/// does not cache them: only then can a plan be compared with a report.
pub(crate) fn assert_cached(plans: &[PlannedFile], root: &Path, holes_too: bool) {
    for plan in plans {
        let file = Observed::now(plan, root);
        let absent: Vec<_> = file
            .pages(Fate::Absent)
            .filter(|&page| holes_too || plan.pages[page] != crate::corpus::Page::Hole)
            .collect();
        assert!(
            absent.is_empty(),
            "pages {absent:?} of '{}' are not cached: the test could not set the stage",
            plan.names[0].display()
        );
    }
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
