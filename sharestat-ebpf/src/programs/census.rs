//! Walks page frames and reports every page-cache folio among them, without touching
//! a reference, a flag or a list.
//!
//! Run as test run with the arguments (worker, first frame, number of frames, multiple
//! of 64); results in `FRAME_WORK[worker]`.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::{map, raw_tracepoint},
    maps::Array,
    programs::RawTracePointContext,
};
use core::ffi::c_void;
use sharestat_ebpf::{
    PAGE_WORDS,
    counters::Counter,
    records::{FRAME_BATCH, FrameBatch, FrameRecord, frame_flags, memcg_id},
};

use super::{
    access,
    contents::repeat,
    counters::count,
    folio::{Folio, structure_of},
    frame_state,
    globals::layout,
    inode::Inode,
    memcg,
};

#[map]
static FRAME_WORK: Array<FrameBatch> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What one worker walks with. In a map and not on the stack: the verifier follows
/// every value on the stack along every path, and takes what is in a map as unknown.
#[repr(C)]
pub(crate) struct Walk {
    first: u64,
    frame: u64,
    records: u64,
    holes: u64,
    rejected: u64,
    walked: u64,
    /// The charge that was resolved last, and what it is: most frames have the one before.
    memcg_data: u64,
    memcg: u64,
    /// 64 page structures of 64 bytes each.
    structures: [u64; PAGE_WORDS],
}

#[map]
static FRAME_SCRATCH: Array<Walk> = Array::with_max_entries(1, 0);

/// Page structures per copy.
const BLOCK: u64 = 64;

/// Context of the callbacks, which must be on the stack (`bpf_loop`).
#[repr(C)]
struct Worker {
    walk: *mut Walk,
    batch: *mut FrameBatch,
}

/// `mapping` and first word of a page structure in the scratch copy.
#[inline(always)]
fn glance(scratch: &[u64; PAGE_WORDS], position: usize, offset: u64) -> u64 {
    scratch[(position * 8 + (offset >> 3) as usize) & 511]
}

/// Context of [`check_mark`].
#[repr(C)]
struct Marks {
    frame: u64,
    unmarked: u64,
}

#[inline(never)]
unsafe extern "C" fn check_mark(number: u64, marks: *mut Marks) -> i64 {
    // SAFETY: `repeat` hands over the context of `all_hashed`.
    let marks = unsafe { &mut *marks };
    if frame_state::is_hashed(marks.frame + number) {
        return 0;
    }
    marks.unmarked = 1;
    1
}

/// Whether every page of a folio carries the mark of having been hashed.
#[inline(always)]
fn all_hashed(frame: u64, order: u32) -> bool {
    if order == 0 {
        return frame_state::is_hashed(frame);
    }
    let mut marks = Marks { frame, unmarked: 0 };
    repeat(1 << (order & 15), check_mark, &mut marks);
    marks.unmarked == 0
}

#[inline(always)]
fn record(folio: &Folio, address: u64, inode: &Inode, order: u32, memcg: u64) -> FrameRecord {
    let mut flags = 0;
    if folio.has(layout!(flag_uptodate)) {
        flags |= frame_flags::UPTODATE;
    }
    if folio.has(layout!(flag_dirty)) {
        flags |= frame_flags::DIRTY;
    }
    if folio.has(layout!(flag_writeback)) {
        flags |= frame_flags::WRITEBACK;
    }
    if folio.has(layout!(flag_locked)) {
        flags |= frame_flags::LOCKED;
    }
    if inode.is_tmpfs() {
        flags |= frame_flags::SWAPBACKED;
    }
    if folio.has(layout!(flag_active)) {
        flags |= frame_flags::ACTIVE;
    }
    if folio.is_mapped() {
        flags |= frame_flags::MAPPED;
    }
    if inode.is_mapped_writably() {
        flags |= frame_flags::MAPPED_WRITABLY;
    }
    FrameRecord {
        inode: inode.address,
        ino: inode.ino,
        index: folio.index(),
        folio: address,
        memcg,
        dev: inode.dev,
        generation: inode.generation,
        subvolume: inode.subvolume(),
        flags,
        order: order as u8,
        reserved: [0; 5],
    }
}

