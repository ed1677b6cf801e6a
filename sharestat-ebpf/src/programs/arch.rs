//! The one place that knows addresses of an architecture.

/// Start of the kernel's half of the address space: x86-64 with five-level paging
/// begins at `0xff00…`, arm64 with 52-bit addresses at `0xfff0…`.
pub(crate) const KERNEL_HALF: u64 = 0xff00_0000_0000_0000;

/// Step in which the direct map is placed: `randomize_memory` (arch/x86/mm/kaslr.c)
/// aligns to a PUD; arm64 with 4 KiB pages is aligned to at least as much.
pub(crate) const DIRECT_MAP_STEP: u64 = 1 << 30;

/// Where a perf event happened: the instruction pointer, and the address it was about.
///
/// # Safety
/// `context` must be the context of a perf event program.
#[inline(always)]
pub(crate) unsafe fn perf_event_place(
    context: *const aya_ebpf::bindings::bpf_perf_event_data,
) -> (u64, u64) {
    // SAFETY: by contract. Volatile, so that each is one load of one whole field, as the
    // verifier demands.
    unsafe {
        (
            core::ptr::read_volatile(&raw const (*context).regs.rip),
            core::ptr::read_volatile(&raw const (*context).addr),
        )
    }
}
