//! The extents of a file that others share, from FIEMAP (`FS_IOC_FIEMAP`,
//! include/uapi/linux/fiemap.h). Asks without `FIEMAP_FLAG_SYNC`: nothing is written back.

use std::{fs::File, io, os::fd::AsRawFd};

use crate::model::{
    extents::{Extent, Extents},
    units::PAGE_SIZE,
};

/// `_IOWR('f', 11, struct fiemap)`; the struct has 32 bytes without its extents.
const FS_IOC_FIEMAP: libc::c_ulong = 0xc020_660b;
/// Extents per call.
const COUNT: usize = 128;

const LAST: u32 = 0x1;
/// Unknown place, not allocated yet, inline, in a tail: no physical address.
const PLACELESS: u32 = 0x2 | 0x4 | 0x200 | 0x400;
const SHARED: u32 = 0x2000;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct FiemapExtent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved64: [u64; 2],
    flags: u32,
    reserved: [u32; 3],
}

#[repr(C)]
struct Fiemap {
    start: u64,
    length: u64,
    flags: u32,
    mapped_extents: u32,
    extent_count: u32,
    reserved: u32,
    extents: [FiemapExtent; COUNT],
}

const _: () = assert!(size_of::<Fiemap>() == 32 + 56 * COUNT);

/// Whether files of this filesystem type can share extents and FIEMAP says so.
pub(super) fn are_shared_on(fs_type: &str) -> bool {
    matches!(fs_type, "btrfs" | "xfs" | "bcachefs" | "ocfs2")
}

/// The shared extents of a file.
///
/// # Errors
/// Whatever the ioctl answers.
pub(super) fn shared(file: &File) -> io::Result<Extents> {
    let mut found = Vec::new();
    let mut start = 0;
    loop {
        let answer = ask(file, start)?;
        let mapped = (answer.mapped_extents as usize).min(COUNT);
        let extents = &answer.extents[..mapped];
        for extent in extents {
            if extent.flags & SHARED != 0 && extent.flags & PLACELESS == 0 {
                found.push(whole_pages(extent));
            }
        }
        let Some(last) = extents.last() else {
            break;
        };
        let next = last.logical.saturating_add(last.length);
        if last.flags & LAST != 0 || next <= start {
            break;
        }
        start = next;
    }
    Ok(Extents::new(found))
}

fn ask(file: &File, start: u64) -> io::Result<Box<Fiemap>> {
    let mut request = Box::new(Fiemap {
        start,
        length: u64::MAX - start,
        flags: 0,
        mapped_extents: 0,
        extent_count: u32::try_from(COUNT).unwrap_or(0),
        reserved: 0,
        extents: [FiemapExtent::default(); COUNT],
    });
    // SAFETY: the kernel writes at most `extent_count` extents behind the header, which
    // is what the struct has room for.
    let answer = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_FIEMAP, &raw mut *request) };
    if answer == 0 {
        Ok(request)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The pages that lie wholly in an extent; the last one may end beyond it.
fn whole_pages(extent: &FiemapExtent) -> Extent {
    let first = extent.logical.div_ceil(PAGE_SIZE);
    let skipped = first * PAGE_SIZE - extent.logical;
    Extent {
        first,
        pages: extent.length.saturating_sub(skipped).div_ceil(PAGE_SIZE),
        physical: extent.physical.wrapping_add(skipped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_between_pages_counts_from_its_first_whole_page() {
        let extent = FiemapExtent {
            logical: 5120,
            physical: 1 << 20,
            length: 8192,
            ..FiemapExtent::default()
        };
        let expected = Extent {
            first: 2,
            pages: 2,
            physical: (1 << 20) + 3072,
        };
        assert_eq!(whole_pages(&extent), expected);
    }

    #[test]
    fn a_fresh_file_shares_nothing_and_a_device_has_no_extents() {
        let null = File::open("/dev/null").expect("it opens");
        assert!(shared(&null).is_err());
    }
}
