//! The records that travel between the BPF programs and user space.
//!
//! All are `repr(C)` with fixed widths, explicit padding and asserted sizes.
//! Addresses of kernel objects are opaque identities for user space: it never
//! dereferences them, it hands them back to BPF programs, which verify them.

mod derefs;

pub use derefs::*;

use crate::PAGE_SIZE;

/// What happened to a run of consecutive pages of one inode.
pub mod event_kind {
    /// The pages entered the page cache.
    pub const ADDED: u8 = 1;
    /// The pages left the page cache; [`Event::cause`](super::Event::cause) says why.
    pub const REMOVED: u8 = 2;
    /// The pages went from clean to dirty: what was hashed is out of date.
    pub const DIRTIED: u8 = 3;
    /// The pages are about to be removed and were hashed just before
    /// ([`HashedEvent`](super::HashedEvent)); the removal follows as its own event.
    pub const HASHED: u8 = 4;
}

/// Bits of [`Event::flags`].
pub mod event_flags {
    /// The inode is on tmpfs: its pages have no clean state.
    pub const TMPFS: u8 = 1;
}

/// Why pages left the page cache.
pub mod removal_cause {
    /// Neither the task nor a hook says why.
    pub const UNKNOWN: u8 = 0;
    /// Memory reclaim: kswapd, direct, memcg or `MADV_PAGEOUT`.
    pub const RECLAIM: u8 = 1;
    /// Truncation, deletion, invalidation, `drop_caches` or `POSIX_FADV_DONTNEED`.
    pub const TRUNCATE: u8 = 2;
}

/// Numbers that stand for no memory cgroup.
pub mod memcg_id {
    /// Nobody is charged.
    pub const UNCHARGED: u64 = 0;
    /// It was not asked for, the kernel does not tell, or it could not be read.
    pub const UNKNOWN: u64 = u64::MAX;
}

/// One run of pages in the event ring.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// One of [`event_kind`].
    pub kind: u8,
    /// One of [`removal_cause`]; 0 unless removed.
    pub cause: u8,
    /// Folio order of the run's folios (0 = 4 KiB).
    pub order: u8,
    /// Bits of [`event_flags`].
    pub flags: u8,
    /// Pages in the run.
    pub pages: u32,
    /// Page index of the first page.
    pub index: u64,
    /// Address of `struct inode`.
    pub inode: u64,
    /// `inode->i_ino`.
    pub ino: u64,
    /// `super_block->s_dev`, kernel encoding (major << 20 | minor).
    pub dev: u32,
    /// `inode->i_generation`.
    pub generation: u32,
    /// Which memory cgroup is charged, when the pages were added: the inode number of its
    /// directory, or one of [`memcg_id`]. Of other events unknown.
    pub memcg: u64,
    /// `CLOCK_MONOTONIC` at the first page of the run, ns.
    pub time_ns: u64,
    /// btrfs root object id, 0 elsewhere.
    pub subvolume: u64,
}

/// Most pages that the removal hooks hash at once into one record.
pub const HASHED_EVENT_PAGES: usize = 16;

/// Hashes taken from pages just before they were removed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashedEvent {
    /// The run; at most [`HASHED_EVENT_PAGES`] pages.
    pub event: Event,
    /// Hash of each page of the run; the rest is 0.
    pub hashes: [u64; HASHED_EVENT_PAGES],
}

/// Why a page has, or has no, hash.
pub mod page_status {
    /// Hashed, and unchanged while being hashed.
    pub const HASHED: u8 = 0;
    /// Not in the page cache (any more).
    pub const ABSENT: u8 = 1;
    /// Dirty, or (tmpfs) writably mapped.
    pub const DIRTY: u8 = 2;
    /// Under writeback.
    pub const WRITEBACK: u8 = 3;
    /// Not uptodate yet.
    pub const NOT_UPTODATE: u8 = 4;
    /// Locked, moved or changed while being hashed: ask again.
    pub const RACED: u8 = 5;
    /// Cannot be read: hardware-poisoned, inaccessible (guest memory), pinned for
    /// DMA, or the copy faulted.
    pub const UNREADABLE: u8 = 6;
}

/// Most pages one run of the hash program takes: test runs cannot be preempted.
pub const HASH_BATCH_PAGES: usize = 512;

