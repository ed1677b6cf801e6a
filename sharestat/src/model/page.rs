//! The state of one resident page in the index.

use serde::{Deserialize, Serialize};

use super::units::ContentHash;

/// Why a resident page has no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Dirty, or writably mapped where there is no clean state (tmpfs).
    Dirty,
    /// Under writeback.
    Writeback,
    /// Not uptodate yet.
    NotUptodate,
    /// Changed every time it was tried.
    Raced,
    /// Hardware-poisoned, inaccessible, pinned, or the copy faulted.
    Unreadable,
    /// Its turn has not come: CPU budget, or a partial measurement.
    Budget,
}

impl SkipReason {
    /// All reasons, in the order of output.
    pub const ALL: [Self; 6] = [
        Self::Dirty,
        Self::Writeback,
        Self::NotUptodate,
        Self::Raced,
        Self::Unreadable,
        Self::Budget,
    ];
}

/// What one look at a page told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Content, unchanged while it was hashed.
    Hashed(ContentHash),
    /// Resident, without a hash.
    Skipped(SkipReason),
    /// Not in the page cache (any more).
    Absent,
}