/// Adds the folio whose first page structure is at `position` of the block to the
/// batch, when it is a page-cache folio.
///
/// A global function, which the verifier walks once; a static one it would walk again
/// for every state in which a caller can be: 98,000 instructions instead of 1,000 on 7.2.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn report_folio(
    walk: *mut Walk,
    batch: *mut FrameBatch,
    position: u64,
) -> u64 {
    if walk.is_null() || batch.is_null() {
        return 0;
    }
    // SAFETY: not null, and the verifier checked that callers hand over whole values.
    let walk = unsafe { &mut *walk };
    let frame = walk.frame + position;
    let address = structure_of(frame);
    let Some(folio) = Folio::read(address) else {
        count(Counter::FrameUnreadable, 1);
        return 0;
    };
    // No page cache, or none any more since the block was copied.
    let Some(mapping) = folio.mapping() else {
        return 0;
    };
    if folio.references() == 0 || folio.is_typed() || folio.is_swap_cache() {
        return 0;
    }
    let Some(inode) = Inode::of_mapping(mapping) else {
        walk.rejected += 1;
        return 0;
    };
    if inode.is_hugetlb() || inode.is_dax() {
        return 0;
    }
    let order = folio.order(address);
    let hashed = all_hashed(frame, order);
    let memcg_data = folio.memcg_data();
    if memcg_data != walk.memcg_data || walk.memcg == memcg_id::UNKNOWN {
        walk.memcg_data = memcg_data;
        walk.memcg = memcg::id_of(memcg_data);
    }
    let mut record = record(&folio, address, &inode, order, walk.memcg);
    if hashed {
        record.flags |= frame_flags::HASHED;
    }
    let slot = walk.records as usize & (FRAME_BATCH - 1);
    // SAFETY: not null, as above; the position is masked, and `next_block` stops before
    // the batch can overflow.
    unsafe { (*batch).frames[slot] = record };
    walk.records += 1;
    0
}

#[inline(never)]
unsafe extern "C" fn look(position: u64, worker: *mut Worker) -> i64 {
    // SAFETY: `repeat` hands over the context of `next_block`, whose pointers lead to
    // map values of this worker.
    let (walk, batch) = unsafe { ((*worker).walk, (*worker).batch) };
    // SAFETY: as above.
    let scratch = unsafe { &(*walk).structures };
    let position = position as usize & (BLOCK as usize - 1);
    let mapping = glance(scratch, position, layout!(folio_mapping));
    // Most frames end here: free, anonymous, slab. The low bit of the second word
    // marks a tail page (compound_head; compound_info from 7.2 on).
    if mapping & 3 == 0 && access::is_kernel(mapping) && glance(scratch, position, 8) & 1 == 0 {
        report_folio(walk, batch, position as u64);
    }
    0
}

#[inline(never)]
unsafe extern "C" fn next_block(number: u64, worker: *mut Worker) -> i64 {
    // SAFETY: `repeat` hands over the context of `walk_frames`, which this callback may
    // hand on; `walk` is a map value of this worker.
    let (worker, walk) = unsafe { (&mut *worker, &mut *(*worker).walk) };
    if walk.records + BLOCK > FRAME_BATCH as u64 {
        return 1;
    }
    walk.frame = walk.first + number * BLOCK;
    walk.walked += BLOCK;
    let from = structure_of(walk.frame);
    // SAFETY: the scratch page of this worker.
    if unsafe { access::copy((&raw mut walk.structures).cast::<c_void>(), 4096, from) } {
        repeat(BLOCK as u32, look, worker);
    } else {
        walk.holes += 1;
    }
    0
}

/// Arguments: worker, first frame, number of frames.
#[raw_tracepoint(tracepoint = "sys_enter")]
pub(crate) fn walk_frames(ctx: RawTracePointContext) -> i32 {
    let worker: u64 = ctx.arg(0);
    let first: u64 = ctx.arg(1);
    let frames: u64 = ctx.arg(2);
    let (Some(batch), Some(walk)) = (
        FRAME_WORK.get_ptr_mut(worker as u32),
        FRAME_SCRATCH.get_ptr_mut(worker as u32),
    ) else {
        return 0;
    };
    let mut worker = Worker { walk, batch };
    // SAFETY: a map value of this worker.
    let walk = unsafe { &mut *walk };
    walk.first = first;
    walk.records = 0;
    walk.holes = 0;
    walk.rejected = 0;
    walk.walked = 0;
    walk.memcg = memcg_id::UNKNOWN;
    repeat((frames / BLOCK) as u32, next_block, &mut worker);
    count(Counter::FramesWalked, walk.walked);
    count(Counter::FrameHoles, walk.holes);
    count(Counter::FrameInodeRejected, walk.rejected);
    // SAFETY: a map value of this worker.
    unsafe {
        (*batch).records = walk.records;
        (*batch).next_frame = first + walk.walked;
    }
    0
}
