//! Flags of mapped pages as root sees them: `/proc/self/pagemap` tells the page frame
//! behind an address, `/proc/kpageflags` the flags of that frame (Documentation/
//! admin-guide/mm/pagemap.rst). The only way to see from outside that a page is locked,
//! and on kernels without cachestat that it is dirty.

use std::{fs::File, io, os::unix::fs::FileExt};

use crate::model::{page::SkipReason, units::PAGE_SIZE};

const PRESENT: u64 = 1 << 63;
const FRAME: u64 = (1 << 55) - 1;

// include/uapi/linux/kernel-page-flags.h
const LOCKED: u64 = 1 << 0;
const UPTODATE: u64 = 1 << 3;
const DIRTY: u64 = 1 << 4;
const WRITEBACK: u64 = 1 << 8;
const COMPOUND_TAIL: u64 = 1 << 16;
const HWPOISON: u64 = 1 << 19;

/// Page cache folios are at most as large as a PMD maps, and naturally aligned.
const LARGEST_FOLIO: u64 = 512;

/// Both files, open.
pub(super) struct PageFlags {
    pagemap: File,
    kpageflags: File,
}

impl PageFlags {
    /// `None` without `CAP_SYS_ADMIN`, or on kernels without `PROC_PAGE_MONITOR`.
    pub(super) fn open() -> Option<Self> {
        let flags = Self {
            pagemap: File::open("/proc/self/pagemap").ok()?,
            kpageflags: File::open("/proc/kpageflags").ok()?,
        };
        // Without the privilege the frame number reads as 0 instead of failing.
        let here = vec![1_u8; 4096];
        let entry = flags.entries(here.as_ptr() as usize, 1).ok()?;
        (std::hint::black_box(&here)[0] == 1 && entry.first()? & FRAME != 0).then_some(flags)
    }

    /// For each of `count` pages from `address` on: why its content cannot be trusted
    /// now. A page that is not mapped (any more) left the cache: `Raced`.
    ///
    /// # Errors
    /// When one of the two files cannot be read.
    pub(super) fn unstable(
        &self,
        address: usize,
        count: usize,
    ) -> io::Result<Vec<Option<SkipReason>>> {
        let entries = self.entries(address, count)?;
        let mut reasons = Vec::with_capacity(count);
        while reasons.len() < count {
            let rest = &entries[reasons.len()..];
            let first = rest[0];
            if first & PRESENT == 0 {
                reasons.push(Some(SkipReason::Raced));
                continue;
            }
            let frame = first & FRAME;
            let run = (0_u64..).zip(rest).take_while(|(step, entry)| {
                **entry & PRESENT != 0 && **entry & FRAME == frame + step
            });
            reasons.extend(self.reasons_of_run(frame, run.count())?);
        }
        Ok(reasons)
    }

    /// The same for consecutive page frames.
    fn reasons_of_run(&self, first: u64, count: usize) -> io::Result<Vec<Option<SkipReason>>> {
        let flags = self.flags(first, count)?;
        let mut head = 0;
        let mut reasons = Vec::with_capacity(count);
        for (index, own) in flags.iter().enumerate() {
            if own & COMPOUND_TAIL == 0 {
                head = *own;
            } else if index == 0 {
                head = self.head_before(first)?;
            }
            // Until 6.9 a tail shows its own bits, and dirty is a bit of the head alone.
            reasons.push(reason_of(own & HWPOISON | head));
        }
        Ok(reasons)
    }

    /// Flags of the head of the folio whose tail `frame` is.
    fn head_before(&self, frame: u64) -> io::Result<u64> {
        let start = frame - frame % LARGEST_FOLIO;
        let before = self.flags(
            start,
            usize::try_from(frame - start).map_err(io::Error::other)?,
        )?;
        let head = before
            .iter()
            .rev()
            .find(|flags| **flags & COMPOUND_TAIL == 0);
        Ok(head.copied().unwrap_or(LOCKED))
    }

    /// The page frame that is mapped at this address, if any is.
    pub(super) fn frame(&self, address: usize) -> io::Result<Option<u64>> {
        let entry = self.entries(address, 1)?[0];
        Ok((entry & PRESENT != 0).then_some(entry & FRAME))
    }

    /// Flags of one mapped page, as they are.
    #[cfg(test)]
    pub(super) fn raw(&self, address: usize) -> io::Result<u64> {
        Ok(self.flags(self.entries(address, 1)?[0] & FRAME, 1)?[0])
    }

    fn entries(&self, address: usize, count: usize) -> io::Result<Vec<u64>> {
        read_words(&self.pagemap, address as u64 / PAGE_SIZE, count)
    }

    fn flags(&self, frame: u64, count: usize) -> io::Result<Vec<u64>> {
        read_words(&self.kpageflags, frame, count)
    }
}

/// Why a page with these flags is not stable content, if it is not.
const fn reason_of(flags: u64) -> Option<SkipReason> {
    if flags & HWPOISON != 0 {
        Some(SkipReason::Unreadable)
    } else if flags & DIRTY != 0 {
        Some(SkipReason::Dirty)
    } else if flags & WRITEBACK != 0 {
        Some(SkipReason::Writeback)
    } else if flags & UPTODATE == 0 {
        Some(SkipReason::NotUptodate)
    } else if flags & LOCKED != 0 {
        Some(SkipReason::Raced)
    } else {
        None
    }
}

/// `count` words from word number `first` on.
fn read_words(file: &File, first: u64, count: usize) -> io::Result<Vec<u64>> {
    let mut bytes = vec![0; count * 8];
    file.read_exact_at(&mut bytes, first * 8)?;
    Ok(bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(|word| u64::from_ne_bytes(*word))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine_user::{copy::Scratch, window::Window};
    use std::io::Write;

    #[test]
    fn a_written_page_is_dirty_until_it_is_synced() {
        let Some(flags) = PageFlags::open() else {
            println!("skipped: needs root and /proc/kpageflags");
            return;
        };
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("a file on disk");
        file.write_all(&[1; 4096]).expect("a page");
        let window = Window::map(&file, 0, 1).expect("a mapping");
        let mut scratch = Scratch::new().expect("a scratch area");
        assert_eq!(scratch.copy(&window, 0, 1).expect("a copy").pages.len(), 1);
        let dirty = flags.unstable(window.address(0), 1).expect("flags");
        assert!(
            matches!(dirty[0], Some(SkipReason::Dirty | SkipReason::Writeback)),
            "{dirty:?}"
        );
        file.sync_all().expect("a sync");
        scratch.copy(&window, 0, 1).expect("a copy");
        assert_eq!(flags.unstable(window.address(0), 1).expect("flags"), [None]);
    }

    #[test]
    fn each_flag_has_its_reason() {
        assert_eq!(reason_of(UPTODATE), None);
        assert_eq!(reason_of(0), Some(SkipReason::NotUptodate));
        assert_eq!(reason_of(UPTODATE | LOCKED), Some(SkipReason::Raced));
        assert_eq!(reason_of(UPTODATE | WRITEBACK), Some(SkipReason::Writeback));
        assert_eq!(
            reason_of(UPTODATE | DIRTY | LOCKED),
            Some(SkipReason::Dirty)
        );
        assert_eq!(reason_of(UPTODATE | HWPOISON), Some(SkipReason::Unreadable));
    }
}
