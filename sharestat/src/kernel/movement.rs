//! What the collector counts about time and flow: distributions, and pages that came
//! and went since the start.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::counters::new_histogram;

/// Distributions that the collector keeps.
#[derive(Clone, Debug)]
pub struct Distributions {
    /// Milliseconds between the appearance of a page and its hash.
    pub age_at_hash_ms: Histogram<u64>,
    /// Milliseconds that pages with another copy stayed resident.
    pub duplicate_residency_ms: Histogram<u64>,
    /// Nanoseconds per page of the hash program, one value a batch.
    pub hash_ns: Histogram<u64>,
}

impl Distributions {
    /// Nothing counted yet.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            age_at_hash_ms: new_histogram(),
            duplicate_residency_ms: new_histogram(),
            hash_ns: new_histogram(),
        }
    }
}

/// Pages that came and went since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Pages added.
    pub added: u64,
    /// Pages taken by reclaim.
    pub reclaimed: u64,
    /// Pages truncated, invalidated or deleted.
    pub truncated: u64,
    /// Pages removed for an unknown cause.
    pub removed_unknown: u64,
    /// Pages dirtied.
    pub dirtied: u64,
    /// Pages hashed just before they left.
    pub hashed_at_removal: u64,
    /// Pages reclaimed whose content had another copy at that moment.
    pub reclaimed_duplicates: u64,
}
