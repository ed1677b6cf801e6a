//! Finds where the memory map and the direct map are, from one page whose frame number
//! and content user space knows. Needs no symbol, no `/proc/kcore`.
//!
//! Run as test run in the process that owns the file descriptor in `CALIBRATION`.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    helpers::bpf_get_current_task,
    macros::{map, raw_tracepoint},
    maps::Array,
    programs::RawTracePointContext,
};
use aya_log_ebpf::info;
use sharestat_ebpf::records::Calibration;

use super::{
    access, arch::DIRECT_MAP_STEP, contents::repeat, globals::layout, inode::Inode, page_tree,
};

#[map]
static CALIBRATION: Array<Calibration> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Candidates for the base of the direct map: 64 TiB in steps of 1 GiB.
const CANDIDATES: u32 = 1 << 16;

#[repr(C)]
struct Search {
    calibration: *mut Calibration,
    base: u64,
}

#[inline(never)]
unsafe extern "C" fn try_base(number: u64, search: *mut Search) -> i64 {
    // SAFETY: `repeat` hands over the context of `calibrate`.
    let search = unsafe { &mut *search };
    // SAFETY: the only map value, used by one process at a time.
    let calibration = unsafe { &mut *search.calibration };
    let base = search.base.wrapping_sub(number * DIRECT_MAP_STEP);
    if !access::is_kernel(base) {
        return 1;
    }
    calibration.tries = number + 1;
    let Some(words) = access::read::<[u64; 8]>(base.wrapping_add(calibration.frame << 12)) else {
        return 0;
    };
    let mut word = 0;
    while word < 8 {
        if words[word] != calibration.cookie[word] {
            return 0;
        }
        word += 1;
    }
    calibration.direct_map = base;
    1
}

/// Address of the inode behind file descriptor `fd` of the current task.
#[inline(always)]
fn inode_of(fd: u64) -> Option<u64> {
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() };
    let files = access::read_pointer(task + layout!(task_files))?;
    let table = access::read_pointer(files + layout!(files_table))?;
    let array = access::read_pointer(table + layout!(table_array))?;
    let file = access::read_pointer(array + fd * 8)?;
    access::read_pointer(file + layout!(file_inode))
}

#[raw_tracepoint(tracepoint = "sys_enter")]
pub(crate) fn calibrate(ctx: RawTracePointContext) -> i32 {
    let Some(calibration) = CALIBRATION.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: the only map value, used by one process at a time.
    let slot = unsafe { &mut *calibration };
    slot.folio = 0;
    slot.direct_map = 0;
    slot.tries = 0;
    let Some(inode) = inode_of(slot.fd).and_then(Inode::read) else {
        info!(&ctx, "calibrate: no inode behind descriptor {}", slot.fd);
        return 0;
    };
    slot.inode = inode.address;
    slot.ino = inode.ino;
    slot.dev = inode.dev;
    slot.generation = inode.generation;
    slot.folio = page_tree::find_in_page_tree(inode.mapping(), 0);
    // SAFETY: a helper without arguments.
    let base = unsafe { bpf_get_current_task() } & !(DIRECT_MAP_STEP - 1);
    let mut search = Search { calibration, base };
    repeat(CANDIDATES, try_base, &mut search);
    info!(
        &ctx,
        "calibrate: inode {:x} folio {:x} direct map {:x} after {} tries",
        slot.inode,
        slot.folio,
        slot.direct_map,
        slot.tries
    );
    0
}
