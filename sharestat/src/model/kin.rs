//! How files are related to others, beyond what they hold: layers, images, image files,
//! snapshots, shared extents, copy-up. Made from the identities of one measurement.

use std::collections::{HashMap, HashSet};

use super::{
    extents::Extents,
    index::ContentIndex,
    inode::{Dev, InodeId, InodeKey},
    keyed::KeyedMap,
    layers::{ImageId, LayerId, LayerKind},
    measurement::{FileIdentity, Identities},
};

/// The relations of one file.
#[derive(Clone, Debug, Default)]
pub struct Kinship<'a> {
    /// The superblock it is on.
    pub filesystem: Dev,
    /// Its layer.
    pub layer: Option<LayerId>,
    /// The images that have this layer.
    pub images: &'a [ImageId],
    /// Superblocks that are mounted from this image file or block device.
    pub holds: Vec<Dev>,
    /// What it shares on storage.
    pub extents: Option<&'a Extents>,
    /// Whether its inode number occurs in another subvolume of the same filesystem.
    pub in_snapshots: bool,
    /// The lower file of each copy-up that this file takes part in, as source or as copy.
    pub copy_ups: Vec<InodeId>,
}

/// The relations of all files that have any.
#[derive(Debug, Default)]
pub struct Kin<'a> {
    files: KeyedMap<InodeId, Kinship<'a>>,
    filesystems: HashMap<InodeId, Dev>,
    copy_ups: Vec<(InodeId, InodeId)>,
    kinds: Kinds,
}

/// Which relations there are between any files: what there is not needs not be looked for
/// at every content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    /// Shared extents.
    pub(super) extents: bool,
    /// Subvolumes with the same inode numbers.
    pub(super) snapshots: bool,
    /// Layers that are of images.
    pub(super) images: bool,
}

impl<'a> Kin<'a> {
    /// Finds the relations. Costs little where there is neither layer nor image.
    #[must_use]
    pub fn of(index: &ContentIndex, identities: &'a Identities) -> Self {
        let mut kin = Self::default();
        let snapshots = repeated_numbers(index, identities);
        for inode in index.inodes() {
            let Some(file) = identities.files.get(&inode.id) else {
                continue;
            };
            let layer = file.place.layer;
            let of_layer = layer.and_then(|layer| identities.layers.layer(layer));
            let kinship = Kinship {
                filesystem: filesystem_of(identities, file, inode.key),
                layer,
                images: of_layer.map_or(&[][..], |layer| &layer.images),
                holds: held_by(identities, file),
                extents: identities
                    .extents
                    .get(&inode.id)
                    .filter(|extents| !extents.is_empty()),
                in_snapshots: snapshots.contains(&(file.filesystem, inode.key.ino)),
                copy_ups: Vec::new(),
            };
            let related = layer.is_some()
                || !kinship.holds.is_empty()
                || kinship.extents.is_some()
                || kinship.in_snapshots;
            if related {
                kin.kinds.extents |= kinship.extents.is_some();
                kin.kinds.snapshots |= kinship.in_snapshots;
                kin.kinds.images |= !kinship.images.is_empty();
                kin.files.insert(inode.id, kinship);
            }
        }
        if kin.files.values().any(|kinship| !kinship.holds.is_empty()) {
            for (inode, file) in &identities.files {
                let key = index.key(*inode).copied().unwrap_or_default();
                let dev = filesystem_of(identities, file, &key);
                kin.filesystems.insert(*inode, dev);
            }
        }
        kin.find_copy_ups(identities);
        kin
    }

