//! The real directories behind an overlay mount, from its mount options. Overlayfs has
//! no page cache of its own: pages belong to the files of these directories.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{escape::path_of, mounts::Mount};

/// What became of the layers of one overlay mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Real directories that exist here, upper first, then lower from top to bottom.
    pub found: Vec<PathBuf>,
    /// Layers as the mounter wrote them that cannot be reached from here: mounted in
    /// another mount namespace, given as file descriptors, or unmounted since.
    pub missing: Vec<PathBuf>,
}

/// Whether a mount is an overlay, whose files live elsewhere.
#[must_use]
pub fn is_overlay(mount: &Mount) -> bool {
    mount.fs_type == "overlay"
}

/// The layers of an overlay mount as directories of this mount namespace.
#[must_use]
pub fn layers(mount: &Mount) -> Layers {
    let named = named_layers(&mount.super_options);
    let base = base_of_relative(&mount.mount_point, &named);
    let mut layers = Layers::default();
    for layer in named {
        let absolute = match (&base, layer.is_absolute()) {
            (_, true) => layer.clone(),
            (Some(base), false) => base.join(&layer),
            (None, false) => {
                layers.missing.push(layer);
                continue;
            }
        };
        match fs::canonicalize(&absolute) {
            Ok(directory) if directory.is_dir() => layers.found.push(directory),
            _ => layers.missing.push(layer),
        }
    }
    layers
}

/// The layers as written: `upperdir`, `lowerdir` (a list; `::` before data layers, fs/
/// overlayfs/params.c), and since 6.5 `lowerdir+` and `datadir+`, one directory each.
fn named_layers(options: &[(Vec<u8>, Vec<u8>)]) -> Vec<PathBuf> {
    let mut named = Vec::new();
    for wanted in [
        b"upperdir".as_slice(),
        b"lowerdir",
        b"lowerdir+",
        b"datadir+",
    ] {
        for (_, value) in options.iter().filter(|(name, _)| name == wanted) {
            if wanted == b"lowerdir" {
                named.extend(split_list(value));
            } else {
                named.push(path_of(value).to_path_buf());
            }
        }
    }
    named.retain(|layer| !layer.as_os_str().is_empty());
    named
}

/// Splits at colons; a backslash makes the next byte ordinary (`ovl_split_lowerdirs`).
fn split_list(value: &[u8]) -> Vec<PathBuf> {
    let mut parts = vec![Vec::new()];
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        match (byte, parts.last_mut()) {
            (b'\\', Some(part)) => part.extend(bytes.next()),
            (b':', _) => parts.push(Vec::new()),
            (byte, Some(part)) => part.push(*byte),
            (_, None) => {}
        }
    }
    parts
        .iter()
        .map(|part| path_of(part).to_path_buf())
        .collect()
}

/// Relative layers are relative to the directory the mounter stood in, which the kernel
/// does not tell. Docker stands in the directory above `ID/merged`: take the nearest
/// directory above the mount point in which all relative layers exist.
fn base_of_relative(mount_point: &Path, named: &[PathBuf]) -> Option<PathBuf> {
    let relative: Vec<&PathBuf> = named.iter().filter(|layer| layer.is_relative()).collect();
    if relative.is_empty() || relative.iter().any(|layer| climbs(layer)) {
        return None;
    }
    mount_point
        .ancestors()
        .skip(1)
        .find(|base| relative.iter().all(|layer| base.join(layer).is_dir()))
        .map(Path::to_path_buf)
}

/// A path with `..` could exist below many directories by accident.
fn climbs(layer: &Path) -> bool {
    layer
        .components()
        .any(|part| part.as_os_str().as_bytes() == b"..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::mounts::MountTable;

    fn overlay_at(point: &Path, options: &str) -> Mount {
        let line = format!(
            "9 1 0:9 / {} rw - overlay overlay rw,{options}\n",
            point.display()
        );
        let table = MountTable::parse(line.as_bytes()).expect("the line is a mount");
        table.mounts()[0].clone()
    }

    fn directory_with(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in names {
            fs::create_dir_all(directory.path().join(name)).expect("a directory in it");
        }
        directory
    }

    #[test]
    fn upper_comes_first_then_lower_layers_from_the_top() {
        let directory = directory_with(&["a:1", "b", "up", "m"]);
        let root = directory.path().canonicalize().expect("it exists");
        // The kernel prints the mounter's `\:` with the backslash as octal 134.
        let options = format!(
            "lowerdir={0}/a\\134:1:{0}/b,upperdir={0}/up,workdir={0}/w",
            root.display()
        );
        let layers = layers(&overlay_at(&root.join("m"), &options));
        assert_eq!(
            layers.found,
            [root.join("up"), root.join("a:1"), root.join("b")]
        );
        assert_eq!(layers.missing, Vec::<PathBuf>::new());
    }

    #[test]
    fn relative_layers_are_found_beside_the_mount() {
        let directory = directory_with(&["l/A", "l/B", "id/merged", "id/diff"]);
        let root = directory.path().canonicalize().expect("it exists");
        let layers = layers(&overlay_at(
            &root.join("id/merged"),
            "lowerdir=l/A:l/B,upperdir=id/diff,workdir=id/work",
        ));
        assert_eq!(
            layers.found,
            [root.join("id/diff"), root.join("l/A"), root.join("l/B")]
        );
    }

    #[test]
    fn a_layer_that_is_not_here_is_missing_not_dropped() {
        let layers = layers(&overlay_at(
            Path::new("/m"),
            "lowerdir+=/no/such/layer,lowerdir+=rel",
        ));
        assert_eq!(layers.found, Vec::<PathBuf>::new());
        assert_eq!(
            layers.missing,
            [PathBuf::from("/no/such/layer"), PathBuf::from("rel")]
        );
    }

    #[test]
    fn data_layers_behind_a_double_colon_count() {
        assert_eq!(
            split_list(b"/a::/data"),
            [PathBuf::from("/a"), PathBuf::new(), PathBuf::from("/data")]
        );
    }
}
