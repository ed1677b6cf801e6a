//! The bytes of a page as its file shows them, and their hash.

use aya_ebpf::helpers::generated::bpf_loop;
use core::ffi::c_void;
use sharestat_ebpf::{
    PAGE_SIZE, PAGE_WORDS,
    xxh64::{finish, lanes},
};

use super::{access, folio::contents_of, globals::HASH_SEED, page_hash};

/// Bytes that are copied, then hashed, at a time. As fast as a whole page at a time, and
/// the verifier has a quarter to walk.
const STRIDE: u32 = 1024;
/// Words of a stride.
const STRIDE_WORDS: usize = STRIDE as usize / 8;
/// Strides of a page.
const STRIDES: usize = PAGE_SIZE / STRIDE as usize;

/// One page of scratch memory, and how far its hash is.
#[repr(C)]
pub(crate) struct Page {
    words: [u64; PAGE_WORDS],
    lanes: [u64; 4],
    /// Where the page is copied from; 0 when it has been copied.
    from: u64,
    /// Not 0 when a copy faulted.
    faulted: u64,
}

/// Context of the callback, which must be on the stack (`bpf_loop`).
#[repr(C)]
struct Hashing {
    page: *mut Page,
}

/// Hash of the page at `index` of a file of `size` bytes, which is in `frame`; what lies
/// beyond the end of the file counts as zero, because the kernel leaves it undefined. None
/// when the copy faulted.
///
/// # Safety
/// `page` must point to a whole page that nobody else writes.
#[expect(
    clippy::implicit_saturating_sub,
    reason = "a branch is what the verifier is known to follow on every kernel"
)]
#[inline(always)]
pub(crate) unsafe fn hash(page: *mut Page, frame: u64, index: u64, size: u64) -> Option<u64> {
    let start = index << 12;
    let inside = if start >= size { 0 } else { size - start };
    let hash = hash_of_page(page, contents_of(frame), inside);
    // SAFETY: by contract.
    let faulted = unsafe { (*page).faulted };
    if faulted == 0 { Some(hash) } else { None }
}

/// Hash of a page whose first `inside` bytes are at `from` and whose others are zero.
///
/// A global function, which the verifier walks once with an unknown page; a static one
/// it would walk again for every state in which a caller can be.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hash_of_page(page: *mut Page, from: u64, inside: u64) -> u64 {
    if page.is_null() {
        return 0;
    }
    // SAFETY: not null, and the verifier checked that callers hand over a whole page.
    let place = unsafe { &mut *page };
    place.faulted = 0;
    place.from = from;
    place.lanes = lanes(HASH_SEED.load());
    if inside < PAGE_SIZE as u64 {
        let words = (&raw mut place.words).cast::<c_void>();
        let inside = access::masked::<{ PAGE_SIZE as i32 - 1 }>(inside);
        // SAFETY: a whole page, and `inside` is masked to less.
        let copied = unsafe {
            access::clear(words, PAGE_SIZE as u32);
            access::copy(words, inside as u32, from)
        };
        place.faulted = u64::from(!copied);
        place.from = 0;
    }
    repeat(STRIDES as u32, hash_stride, &mut Hashing { page });
    finish(place.lanes)
}

/// Copies a stride, unless the page has been copied, and hashes it.
///
/// A callback, which the verifier walks for one stride and not for each.
#[inline(never)]
unsafe extern "C" fn hash_stride(number: u64, hashing: *mut Hashing) -> i64 {
    // SAFETY: `repeat` hands over the context of `hash_of_page`, which leads to a page.
    let page = unsafe { &mut *(*hashing).page };
    let stride = number as usize & (STRIDES - 1);
    let words = &raw mut page.words[stride * STRIDE_WORDS];
    let from = page.from;
    if from != 0 {
        let address = from + (stride as u64) * u64::from(STRIDE);
        // SAFETY: the stride is inside the page.
        if !unsafe { access::copy(words.cast(), STRIDE, address) } {
            page.faulted = 1;
            return 1;
        }
    }
    let mut lanes = page.lanes;
    // SAFETY: as above.
    unsafe { page_hash::take::<STRIDE_WORDS>(words, &mut lanes) };
    page.lanes = lanes;
    0
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