/// One run of pages to hash.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashRequest {
    /// Address of `struct inode`, as reported by an [`Event`] or [`FrameRecord`].
    pub inode: u64,
    /// `i_ino` the inode must still have.
    pub ino: u64,
    /// First page index.
    pub index: u64,
    /// Address of the folio that held `index`, 0 if not known: saves the walk of
    /// the page tree.
    pub folio: u64,
    /// `i_generation` the inode must still have.
    pub generation: u32,
    /// `s_dev` the inode must still be on.
    pub dev: u32,
    /// Pages to hash.
    pub pages: u32,
    /// Position of the first page's result in [`HashBatch::hashes`].
    pub first_result: u32,
}

/// Work and results of one worker of the hash program (one entry of `HASH_WORK`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HashBatch {
    /// What to hash.
    pub requests: [HashRequest; HASH_BATCH_PAGES],
    /// Hash per page, valid where `status` is [`page_status::HASHED`].
    pub hashes: [u64; HASH_BATCH_PAGES],
    /// One of [`page_status`] per page.
    pub status: [u8; HASH_BATCH_PAGES],
}

/// Most page-cache folios one run of the census program reports.
pub const FRAME_BATCH: usize = 4096;

/// Folio flags as the census saw them, independent of the kernel's bit numbers.
pub mod frame_flags {
    /// `PG_uptodate`.
    pub const UPTODATE: u16 = 1;
    /// `PG_dirty`.
    pub const DIRTY: u16 = 2;
    /// `PG_writeback`.
    pub const WRITEBACK: u16 = 4;
    /// `PG_locked`.
    pub const LOCKED: u16 = 8;
    /// Anonymous-like backing (tmpfs, shmem): never has a clean state.
    pub const SWAPBACKED: u16 = 16;
    /// `PG_active`.
    pub const ACTIVE: u16 = 32;
    /// Mapped into some address space.
    pub const MAPPED: u16 = 64;
    /// Every page was hashed since it was added or dirtied last. The hooks keep this mark
    /// in the kernel, so it is true also when their events were lost.
    pub const HASHED: u16 = 128;
    /// Some process has the inode mapped shared, and may write through that.
    pub const MAPPED_WRITABLY: u16 = 256;
}

/// One page-cache folio found by the census.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameRecord {
    /// Address of `struct inode` (validated: its `i_data` is the folio's mapping).
    pub inode: u64,
    /// `i_ino`.
    pub ino: u64,
    /// Index of the folio's first page.
    pub index: u64,
    /// Address of the folio.
    pub folio: u64,
    /// Which memory cgroup is charged: the inode number of its directory, or one of
    /// [`memcg_id`].
    pub memcg: u64,
    /// `s_dev`, kernel encoding.
    pub dev: u32,
    /// `i_generation`.
    pub generation: u32,
    /// btrfs root object id, 0 elsewhere.
    pub subvolume: u64,
    /// Bits of [`frame_flags`].
    pub flags: u16,
    /// Folio order.
    pub order: u8,
    /// Explicit padding.
    pub reserved: [u8; 5],
}

/// Result of one run of the census program (one entry of `FRAME_WORK`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FrameBatch {
    /// Records that follow.
    pub records: u64,
    /// First frame not walked: where to go on (the end, or where the batch was full).
    pub next_frame: u64,
    /// The folios found.
    pub frames: [FrameRecord; FRAME_BATCH],
}

/// Bytes of path text per identity: twice `PATH_MAX`, because a file can lie deeper than
/// a path can be long.
pub const PATH_BYTES: usize = 2 * PAGE_SIZE;

/// Most path components that the identity program walks: as many as a path of `PATH_MAX`
/// can have. Test runs cannot be preempted, and each component takes a few hundred ns.
pub const PATH_COMPONENTS: usize = PAGE_SIZE / 2;

/// Most files that share the pages of one inode and are told one by one.
pub const OWNERS: usize = 16;

/// Most of them that are counted.
pub const OWNERS_COUNTED: u32 = 4096;

/// Most inodes one run of the identity program describes.
pub const IDENTITY_BATCH: usize = 32;

/// State of [`Identity::path_state`].
pub mod path_state {
    /// No dentry: the inode is cached without a name.
    pub const NONE: u8 = 0;
    /// Walked up to the root of the filesystem.
    pub const COMPLETE: u8 = 1;
    /// Cut: too deep or too long; the components nearest the file are there.
    pub const CUT: u8 = 2;
    /// In no directory at all: a file in memory (`memfd_create`, System V shared memory,
    /// shared anonymous memory), whose dentry is its own parent and bears its name.
    pub const DETACHED: u8 = 3;
}

