//! Named counters, per CPU.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use sharestat_ebpf::counters::Counter;

#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::COUNT as u32, 0);

/// Adds `amount` to `counter` on this CPU.
#[inline(always)]
pub(crate) fn count(counter: Counter, amount: u64) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter as u32) {
        // SAFETY: a map value, valid while the program runs. Not atomic: a program
        // that interrupts between load and store on this CPU may cost one count.
        unsafe { *value = (*value).wrapping_add(amount) }
    }
}
