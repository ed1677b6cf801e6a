//! Copies mapped pages without risk. A page cut off by a truncation raises SIGBUS when
//! this program touches it, but only EFAULT when a system call does, so the kernel does
//! the reading: pwrite(2) from the mapping into a memfd, then pread(2) from there.
//!
//! Not `process_vm_readv`(2): it marks pages accessed (`FOLL_TOUCH`, mm/gup.c). Not pread(2)
//! of the file: it marks them too, and starts readahead even with `RWF_NOWAIT`.

use std::{fs::File, io, os::fd::AsRawFd, os::unix::fs::FileExt};

use rustix::fs::{MemfdFlags, memfd_create};
use sharestat_ebpf::PAGE_SIZE;

use super::window::Window;

/// Pages copied at once.
pub(super) const BATCH: usize = 64;

/// A place for the contents of up to [`BATCH`] pages.
pub(super) struct Scratch {
    memfd: File,
    pages: Vec<[u8; PAGE_SIZE]>,
}

/// What one copy did.
pub(super) struct Copied<'a> {
    /// Whole pages copied, from the first on.
    pub(super) pages: &'a mut [[u8; PAGE_SIZE]],
    /// Pages that had left the cache and were read from storage by this copy.
    pub(super) major_faults: u64,
}

impl Scratch {
    /// Allocates the scratch pages now, so that no copy has to.
    ///
    /// # Errors
    /// When `memfd_create`(2) is refused or there is no memory.
    pub(super) fn new() -> io::Result<Self> {
        let memfd = File::from(memfd_create("sharestat-scratch", MemfdFlags::CLOEXEC)?);
        let pages = vec![[0; PAGE_SIZE]; BATCH];
        memfd.write_all_at(pages.as_flattened(), 0)?;
        Ok(Self { memfd, pages })
    }

    /// Copies `count` pages, at most [`BATCH`], from page `page` of the file on. Stops at
    /// the first page that cannot be read.
    ///
    /// # Errors
    /// When the memfd fails; a page of the file that cannot be read is no error.
    pub(super) fn copy(
        &mut self,
        window: &Window,
        page: u64,
        count: usize,
    ) -> io::Result<Copied<'_>> {
        let count = count.min(BATCH);
        let before = major_faults();
        let copied = match pwrite(&self.memfd, window.address(page), count * PAGE_SIZE) {
            Ok(bytes) => bytes / PAGE_SIZE,
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => 0,
            Err(error) => return Err(error),
        };
        let major_faults = major_faults().saturating_sub(before);
        let pages = &mut self.pages[..copied];
        self.memfd.read_exact_at(pages.as_flattened_mut(), 0)?;
        Ok(Copied {
            pages,
            major_faults,
        })
    }
}

/// pwrite(2) at offset 0 from memory that may vanish, which is why it is no slice.
fn pwrite(file: &File, address: usize, length: usize) -> io::Result<usize> {
    // SAFETY: the kernel only reads the range, checks each page of it, and answers EFAULT
    // or a short count where it cannot be read.
    let result =
        unsafe { libc::pwrite(file.as_raw_fd(), address as *const libc::c_void, length, 0) };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Page faults of this thread so far that had to wait for storage.
fn major_faults() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the structure it is given; all-zero bytes are a valid
    // `rusage` too, should it ever fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init()
    };
    u64::try_from(usage.ru_majflt).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_truncated_page_ends_the_copy_and_not_the_process() {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(&[7; 3 * PAGE_SIZE]).expect("three pages");
        let window = Window::map(&file, 0, 3).expect("a mapping");
        let mut scratch = Scratch::new().expect("a scratch area");
        file.set_len(PAGE_SIZE as u64).expect("a truncation");
        let copied = scratch.copy(&window, 0, 3).expect("a copy");
        assert_eq!(copied.pages.len(), 1);
        assert!(copied.pages[0].iter().all(|byte| *byte == 7));
        assert_eq!(scratch.copy(&window, 1, 2).expect("a copy").pages.len(), 0);
    }
}
