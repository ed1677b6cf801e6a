//! The seed of a run's page hashes, and the name under which it may be shown.
//! Hashes of page contents tell what a machine has read, so the seed stays inside.

use std::fmt;

use rustix::rand::{GetRandomFlags, getrandom};
use sharestat_ebpf::{
    PAGE_SIZE, PAGE_WORDS,
    xxh64::{xxh64_page, xxh64_page_bytes},
};

use crate::model::units::ContentHash;

/// Seed of XXH64 for all pages of one run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    value: u64,
    /// Bits of a hash that are kept: all, except where collisions are wanted.
    mask: u64,
}

impl Seed {
    /// The seed a user chose, so that hosts can be compared.
    #[must_use]
    pub const fn fixed(seed: u64) -> Self {
        Self {
            value: seed,
            mask: u64::MAX,
        }
    }

    /// Hashes that are cut to so many bits, so that different pages collide. The user
    /// engine's only: BPF knows nothing of it.
    #[cfg(test)]
    pub(crate) const fn short(seed: u64, bits: u32) -> Self {
        Self {
            value: seed,
            mask: (1 << bits) - 1,
        }
    }

    /// A seed nobody knows.
    ///
    /// # Errors
    /// When getrandom(2) fails, which a seccomp profile can cause.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 8];
        // Requests of up to 256 bytes are answered in full (getrandom(2)).
        getrandom(&mut bytes, GetRandomFlags::empty())?;
        Ok(Self::fixed(u64::from_ne_bytes(bytes)))
    }

    /// The seed itself, for the hash function only.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.value
    }

    /// Hash of a page.
    #[must_use]
    pub fn hash(self, page: &[u8; PAGE_SIZE]) -> ContentHash {
        ContentHash(xxh64_page_bytes(page, self.value) & self.mask)
    }

    /// Eight hexadecimal digits that are equal for equal seeds and do not give the seed
    /// away: the upper half of the hash, seeded with it, of a page filled with it.
    #[must_use]
    pub fn id(self) -> String {
        let hash = xxh64_page(&[self.value; PAGE_WORDS], self.value);
        format!("{:08x}", hash >> 32)
    }
}

/// Shows the id, so that no log or panic message holds the seed.
impl fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Seed(id {})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_stable_and_short_and_not_the_seed() {
        let seed = Seed::fixed(0x0123_4567_89ab_cdef);
        assert_eq!(seed.id(), Seed::fixed(seed.value()).id());
        assert_eq!(seed.id().len(), 8);
        assert_ne!(seed.id(), "01234567");
        assert!(!format!("{seed:?}").contains("89abcdef"));
    }

    #[test]
    fn random_seeds_differ() {
        let (one, two) = (
            Seed::random().expect("a seed"),
            Seed::random().expect("a seed"),
        );
        assert_ne!(one, two);
    }
}
