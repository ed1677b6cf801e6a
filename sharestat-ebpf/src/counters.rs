//! Every drop, race and refusal of the BPF programs has a counter here.

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// Index into the per-CPU counter array.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter {
            $($(#[$doc])* $variant,)+
        }

        impl Counter {
            /// All counters, in index order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// How many counters there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Name in output, `snake_case`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

counters! {
    /// Pages announced by the add hook.
    PagesAdded = "pages_added",
    /// Pages announced by the removal hook with cause reclaim.
    PagesReclaimed = "pages_reclaimed",
    /// Pages announced by the removal hook with cause truncate.
    PagesTruncated = "pages_truncated",
    /// Pages announced by the removal hook, cause unknown.
    PagesRemovedUnknown = "pages_removed_unknown",
    /// Pages of folios that went from clean to dirty.
    PagesDirtied = "pages_dirtied",
    /// Calls of `filemap_add_folio` that failed.
    AddsFailed = "adds_failed",
    /// Folios that came back as part of the working set (`PG_workingset` at the
    /// exit of `filemap_add_folio`).
    WorkingsetRefaults = "workingset_refaults",
    /// Events that found the ring full.
    EventsLost = "events_lost",
    /// Runs whose hook interrupted another hook on the same CPU and travelled alone.
    RunsUnmerged = "runs_unmerged",
    /// Folios in an event hook that could not be read.
    FolioUnreadable = "folio_unreadable",
    /// Folios in an event hook whose mapping or inode did not validate.
    InodeUnreadable = "inode_unreadable",
    /// Pages hashed just before their removal.
    HashedAtRemoval = "hashed_at_removal",
    /// Pages removed without ever having been hashed: no token left.
    RemovalNoToken = "removal_no_token",
    /// Pages removed unhashed because they were dirty or not uptodate.
    RemovalNotStable = "removal_not_stable",
    /// Pages removed unhashed because their folio is too large for the delete hook.
    RemovalTooLarge = "removal_too_large",
    /// Pages removed unhashed because their inode did not validate.
    RemovalNoInode = "removal_no_inode",
    /// Frames the census walked.
    FramesWalked = "frames_walked",
    /// Blocks of 64 frames without a memory map (holes).
    FrameHoles = "frame_holes",
    /// Page structures that the census could not read a second time.
    FrameUnreadable = "frame_unreadable",
    /// Folios rejected by the census: inode did not validate.
    FrameInodeRejected = "frame_inode_rejected",
    /// Hash requests whose inode was no longer the one asked for.
    HashInodeGone = "hash_inode_gone",
    /// Pages hashed on request.
    PagesHashed = "pages_hashed",
    /// Pages that changed while being hashed.
    PagesRaced = "pages_raced",
    /// Pages whose copy faulted.
    CopyFaulted = "copy_faulted",
    /// Inodes described.
    InodesIdentified = "inodes_identified",
    /// Runs flushed on request.
    RunsFlushed = "runs_flushed",
    /// Accesses to watched words.
    WatchHits = "watch_hits",
    /// Accesses to watched words that found the ring full or in use.
    WatchLost = "watch_lost",
    /// Accesses to watched words whose folio could not be read.
    WatchUnreadable = "watch_unreadable",
}