    /// The files that have relations.
    pub fn related(&self) -> impl Iterator<Item = InodeId> + '_ {
        self.files.keys().copied()
    }

    /// The relations of a file.
    #[must_use]
    pub fn get(&self, inode: InodeId) -> Option<&Kinship<'a>> {
        self.files.get(&inode)
    }

    /// The superblock of a file, where some image file or block device is cached.
    #[must_use]
    pub fn filesystem(&self, inode: InodeId) -> Option<Dev> {
        self.filesystems.get(&inode).copied()
    }

    /// Whether some image file or block device is cached.
    pub(super) fn has_images(&self) -> bool {
        !self.filesystems.is_empty()
    }

    /// Whether it is an image file or a block device.
    #[must_use]
    pub fn is_image(&self, inode: InodeId) -> bool {
        self.get(inode).is_some_and(|file| !file.holds.is_empty())
    }

    /// The relations that there are.
    pub(super) const fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// Upper files and the lower files they hide, ascending.
    #[must_use]
    pub fn copy_ups(&self) -> &[(InodeId, InodeId)] {
        &self.copy_ups
    }

    /// In each overlay mount, the upper file of a path and the topmost lower file of it.
    fn find_copy_ups(&mut self, identities: &Identities) {
        let with_upper = || {
            let stacks = identities.layers.stacks.iter();
            stacks.filter_map(|stack| Some((stack.upper?, &stack.lowers)))
        };
        if with_upper().next().is_none() {
            return;
        }
        let mut by_place: HashMap<(LayerId, &[u8]), InodeId> = HashMap::new();
        let mut by_layer: HashMap<LayerId, Vec<(InodeId, &[u8])>> = HashMap::new();
        for (inode, kinship) in &self.files {
            let path = identities
                .files
                .get(inode)
                .filter(|file| !file.deleted)
                .and_then(|file| file.place.path_in_layer());
            if let (Some(layer), Some(path)) = (kinship.layer, path) {
                by_place.insert((layer, path), *inode);
                by_layer.entry(layer).or_default().push((*inode, path));
            }
        }
        let mut pairs = Vec::new();
        for (upper, lowers) in with_upper() {
            for (copy, path) in by_layer.get(&upper).into_iter().flatten() {
                let hidden = lowers
                    .iter()
                    .find_map(|lower| by_place.get(&(*lower, *path)));
                pairs.extend(hidden.map(|source| (*copy, *source)));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        for &(copy, source) in &pairs {
            for inode in [copy, source] {
                if let Some(kinship) = self.files.get_mut(&inode)
                    && !kinship.copy_ups.contains(&source)
                {
                    kinship.copy_ups.push(source);
                }
            }
        }
        self.copy_ups = pairs;
    }
}

fn filesystem_of(identities: &Identities, file: &FileIdentity, key: &InodeKey) -> Dev {
    let known = identities.filesystems.get(file.filesystem);
    known.map_or(key.dev, |filesystem| filesystem.dev)
}

/// The superblocks behind an image file or a block device. That of a block device has
/// its number, or (btrfs) a number of its own.
fn held_by(identities: &Identities, file: &FileIdentity) -> Vec<Dev> {
    if let Some(device) = file.place.device {
        let named = identities
            .filesystems
            .iter()
            .filter(|filesystem| filesystem.source == Some(device))
            .map(|filesystem| filesystem.dev);
        let mut devices: Vec<Dev> = named.chain([device]).collect();
        devices.sort_unstable();
        devices.dedup();
        return devices;
    }
    let layer = file.place.layer.and_then(|id| identities.layers.layer(id));
    layer
        .filter(|layer| layer.kind == LayerKind::ImageFile)
        .map_or_else(Vec::new, |layer| layer.mounted.clone())
}

/// Inode numbers that two subvolumes of one btrfs have: a snapshot keeps them.
fn repeated_numbers(index: &ContentIndex, identities: &Identities) -> HashSet<(usize, u64)> {
    let is_btrfs: Vec<bool> = identities
        .filesystems
        .iter()
        .map(|filesystem| filesystem.fs_type == "btrfs")
        .collect();
    let mut repeated = HashSet::new();
    if !is_btrfs.contains(&true) {
        return repeated;
    }
    let mut first: HashMap<(usize, u64), (Dev, u64)> = HashMap::new();
    for inode in index.inodes() {
        let Some(file) = identities.files.get(&inode.id) else {
            continue;
        };
        if is_btrfs.get(file.filesystem) == Some(&true) {
            let number = (file.filesystem, inode.key.ino);
            let subvolume = subvolume_of(inode.key);
            if *first.entry(number).or_insert(subvolume) != subvolume {
                repeated.insert(number);
            }
        }
    }
    repeated
}

/// A subvolume, as BPF knows it (root id) or as stat(2) shows it (device number).
const fn subvolume_of(key: &InodeKey) -> (Dev, u64) {
    (key.dev, key.subvolume)
}
