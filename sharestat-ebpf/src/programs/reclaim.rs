//! The optional hooks by trampoline (fentry and fexit), where the kernel takes them:
//! large folios before reclaim takes them, failed adds, refaults, tmpfs.

use aya_ebpf::{
    EbpfContext as _,
    macros::{fentry, fexit, map},
    maps::PerCpuArray,
    programs::{FEntryContext, FExitContext},
};
use sharestat_ebpf::{
    counters::Counter,
    records::{HASHED_EVENT_PAGES, event_kind, removal_cause},
};

use super::{
    access,
    contents::repeat,
    counters::count,
    folio::{Folio, frame_of},
    frame_state,
    globals::{REMOVAL_PAGES_PER_SECOND, layout},
    inode::Inode,
    removal::{self, Scratch},
    runs::{Announcement, announce},
};

#[map]
static RECLAIM_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Argument `number` as a plain number: typed pointers may not be masked or compared
/// with constants, and 6.12 marks some as possibly null.
#[inline(always)]
fn argument(context: *mut core::ffi::c_void, number: u64) -> u64 {
    access::read(context as u64 + number * 8).unwrap_or(0)
}

#[repr(C)]
struct FolioRun {
    said: Announcement,
    frame: u64,
    index: u64,
    size: u64,
}

#[inline(never)]
unsafe extern "C" fn hash_piece(number: u64, run: *mut FolioRun) -> i64 {
    // SAFETY: `repeat` hands over the context of `reclaim_enter`.
    let run = unsafe { &mut *run };
    let first = number * HASHED_EVENT_PAGES as u64;
    let frame = run.frame + first;
    if frame_state::is_hashed(frame) {
        return 0;
    }
    if !removal::take_tokens(HASHED_EVENT_PAGES as u64) {
        count(Counter::RemovalNoToken, HASHED_EVENT_PAGES as u64);
        return 0;
    }
    let Some(scratch) = RECLAIM_SCRATCH.get_ptr_mut(0) else {
        return 1;
    };
    run.said.index = run.index + first;
    removal::hash_run(
        scratch,
        &run.said,
        frame,
        HASHED_EVENT_PAGES as u32,
        run.size,
    );
    0
}

/// `__remove_mapping(mapping, folio, reclaimed, target_memcg)`: the folio is locked and
/// unmapped. Its hashes are observations, true whether or not the removal succeeds; the
/// delete hook reports the removal itself.
#[fentry(function = "__remove_mapping")]
pub(crate) fn reclaim_enter(ctx: FEntryContext) -> i32 {
    if REMOVAL_PAGES_PER_SECOND.load() == 0 {
        return 0;
    }
    let mapping = argument(ctx.as_ptr(), 0);
    let address = argument(ctx.as_ptr(), 1);
    let Some(folio) = Folio::read(address) else {
        count(Counter::FolioUnreadable, 1);
        return 0;
    };
    let order = folio.order(address);
    let pages = 1_u32 << (order & 15);
    // Small folios, and those that are not stable, are left to the delete hook, which counts
    // what it does not hash. Memory on its way to swap comes by here, too.
    if pages <= HASHED_EVENT_PAGES as u32 || !removal::is_stable(&folio) || folio.is_swap_cache() {
        return 0;
    }
    let frame = frame_of(address);
    frame_state::set_seen_by_reclaim(frame);
    let Some(inode) = Inode::of_mapping(mapping) else {
        count(Counter::RemovalNoInode, u64::from(pages));
        return 0;
    };
    let mut run = FolioRun {
        said: Announcement::of(
            event_kind::HASHED,
            removal_cause::RECLAIM,
            &folio,
            mapping,
            0,
        ),
        frame,
        index: folio.index(),
        size: inode.size(),
    };
    repeat(pages / HASHED_EVENT_PAGES as u32, hash_piece, &mut run);
    0
}

/// Exit of `filemap_add_folio(mapping, folio, index, gfp)`: adds that failed, and folios
/// that `workingset_refault` recognised.
#[fexit(function = "filemap_add_folio")]
pub(crate) fn add_done(ctx: FExitContext) -> i32 {
    let address = argument(ctx.as_ptr(), 1);
    let result = argument(ctx.as_ptr(), 4) as i32;
    if result != 0 {
        count(Counter::AddsFailed, 1);
    } else if let Some(folio) = Folio::read(address) {
        if folio.has(layout!(flag_workingset)) {
            count(Counter::WorkingsetRefaults, 1);
        }
    } else {
        count(Counter::FolioUnreadable, 1);
    }
    0
}

/// Exit of `shmem_add_to_page_cache(folio, mapping, index, …)`: tmpfs has no add
/// tracepoint. Five arguments from 6.12 on, so the result is the sixth word.
#[fexit(function = "shmem_add_to_page_cache")]
pub(crate) fn shmem_added(ctx: FExitContext) -> i32 {
    shmem(argument(ctx.as_ptr(), 5), ctx.as_ptr())
}

/// The same for 6.1, where the function has six arguments.
#[fexit(function = "shmem_add_to_page_cache")]
pub(crate) fn shmem_added_six(ctx: FExitContext) -> i32 {
    shmem(argument(ctx.as_ptr(), 6), ctx.as_ptr())
}

#[inline(always)]
fn shmem(result: u64, context: *mut core::ffi::c_void) -> i32 {
    if result as i32 != 0 {
        return 0;
    }
    let address = argument(context, 0);
    if let Some(folio) = Folio::read(address) {
        let order = folio.order(address);
        frame_state::forget(frame_of(address), order);
        count(Counter::PagesAdded, 1 << (order & 15));
        let mut said = Announcement::of(event_kind::ADDED, 0, &folio, argument(context, 1), order);
        said.index = argument(context, 2);
        announce(&said);
    } else {
        count(Counter::FolioUnreadable, 1);
    }
    0
}
