//! Feeds the parsers of this folder: see [`crate::fuzzing`].

use std::{collections::HashMap, path::Path};

use super::{
    bolt::{Bolt, Bucket, Entry},
    cgroups,
    escape::{path_of, printable},
    image_files,
    mounts::MountTable,
    overlay,
    runtimes::{self, Store},
    storage,
    warning::Warnings,
};
use crate::{fuzzing::scratch::Scratch, model::memory::MemoryStat};

/// Mounts of one table that are asked for names.
const ASKED: usize = 32;

/// A mount table, and the names and layers that follow from it.
pub(crate) fn mountinfo(input: &[u8]) -> bool {
    let Ok(table) = MountTable::parse(input) else {
        return false;
    };
    for mount in table.mounts().iter().take(ASKED) {
        let _ = overlay::named_layers(&mount.super_options);
        let _ = table.display_path(mount.dev, b"/a/b\xff");
        let _ = table.filesystem_of(&mount.mount_point);
        let _ = image_files::loop_device(&mount.source);
        let _ = printable(&mount.mount_point);
    }
    !table.mounts().is_empty()
}

/// A bbolt database, every bucket of it, as deep as buckets are used.
pub(crate) fn bolt(input: &[u8]) -> bool {
    let Ok(bolt) = Bolt::parse(input.to_vec()) else {
        return false;
    };
    let mut budget = 4096;
    walk(bolt.root(), 8, &mut budget)
}

fn walk(bucket: Bucket<'_>, depth: usize, budget: &mut usize) -> bool {
    let Ok(entries) = bucket.entries() else {
        return false;
    };
    let mut whole = true;
    for (_, entry) in entries {
        if *budget == 0 {
            break;
        }
        *budget -= 1;
        if let Entry::Bucket(inner) = entry
            && depth > 0
        {
            whole &= walk(inner, depth - 1, budget);
        }
    }
    whole
}

/// One database as both of containerd's: metadata and snapshots.
pub(crate) fn containerd(input: &[u8]) -> bool {
    let Ok(scratch) = Scratch::new() else {
        return false;
    };
    for place in [
        "io.containerd.snapshotter.v1.overlayfs/metadata.db",
        "io.containerd.metadata.v1.bolt/meta.db",
    ] {
        let _ = scratch.write(place, input);
    }
    read(&scratch, runtimes::containerd::read)
}

/// The files of a store of containers/storage.
pub(crate) fn containers_storage(input: &[u8]) -> bool {
    read_files(input, runtimes::containers_storage::read)
}

/// The files of a store of Docker's.
pub(crate) fn docker(input: &[u8]) -> bool {
    read_files(input, runtimes::docker::read)
}

/// The deployments of a Flatpak installation.
pub(crate) fn flatpak(input: &[u8]) -> bool {
    read_files(input, runtimes::packages::read_flatpak)
}

/// The file of a snap.
pub(crate) fn snap(input: &[u8]) -> bool {
    let Some((name, revision)) = runtimes::packages::snap_of(path_of(input)) else {
        return false;
    };
    assert!(!name.is_empty() && !revision.is_empty());
    assert!(!name.contains('/') && !revision.contains(['/', '_']));
    true
}

fn read_files(input: &[u8], reader: fn(&Path, &mut Warnings) -> Store) -> bool {
    let Ok(scratch) = Scratch::new() else {
        return false;
    };
    scratch.fill(input);
    read(&scratch, reader)
}

/// Reads a store; every layer of it is inside, and every reference leads to one.
fn read(scratch: &Scratch, reader: fn(&Path, &mut Warnings) -> Store) -> bool {
    let mut warnings = Warnings::default();
    let store = reader(scratch.root(), &mut warnings);
    let _ = warnings.into_list();
    for layer in &store.layers {
        assert!(layer.directory.starts_with(scratch.root()), "{layer:?}");
    }
    let of_images = store.images.iter().flat_map(|image| &image.layers);
    let of_containers = store
        .containers
        .iter()
        .flat_map(|container| &container.layers);
    for layer in of_images.chain(of_containers) {
        assert!(*layer < store.layers.len(), "there is no layer {layer}");
    }
    !store.layers.is_empty()
}

/// The path of a cgroup on a line, then its `memory.stat`.
pub(crate) fn cgroup(input: &[u8]) -> bool {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (path, rest) = input.split_at(end.unwrap_or(input.len()));
    let owner = cgroups::owner_of(path_of(path));
    let _ = cgroups::container_of(path_of(path), &HashMap::new());
    let stat = MemoryStat::parse(&String::from_utf8_lossy(rest));
    !owner.containers.is_empty() && stat.is_ok()
}

/// The name of an extended attribute, a zero byte, its value.
pub(crate) fn digest(input: &[u8]) -> bool {
    let end = input.iter().position(|byte| *byte == 0);
    let (name, value) = input.split_at(end.unwrap_or(input.len()));
    storage::digest_in(name, value.get(1..).unwrap_or_default()).is_some()
}

/// `backing_file` of a loop device.
pub(crate) fn backing_file(input: &[u8]) -> bool {
    let (path, _) = image_files::backing_file(input);
    let _ = printable(&path);
    path.is_absolute()
}
