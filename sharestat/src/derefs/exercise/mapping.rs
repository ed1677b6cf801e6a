//! A memory mapping of a file, whose bytes are touched one by one. The kernel's work at
//! each touch is what is of interest, never the byte.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd as _,
    ptr::{self, NonNull},
};

use sharestat_ebpf::PAGE_SIZE;

/// How a file is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Shared, for reading.
    Read,
    /// Private, for reading and executing.
    Execute,
    /// Shared, for reading and writing.
    SharedWrite,
    /// Private, for reading and writing.
    PrivateWrite,
}

/// A mapping, undone when dropped.
pub(super) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

impl Mapping {
    /// Maps the first `bytes` of `file`.
    pub(super) fn new(file: &File, bytes: usize, access: Access) -> io::Result<Self> {
        let (protection, flags) = match access {
            Access::Read => (libc::PROT_READ, libc::MAP_SHARED),
            Access::Execute => (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE),
            Access::SharedWrite => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED),
            Access::PrivateWrite => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE),
        };
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                protection,
                flags,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { start, bytes })
    }

    /// Address of the first byte.
    pub(super) fn address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// Its first bytes, as an argument for system calls.
    pub(super) fn pointer(&self) -> *mut libc::c_void {
        self.start.as_ptr().cast()
    }

    /// Reads one byte of every page.
    pub(super) fn read_all(&self) {
        for page in (0..self.bytes).step_by(PAGE_SIZE) {
            // SAFETY: inside the mapping, whose file is at least as long.
            unsafe { self.start.as_ptr().add(page).read_volatile() };
        }
    }

    /// Writes one byte of every page; only where it may.
    pub(super) fn write_all(&self) {
        for page in (0..self.bytes).step_by(PAGE_SIZE) {
            // SAFETY: inside the mapping; callers map for writing before they call this.
            unsafe { self.start.as_ptr().add(page).write_volatile(1) };
        }
    }

    /// Gives advice about all of it.
    pub(super) fn advise(&self, advice: i32) -> io::Result<()> {
        // SAFETY: the whole mapping; no advice used here changes what it holds.
        check(unsafe { libc::madvise(self.pointer(), self.bytes, advice) })
    }

    /// Locks it into memory, and unlocks it.
    pub(super) fn lock_and_unlock(&self) -> io::Result<()> {
        // SAFETY: the whole mapping.
        check(unsafe { libc::mlock(self.pointer(), self.bytes) })?;
        // SAFETY: as above.
        check(unsafe { libc::munlock(self.pointer(), self.bytes) })
    }

    /// Writes dirty pages back.
    pub(super) fn sync(&self) -> io::Result<()> {
        // SAFETY: the whole mapping.
        check(unsafe { libc::msync(self.pointer(), self.bytes, libc::MS_SYNC) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nothing refers to it any more.
        unsafe { libc::munmap(self.pointer(), self.bytes) };
    }
}

/// Turns the answer of a system call into a result.
pub(super) fn check(answer: i32) -> io::Result<()> {
    if answer == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
