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
#[expect(
    clippy::inline_always,
    reason = "programs must not call: the verifier would walk a function once per caller"
)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "registers have 64 bits, fields of the kernel fewer; the verifier knows no panic"
)]
#[expect(
    clippy::needless_pass_by_value,
    reason = "entry functions hand on the context that aya gives them by value"
)]
#[expect(
    clippy::verbose_bit_mask,
    reason = "BPF has an instruction for masks and none for counting zeros"
)]
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
