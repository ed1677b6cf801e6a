//! Hashes pages that leave before the collector asked for them, under a token bucket.
//!
//! The delete hook runs with interrupts off, so it takes small folios only; large ones
//! are hashed at the entry of `__remove_mapping` (`reclaim`).

use aya_ebpf::{helpers::bpf_ktime_get_ns, macros::map, maps::PerCpuArray};
use sharestat_ebpf::{
    counters::Counter,
    records::{HASHED_EVENT_PAGES, HashedEvent, event_kind},
};

use super::{
    contents::{self, Page, repeat},
    counters::count,
    folio::{Folio, frame_of},
    frame_state,
    globals::{REMOVAL_PAGES_PER_SECOND, layout},
    inode::Inode,
    runs::{self, Announcement},
};

/// Largest order that fits one [`HashedEvent`].
const SMALL_ORDER: u32 = HASHED_EVENT_PAGES.trailing_zeros();

const SECOND: u64 = 1_000_000_000;

#[repr(C)]
struct Bucket {
    tokens: u64,
    filled_ns: u64,
}

#[map]
static REMOVAL_TOKENS: PerCpuArray<Bucket> = PerCpuArray::with_max_entries(1, 0);

/// Scratch of one user of this module; each hook has its own. Never busy: the delete hook
/// runs with interrupts off, and the kernel lets no trampoline interrupt itself on one CPU
/// (it counts that as a recursion miss).
#[repr(C)]
pub(crate) struct Scratch {
    page: Page,
    record: HashedEvent,
}

#[map]
static REMOVAL_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Takes `pages` tokens from this CPU's bucket, which holds a tenth of a second's worth.
#[inline(always)]
pub(crate) fn take_tokens(pages: u64) -> bool {
    let rate = REMOVAL_PAGES_PER_SECOND.load();
    let Some(bucket) = REMOVAL_TOKENS.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: a map value of this CPU. An interrupting hook may take the same tokens
    // twice: the bucket bounds cost, it is not an account.
    let bucket = unsafe { &mut *bucket };
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let mut elapsed = now.wrapping_sub(bucket.filled_ns);
    if elapsed > SECOND {
        elapsed = SECOND;
    }
    let earned = elapsed * rate / SECOND;
    if earned != 0 {
        bucket.filled_ns = now;
        let full = rate / 10 + HASHED_EVENT_PAGES as u64;
        let tokens = bucket.tokens + earned;
        bucket.tokens = if tokens > full { full } else { tokens };
    }
    if bucket.tokens < pages {
        return false;
    }
    bucket.tokens -= pages;
    true
}

/// Whether the content of `folio` is what its file holds.
#[inline(always)]
pub(crate) fn is_stable(folio: &Folio) -> bool {
    folio.has(layout!(flag_uptodate))
        && !folio.has(layout!(flag_dirty) | layout!(flag_writeback) | layout!(flag_hwpoison))
}

#[repr(C)]
struct PageRun {
    scratch: *mut Scratch,
    frame: u64,
    index: u64,
    size: u64,
    hashed: u64,
}

#[inline(never)]
unsafe extern "C" fn hash_next(number: u64, run: *mut PageRun) -> i64 {
    // SAFETY: `repeat` hands over the context of `hash_run`.
    let run = unsafe { &mut *run };
    // SAFETY: the scratch of this CPU, see `hash_run`.
    let scratch = unsafe { &mut *run.scratch };
    let (frame, index) = (run.frame + number, run.index + number);
    // SAFETY: the page belongs to this CPU's scratch.
    let hash = unsafe { contents::hash(&raw mut scratch.page, frame, index, run.size) };
    let Some(hash) = hash else {
        count(Counter::CopyFaulted, 1);
        return 1;
    };
    scratch.record.hashes[number as usize & (HASHED_EVENT_PAGES - 1)] = hash;
    run.hashed = number + 1;
    0
}

/// Hashes `pages` (at most [`HASHED_EVENT_PAGES`]) pages from `frame` on and sends them.
///
/// The caller holds the folio lock, so the content cannot change under it.
#[inline(always)]
pub(crate) fn hash_run(
    scratch: *mut Scratch,
    said: &Announcement,
    frame: u64,
    pages: u32,
    size: u64,
) {
    let mut run = PageRun {
        scratch,
        frame,
        index: said.index,
        size,
        hashed: 0,
    };
    repeat(pages, hash_next, &mut run);
    // SAFETY: a map value of this CPU.
    let record = unsafe { &mut (*scratch).record };
    if run.hashed == 0 {
        return;
    }
    // The collector has to know of the pages before it hears of their contents.
    runs::send_added(said.mapping);
    if runs::describe(&mut record.event, said) {
        record.event.kind = event_kind::HASHED;
        record.event.pages = run.hashed as u32;
        count(Counter::HashedAtRemoval, run.hashed);
        runs::send_hashed(record);
    }
}

/// Hashes a folio of up to [`HASHED_EVENT_PAGES`] pages that the delete hook saw, unless
/// the collector has its hash or the bucket is empty.
#[inline(always)]
pub(crate) fn hash_small(address: u64, folio: &Folio, said: &Announcement) {
    if REMOVAL_PAGES_PER_SECOND.load() == 0 {
        return;
    }
    let frame = frame_of(address);
    if frame_state::is_hashed(frame) {
        return;
    }
    let pages = 1_u64 << (said.order & 15);
    if !is_stable(folio) {
        count(Counter::RemovalNotStable, pages);
        return;
    }
    if said.order > SMALL_ORDER {
        if !frame_state::seen_by_reclaim(frame) {
            count(Counter::RemovalTooLarge, pages);
        }
        return;
    }
    let Some(inode) = Inode::of_mapping(said.mapping) else {
        count(Counter::RemovalNoInode, pages);
        return;
    };
    let size = inode.size();
    if said.index << 12 >= size {
        // Truncated away or beyond the end: its content is being thrown away.
        return;
    }
    if !take_tokens(pages) {
        count(Counter::RemovalNoToken, pages);
        return;
    }
    if let Some(scratch) = REMOVAL_SCRATCH.get_ptr_mut(0) {
        hash_run(scratch, said, frame, pages as u32 & 31, size);
    }
}
