//! The rounds of XXH64 in ten registers.
//!
//! What `sharestat_ebpf::xxh64` computes. BPF has ten registers and no rotation; the
//! compiler keeps more values than fit, spills, and needs 42 instructions for four words;
//! these are 34. The proof at start-up compares both.

use sharestat_ebpf::xxh64::{PRIME_1, PRIME_2};

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

/// Takes `WORDS` words, a multiple of eight, into the lanes of a hash.
///
/// # Safety
/// `from` must be valid for as many words.
#[inline(always)]
pub(crate) unsafe fn take<const WORDS: usize>(from: *const u64, lanes: &mut [u64; 4]) {
    let [lane_1, lane_2, lane_3, lane_4] = lanes;
    // SAFETY: by contract; the verifier follows every round.
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
            "if {times} < {all} goto 2b",
            lane_1 = inout(reg) *lane_1,
            lane_2 = inout(reg) *lane_2,
            lane_3 = inout(reg) *lane_3,
            lane_4 = inout(reg) *lane_4,
            prime_1 = in(reg) PRIME_1,
            prime_2 = in(reg) PRIME_2,
            from = inout(reg) from => _,
            times = inout(reg) 0_u64 => _,
            all = const WORDS / 8,
            word = out(reg) _,
            options(nostack, readonly),
        );
    }
}
