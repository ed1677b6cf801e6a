//! XXH64 of exactly one page, the same source in BPF and in user space.
//!
//! Written as one plain loop over words, because the verifier walks every
//! iteration: no slices, no iterators, no remainder handling. The constants and
//! the mixing steps follow the published XXH64 specification
//! (`doc/xxhash_spec.md` of the xxHash project); `tests` compares it with a
//! well-kept crate.

#![expect(
    clippy::inline_always,
    reason = "BPF programs must not call: the verifier would walk the hash once per caller"
)]

use crate::PAGE_WORDS;

/// The multiplier behind the rotation.
pub const PRIME_1: u64 = 0x9E37_79B1_85EB_CA87;
/// The multiplier of each word.
pub const PRIME_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME_4: u64 = 0x85EB_CA77_C2B2_AE63;

#[inline(always)]
const fn round(accumulator: u64, word: u64) -> u64 {
    accumulator
        .wrapping_add(word.wrapping_mul(PRIME_2))
        .rotate_left(31)
        .wrapping_mul(PRIME_1)
}

#[inline(always)]
const fn merge(hash: u64, accumulator: u64) -> u64 {
    (hash ^ round(0, accumulator))
        .wrapping_mul(PRIME_1)
        .wrapping_add(PRIME_4)
}

/// XXH64 of one page given as little-endian words.
///
/// On a big-endian machine the words must be byte-swapped by the caller; BPF and
/// every supported architecture are little-endian.
#[inline(always)]
#[must_use]
pub const fn xxh64_page(page: &[u64; PAGE_WORDS], seed: u64) -> u64 {
    let [mut lane_1, mut lane_2, mut lane_3, mut lane_4] = lanes(seed);
    let mut word = 0;
    while word < PAGE_WORDS {
        lane_1 = round(lane_1, page[word]);
        lane_2 = round(lane_2, page[word + 1]);
        lane_3 = round(lane_3, page[word + 2]);
        lane_4 = round(lane_4, page[word + 3]);
        word += 4;
    }
    finish([lane_1, lane_2, lane_3, lane_4])
}

/// The lanes before the first word.
#[inline(always)]
#[must_use]
pub const fn lanes(seed: u64) -> [u64; 4] {
    [
        seed.wrapping_add(PRIME_1).wrapping_add(PRIME_2),
        seed.wrapping_add(PRIME_2),
        seed,
        seed.wrapping_sub(PRIME_1),
    ]
}

/// The hash of a page whose words are all in the lanes.
#[inline(always)]
#[must_use]
pub const fn finish(lanes: [u64; 4]) -> u64 {
    let [lane_1, lane_2, lane_3, lane_4] = lanes;
    let mut hash = lane_1
        .rotate_left(1)
        .wrapping_add(lane_2.rotate_left(7))
        .wrapping_add(lane_3.rotate_left(12))
        .wrapping_add(lane_4.rotate_left(18));
    hash = merge(hash, lane_1);
    hash = merge(hash, lane_2);
    hash = merge(hash, lane_3);
    hash = merge(hash, lane_4);
    hash = hash.wrapping_add(crate::PAGE_SIZE as u64);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(PRIME_2);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(PRIME_3);
    hash ^ (hash >> 32)
}

/// XXH64 of one page given as bytes, for user space.
#[must_use]
pub fn xxh64_page_bytes(page: &[u8; crate::PAGE_SIZE], seed: u64) -> u64 {
    let mut sums = lanes(seed);
    // Word by word from where the bytes are: a copy of the page would cost a tenth.
    for words in page.as_chunks::<32>().0 {
        for (lane, word) in sums.iter_mut().zip(words.as_chunks::<8>().0) {
            *lane = round(*lane, u64::from_le_bytes(*word));
        }
    }
    finish(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_reference_crate(seed: u64, fill in proptest::collection::vec(any::<u8>(), crate::PAGE_SIZE)) {
            let page: [u8; crate::PAGE_SIZE] = fill.try_into().expect("the strategy makes whole pages");
            prop_assert_eq!(xxh64_page_bytes(&page, seed), xxhash_rust::xxh64::xxh64(&page, seed));
        }
    }
}
