//! Whose layer cannot be told: the bytes of files without a whole path, of files that no
//! mount shows, and of files in a directory of a layer that neither a store nor a mount
//! knows.

use crate::model::{
    measurement::{FileIdentity, Identities, Measurement},
    units::Bytes,
};

/// What is cached of such files.
pub(super) fn bytes(measurement: &Measurement) -> Bytes {
    let identities = &measurement.identity;
    let unresolved = measurement.index.inodes().filter(|inode| {
        let file = identities.files.get(&inode.id);
        file.is_none_or(|file| is_unresolved(identities, file))
    });
    unresolved
        .map(|inode| Bytes::of_pages(inode.resident()))
        .sum()
}

fn is_unresolved(identities: &Identities, file: &FileIdentity) -> bool {
    let place = &file.place;
    if place.device.is_some() || place.layer.is_some() {
        return false;
    }
    let Some(path) = place.path_in_fs.as_deref() else {
        return true;
    };
    let filesystem = identities.filesystems.get(file.filesystem);
    let is_mounted = filesystem.is_some_and(|filesystem| filesystem.mount_point.is_some());
    // A file in memory is in no directory, and needs no mount.
    let needs_mount = path.starts_with(b"/");
    (needs_mount && !is_mounted) || is_of_a_layer(path)
}

/// Whether a path leads through a directory that a runtime makes for a layer: `overlay2/ID/diff`
/// (Docker), `overlay/ID/diff` (containers/storage), or `snapshots/NUMBER/fs` of a
/// snapshotter of containerd.
fn is_of_a_layer(path: &[u8]) -> bool {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let windows = parts.windows(5);
    windows.into_iter().any(|window| match window {
        [_, b"overlay" | b"overlay2", id, b"diff", _] => is_id(id),
        [snapshotter, b"snapshots", number, b"fs", _] => {
            snapshotter.starts_with(b"io.containerd.snapshotter.v1.")
                && !number.is_empty()
                && number.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    })
}

/// 64 digits, or the 25 letters and digits of `BuildKit`; a container's first layer has
/// `-init` behind it.
fn is_id(part: &[u8]) -> bool {
    let id = part.strip_suffix(b"-init").unwrap_or(part);
    matches!(id.len(), 25 | 64)
        && id
            .iter()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        inode::Dev,
        layers::LayerId,
        measurement::{Filesystem, Place},
    };

    fn file(filesystem: usize, path: Option<&str>) -> FileIdentity {
        FileIdentity {
            filesystem,
            path: String::new(),
            named: true,
            deleted: false,
            size: 0,
            links: 1,
            place: Place {
                path_in_fs: path.map(|path| path.as_bytes().into()),
                ..Place::default()
            },
        }
    }

    #[test]
    fn unresolved_is_what_has_no_path_no_mount_or_a_layer_that_is_lost() {
        let filesystem = |mount_point: Option<&str>| Filesystem {
            dev: Dev::new(8, 1),
            fs_type: "ext4".to_owned(),
            id: String::new(),
            mount_point: mount_point.map(str::to_owned),
            source: None,
        };
        let identities = Identities {
            filesystems: vec![filesystem(Some("/")), filesystem(None)],
            ..Identities::default()
        };
        let lost = format!("/var/lib/docker/overlay2/{}/diff/bin/sh", "ab".repeat(32));
        for (filesystem, path, expected) in [
            (0, Some("/usr/bin/sh"), false),
            (0, None, true),
            (1, Some("/usr/bin/sh"), true),
            (1, Some("memfd:x"), false),
            (0, Some(lost.as_str()), true),
        ] {
            let file = file(filesystem, path);
            assert_eq!(is_unresolved(&identities, &file), expected, "{path:?}");
        }
        let mut known = file(0, Some(&lost));
        known.place.layer = Some(LayerId(0));
        assert!(!is_unresolved(&identities, &known));
        let mut device = file(1, None);
        device.place.device = Some(Dev::new(8, 1));
        assert!(!is_unresolved(&identities, &device));
    }

    #[test]
    fn directories_of_layers_are_known_by_their_form() {
        let id = "0123456789abcdef".repeat(4);
        let snapshots = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots";
        for path in [
            format!("/s/overlay/{id}/diff/x"),
            format!("/s/overlay2/{id}-init/diff/x/y"),
            "/s/overlay2/abcdefghijklmnopqrstuvwxy/diff/x".to_owned(),
            format!("{snapshots}/17/fs/x"),
        ] {
            assert!(is_of_a_layer(path.as_bytes()), "{path}");
        }
        for path in [
            format!("/s/overlay/{id}/link"),
            "/s/overlay/short/diff/x".to_owned(),
            "/home/me/snapshots/17/fs/x".to_owned(),
            format!("{snapshots}/seventeen/fs/x"),
            "/".to_owned(),
        ] {
            assert!(!is_of_a_layer(path.as_bytes()), "{path}");
        }
    }
}
