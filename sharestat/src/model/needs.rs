//! What has to be changed before a kernel shares the pages of equal files through EROFS:
//! the saving by the state of the filesystems that hold the files.

use std::collections::HashSet;

use super::{
    inode::{Dev, InodeId},
    measurement::Identities,
};

/// At least one of the files lies elsewhere.
const OTHER: &str = "the files need to lie on EROFS";
/// All lie on EROFS, of which some cannot share.
const APART: &str = "the EROFS mounts need inode_share";
/// All lie on EROFS that shares, and were cached apart all the same.
const DOMAIN: &str = "the EROFS mounts need one domain_id, or the files fingerprints";

/// What equal files need; `sharing` are the superblocks of EROFS with `inode_share`.
pub(super) fn of_files(
    identities: &Identities,
    sharing: &HashSet<Dev>,
    files: &[InodeId],
) -> &'static str {
    let filesystems = files.iter().map(|inode| {
        let file = identities.files.get(inode)?;
        identities.filesystems.get(file.filesystem)
    });
    let mut need = DOMAIN;
    for filesystem in filesystems {
        match filesystem {
            Some(filesystem) if filesystem.fs_type == "erofs" => {
                if !sharing.contains(&filesystem.dev) {
                    need = APART;
                }
            }
            _ => return OTHER,
        }
    }
    need
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::measurement::{FileIdentity, Filesystem, Place};

    #[test]
    fn the_farthest_file_decides() {
        let mut identities = Identities::default();
        for (number, fs_type) in (0..).zip(["erofs", "erofs", "ext4"]) {
            identities.filesystems.push(Filesystem {
                dev: Dev::new(7, number),
                fs_type: fs_type.to_owned(),
                id: String::new(),
                mount_point: None,
                source: None,
            });
            let file = FileIdentity {
                filesystem: number as usize,
                path: String::new(),
                named: true,
                deleted: false,
                size: 4096,
                links: 1,
                place: Place::default(),
            };
            identities.files.insert(InodeId(number), file);
        }
        let of = |files: &[u32], sharing: &[u32]| {
            let sharing = sharing.iter().map(|minor| Dev::new(7, *minor)).collect();
            let files: Vec<InodeId> = files.iter().copied().map(InodeId).collect();
            of_files(&identities, &sharing, &files)
        };
        assert_eq!(of(&[0, 1], &[0, 1]), DOMAIN);
        assert_eq!(of(&[0, 1], &[0]), APART);
        assert_eq!(of(&[0, 1, 2], &[0, 1]), OTHER);
        assert_eq!(of(&[0, 9], &[0, 1]), OTHER, "nothing is known of it");
    }
}
