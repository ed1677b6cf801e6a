//! Reads of kernel memory by address; a fault is `None`, never an oops.

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated};
use core::ffi::c_void;

use super::arch::KERNEL_HALF;

/// Whether `address` can be a kernel pointer at all.
#[inline(always)]
pub(crate) fn is_kernel(address: u64) -> bool {
    address >= KERNEL_HALF
}

/// One value at `address`.
#[inline(always)]
pub(crate) fn read<T: Copy>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address and fails on a fault.
    unsafe { bpf_probe_read_kernel(address as *const T) }.ok()
}

/// Pointer at `address`, when it points into the kernel.
#[inline(always)]
pub(crate) fn read_pointer(address: u64) -> Option<u64> {
    read::<u64>(address).filter(|pointer| is_kernel(*pointer))
}

/// Copies `bytes` (constant or verifier-bounded) from `address` to `to`; false on a fault.
///
/// # Safety
/// `to` must be valid for `bytes` bytes.
#[inline(always)]
pub(crate) unsafe fn copy(to: *mut c_void, bytes: u32, address: u64) -> bool {
    // SAFETY: by contract.
    unsafe { generated::bpf_probe_read_kernel(to, bytes, address as *const c_void) == 0 }
}

/// Fills `bytes` at `to` with zeros: the helper clears its destination when the
/// address is not a kernel one, which costs one call instead of thousands of
/// verified stores.
///
/// # Safety
/// `to` must be valid for `bytes` bytes.
#[inline(always)]
pub(crate) unsafe fn clear(to: *mut c_void, bytes: u32) {
    // SAFETY: by contract; address 0 always fails.
    let _ = unsafe { copy(to, bytes, 0) };
}

/// `value & MASK` as an instruction that the optimiser cannot drop because it believes
/// to know better: the verifier forgets bounds that the optimiser remembers.
#[inline(always)]
pub(crate) fn masked<const MASK: i32>(value: u64) -> u64 {
    let mut value = value;
    // SAFETY: one arithmetic instruction on one register.
    unsafe {
        core::arch::asm!(
            "{value} &= {mask}",
            value = inout(reg) value,
            mask = const MASK,
            options(pure, nomem, nostack),
        );
    }
    value
}
