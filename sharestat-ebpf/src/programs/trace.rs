//! Counts what runs at given instructions (kprobes), and how often with a folio that
//! could be shared. User space says which register holds the folio at each of them.

use aya_ebpf::{
    EbpfContext as _,
    macros::{kprobe, map},
    maps::{Array, HashMap, PerCpuArray, PerCpuHashMap},
    programs::ProbeContext,
};
use sharestat_ebpf::records::{TracedPlace, TracedSite};

use super::{access, arch, folio::Folio, globals::layout, inode::Inode};

/// Where the folio is, by instruction pointer. User space sets the size.
#[map]
static TRACED: HashMap<u64, TracedPlace> = HashMap::with_max_entries(1, 0);

/// What was counted there.
#[map]
static TRACES: PerCpuHashMap<u64, TracedSite> = PerCpuHashMap::with_max_entries(1, 0);

/// The device (`s_dev`) whose files count as such; 0 for all.
#[map]
static TRACED_DEVICE: Array<u32> = Array::with_max_entries(1, 0);

#[map]
static REGISTERS: PerCpuArray<arch::Registers> = PerCpuArray::with_max_entries(1, 0);

/// Counts what the folio at `address` is.
#[inline(always)]
fn look_at(address: u64, site: &mut TracedSite) {
    let Some(folio) = Folio::read(address) else {
        return;
    };
    if folio.is_typed() || folio.is_swap_cache() {
        return;
    }
    let Some(mapping) = folio.mapping() else {
        return;
    };
    let Some(inode) = Inode::of_mapping(mapping) else {
        return;
    };
    let device = TRACED_DEVICE.get(0).copied().unwrap_or(0);
    if device == 0 || device == inode.dev {
        site.files += 1;
    }
    if folio.has(layout!(flag_uptodate))
        && !folio.has(layout!(flag_dirty))
        && !folio.has(layout!(flag_writeback))
        && !folio.has(layout!(flag_swapbacked))
        && access::read::<i32>(mapping + layout!(mapping_writable)).unwrap_or(1) <= 0
    {
        site.shareable += 1;
    }
}

/// Runs in front of a traced instruction.
#[kprobe]
pub(crate) fn trace_hit(ctx: ProbeContext) -> u32 {
    let Some(registers) = REGISTERS.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: a map value of this CPU, on which no two of these programs run at once
    // (`bpf_prog_active`).
    let registers = unsafe { &mut *registers };
    if !registers.load(ctx.as_ptr() as u64) {
        return 0;
    }
    let ip = registers.instruction_pointer();
    // SAFETY: only read here, and never removed while programs run.
    let Some(place) = (unsafe { TRACED.get(ip) }) else {
        return 0;
    };
    let Some(site) = TRACES.get_ptr_mut(ip) else {
        return 0;
    };
    let address = registers
        .word(place.register)
        .wrapping_add(place.displacement as u64);
    // SAFETY: a map value of this CPU.
    let site = unsafe { &mut *site };
    site.hits += 1;
    look_at(address, site);
    0
}
