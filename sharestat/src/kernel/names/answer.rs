//! What the identity program said of an inode, without its buffers.

use sharestat_ebpf::records::{Identity, OwnerRecord, path_state};

use crate::model::inode::{Dev, InodeKey};

/// `S_IFMT`, `S_IFBLK` and `S_IFREG` (include/uapi/linux/stat.h).
const FILE_TYPE: u16 = 0o170_000;
const BLOCK_DEVICE: u16 = 0o060_000;
const REGULAR: u16 = 0o100_000;

/// Path from the root of the filesystem, from the names that the identity program found
/// on the way up; without a leading slash for a file in memory, which is in no directory;
/// `None` when there is no name.
pub(in crate::kernel) fn path_in_fs(identity: &Identity) -> Option<Vec<u8>> {
    if identity.path_state == path_state::NONE {
        return None;
    }
    let used = (identity.path_bytes as usize).min(identity.path.len());
    let names = identity.path.get(..used)?.split(|byte| *byte == 0);
    let names: Vec<&[u8]> = names.filter(|name| !name.is_empty()).collect();
    if identity.path_state == path_state::DETACHED {
        return names.first().map(|name| name.to_vec());
    }
    let cut = identity.path_state == path_state::CUT;
    let mut path = Vec::with_capacity(used + 4);
    if cut {
        path.extend_from_slice(b"/...");
    }
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    Some(path)
}

/// The text up to the first zero byte.
fn text_of(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or(&[])).into_owned()
}

/// What is known of one inode.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what is true of a file does not depend on the rest"
)]
pub(super) struct Answer {
    pub(super) path: Option<Vec<u8>>,
    /// Nothing of the path was cut off.
    pub(super) whole_path: bool,
    pub(super) regular: bool,
    pub(super) deleted: bool,
    /// Some process may write to it through a shared mapping.
    pub(super) mapped_writably: bool,
    pub(super) size: u64,
    pub(super) links: u32,
    /// Device behind a block-device inode.
    pub(super) rdev: Option<Dev>,
    pub(super) fs_type: String,
    pub(super) fs_id: String,
    /// The inodes that this one keeps the pages of, as far as they are listed.
    pub(super) owners: Vec<InodeKey>,
    /// How many of them were counted; `None` when it keeps its own pages only.
    pub(super) owners_counted: Option<u32>,
}

impl From<&Identity> for Answer {
    fn from(identity: &Identity) -> Self {
        let valid = identity.valid == 1;
        let file_type = if valid { identity.mode & FILE_TYPE } else { 0 };
        let shared = valid && identity.shared == 1;
        let listed = (identity.owners_counted as usize).min(identity.owners.len());
        let owners = identity.owners.get(..listed).filter(|_| shared);
        Self {
            path: path_in_fs(identity).filter(|_| valid),
            whole_path: identity.path_state != path_state::CUT,
            regular: file_type == REGULAR,
            deleted: valid && identity.deleted == 1,
            mapped_writably: valid && identity.mapped_writably == 1,
            size: if valid { identity.size } else { 0 },
            links: if valid { identity.nlink } else { 0 },
            rdev: (file_type == BLOCK_DEVICE).then_some(Dev(identity.rdev)),
            fs_type: text_of(&identity.fs_type),
            fs_id: text_of(&identity.fs_id),
            owners: owners.unwrap_or_default().iter().map(key_of).collect(),
            owners_counted: shared.then_some(identity.owners_counted),
        }
    }
}

const fn key_of(owner: &OwnerRecord) -> InodeKey {
    InodeKey {
        address: owner.inode,
        dev: Dev(owner.dev),
        ino: owner.ino,
        generation: owner.generation,
        subvolume: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fuzzing::identity;
    use sharestat_ebpf::records::PATH_BYTES;

    fn named(state: u8, names: &[u8]) -> Identity {
        let mut path = [0; PATH_BYTES];
        path[..names.len()].copy_from_slice(names);
        Identity {
            path_bytes: u32::try_from(names.len()).unwrap_or(0),
            ..identity(state, &path)
        }
    }

    #[test]
    fn a_deleted_file_whose_path_was_cut_is_both() {
        let told = Identity {
            deleted: 1,
            ..named(path_state::CUT, b"file\0deep\0")
        };
        let answer = Answer::from(&told);
        assert_eq!(answer.path.as_deref(), Some(&b"/.../deep/file"[..]));
        assert!(answer.deleted && !answer.whole_path);
    }

    #[test]
    fn only_an_inode_that_keeps_pages_of_others_has_owners() {
        let mut told = named(path_state::NONE, b"");
        told.owners_counted = 20;
        told.owners[1].ino = 7;
        assert!(Answer::from(&told).owners.is_empty());
        told.shared = 1;
        let answer = Answer::from(&told);
        assert_eq!(answer.owners.len(), told.owners.len());
        assert_eq!((answer.owners[1].ino, answer.owners_counted), (7, Some(20)));
    }
}
