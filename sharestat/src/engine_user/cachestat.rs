//! cachestat(2), Linux 6.5: how many pages of a range of a file are cached, dirty and
//! under writeback. Walks what is cached, touches no page, maps nothing.

use std::{fs::File, io, os::fd::AsRawFd};

use crate::model::units::PAGE_SIZE;

/// Same number on every architecture (scripts/syscall.tbl).
const SYS_CACHESTAT: libc::c_long = 451;

/// `struct cachestat_range` (include/uapi/linux/mman.h).
#[repr(C)]
struct Range {
    off: u64,
    len: u64,
}

/// `struct cachestat` (include/uapi/linux/mman.h), all in pages.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Counts {
    /// In the page cache, uptodate or not.
    pub(super) cached: u64,
    /// Of them dirty.
    pub(super) dirty: u64,
    /// Of them under writeback.
    pub(super) writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// Counts for `pages` pages from page `first` on; 0 pages means to the end, pages beyond
/// the end of the file included.
///
/// `None` when the kernel cannot or will not say: before 6.5, under a seccomp filter,
/// and on later kernels for files of others, as with mincore(2).
pub(super) fn cachestat(file: &File, first: u64, pages: u64) -> io::Result<Option<Counts>> {
    let (off, len) = (first * PAGE_SIZE, pages * PAGE_SIZE);
    let range = Range { off, len };
    let mut counts = Counts::default();
    // SAFETY: both structures have the layout the kernel expects and outlive the call,
    // which reads the first and writes the second.
    let result = unsafe {
        libc::syscall(
            SYS_CACHESTAT,
            file.as_raw_fd(),
            &raw const range,
            &raw mut counts,
            0,
        )
    };
    if result == 0 {
        return Ok(Some(counts));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EPERM | libc::EOPNOTSUPP) => Ok(None),
        _ => Err(error),
    }
}

/// Ranges, in pages, that hold the cached pages among the `pages` first of a file: each
/// at most `most` pages long and starting at a multiple of it. Halves the range where
/// something is cached, so that a huge sparse file costs little.
pub(super) fn occupied(file: &File, pages: u64, most: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    let mut open = vec![(0, pages.div_ceil(most).next_power_of_two() * most)];
    while let Some((first, length)) = open.pop() {
        let length_here = length.min(pages.saturating_sub(first));
        if length_here == 0 {
            continue;
        }
        if cachestat(file, first, length_here)?.is_some_and(|counts| counts.cached == 0) {
            continue;
        }
        if length <= most {
            found.push((first, length_here));
        } else {
            open.push((first + length / 2, length / 2));
            open.push((first, length / 2));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, os::unix::fs::FileExt};

    #[test]
    fn only_the_parts_with_cached_pages_are_found() {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(&[1; 4096]).expect("a page at the start");
        file.write_all_at(&[2; 4096], 1 << 40)
            .expect("a page far away");
        let far = (1_u64 << 40) / 4096;
        if cachestat(&file, 0, 0).expect("cachestat answers").is_none() {
            println!("skipped: this kernel has no cachestat (before 6.5)");
            return;
        }
        let found = occupied(&file, far + 1, 1024).expect("cachestat answers");
        assert_eq!(found, [(0, 1024), (far, 1)]);
    }
}
