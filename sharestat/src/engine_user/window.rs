//! A part of a file mapped for looking at its page cache: which pages are there.
//! The mapping is advised `MADV_RANDOM`, so that a read neither starts readahead
//! (`do_sync_mmap_readahead`) nor counts as use of the page (`vma_has_recency`, 6.12),
//! and `MADV_NOHUGEPAGE`, because `collapse_file` of khugepaged reads what is missing of
//! a mapped file (seen with ext4 and xfs on 7.2 and 7.3).

use std::{fs::File, io};

use memmap2::{Advice, MmapOptions, MmapRaw};

use crate::model::units::PAGE_SIZE;

/// So many consecutive pages of one file.
pub(super) struct Window {
    map: MmapRaw,
    first: u64,
}

impl Window {
    /// Maps `pages` pages from page `first` on. The range may reach beyond the end of
    /// the file: looking is allowed there, reading is not.
    ///
    /// # Errors
    /// When mmap(2) or madvise(2) refuse.
    pub(super) fn map(file: &File, first: u64, pages: u64) -> io::Result<Self> {
        let bytes = |pages: u64| {
            pages
                .checked_mul(PAGE_SIZE)
                .ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))
        };
        let length = usize::try_from(bytes(pages)?).map_err(io::Error::other)?;
        let map = MmapOptions::new()
            .offset(bytes(first)?)
            .len(length)
            .map_raw_read_only(file)?;
        map.advise(Advice::Random)?;
        // A kernel built without huge pages refuses this and needs it not.
        let _ = map.advise(Advice::NoHugePage);
        Ok(Self { map, first })
    }

    /// First page of the window, as the file counts.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Address at which a page of the file is mapped.
    pub(super) fn address(&self, page: u64) -> usize {
        self.map.as_ptr() as usize + self.offset(page)
    }

    /// Length of the window in pages.
    pub(super) fn pages(&self) -> u64 {
        self.map.len() as u64 / PAGE_SIZE
    }

    /// Which of `count` pages from `page` on are in the page cache and uptodate
    /// (`mincore_page` asks for both): one byte per page, odd for yes.
    ///
    /// # Errors
    /// When mincore(2) fails, which only a lack of memory causes for a mapped range.
    pub(super) fn residency(&self, page: u64, count: u64) -> io::Result<Vec<u8>> {
        let start = self.offset(page);
        let length = usize::try_from(count * PAGE_SIZE).map_err(io::Error::other)?;
        assert!(
            start + length <= self.map.len(),
            "the range lies in the window"
        );
        let mut answer = vec![0_u8; length.div_ceil(4096)];
        mincore(self.map.as_ptr().wrapping_add(start), length, &mut answer)?;
        Ok(answer)
    }

    fn offset(&self, page: u64) -> usize {
        usize::try_from((page - self.first) * PAGE_SIZE).unwrap_or(usize::MAX)
    }
}

/// mincore(2): fills one byte per page of the range.
fn mincore(start: *const u8, length: usize, answer: &mut [u8]) -> io::Result<()> {
    assert!(answer.len() * 4096 >= length, "one byte per page");
    // SAFETY: the kernel checks the range itself and writes at most one byte for each
    // page of it, for which `answer` has room.
    let result = unsafe { libc::mincore(start.cast_mut().cast(), length, answer.as_mut_ptr()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
