//! Files whose pages the kernel keeps once already: EROFS with `inode_share` has one set of
//! pages for all files with one fingerprint in one domain.

use serde::{Deserialize, Serialize};

use super::{inode::Dev, units::Bytes};

/// The files that one set of pages belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedBy {
    /// The files, as many as were told; the first stands for all.
    pub files: Vec<SharingFile>,
    /// How many there are in all.
    pub count: u64,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SharingFile {
    /// Its path, as it is shown.
    pub path: String,
    /// The superblock it is on.
    pub dev: Dev,
    /// Its inode number.
    pub ino: u64,
}

impl SharedBy {
    /// What the kernel saves by it: each file but one would have these pages of its own.
    #[must_use]
    pub const fn saved(&self, resident: Bytes) -> Bytes {
        Bytes(self.count.saturating_sub(1).saturating_mul(resident.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_one_are_saved() {
        let shared = |count| SharedBy {
            files: Vec::new(),
            count,
        };
        let pages = Bytes(8192);
        assert_eq!(shared(3).saved(pages), Bytes(16_384));
        assert_eq!(shared(1).saved(pages), Bytes(0));
        assert_eq!(shared(0).saved(pages), Bytes(0));
    }
}
