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

/// What the index knows about one resident page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageState {
    /// Wants to be hashed.
    Pending,
    /// Handed to a worker; what it finds is taken only while the page stays so.
    InFlight,
    /// Content known.
    Hashed(ContentHash),
    /// Resident, without a hash, for this reason.
    Skipped(SkipReason),
}

impl PageState {
    /// Why the page has no hash; `None` when it has one. A page that waits for its
    /// turn is one that the budget has not reached yet.
    #[must_use]
    pub const fn skip_reason(self) -> Option<SkipReason> {
        match self {
            Self::Pending | Self::InFlight => Some(SkipReason::Budget),
            Self::Hashed(_) => None,
            Self::Skipped(reason) => Some(reason),
        }
    }

    /// The content, when it is known.
    #[must_use]
    pub const fn content(self) -> Option<ContentHash> {
        match self {
            Self::Hashed(content) => Some(content),
            Self::Pending | Self::InFlight | Self::Skipped(_) => None,
        }
    }
}
