//! Merges events of consecutive pages into runs and sends them to the ring.
//!
//! One pending run per CPU; a hook that interrupts another one in the middle of it
//! finds the slot busy and sends its event alone. User space flushes what is pending
//! by running `flush_runs` on each CPU.

use aya_ebpf::{
    helpers::bpf_ktime_get_ns,
    macros::{map, raw_tracepoint},
    maps::{PerCpuArray, RingBuf},
    programs::RawTracePointContext,
};
use sharestat_ebpf::{
    counters::Counter,
    records::{Event, HashedEvent, event_flags, event_kind, memcg_id},
};

use super::{counters::count, folio::Folio, globals::RING_WAKE_BYTES, inode::Inode, memcg};

/// `BPF_RB_NO_WAKEUP`, `BPF_RB_FORCE_WAKEUP`, `BPF_RB_AVAIL_DATA` (include/uapi/linux/bpf.h).
const NO_WAKEUP: u64 = 1;
const FORCE_WAKEUP: u64 = 2;
const AVAILABLE: u64 = 0;

/// Longest run: keeps `pages` far from overflow and results timely.
const LONGEST: u32 = 1 << 18;

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 24, 0);

#[repr(C)]
struct Pending {
    busy: u64,
    mapping: u64,
    memcg_data: u64,
    event: Event,
}

#[map]
static PENDING: PerCpuArray<Pending> = PerCpuArray::with_max_entries(1, 0);

/// Keeps the compiler from moving accesses across; the BPF back-end has no fence
/// instruction and needs none, because only programs on the same CPU look.
#[inline(always)]
fn barrier() {
    // SAFETY: no instruction at all.
    unsafe { core::arch::asm!("", options(nostack, preserves_flags)) }
}

/// Where a run goes and what it says, besides its pages.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Announcement {
    pub(crate) kind: u8,
    pub(crate) cause: u8,
    pub(crate) mapping: u64,
    pub(crate) index: u64,
    pub(crate) order: u32,
    pub(crate) memcg_data: u64,
}

impl Announcement {
    #[inline(always)]
    pub(crate) fn of(kind: u8, cause: u8, folio: &Folio, mapping: u64, order: u32) -> Self {
        Self {
            kind,
            cause,
            mapping,
            index: folio.index(),
            order,
            memcg_data: folio.memcg_data(),
        }
    }
}

#[inline(always)]
fn wake_flag() -> u64 {
    if EVENTS.query(AVAILABLE) >= RING_WAKE_BYTES.load() {
        FORCE_WAKEUP
    } else {
        NO_WAKEUP
    }
}

#[inline(always)]
fn send(event: &Event) {
    if EVENTS.output::<Event>(event, wake_flag()).is_err() {
        count(Counter::EventsLost, 1);
    }
}

/// Sends hashes taken at removal.
#[inline(always)]
pub(crate) fn send_hashed(event: &HashedEvent) {
    if EVENTS.output::<HashedEvent>(event, wake_flag()).is_err() {
        count(Counter::EventsLost, 1);
    }
}

/// Fills `event` from an announcement; false when the inode cannot be read or is hugetlbfs.
#[inline(always)]
pub(crate) fn describe(event: &mut Event, said: &Announcement) -> bool {
    describe_event(event, said) != 0
}

/// [`describe`] as a global function, which the verifier walks once per program.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn describe_event(event: *mut Event, said: *const Announcement) -> u64 {
    if event.is_null() || said.is_null() {
        return 0;
    }
    // SAFETY: not null, and the verifier checked that callers hand over whole values.
    let (event, said) = unsafe { (&mut *event, &*said) };
    let Some(inode) = Inode::of_mapping(said.mapping) else {
        count(Counter::InodeUnreadable, 1);
        return 0;
    };
    if inode.is_hugetlb() {
        return 0;
    }
    event.kind = said.kind;
    event.cause = said.cause;
    event.order = said.order as u8;
    event.flags = if inode.is_tmpfs() {
        event_flags::TMPFS
    } else {
        0
    };
    event.pages = 1 << (said.order & 15);
    event.index = said.index;
    event.inode = inode.address;
    event.ino = inode.ino;
    event.dev = inode.dev;
    event.generation = inode.generation;
    event.memcg = if said.kind == event_kind::ADDED {
        memcg::id_of(said.memcg_data)
    } else {
        memcg_id::UNKNOWN
    };
    // SAFETY: helpers without arguments.
    event.time_ns = unsafe { bpf_ktime_get_ns() };
    event.subvolume = inode.subvolume();
    1
}

/// Adds one folio to this CPU's pending run, or sends that and starts another.
#[inline(always)]
pub(crate) fn announce(said: &Announcement) {
    let Some(pending) = PENDING.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: a map value of this CPU; `busy` keeps interrupting programs off it.
    let pending = unsafe { &mut *pending };
    // SAFETY: a plain word, volatile because another program may set it.
    if unsafe { core::ptr::read_volatile(&raw const pending.busy) } != 0 {
        count(Counter::RunsUnmerged, 1);
        let mut event = Event::default();
        if describe(&mut event, said) {
            send(&event);
        }
        return;
    }
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(&raw mut pending.busy, 1) };
    barrier();
    let event = &mut pending.event;
    let pages = event.pages;
    if pages != 0
        && pages < LONGEST
        && pending.mapping == said.mapping
        && event.index.wrapping_add(u64::from(pages)) == said.index
        && event.kind == said.kind
        && event.cause == said.cause
        && u32::from(event.order) == said.order
        && pending.memcg_data == said.memcg_data
    {
        event.pages = pages + (1 << (said.order & 15));
    } else {
        if pages != 0 {
            send(event);
        }
        pending.mapping = said.mapping;
        pending.memcg_data = said.memcg_data;
        if !describe(event, said) {
            event.pages = 0;
        }
    }
    barrier();
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(&raw mut pending.busy, 0) };
}

/// Sends this CPU's pending run when it says that pages of `mapping` came.
#[inline(always)]
pub(crate) fn send_added(mapping: u64) {
    let Some(pending) = PENDING.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: see `announce`.
    let pending = unsafe { &mut *pending };
    // SAFETY: see `announce`.
    let busy = unsafe { core::ptr::read_volatile(&raw const pending.busy) } != 0;
    if busy
        || pending.event.pages == 0
        || pending.mapping != mapping
        || pending.event.kind != event_kind::ADDED
    {
        return;
    }
    // SAFETY: see `announce`.
    unsafe { core::ptr::write_volatile(&raw mut pending.busy, 1) };
    barrier();
    send(&pending.event);
    pending.event.pages = 0;
    barrier();
    // SAFETY: see `announce`.
    unsafe { core::ptr::write_volatile(&raw mut pending.busy, 0) };
}

/// Sends the pending run of the CPU it runs on (test run, pinned).
#[raw_tracepoint(tracepoint = "sys_enter")]
pub(crate) fn flush_runs(_ctx: RawTracePointContext) -> i32 {
    let Some(pending) = PENDING.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: a map value of this CPU; a test run cannot be preempted, and when it
    // came by interrupt in the middle of a hook, `busy` says so.
    let pending = unsafe { &mut *pending };
    // SAFETY: see `announce`.
    let busy = unsafe { core::ptr::read_volatile(&raw const pending.busy) };
    if busy == 0 && pending.event.pages != 0 {
        send(&pending.event);
        pending.event.pages = 0;
        count(Counter::RunsFlushed, 1);
    }
    0
}
