//! Filesystems (superblocks) with pages in the page cache. `Enter` shows their files.

/// Why there are none.
pub(super) const EMPTY: &str = "no filesystem has pages in the measured page cache yet";
