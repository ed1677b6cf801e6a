//! One byte per page frame: whether what the frame holds was hashed since it entered
//! the page cache. A hint only, to spare the removal hooks work: a frame that moves
//! (migration) loses its mark, which costs one more hash, never a wrong one.
//! Value 0: nothing known, or one of the marks below.

use aya_ebpf::{macros::map, maps::Array};

use super::access;

/// Frames per map value.
const BLOCK: u64 = 4096;
/// Largest folio cleared at once; room for it behind the last frame keeps the
/// verifier satisfied.
const LARGEST: usize = 2048;

/// Hashed on request, so that the collector knows its content.
const HASHED: u8 = 1;
/// First frame of a folio that the reclaim hook dealt with: each page hashed there, or
/// counted as not. The collector may not know them, so this is no [`HASHED`].
const RECLAIM_SAW: u8 = 2;

/// User space sets the number of blocks from the highest frame.
#[map]
static FRAME_STATE: Array<[u8; BLOCK as usize + 2 * LARGEST]> = Array::with_max_entries(1, 0);

#[inline(always)]
fn slot(frame: u64) -> Option<*mut u8> {
    let block = FRAME_STATE.get_ptr_mut((frame / BLOCK) as u32)?;
    // SAFETY: the masked position lies inside the value.
    Some(unsafe { block.cast::<u8>().add((frame & (BLOCK - 1)) as usize) })
}

/// Marks `frame` as hashed.
#[inline(always)]
pub(crate) fn set_hashed(frame: u64) {
    if let Some(slot) = slot(frame) {
        // SAFETY: see `slot`.
        unsafe { *slot = HASHED }
    }
}

/// Whether `frame` was hashed on request.
#[inline(always)]
pub(crate) fn is_hashed(frame: u64) -> bool {
    // SAFETY: see `slot`.
    slot(frame).is_some_and(|slot| unsafe { *slot } == HASHED)
}

/// Notes that the reclaim hook dealt with the folio that starts at `frame`.
#[inline(always)]
pub(crate) fn set_seen_by_reclaim(frame: u64) {
    if let Some(slot) = slot(frame) {
        // SAFETY: see `slot`.
        unsafe {
            if *slot == 0 {
                *slot = RECLAIM_SAW;
            }
        }
    }
}

/// Whether the reclaim hook dealt with the folio that starts at `frame`.
#[inline(always)]
pub(crate) fn seen_by_reclaim(frame: u64) -> bool {
    // SAFETY: see `slot`.
    slot(frame).is_some_and(|slot| unsafe { *slot } == RECLAIM_SAW)
}

/// Forgets the frames of a folio of `order` pages that starts at `frame`.
#[inline(always)]
pub(crate) fn forget(frame: u64, order: u32) {
    let Some(slot) = slot(frame) else { return };
    if order == 0 {
        // SAFETY: see `slot`.
        unsafe { *slot = 0 }
        return;
    }
    let bytes = access::masked::<{ 2 * LARGEST as i32 - 1 }>(1 << (order & 15)) as u32;
    // SAFETY: the value has that many bytes behind the last slot.
    unsafe { access::clear(slot.cast(), bytes) }
}
