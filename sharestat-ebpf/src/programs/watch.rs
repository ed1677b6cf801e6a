//! Runs when a watched `folio->mapping` is accessed (perf breakpoint), and says who did
//! it and what the folio was like. `read_text` hands kernel code to user space, so that
//! the accessing instruction can be decoded without an image.

use aya_ebpf::{
    EbpfContext as _,
    bindings::BPF_F_MMAPABLE,
    helpers::{
        bpf_get_current_pid_tgid, bpf_get_current_task, bpf_get_smp_processor_id, bpf_ktime_get_ns,
        generated,
    },
    macros::{map, perf_event, raw_tracepoint},
    maps::{Array, RingBuf},
    programs::{PerfEventContext, RawTracePointContext},
};
use sharestat_ebpf::{
    counters::Counter,
    records::{STACK_FRAMES, TEXT_BYTES, WatchHit, frame_flags, mapping_state},
};

use super::{access, arch, counters::count, folio::Folio, globals::layout, inode::Inode};

/// User space sets the size.
#[map]
static HITS: RingBuf = RingBuf::with_byte_size(4096, 0);

#[map]
static TEXT: Array<[u8; TEXT_BYTES]> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// `BPF_RB_NO_WAKEUP` (include/uapi/linux/bpf.h): user space polls.
const NO_WAKEUP: u64 = 1;

/// Flags of [`frame_flags`] from those of the kernel.
#[inline(always)]
fn flags_of(folio: &Folio) -> u16 {
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
    if folio.has(layout!(flag_swapbacked)) {
        flags |= frame_flags::SWAPBACKED;
    }
    if folio.has(layout!(flag_active)) {
        flags |= frame_flags::ACTIVE;
    }
    if folio.is_mapped() {
        flags |= frame_flags::MAPPED;
    }
    flags
}

/// What the mapping word is, and whose: fills the fields of `hit` about it.
#[inline(always)]
fn describe(hit: &mut WatchHit, folio: &Folio) {
    hit.ino = 0;
    hit.dev = 0;
    hit.writers = 0;
    hit.state = if hit.mapping == 0 {
        mapping_state::NONE
    } else if hit.mapping & 3 != 0 {
        mapping_state::TAGGED
    } else {
        mapping_state::OTHER
    };
    let Some(mapping) = folio.mapping() else {
        return;
    };
    if folio.is_typed() || folio.is_swap_cache() {
        return;
    }
    if let Some(inode) = Inode::of_mapping(mapping) {
        hit.state = mapping_state::FILE;
        hit.ino = inode.ino;
        hit.dev = inode.dev;
        hit.writers = access::read(mapping + layout!(mapping_writable)).unwrap_or(0);
    }
}

/// A watched word was read or written. On x86 the debug registers are off while this
/// runs (`local_db_save`), so that its own reads of the folio do not come back here.
#[perf_event]
pub(crate) fn watch_hit(ctx: PerfEventContext) -> u32 {
    count(Counter::WatchHits, 1);
    // SAFETY: the context is that of a perf event program.
    let (ip, watched) = unsafe { arch::perf_event_place(ctx.ctx) };
    let address = watched.wrapping_sub(layout!(folio_mapping));
    let Some(folio) = Folio::read(address) else {
        count(Counter::WatchUnreadable, 1);
        return 0;
    };
    let Some(mut entry) = HITS.reserve::<WatchHit>(0) else {
        count(Counter::WatchLost, 1);
        return 0;
    };
    // SAFETY: every field is written before the record is submitted.
    let hit = unsafe { &mut *entry.as_mut_ptr() };
    // SAFETY: helpers without arguments.
    hit.time_ns = unsafe { bpf_ktime_get_ns() };
    hit.ip = ip;
    hit.watched = watched;
    hit.mapping = folio.raw_mapping();
    hit.index = folio.index();
    hit.flags = flags_of(&folio);
    hit.order = folio.order(address) as u8;
    describe(hit, &folio);
    hit.process = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: a helper without arguments.
    hit.cpu = unsafe { bpf_get_smp_processor_id() };
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() };
    hit.task_flags = u64::from(access::read::<u32>(task + layout!(task_flags)).unwrap_or(0));
    // SAFETY: the destinations lie in the record and have the sizes given.
    let bytes = unsafe {
        generated::bpf_get_current_comm((&raw mut hit.command).cast(), 16);
        generated::bpf_get_stack(
            ctx.as_ptr(),
            (&raw mut hit.stack).cast(),
            8 * STACK_FRAMES as u32,
            0,
        )
    };
    hit.stack_bytes = if bytes < 0 { 0 } else { bytes as u32 };
    entry.submit(NO_WAKEUP);
    0
}

/// Copies [`TEXT_BYTES`] from the address in the first argument; zeros where it faults.
#[raw_tracepoint(tracepoint = "sys_enter")]
pub(crate) fn read_text(ctx: RawTracePointContext) -> i32 {
    let address: u64 = ctx.arg(0);
    if let Some(text) = TEXT.get_ptr_mut(0) {
        // SAFETY: a map value of that size.
        unsafe { access::copy(text.cast(), TEXT_BYTES as u32, address) };
    }
    0
}
