//! The three raw tracepoints that every kernel has: pages enter, leave, become dirty.

use aya_ebpf::{
    helpers::{bpf_get_current_task, bpf_ktime_get_ns},
    macros::{map, raw_tracepoint},
    maps::PerCpuArray,
    programs::RawTracePointContext,
};
use sharestat_ebpf::{
    counters::Counter,
    records::{COST_BUCKETS, cost_hook, event_kind, removal_cause},
};

use super::{
    access,
    counters::count,
    folio::{Folio, frame_of},
    frame_state,
    globals::layout,
    removal,
    runs::{Announcement, announce},
};

/// `PF_MEMALLOC` (include/linux/sched.h, unchanged 6.1 to 7.3; a macro, so not in BTF):
/// set on kswapd and by every reclaim entry through `memalloc_noreclaim_save`.
const PF_MEMALLOC: u32 = 0x800;

/// Costs are sampled once in this many calls per CPU: two clock reads cost as much
/// as the hook itself.
const SAMPLE_MASK: u64 = 63;

#[map]
static HOOK_CALLS: PerCpuArray<u64> = PerCpuArray::with_max_entries(cost_hook::COUNT, 0);

#[map]
static HOOK_COST: PerCpuArray<[u64; COST_BUCKETS]> =
    PerCpuArray::with_max_entries(cost_hook::COUNT, 0);

/// Start of a sampled call, 0 when this call is not sampled.
#[inline(always)]
fn start(hook: u32) -> u64 {
    let Some(calls) = HOOK_CALLS.get_ptr_mut(hook) else {
        return 0;
    };
    // SAFETY: a map value of this CPU.
    let number = unsafe {
        *calls = (*calls).wrapping_add(1);
        *calls
    };
    if number & SAMPLE_MASK == 0 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_ktime_get_ns() }
    } else {
        0
    }
}

/// Bucket of `nanoseconds`: eight per octave, exact below 8 ns.
#[inline(always)]
fn bucket(nanoseconds: u64) -> usize {
    let mut value = nanoseconds;
    let mut octave = 0_u64;
    if value >= 1 << 32 {
        return COST_BUCKETS - 1;
    }
    if value >= 1 << 19 {
        value >>= 16;
        octave += 16;
    }
    if value >= 1 << 11 {
        value >>= 8;
        octave += 8;
    }
    if value >= 1 << 7 {
        value >>= 4;
        octave += 4;
    }
    if value >= 1 << 5 {
        value >>= 2;
        octave += 2;
    }
    if value >= 1 << 4 {
        value >>= 1;
        octave += 1;
    }
    if value >= 8 {
        (octave * 8 + 8 + (value & 7)) as usize
    } else {
        value as usize
    }
}

#[inline(always)]
fn finish(hook: u32, started: u64) {
    if started != 0 {
        note_cost(hook, started);
    }
}

/// Counts the cost of a sampled call.
///
/// A global function, which the verifier walks once; inside a hook it would walk every
/// way through [`bucket`] for every state in which the hook can end.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn note_cost(hook: u32, started: u64) -> u64 {
    // SAFETY: a helper without arguments.
    let elapsed = unsafe { bpf_ktime_get_ns() }.wrapping_sub(started);
    if let Some(buckets) = HOOK_COST.get_ptr_mut(hook) {
        let position = bucket(elapsed) & (COST_BUCKETS - 1);
        // SAFETY: a map value of this CPU, position masked.
        unsafe { (*buckets)[position] = (*buckets)[position].wrapping_add(1) }
    }
    0
}

/// `trace_mm_filemap_add_to_page_cache(folio)`, inside `filemap_add_folio`: contents
/// are not there yet, so this only announces.
#[raw_tracepoint(tracepoint = "mm_filemap_add_to_page_cache")]
pub(crate) fn page_added(ctx: RawTracePointContext) -> i32 {
    let started = start(cost_hook::ADDED);
    let address: u64 = ctx.arg(0);
    if let Some(folio) = Folio::read(address) {
        if let Some(mapping) = folio.mapping() {
            let order = folio.order(address);
            frame_state::forget(frame_of(address), order);
            count(Counter::PagesAdded, 1 << (order & 15));
            announce(&Announcement::of(
                event_kind::ADDED,
                0,
                &folio,
                mapping,
                order,
            ));
        } else {
            count(Counter::InodeUnreadable, 1);
        }
    } else {
        count(Counter::FolioUnreadable, 1);
    }
    finish(cost_hook::ADDED, started);
    0
}

/// Whether the current task is reclaiming memory; `None` when it cannot be read.
#[inline(always)]
fn reclaiming() -> Option<bool> {
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() };
    let flags: u32 = access::read(task + layout!(task_flags))?;
    let state: u64 = access::read(task + layout!(task_reclaim))?;
    Some(flags & PF_MEMALLOC != 0 || state != 0)
}

/// `trace_mm_filemap_delete_from_page_cache(folio)`: the last moment with mapping and
/// contents. Interrupts are off.
#[raw_tracepoint(tracepoint = "mm_filemap_delete_from_page_cache")]
pub(crate) fn page_removed(ctx: RawTracePointContext) -> i32 {
    let started = start(cost_hook::REMOVED);
    let address: u64 = ctx.arg(0);
    if let Some(folio) = Folio::read(address) {
        if let Some(mapping) = folio.mapping() {
            let order = folio.order(address);
            let (cause, counter) = match reclaiming() {
                Some(true) => (removal_cause::RECLAIM, Counter::PagesReclaimed),
                Some(false) => (removal_cause::TRUNCATE, Counter::PagesTruncated),
                None => (removal_cause::UNKNOWN, Counter::PagesRemovedUnknown),
            };
            count(counter, 1 << (order & 15));
            let said = Announcement::of(event_kind::REMOVED, cause, &folio, mapping, order);
            removal::hash_small(address, &folio, &said);
            frame_state::forget(frame_of(address), order);
            announce(&said);
        } else {
            count(Counter::InodeUnreadable, 1);
        }
    } else {
        count(Counter::FolioUnreadable, 1);
    }
    finish(cost_hook::REMOVED, started);
    0
}

/// `trace_writeback_dirty_folio(folio, mapping)`: clean to dirty, under the tree lock.
#[raw_tracepoint(tracepoint = "writeback_dirty_folio")]
pub(crate) fn page_dirtied(ctx: RawTracePointContext) -> i32 {
    let started = start(cost_hook::DIRTIED);
    let address: u64 = ctx.arg(0);
    let mapping: u64 = ctx.arg(1);
    if let Some(folio) = Folio::read(address) {
        if access::is_kernel(mapping) {
            let order = folio.order(address);
            frame_state::forget(frame_of(address), order);
            count(Counter::PagesDirtied, 1 << (order & 15));
            announce(&Announcement::of(
                event_kind::DIRTIED,
                0,
                &folio,
                mapping,
                order,
            ));
        } else {
            count(Counter::InodeUnreadable, 1);
        }
    } else {
        count(Counter::FolioUnreadable, 1);
    }
    finish(cost_hook::DIRTIED, started);
    0
}
