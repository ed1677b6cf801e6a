//! The bytes of a page as its file shows them, and their hash.

use aya_ebpf::helpers::generated::bpf_loop;
use core::ffi::c_void;
use sharestat_ebpf::{PAGE_SIZE, PAGE_WORDS};

use super::{access, folio::contents_of, globals::HASH_SEED, page_hash};

/// One page of scratch memory.
#[repr(C)]
pub(crate) struct Page {
    pub(crate) words: [u64; PAGE_WORDS],
}

/// Copies the page at `index` of a file of `size` bytes from `frame`; what lies beyond
/// the end of the file counts as zero, because the kernel leaves it undefined. False
/// when the copy faulted.
///
/// # Safety
/// `page` must point to a whole page that nobody else writes.
#[inline(always)]
pub(crate) unsafe fn load(page: *mut Page, frame: u64, index: u64, size: u64) -> bool {
    let start = index << 12;
    let to = page.cast::<c_void>();
    if size >= start && size - start >= PAGE_SIZE as u64 {
        // SAFETY: by contract.
        return unsafe { access::copy(to, PAGE_SIZE as u32, contents_of(frame)) };
    }
    // SAFETY: by contract.
    unsafe { access::clear(to, PAGE_SIZE as u32) };
    if start >= size {
        return true;
    }
    let inside = (size - start) as u32 & (PAGE_SIZE as u32 - 1);
    // SAFETY: by contract; `inside` is masked to less than a page.
    unsafe { access::copy(to, inside, contents_of(frame)) }
}

/// Hash of a page of scratch memory.
///
/// A global function, which the verifier walks once with an unknown page; a static one
/// it would walk again for every state in which a caller can be.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hash_of_page(page: *const Page) -> u64 {
    if page.is_null() {
        return 0;
    }
    // SAFETY: not null, and the verifier checked that callers hand over a whole page.
    page_hash::xxh64(unsafe { &(*page).words }, HASH_SEED.load())
}

/// Runs `callback` for 0, 1, … `times - 1` with `context` (`bpf_loop`, 5.17 and later).
///
/// The callback must be a private `#[inline(never)] unsafe extern "C" fn`: the verifier
/// wants it static in BTF.
#[inline(always)]
pub(crate) fn repeat<C>(
    times: u32,
    callback: unsafe extern "C" fn(u64, *mut C) -> i64,
    context: &mut C,
) {
    // SAFETY: the kernel calls `callback` with the context handed in here.
    unsafe {
        bpf_loop(
            times,
            callback as *mut c_void,
            core::ptr::from_mut(context).cast(),
            0,
        );
    }
}
