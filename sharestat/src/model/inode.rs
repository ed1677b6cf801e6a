//! Identity of an inode: what stays the same while its pages come and go.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A device number in the kernel's own encoding (`super_block->s_dev`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Dev(pub u32);

impl Dev {
    /// From major and minor number.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self((major << 20) | (minor & 0xf_ffff))
    }

    /// Major number (`MAJOR`, `include/linux/kdev_t.h`).
    #[must_use]
    pub const fn major(self) -> u32 {
        self.0 >> 20
    }

    /// Minor number (`MINOR`, `include/linux/kdev_t.h`).
    #[must_use]
    pub const fn minor(self) -> u32 {
        self.0 & 0xf_ffff
    }
}

impl fmt::Display for Dev {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.major(), self.minor())
    }
}

/// What makes an inode itself. `dev` and `ino` alone are not enough: btrfs numbers
/// inodes per subvolume, EROFS shares pages through inodes numbered 0, and numbers
/// are used again after deletion.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct InodeKey {
    /// Address of the kernel's `struct inode`; 0 where the engine cannot know it.
    pub address: u64,
    /// `super_block->s_dev`.
    pub dev: Dev,
    /// `i_ino`.
    pub ino: u64,
    /// `i_generation`.
    pub generation: u32,
    /// btrfs root object id, 0 elsewhere.
    pub subvolume: u64,
}

/// Dense number of an inode in one [`ContentIndex`](super::index::ContentIndex).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InodeId(pub u32);
