//! XXH64 of a page in ten registers.
//!
//! What `sharestat_ebpf::xxh64` computes. BPF has ten registers and no rotation; the
//! compiler keeps more values than fit, spills, and needs 42 instructions for four words;
//! these are 34. The proof at start-up compares both.

use sharestat_ebpf::{
    PAGE_WORDS,
    xxh64::{PRIME_1, PRIME_2, finish, lanes},
};

/// `lane = rotate_left(lane + word * PRIME_2, 31) * PRIME_1`, the word at `$offset`.
macro_rules! round {
    ($lane:literal, $offset:literal) => {
        concat!(
            "{word} = *(u64 *)({from} + ",
            $offset,
            ")\n",
            "{word} *= {prime_2}\n",
            "{",
            $lane,
            "} += {word}\n",
            "{word} = {",
            $lane,
            "}\n",
            "{word} >>= 33\n",
            "{",
            $lane,
            "} <<= 31\n",
            "{",
            $lane,
            "} |= {word}\n",
            "{",
            $lane,
            "} *= {prime_1}\n",
        )
    };
}

/// Hash of the page.
#[inline(always)]
pub(crate) fn xxh64(page: &[u64; PAGE_WORDS], seed: u64) -> u64 {
    let [mut lane_1, mut lane_2, mut lane_3, mut lane_4] = lanes(seed);
    // SAFETY: reads 64 rounds of 64 bytes from a page; the verifier follows every one.
    unsafe {
        core::arch::asm!(
            "2:",
            round!("lane_1", "0"),
            round!("lane_2", "8"),
            round!("lane_3", "16"),
            round!("lane_4", "24"),
            round!("lane_1", "32"),
            round!("lane_2", "40"),
            round!("lane_3", "48"),
            round!("lane_4", "56"),
            "{from} += 64",
            "{times} += 1",
            "if {times} < 64 goto 2b",
            lane_1 = inout(reg) lane_1,
            lane_2 = inout(reg) lane_2,
            lane_3 = inout(reg) lane_3,
            lane_4 = inout(reg) lane_4,
            prime_1 = in(reg) PRIME_1,
            prime_2 = in(reg) PRIME_2,
            from = inout(reg) page.as_ptr() => _,
            times = inout(reg) 0_u64 => _,
            word = out(reg) _,
            options(nostack, readonly),
        );
    }
    finish([lane_1, lane_2, lane_3, lane_4])
}
