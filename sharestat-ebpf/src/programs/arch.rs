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

/// Words of `struct pt_regs` (arch/x86/include/asm/ptrace.h), and room to index by a mask.
const SAVED: u32 = 21;
const ROOM: usize = 32;

/// `pt_regs.ip` is the seventeenth word.
const INSTRUCTION_POINTER: usize = 16;

/// The registers that a kprobe saved. Too large for the stack: a map value.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Registers {
    words: [u64; ROOM],
}

impl Registers {
    /// Reads the `pt_regs` at `address`; false on a fault.
    #[inline(always)]
    pub(crate) fn load(&mut self, address: u64) -> bool {
        // SAFETY: the array is larger.
        unsafe { super::access::copy((&raw mut self.words).cast(), SAVED * 8, address) }
    }

    #[inline(always)]
    pub(crate) fn instruction_pointer(&self) -> u64 {
        self.words[INSTRUCTION_POINTER]
    }

    /// A word of `pt_regs` by position.
    #[inline(always)]
    pub(crate) fn word(&self, position: u32) -> u64 {
        self.words[position as usize & (ROOM - 1)]
    }
}
