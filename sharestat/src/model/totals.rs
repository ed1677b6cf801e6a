//! The sums of a content index, all in pages.

use serde::{Deserialize, Serialize};

/// What is resident, what of it is known, and how much of that is duplicate.
///
/// Always: `resident = hashed + Σ skipped` and `hashed = distinct + duplicate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Pages in the page cache.
    pub resident: u64,
    /// Resident pages whose content is known.
    pub hashed: u64,
    /// Resident pages without a hash, in the order of [`SkipReason::ALL`](super::page::SkipReason::ALL).
    pub skipped: [u64; 6],
    /// Different contents.
    pub distinct: u64,
    /// Copies beyond the first of each content.
    pub duplicate: u64,
    /// All copies of the zero page.
    pub zero_copies: u64,
    /// Hashed pages of inodes that have a clean state and are not mapped writably, so that
    /// they could be shared.
    pub eligible: u64,
    /// Inodes with at least one resident page.
    pub inodes: u64,
}

impl Totals {
    /// Resident pages without a hash, for whatever reason.
    #[must_use]
    pub fn skipped_pages(&self) -> u64 {
        self.skipped.iter().sum()
    }

    /// Resident pages that may have a hash after a short wait: those under writeback, not
    /// uptodate yet, raced, and those whose turn has not come.
    #[must_use]
    pub const fn unsettled(&self) -> u64 {
        let [_dirty, writeback, not_uptodate, raced, _unreadable, budget] = self.skipped;
        writeback + not_uptodate + raced + budget
    }
}

/// What happened since the index was made, in pages; only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Entered the index.
    pub added: u64,
    /// Left the index.
    pub removed: u64,
    /// Became dirty while in the index.
    pub dirtied: u64,
    /// Got a hash.
    pub hashed: u64,
}
