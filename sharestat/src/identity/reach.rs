//! The layer directories of all overlay mounts: each name the mounter wrote, looked up in
//! the mount namespace that it belongs to.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{locate::Locator, mounts::Mount, namespaces::Namespace, overlay, runtimes::StoreRoots};
use crate::model::{
    inode::Dev,
    layers::{LayerKind, LayerRoot},
};

/// The layers of the overlay mounts of all namespaces, each once.
#[derive(Default)]
pub(super) struct Overlays {
    layers: HashMap<Vec<LayerRoot>, (PathBuf, LayerKind)>,
    own: Vec<PathBuf>,
    missing: Vec<(PathBuf, PathBuf)>,
    stacks: Vec<PlacedStack>,
}

/// The places of the layers of one overlay mount, as far as they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PlacedStack {
    pub(super) upper: Option<Vec<LayerRoot>>,
    pub(super) lowers: Vec<Vec<LayerRoot>>,
}

/// A layer directory as one namespace found it.
struct Reached {
    real: PathBuf,
    places: Vec<LayerRoot>,
    own: bool,
}

impl Overlays {
    /// Finds the layer directories. `locators` go with `namespaces`, our own first.
    pub(super) fn find(
        namespaces: &[Namespace],
        locators: &[Locator<'_>],
        roots: &StoreRoots,
    ) -> Self {
        // A superblock is seen in many namespaces: in the one of its mounter, and as the
        // root of each container.
        let mut by_dev: HashMap<Dev, Vec<(usize, &Mount)>> = HashMap::new();
        for (number, namespace) in namespaces.iter().enumerate() {
            for mount in namespace.table.mounts() {
                if overlay::is_overlay(mount) {
                    by_dev.entry(mount.dev).or_default().push((number, mount));
                }
            }
        }
        let mut finder = Finder {
            locators,
            roots,
            known: HashMap::new(),
        };
        let mut overlays = Self::default();
        for seen in by_dev.values() {
            if let Some((_, first)) = seen.first() {
                overlays.add(&mut finder, first, seen);
            }
        }
        overlays.missing.sort();
        overlays.own.sort();
        overlays.own.dedup();
        overlays.stacks.sort();
        overlays
    }

    fn add(&mut self, finder: &mut Finder<'_, '_>, first: &Mount, seen: &[(usize, &Mount)]) {
        let writable = first
            .super_options
            .iter()
            .any(|(name, value)| name == b"upperdir" && !value.is_empty());
        let mut stack = PlacedStack::default();
        let named = overlay::named_layers(&first.super_options);
        for (position, layer) in named.into_iter().enumerate() {
            // The upper directory comes first.
            let kind = if writable && position == 0 {
                LayerKind::Upper
            } else {
                LayerKind::Lower
            };
            match finder.reach(&layer, seen) {
                Some(reached) => {
                    if kind == LayerKind::Upper {
                        stack.upper = Some(reached.places.clone());
                    } else {
                        stack.lowers.push(reached.places.clone());
                    }
                    self.take(reached, kind);
                }
                None => self.missing.push((layer, first.mount_point.clone())),
            }
        }
        self.stacks.push(stack);
    }

    fn take(&mut self, reached: Reached, kind: LayerKind) {
        let Reached { real, places, own } = reached;
        if own {
            self.own.push(real.clone());
        }
        let (shown, known) = self
            .layers
            .entry(places)
            .or_insert_with(|| (real.clone(), kind));
        *known = (*known).max(kind);
        // One of several names, the same in each run.
        if real < *shown {
            *shown = real;
        }
    }

    /// Layer directories in our own namespace.
    pub(super) fn own_directories(&self) -> &[PathBuf] {
        &self.own
    }

    /// The layers by place: directory and kind.
    pub(super) fn sorted(&self) -> Vec<(&[LayerRoot], (&Path, LayerKind))> {
        let mut sorted: Vec<(&[LayerRoot], (&Path, LayerKind))> = Vec::new();
        for (places, (directory, kind)) in &self.layers {
            sorted.push((places, (directory, *kind)));
        }
        sorted.sort();
        sorted
    }

    /// The layers of each overlay mount.
    pub(super) fn stacks(&self) -> &[PlacedStack] {
        &self.stacks
    }

    /// Layers that no namespace can reach, with the mount point of their overlay.
    pub(super) fn missing(&self) -> &[(PathBuf, PathBuf)] {
        &self.missing
    }
}

/// Looks names up, each once.
struct Finder<'f, 't> {
    locators: &'f [Locator<'t>],
    roots: &'f StoreRoots,
    known: HashMap<(usize, PathBuf), Option<PathBuf>>,
}

impl Finder<'_, '_> {
    /// Finds a layer in the first namespace that has it: where the overlay is mounted
    /// beside other things, as its mounter saw it, then our own, then where it is the
    /// root, as a container sees it.
    fn reach(&mut self, layer: &Path, seen: &[(usize, &Mount)]) -> Option<Reached> {
        let is_root = |mount: &Mount| mount.mount_point == Path::new("/");
        let beside = seen.iter().filter(|(_, mount)| !is_root(mount));
        if layer.is_absolute() {
            let mut numbers: Vec<usize> = beside.map(|(number, _)| *number).collect();
            numbers.push(0);
            numbers.extend(seen.iter().map(|(number, _)| *number));
            return numbers
                .into_iter()
                .find_map(|number| self.look(number, layer.to_path_buf()));
        }
        // Relative to the directory the mounter stood in, which the kernel does not tell.
        // Docker and Podman stand in their store, above the mount point.
        for (number, mount) in beside {
            for base in mount.mount_point.ancestors().skip(1) {
                let found = self.look(*number, base.join(layer));
                if found.is_some() {
                    return found;
                }
            }
        }
        let docker = self.roots.docker.iter().map(|root| root.join("overlay2"));
        let podman = self
            .roots
            .containers_storage
            .iter()
            .map(|root| root.join("overlay"));
        docker
            .chain(podman)
            .collect::<Vec<_>>()
            .into_iter()
            .find_map(|base| self.look(0, base.join(layer)))
    }

    /// Looks a name up in one namespace. One that cannot be looked at is not there.
    fn look(&mut self, number: usize, path: PathBuf) -> Option<Reached> {
        let locator = self.locators.get(number)?;
        let real = self
            .known
            .entry((number, path))
            .or_insert_with_key(|(_, path)| locator.real_path(path).ok())
            .clone()?;
        let places = locator.places(&real);
        (!places.is_empty()).then_some(Reached {
            real,
            places,
            own: number == 0,
        })
    }
}
