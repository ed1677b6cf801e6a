//! What `mincore` says of a mapped file. It looks and does not touch.

use memmap2::Mmap;

/// For each page of a mapping, whether it is in the page cache.
pub(crate) fn cached_in(map: &Mmap) -> Vec<bool> {
    let mut states = vec![0_u8; map.len().div_ceil(4096)];
    let address = map.as_ptr().cast_mut().cast();
    // SAFETY: the range is that of a live mapping, and there is one byte per page.
    let result = unsafe { libc::mincore(address, map.len(), states.as_mut_ptr()) };
    assert_eq!(result, 0, "mincore: {}", std::io::Error::last_os_error());
    states.iter().map(|state| state & 1 == 1).collect()
}
