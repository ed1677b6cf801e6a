//! The identity of an inode, read and validated.

use super::{access, globals::layout};

/// `HUGETLBFS_MAGIC` (include/uapi/linux/magic.h).
const HUGETLBFS: u64 = 0x9584_58f6;
/// `BTRFS_SUPER_MAGIC` (include/uapi/linux/magic.h).
const BTRFS: u64 = 0x9123_683e;
/// `TMPFS_MAGIC` (include/uapi/linux/magic.h), shared by memfd and System V shm.
const TMPFS: u64 = 0x0102_1994;

/// `S_DAX` (include/linux/fs.h, unchanged 6.1 to 7.3; a macro, so not in BTF).
const S_DAX: u32 = 1 << 13;

/// Who an inode is.
#[derive(Clone, Copy)]
pub(crate) struct Inode {
    pub(crate) address: u64,
    pub(crate) ino: u64,
    pub(crate) dev: u32,
    pub(crate) generation: u32,
    pub(crate) superblock: u64,
    pub(crate) magic: u64,
}

impl Inode {
    /// The inode that owns `mapping`: `mapping->host`, accepted only when its embedded
    /// `i_data` is this very mapping, which garbage and stale pointers are not.
    #[inline(always)]
    pub(crate) fn of_mapping(mapping: u64) -> Option<Self> {
        let address = access::read_pointer(mapping + layout!(mapping_host))?;
        if address + layout!(inode_data) != mapping {
            return None;
        }
        Self::read(address)
    }

    #[inline(always)]
    pub(crate) fn read(address: u64) -> Option<Self> {
        let superblock = access::read_pointer(address + layout!(inode_superblock))?;
        Some(Self {
            address,
            ino: access::read(address + layout!(inode_ino))?,
            dev: access::read(superblock + layout!(superblock_dev))?,
            generation: access::read(address + layout!(inode_generation))?,
            superblock,
            magic: access::read(superblock + layout!(superblock_magic))?,
        })
    }

    #[inline(always)]
    pub(crate) fn is_hugetlb(&self) -> bool {
        self.magic == HUGETLBFS
    }

    /// tmpfs and shmem: pages have no clean state.
    #[inline(always)]
    pub(crate) fn is_tmpfs(&self) -> bool {
        self.magic == TMPFS
    }

    /// Reads and writes storage directly: from 7.2 on `folio->mapping` is set on its
    /// device folios (fs/dax.c), which are no page cache.
    #[inline(always)]
    pub(crate) fn is_dax(&self) -> bool {
        access::read::<u32>(self.address + layout!(inode_flags))
            .is_some_and(|flags| flags & S_DAX != 0)
    }

    #[inline(always)]
    pub(crate) fn mapping(&self) -> u64 {
        self.address + layout!(inode_data)
    }

    /// Whether a shared mapping may write to it (`mapping_writably_mapped`,
    /// include/linux/fs.h): `i_mmap_writable` counts those, and is below 0 where they are
    /// denied (sealed memfds).
    #[inline(always)]
    pub(crate) fn is_mapped_writably(&self) -> bool {
        access::read::<i32>(self.mapping() + layout!(mapping_writable)).unwrap_or(1) > 0
    }

    /// `i_size` in bytes.
    #[inline(always)]
    pub(crate) fn size(&self) -> u64 {
        access::read(self.address + layout!(inode_size)).unwrap_or(0)
    }

    /// btrfs numbers inodes per subvolume: its root's object id; 0 elsewhere.
    #[inline(always)]
    pub(crate) fn subvolume(&self) -> u64 {
        if self.magic != BTRFS || layout!(btrfs_known) == 0 {
            return 0;
        }
        let container = self.address.wrapping_sub(layout!(btrfs_vfs_inode));
        access::read_pointer(container + layout!(btrfs_root))
            .and_then(|root| access::read(root + layout!(btrfs_root_id)))
            .unwrap_or(0)
    }
}
