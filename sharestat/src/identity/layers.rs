//! From an inode's place (filesystem, path inside it) to its layer. Joins what the
//! stores say with what is mounted; where they disagree about a directory, the store
//! names it and the mount tells whether it is written to.

use std::{collections::HashMap, path::Path};

use super::{
    changes::{Mounts, Stamp},
    image_files,
    join::Joined,
    locate::Locator,
    namespaces,
    reach::Overlays,
    runtimes::{self, StoreRoots},
    warning::{Warning, Warnings},
};
use crate::model::{
    inode::Dev,
    layers::{LayerId, LayerRoot, Layers},
};

/// Directories that this module reads from, so that tests can bring their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources<'p> {
    /// `/proc`.
    pub proc: &'p Path,
    /// `/sys/block`.
    pub block: &'p Path,
    /// Where the stores are; the stores of mounted layers are added.
    pub stores: StoreRoots,
}

impl Sources<'static> {
    /// This machine.
    #[must_use]
    pub fn host() -> Self {
        Self {
            proc: Path::new("/proc"),
            block: Path::new("/sys/block"),
            stores: StoreRoots::usual(),
        }
    }
}

/// Finds the layer of an inode. Made anew when mounts or stores change; ids are valid for
/// one index only.
#[derive(Clone, Debug, Default)]
pub struct LayerIndex {
    layers: Layers,
    places: HashMap<Dev, Places>,
    stamp: Stamp,
}

/// The layer roots of one filesystem.
#[derive(Clone, Debug, Default)]
struct Places {
    by_path: HashMap<Vec<u8>, LayerId>,
    /// Lengths of the paths, longest first: only these can match.
    lengths: Vec<usize>,
}

impl LayerIndex {
    /// Reads mounts and stores. What cannot be read is in the warnings.
    #[must_use]
    pub fn read(sources: Sources<'_>) -> (Self, Vec<Warning>) {
        let mut warnings = Warnings::default();
        let mounts = Mounts::look(sources.proc);
        let namespaces = namespaces::read(sources.proc, &mut warnings);
        let locators: Vec<Locator<'_>> = namespaces
            .iter()
            .map(|namespace| Locator::new(&namespace.table, &namespace.seen_at))
            .collect();
        let mounted = Overlays::find(&namespaces, &locators, &sources.stores);
        let mut roots = sources.stores;
        for directory in mounted.own_directories() {
            roots.add_store_of(directory);
        }
        let roots = roots.without_repeats();
        // Before the stores are read: what changes meanwhile shows as a change.
        let stamp = Stamp::take(mounts, &roots);
        let stores = runtimes::read_all(&roots, &mut warnings);
        let mut joined = Joined::default();
        if let Some(own) = locators.first() {
            joined.add_stores(&stores, own, &mut warnings);
        }
        joined.add_overlays(&mounted, &mut warnings);
        for (namespace, locator) in namespaces.iter().zip(&locators) {
            let mounts = namespace.table.mounts();
            let images = image_files::find(mounts, locator, sources.block, &mut warnings);
            joined.add_image_files(&images, locator, &mut warnings);
        }
        let mut index = Self::from_layers(joined.finish());
        index.stamp = stamp;
        (index, warnings.into_list())
    }

    /// An index over layers that are already known.
    #[must_use]
    pub fn from_layers(layers: Layers) -> Self {
        let mut places: HashMap<Dev, Places> = HashMap::new();
        for (position, layer) in (0..).zip(&layers.layers) {
            for LayerRoot { dev, path_in_fs } in &layer.roots {
                let of_dev = places.entry(*dev).or_default();
                let path = without_end_slash(path_in_fs).to_vec();
                of_dev.by_path.entry(path).or_insert(LayerId(position));
            }
        }
        for of_dev in places.values_mut() {
            of_dev.lengths = of_dev.by_path.keys().map(Vec::len).collect();
            of_dev.lengths.sort_unstable_by(|one, other| other.cmp(one));
            of_dev.lengths.dedup();
        }
        Self {
            layers,
            places,
            stamp: Stamp::default(),
        }
    }

    /// The layer with the longest root that is the path or above it.
    #[must_use]
    pub fn resolve(&self, dev: Dev, path_in_fs: &[u8]) -> Option<LayerId> {
        self.resolve_below(dev, path_in_fs).map(|(layer, _)| layer)
    }

    /// As [`Self::resolve`], with the bytes of the path that are the root of the layer.
    #[must_use]
    pub fn resolve_below(&self, dev: Dev, path_in_fs: &[u8]) -> Option<(LayerId, usize)> {
        let of_dev = self.places.get(&dev)?;
        let path = without_end_slash(path_in_fs);
        of_dev
            .lengths
            .iter()
            .filter(|length| matches!(path.get(**length), Some(b'/')) || path.len() == **length)
            .find_map(|length| Some((*of_dev.by_path.get(path.get(..*length)?)?, *length)))
    }

    /// Whether mounts or stores have changed since it was read: read it anew then. Looks
    /// at a few dozen files; of mounts, only our own namespace's are watched.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.stamp.is_old()
    }

    /// What is known about layers, images and containers.
    #[must_use]
    pub const fn layers(&self) -> &Layers {
        &self.layers
    }
}

/// `/` is the empty path, so that everything is below it.
fn without_end_slash(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod resolve_tests;
