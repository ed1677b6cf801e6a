//! Reads from a file that leave the page cache as it was, as far as the kernel can.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::FileExt as _},
};

/// `RWF_DONTCACHE` (include/uapi/linux/fs.h, Linux 6.14): pages that this read brings in
/// are dropped again, pages that were cached stay.
const DONTCACHE: libc::c_int = 0x80;

/// Fills as much of `buffer` as the file has at `offset`, and leaves in the page cache only
/// what was there, where the kernel can.
///
/// # Errors
/// Whatever the read answers.
pub(super) fn read_uncached(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match pread_uncached(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => return Ok(filled),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Not here, or not on this filesystem.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ENOSYS)
                ) =>
            {
                let at = offset + filled as u64;
                return Ok(filled + read_fully(file, &mut buffer[filled..], at)?);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn pread_uncached(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    // SAFETY: the vector is one element that spans exactly the exclusively borrowed buffer.
    let read = unsafe { libc::preadv2(file.as_raw_fd(), &raw const part, 1, offset, DONTCACHE) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// Fills as much of `buffer` as the file has at `offset`.
///
/// # Errors
/// Whatever the read answers.
pub(super) fn read_fully(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
