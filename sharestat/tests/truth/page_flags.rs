//! The kernel's own flags of each cached page, from `/proc/self/pagemap` and
//! `/proc/kpageflags` (Documentation/admin-guide/mm/pagemap.rst).

use std::{fs, os::unix::fs::FileExt as _, path::Path};

use memmap2::Mmap;

use crate::{corpus::PAGE, harness::OrFail, mincore, residency};

/// Bit of each flag in `/proc/kpageflags` (include/uapi/linux/kernel-page-flags.h).
pub(crate) mod bit {
    pub(crate) const REFERENCED: u64 = 1 << 2;
    pub(crate) const DIRTY: u64 = 1 << 4;
    pub(crate) const LRU: u64 = 1 << 5;
    pub(crate) const ACTIVE: u64 = 1 << 6;
    pub(crate) const ANON: u64 = 1 << 12;
    pub(crate) const SWAPCACHE: u64 = 1 << 13;
    pub(crate) const COMPOUND_HEAD: u64 = 1 << 15;
    pub(crate) const COMPOUND_TAIL: u64 = 1 << 16;
    pub(crate) const UNEVICTABLE: u64 = 1 << 18;
}

/// A mapping of the cached pages of one file, held so that looking again does not
/// itself change their flags (unmapping may).
pub(crate) struct Watched {
    map: Option<Mmap>,
    frames: Vec<Option<u64>>,
}

impl Watched {
    /// Finds the frame of each cached page, by mapping it.
    pub(crate) fn new(path: &Path) -> Self {
        let map = residency::map(path);
        let frames = map.as_ref().map_or_else(Vec::new, frames_of);
        Self { map, frames }
    }

    /// The frame of each page, `None` where it was not cached.
    pub(crate) fn frames(self) -> Vec<Option<u64>> {
        self.frames
    }

    /// The flags of each page now, `None` where it was not cached.
    pub(crate) fn flags(&self) -> Vec<Option<u64>> {
        assert!(self.map.is_some() || self.frames.is_empty());
        let flags = fs::File::open("/proc/kpageflags").or_fail("opening '/proc/kpageflags'");
        self.frames
            .iter()
            .map(|frame| frame.map(|frame| word_at(&flags, frame)))
            .collect()
    }
}

fn frames_of(map: &Mmap) -> Vec<Option<u64>> {
    const PRESENT: u64 = 1 << 63;
    const FRAME: u64 = (1 << 55) - 1;
    let pagemap = fs::File::open("/proc/self/pagemap").or_fail("opening '/proc/self/pagemap'");
    let cached = mincore::cached_in(map);
    let frame_of = |page: usize| {
        // Maps the page, so that pagemap shows its frame.
        std::hint::black_box(map[page * PAGE]);
        let entry = word_at(&pagemap, (map.as_ptr() as usize / PAGE + page) as u64);
        assert!(entry & PRESENT != 0, "a page just read is mapped");
        assert!(entry & FRAME != 0, "pagemap hides the frame: not root");
        entry & FRAME
    };
    cached
        .iter()
        .enumerate()
        .map(|(page, &is)| is.then(|| frame_of(page)))
        .collect()
}

/// Pages of the page cache in the whole machine, counted frame by frame.
pub(crate) fn count_page_cache() -> u64 {
    let bytes = fs::read("/proc/kpageflags").or_fail("reading '/proc/kpageflags'");
    let mut count = 0;
    let mut head_counts = false;
    for word in bytes.as_chunks::<8>().0 {
        let flags = u64::from_ne_bytes(*word);
        // Whether a tail shows the flags of its head differs between kernels.
        if flags & bit::COMPOUND_TAIL == 0 {
            head_counts = flags & bit::LRU != 0 && flags & (bit::ANON | bit::SWAPCACHE) == 0;
            count += u64::from(head_counts);
        } else {
            count += u64::from(head_counts);
        }
    }
    count
}

fn word_at(file: &fs::File, index: u64) -> u64 {
    let mut word = [0; 8];
    file.read_exact_at(&mut word, index * 8)
        .or_fail("reading page flags");
    u64::from_ne_bytes(word)
}