/// An inode whose pages another one keeps: EROFS with `inode_share`, one of the files of
/// one fingerprint.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnerRecord {
    /// Address of `struct inode`.
    pub inode: u64,
    /// `i_ino`.
    pub ino: u64,
    /// `s_dev`, kernel encoding.
    pub dev: u32,
    /// `i_generation`.
    pub generation: u32,
}

/// Who an inode is (one slot of `IDENTITY_WORK`). In: `inode`, `ino`, `dev`,
/// `generation`. Out: the rest, when `valid` is 1.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Address of `struct inode`.
    pub inode: u64,
    /// `i_ino`.
    pub ino: u64,
    /// `i_size`, bytes.
    pub size: u64,
    /// btrfs root object id, 0 elsewhere.
    pub subvolume: u64,
    /// `super_block->s_magic`.
    pub magic: u64,
    /// Address of the `super_block`.
    pub superblock: u64,
    /// `s_dev`, kernel encoding.
    pub dev: u32,
    /// `i_generation`.
    pub generation: u32,
    /// `i_rdev` (block-device inodes), kernel encoding.
    pub rdev: u32,
    /// `i_nlink`.
    pub nlink: u32,
    /// `i_mode`.
    pub mode: u16,
    /// 1 when the inode was still the one asked for, before and after.
    pub valid: u8,
    /// One of [`path_state`].
    pub path_state: u8,
    /// Bytes of `path` in use.
    pub path_bytes: u32,
    /// Files that this inode keeps the pages of: how many were counted.
    pub owners_counted: u32,
    /// 1 when this inode keeps the pages of other inodes (`pseudo_erofs`).
    pub shared: u8,
    /// 1 when the name was removed: the file was deleted but is still open or cached.
    pub deleted: u8,
    /// 1 when some process has it mapped shared, and may write through that.
    pub mapped_writably: u8,
    /// Explicit padding.
    pub reserved: u8,
    /// The first of the files that this inode keeps the pages of.
    pub owners: [OwnerRecord; OWNERS],
    /// `s_type->name`, zero-terminated.
    pub fs_type: [u8; 32],
    /// `s_id` (device name of the superblock), zero-terminated.
    pub fs_id: [u8; 32],
    /// Names from the file up to the filesystem's root, each zero-terminated.
    pub path: [u8; PATH_BYTES],
}

/// In and out of the calibration program (the one entry of `CALIBRATION`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// In: file descriptor, in the calling process, of a file of one page.
    pub fd: u64,
    /// In: page frame number of that page.
    pub frame: u64,
    /// In: the first eight words of that page.
    pub cookie: [u64; 8],
    /// Out: address of the folio in the page tree of the file, 0 when not found.
    pub folio: u64,
    /// Out: address of the inode.
    pub inode: u64,
    /// Out: its `i_ino`.
    pub ino: u64,
    /// Out: its `s_dev`, kernel encoding.
    pub dev: u32,
    /// Out: its `i_generation`.
    pub generation: u32,
    /// Out: base of the direct map, 0 when not found.
    pub direct_map: u64,
    /// Out: candidates tried.
    pub tries: u64,
}

/// Buckets of a hook-cost histogram: eight per octave of nanoseconds.
pub const COST_BUCKETS: usize = 256;

/// Hooks whose cost is sampled, index into `HOOK_COST`.
pub mod cost_hook {
    /// `mm_filemap_add_to_page_cache`.
    pub const ADDED: u32 = 0;
    /// `mm_filemap_delete_from_page_cache`.
    pub const REMOVED: u32 = 1;
    /// `writeback_dirty_folio`.
    pub const DIRTIED: u32 = 2;
    /// How many there are.
    pub const COUNT: u32 = 3;
}

const _: () = {
    assert!(size_of::<Event>() == 64);
    assert!(size_of::<HashedEvent>() == 64 + 8 * HASHED_EVENT_PAGES);
    assert!(size_of::<HashRequest>() == 48);
    assert!(size_of::<HashBatch>() == HASH_BATCH_PAGES * (48 + 8 + 1));
    assert!(size_of::<FrameRecord>() == 64);
    assert!(size_of::<FrameBatch>() == 16 + 64 * FRAME_BATCH);
    assert!(size_of::<OwnerRecord>() == 24);
    assert!(size_of::<Identity>() == 80 + 24 * OWNERS + 64 + PATH_BYTES);
    assert!(size_of::<Calibration>() == 128);
};
