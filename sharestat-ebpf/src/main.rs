//! The BPF object: one file per group of programs, and what they share.
//!
//! Hooks announce (`cache_events`, `reclaim`), programs run on request look
//! (`census`, `hash`, `identity`, `calibrate`), breakpoints report (`watch`). `access` reads
//! kernel structures, `runs` merges events, `removal` hashes what is about to go.
#![no_std]
#![no_main]
#![cfg_attr(
    target_arch = "bpf",
    feature(asm_experimental_arch),
    expect(unstable_features, reason = "a compiler barrier is inline assembly")
)]

#[cfg(target_arch = "bpf")]
mod programs;

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
