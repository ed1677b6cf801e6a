//! Quantities that must not be mixed up: page indices, contents, bytes.

use std::{fmt, ops};

use serde::{Deserialize, Serialize};

/// Bytes of one page.
pub const PAGE_SIZE: u64 = sharestat_ebpf::PAGE_SIZE as u64;

/// Position of a page in its file, in pages.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PageIndex(pub u64);

impl PageIndex {
    /// The index `pages` further on.
    #[must_use]
    pub const fn offset(self, pages: u64) -> Self {
        Self(self.0.wrapping_add(pages))
    }
}

/// XXH64 of one page under the run's seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "[u8; 8]", from = "[u8; 8]")]
pub struct ContentHash(pub u64);

/// Always 8 bytes: variable lengths would make random numbers longer.
impl From<ContentHash> for [u8; 8] {
    fn from(content: ContentHash) -> Self {
        content.0.to_le_bytes()
    }
}

impl From<[u8; 8]> for ContentHash {
    fn from(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }
}

/// A count of bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// The bytes of so many whole pages.
    #[must_use]
    pub const fn of_pages(pages: u64) -> Self {
        Self(pages * PAGE_SIZE)
    }

    /// As a floating-point number, for shares and ratios.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact below 8 PiB, which no page cache reaches"
    )]
    pub const fn to_f64(self) -> f64 {
        self.0 as f64
    }
}

impl ops::Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl ops::AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl std::iter::Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        Self(parts.map(|part| part.0).sum())
    }
}

/// Binary units with one decimal, as `free -h` and htop print them: `1.4 GiB`.
impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return formatter.pad(&format!("{} B", self.0));
        }
        // Tenths of the unit, to the nearest; 1,024 of a unit are one of the next.
        let tenths_of = |unit: usize| {
            let one = 1_u128 << (10 * (unit + 1));
            (u128::from(self.0) * 10 + one / 2) / one
        };
        let mut unit = 0;
        while tenths_of(unit) >= 10_240 && unit + 1 < UNITS.len() {
            unit += 1;
        }
        let tenths = tenths_of(unit);
        formatter.pad(&format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]))
    }
}
