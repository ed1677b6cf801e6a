//! Files that hold a whole filesystem and are mounted: through a loop device (snap, ISO,
//! squashfs) or directly (EROFS on a file). Their bytes can be cached twice: as pages of
//! the file, and as pages of the files inside.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{escape::path_of, locate::Locator, mounts::Mount, warning::Warnings};
use crate::model::inode::Dev;

/// A mounted image file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountedImage {
    /// `s_dev` of the filesystem that is mounted from it.
    pub filesystem: Dev,
    /// The file, by the name it had when the loop device was set up.
    pub file: PathBuf,
    /// It has been deleted since: no path leads to it.
    pub deleted: bool,
    /// Where it is mounted.
    pub mount_point: PathBuf,
}

/// The image files behind mounts. `block` is `/sys/block`.
#[must_use]
pub fn find<'m>(
    mounts: impl IntoIterator<Item = &'m Mount>,
    locator: &Locator<'_>,
    block: &Path,
    warnings: &mut Warnings,
) -> Vec<MountedImage> {
    let mut images = Vec::new();
    let mut seen = BTreeSet::new();
    for mount in mounts {
        if !seen.insert(mount.dev) {
            continue;
        }
        let (file, deleted) = if let Some(name) = loop_device(&mount.source) {
            let path = block.join(name).join("loop/backing_file");
            match fs::read(&path) {
                Ok(text) => backing_file(&text),
                Err(error) => {
                    warnings.unreadable(&path, &error);
                    continue;
                }
            }
        } else {
            let source = PathBuf::from(&mount.source);
            let is_file = mount.fs_type == "erofs"
                && source.is_absolute()
                && locator.from_here(&source).is_file();
            if !is_file {
                continue;
            }
            (source, false)
        };
        images.push(MountedImage {
            filesystem: mount.dev,
            file,
            deleted,
            mount_point: mount.mount_point.clone(),
        });
    }
    images
}

/// `loop3` of `/dev/loop3` and of its partition `/dev/loop3p1`.
pub(super) fn loop_device(source: &str) -> Option<&str> {
    let name = source.strip_prefix("/dev/")?;
    let rest = name.strip_prefix("loop")?;
    let digits = rest
        .find(|digit: char| !digit.is_ascii_digit())
        .unwrap_or(rest.len());
    let partition = rest[digits..].strip_prefix('p').unwrap_or(&rest[digits..]);
    let plain = digits > 0 && partition.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| &name[..4 + digits])
}

/// The path in `backing_file` (`loop_attr_backing_file_show`, drivers/block/loop.c): as
/// `d_path` prints it, with ` (deleted)` behind the name of a deleted file.
pub(super) fn backing_file(text: &[u8]) -> (PathBuf, bool) {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let path = path_of(text).to_path_buf();
    match text.strip_suffix(b" (deleted)") {
        // A file may really be called so.
        Some(stem) if fs::symlink_metadata(&path).is_err() => (path_of(stem).to_path_buf(), true),
        _ => (path, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::mounts::MountTable;

    #[test]
    fn loop_devices_lead_to_their_files() {
        let block = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in [
            ("loop3", "/var/lib/snapd/snaps/core22_864.snap\n"),
            ("loop4", "/gone.iso (deleted)\n"),
        ] {
            let directory = block.path().join(name).join("loop");
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join("backing_file"), text).expect("a file");
        }
        let table = MountTable::parse(
            b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 7:3 / /snap/core22/864 ro - squashfs /dev/loop3 ro\n\
              3 1 259:1 / /iso ro - iso9660 /dev/loop4p1 ro\n4 1 7:3 / /again ro - squashfs /dev/loop3 ro\n\
              5 1 7:9 / /lost ro - squashfs /dev/loop9 ro\n6 1 0:50 / /odd ro - ext4 /dev/loopy ro\n",
        )
        .expect("the text is a mount table");
        let mut warnings = Warnings::default();
        let locator = Locator::new(&table, Path::new(""));
        let images = find(table.mounts(), &locator, block.path(), &mut warnings);
        let files: Vec<(Dev, &str, bool)> = images
            .iter()
            .map(|image| {
                (
                    image.filesystem,
                    image.file.to_str().unwrap_or(""),
                    image.deleted,
                )
            })
            .collect();
        assert_eq!(
            files,
            [
                (
                    Dev::new(7, 3),
                    "/var/lib/snapd/snaps/core22_864.snap",
                    false
                ),
                (Dev::new(259, 1), "/gone.iso", true)
            ]
        );
        let list = warnings.into_list();
        assert_eq!(list.len(), 1);
        assert!(list[0].what.contains("loop9"), "{list:?}");
    }

    #[test]
    fn erofs_on_a_file_has_no_loop_device() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let shown = file.path().display();
        let text = format!(
            "1 0 8:1 / / rw - ext4 a rw\n2 1 0:60 / /m ro - erofs {shown} ro\n3 1 0:61 / /n ro - erofs none ro\n"
        );
        let table = MountTable::parse(text.as_bytes()).expect("the text is a mount table");
        let locator = Locator::new(&table, Path::new(""));
        let images = find(
            table.mounts(),
            &locator,
            Path::new("/no"),
            &mut Warnings::default(),
        );
        assert_eq!(images.len(), 1);
        assert_eq!(images[0].file, file.path());
        assert_eq!(images[0].filesystem, Dev::new(0, 60));
    }
}
